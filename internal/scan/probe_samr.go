package scan

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"ipcguard/internal/dcerpc"
	"ipcguard/internal/model"
	"ipcguard/internal/status"
)

// The access that the questions below need. See [MS-SAMR] 2.2.1.3 and 2.2.1.4.
const (
	samServerRead = 0x00000001 | 0x00000010 | 0x00000020 // connect, enumerate domains, look up domain
	// password parameters, other parameters, list accounts, look up
	samDomainRead = 0x00000001 | 0x00000004 | 0x00000100 | 0x00000200
	samDomainList = 0x00000100 | 0x00000200

	samDomainPolicy = 0x00000001 // password and lockout parameters
)

// probeSAMR asks the account database for its accounts, groups and password policy.
func probeSAMR(ctx context.Context, t *talk) {
	t.beside(ctx, func(t *talk) {
		policy, err := dcerpc.SAMRClient{Client: t.client}.GetDomainPassword(ctx)
		if a := t.nt("SamrGetDomainPasswordInformation", err); a.ok() {
			a.gave(1, fmt.Sprintf("minimum length %d", policy.MinLength))
		}
	}, func(t *talk) { t.samServer(ctx) })
}

// samServer connects, and continues with the accounts' domain.
func (t *talk) samServer(ctx context.Context) {
	sam := dcerpc.SAMRClient{Client: t.client}
	server, ok := t.samConnect(ctx, sam)
	if !ok {
		return
	}
	defer t.giveBack(func() error { _, err := sam.CloseHandle(ctx, server); return err })
	t.ahead(ctx, samQuestions)
	name := ""
	enumerate := func(t *talk) {
		sum, err := pages(func(resume uint32) (page, error) {
			r, err := dcerpc.SAMRClient{Client: t.client}.EnumerateDomains(ctx, server, resume)
			if err != nil {
				return page{}, err
			}
			return namesOf(r), nil
		})
		t.nt("SamrEnumerateDomainsInSamServer", err).gave(sum.count, sum.names...).more(sum.more)
		if i := slices.IndexFunc(sum.names, func(d string) bool { return !strings.EqualFold(d, "Builtin") }); i >= 0 {
			name = sum.names[i]
		}
	}
	if guess := t.ownDomain(); guess != "" && t.spread() {
		found := false
		t.beside(ctx, enumerate, func(t *talk) { found = t.samAccounts(ctx, server, guess) })
		if found || name == "" || strings.EqualFold(name, guess) {
			return
		}
	} else {
		enumerate(t)
	}
	if t.lost == nil {
		t.samAccounts(ctx, server, cmp.Or(name, t.serverName()))
	}
}

// samAccounts opens a domain and asks for its data. It reports whether the domain exists.
func (t *talk) samAccounts(ctx context.Context, server dcerpc.Handle, name string) (found bool) {
	sam := dcerpc.SAMRClient{Client: t.client}
	known, err := sam.LookupDomain(ctx, server, name)
	a := t.nt("SamrLookupDomainInSamServer", err)
	if !a.ok() || known.SID == nil {
		a.ends()
		return false
	}
	a.gave(1, name+" "+known.SID.String())
	domain, err := sam.OpenDomain(ctx, server, samDomainRead, *known.SID)
	a = t.nt("SamrOpenDomain", err)
	if a.denied() {
		domain, err = sam.OpenDomain(ctx, server, samDomainList, *known.SID)
		a = t.nt("SamrOpenDomain", err)
		a.Detail = "to list and look up alone"
	}
	if !a.ok() {
		a.ends()
		return true
	}
	a.gave(1)
	defer t.giveBack(func() error { _, err := sam.CloseHandle(ctx, domain.Handle); return err })
	t.samDomain(ctx, domain.Handle)
	return true
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
		// A server that knows the call and refuses it would refuse the older ones too.
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

// samConnects returns the calls that open the server, the newest first.
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

// samQuestions is the number of questions for an open domain.
const samQuestions = 5

// samDomain asks for all data of an open domain.
func (t *talk) samDomain(ctx context.Context, domain dcerpc.Handle) {
	list := func(name string, read func(sam dcerpc.SAMRClient, resume uint32) (*dcerpc.SamrEnumerateResponse,
		error),
	) func(*talk) {
		return func(t *talk) {
			sum, err := pages(func(resume uint32) (page, error) {
				r, err := read(dcerpc.SAMRClient{Client: t.client}, resume)
				if err != nil {
					return page{}, err
				}
				return namesOf(r), nil
			})
			t.nt(name, err).gave(sum.count, sum.names...).more(sum.more)
		}
	}
	questions := [samQuestions]func(*talk){
		list("SamrEnumerateUsersInDomain", func(sam dcerpc.SAMRClient, n uint32) (*dcerpc.SamrEnumerateResponse,
			error,
		) {
			return sam.EnumerateUsers(ctx, domain, n, 0)
		}),
		list("SamrEnumerateGroupsInDomain", func(sam dcerpc.SAMRClient, n uint32) (*dcerpc.SamrEnumerateResponse,
			error,
		) {
			return sam.EnumerateGroups(ctx, domain, n)
		}),
		list("SamrEnumerateAliasesInDomain", func(sam dcerpc.SAMRClient, n uint32) (*dcerpc.SamrEnumerateResponse,
			error,
		) {
			return sam.EnumerateAliases(ctx, domain, n)
		}),
		func(t *talk) { t.samDisplay(ctx, domain) },
		func(t *talk) {
			policy, err := dcerpc.SAMRClient{Client: t.client}.QueryDomain(ctx, domain, dcerpc.DomainPassword)
			if a := t.nt("SamrQueryInformationDomain", err); a.ok() && policy.Password != nil {
				a.gave(1, fmt.Sprintf("minimum length %d, history %d", policy.Password.MinLength,
					policy.Password.History))
			}
		},
	}
	t.beside(ctx, questions[:]...)
}

// samDisplay lists accounts with another call, which servers may allow if they refuse the first.
func (t *talk) samDisplay(ctx context.Context, domain dcerpc.Handle) {
	display, err := dcerpc.SAMRClient{Client: t.client}.QueryDisplay(ctx, domain, 1, 0, 1000)
	a := t.nt("SamrQueryDisplayInformation", err)
	if !a.ok() {
		return
	}
	var names []string
	for _, e := range display.Entries {
		names = append(names, text(e.Name))
	}
	a.gave(len(display.Entries), names...).more(display.More())
}
