package dcerpc

import "context"

// The supported classes of QueryInformationDomain. See [MS-SAMR] 2.2.4.16.
const (
	DomainPassword = 1
	DomainGeneral  = 2
	DomainLockout  = 12
)

// SamrQueryDomainRequest asks for attributes of a domain; it serves opnums 8 and 46.
//
// See [MS-SAMR] 3.1.5.5.2.
type SamrQueryDomainRequest struct {
	Domain Handle
	Class  uint16
}

func (r *SamrQueryDomainRequest) ndr(c *coder) {
	c.handle(&r.Domain)
	c.u16(&r.Class)
}

// DomainPasswordInfo is the password policy; ages are in 100 ns, negative.
//
// See [MS-SAMR] 2.2.3.5.
type DomainPasswordInfo struct {
	MinLength, History uint16
	Properties         uint32
	MaxAge, MinAge     uint64
}

func (p *DomainPasswordInfo) code(c *coder) {
	c.align(4)
	c.u16(&p.MinLength)
	c.u16(&p.History)
	c.u32(&p.Properties)
	c.hyper32(&p.MaxAge)
	c.hyper32(&p.MinAge)
}

// DomainGeneralInfo counts what the domain holds.
//
// See [MS-SAMR] 2.2.4.1.
type DomainGeneralInfo struct {
	ForceLogoff            uint64
	OEM, Name, Replica     *string
	ModifiedCount          uint64
	State, Role            uint32
	UasCompatible          uint8
	Users, Groups, Aliases uint32
}

func (g *DomainGeneralInfo) code(c *coder) {
	c.hyper32(&g.ForceLogoff)
	c.ustrHead(&g.OEM)
	c.ustrHead(&g.Name)
	c.ustrHead(&g.Replica)
	c.hyper32(&g.ModifiedCount)
	c.u32(&g.State)
	c.u32(&g.Role)
	c.u8(&g.UasCompatible)
	c.u32(&g.Users)
	c.u32(&g.Groups)
	c.u32(&g.Aliases)
	c.ustrBody(g.OEM)
	c.ustrBody(g.Name)
	c.ustrBody(g.Replica)
}

// DomainLockoutInfo is the lock-out policy; times are in 100 ns, negative.
//
// See [MS-SAMR] 2.2.4.15.
type DomainLockoutInfo struct {
	Duration, Window uint64
	Threshold        uint16
}

func (l *DomainLockoutInfo) code(c *coder) {
	c.u64(&l.Duration)
	c.u64(&l.Window)
	c.u16(&l.Threshold)
}

// SamrQueryDomainResponse holds the requested class; all nil when refused.
type SamrQueryDomainResponse struct {
	Password *DomainPasswordInfo
	General  *DomainGeneralInfo
	Lockout  *DomainLockoutInfo
	NTResult
}

func (r *SamrQueryDomainResponse) ndr(c *coder) {
	if c.pointerIf(r.Password != nil || r.General != nil || r.Lockout != nil) {
		r.union(c)
	}
	r.result(c)
}

func (r *SamrQueryDomainResponse) union(c *coder) {
	var class uint16
	switch {
	case r.Password != nil:
		class = DomainPassword
	case r.General != nil:
		class = DomainGeneral
	case r.Lockout != nil:
		class = DomainLockout
	}
	c.u16(&class)
	switch class {
	case DomainPassword:
		fresh(c, &r.Password).code(c)
	case DomainGeneral:
		fresh(c, &r.General).code(c)
	case DomainLockout:
		fresh(c, &r.Lockout).code(c)
	default:
		c.malformed("SAMPR_DOMAIN_INFO_BUFFER class %d", class)
	}
}

// fresh allocates the struct behind *p when decoding.
func fresh[T any](c *coder, p **T) *T {
	if c.dec {
		*p = new(T)
	}
	return *p
}

// QueryDomain returns the attributes of one class: DomainPassword, DomainGeneral or DomainLockout.
func (s SAMRClient) QueryDomain(ctx context.Context, domain Handle, class uint16) (*SamrQueryDomainResponse, error) {
	return invoke[SamrQueryDomainResponse](ctx, s.Client, SAMR, OpSamrQueryInformationDomain,
		&SamrQueryDomainRequest{domain, class})
}

// QueryDomain2 is QueryDomain by the newer opnum 46.
func (s SAMRClient) QueryDomain2(ctx context.Context, domain Handle, class uint16) (*SamrQueryDomainResponse, error) {
	return invoke[SamrQueryDomainResponse](ctx, s.Client, SAMR, OpSamrQueryInformationDomain2,
		&SamrQueryDomainRequest{domain, class})
}

// SamrGetDomainPasswordRequest asks for the password policy of the account domain, without a handle.
//
// See [MS-SAMR] 3.1.5.13.3.
type SamrGetDomainPasswordRequest struct {
	HasUnused bool
	Unused    *string
}

func (r *SamrGetDomainPasswordRequest) ndr(c *coder) {
	r.HasUnused = c.pointerIf(r.HasUnused)
	if r.HasUnused {
		c.ustr(&r.Unused)
	}
}

// SamrGetDomainPasswordResponse is the response.
type SamrGetDomainPasswordResponse struct {
	MinLength  uint16
	Properties uint32
	NTResult
}

func (r *SamrGetDomainPasswordResponse) ndr(c *coder) {
	c.u16(&r.MinLength)
	c.u32(&r.Properties)
	r.result(c)
}

// GetDomainPassword returns the password policy of the account domain; no handle is needed.
func (s SAMRClient) GetDomainPassword(ctx context.Context) (*SamrGetDomainPasswordResponse, error) {
	return invoke[SamrGetDomainPasswordResponse](ctx, s.Client, SAMR, OpSamrGetDomainPasswordInformation,
		&SamrGetDomainPasswordRequest{})
}

// UserGeneral is the only supported class of QueryInformationUser. See [MS-SAMR] 2.2.6.28.
const UserGeneral = 1

// SamrQueryUserRequest asks for attributes of an account; it serves opnums 36 and 47.
//
// See [MS-SAMR] 3.1.5.5.6.
type SamrQueryUserRequest struct {
	User  Handle
	Class uint16
}

func (r *SamrQueryUserRequest) ndr(c *coder) {
	c.handle(&r.User)
	c.u16(&r.Class)
}

// UserGeneralInfo names an account.
//
// See [MS-SAMR] 2.2.6.7.
type UserGeneralInfo struct {
	Name, FullName            *string
	PrimaryGroup              uint32
	AdminComment, UserComment *string
}

// SamrQueryUserResponse is the response; nil when refused.
type SamrQueryUserResponse struct {
	General *UserGeneralInfo
	NTResult
}

func (r *SamrQueryUserResponse) ndr(c *coder) {
	if pointer(c, &r.General) {
		class := uint16(UserGeneral)
		c.u16(&class)
		if class != UserGeneral {
			c.malformed("SAMPR_USER_INFO_BUFFER class %d", class)
			return
		}
		g := r.General
		c.ustrHead(&g.Name)
		c.ustrHead(&g.FullName)
		c.u32(&g.PrimaryGroup)
		c.ustrHead(&g.AdminComment)
		c.ustrHead(&g.UserComment)
		c.ustrBody(g.Name)
		c.ustrBody(g.FullName)
		c.ustrBody(g.AdminComment)
		c.ustrBody(g.UserComment)
	}
	r.result(c)
}

// QueryUser returns an account's names.
func (s SAMRClient) QueryUser(ctx context.Context, user Handle) (*SamrQueryUserResponse, error) {
	return invoke[SamrQueryUserResponse](ctx, s.Client, SAMR, OpSamrQueryInformationUser,
		&SamrQueryUserRequest{user, UserGeneral})
}
