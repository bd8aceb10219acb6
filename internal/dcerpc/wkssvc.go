package dcerpc

import "context"

// WKSSVCClient calls [MS-WKST] on a Client that is bound to WKSSVC: the computer's names, its users, its addresses.
type WKSSVCClient struct{ *Client }

// The opnums of the calls below.
const (
	OpNetrWkstaGetInfo       = 0
	OpNetrWkstaUserEnum      = 2
	OpNetrWkstaTransportEnum = 5
	OpNetrGetJoinInformation = 20
)

// WkstaInfo holds the fields of the levels 100, 101 and 102.
//
// See [MS-WKST] 2.2.5.1 to 2.2.5.3.
type WkstaInfo struct {
	Platform      uint32
	Name, Domain  *string
	Major, Minor  uint32
	Root          *string
	LoggedOnUsers uint32
}

// NetrWkstaGetInfoResponse is the response; nil when refused.
type NetrWkstaGetInfoResponse struct {
	Level uint32
	Info  *WkstaInfo
	WResult
}

func (r *NetrWkstaGetInfoResponse) ndr(c *coder) {
	c.u32(&r.Level)
	if pointer(c, &r.Info) {
		if r.Level < 100 || r.Level > 102 {
			c.malformed("WKSTA_INFO level %d", r.Level)
			return
		}
		i := r.Info
		c.u32(&i.Platform)
		pointer(c, &i.Name)
		pointer(c, &i.Domain)
		c.u32(&i.Major)
		c.u32(&i.Minor)
		if r.Level > 100 {
			pointer(c, &i.Root)
		}
		if r.Level == 102 {
			c.u32(&i.LoggedOnUsers)
		}
		c.strBody(i.Name)
		c.strBody(i.Domain)
		if r.Level > 100 {
			c.strBody(i.Root)
		}
	}
	r.result(c)
}

// GetInfo returns the computer's data at level 100, 101 or 102.
func (w WKSSVCClient) GetInfo(ctx context.Context, server string, level uint32) (*NetrWkstaGetInfoResponse, error) {
	return invoke[NetrWkstaGetInfoResponse](ctx, w.Client, WKSSVC, OpNetrWkstaGetInfo, &LevelRequest{&server, level})
}

// WkstaUser holds the fields of the levels 0 and 1.
//
// See [MS-WKST] 2.2.5.9 and 2.2.5.10.
type WkstaUser struct {
	User, LogonDomain, OtherDomains, LogonServer *string
}

func (c *coder) wkstaUsers(level *uint32, u *[]WkstaUser) {
	container(c, level, u, 4, func(e *WkstaUser) {
		if *level > 1 {
			c.malformed("WKSTA_USER_ENUM_STRUCT level %d", *level)
		}
		if c.err != nil {
			return
		}
		pointer(c, &e.User)
		if *level == 1 {
			pointer(c, &e.LogonDomain)
			pointer(c, &e.OtherDomains)
			pointer(c, &e.LogonServer)
		}
	}, func(e *WkstaUser) {
		c.strBody(e.User)
		if *level == 1 {
			c.strBody(e.LogonDomain)
			c.strBody(e.OtherDomains)
			c.strBody(e.LogonServer)
		}
	})
}

// NetrWkstaUserEnumRequest asks who is logged on.
//
// See [MS-WKST] 3.2.4.3.
type NetrWkstaUserEnumRequest struct {
	Server        *string
	Level         uint32
	Entries       []WkstaUser // empty
	MaximumLength uint32
	Resume        *uint32
}

func (r *NetrWkstaUserEnumRequest) ndr(c *coder) {
	c.optStr(&r.Server)
	c.wkstaUsers(&r.Level, &r.Entries)
	c.u32(&r.MaximumLength)
	c.optU32(&r.Resume)
}

// NetrWkstaUserEnumResponse is the response. More reports whether to continue at Resume.
type NetrWkstaUserEnumResponse struct {
	Level   uint32
	Entries []WkstaUser
	Total   uint32
	Resume  *uint32
	WResult
}

func (r *NetrWkstaUserEnumResponse) ndr(c *coder) {
	c.wkstaUsers(&r.Level, &r.Entries)
	c.u32(&r.Total)
	c.optU32(&r.Resume)
	r.result(c)
}

// UserEnum lists who is logged on, at level 0 or 1.
func (w WKSSVCClient) UserEnum(ctx context.Context, server string, level, resume uint32) (*NetrWkstaUserEnumResponse,
	error,
) {
	request := &NetrWkstaUserEnumRequest{Server: &server, Level: level, MaximumLength: preferAll, Resume: &resume}
	return invoke[NetrWkstaUserEnumResponse](ctx, w.Client, WKSSVC, OpNetrWkstaUserEnum, request)
}

// WkstaTransport is WKSTA_TRANSPORT_INFO_0.
//
// See [MS-WKST] 2.2.5.11.
type WkstaTransport struct {
	QualityOfService, VCs uint32
	Name, Address         *string
	WAN                   uint32
}

func (c *coder) transports(level *uint32, t *[]WkstaTransport) {
	container(c, level, t, 20, func(e *WkstaTransport) {
		c.u32(&e.QualityOfService)
		c.u32(&e.VCs)
		pointer(c, &e.Name)
		pointer(c, &e.Address)
		c.u32(&e.WAN)
	}, func(e *WkstaTransport) {
		c.strBody(e.Name)
		c.strBody(e.Address)
	})
}

// NetrWkstaTransportEnumRequest asks for the network transports.
//
// See [MS-WKST] 3.2.4.4.
type NetrWkstaTransportEnumRequest struct {
	Server        *string
	Level         uint32           // 0
	Entries       []WkstaTransport // empty
	MaximumLength uint32
	Resume        *uint32
}

func (r *NetrWkstaTransportEnumRequest) ndr(c *coder) {
	c.optStr(&r.Server)
	c.transports(&r.Level, &r.Entries)
	c.u32(&r.MaximumLength)
	c.optU32(&r.Resume)
}

// NetrWkstaTransportEnumResponse is the response. More reports whether to continue at Resume.
type NetrWkstaTransportEnumResponse struct {
	Level   uint32
	Entries []WkstaTransport
	Total   uint32
	Resume  *uint32
	WResult
}

func (r *NetrWkstaTransportEnumResponse) ndr(c *coder) {
	c.transports(&r.Level, &r.Entries)
	c.u32(&r.Total)
	c.optU32(&r.Resume)
	r.result(c)
}

// TransportEnum lists the network transports with their addresses.
func (w WKSSVCClient) TransportEnum(ctx context.Context, server string, resume uint32) (*NetrWkstaTransportEnumResponse,
	error,
) {
	request := &NetrWkstaTransportEnumRequest{Server: &server, MaximumLength: preferAll, Resume: &resume}
	return invoke[NetrWkstaTransportEnumResponse](ctx, w.Client, WKSSVC, OpNetrWkstaTransportEnum, request)
}

// NetrGetJoinInformationRequest asks for the domain or workgroup. The name is in and out; clients send it empty.
//
// See [MS-WKST] 3.2.4.15.
type NetrGetJoinInformationRequest struct {
	Server *string
	Name   *string
}

func (r *NetrGetJoinInformationRequest) ndr(c *coder) {
	c.optStr(&r.Server)
	c.optStr(&r.Name)
}

// NetrGetJoinInformationResponse is the response.
type NetrGetJoinInformationResponse struct {
	Name *string
	Type uint16 // 1 unjoined, 2 workgroup, 3 domain
	WResult
}

func (r *NetrGetJoinInformationResponse) ndr(c *coder) {
	c.optStr(&r.Name)
	c.u16(&r.Type)
	r.result(c)
}

// GetJoinInformation returns the domain or workgroup.
func (w WKSSVCClient) GetJoinInformation(ctx context.Context, server string) (*NetrGetJoinInformationResponse, error) {
	return invoke[NetrGetJoinInformationResponse](ctx, w.Client, WKSSVC, OpNetrGetJoinInformation,
		&NetrGetJoinInformationRequest{Server: &server})
}
