package scan

import (
	"context"
	"slices"
	"strings"

	"ipcguard/internal/dcerpc"
	"ipcguard/internal/model"
	"ipcguard/internal/smb"
)

const (
	// maxShares bounds the disk shares that one identity tries: each costs a tree connect and an open. Servers with
	// home shares have thousands.
	maxShares = 256
	// sharesAtOnce is the number of shares tried at a time: with a server's usual credits more would only wait.
	sharesAtOnce = 64
)

// shareName is a disk share to try, and how it is known.
type shareName struct {
	name    string
	named   bool // by the user
	special bool // created by the system, such as C$
}

// fold makes share names comparable. See [MS-SRVS] 3.1.1.1: they are not case-sensitive.
func fold(name string) string { return strings.ToLower(name) }

// named are the shares that the user named.
func (h *host) named() []shareName {
	var out []shareName
	for _, n := range h.o.Shares {
		out = append(out, shareName{name: n, named: true})
	}
	return out
}

// learn records the disk shares that one identity could list, so that the others can try them too.
func (h *host) learn(list []shareName) {
	h.lock.Lock()
	defer h.lock.Unlock()
	for _, s := range list {
		if !h.heard[fold(s.name)] {
			h.heard[fold(s.name)] = true
			h.listed = append(h.listed, s)
		}
	}
}

// shares tries disk shares: a tree connect, and opening the root folder for reading. Nothing is listed or written.
// Shares with an answer are skipped; those without room or time are counted.
func (l *ladder) shares(ctx context.Context, session smb.Session, list []shareName) {
	list = l.untried(list)
	for len(list) > 0 && ctx.Err() == nil {
		n := min(len(list), sharesAtOnce)
		l.parallel(n, func(i int) { l.keep(list[i], l.share(ctx, session, list[i])) })
		list = list[n:]
	}
}

// untried returns the shares without an answer for the identity, as many as there is room for, and records the names of
// all.
func (l *ladder) untried(list []shareName) []shareName {
	l.host.lock.Lock()
	defer l.host.lock.Unlock()
	if l.tried == nil {
		l.tried = map[string]model.Outcome{}
	}
	var out []shareName
	for _, s := range list {
		o := l.tried[fold(s.name)]
		switch {
		case o != "" && o != model.NotTested && o != model.Inconclusive:
		case l.room <= 0:
			if o == "" {
				l.tried[fold(s.name)] = model.NotTested
			}
		default:
			l.room--
			l.attempts = slices.DeleteFunc(l.attempts,
				func(a attempt) bool { return fold(a.share.name) == fold(s.name) })
			l.tried[fold(s.name)] = underWay
			out = append(out, s)
		}
	}
	return out
}

// underWay is a share that is being tried.
const underWay model.Outcome = "under-way"

// keep records the outcome of a share.
func (l *ladder) keep(s shareName, r model.ShareResult) {
	l.host.lock.Lock()
	defer l.host.lock.Unlock()
	outcome := r.Tree.Outcome
	switch {
	case outcome == model.Allowed && r.Type == "printer", outcome == model.Allowed && r.Type == "pipe":
		outcome = model.Absent // no disk share has this name
	case outcome == model.Allowed:
		outcome = r.Open.Outcome
	}
	l.tried[fold(s.name)] = outcome
	l.attempts = append(l.attempts, attempt{s, r})
}

// attempt is a share with its outcome.
type attempt struct {
	share  shareName
	result model.ShareResult
}

// tally adds the shares to the result: named ones first, then by name, so that the order does not depend on timing.
func (l *ladder) tally() {
	slices.SortFunc(l.attempts, func(a, b attempt) int {
		if a.share.named != b.share.named {
			if a.share.named {
				return -1
			}
			return 1
		}
		return strings.Compare(fold(a.share.name), fold(b.share.name))
	})
	for _, a := range l.attempts {
		l.result.Shares = append(l.result.Shares, a.result)
	}
	for _, o := range l.tried {
		if o == model.NotTested || o == underWay {
			l.result.SharesLeft++
		}
	}
	if l.unlisted {
		l.result.SharesLeft++ // at least
	}
}

// share tries one.
func (l *ladder) share(ctx context.Context, session smb.Session, s shareName) model.ShareResult {
	r := model.ShareResult{Type: "disk", Named: s.named, Open: model.Step{Outcome: model.NotTested}}
	if s.special {
		r.Type = "administrative disk"
	}
	if l.o.ShowNames || s.named {
		r.Name = s.name
	}
	tree, err := session.TreeConnect(ctx, s.name)
	if r.Tree = layerStep(model.LayerTree, err); err != nil {
		return r
	}
	if kind := tree.Info().ShareType; kind != smb.ShareDisk {
		r.Type, r.Open.Detail = "printer", "no disk share"
		if kind == smb.SharePipe {
			r.Type = "pipe"
		}
		return r
	}
	root, err := tree.OpenRoot(ctx)
	if r.Open = layerStep(model.LayerOpen, err); err == nil {
		_ = root.Close(ctx)
	}
	return r
}

// cutOff tries named shares of a server that drops a null session at its next request, each on its own connection.
// Dropping those too is the server's way of refusing, if it is known that it refuses like that. An answer shows that it
// does not.
func (l *ladder) cutOff(ctx context.Context, list []shareName) {
	for i, s := range l.untried(list) {
		if i >= maxReconnects || ctx.Err() != nil {
			return
		}
		r := model.ShareResult{Type: "disk", Name: s.name, Named: s.named, Open: model.Step{Outcome: model.NotTested}}
		r.Tree = model.Step{Outcome: model.Inconclusive}
		conn, err := l.connect(ctx, l.meter, l.same())
		if err == nil {
			var session smb.Session
			if session, err = l.logOnAgain(ctx, conn); err == nil {
				switch r = l.share(ctx, session, s); {
				case l.result.ClosedBy == "":
				case r.Tree.Outcome != model.Inconclusive:
					l.noRefusal(cutAnswered)
				default:
					r.Tree = model.Step{
						Outcome: model.Denied,
						Detail:  "the connection is dropped, as at every first request of a null session here",
					}
				}
			}
			conn.Close()
		}
		if err != nil {
			r.Tree.Detail = plain(err)
		}
		l.keep(s, r)
	}
}

// lend lets strangers try the shares that another identity could list. The made-up user logs on only once: for it they
// are counted as not tried.
func (h *host) lend(ctx context.Context, ladders []*ladder) {
	for _, l := range ladders {
		if !l.id.IsStranger() || l.result.Session.Outcome != model.Allowed || l.result.ClosedBy != "" ||
			len(h.listed) == 0 {
			continue
		}
		list := slices.DeleteFunc(slices.Clone(h.listed),
			func(s shareName) bool { _, tried := l.tried[fold(s.name)]; return tried })
		if len(list) == 0 {
			continue
		}
		if l.id == model.UnknownUser || l.borrow(ctx, list) != nil {
			l.room = 0
			l.untried(list)
		}
	}
}

func (l *ladder) borrow(ctx context.Context, list []shareName) error {
	conn, err := l.connect(ctx, l.meter, l.same())
	if err != nil {
		return err
	}
	defer conn.Close()
	session, err := l.logOnAgain(ctx, conn)
	if err != nil {
		return err
	}
	l.shares(ctx, session, list)
	return nil
}

// disksOf returns the disk shares of a list.
func disksOf(entries []dcerpc.ShareInfo) []shareName {
	var out []shareName
	for _, s := range entries {
		if name := text(s.Name); s.Type&^dcerpc.ShareSpecial == dcerpc.ShareDisk && name != "" {
			out = append(out, shareName{name: name, special: s.Type&dcerpc.ShareSpecial != 0})
		}
	}
	return out
}
