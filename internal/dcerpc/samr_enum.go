package dcerpc

import "context"

// SamrEnumerateRequest asks for the domains of a server, or the groups or aliases of a domain.
//
// See [MS-SAMR] 3.1.5.2.
type SamrEnumerateRequest struct {
	Handle        Handle
	Resume        uint32 // 0 at first, then from the last response
	MaximumLength uint32 // preferred length in bytes
}

func (r *SamrEnumerateRequest) ndr(c *coder) {
	c.handle(&r.Handle)
	c.u32(&r.Resume)
	c.u32(&r.MaximumLength)
}

// SamrEnumerateUsersRequest asks for the accounts of a domain.
//
// See [MS-SAMR] 3.1.5.2.5.
type SamrEnumerateUsersRequest struct {
	Handle         Handle
	Resume         uint32
	AccountControl uint32 // 0 for all, else a mask of [MS-SAMR] 2.2.1.12
	MaximumLength  uint32
}

func (r *SamrEnumerateUsersRequest) ndr(c *coder) {
	c.handle(&r.Handle)
	c.u32(&r.Resume)
	c.u32(&r.AccountControl)
	c.u32(&r.MaximumLength)
}

// RIDName is SAMPR_RID_ENUMERATION. For domains the RID means nothing.
//
// See [MS-SAMR] 2.2.3.9.
type RIDName struct {
	RID  uint32
	Name *string
}

// SamrEnumerateResponse is the response of all four enumerations. More reports whether to continue at Resume.
type SamrEnumerateResponse struct {
	Resume  uint32
	Entries []RIDName
	Count   uint32
	NTResult
}

func (r *SamrEnumerateResponse) ndr(c *coder) {
	c.u32(&r.Resume)
	if c.pointerIf(r.Entries != nil || r.refused() == nil) { // an empty list is a buffer without entries
		counted(c, &r.Entries, 12,
			func(e *RIDName) { c.u32(&e.RID); c.ustrHead(&e.Name) },
			func(e *RIDName) { c.ustrBody(e.Name) })
	}
	c.u32(&r.Count)
	r.result(c)
}

// enumerateLength is the preferred length of one response: the same as rpcclient's, and it fits 64 KiB.
const enumerateLength = 0xFFFF

// EnumerateDomains lists the domains of a server, from resume on.
func (s SAMRClient) EnumerateDomains(ctx context.Context, server Handle, resume uint32) (*SamrEnumerateResponse,
	error,
) {
	return s.enumerate(ctx, OpSamrEnumerateDomains, server, resume)
}

// EnumerateGroups lists the groups of a domain, from resume on.
func (s SAMRClient) EnumerateGroups(ctx context.Context, domain Handle, resume uint32) (*SamrEnumerateResponse, error) {
	return s.enumerate(ctx, OpSamrEnumerateGroups, domain, resume)
}

// EnumerateAliases lists the local groups of a domain, from resume on.
func (s SAMRClient) EnumerateAliases(ctx context.Context, domain Handle, resume uint32) (*SamrEnumerateResponse,
	error,
) {
	return s.enumerate(ctx, OpSamrEnumerateAliases, domain, resume)
}

func (s SAMRClient) enumerate(ctx context.Context, opnum uint16, h Handle, resume uint32) (*SamrEnumerateResponse,
	error,
) {
	return invoke[SamrEnumerateResponse](ctx, s.Client, SAMR, opnum, &SamrEnumerateRequest{h, resume, enumerateLength})
}

// EnumerateUsers lists the accounts of a domain, from resume on.
func (s SAMRClient) EnumerateUsers(ctx context.Context, domain Handle, resume, control uint32) (*SamrEnumerateResponse,
	error,
) {
	request := &SamrEnumerateUsersRequest{domain, resume, control, enumerateLength}
	return invoke[SamrEnumerateResponse](ctx, s.Client, SAMR, OpSamrEnumerateUsers, request)
}

// The supported classes of QueryDisplayInformation. See [MS-SAMR] 2.2.8.12.
const (
	DisplayUser    = 1
	DisplayMachine = 2
	DisplayGroup   = 3
)

// SamrQueryDisplayRequest requests accounts as a display list; it serves opnums 40, 48 and 51.
//
// See [MS-SAMR] 3.1.5.3.
type SamrQueryDisplayRequest struct {
	Domain        Handle
	Class         uint16
	Index         uint32
	EntryCount    uint32
	MaximumLength uint32
}

func (r *SamrQueryDisplayRequest) ndr(c *coder) {
	c.handle(&r.Domain)
	c.u16(&r.Class)
	c.u32(&r.Index)
	c.u32(&r.EntryCount)
	c.u32(&r.MaximumLength)
}

// DisplayEntry is SAMPR_DOMAIN_DISPLAY_USER, _MACHINE or _GROUP: FullName is for users only, and Control holds the
// attributes of a group.
//
// See [MS-SAMR] 2.2.8.2.
type DisplayEntry struct {
	Index, RID, Control     uint32
	Name, Comment, FullName *string
}

// SamrQueryDisplayResponse is the response.
type SamrQueryDisplayResponse struct {
	TotalAvailable uint32 // bytes
	TotalReturned  uint32 // bytes
	Class          uint16
	Entries        []DisplayEntry
	NTResult
}

func (r *SamrQueryDisplayResponse) ndr(c *coder) {
	c.u32(&r.TotalAvailable)
	c.u32(&r.TotalReturned)
	c.u16(&r.Class)
	if r.Class < DisplayUser || r.Class > DisplayGroup {
		c.malformed("SAMPR_DISPLAY_INFO_BUFFER class %d", r.Class)
		return
	}
	user := r.Class == DisplayUser
	counted(c, &r.Entries, 28, func(e *DisplayEntry) {
		c.u32(&e.Index)
		c.u32(&e.RID)
		c.u32(&e.Control)
		c.ustrHead(&e.Name)
		c.ustrHead(&e.Comment)
		if user {
			c.ustrHead(&e.FullName)
		}
	}, func(e *DisplayEntry) {
		c.ustrBody(e.Name)
		c.ustrBody(e.Comment)
		if user {
			c.ustrBody(e.FullName)
		}
	})
	r.result(c)
}

// QueryDisplay lists accounts or groups from index on; the next index is the last entry's.
func (s SAMRClient) QueryDisplay(ctx context.Context, domain Handle, class uint16, index,
	count uint32,
) (*SamrQueryDisplayResponse, error) {
	request := &SamrQueryDisplayRequest{domain, class, index, count, enumerateLength}
	return invoke[SamrQueryDisplayResponse](ctx, s.Client, SAMR, OpSamrQueryDisplayInformation, request)
}
