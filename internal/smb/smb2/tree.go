package smb2

import "fmt"

// Flags of a TREE_CONNECT in 3.1.1. See [MS-SMB2] 2.2.9.
const (
	TreeClusterReconnect = 0x0001
	TreeRedirectToOwner  = 0x0002
	TreeExtensionPresent = 0x0004
)

// The share types of [MS-SMB2] 2.2.10.
const (
	ShareDisk  = 0x01
	SharePipe  = 0x02
	SharePrint = 0x03
)

// ShareEncryptData is the bit of ShareFlags that asks for encryption. See [MS-SMB2] 2.2.10.
const ShareEncryptData = 0x00008000

// TreeConnectRequest asks for a share.
// See [MS-SMB2] 2.2.9.
type TreeConnectRequest struct {
	Flags      uint16
	PathOffset uint16
	Path       Text
	// Extension is, with TreeExtensionPresent, all that follows the fixed fields, raw: the extension's own fields, the
	// path and the contexts. Path lies in it.
	Extension []byte
}

// Unmarshal implements Body.
func (r *TreeConnectRequest) Unmarshal(msg []byte) (int, error) {
	f, err := open(msg, 9, 8)
	if err != nil {
		return 0, err
	}
	*r = TreeConnectRequest{Flags: f.u16(), PathOffset: f.u16()}
	n := uint32(f.u16())
	end := HeaderLen + 8
	path, err := span(msg, 8, uint32(r.PathOffset), n, &end)
	if err != nil {
		return 0, fmt.Errorf("path: %w", err)
	}
	r.Path = path
	if r.Flags&TreeExtensionPresent != 0 {
		r.Extension = msg[HeaderLen+8 : len(msg) : len(msg)]
		end = len(msg)
	}
	return end, nil
}

// AppendBody implements Body.
func (r *TreeConnectRequest) AppendBody(dst []byte, base int) []byte {
	dst = le.AppendUint16(dst, 9)
	dst = le.AppendUint16(dst, r.Flags)
	at := len(dst)
	dst = le.AppendUint16(dst, r.PathOffset)
	dst = le.AppendUint16(dst, uint16(len(r.Path)))
	if r.Flags&TreeExtensionPresent != 0 {
		return append(dst, r.Extension...)
	}
	dst, off := place(dst, base, int(r.PathOffset), 1, r.Path)
	le.PutUint16(dst[at:], uint16(off))
	return dst
}

// TreeConnectResponse describes the share.
// See [MS-SMB2] 2.2.10.
type TreeConnectResponse struct {
	ShareType     byte
	Reserved      byte
	ShareFlags    uint32
	Capabilities  uint32
	MaximalAccess uint32
}

// Unmarshal implements Body.
func (r *TreeConnectResponse) Unmarshal(msg []byte) (int, error) {
	f, err := open(msg, 16, 16)
	if err != nil {
		return 0, err
	}
	*r = TreeConnectResponse{f.u8(), f.u8(), f.u32(), f.u32(), f.u32()}
	return HeaderLen + 16, nil
}

// AppendBody implements Body.
func (r *TreeConnectResponse) AppendBody(dst []byte, _ int) []byte {
	dst = le.AppendUint16(dst, 16)
	dst = append(dst, r.ShareType, r.Reserved)
	dst = le.AppendUint32(dst, r.ShareFlags)
	dst = le.AppendUint32(dst, r.Capabilities)
	return le.AppendUint32(dst, r.MaximalAccess)
}
