package smbtest

import (
	"ipcguard/internal/dcerpc"
	"ipcguard/internal/model"
	"ipcguard/internal/status"
)

// builtin is the domain that every server has besides its own.
var builtinSID = dcerpc.NTSID(32)

const (
	kindServer = "samr server"
	kindDomain = "samr domain"
	kindUser   = "samr user"
)

// page is the number of entries in each response of an enumeration, so that resume handles are needed.
const page = 100

// samrOps are the calls of [MS-SAMR]. Connect refuses callers that may read nothing of it, as a domain controller of
// 2019 was seen to do to a null session; the other calls refuse by what they disclose.
var samrOps = map[uint16]op{
	dcerpc.OpSamrConnect:  on(func(c *caller, _ *dcerpc.SamrConnectRequest) dcerpc.Message { return c.samrConnect() }),
	dcerpc.OpSamrConnect2: on(func(c *caller, _ *dcerpc.SamrConnect2Request) dcerpc.Message { return c.samrConnect() }),
	dcerpc.OpSamrConnect4: on(func(c *caller, _ *dcerpc.SamrConnect4Request) dcerpc.Message { return c.samrConnect() }),
	dcerpc.OpSamrConnect5: on(func(c *caller, q *dcerpc.SamrConnect5Request) dcerpc.Message {
		r := c.samrConnect()
		return &dcerpc.SamrConnect5Response{
			Out: dcerpc.SAMRRevision{Version: 1, Revision: 3}, Handle: r.Handle,
			NTResult: r.NTResult,
		}
	}),
	dcerpc.OpSamrCloseHandle: on(func(c *caller, q *dcerpc.HandleRequest) dcerpc.Message { return c.close(q.Handle) }),
	dcerpc.OpSamrEnumerateDomains: on(func(c *caller, q *dcerpc.SamrEnumerateRequest) dcerpc.Message {
		if _, ok := c.get(q.Handle, kindServer); !ok {
			return &dcerpc.SamrEnumerateResponse{NTResult: nt(status.InvalidHandle)}
		}
		return enumerate([]RIDName{{0, c.host.World.accountDomain()}, {0, "Builtin"}}, q.Resume)
	}),
	dcerpc.OpSamrLookupDomain: on(func(c *caller, q *dcerpc.SamrLookupDomainRequest) dcerpc.Message {
		switch name := dcerpc.Text(q.Name); {
		case equalFold(name, c.host.World.accountDomain()):
			return &dcerpc.SamrLookupDomainResponse{SID: &c.host.World.MachineSID}
		case equalFold(name, "Builtin"):
			return &dcerpc.SamrLookupDomainResponse{SID: &builtinSID}
		}
		return &dcerpc.SamrLookupDomainResponse{NTResult: nt(status.NoSuchDomain)}
	}),
	dcerpc.OpSamrOpenDomain: on(func(c *caller, q *dcerpc.SamrOpenDomainRequest) dcerpc.Message {
		if _, ok := c.get(q.Server, kindServer); !ok {
			return &dcerpc.NTHandleResponse{NTResult: nt(status.InvalidHandle)}
		}
		switch q.SID.String() {
		case c.host.World.MachineSID.String():
			return &dcerpc.NTHandleResponse{Handle: c.open(object{kind: kindDomain, name: "account"})}
		case builtinSID.String():
			return &dcerpc.NTHandleResponse{Handle: c.open(object{kind: kindDomain, name: "builtin"})}
		}
		return &dcerpc.NTHandleResponse{NTResult: nt(status.NoSuchDomain)}
	}),
	dcerpc.OpSamrEnumerateUsers: on(func(c *caller, q *dcerpc.SamrEnumerateUsersRequest) dcerpc.Message {
		return c.samrList(q.Handle, q.Resume, model.DisclosesAccounts, func(w *World) (l []RIDName) {
			for _, a := range w.Accounts {
				l = append(l, RIDName{a.RID, a.Name})
			}
			return l
		})
	}),
	dcerpc.OpSamrEnumerateGroups: on(func(c *caller, q *dcerpc.SamrEnumerateRequest) dcerpc.Message {
		return c.samrList(q.Handle, q.Resume, model.DisclosesGroups, func(w *World) []RIDName { return w.Groups })
	}),
	dcerpc.OpSamrEnumerateAliases: on(func(c *caller, q *dcerpc.SamrEnumerateRequest) dcerpc.Message {
		return c.samrList(q.Handle, q.Resume, model.DisclosesGroups, func(w *World) []RIDName { return w.Aliases })
	}),
	dcerpc.OpSamrQueryDisplayInformation:  on(samrDisplay),
	dcerpc.OpSamrQueryDisplayInformation2: on(samrDisplay),
	dcerpc.OpSamrQueryDisplayInformation3: on(samrDisplay),
	dcerpc.OpSamrQueryInformationDomain:   on(samrDomain),
	dcerpc.OpSamrQueryInformationDomain2:  on(samrDomain),
	dcerpc.OpSamrGetDomainPasswordInformation: on(
		func(c *caller, _ *dcerpc.SamrGetDomainPasswordRequest) dcerpc.Message {
			if !c.may(model.DisclosesPasswordPolicy) {
				return &dcerpc.SamrGetDomainPasswordResponse{NTResult: nt(status.AccessDenied)}
			}
			return &dcerpc.SamrGetDomainPasswordResponse{MinLength: c.host.World.MinPasswordLength}
		}),
	dcerpc.OpSamrOpenUser: on(func(c *caller, q *dcerpc.SamrOpenUserRequest) dcerpc.Message {
		if o, ok := c.get(q.Domain, kindDomain); !ok || o.name != "account" {
			return &dcerpc.NTHandleResponse{NTResult: nt(status.InvalidHandle)}
		}
		if !c.may(model.DisclosesAccounts) {
			return &dcerpc.NTHandleResponse{NTResult: nt(status.AccessDenied)}
		}
		if _, use, ok := c.host.World.lookup(q.RID); !ok || use != 1 {
			return &dcerpc.NTHandleResponse{NTResult: nt(status.NoSuchUser)}
		}
		return &dcerpc.NTHandleResponse{Handle: c.open(object{kind: kindUser, rid: q.RID})}
	}),
	dcerpc.OpSamrQueryInformationUser: on(func(c *caller, q *dcerpc.SamrQueryUserRequest) dcerpc.Message {
		o, ok := c.get(q.User, kindUser)
		switch {
		case !ok:
			return &dcerpc.SamrQueryUserResponse{NTResult: nt(status.InvalidHandle)}
		case q.Class != dcerpc.UserGeneral:
			return &dcerpc.SamrQueryUserResponse{NTResult: nt(status.InvalidInfoClass)}
		}
		name, _, _ := c.host.World.lookup(o.rid)
		return &dcerpc.SamrQueryUserResponse{General: &dcerpc.UserGeneralInfo{Name: &name, PrimaryGroup: 513}}
	}),
}

func nt(s status.NTStatus) dcerpc.NTResult { return dcerpc.NTResult{Return: s} }

func (c *caller) samrConnect() *dcerpc.NTHandleResponse {
	if !c.may(model.DisclosesAccounts) && !c.may(model.DisclosesGroups) && !c.may(model.DisclosesPasswordPolicy) {
		return &dcerpc.NTHandleResponse{NTResult: nt(status.AccessDenied)}
	}
	return &dcerpc.NTHandleResponse{Handle: c.open(object{kind: kindServer})}
}

func (c *caller) close(h dcerpc.Handle) dcerpc.Message {
	if _, ok := c.handles[h]; !ok {
		return &dcerpc.NTHandleResponse{NTResult: nt(status.InvalidHandle)}
	}
	delete(c.handles, h)
	return &dcerpc.NTHandleResponse{}
}

func (c *caller) samrList(h dcerpc.Handle, resume uint32, d model.Disclosure,
	list func(*World) []RIDName,
) dcerpc.Message {
	o, ok := c.get(h, kindDomain)
	switch {
	case !ok:
		return &dcerpc.SamrEnumerateResponse{NTResult: nt(status.InvalidHandle)}
	case !c.may(d):
		return &dcerpc.SamrEnumerateResponse{NTResult: nt(status.AccessDenied)}
	case o.name == "builtin":
		return enumerate(nil, 0)
	}
	return enumerate(list(c.host.World), resume)
}

// enumerate returns a page of a list, from resume on.
func enumerate(list []RIDName, resume uint32) *dcerpc.SamrEnumerateResponse {
	list = list[min(int(resume), len(list)):]
	n := min(page, len(list))
	r := &dcerpc.SamrEnumerateResponse{Resume: resume + uint32(n), Entries: []dcerpc.RIDName{}, Count: uint32(n)}
	for _, e := range list[:n] {
		r.Entries = append(r.Entries, dcerpc.RIDName{RID: e.RID, Name: &e.Name})
	}
	if n < len(list) {
		r.Return = status.MoreEntries
	}
	return r
}

func samrDisplay(c *caller, q *dcerpc.SamrQueryDisplayRequest) dcerpc.Message {
	r := &dcerpc.SamrQueryDisplayResponse{Class: q.Class}
	if r.Class < dcerpc.DisplayUser || r.Class > dcerpc.DisplayGroup {
		r.Class = dcerpc.DisplayUser
		r.NTResult = nt(status.InvalidInfoClass)
		return r
	}
	o, ok := c.get(q.Domain, kindDomain)
	switch {
	case !ok:
		r.NTResult = nt(status.InvalidHandle)
		return r
	case !c.may(model.DisclosesAccounts):
		r.NTResult = nt(status.AccessDenied)
		return r
	case o.name == "builtin":
		return r
	}
	for i, a := range c.host.World.Accounts {
		if uint32(i) < q.Index || (q.Class == dcerpc.DisplayMachine) != a.Machine || q.Class == dcerpc.DisplayGroup {
			continue
		}
		if len(r.Entries) == page || uint32(len(r.Entries)) >= q.EntryCount {
			r.NTResult = nt(status.MoreEntries)
			break
		}
		control := uint32(0x10) // USER_NORMAL_ACCOUNT, [MS-SAMR] 2.2.1.12
		if a.Disabled {
			control |= 1
		}
		r.Entries = append(r.Entries, dcerpc.DisplayEntry{
			Index: uint32(i) + 1, RID: a.RID, Control: control, Name: &a.Name, Comment: &a.Comment,
			FullName: &a.FullName,
		})
	}
	return r
}

func samrDomain(c *caller, q *dcerpc.SamrQueryDomainRequest) dcerpc.Message {
	o, ok := c.get(q.Domain, kindDomain)
	w := c.host.World
	never := uint64(1) << 63 // no limit: the most negative time
	switch {
	case !ok:
		return &dcerpc.SamrQueryDomainResponse{NTResult: nt(status.InvalidHandle)}
	case !c.may(model.DisclosesPasswordPolicy):
		return &dcerpc.SamrQueryDomainResponse{NTResult: nt(status.AccessDenied)}
	case q.Class == dcerpc.DomainPassword:
		return &dcerpc.SamrQueryDomainResponse{
			Password: &dcerpc.DomainPasswordInfo{MinLength: w.MinPasswordLength, MaxAge: never},
		}
	case q.Class == dcerpc.DomainLockout:
		return &dcerpc.SamrQueryDomainResponse{Lockout: &dcerpc.DomainLockoutInfo{Threshold: w.LockoutThreshold}}
	case q.Class == dcerpc.DomainGeneral:
		name := "Builtin"
		g := &dcerpc.DomainGeneralInfo{
			ForceLogoff: never, OEM: dcerpc.Ptr(""), Name: &name, Replica: dcerpc.Ptr(""),
			ModifiedCount: 1, State: 1, Role: 3,
		}
		if o.name == "account" {
			name = w.accountDomain()
			g.Users, g.Groups, g.Aliases = uint32(len(w.Accounts)), uint32(len(w.Groups)), uint32(len(w.Aliases))
		}
		return &dcerpc.SamrQueryDomainResponse{General: g}
	}
	return &dcerpc.SamrQueryDomainResponse{NTResult: nt(status.InvalidInfoClass)}
}
