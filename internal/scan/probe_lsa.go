package scan

import (
	"context"
	"fmt"
	"strings"

	"ipcguard/internal/dcerpc"
	"ipcguard/internal/model"
)

// maxSIDs bounds RID cycling: the well-known accounts and groups of a domain and the first created ones.
const maxSIDs = 64

// The access that the questions below need: MAXIMUM_ALLOWED, which Samba's own client requests and a domain controller
// grants, or else looking up names. See [MS-LSAD] 2.2.1.1.1 and 2.2.1.1.2.
const (
	maximumAllowed    = 0x02000000
	policyLookupNames = 0x00000800
)

// probeLSA asks the local security authority for the caller's name, the domain, its trusts, and the names of SIDs.
func probeLSA(ctx context.Context, t *talk) {
	lsa := dcerpc.LSAClient{Client: t.client}
	who, err := lsa.GetUserName(ctx, "")
	if a := t.nt("LsarGetUserName", err); a.ok() {
		name := who.User.Text()
		if domain := who.Domain.Text(); domain != "" {
			name = domain + `\` + name
		}
		a.gave(1, name)
		t.seenAs(name)
	}
	if t.lost != nil || t.quick {
		return
	}
	policy, err := lsa.OpenPolicy2(ctx, "", maximumAllowed)
	a := t.nt("LsarOpenPolicy2", err)
	if a.denied() {
		// Translating names needs less access than reading the policy.
		policy, err = lsa.OpenPolicy2(ctx, "", policyLookupNames)
		a = t.nt("LsarOpenPolicy2", err)
		a.Detail = "to look up names alone"
	}
	if !a.ok() {
		a.ends()
		return
	}
	a.gave(1)
	defer t.giveBack(func() error { _, err := lsa.Close(ctx, policy.Handle); return err })
	t.ahead(ctx, 2)
	domain := t.lsaDomain(ctx, lsa, policy.Handle)
	if t.lost != nil {
		return
	}
	t.beside(ctx,
		func(t *talk) { t.lsaTrusts(ctx, policy.Handle) },
		func(t *talk) { t.lsaAccounts(ctx, policy.Handle) },
		func(t *talk) { t.cycle(ctx, policy.Handle, domain) })
}

// lsaTrusts asks for the domain's trusts.
func (t *talk) lsaTrusts(ctx context.Context, policy dcerpc.Handle) {
	sum, err := pages(func(resume uint32) (page, error) {
		r, err := dcerpc.LSAClient{Client: t.client}.EnumerateTrusts(ctx, policy, resume)
		if err != nil {
			return page{}, err
		}
		p := page{resume: r.Resume, more: r.More()}
		for _, d := range r.Domains {
			p.names = append(p.names, text(d.Name))
		}
		return p, nil
	})
	t.nt("LsarEnumerateTrustedDomainsEx", err).gave(sum.count, sum.names...).more(sum.more)
}

// lsaAccounts asks for the accounts with rights on the server.
func (t *talk) lsaAccounts(ctx context.Context, policy dcerpc.Handle) {
	sum, err := pages(func(resume uint32) (page, error) {
		r, err := dcerpc.LSAClient{Client: t.client}.EnumerateAccounts(ctx, policy, resume)
		if err != nil {
			return page{}, err
		}
		p := page{resume: r.Resume, more: r.More(), count: len(r.SIDs)}
		for _, s := range r.SIDs {
			if s != nil {
				p.names = append(p.names, s.String())
			}
		}
		return p, nil
	})
	t.nt("LsarEnumerateAccounts", err).gave(sum.count, sum.names...).more(sum.more)
}

// lsaDomain finds the SID of the server's account domain: by asking, or by looking up the server's own name.
func (t *talk) lsaDomain(ctx context.Context, lsa dcerpc.LSAClient, policy dcerpc.Handle) *dcerpc.SID {
	r, err := lsa.QueryPolicy(ctx, policy, dcerpc.PolicyAccountDomain)
	a := t.nt("LsarQueryInformationPolicy", err)
	if a.ok() && r.Domain != nil && r.Domain.SID != nil {
		a.gave(1, text(r.Domain.Name)+" "+r.Domain.SID.String())
		return r.Domain.SID
	}
	if a.ok() {
		a.gave(0)
	}
	name := t.serverName()
	if t.lost != nil || name == "" {
		return nil
	}
	found, err := lsa.LookupNames(ctx, policy, name)
	a = t.nt("LsarLookupNames", err)
	if !a.ok() {
		return nil
	}
	if found.Domains == nil || len(found.Domains.Domains) == 0 || found.Domains.Domains[0].SID == nil {
		a.gave(0)
		return nil
	}
	sid := found.Domains.Domains[0].SID
	a.gave(1, name+" "+sid.String())
	return sid
}

// cycle translates SIDs: well-known RIDs, then the first ones that a server assigns. If the domain is unknown, it asks
// for a group that every server has: that only shows whether the call is refused.
func (t *talk) cycle(ctx context.Context, policy dcerpc.Handle, domain *dcerpc.SID) {
	lsa := dcerpc.LSAClient{Client: t.client}
	if domain == nil {
		administrators := dcerpc.SID{Revision: 1, Authority: [6]byte{5: 5}, SubAuthorities: []uint32{32, 544}}
		_, err := lsa.LookupSIDs(ctx, policy, []dcerpc.SID{administrators})
		t.nt("LsarLookupSids", err).gave(0)
		return
	}
	var sids []dcerpc.SID
	for _, rid := range []uint32{500, 501, 502, 503, 512, 513, 514, 515, 516, 517, 518, 519, 520} {
		sids = append(sids, domain.Child(rid))
	}
	for rid := uint32(1000); len(sids) < maxSIDs; rid++ {
		sids = append(sids, domain.Child(rid))
	}
	r, err := lsa.LookupSIDs(ctx, policy, sids)
	a := t.nt("LsarLookupSids", err)
	if !a.ok() {
		return
	}
	var names []string
	for _, n := range r.Names {
		// 1 to 4: user, group, domain, alias; well-known, deleted and unknown names say nothing about this server
		if n.Use >= 1 && n.Use <= 4 && text(n.Name) != "" {
			names = append(names, text(n.Name))
		}
	}
	a.gave(len(names), names...)
	if len(names) == 0 {
		a.Discloses = model.DisclosesNothing
	}
	t.limit(model.Limit{
		Limit: model.LimitSIDs, Identity: t.id, Of: "LsarLookupSids", Tried: len(sids),
		Why: fmt.Sprintf("%d numbers (RIDs 500 to 520 and from 1000 on) were turned into names; accounts beyond have "+
			"others", len(sids)),
	})
}

// seenAs records who the server thinks the caller is.
func (t *talk) seenAs(name string) {
	t.host.lock.Lock()
	defer t.host.lock.Unlock()
	if t.ladder.result.SeenAs == "" {
		t.ladder.result.SeenAs = strings.TrimPrefix(name, `\`)
	}
}
