package scan

import (
	"context"
	"fmt"

	"ipcguard/internal/dcerpc"
	"ipcguard/internal/model"
)

// probeServer asks the server service for shares, sessions and server information, then tries the listed disk shares.
func probeServer(ctx context.Context, t *talk) {
	server := t.unc()
	t.beside(ctx,
		func(t *talk) { t.listShares(ctx) },
		func(t *talk) {
			info, err := dcerpc.SRVSVCClient{Client: t.client}.ServerGetInfo(ctx, server, 101)
			if a := t.win("NetrServerGetInfo", err); a.ok() && info.Info != nil {
				a.gave(1, fmt.Sprintf("%s, version %d.%d", text(info.Info.Name), info.Info.Major, info.Info.Minor))
				t.host.lock.Lock()
				t.hearing.comment = text(info.Info.Comment)
				t.host.lock.Unlock()
			}
		},
		func(t *talk) {
			tod, err := dcerpc.SRVSVCClient{Client: t.client}.RemoteTOD(ctx, server)
			if a := t.win("NetrRemoteTOD", err); a.ok() && tod.Time != nil {
				a.gave(1)
			}
		},
		func(t *talk) {
			sum, err := pages(func(resume uint32) (page, error) {
				r, err := dcerpc.SRVSVCClient{Client: t.client}.SessionEnum(ctx, server, 10, resume)
				if err != nil {
					return page{}, err
				}
				p := page{more: r.More(), resume: value(r.Resume), count: len(r.Entries)}
				for _, s := range r.Entries {
					p.names = append(p.names, text(s.User)+" at "+text(s.Client))
				}
				return p, nil
			})
			t.win("NetrSessionEnum", err).gave(sum.count, sum.names...).more(sum.more)
		})
}

// listShares asks for the shares, and has the disk shares among them tried.
func (t *talk) listShares(ctx context.Context) {
	var disks []shareName
	sum, err := pages(func(resume uint32) (page, error) {
		r, err := dcerpc.SRVSVCClient{Client: t.client}.ShareEnum(ctx, t.unc(), 1, resume)
		if err != nil {
			return page{}, err
		}
		p := page{more: r.More(), resume: value(r.Resume), count: len(r.Entries)}
		for _, s := range r.Entries {
			p.names = append(p.names, text(s.Name))
		}
		disks = append(disks, disksOf(r.Entries)...)
		return p, nil
	})
	t.win("NetrShareEnum", err).gave(sum.count, sum.names...).more(sum.more)
	if sum.more {
		t.unlisted = true
	}
	if len(disks) > 0 {
		t.learn(disks)
		session := t.session
		t.later(func() { t.shares(ctx, session, disks) })
	}
}

// unc returns the server's name for RPC calls.
func (t *talk) unc() string { return `\\` + t.target.Addr.Addr().String() }

func value(p *uint32) uint32 {
	if p == nil {
		return 0
	}
	return *p
}

// probeWorkstation asks the workstation service for the host's names, the logged-on users, and the network cards.
func probeWorkstation(ctx context.Context, t *talk) {
	server := t.unc()
	t.beside(ctx,
		func(t *talk) {
			info, err := dcerpc.WKSSVCClient{Client: t.client}.GetInfo(ctx, server, 100)
			if a := t.win("NetrWkstaGetInfo", err); a.ok() && info.Info != nil {
				a.gave(1, fmt.Sprintf("%s in %s, version %d.%d", text(info.Info.Name), text(info.Info.Domain),
					info.Info.Major, info.Info.Minor))
			}
		},
		func(t *talk) { t.loggedOn(ctx) },
		func(t *talk) {
			sum, err := pages(func(resume uint32) (page, error) {
				r, err := dcerpc.WKSSVCClient{Client: t.client}.TransportEnum(ctx, server, resume)
				if err != nil {
					return page{}, err
				}
				p := page{more: r.More(), resume: value(r.Resume), count: len(r.Entries)}
				for _, n := range r.Entries {
					p.names = append(p.names, text(n.Name)+" "+text(n.Address))
				}
				return p, nil
			})
			t.win("NetrWkstaTransportEnum", err).gave(sum.count, sum.names...).more(sum.more)
		},
		func(t *talk) {
			join, err := dcerpc.WKSSVCClient{Client: t.client}.GetJoinInformation(ctx, server)
			if a := t.win("NetrGetJoinInformation", err); a.ok() {
				a.gave(1, text(join.Name))
			}
		})
}

// loggedOn asks for the logged-on users.
func (t *talk) loggedOn(ctx context.Context) {
	users := func(level uint32) (page, error) {
		return pages(func(resume uint32) (page, error) {
			r, err := dcerpc.WKSSVCClient{Client: t.client}.UserEnum(ctx, t.unc(), level, resume)
			if err != nil {
				return page{}, err
			}
			p := page{more: r.More(), resume: value(r.Resume), count: len(r.Entries)}
			for _, u := range r.Entries {
				p.names = append(p.names, text(u.LogonDomain)+`\`+text(u.User))
			}
			return p, nil
		})
	}
	sum, err := users(1)
	if outcome, _, _, _ := callOutcome(err); outcome == model.Absent { // Samba domain controllers have only level 0
		sum, err = users(0)
	}
	t.win("NetrWkstaUserEnum", err).gave(sum.count, sum.names...).more(sum.more)
}
