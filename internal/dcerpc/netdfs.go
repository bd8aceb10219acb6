package dcerpc

import "context"

// NetDFSClient calls [MS-DFSNM] on a Client that is bound to NETDFS: DFS namespaces, read-only.
type NetDFSClient struct{ *Client }

// OpNetrDfsManagerGetVersion is the opnum of the call below.
const OpNetrDfsManagerGetVersion = 0

// NetrDfsManagerGetVersionResponse holds the version, which is the return value: there is no status.
//
// See [MS-DFSNM] 3.1.4.1.2.
type NetrDfsManagerGetVersionResponse struct{ Version uint32 }

func (r *NetrDfsManagerGetVersionResponse) ndr(c *coder) { c.u32(&r.Version) }

func (*NetrDfsManagerGetVersionResponse) refused() error { return nil }

// ManagerGetVersion returns the version of the server's DFS.
func (n NetDFSClient) ManagerGetVersion(ctx context.Context) (*NetrDfsManagerGetVersionResponse, error) {
	return invoke[NetrDfsManagerGetVersionResponse](ctx, n.Client, NETDFS, OpNetrDfsManagerGetVersion, &NoArguments{})
}
