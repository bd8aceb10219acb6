package dcerpc

import "context"

// PlugPlayClient calls the plug-and-play manager on a Client that is bound to PLUGPLAY. No specification is public;
// the layout is what Samba's interface definition says.
type PlugPlayClient struct{ *Client }

// OpPNPGetVersion is the one call that is known here.
const OpPNPGetVersion = 2

// PNPGetVersionResponse gives the version, such as 0x0400.
type PNPGetVersionResponse struct {
	Version uint16
	WResult
}

func (r *PNPGetVersionResponse) ndr(c *coder) {
	c.u16(&r.Version)
	r.result(c)
}

// GetVersion gives the version of the manager.
func (p PlugPlayClient) GetVersion(ctx context.Context) (*PNPGetVersionResponse, error) {
	return invoke[PNPGetVersionResponse](ctx, p.Client, PLUGPLAY, OpPNPGetVersion, &NoArguments{})
}
