package dcerpc

import "context"

// SAMRClient calls [MS-SAMR] on a Client that is bound to SAMR: accounts, groups and the password policy.
type SAMRClient struct{ *Client }

// The opnums of the calls below.
const (
	OpSamrConnect                      = 0
	OpSamrCloseHandle                  = 1
	OpSamrLookupDomain                 = 5
	OpSamrEnumerateDomains             = 6
	OpSamrOpenDomain                   = 7
	OpSamrQueryInformationDomain       = 8
	OpSamrEnumerateGroups              = 11
	OpSamrEnumerateUsers               = 13
	OpSamrEnumerateAliases             = 15
	OpSamrOpenUser                     = 34
	OpSamrQueryInformationUser         = 36
	OpSamrQueryDisplayInformation      = 40
	OpSamrQueryInformationDomain2      = 46
	OpSamrQueryInformationUser2        = 47
	OpSamrQueryDisplayInformation2     = 48
	OpSamrQueryDisplayInformation3     = 51
	OpSamrGetDomainPasswordInformation = 56
	OpSamrConnect2                     = 57
	OpSamrConnect4                     = 62
	OpSamrConnect5                     = 64
)

// SamrConnectRequest has only the first character of the server's name, as the call was declared.
//
// See [MS-SAMR] 3.1.5.1.4.
type SamrConnectRequest struct {
	ServerName    *uint16
	DesiredAccess uint32
}

func (r *SamrConnectRequest) ndr(c *coder) {
	if pointer(c, &r.ServerName) {
		c.u16(r.ServerName)
	}
	c.u32(&r.DesiredAccess)
}

// SamrConnect2Request opens the server object.
//
// See [MS-SAMR] 3.1.5.1.3.
type SamrConnect2Request struct {
	ServerName    *string
	DesiredAccess uint32
}

func (r *SamrConnect2Request) ndr(c *coder) {
	c.optStr(&r.ServerName)
	c.u32(&r.DesiredAccess)
}

// SamrConnect4Request opens the server object.
//
// See [MS-SAMR] 3.1.5.1.2.
type SamrConnect4Request struct {
	ServerName     *string
	ClientRevision uint32
	DesiredAccess  uint32
}

func (r *SamrConnect4Request) ndr(c *coder) {
	c.optStr(&r.ServerName)
	c.u32(&r.ClientRevision)
	c.u32(&r.DesiredAccess)
}

// SAMRRevision is SAMPR_REVISION_INFO, which has version 1, or 0 for none.
//
// See [MS-SAMR] 2.2.7.15.
type SAMRRevision struct {
	Version           uint32
	Revision          uint32
	SupportedFeatures uint32
}

func (r *SAMRRevision) code(c *coder) {
	c.u32(&r.Version)
	arm := r.Version
	c.u32(&arm)
	if arm == 0 && r.Version == 0 {
		return // a response that refuses may leave it empty
	}
	if arm != 1 || r.Version != 1 {
		c.malformed("SAMPR_REVISION_INFO version %d, arm %d", r.Version, arm)
		return
	}
	c.u32(&r.Revision)
	c.u32(&r.SupportedFeatures)
}

// SamrConnect5Request opens the server object.
//
// See [MS-SAMR] 3.1.5.1.1.
type SamrConnect5Request struct {
	ServerName    *string
	DesiredAccess uint32
	In            SAMRRevision
}

func (r *SamrConnect5Request) ndr(c *coder) {
	c.optStr(&r.ServerName)
	c.u32(&r.DesiredAccess)
	r.In.code(c)
}

// SamrConnect5Response returns the server handle.
type SamrConnect5Response struct {
	Out    SAMRRevision
	Handle Handle
	NTResult
}

func (r *SamrConnect5Response) ndr(c *coder) {
	r.Out.code(c)
	c.handle(&r.Handle)
	r.result(c)
}

// Connect opens the server object with the oldest call.
func (s SAMRClient) Connect(ctx context.Context, access uint32) (*NTHandleResponse, error) {
	name := uint16('\\')
	return invoke[NTHandleResponse](ctx, s.Client, SAMR, OpSamrConnect, &SamrConnectRequest{&name, access})
}

// Connect2 opens the server object.
func (s SAMRClient) Connect2(ctx context.Context, server string, access uint32) (*NTHandleResponse, error) {
	return invoke[NTHandleResponse](ctx, s.Client, SAMR, OpSamrConnect2, &SamrConnect2Request{&server, access})
}

// Connect4 opens the server object.
func (s SAMRClient) Connect4(ctx context.Context, server string, access uint32) (*NTHandleResponse, error) {
	return invoke[NTHandleResponse](ctx, s.Client, SAMR, OpSamrConnect4, &SamrConnect4Request{&server, 2, access})
}

// Connect5 opens the server object.
func (s SAMRClient) Connect5(ctx context.Context, server string, access uint32) (*SamrConnect5Response, error) {
	request := &SamrConnect5Request{&server, access, SAMRRevision{Version: 1, Revision: 3}}
	return invoke[SamrConnect5Response](ctx, s.Client, SAMR, OpSamrConnect5, request)
}

// CloseHandle closes any handle of the interface.
func (s SAMRClient) CloseHandle(ctx context.Context, h Handle) (*NTHandleResponse, error) {
	return invoke[NTHandleResponse](ctx, s.Client, SAMR, OpSamrCloseHandle, &HandleRequest{h})
}

// SamrLookupDomainRequest asks for the SID of a domain.
//
// See [MS-SAMR] 3.1.5.11.1.
type SamrLookupDomainRequest struct {
	Server Handle
	Name   *string
}

func (r *SamrLookupDomainRequest) ndr(c *coder) {
	c.handle(&r.Server)
	c.ustr(&r.Name)
}

// SamrLookupDomainResponse is the response.
type SamrLookupDomainResponse struct {
	SID *SID
	NTResult
}

func (r *SamrLookupDomainResponse) ndr(c *coder) {
	if pointer(c, &r.SID) {
		c.sid(r.SID)
	}
	r.result(c)
}

// LookupDomain returns the SID of a domain from EnumerateDomains.
func (s SAMRClient) LookupDomain(ctx context.Context, server Handle, name string) (*SamrLookupDomainResponse, error) {
	return invoke[SamrLookupDomainResponse](ctx, s.Client, SAMR, OpSamrLookupDomain,
		&SamrLookupDomainRequest{server, &name})
}

// SamrOpenDomainRequest opens a domain object.
//
// See [MS-SAMR] 3.1.5.1.5.
type SamrOpenDomainRequest struct {
	Server        Handle
	DesiredAccess uint32
	SID           SID
}

func (r *SamrOpenDomainRequest) ndr(c *coder) {
	c.handle(&r.Server)
	c.u32(&r.DesiredAccess)
	c.sid(&r.SID)
}

// OpenDomain opens a domain object.
func (s SAMRClient) OpenDomain(ctx context.Context, server Handle, access uint32, sid SID) (*NTHandleResponse, error) {
	return invoke[NTHandleResponse](ctx, s.Client, SAMR, OpSamrOpenDomain, &SamrOpenDomainRequest{server, access, sid})
}

// SamrOpenUserRequest opens an account.
//
// See [MS-SAMR] 3.1.5.1.9.
type SamrOpenUserRequest struct {
	Domain        Handle
	DesiredAccess uint32
	RID           uint32
}

func (r *SamrOpenUserRequest) ndr(c *coder) {
	c.handle(&r.Domain)
	c.u32(&r.DesiredAccess)
	c.u32(&r.RID)
}

// OpenUser opens an account.
func (s SAMRClient) OpenUser(ctx context.Context, domain Handle, access, rid uint32) (*NTHandleResponse, error) {
	return invoke[NTHandleResponse](ctx, s.Client, SAMR, OpSamrOpenUser, &SamrOpenUserRequest{domain, access, rid})
}
