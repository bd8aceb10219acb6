package dcerpc

import "context"

// SessionInfo holds the fields of the levels 0, 1, 2, 10 and 502.
//
// See [MS-SRVS] 2.2.4.11.
type SessionInfo struct {
	Client, User          *string
	Opens                 uint32
	Time, Idle            uint32 // seconds
	Flags                 uint32
	ClientType, Transport *string
}

func (s *SessionInfo) head(c *coder, level uint32) {
	pointer(c, &s.Client)
	if level == 0 {
		return
	}
	pointer(c, &s.User)
	if level != 10 {
		c.u32(&s.Opens)
	}
	c.u32(&s.Time)
	c.u32(&s.Idle)
	if level != 10 {
		c.u32(&s.Flags)
	}
	if level == 2 || level == 502 {
		pointer(c, &s.ClientType)
	}
	if level == 502 {
		pointer(c, &s.Transport)
	}
}

func (c *coder) sessions(level *uint32, s *[]SessionInfo) {
	container(c, level, s, 4, func(e *SessionInfo) {
		switch *level {
		case 0, 1, 2, 10, 502:
			if c.err == nil {
				e.head(c, *level)
			}
		default:
			c.malformed("SESSION_ENUM_STRUCT level %d", *level)
		}
	}, func(e *SessionInfo) {
		c.strBody(e.Client)
		if *level > 0 {
			c.strBody(e.User)
		}
		if *level == 2 || *level == 502 {
			c.strBody(e.ClientType)
		}
		if *level == 502 {
			c.strBody(e.Transport)
		}
	})
}

// NetrSessionEnumRequest lists the sessions.
//
// See [MS-SRVS] 3.1.4.5.
type NetrSessionEnumRequest struct {
	Server, Client, User *string
	Level                uint32
	Entries              []SessionInfo // empty
	MaximumLength        uint32
	Resume               *uint32
}

func (r *NetrSessionEnumRequest) ndr(c *coder) {
	c.optStr(&r.Server)
	c.optStr(&r.Client)
	c.optStr(&r.User)
	c.sessions(&r.Level, &r.Entries)
	c.u32(&r.MaximumLength)
	c.optU32(&r.Resume)
}

// NetrSessionEnumResponse is the response. More reports whether to continue at Resume.
type NetrSessionEnumResponse struct {
	Level   uint32
	Entries []SessionInfo
	Total   uint32
	Resume  *uint32
	WResult
}

func (r *NetrSessionEnumResponse) ndr(c *coder) {
	c.sessions(&r.Level, &r.Entries)
	c.u32(&r.Total)
	c.optU32(&r.Resume)
	r.result(c)
}

// SessionEnum lists the sessions, at level 0, 1, 2, 10 or 502.
func (s SRVSVCClient) SessionEnum(ctx context.Context, server string, level, resume uint32) (*NetrSessionEnumResponse,
	error,
) {
	request := &NetrSessionEnumRequest{Server: &server, Level: level, MaximumLength: preferAll, Resume: &resume}
	return invoke[NetrSessionEnumResponse](ctx, s.Client, SRVSVC, OpNetrSessionEnum, request)
}

// LevelRequest is the argument list of NetrServerGetInfo and NetrWkstaGetInfo.
//
// See [MS-SRVS] 3.1.4.17 and [MS-WKST] 3.2.4.1.
type LevelRequest struct {
	Server *string
	Level  uint32
}

func (r *LevelRequest) ndr(c *coder) {
	c.optStr(&r.Server)
	c.u32(&r.Level)
}

// ServerInfo holds the fields of the levels 100, 101 and 102.
//
// See [MS-SRVS] 2.2.4.40 to 2.2.4.42.
type ServerInfo struct {
	Platform                          uint32
	Name                              *string
	Major, Minor, Type                uint32
	Comment                           *string
	Users, Disconnect, Hidden         uint32
	Announce, AnnounceDelta, Licenses uint32
	UserPath                          *string
}

// NetrServerGetInfoResponse is the response; nil when refused.
type NetrServerGetInfoResponse struct {
	Level uint32
	Info  *ServerInfo
	WResult
}

func (r *NetrServerGetInfoResponse) ndr(c *coder) {
	c.u32(&r.Level)
	if pointer(c, &r.Info) {
		if r.Level < 100 || r.Level > 102 {
			c.malformed("SERVER_INFO level %d", r.Level)
			return
		}
		r.Info.code(c, r.Level)
	}
	r.result(c)
}

func (i *ServerInfo) code(c *coder, level uint32) {
	c.u32(&i.Platform)
	pointer(c, &i.Name)
	if level > 100 {
		c.u32(&i.Major)
		c.u32(&i.Minor)
		c.u32(&i.Type)
		pointer(c, &i.Comment)
	}
	if level == 102 {
		for _, v := range []*uint32{&i.Users, &i.Disconnect, &i.Hidden, &i.Announce, &i.AnnounceDelta, &i.Licenses} {
			c.u32(v)
		}
		pointer(c, &i.UserPath)
	}
	c.strBody(i.Name)
	if level > 100 {
		c.strBody(i.Comment)
	}
	if level == 102 {
		c.strBody(i.UserPath)
	}
}

// ServerGetInfo returns the server's data at level 100, 101 or 102.
func (s SRVSVCClient) ServerGetInfo(ctx context.Context, server string, level uint32) (*NetrServerGetInfoResponse,
	error,
) {
	return invoke[NetrServerGetInfoResponse](ctx, s.Client, SRVSVC, OpNetrServerGetInfo, &LevelRequest{&server, level})
}

// ServerNameRequest is the argument list of calls that take only the server's name.
type ServerNameRequest struct{ Server *string }

func (r *ServerNameRequest) ndr(c *coder) { c.optStr(&r.Server) }

// TimeOfDay is TIME_OF_DAY_INFO.
//
// See [MS-SRVS] 2.2.4.105.
type TimeOfDay struct {
	Elapsed                   uint32 // seconds since 1970, UTC
	Milliseconds              uint32 // since start
	Hours, Minutes, Seconds   uint32
	Hundredths                uint32
	Timezone                  uint32 // minutes west of UTC, signed
	Interval                  uint32 // clock tick, 100 µs
	Day, Month, Year, WeekDay uint32
}

// NetrRemoteTODResponse returns the time; nil when refused.
type NetrRemoteTODResponse struct {
	Time *TimeOfDay
	WResult
}

func (r *NetrRemoteTODResponse) ndr(c *coder) {
	if pointer(c, &r.Time) {
		t := r.Time
		for _, v := range []*uint32{
			&t.Elapsed, &t.Milliseconds, &t.Hours, &t.Minutes, &t.Seconds, &t.Hundredths, &t.Timezone,
			&t.Interval, &t.Day, &t.Month, &t.Year, &t.WeekDay,
		} {
			c.u32(v)
		}
	}
	r.result(c)
}

// RemoteTOD returns the server's time.
func (s SRVSVCClient) RemoteTOD(ctx context.Context, server string) (*NetrRemoteTODResponse, error) {
	return invoke[NetrRemoteTODResponse](ctx, s.Client, SRVSVC, OpNetrRemoteTOD, &ServerNameRequest{&server})
}
