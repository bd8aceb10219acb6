package dcerpc

import "context"

// PlugPlayClient calls the plug-and-play manager on a Client that is bound to PLUGPLAY. No specification is public; the
// layout is that of Samba's interface definition.
type PlugPlayClient struct{ *Client }

// OpPNPGetVersion is the only supported call.
const OpPNPGetVersion = 2

// PNPGetVersionResponse returns the version, such as 0x0400.
type PNPGetVersionResponse struct {
	Version uint16
	WResult
}

func (r *PNPGetVersionResponse) ndr(c *coder) {
	c.u16(&r.Version)
	r.result(c)
}

// GetVersion returns the version of the manager.
func (p PlugPlayClient) GetVersion(ctx context.Context) (*PNPGetVersionResponse, error) {
	return invoke[PNPGetVersionResponse](ctx, p.Client, PLUGPLAY, OpPNPGetVersion, &NoArguments{})
}
