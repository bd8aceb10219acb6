package dcerpc

import (
	"context"
	"encoding/binary"
)

// SVCCTLClient calls [MS-SCMR] on a Client that is bound to SVCCTL: the service control manager, read-only.
type SVCCTLClient struct{ *Client }

// The opnums of the calls below.
const (
	OpRCloseServiceHandle  = 0
	OpREnumServicesStatusW = 14
	OpROpenSCManagerW      = 15
)

// The rights for reading. See [MS-SCMR] 3.1.4.
const (
	ScManagerConnect   = 0x0001
	ScManagerEnumerate = 0x0004
)

// ROpenSCManagerWRequest opens the manager.
//
// See [MS-SCMR] 3.1.4.11.
type ROpenSCManagerWRequest struct {
	Machine, Database *string
	DesiredAccess     uint32
}

func (r *ROpenSCManagerWRequest) ndr(c *coder) {
	c.optStr(&r.Machine)
	c.optStr(&r.Database)
	c.u32(&r.DesiredAccess)
}

// OpenSCManager opens the manager.
func (s SVCCTLClient) OpenSCManager(ctx context.Context, server string, access uint32) (*WHandleResponse, error) {
	return invoke[WHandleResponse](ctx, s.Client, SVCCTL, OpROpenSCManagerW,
		&ROpenSCManagerWRequest{&server, nil, access})
}

// REnumServicesStatusWRequest asks for the services into a buffer of Size bytes.
//
// See [MS-SCMR] 3.1.4.14.
type REnumServicesStatusWRequest struct {
	Manager     Handle
	Type, State uint32
	Size        uint32
	Resume      *uint32
}

func (r *REnumServicesStatusWRequest) ndr(c *coder) {
	c.handle(&r.Manager)
	c.u32(&r.Type)
	c.u32(&r.State)
	c.u32(&r.Size)
	c.optU32(&r.Resume)
}

// REnumServicesStatusWResponse is the response. More reports whether to continue at Resume.
type REnumServicesStatusWResponse struct {
	Buffer   []byte // ENUM_SERVICE_STATUSW entries, and the strings that they point to by offset
	Needed   uint32
	Returned uint32
	Resume   *uint32
	WResult
}

func (r *REnumServicesStatusWResponse) ndr(c *coder) {
	c.octets(&r.Buffer)
	c.u32(&r.Needed)
	c.u32(&r.Returned)
	c.optU32(&r.Resume)
	r.result(c)
}

// Service is ENUM_SERVICE_STATUSW.
//
// See [MS-SCMR] 2.2.11.
type Service struct {
	Name, Display string
	Type, State   uint32
}

// serviceEntry is the size of an ENUM_SERVICE_STATUSW: two offsets and the seven numbers of SERVICE_STATUS.
const serviceEntry = 36

// Services decodes the buffer; entries that do not fit it are omitted.
func (r *REnumServicesStatusWResponse) Services() []Service {
	var list []Service
	for i := range min(int(r.Returned), len(r.Buffer)/serviceEntry) {
		e := r.Buffer[i*serviceEntry:]
		list = append(list, Service{
			zeroEnded(r.Buffer, binary.LittleEndian.Uint32(e)),
			zeroEnded(r.Buffer, binary.LittleEndian.Uint32(e[4:])),
			binary.LittleEndian.Uint32(e[8:]),
			binary.LittleEndian.Uint32(e[12:]),
		})
	}
	return list
}

// zeroEnded decodes a UTF-16 string at an offset of a buffer; empty if there is none.
func zeroEnded(b []byte, at uint32) string {
	if uint64(at) >= uint64(len(b)) {
		return ""
	}
	b = b[at:]
	n := 0
	for 2*n+1 < len(b) && n < maxServiceName && (b[2*n] != 0 || b[2*n+1] != 0) {
		n++
	}
	c := coder{buf: b, dec: true}
	return c.chars(n)
}

// maxServiceName is the limit of [MS-SCMR] 2.2: names and display names have at most 256 characters. It also keeps a
// buffer whose entries all point at one long string from growing.
const maxServiceName = 256

// EnumServices lists all services into size bytes, from resume on.
func (s SVCCTLClient) EnumServices(ctx context.Context, manager Handle, size,
	resume uint32,
) (*REnumServicesStatusWResponse, error) {
	const win32Services, allStates = 0x30, 0x03
	request := &REnumServicesStatusWRequest{manager, win32Services, allStates, size, &resume}
	return invoke[REnumServicesStatusWResponse](ctx, s.Client, SVCCTL, OpREnumServicesStatusW, request)
}
