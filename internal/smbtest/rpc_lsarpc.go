package smbtest

import (
	"ipcguard/internal/dcerpc"
	"ipcguard/internal/model"
	"ipcguard/internal/status"
)

const kindPolicy = "lsa policy"

// lsaOps are the calls of [MS-LSAD] and [MS-LSAT]. LsarGetUserName is answered for every caller that reaches the pipe.
var lsaOps = map[uint16]op{
	dcerpc.OpLsarClose: on(func(c *caller, q *dcerpc.HandleRequest) dcerpc.Message { return c.close(q.Handle) }),
	dcerpc.OpLsarGetUserName: on(func(c *caller, q *dcerpc.LsarGetUserNameRequest) dcerpc.Message {
		user, domain := c.account, c.host.World.accountDomain()
		if c.who == model.Anonymous {
			user, domain = "ANONYMOUS LOGON", "NT AUTHORITY"
		}
		r := &dcerpc.LsarGetUserNameResponse{User: &dcerpc.UnicodeString{Value: &user}, HasDomain: q.WantDomain}
		if q.WantDomain {
			r.Domain = &dcerpc.UnicodeString{Value: &domain}
		}
		return r
	}),
	dcerpc.OpLsarOpenPolicy: on(func(c *caller,
		_ *dcerpc.LsarOpenPolicyRequest,
	) dcerpc.Message {
		return c.lsaOpen()
	}),
	dcerpc.OpLsarOpenPolicy2: on(func(c *caller,
		_ *dcerpc.LsarOpenPolicy2Request,
	) dcerpc.Message {
		return c.lsaOpen()
	}),
	dcerpc.OpLsarQueryInformationPolicy:  on(lsaQuery),
	dcerpc.OpLsarQueryInformationPolicy2: on(lsaQuery),
	dcerpc.OpLsarLookupSids: on(func(c *caller, q *dcerpc.LsarLookupSidsRequest) dcerpc.Message {
		r := c.lsaLookup(q)
		return &r
	}),
	dcerpc.OpLsarLookupSids2: on(func(c *caller, q *dcerpc.LsarLookupSids2Request) dcerpc.Message {
		return &dcerpc.LsarLookupSids2Response{LsarLookupSidsResponse: c.lsaLookup(&q.LsarLookupSidsRequest)}
	}),
	dcerpc.OpLsarLookupNames: on(func(c *caller, q *dcerpc.LsarLookupNamesRequest) dcerpc.Message {
		r := c.lsaNames(q)
		return &r
	}),
	dcerpc.OpLsarLookupNames2: on(func(c *caller, q *dcerpc.LsarLookupNames2Request) dcerpc.Message {
		return &dcerpc.LsarLookupNames2Response{LsarLookupNamesResponse: c.lsaNames(&q.LsarLookupNamesRequest)}
	}),
	dcerpc.OpLsarEnumerateAccounts: on(func(c *caller, q *dcerpc.LsarEnumerateRequest) dcerpc.Message {
		if s := c.lsaMay(q.Policy, model.DisclosesSIDs); s != status.Success {
			return &dcerpc.LsarEnumerateAccountsResponse{NTResult: nt(s)}
		}
		if q.Resume > 0 {
			return &dcerpc.LsarEnumerateAccountsResponse{NTResult: nt(status.NoMoreEntries)}
		}
		administrators, backup := builtinSID.Child(544), builtinSID.Child(551)
		return &dcerpc.LsarEnumerateAccountsResponse{Resume: 2, SIDs: []*dcerpc.SID{&administrators, &backup}}
	}),
	dcerpc.OpLsarEnumerateTrustedDomainsEx: on(func(c *caller, q *dcerpc.LsarEnumerateRequest) dcerpc.Message {
		if s := c.lsaMay(q.Policy, model.DisclosesTrusts); s != status.Success {
			return &dcerpc.LsarEnumerateTrustsResponse{NTResult: nt(s)}
		}
		trusts := c.host.World.Trusts
		if int(q.Resume) >= len(trusts) {
			return &dcerpc.LsarEnumerateTrustsResponse{NTResult: nt(status.NoMoreEntries)}
		}
		r := &dcerpc.LsarEnumerateTrustsResponse{Resume: uint32(len(trusts))}
		for i := range trusts {
			t := &trusts[i]
			r.Domains = append(r.Domains, dcerpc.TrustedDomain{
				Name: &t.Name, FlatName: &t.Flat, SID: &t.SID,
				Direction: 3, Type: 2,
			})
		}
		return r
	}),
}

// accountDomain is the domain of the accounts: the machine itself, or on a domain controller the domain.
func (w *World) accountDomain() string {
	if w.InDomain && w.DomainSID == nil {
		return w.Domain
	}
	return w.Name
}

func (c *caller) lsaOpen() dcerpc.Message {
	if !c.may(model.DisclosesSIDs) && !c.may(model.DisclosesTrusts) {
		return &dcerpc.NTHandleResponse{NTResult: nt(status.AccessDenied)}
	}
	return &dcerpc.NTHandleResponse{Handle: c.open(object{kind: kindPolicy})}
}

func (c *caller) lsaMay(h dcerpc.Handle, d model.Disclosure) status.NTStatus {
	if _, ok := c.get(h, kindPolicy); !ok {
		return status.InvalidHandle
	}
	if !c.may(d) {
		return status.AccessDenied
	}
	return status.Success
}

func lsaQuery(c *caller, q *dcerpc.LsarQueryPolicyRequest) dcerpc.Message {
	if s := c.lsaMay(q.Policy, model.DisclosesSIDs); s != status.Success {
		return &dcerpc.LsarQueryPolicyResponse{NTResult: nt(s)}
	}
	w := c.host.World
	primary := &dcerpc.PolicyDomain{Name: &w.Domain, SID: w.DomainSID}
	account := w.accountDomain()
	switch q.Class {
	case dcerpc.PolicyAccountDomain:
		return &dcerpc.LsarQueryPolicyResponse{
			Class:  q.Class,
			Domain: &dcerpc.PolicyDomain{Name: &account, SID: &w.MachineSID},
		}
	case dcerpc.PolicyPrimaryDomain:
		if w.InDomain && w.DomainSID == nil {
			primary.SID = &w.MachineSID
		}
		return &dcerpc.LsarQueryPolicyResponse{Class: q.Class, Domain: primary}
	case dcerpc.PolicyServerRole:
		return &dcerpc.LsarQueryPolicyResponse{Class: q.Class, Role: 3}
	case dcerpc.PolicyDNSDomain:
		d := &dcerpc.PolicyDNS{Name: &w.Domain, DNSName: &w.DNSDomain, Forest: &w.DNSDomain, SID: primary.SID}
		return &dcerpc.LsarQueryPolicyResponse{Class: q.Class, DNS: d}
	}
	return &dcerpc.LsarQueryPolicyResponse{NTResult: nt(status.InvalidParameter)}
}

const noDomain = 0xFFFFFFFF

// maxLookup is the limit of [MS-LSAT] 2.2.18, and more than any client requests.
const maxLookup = 20480

func (c *caller) lsaLookup(q *dcerpc.LsarLookupSidsRequest) (r dcerpc.LsarLookupSidsResponse) {
	if s := c.lsaMay(q.Policy, model.DisclosesSIDs); s != status.Success {
		return dcerpc.LsarLookupSidsResponse{NTResult: nt(s)}
	}
	if len(q.SIDs) > maxLookup {
		return dcerpc.LsarLookupSidsResponse{NTResult: nt(status.InvalidParameter)}
	}
	w := c.host.World
	account := w.accountDomain()
	r.Domains = &dcerpc.ReferencedDomains{
		Domains:    []dcerpc.PolicyDomain{{Name: &account, SID: &w.MachineSID}},
		MaxEntries: 32,
	}
	r.Names = []dcerpc.TranslatedName{}
	for _, sid := range q.SIDs {
		t := dcerpc.TranslatedName{Use: dcerpc.SIDUnknown, DomainIndex: noDomain}
		if sid != nil && len(sid.SubAuthorities) > 0 {
			domain := *sid
			last := len(sid.SubAuthorities) - 1
			domain.SubAuthorities = sid.SubAuthorities[:last]
			if domain.String() == w.MachineSID.String() {
				if name, use, ok := w.lookup(sid.SubAuthorities[last]); ok {
					t = dcerpc.TranslatedName{Use: use, Name: &name, DomainIndex: 0}
					r.Mapped++
				}
			}
		}
		if t.Name == nil {
			t.Name = dcerpc.Ptr(sidText(sid))
		}
		r.Names = append(r.Names, t)
	}
	r.NTResult = nt(mapped(int(r.Mapped), len(q.SIDs)))
	return r
}

func sidText(sid *dcerpc.SID) string {
	if sid == nil {
		return ""
	}
	return sid.String()
}

func mapped(n, of int) status.NTStatus {
	switch n {
	case of:
		return status.Success
	case 0:
		return status.NoneMapped
	}
	return status.SomeNotMapped
}

func (c *caller) lsaNames(q *dcerpc.LsarLookupNamesRequest) (r dcerpc.LsarLookupNamesResponse) {
	if s := c.lsaMay(q.Policy, model.DisclosesSIDs); s != status.Success {
		return dcerpc.LsarLookupNamesResponse{NTResult: nt(s)}
	}
	if len(q.Names) > maxLookup {
		return dcerpc.LsarLookupNamesResponse{NTResult: nt(status.InvalidParameter)}
	}
	w := c.host.World
	account := w.accountDomain()
	r.Domains = &dcerpc.ReferencedDomains{
		Domains:    []dcerpc.PolicyDomain{{Name: &account, SID: &w.MachineSID}},
		MaxEntries: 32,
	}
	r.SIDs = []dcerpc.TranslatedSID{}
	for _, name := range q.Names {
		t := dcerpc.TranslatedSID{Use: dcerpc.SIDUnknown, DomainIndex: noDomain}
		for _, a := range w.Accounts {
			if equalFold(a.Name, dcerpc.Text(name)) {
				t = dcerpc.TranslatedSID{Use: 1, RID: a.RID}
				r.Mapped++
			}
		}
		r.SIDs = append(r.SIDs, t)
	}
	r.NTResult = nt(mapped(int(r.Mapped), len(q.Names)))
	return r
}
