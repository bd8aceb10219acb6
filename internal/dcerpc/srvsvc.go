package dcerpc

import "context"

// SRVSVCClient calls [MS-SRVS] on a Client that is bound to SRVSVC: shares, sessions, the server's own data.
type SRVSVCClient struct{ *Client }

// The opnums of the calls below.
const (
	OpNetrSessionEnum   = 12
	OpNetrShareEnum     = 15
	OpNetrShareGetInfo  = 16
	OpNetrServerGetInfo = 21
	OpNetrRemoteTOD     = 28
)

// container codes what all the enumerations of [MS-SRVS] and [MS-WKST] have in both directions: the level twice (once
// as the union's), and a pointer to {count, pointer to the entries}.
func container[T any](c *coder, level *uint32, s *[]T, size int, head, body func(*T)) {
	c.u32(level)
	arm := *level
	c.u32(&arm)
	if arm != *level {
		c.malformed("level %d holds a union of level %d", *level, arm)
	}
	if c.pointerIf(true) {
		counted(c, s, size, head, body)
	}
}

// ShareInfo holds the fields of the levels 0, 1, 2, 501 and 502; fields that a level lacks stay empty.
//
// See [MS-SRVS] 2.2.4.22.
type ShareInfo struct {
	Name                              *string
	Type                              uint32
	Remark                            *string
	Flags                             uint32
	Permissions, MaxUses, CurrentUses uint32
	Path, Password                    *string
	Descriptor                        []byte
	hasDescriptor                     bool
	descriptorSize                    uint32
}

// The types of a share. See [MS-SRVS] 2.2.2.4.
const (
	ShareDisk    = 0
	SharePrinter = 1
	ShareDevice  = 2
	ShareIPC     = 3
	ShareSpecial = 0x80000000
)

// shareSize is the minimum size of an entry, 0 for unsupported levels.
func shareSize(level uint32) int {
	return map[uint32]int{0: 4, 1: 12, 2: 32, 501: 16, 502: 40}[level]
}

func (s *ShareInfo) head(c *coder, level uint32) {
	pointer(c, &s.Name)
	if level == 0 {
		return
	}
	c.u32(&s.Type)
	pointer(c, &s.Remark)
	if level == 501 {
		c.u32(&s.Flags)
	}
	if level != 2 && level != 502 {
		return
	}
	c.u32(&s.Permissions)
	c.u32(&s.MaxUses)
	c.u32(&s.CurrentUses)
	pointer(c, &s.Path)
	pointer(c, &s.Password)
	if level == 502 {
		s.descriptorSize, s.hasDescriptor = countedHead(c, s.Descriptor)
	}
}

func (s *ShareInfo) body(c *coder, level uint32) {
	c.strBody(s.Name)
	if level > 0 {
		c.strBody(s.Remark)
	}
	if level == 2 || level == 502 {
		c.strBody(s.Path)
		c.strBody(s.Password)
	}
	if !s.hasDescriptor {
		return
	}
	c.octets(&s.Descriptor)
	if c.dec && c.err == nil && int(s.descriptorSize) != len(s.Descriptor) {
		c.malformed("%d bytes are said to be %d", len(s.Descriptor), s.descriptorSize)
	}
	s.hasDescriptor, s.descriptorSize = false, 0
}

// strBody codes the characters behind a pointer of the fixed part.
func (c *coder) strBody(s *string) {
	if s != nil {
		c.str(s)
	}
}

func (c *coder) shares(level *uint32, s *[]ShareInfo) {
	// The level is read inside container, before the first element.
	if !c.dec && shareSize(*level) == 0 {
		c.malformed("SHARE_ENUM_STRUCT level %d", *level)
		return
	}
	container(c, level, s, 4, func(e *ShareInfo) {
		if shareSize(*level) == 0 {
			c.malformed("SHARE_ENUM_STRUCT level %d", *level)
		}
		if c.err == nil {
			e.head(c, *level)
		}
	}, func(e *ShareInfo) { e.body(c, *level) })
}

// NetrShareEnumRequest asks for the shares.
//
// See [MS-SRVS] 3.1.4.8.
type NetrShareEnumRequest struct {
	Server        *string
	Level         uint32
	Entries       []ShareInfo // empty
	MaximumLength uint32
	Resume        *uint32
}

func (r *NetrShareEnumRequest) ndr(c *coder) {
	c.optStr(&r.Server)
	c.shares(&r.Level, &r.Entries)
	c.u32(&r.MaximumLength)
	c.optU32(&r.Resume)
}

// NetrShareEnumResponse is the response. More reports whether to continue at Resume.
type NetrShareEnumResponse struct {
	Level   uint32
	Entries []ShareInfo
	Total   uint32
	Resume  *uint32
	WResult
}

func (r *NetrShareEnumResponse) ndr(c *coder) {
	c.shares(&r.Level, &r.Entries)
	c.u32(&r.Total)
	c.optU32(&r.Resume)
	r.result(c)
}

// preferAll is MAX_PREFERRED_LENGTH: the server should send everything at once.
const preferAll = 0xFFFFFFFF

// ShareEnum lists the shares, from resume on, at level 0, 1, 2, 501 or 502.
func (s SRVSVCClient) ShareEnum(ctx context.Context, server string, level, resume uint32) (*NetrShareEnumResponse,
	error,
) {
	request := &NetrShareEnumRequest{Server: &server, Level: level, MaximumLength: preferAll, Resume: &resume}
	return invoke[NetrShareEnumResponse](ctx, s.Client, SRVSVC, OpNetrShareEnum, request)
}

// NetrShareGetInfoRequest asks for one share.
//
// See [MS-SRVS] 3.1.4.10.
type NetrShareGetInfoRequest struct {
	Server *string
	Name   string
	Level  uint32
}

func (r *NetrShareGetInfoRequest) ndr(c *coder) {
	c.optStr(&r.Server)
	c.str(&r.Name)
	c.u32(&r.Level)
}

// NetrShareGetInfoResponse is the response; nil when refused.
type NetrShareGetInfoResponse struct {
	Level uint32
	Info  *ShareInfo
	WResult
}

func (r *NetrShareGetInfoResponse) ndr(c *coder) {
	c.u32(&r.Level)
	if pointer(c, &r.Info) {
		if shareSize(r.Level) == 0 {
			c.malformed("SHARE_INFO level %d", r.Level)
			return
		}
		r.Info.head(c, r.Level)
		r.Info.body(c, r.Level)
	}
	r.result(c)
}
