package dcerpc

import "context"

// FSRVPClient calls [MS-FSRVP] on a Client that is bound to FSRVP. There is no encoder for IsPathSupported and
// IsPathShadowCopied: they make the server connect to the path in the request.
type FSRVPClient struct{ *Client }

// OpGetSupportedVersion is the only supported call.
const OpGetSupportedVersion = 0

// GetSupportedVersionResponse returns the versions of the protocol.
//
// See [MS-FSRVP] 3.1.4.1.
type GetSupportedVersionResponse struct {
	Min, Max uint32
	WResult
}

func (r *GetSupportedVersionResponse) ndr(c *coder) {
	c.u32(&r.Min)
	c.u32(&r.Max)
	r.result(c)
}

// GetSupportedVersion returns the versions of the protocol.
func (f FSRVPClient) GetSupportedVersion(ctx context.Context) (*GetSupportedVersionResponse, error) {
	return invoke[GetSupportedVersionResponse](ctx, f.Client, FSRVP, OpGetSupportedVersion, &NoArguments{})
}
