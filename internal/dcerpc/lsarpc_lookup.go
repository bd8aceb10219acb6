package dcerpc

import "context"

// TranslatedName is the name of a SID. Flags are sent only in the Ex form (LookupSids2).
//
// See [MS-LSAT] 2.2.19 and 2.2.21.
type TranslatedName struct {
	Use         uint16 // SID_NAME_USE: 1 user, 2 group, 3 domain, 4 alias, 5 well-known, 8 unknown
	Name        *string
	DomainIndex uint32 // into Domains; 0xFFFFFFFF for none
	Flags       uint32
}

// TranslatedSID is the SID of a name. Flags are sent only in the Ex form (LookupNames2).
//
// See [MS-LSAT] 2.2.13 and 2.2.17.
type TranslatedSID struct {
	Use         uint16
	RID         uint32
	DomainIndex uint32
	Flags       uint32
}

// SIDUnknown is the use of a SID or name that was not found.
const SIDUnknown = 8

func (c *coder) names(n *[]TranslatedName, ex bool) {
	size := 16
	if ex {
		size = 20
	}
	counted(c, n, size, func(t *TranslatedName) {
		c.align(4)
		c.u16(&t.Use)
		c.ustrHead(&t.Name)
		c.u32(&t.DomainIndex)
		if ex {
			c.u32(&t.Flags)
		}
	}, func(t *TranslatedName) { c.ustrBody(t.Name) })
}

func (c *coder) translatedSIDs(s *[]TranslatedSID, ex bool) {
	size := 12
	if ex {
		size = 16
	}
	counted(c, s, size, func(t *TranslatedSID) {
		c.align(4)
		c.u16(&t.Use)
		c.u32(&t.RID)
		c.u32(&t.DomainIndex)
		if ex {
			c.u32(&t.Flags)
		}
	}, nil)
}

// ReferencedDomains is LSAPR_REFERENCED_DOMAIN_LIST.
//
// See [MS-LSAT] 2.2.12.
type ReferencedDomains struct {
	Domains    []PolicyDomain
	MaxEntries uint32
}

func (c *coder) referenced(p **ReferencedDomains) {
	if !pointer(c, p) {
		return
	}
	r := *p
	n, present := countedHead(c, r.Domains)
	c.u32(&r.MaxEntries)
	countedBody(c, &r.Domains, n, present, 12,
		func(d *PolicyDomain) { d.head(c) }, func(d *PolicyDomain) { d.body(c) })
}

// LsarLookupSidsRequest requests the names of SIDs.
//
// See [MS-LSAT] 3.1.4.11.
type LsarLookupSidsRequest struct {
	Policy Handle
	SIDs   []*SID
	Names  []TranslatedName // empty
	Level  uint16           // LSAP_LOOKUP_LEVEL; 1 workstation
	Mapped uint32
}

func (r *LsarLookupSidsRequest) ndr(c *coder) { r.code(c, false) }

func (r *LsarLookupSidsRequest) code(c *coder, ex bool) {
	c.handle(&r.Policy)
	counted(c, &r.SIDs, 4, func(s **SID) { pointer(c, s) }, func(s **SID) { c.sidBody(*s) })
	c.names(&r.Names, ex)
	c.u16(&r.Level)
	c.u32(&r.Mapped)
}

// LsarLookupSidsResponse holds the names. Some of the SIDs may be unknown (STATUS_SOME_NOT_MAPPED, a success).
type LsarLookupSidsResponse struct {
	Domains *ReferencedDomains
	Names   []TranslatedName
	Mapped  uint32
	NTResult
}

func (r *LsarLookupSidsResponse) ndr(c *coder) { r.code(c, false) }

func (r *LsarLookupSidsResponse) code(c *coder, ex bool) {
	c.referenced(&r.Domains)
	c.names(&r.Names, ex)
	c.u32(&r.Mapped)
	r.result(c)
}

// LsarLookupSids2Request is the newer form.
//
// See [MS-LSAT] 3.1.4.10.
type LsarLookupSids2Request struct {
	LsarLookupSidsRequest
	Options        uint32
	ClientRevision uint32
}

func (r *LsarLookupSids2Request) ndr(c *coder) {
	r.code(c, true)
	c.u32(&r.Options)
	c.u32(&r.ClientRevision)
}

// LsarLookupSids2Response has flags with each name.
type LsarLookupSids2Response struct{ LsarLookupSidsResponse }

func (r *LsarLookupSids2Response) ndr(c *coder) { r.code(c, true) }

func pointers(sids []SID) []*SID {
	p := make([]*SID, len(sids))
	for i := range sids {
		p[i] = &sids[i]
	}
	return p
}

// LookupSIDs returns the names of SIDs.
func (l LSAClient) LookupSIDs(ctx context.Context, policy Handle, sids []SID) (*LsarLookupSidsResponse, error) {
	request := &LsarLookupSidsRequest{Policy: policy, SIDs: pointers(sids), Level: 1}
	return invoke[LsarLookupSidsResponse](ctx, l.Client, LSARPC, OpLsarLookupSids, request)
}

// LookupSIDs2 returns the names of SIDs, with the newer call.
func (l LSAClient) LookupSIDs2(ctx context.Context, policy Handle, sids []SID) (*LsarLookupSids2Response, error) {
	request := &LsarLookupSids2Request{LsarLookupSidsRequest{Policy: policy, SIDs: pointers(sids), Level: 1}, 0, 2}
	return invoke[LsarLookupSids2Response](ctx, l.Client, LSARPC, OpLsarLookupSids2, request)
}

// LsarLookupNamesRequest requests the SIDs of names.
//
// See [MS-LSAT] 3.1.4.8.
type LsarLookupNamesRequest struct {
	Policy Handle
	Names  []*string
	SIDs   []TranslatedSID // empty
	Level  uint16
	Mapped uint32
}

func (r *LsarLookupNamesRequest) ndr(c *coder) { r.code(c, false) }

func (r *LsarLookupNamesRequest) code(c *coder, ex bool) {
	c.handle(&r.Policy)
	n := uint32(len(r.Names))
	c.u32(&n)
	array(c, &r.Names, 8, func(s **string) { c.ustrHead(s) }, func(s **string) { c.ustrBody(*s) })
	if c.dec && c.err == nil && int(n) != len(r.Names) {
		c.malformed("%d names are said to be %d", len(r.Names), n)
	}
	c.translatedSIDs(&r.SIDs, ex)
	c.u16(&r.Level)
	c.u32(&r.Mapped)
}

// LsarLookupNamesResponse holds the SIDs.
type LsarLookupNamesResponse struct {
	Domains *ReferencedDomains
	SIDs    []TranslatedSID
	Mapped  uint32
	NTResult
}

func (r *LsarLookupNamesResponse) ndr(c *coder) { r.code(c, false) }

func (r *LsarLookupNamesResponse) code(c *coder, ex bool) {
	c.referenced(&r.Domains)
	c.translatedSIDs(&r.SIDs, ex)
	c.u32(&r.Mapped)
	r.result(c)
}

// LsarLookupNames2Request is the newer form.
//
// See [MS-LSAT] 3.1.4.7.
type LsarLookupNames2Request struct {
	LsarLookupNamesRequest
	Options        uint32
	ClientRevision uint32
}

func (r *LsarLookupNames2Request) ndr(c *coder) {
	r.code(c, true)
	c.u32(&r.Options)
	c.u32(&r.ClientRevision)
}

// LsarLookupNames2Response has flags with each SID.
type LsarLookupNames2Response struct{ LsarLookupNamesResponse }

func (r *LsarLookupNames2Response) ndr(c *coder) { r.code(c, true) }

// LookupNames returns the SIDs of names.
func (l LSAClient) LookupNames(ctx context.Context, policy Handle, names ...string) (*LsarLookupNamesResponse, error) {
	request := &LsarLookupNamesRequest{Policy: policy, Level: 1}
	for i := range names {
		request.Names = append(request.Names, &names[i])
	}
	return invoke[LsarLookupNamesResponse](ctx, l.Client, LSARPC, OpLsarLookupNames, request)
}
