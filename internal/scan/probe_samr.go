package scan

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"ipcguard/internal/dcerpc"
	"ipcguard/internal/model"
	"ipcguard/internal/status"
)

// The access that the questions below need. See [MS-SAMR] 2.2.1.3 and 2.2.1.4.
const (
	samServerRead = 0x00000001 | 0x00000010 | 0x00000020              // connect, enumerate domains, look up domain
	samDomainRead = 0x00000001 | 0x00000004 | 0x00000100 | 0x00000200 // password parameters, other parameters, list accounts, look up
	samDomainList = 0x00000100 | 0x00000200

	samDomainPolicy = 0x00000001 // password and lockout parameters
)

// probeSAMR asks the account database for its accounts, groups and password policy.
func probeSAMR(ctx context.Context, t *talk) {
	sam := dcerpc.SAMRClient{Client: t.client}
	policy, err := sam.GetDomainPassword(ctx)
	if a := t.nt("SamrGetDomainPasswordInformation", err); a.ok() {
		a.gave(1, fmt.Sprintf("minimum length %d", policy.MinLength))
	}
	if t.lost != nil {
		return
	}
	server, ok := t.samConnect(ctx, sam)
	if !ok {
		return
	}
	defer t.giveBack(func() error { _, err := sam.CloseHandle(ctx, server); return err })
	var domains []string
	sum, err := pages(func(resume uint32) (page, error) {
		r, err := sam.EnumerateDomains(ctx, server, resume)
		if err != nil {
			return page{}, err
		}
		return namesOf(r), nil
	})
	a := t.nt("SamrEnumerateDomainsInSamServer", err)
	domains = sum.names
	a.gave(sum.count, sum.names...).more(sum.more)
	if t.lost != nil {
		return
	}
	name := ""
	for _, d := range domains {
		if !strings.EqualFold(d, "Builtin") {
			name = d
			break
		}
	}
	if name == "" {
		name = t.serverName()
	}
	found, err := sam.LookupDomain(ctx, server, name)
	a = t.nt("SamrLookupDomainInSamServer", err)
	if !a.ok() || found.SID == nil {
		a.ends()
		return
	}
	a.gave(1, name+" "+found.SID.String())
	domain, err := sam.OpenDomain(ctx, server, samDomainRead, *found.SID)
	a = t.nt("SamrOpenDomain", err)
	if a.denied() {
		domain, err = sam.OpenDomain(ctx, server, samDomainList, *found.SID)
		a = t.nt("SamrOpenDomain", err)
		a.Detail = "to list and look up alone"
	}
	if !a.ok() {
		a.ends()
		return
	}
	a.gave(1)
	defer t.giveBack(func() error { _, err := sam.CloseHandle(ctx, domain.Handle); return err })
	t.samDomain(ctx, sam, domain.Handle)
}

// samConnect opens the server with the newest call that it knows.
func (t *talk) samConnect(ctx context.Context, sam dcerpc.SAMRClient) (dcerpc.Handle, bool) {
	for _, try := range samConnects(ctx, sam, `\\`+t.target.Addr.Addr().String()) {
		h, err := try.call()
		a := t.nt(try.name, err)
		if a.ok() {
			a.gave(1)
			return h, true
		}
		// A server that knows the call and refuses would refuse the older ones too.
		var fault status.Fault
		if a.Outcome != model.Absent && !errors.As(err, &fault) || t.lost != nil || a.denied() {
			a.ends()
			break
		}
	}
	return dcerpc.Handle{}, false
}

// samConnect is one of the calls that open the server.
type samConnect struct {
	name string
	call func() (dcerpc.Handle, error)
}

// samConnects are the calls that open the server, the newest first.
func samConnects(ctx context.Context, sam dcerpc.SAMRClient, server string) []samConnect {
	return []samConnect{
		{"SamrConnect5", func() (dcerpc.Handle, error) {
			r, err := sam.Connect5(ctx, server, samServerRead)
			if err != nil {
				return dcerpc.Handle{}, err
			}
			return r.Handle, nil
		}},
		{"SamrConnect4", func() (dcerpc.Handle, error) { return handleOf(sam.Connect4(ctx, server, samServerRead)) }},
		{"SamrConnect2", func() (dcerpc.Handle, error) { return handleOf(sam.Connect2(ctx, server, samServerRead)) }},
		{"SamrConnect", func() (dcerpc.Handle, error) { return handleOf(sam.Connect(ctx, samServerRead)) }},
	}
}

func handleOf(r *dcerpc.NTHandleResponse, err error) (dcerpc.Handle, error) {
	if err != nil {
		return dcerpc.Handle{}, err
	}
	return r.Handle, nil
}

func namesOf(r *dcerpc.SamrEnumerateResponse) page {
	p := page{resume: r.Resume, more: r.More(), count: len(r.Entries)}
	for _, e := range r.Entries {
		p.names = append(p.names, text(e.Name))
	}
	return p
}

// samDomain lists what an open domain gives.
func (t *talk) samDomain(ctx context.Context, sam dcerpc.SAMRClient, domain dcerpc.Handle) {
	for _, list := range []struct {
		name string
		read func(resume uint32) (*dcerpc.SamrEnumerateResponse, error)
	}{
		{"SamrEnumerateUsersInDomain", func(n uint32) (*dcerpc.SamrEnumerateResponse, error) { return sam.EnumerateUsers(ctx, domain, n, 0) }},
		{"SamrEnumerateGroupsInDomain", func(n uint32) (*dcerpc.SamrEnumerateResponse, error) { return sam.EnumerateGroups(ctx, domain, n) }},
		{"SamrEnumerateAliasesInDomain", func(n uint32) (*dcerpc.SamrEnumerateResponse, error) { return sam.EnumerateAliases(ctx, domain, n) }},
	} {
		sum, err := pages(func(resume uint32) (page, error) {
			r, err := list.read(resume)
			if err != nil {
				return page{}, err
			}
			return namesOf(r), nil
		})
		t.nt(list.name, err).gave(sum.count, sum.names...).more(sum.more)
		if t.lost != nil {
			return
		}
	}
	display, err := sam.QueryDisplay(ctx, domain, 1, 0, 1000)
	if a := t.nt("SamrQueryDisplayInformation", err); a.ok() {
		var names []string
		for _, e := range display.Entries {
			names = append(names, text(e.Name))
		}
		a.gave(len(display.Entries), names...).more(display.More())
	}
	if t.lost != nil {
		return
	}
	policy, err := sam.QueryDomain(ctx, domain, dcerpc.DomainPassword)
	if a := t.nt("SamrQueryInformationDomain", err); a.ok() && policy.Password != nil {
		a.gave(1, fmt.Sprintf("minimum length %d, history %d", policy.Password.MinLength, policy.Password.History))
	}
}
