package dcerpc

import "context"

// The supported classes of QueryInformationPolicy. See [MS-LSAD] 2.2.4.1.
const (
	PolicyPrimaryDomain = 3
	PolicyAccountDomain = 5
	PolicyServerRole    = 6
	PolicyDNSDomain     = 12
)

// LsarQueryPolicyRequest asks for a part of the policy; it serves opnums 7 and 46.
//
// See [MS-LSAD] 3.1.4.4.4.
type LsarQueryPolicyRequest struct {
	Policy Handle
	Class  uint16
}

func (r *LsarQueryPolicyRequest) ndr(c *coder) {
	c.handle(&r.Policy)
	c.u16(&r.Class)
}

// PolicyDomain is a domain's name and SID: LSAPR_POLICY_PRIMARY_DOM_INFO and LSAPR_POLICY_ACCOUNT_DOM_INFO.
//
// See [MS-LSAD] 2.2.4.5 and 2.2.4.6.
type PolicyDomain struct {
	Name *string
	SID  *SID
}

func (p *PolicyDomain) head(c *coder) {
	c.ustrHead(&p.Name)
	pointer(c, &p.SID)
}

func (p *PolicyDomain) body(c *coder) {
	c.ustrBody(p.Name)
	c.sidBody(p.SID)
}

// PolicyDNS is LSAPR_POLICY_DNS_DOMAIN_INFO.
//
// See [MS-LSAD] 2.2.4.14.
type PolicyDNS struct {
	Name, DNSName, Forest *string
	GUID                  UUID
	SID                   *SID
}

func (p *PolicyDNS) code(c *coder) {
	c.ustrHead(&p.Name)
	c.ustrHead(&p.DNSName)
	c.ustrHead(&p.Forest)
	c.uuid(&p.GUID)
	pointer(c, &p.SID)
	c.ustrBody(p.Name)
	c.ustrBody(p.DNSName)
	c.ustrBody(p.Forest)
	c.sidBody(p.SID)
}

// LsarQueryPolicyResponse holds the requested part; all empty when refused.
type LsarQueryPolicyResponse struct {
	Class  uint16        // 0 for none
	Domain *PolicyDomain // PolicyPrimaryDomain, PolicyAccountDomain
	DNS    *PolicyDNS
	Role   uint16 // PolicyServerRole: 2 backup, 3 primary
	NTResult
}

func (r *LsarQueryPolicyResponse) ndr(c *coder) {
	if c.pointerIf(r.Class != 0) {
		c.u16(&r.Class)
		switch r.Class {
		case PolicyPrimaryDomain, PolicyAccountDomain:
			d := fresh(c, &r.Domain)
			d.head(c)
			d.body(c)
		case PolicyServerRole:
			c.u16(&r.Role)
			// Samba sends the enumeration in 32 bits, against [MS-LSAD] 2.2.4.8.
			if c.dec && r.Role == 0 && c.left() > 4 {
				var wide uint32
				c.u32(&wide)
				r.Role = uint16(wide)
			}
		case PolicyDNSDomain:
			fresh(c, &r.DNS).code(c)
		default:
			c.malformed("LSAPR_POLICY_INFORMATION class %d", r.Class)
			return
		}
	}
	r.result(c)
}

// QueryPolicy returns one part of the policy.
func (l LSAClient) QueryPolicy(ctx context.Context, policy Handle, class uint16) (*LsarQueryPolicyResponse, error) {
	return invoke[LsarQueryPolicyResponse](ctx, l.Client, LSARPC, OpLsarQueryInformationPolicy,
		&LsarQueryPolicyRequest{policy, class})
}

// QueryPolicy2 is QueryPolicy by the newer opnum 46, which Samba lacks.
func (l LSAClient) QueryPolicy2(ctx context.Context, policy Handle, class uint16) (*LsarQueryPolicyResponse, error) {
	return invoke[LsarQueryPolicyResponse](ctx, l.Client, LSARPC, OpLsarQueryInformationPolicy2,
		&LsarQueryPolicyRequest{policy, class})
}

// LsarEnumerateRequest asks for accounts with privileges or for trusted domains.
//
// See [MS-LSAD] 3.1.4.5.2 and 3.1.4.7.8.
type LsarEnumerateRequest struct {
	Policy        Handle
	Resume        uint32
	MaximumLength uint32
}

func (r *LsarEnumerateRequest) ndr(c *coder) {
	c.handle(&r.Policy)
	c.u32(&r.Resume)
	c.u32(&r.MaximumLength)
}

// LsarEnumerateAccountsResponse holds SIDs. More reports whether to continue at Resume.
type LsarEnumerateAccountsResponse struct {
	Resume uint32
	SIDs   []*SID
	NTResult
}

func (r *LsarEnumerateAccountsResponse) ndr(c *coder) {
	c.u32(&r.Resume)
	counted(c, &r.SIDs, 4, func(s **SID) { pointer(c, s) }, func(s **SID) { c.sidBody(*s) })
	r.result(c)
}

// accountsLength is the preferred length of one response: Samba takes the field for a number of entries and refuses
// more than 8192 as badly encoded.
const accountsLength = 8192

// EnumerateAccounts lists the SIDs that hold privileges, from resume on.
func (l LSAClient) EnumerateAccounts(ctx context.Context, policy Handle, resume uint32) (*LsarEnumerateAccountsResponse,
	error,
) {
	request := &LsarEnumerateRequest{policy, resume, accountsLength}
	return invoke[LsarEnumerateAccountsResponse](ctx, l.Client, LSARPC, OpLsarEnumerateAccounts, request)
}

// TrustedDomain is LSAPR_TRUSTED_DOMAIN_INFORMATION_EX.
//
// See [MS-LSAD] 2.2.7.9.
type TrustedDomain struct {
	Name, FlatName              *string
	SID                         *SID
	Direction, Type, Attributes uint32
}

// LsarEnumerateTrustsResponse holds the domains. More reports whether to continue at Resume.
type LsarEnumerateTrustsResponse struct {
	Resume  uint32
	Domains []TrustedDomain
	NTResult
}

func (r *LsarEnumerateTrustsResponse) ndr(c *coder) {
	c.u32(&r.Resume)
	counted(c, &r.Domains, 32, func(d *TrustedDomain) {
		c.ustrHead(&d.Name)
		c.ustrHead(&d.FlatName)
		pointer(c, &d.SID)
		c.u32(&d.Direction)
		c.u32(&d.Type)
		c.u32(&d.Attributes)
	}, func(d *TrustedDomain) {
		c.ustrBody(d.Name)
		c.ustrBody(d.FlatName)
		c.sidBody(d.SID)
	})
	r.result(c)
}

// EnumerateTrusts lists the trusted domains, from resume on.
func (l LSAClient) EnumerateTrusts(ctx context.Context, policy Handle, resume uint32) (*LsarEnumerateTrustsResponse,
	error,
) {
	request := &LsarEnumerateRequest{policy, resume, enumerateLength}
	return invoke[LsarEnumerateTrustsResponse](ctx, l.Client, LSARPC, OpLsarEnumerateTrustedDomainsEx, request)
}

// LsarEnumerateTrustedDomainsResponse holds only names and SIDs. More reports whether to continue at Resume.
//
// See [MS-LSAD] 3.1.4.7.7.
type LsarEnumerateTrustedDomainsResponse struct {
	Resume  uint32
	Domains []PolicyDomain
	NTResult
}

func (r *LsarEnumerateTrustedDomainsResponse) ndr(c *coder) {
	c.u32(&r.Resume)
	counted(c, &r.Domains, 12, func(d *PolicyDomain) { d.head(c) }, func(d *PolicyDomain) { d.body(c) })
	r.result(c)
}

// EnumerateTrustedDomains lists the trusted domains by the older opnum 13, which a standalone Samba supports, unlike
// EnumerateTrusts. Without trusts the result is STATUS_NO_MORE_ENTRIES, a warning.
func (l LSAClient) EnumerateTrustedDomains(ctx context.Context, policy Handle,
	resume uint32,
) (*LsarEnumerateTrustedDomainsResponse, error) {
	request := &LsarEnumerateRequest{policy, resume, enumerateLength}
	return invoke[LsarEnumerateTrustedDomainsResponse](ctx, l.Client, LSARPC, OpLsarEnumerateTrustedDomains, request)
}
