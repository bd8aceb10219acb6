package smbtest

import (
	"cmp"
	"slices"
	"time"

	"ipcguard/internal/dcerpc"
	"ipcguard/internal/model"
	"ipcguard/internal/status"
)

func werr(s status.WError) dcerpc.WResult { return dcerpc.WResult{Return: s} }

// srvsvcOps are the calls of [MS-SRVS].
var srvsvcOps = map[uint16]op{
	dcerpc.OpNetrShareEnum: on(shareEnum),
	opNetrShareEnumSticky:  on(shareEnum),

	dcerpc.OpNetrShareGetInfo: on(func(c *caller, q *dcerpc.NetrShareGetInfoRequest) dcerpc.Message {
		s := c.host.World.share(q.Name)
		switch {
		case !c.may(model.DisclosesShares):
			return &dcerpc.NetrShareGetInfoResponse{Level: 1, WResult: werr(status.WerrAccessDenied)}
		case s == nil:
			return &dcerpc.NetrShareGetInfoResponse{Level: 1, WResult: werr(2310)} // NERR_NetNameNotFound
		case q.Level > 1:
			return &dcerpc.NetrShareGetInfoResponse{Level: 1, WResult: werr(status.WerrInvalidLevel)}
		}
		return &dcerpc.NetrShareGetInfoResponse{
			Level: q.Level,
			Info:  &dcerpc.ShareInfo{Name: &s.Name, Type: s.Type, Remark: &s.Comment},
		}
	}),
	dcerpc.OpNetrServerGetInfo: on(func(c *caller, q *dcerpc.LevelRequest) dcerpc.Message {
		switch {
		case !c.may(model.DisclosesShares) && !c.may(model.DisclosesHostInfo):
			return &dcerpc.NetrServerGetInfoResponse{Level: 100, WResult: werr(status.WerrAccessDenied)}
		case q.Level != 100 && q.Level != 101:
			return &dcerpc.NetrServerGetInfoResponse{Level: 100, WResult: werr(status.WerrInvalidLevel)}
		}
		v := c.host.Profile.Version
		return &dcerpc.NetrServerGetInfoResponse{Level: q.Level, Info: &dcerpc.ServerInfo{
			Platform: 500, Name: &c.host.World.Name, Major: uint32(v[0]), Minor: uint32(v[1]), Type: 0x9003,
			Comment: dcerpc.Ptr(cmp.Or(c.host.World.Comment, "practice")),
		}}
	}),
	dcerpc.OpNetrRemoteTOD: on(func(c *caller, _ *dcerpc.ServerNameRequest) dcerpc.Message {
		if !c.may(model.DisclosesHostInfo) {
			return &dcerpc.NetrRemoteTODResponse{WResult: werr(status.WerrAccessDenied)}
		}
		t := time.Now().UTC()
		return &dcerpc.NetrRemoteTODResponse{Time: &dcerpc.TimeOfDay{
			Elapsed: uint32(t.Unix()), Milliseconds: uint32(t.Sub(c.host.World.Boot).Milliseconds()),
			Hours:   uint32(t.Hour()),
			Minutes: uint32(t.Minute()), Seconds: uint32(t.Second()), Interval: 310,
			Day: uint32(t.Day()), Month: uint32(t.Month()), Year: uint32(t.Year()), WeekDay: uint32(t.Weekday()),
		}}
	}),
	dcerpc.OpNetrSessionEnum: on(func(c *caller, q *dcerpc.NetrSessionEnumRequest) dcerpc.Message {
		r := &dcerpc.NetrSessionEnumResponse{Level: q.Level, Resume: q.Resume, Entries: []dcerpc.SessionInfo{}}
		switch {
		case !c.may(model.DisclosesSessions):
			r.WResult = werr(status.WerrAccessDenied)
			return r
		case q.Level != 0 && q.Level != 10:
			r.Level, r.WResult = 10, werr(status.WerrInvalidLevel)
			return r
		}
		for i := range c.host.World.Sessions {
			r.Entries = append(r.Entries, dcerpc.SessionInfo{Client: &c.host.World.Sessions[i], User: dcerpc.Ptr("")})
		}
		r.Total = uint32(len(r.Entries))
		return r
	}),
}

// wkssvcOps are the calls of [MS-WKST].
var wkssvcOps = map[uint16]op{
	dcerpc.OpNetrWkstaGetInfo: on(func(c *caller, q *dcerpc.LevelRequest) dcerpc.Message {
		switch {
		case !c.may(model.DisclosesHostInfo):
			return &dcerpc.NetrWkstaGetInfoResponse{Level: 100, WResult: werr(status.WerrAccessDenied)}
		case q.Level != 100:
			return &dcerpc.NetrWkstaGetInfoResponse{Level: 100, WResult: werr(status.WerrInvalidLevel)}
		}
		w, v := c.host.World, c.host.Profile.Version
		return &dcerpc.NetrWkstaGetInfoResponse{Level: 100, Info: &dcerpc.WkstaInfo{
			Platform: 500, Name: &w.Name, Domain: &w.Domain, Major: uint32(v[0]), Minor: uint32(v[1]),
		}}
	}),
	dcerpc.OpNetrWkstaUserEnum: on(func(c *caller, q *dcerpc.NetrWkstaUserEnumRequest) dcerpc.Message {
		r := &dcerpc.NetrWkstaUserEnumResponse{Level: min(q.Level, 1), Resume: q.Resume, Entries: []dcerpc.WkstaUser{}}
		if !c.may(model.DisclosesSessions) {
			r.WResult = werr(status.WerrAccessDenied)
			return r
		}
		r.Entries = append(r.Entries, dcerpc.WkstaUser{
			User: dcerpc.Ptr("anna"), LogonDomain: &c.host.World.Domain, OtherDomains: dcerpc.Ptr(""),
			LogonServer: dcerpc.Ptr(""),
		})
		r.Total = 1
		return r
	}),
	dcerpc.OpNetrWkstaTransportEnum: on(func(c *caller, q *dcerpc.NetrWkstaTransportEnumRequest) dcerpc.Message {
		r := &dcerpc.NetrWkstaTransportEnumResponse{Level: 0, Resume: q.Resume, Entries: []dcerpc.WkstaTransport{}}
		if !c.may(model.DisclosesHostInfo) {
			r.WResult = werr(status.WerrAccessDenied)
			return r
		}
		r.Entries = append(r.Entries, dcerpc.WkstaTransport{
			Name:    dcerpc.Ptr(`\Device\Practice`),
			Address: dcerpc.Ptr("020000000001"),
		})
		r.Total = 1
		return r
	}),
	dcerpc.OpNetrGetJoinInformation: on(func(c *caller, _ *dcerpc.NetrGetJoinInformationRequest) dcerpc.Message {
		if !c.may(model.DisclosesHostInfo) {
			return &dcerpc.NetrGetJoinInformationResponse{WResult: werr(status.WerrAccessDenied)}
		}
		joined := uint16(2)
		if c.host.World.InDomain {
			joined = 3
		}
		return &dcerpc.NetrGetJoinInformationResponse{Name: &c.host.World.Domain, Type: joined}
	}),
}

// opNetrShareEnumSticky is the call of rpcclient's netshareenum: the shares that survive a restart, all of ours.
const opNetrShareEnumSticky = 36

func shareEnum(c *caller, q *dcerpc.NetrShareEnumRequest) dcerpc.Message {
	r := &dcerpc.NetrShareEnumResponse{Level: q.Level, Resume: q.Resume, Entries: []dcerpc.ShareInfo{}}
	switch {
	case !c.may(model.DisclosesShares):
		r.WResult = werr(status.WerrAccessDenied)
		return r
	case !slices.Contains([]uint32{0, 1, 2, 502}, q.Level):
		r.Level, r.WResult = 1, werr(status.WerrInvalidLevel)
		return r
	}
	shares := c.host.World.Shares
	for i := range shares {
		s := &shares[i]
		r.Entries = append(r.Entries, dcerpc.ShareInfo{
			Name: &s.Name, Type: s.Type, Remark: &s.Comment, MaxUses: 0xFFFFFFFF, Path: &s.Path,
		})
	}
	r.Total = uint32(len(shares))
	return r
}
