package dcerpc

import "context"

// NetlogonClient calls [MS-NRPC] on a Client that is bound to NETLOGON: the domain controller, its site, its trusts.
// There is no encoder for NetrServerReqChallenge and the calls that follow it: they affect machine accounts.
type NetlogonClient struct{ *Client }

// The opnums of the calls below.
const (
	OpDsrGetDcName                  = 20
	OpDsrGetDcNameEx                = 27
	OpDsrGetSiteName                = 28
	OpDsrGetDcNameEx2               = 34
	OpNetrEnumerateTrustedDomainsEx = 36
	OpDsrEnumerateDomainTrusts      = 40
)

// DsrGetDcNameRequest requests a domain controller; servers ignore SiteGUID.
//
// See [MS-NRPC] 3.5.4.3.3.
type DsrGetDcNameRequest struct {
	Computer, Domain     *string
	DomainGUID, SiteGUID *UUID
	Flags                uint32
}

func (c *coder) optUUID(u **UUID) {
	if pointer(c, u) {
		c.uuid(*u)
	}
}

func (r *DsrGetDcNameRequest) ndr(c *coder) {
	c.optStr(&r.Computer)
	c.optStr(&r.Domain)
	c.optUUID(&r.DomainGUID)
	c.optUUID(&r.SiteGUID)
	c.u32(&r.Flags)
}

// DsrGetDcNameExRequest asks for a domain controller in a site.
//
// See [MS-NRPC] 3.5.4.3.2.
type DsrGetDcNameExRequest struct {
	Computer, Domain *string
	DomainGUID       *UUID
	Site             *string
	Flags            uint32
}

func (r *DsrGetDcNameExRequest) ndr(c *coder) {
	c.optStr(&r.Computer)
	c.optStr(&r.Domain)
	c.optUUID(&r.DomainGUID)
	c.optStr(&r.Site)
	c.u32(&r.Flags)
}

// DsrGetDcNameEx2Request requests a domain controller that has an account.
//
// See [MS-NRPC] 3.5.4.3.1.
type DsrGetDcNameEx2Request struct {
	Computer, Account *string
	ControlBits       uint32
	Domain            *string
	DomainGUID        *UUID
	Site              *string
	Flags             uint32
}

func (r *DsrGetDcNameEx2Request) ndr(c *coder) {
	c.optStr(&r.Computer)
	c.optStr(&r.Account)
	c.u32(&r.ControlBits)
	c.optStr(&r.Domain)
	c.optUUID(&r.DomainGUID)
	c.optStr(&r.Site)
	c.u32(&r.Flags)
}

// DomainController is DOMAIN_CONTROLLER_INFOW.
//
// See [MS-NRPC] 2.2.1.2.1.
type DomainController struct {
	Name, Address    *string
	AddressType      uint32
	DomainGUID       UUID
	Domain, Forest   *string
	Flags            uint32
	Site, ClientSite *string
}

// DsrGetDcNameResponse is the response; nil when refused.
type DsrGetDcNameResponse struct {
	Controller *DomainController
	WResult
}

func (r *DsrGetDcNameResponse) ndr(c *coder) {
	if pointer(c, &r.Controller) {
		d := r.Controller
		pointer(c, &d.Name)
		pointer(c, &d.Address)
		c.u32(&d.AddressType)
		c.uuid(&d.DomainGUID)
		pointer(c, &d.Domain)
		pointer(c, &d.Forest)
		c.u32(&d.Flags)
		pointer(c, &d.Site)
		pointer(c, &d.ClientSite)
		for _, s := range []*string{d.Name, d.Address, d.Domain, d.Forest, d.Site, d.ClientSite} {
			c.strBody(s)
		}
	}
	r.result(c)
}

// GetDcNameEx2 asks for a controller of the server's own domain.
func (n NetlogonClient) GetDcNameEx2(ctx context.Context, server string) (*DsrGetDcNameResponse, error) {
	return invoke[DsrGetDcNameResponse](ctx, n.Client, NETLOGON, OpDsrGetDcNameEx2,
		&DsrGetDcNameEx2Request{Computer: &server})
}

// DsrGetSiteNameResponse returns the site; nil when refused.
//
// See [MS-NRPC] 3.5.4.3.6.
type DsrGetSiteNameResponse struct {
	Site *string
	WResult
}

func (r *DsrGetSiteNameResponse) ndr(c *coder) {
	c.optStr(&r.Site)
	r.result(c)
}

// GetSiteName asks for the server's site.
func (n NetlogonClient) GetSiteName(ctx context.Context, server string) (*DsrGetSiteNameResponse, error) {
	return invoke[DsrGetSiteNameResponse](ctx, n.Client, NETLOGON, OpDsrGetSiteName, &ServerNameRequest{&server})
}

// DsrEnumerateDomainTrustsRequest asks for trusts.
//
// See [MS-NRPC] 3.5.4.7.1.
type DsrEnumerateDomainTrustsRequest struct {
	Server *string
	Flags  uint32
}

func (r *DsrEnumerateDomainTrustsRequest) ndr(c *coder) {
	c.optStr(&r.Server)
	c.u32(&r.Flags)
}

// DomainTrust is DS_DOMAIN_TRUSTSW.
//
// See [MS-NRPC] 2.2.1.6.2.
type DomainTrust struct {
	Name, DNSName                        *string
	Flags, ParentIndex, Type, Attributes uint32
	SID                                  *SID
	GUID                                 UUID
}

// DomainTrustsResponse answers opnums 36 and 40.
type DomainTrustsResponse struct {
	Domains []DomainTrust
	WResult
}

func (r *DomainTrustsResponse) ndr(c *coder) {
	counted(c, &r.Domains, 44, func(d *DomainTrust) {
		pointer(c, &d.Name)
		pointer(c, &d.DNSName)
		c.u32(&d.Flags)
		c.u32(&d.ParentIndex)
		c.u32(&d.Type)
		c.u32(&d.Attributes)
		pointer(c, &d.SID)
		c.uuid(&d.GUID)
	}, func(d *DomainTrust) {
		c.strBody(d.Name)
		c.strBody(d.DNSName)
		c.sidBody(d.SID)
	})
	r.result(c)
}

// The flags of EnumerateDomainTrusts. See [MS-NRPC] 3.5.4.7.1.
const (
	TrustInForest       = 0x01
	TrustDirectOutbound = 0x02
	TrustDirectInbound  = 0x20
)

// EnumerateDomainTrusts lists trusts of the given kinds.
func (n NetlogonClient) EnumerateDomainTrusts(ctx context.Context, server string, flags uint32) (*DomainTrustsResponse,
	error,
) {
	request := &DsrEnumerateDomainTrustsRequest{&server, flags}
	return invoke[DomainTrustsResponse](ctx, n.Client, NETLOGON, OpDsrEnumerateDomainTrusts, request)
}
