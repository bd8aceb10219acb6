package smb2

import "fmt"

// The control codes that concern pipes and connections. See [MS-SMB2] 2.2.31.
const (
	FSCTLDFSGetReferrals      = 0x00060194
	FSCTLPipePeek             = 0x0011400C
	FSCTLPipeWait             = 0x00110018
	FSCTLPipeTransceive       = 0x0011C017
	FSCTLQueryInterfaces      = 0x001401FC
	FSCTLValidateNegotiate    = 0x00140204
	FSCTLDFSGetReferralsEx    = 0x000601B0
	FSCTLEnumerateSnapshots   = 0x00144064
	FSCTLLMRRequestResiliency = 0x001401D4
)

// IsFSCTL is the flag of an IOCTL request that carries an FSCTL. See [MS-SMB2] 2.2.31.
const IsFSCTL = 0x00000001

// IOCTLRequest asks for a control operation, such as a transaction on a pipe.
// See [MS-SMB2] 2.2.31.
type IOCTLRequest struct {
	Reserved          uint16
	CtlCode           uint32
	FileID            FileID
	InputOffset       uint32
	Input             []byte
	MaxInputResponse  uint32
	OutputOffset      uint32
	Output            []byte
	MaxOutputResponse uint32
	Flags             uint32
	Reserved2         uint32
}

// Unmarshal implements Body.
func (r *IOCTLRequest) Unmarshal(msg []byte) (int, error) {
	f, err := open(msg, 57, 56)
	if err != nil {
		return 0, err
	}
	*r = IOCTLRequest{Reserved: f.u16(), CtlCode: f.u32(), FileID: f.id(), InputOffset: f.u32()}
	in := f.u32()
	r.MaxInputResponse, r.OutputOffset = f.u32(), f.u32()
	out := f.u32()
	r.MaxOutputResponse, r.Flags, r.Reserved2 = f.u32(), f.u32(), f.u32()
	end := HeaderLen + 56
	if r.Input, err = span(msg, 56, r.InputOffset, in, &end); err != nil {
		return 0, fmt.Errorf("input: %w", err)
	}
	if r.Output, err = span(msg, 56, r.OutputOffset, out, &end); err != nil {
		return 0, fmt.Errorf("output: %w", err)
	}
	return end, nil
}

// AppendBody implements Body.
func (r *IOCTLRequest) AppendBody(dst []byte, base int) []byte {
	dst = le.AppendUint16(dst, 57)
	dst = le.AppendUint16(dst, r.Reserved)
	dst = le.AppendUint32(dst, r.CtlCode)
	dst = append(dst, r.FileID[:]...)
	at := len(dst)
	dst = le.AppendUint32(dst, 0)
	dst = le.AppendUint32(dst, uint32(len(r.Input)))
	dst = le.AppendUint32(dst, r.MaxInputResponse)
	dst = le.AppendUint32(dst, 0)
	dst = le.AppendUint32(dst, uint32(len(r.Output)))
	dst = le.AppendUint32(dst, r.MaxOutputResponse)
	dst = le.AppendUint32(dst, r.Flags)
	dst = le.AppendUint32(dst, r.Reserved2)
	dst, off := place(dst, base, int(r.InputOffset), 1, r.Input)
	le.PutUint32(dst[at:], uint32(off))
	dst, off = place(dst, base, int(r.OutputOffset), 8, r.Output)
	le.PutUint32(dst[at+12:], uint32(off))
	return dst
}

// IOCTLResponse carries the result.
// See [MS-SMB2] 2.2.32.
type IOCTLResponse struct {
	Reserved     uint16
	CtlCode      uint32
	FileID       FileID
	InputOffset  uint32
	Input        []byte
	OutputOffset uint32
	Output       []byte
	Flags        uint32
	Reserved2    uint32
}

// Unmarshal implements Body.
func (r *IOCTLResponse) Unmarshal(msg []byte) (int, error) {
	f, err := open(msg, 49, 48)
	if err != nil {
		return 0, err
	}
	*r = IOCTLResponse{Reserved: f.u16(), CtlCode: f.u32(), FileID: f.id(), InputOffset: f.u32()}
	in := f.u32()
	r.OutputOffset = f.u32()
	out := f.u32()
	r.Flags, r.Reserved2 = f.u32(), f.u32()
	end := HeaderLen + 48
	if r.Input, err = span(msg, 48, r.InputOffset, in, &end); err != nil {
		return 0, fmt.Errorf("input: %w", err)
	}
	if r.Output, err = span(msg, 48, r.OutputOffset, out, &end); err != nil {
		return 0, fmt.Errorf("output: %w", err)
	}
	return end, nil
}

// AppendBody implements Body.
func (r *IOCTLResponse) AppendBody(dst []byte, base int) []byte {
	dst = le.AppendUint16(dst, 49)
	dst = le.AppendUint16(dst, r.Reserved)
	dst = le.AppendUint32(dst, r.CtlCode)
	dst = append(dst, r.FileID[:]...)
	at := len(dst)
	dst = le.AppendUint32(dst, 0)
	dst = le.AppendUint32(dst, uint32(len(r.Input)))
	dst = le.AppendUint32(dst, 0)
	dst = le.AppendUint32(dst, uint32(len(r.Output)))
	dst = le.AppendUint32(dst, r.Flags)
	dst = le.AppendUint32(dst, r.Reserved2)
	want := int(r.InputOffset)
	if len(r.Input) == 0 && want == 0 {
		want = HeaderLen + 48
	}
	dst, off := place(dst, base, want, 1, r.Input)
	le.PutUint32(dst[at:], uint32(off))
	dst, off = place(dst, base, int(r.OutputOffset), 8, r.Output)
	le.PutUint32(dst[at+8:], uint32(off))
	return dst
}

// ValidateNegotiateRequest is the input of FSCTLValidateNegotiate: what the client said in NEGOTIATE.
// See [MS-SMB2] 2.2.31.4.
type ValidateNegotiateRequest struct {
	Capabilities uint32
	GUID         [16]byte
	SecurityMode uint16
	Dialects     []uint16
}

// AppendMarshal appends the input.
func (r *ValidateNegotiateRequest) AppendMarshal(dst []byte) []byte {
	dst = le.AppendUint32(dst, r.Capabilities)
	dst = append(dst, r.GUID[:]...)
	dst = le.AppendUint16(dst, r.SecurityMode)
	return appendIDs(le.AppendUint16(dst, uint16(len(r.Dialects))), r.Dialects)
}

// Unmarshal reads the input.
func (r *ValidateNegotiateRequest) Unmarshal(b []byte) error {
	if len(b) < 24 {
		return fmt.Errorf("smb2: validate negotiate request: %w", ErrShort)
	}
	ids, rest, err := parseIDs(b[24:], le.Uint16(b[22:]))
	if err != nil || len(rest) != 0 {
		return fmt.Errorf("smb2: validate negotiate request: %w", ErrCount)
	}
	*r = ValidateNegotiateRequest{le.Uint32(b), [16]byte(b[4:20]), le.Uint16(b[20:]), ids}
	return nil
}

// ValidateNegotiateResponse is the output: what the server says it answered.
// See [MS-SMB2] 2.2.32.6.
type ValidateNegotiateResponse struct {
	Capabilities uint32
	GUID         [16]byte
	SecurityMode uint16
	Dialect      uint16
}

// AppendMarshal appends the output.
func (r *ValidateNegotiateResponse) AppendMarshal(dst []byte) []byte {
	dst = le.AppendUint32(dst, r.Capabilities)
	dst = append(dst, r.GUID[:]...)
	return le.AppendUint16(le.AppendUint16(dst, r.SecurityMode), r.Dialect)
}

// Unmarshal reads the output.
func (r *ValidateNegotiateResponse) Unmarshal(b []byte) error {
	if len(b) != 24 {
		return fmt.Errorf("smb2: validate negotiate response: %w: %d bytes", ErrShort, len(b))
	}
	*r = ValidateNegotiateResponse{le.Uint32(b), [16]byte(b[4:20]), le.Uint16(b[20:]), le.Uint16(b[22:])}
	return nil
}
