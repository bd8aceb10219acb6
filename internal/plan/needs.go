package plan

import (
	"fmt"
	"slices"
	"strings"

	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
)

// needs is what must keep working, and what strangers must keep because of it.
type needs struct {
	declared []*catalog.Service // by the administrator
	found    []*catalog.Service // by the audit, not disabled
	pipes    map[string]string  // by comparable name: why strangers must keep opening it
	shares   map[string]string  // by name in lower case: why strangers must keep it
	sessions []model.Identity   // strangers who must still be let in, because of a share
}

func (n *needs) pipe(name string) bool  { _, ok := n.pipes[catalog.PipeName(name)]; return ok }
func (n *needs) share(name string) bool { _, ok := n.shares[strings.ToLower(name)]; return ok }

// nothing reports whether strangers need nothing.
func (n *needs) nothing() bool { return len(n.pipes) == 0 && len(n.sessions) == 0 }

// declares and finds report whether a service is declared, or found on the host.
func (n *needs) declares(id string) bool {
	return slices.ContainsFunc(n.declared, func(s *catalog.Service) bool { return s.ID == id })
}

func (n *needs) finds(id string) bool {
	return slices.ContainsFunc(n.found, func(s *catalog.Service) bool { return s.ID == id })
}

// findService accepts the names that people use: in any case, and with - or _ for a blank.
func findService(c *catalog.Catalog, name string) *catalog.Service {
	for _, n := range []string{
		name, strings.ReplaceAll(name, "-", " "), strings.ReplaceAll(name, "_", " "),
		strings.ReplaceAll(name, "-", "_"),
	} {
		if s := c.Service(n); s != nil {
			return s
		}
	}
	return nil
}

// readNeeds finds what must stay open to strangers: by declaration, and by observation if no data is behind it.
func (w *work) readNeeds() error {
	n := &w.needs
	n.pipes, n.shares = map[string]string{}, map[string]string{}
	for _, name := range w.e.Policy.Needs {
		kind, rest, _ := strings.Cut(name, ":")
		switch strings.ToLower(kind) {
		case "pipe":
			n.pipes[catalog.PipeName(rest)] = "declared: strangers need this pipe"
			continue
		case "share":
			n.shares[strings.ToLower(rest)] = "declared: strangers need this share"
			n.sessions = append(n.sessions, model.Guest, model.UnknownUser)
			continue
		}
		s := findService(w.c, name)
		if s == nil {
			return &InputError{
				fmt.Sprintf("%q is no service of the catalog", name),
				"ipcguard explain lists them; pipe:NAME and share:NAME keep a single door open to strangers",
			}
		}
		if !n.declares(s.ID) {
			n.declared = append(n.declared, s)
		}
	}
	for i := range w.e.Audit.Services {
		a := &w.e.Audit.Services[i]
		if s := w.c.Service(a.ID); s != nil && a.Running != "disabled" && a.Running != "no" && !n.finds(s.ID) {
			n.found = append(n.found, s)
		}
	}
	for _, s := range n.declared {
		w.needAnonymous(s, "declared")
	}
	for _, s := range n.found {
		// A part of Windows itself is on every host and says nothing about use; the role covers these.
		if s.Anonymous == "legacy" && w.documented(s) {
			w.needAnonymous(s, "found on this host")
		}
	}
	w.needObserved()
	return nil
}

// needAnonymous adds the pipes that a service needs without credentials on this host, or the reason why it needs none.
func (w *work) needAnonymous(s *catalog.Service, how string) {
	need := w.c.NeedOf(s)
	needed := need.Controllers && (w.platform.Role == model.DomainController || w.classic()) || w.documented(s)
	if need.On != nil && w.platform.System != "" {
		_, possible := w.c.Fit(*need.On, w.platform)
		needed = needed || possible
	}
	for _, p := range s.Pipes {
		if needed {
			n := &w.needs
			if name := catalog.PipeName(p); n.pipes[name] == "" {
				n.pipes[name] = fmt.Sprintf("%s: %s needs it without credentials on this host", how, s.Title)
			}
		}
	}
}

// classic reports whether this is a controller of an NT 4.0 domain, whose role nobody has declared to be another.
func (w *work) classic() bool {
	on, known := w.effective("domain logons")
	unknown := w.platform.Role == "" || w.platform.Role == model.UnknownRole
	return w.platform.System == "samba" && unknown && known && on == true
}

// documented reports whether a document says that the service stops here once its names leave the list of pipes.
func (w *work) documented(s *catalog.Service) bool {
	list := w.c.Setting("NullSessionPipes")
	if w.platform.System != "windows" || list == nil {
		return false
	}
	return slices.ContainsFunc(list.Breaks, func(b catalog.Breakage) bool {
		_, possible := w.c.Fit(b.Scope, w.platform)
		return possible && slices.Contains(b.Services, s.ID) && s.Anonymous == "legacy"
	})
}

// needObserved keeps what strangers used successfully if only the use itself is behind it: a pipe through which the
// catalog knows of no data, or a share. A plan exists to close pipes that give data away, and the client that used one
// may be the stranger in question; such uses become breakage instead.
func (w *work) needObserved() {
	if w.e.Observed == nil {
		return
	}
	for i := range w.e.Observed.Uses {
		u := &w.e.Observed.Uses[i]
		if !u.Identity.IsStranger() || u.Outcome != model.Allowed {
			continue
		}
		switch {
		case u.Share != "" && !strings.EqualFold(u.Share, "IPC$"):
			if w.guestShare(u.Share) {
				w.needs.shares[strings.ToLower(u.Share)] = fmt.Sprintf("observed: %s uses this share as %s", u.Client,
					u.Identity)
				if !slices.Contains(w.needs.sessions, u.Identity) {
					w.needs.sessions = append(w.needs.sessions, u.Identity)
				}
			}
		case u.Identity == model.Anonymous && u.Pipe != "" && w.harmless(u.Pipe):
			if name := catalog.PipeName(u.Pipe); w.needs.pipes[name] == "" {
				w.needs.pipes[name] = fmt.Sprintf("observed: %s uses it without credentials", u.Client)
			}
		}
	}
}

func (w *work) guestShare(name string) bool {
	return slices.ContainsFunc(w.cfg.Shares, func(s model.Share) bool {
		return s.OpenToGuests() && strings.EqualFold(s.Name, name)
	}) ||
		holds(w.list(w.cfg, "NullSessionShares"), name)
}

// harmless reports whether the catalog knows the pipe and knows of nothing behind it that strangers should not have.
// Unknown pipes are not harmless: adding one to the list is a known back door.
func (w *work) harmless(pipe string) bool {
	p := w.c.Pipe(pipe)
	if p == nil {
		return false
	}
	for _, b := range p.Interfaces {
		i := w.c.Interface(b.ID)
		if i == nil || i.Probe != "call" {
			return false
		}
		for _, k := range i.Calls {
			if k.Discloses.IsExposure() || k.Avoid != "" {
				return false
			}
		}
	}
	return true
}

// kept reports whether everything that must stay open to strangers, and was open, is still open.
func (w *work) kept(cfg catalog.Config) bool {
	if w.needs.nothing() {
		return true
	}
	before, after := w.view(), w.c.View(cfg)
	for _, id := range w.needs.sessions {
		if before.Session(id) != model.Denied && after.Session(id) == model.Denied {
			return false
		}
	}
	for i := range w.cfg.Shares {
		s := &w.cfg.Shares[i]
		if len(w.needs.shares) == 0 || !w.needs.share(s.Name) || i >= len(cfg.Shares) {
			continue
		}
		for _, id := range model.Strangers() {
			was, known := before.Share(id, s)
			is, _ := after.Share(id, &cfg.Shares[i])
			if known && levelOf(is) < levelOf(was) {
				return false
			}
		}
	}
	for name := range w.needs.pipes {
		if w.opens(before, w.cfg, name) && !w.opens(after, cfg, name) {
			return false
		}
	}
	return true
}

// opens reports whether anonymous callers may open a pipe, as far as it is known.
func (w *work) opens(v *catalog.View, cfg catalog.Config, name string) bool {
	if o := v.Pipe(model.Anonymous, name); o == model.Denied || o == model.Absent {
		return false
	}
	if w.c.Pipe(name) != nil || cfg.Platform.System != "windows" {
		return true
	}
	names, hard, known := v.AnonymousPipes()
	if !known || holds(names, name) || holds(hard, name) {
		return true
	}
	return w.everyPipe(cfg)
}

// everyPipe reports whether the lists have no effect.
func (w *work) everyPipe(cfg catalog.Config) bool {
	s := w.c.Setting("RestrictNullSessAccess")
	data, ok := s.Value(cfg.Settings[s.ID])
	return ok && data == 0
}
