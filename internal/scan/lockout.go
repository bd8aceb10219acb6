package scan

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"ipcguard/internal/dcerpc"
	"ipcguard/internal/smb"
)

// lockable returns why a refused logon of the account is too risky; empty if it is harmless. A server discloses only
// the policy of its own accounts, so that of a domain account must come from its controller, or from the caller.
func (h *host) lockable(ctx context.Context, s smb.Session) string {
	threshold, why := 0, ""
	if given := h.o.Weak.Threshold; given != nil {
		threshold = *given
	} else if threshold, why = h.threshold(ctx, s); why != "" {
		return "after how many wrong passwords the account is locked is not known (" + why +
			"), and the logon may count as one"
	}
	if threshold > 0 && threshold < minThreshold {
		return fmt.Sprintf("the account is locked by the wrong password number %d, and the logon may count as one",
			threshold)
	}
	return ""
}

// threshold returns the lockout threshold of the account, 0 for none, or why it cannot be read.
func (h *host) threshold(ctx context.Context, s smb.Session) (n int, why string) {
	own, err := ownPolicy(ctx, s, `\\`+h.target.Addr.Addr().String())
	if err != nil {
		return 0, plain(err)
	}
	h.lock.Lock()
	netBIOS, dns := h.hearing.target.NetBIOSDomain, h.hearing.target.DNSDomain
	h.lock.Unlock()
	switch d := h.o.Weak.Domain; {
	case strings.EqualFold(d, own.domain), d == ".":
	case !strings.EqualFold(netBIOS, own.domain): // a member: a controller checks its domain's accounts
		return 0, "the server keeps the policy of its own accounts alone"
	case d != "" && !strings.EqualFold(d, dns):
		return 0, "the account is of another domain"
	}
	return own.threshold, ""
}

// policy is a lockout policy and the accounts that it applies to.
type policy struct {
	domain    string
	threshold int
}

// ownPolicy reads the lockout policy of a server's own accounts.
func ownPolicy(ctx context.Context, s smb.Session, server string) (p policy, err error) {
	tree, err := s.TreeConnect(ctx, "IPC$")
	if err != nil {
		return p, err
	}
	pipe, err := tree.OpenPipe(ctx, "samr")
	if err != nil {
		return p, err
	}
	defer func() { _ = pipe.Close(ctx) }() // it ends with the connection
	client := dcerpc.NewClient(pipe)
	results, err := client.Bind(ctx, dcerpc.SAMR)
	if err != nil {
		return p, err
	}
	if !results[0].Accepted {
		return p, fmt.Errorf("samr is not bound: %s", results[0])
	}
	sam := dcerpc.SAMRClient{Client: client}
	var handle dcerpc.Handle
	for _, c := range samConnects(ctx, sam, server) {
		if handle, err = c.call(); err == nil {
			break
		}
	}
	if err != nil {
		return p, err
	}
	list, err := sam.EnumerateDomains(ctx, handle, 0)
	if err != nil {
		return p, err
	}
	for _, e := range list.Entries {
		if name := text(e.Name); !strings.EqualFold(name, "Builtin") {
			p.domain = name
			break
		}
	}
	found, err := sam.LookupDomain(ctx, handle, p.domain)
	if err != nil {
		return p, err
	}
	if found.SID == nil {
		return p, errors.New("samr has no identifier for the domain of its accounts")
	}
	domain, err := sam.OpenDomain(ctx, handle, samDomainPolicy, *found.SID)
	if err != nil {
		return p, err
	}
	answer, err := sam.QueryDomain(ctx, domain.Handle, dcerpc.DomainLockout)
	if err != nil {
		return p, err
	}
	if answer.Lockout == nil {
		return p, errors.New("samr gave no lockout policy")
	}
	p.threshold = int(answer.Lockout.Threshold)
	return p, nil
}
