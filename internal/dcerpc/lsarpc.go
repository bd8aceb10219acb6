package dcerpc

import "context"

// LSAClient calls [MS-LSAD] and [MS-LSAT] on a Client that is bound to LSARPC: the caller's name, policy, SIDs, trusts.
type LSAClient struct{ *Client }

// The opnums of the calls below.
const (
	OpLsarClose                     = 0
	OpLsarQuerySecurityObject       = 3
	OpLsarOpenPolicy                = 6
	OpLsarQueryInformationPolicy    = 7
	OpLsarEnumerateAccounts         = 11
	OpLsarEnumerateTrustedDomains   = 13
	OpLsarLookupNames               = 14
	OpLsarLookupSids                = 15
	OpLsarOpenPolicy2               = 44
	OpLsarGetUserName               = 45
	OpLsarQueryInformationPolicy2   = 46
	OpLsarEnumerateTrustedDomainsEx = 50
	OpLsarLookupSids2               = 57
	OpLsarLookupNames2              = 58
)

// LsarGetUserNameRequest requests the caller's name as the server sees it. Both names are in and out; clients send them
// empty.
//
// See [MS-LSAT] 3.1.4.2.
type LsarGetUserNameRequest struct {
	SystemName *string
	User       *UnicodeString
	WantDomain bool
	Domain     *UnicodeString
}

// UnicodeString is an RPC_UNICODE_STRING behind a pointer: both the pointer and the text may be missing.
type UnicodeString struct{ Value *string }

func (c *coder) ustrPtr(s **UnicodeString) {
	if pointer(c, s) {
		c.ustr(&(*s).Value)
	}
}

// Text returns the text, or an empty string.
func (s *UnicodeString) Text() string {
	if s == nil {
		return ""
	}
	return Text(s.Value)
}

func (r *LsarGetUserNameRequest) ndr(c *coder) {
	c.optStr(&r.SystemName)
	c.ustrPtr(&r.User)
	r.WantDomain = c.pointerIf(r.WantDomain)
	if r.WantDomain {
		c.ustrPtr(&r.Domain)
	}
}

// LsarGetUserNameResponse holds the caller's name.
type LsarGetUserNameResponse struct {
	User      *UnicodeString
	HasDomain bool // the request wanted it
	Domain    *UnicodeString
	NTResult
}

func (r *LsarGetUserNameResponse) ndr(c *coder) {
	c.ustrPtr(&r.User)
	r.HasDomain = c.pointerIf(r.HasDomain)
	if r.HasDomain {
		c.ustrPtr(&r.Domain)
	}
	r.result(c)
}

// GetUserName returns the caller's name as the server sees it.
func (l LSAClient) GetUserName(ctx context.Context, server string) (*LsarGetUserNameResponse, error) {
	request := &LsarGetUserNameRequest{SystemName: &server, WantDomain: true}
	return invoke[LsarGetUserNameResponse](ctx, l.Client, LSARPC, OpLsarGetUserName, request)
}

// ObjectAttributes has nothing that servers check, except Root, which must be absent.
//
// See [MS-LSAD] 2.2.2.4.
type ObjectAttributes struct {
	Attributes uint32
	QoS        *QualityOfService
}

// QualityOfService is SECURITY_QUALITY_OF_SERVICE.
//
// See [MS-LSAD] 2.2.3.7.
type QualityOfService struct {
	ImpersonationLevel uint16
	TrackingMode       uint8
	EffectiveOnly      uint8
}

func (o *ObjectAttributes) code(c *coder) {
	length := uint32(24) // the size of the structure, which is not checked
	var root, name, descriptor uint32
	c.u32(&length)
	c.u32(&root)
	c.u32(&name)
	c.u32(&o.Attributes)
	c.u32(&descriptor)
	present := pointer(c, &o.QoS)
	if root != 0 {
		var b uint8
		c.u8(&b)
	}
	if name != 0 || descriptor != 0 {
		c.malformed("LSAPR_OBJECT_ATTRIBUTES with a name or security descriptor")
	}
	if !present || c.err != nil {
		return
	}
	length = 12
	c.u32(&length)
	c.u16(&o.QoS.ImpersonationLevel)
	c.u8(&o.QoS.TrackingMode)
	c.u8(&o.QoS.EffectiveOnly)
}

// LsarOpenPolicyRequest has only the first character of the server's name, as the call was declared.
//
// See [MS-LSAD] 3.1.4.4.2.
type LsarOpenPolicyRequest struct {
	SystemName    *uint16
	Attributes    ObjectAttributes
	DesiredAccess uint32
}

func (r *LsarOpenPolicyRequest) ndr(c *coder) {
	if pointer(c, &r.SystemName) {
		c.u16(r.SystemName)
	}
	r.Attributes.code(c)
	c.u32(&r.DesiredAccess)
}

// LsarOpenPolicy2Request opens the policy object.
//
// See [MS-LSAD] 3.1.4.4.1.
type LsarOpenPolicy2Request struct {
	SystemName    *string
	Attributes    ObjectAttributes
	DesiredAccess uint32
}

func (r *LsarOpenPolicy2Request) ndr(c *coder) {
	c.optStr(&r.SystemName)
	r.Attributes.code(c)
	c.u32(&r.DesiredAccess)
}

// OpenPolicy opens the policy object with the older call.
func (l LSAClient) OpenPolicy(ctx context.Context, access uint32) (*NTHandleResponse, error) {
	name := uint16('\\')
	return invoke[NTHandleResponse](ctx, l.Client, LSARPC, OpLsarOpenPolicy,
		&LsarOpenPolicyRequest{&name, ObjectAttributes{}, access})
}

// OpenPolicy2 opens the policy object.
func (l LSAClient) OpenPolicy2(ctx context.Context, server string, access uint32) (*NTHandleResponse, error) {
	request := &LsarOpenPolicy2Request{&server, ObjectAttributes{}, access}
	return invoke[NTHandleResponse](ctx, l.Client, LSARPC, OpLsarOpenPolicy2, request)
}

// Close closes any handle of the interface.
func (l LSAClient) Close(ctx context.Context, h Handle) (*NTHandleResponse, error) {
	return invoke[NTHandleResponse](ctx, l.Client, LSARPC, OpLsarClose, &HandleRequest{h})
}

// LsarQuerySecurityRequest asks for a security descriptor.
//
// See [MS-LSAD] 3.1.4.9.1.
type LsarQuerySecurityRequest struct {
	Object      Handle
	Information uint32 // SECURITY_INFORMATION, [MS-DTYP] 2.4.7
}

func (r *LsarQuerySecurityRequest) ndr(c *coder) {
	c.handle(&r.Object)
	c.u32(&r.Information)
}

// LsarQuerySecurityResponse holds the descriptor in self-relative form; nil when refused.
type LsarQuerySecurityResponse struct {
	Descriptor *SecurityDescriptor
	NTResult
}

// SecurityDescriptor holds the bytes of a self-relative descriptor, [MS-DTYP] 2.4.6.
type SecurityDescriptor struct{ Bytes []byte }

func (r *LsarQuerySecurityResponse) ndr(c *coder) {
	if pointer(c, &r.Descriptor) {
		c.countedBytes(&r.Descriptor.Bytes)
	}
	r.result(c)
}

// countedBytes codes {length, pointer to so many bytes}.
func (c *coder) countedBytes(b *[]byte) {
	n, present := countedHead(c, *b)
	if c.dec {
		*b = nil
	}
	if !present {
		return
	}
	c.octets(b)
	if c.dec && c.err == nil && int(n) != len(*b) {
		c.malformed("%d bytes are said to be %d", len(*b), n)
	}
}

// QuerySecurity returns the security descriptor of the policy object.
func (l LSAClient) QuerySecurity(ctx context.Context, object Handle, information uint32) (*LsarQuerySecurityResponse,
	error,
) {
	return invoke[LsarQuerySecurityResponse](ctx, l.Client, LSARPC, OpLsarQuerySecurityObject,
		&LsarQuerySecurityRequest{object, information})
}
