package dcerpc

import "context"

// NetDFSClient calls [MS-DFSNM] on a Client that is bound to NETDFS: DFS namespaces, to look.
type NetDFSClient struct{ *Client }

// The opnums of the calls below.
const (
	OpNetrDfsManagerGetVersion = 0
	OpNetrDfsEnum              = 5
)

// NetrDfsManagerGetVersionResponse gives the version, which is the return value: there is no status.
//
// See [MS-DFSNM] 3.1.4.1.2.
type NetrDfsManagerGetVersionResponse struct{ Version uint32 }

func (r *NetrDfsManagerGetVersionResponse) ndr(c *coder) { c.u32(&r.Version) }

func (*NetrDfsManagerGetVersionResponse) refused() error { return nil }

// ManagerGetVersion gives the version of the server's DFS.
func (n NetDFSClient) ManagerGetVersion(ctx context.Context) (*NetrDfsManagerGetVersionResponse, error) {
	return invoke[NetrDfsManagerGetVersionResponse](ctx, n.Client, NETDFS, OpNetrDfsManagerGetVersion, &NoArguments{})
}

// DFSInfo holds the fields of the levels 1 (Path) and 300 (Flags and Path).
//
// See [MS-DFSNM] 2.2.3.1 and 2.2.3.12.
type DFSInfo struct {
	Flags uint32
	Path  *string
}

// DFSEnum is DFS_INFO_ENUM_STRUCT.
//
// See [MS-DFSNM] 2.2.3.15.
type DFSEnum struct {
	Level   uint32
	Entries []DFSInfo
}

func (e *DFSEnum) code(c *coder) {
	container(c, &e.Level, &e.Entries, 4, func(i *DFSInfo) {
		switch e.Level {
		case 300:
			c.u32(&i.Flags)
			pointer(c, &i.Path)
		case 1:
			pointer(c, &i.Path)
		default:
			c.malformed("DFS_INFO_ENUM_STRUCT level %d", e.Level)
		}
	}, func(i *DFSInfo) { c.strBody(i.Path) })
}

// NetrDfsEnumRequest asks for namespaces.
//
// See [MS-DFSNM] 3.1.4.1.7.
type NetrDfsEnumRequest struct {
	Level         uint32
	MaximumLength uint32
	Enum          *DFSEnum
	Resume        *uint32
}

func (r *NetrDfsEnumRequest) ndr(c *coder) {
	c.u32(&r.Level)
	c.u32(&r.MaximumLength)
	if pointer(c, &r.Enum) {
		r.Enum.code(c)
	}
	c.optU32(&r.Resume)
}

// NetrDfsEnumResponse gives them.
type NetrDfsEnumResponse struct {
	Enum   *DFSEnum
	Resume *uint32
	WResult
}

func (r *NetrDfsEnumResponse) ndr(c *coder) {
	if pointer(c, &r.Enum) {
		r.Enum.code(c)
	}
	c.optU32(&r.Resume)
	r.result(c)
}

// Enum lists namespaces at level 1 or 300, from resume on.
func (n NetDFSClient) Enum(ctx context.Context, level, resume uint32) (*NetrDfsEnumResponse, error) {
	request := &NetrDfsEnumRequest{level, preferAll, &DFSEnum{Level: level}, &resume}
	return invoke[NetrDfsEnumResponse](ctx, n.Client, NETDFS, OpNetrDfsEnum, request)
}
