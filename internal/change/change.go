package change

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"ipcguard/internal/catalog"
	"ipcguard/internal/format/registry"
	"ipcguard/internal/model"
)

// Change is a permitted change of a plan. Of creates it; tests create their own.
type Change struct {
	*model.Change
	Known         *catalog.Setting // nil for a firewall rule, which is not a setting
	Place         Place
	Before, After State

	// BeforeUnknown says that the previous value was not read and cannot be derived, so the change cannot be undone.
	BeforeUnknown bool
}

// RefusedError names a refused change and the reason.
type RefusedError struct {
	ID, Setting, Where, Why string
}

// Error names the refused change and the reason.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("change %.40q (%.80q at %.200q) is refused: %s", e.ID, e.Setting, e.Where, e.Why)
}

// HostFirewall is the setting of changes that are host firewall rules. They are exported, never applied.
const HostFirewall = "host-firewall"

// most bounds the changes of a plan. A host has a few dozen settings, and each share may add one.
const most = 100_000

// All returns every change of a plan. It fails at the first change that the catalog does not allow.
func All(c *catalog.Catalog, p *model.Plan) ([]*Change, error) {
	if len(p.Changes) > most {
		return nil, fmt.Errorf("%d changes are more than the %d that a plan can have", len(p.Changes), most)
	}
	out := make([]*Change, 0, len(p.Changes))
	seen := map[string]bool{}
	for i := range p.Changes {
		ch, err := Of(c, p.Platform, &p.Changes[i])
		if err != nil {
			return nil, err
		}
		at := registry.Fold(ch.Place.String())
		if seen[at] {
			return nil, ch.refuse("the plan changes this place twice")
		}
		seen[at] = true
		out = append(out, ch)
	}
	return out, nil
}

// Of returns one change of a plan for a platform, or a *RefusedError.
func Of(c *catalog.Catalog, p model.Platform, m *model.Change) (*Change, error) {
	ch := &Change{Change: m}
	if m.Setting == HostFirewall {
		return ch, ch.firewall(c, p)
	}
	s := c.Setting(m.Setting)
	if s == nil || s.ID != m.Setting || s.System != p.System {
		return nil, ch.refuse(fmt.Sprintf("this is no setting of %.40q", p.System))
	}
	ch.Known = s
	if _, possible := c.Fit(s.Applies, p); !possible {
		return nil, ch.refuse("this product or role does not read the setting")
	}
	var err error
	if ch.Place, err = placeOf(s, m.Where); err != nil {
		return nil, ch.refuse(err.Error())
	}
	if err := takes(c, s, m); err != nil {
		return nil, ch.refuse(err.Error())
	}
	if ch.After, err = ch.Place.State(m.To); err != nil {
		return nil, ch.refuse("its value: " + err.Error())
	}
	if ch.Before, err = ch.Place.State(m.From); err != nil {
		return nil, ch.refuse("its value before: " + err.Error())
	}
	if ch.Place.Kind == Policy && !m.From.Present {
		// No source reports that a policy line is absent, so the effective value is what an undo restores.
		known := m.Effective != nil
		if ch.Before, err = ch.Place.State(model.Value{Present: known, Type: s.Type, Data: m.Effective}); err != nil {
			return nil, ch.refuse("its value before: " + err.Error())
		}
		ch.BeforeUnknown = !known
	}
	return ch, nil
}

// OfShare reports whether this is a line of a share, or the default of one that every share has. Such a change edits an
// existing share and never creates one.
func (ch *Change) OfShare() bool {
	return ch.Known != nil && (ch.Known.PerShare() || ch.Known.OfShares() && !isGlobal(ch.Place.Key))
}

func (ch *Change) refuse(why string) error {
	return &RefusedError{ch.ID, ch.Setting, ch.Where, why}
}

// placeOf reports whether a place belongs to a setting, and returns it as the catalog writes it. A setting of shares
// lives in the section of a share.
func placeOf(s *catalog.Setting, where string) (Place, error) {
	own, err := Locate(s.System, s.Where)
	if err != nil {
		return Place{}, fmt.Errorf("the setting has no place that is changed: %s", s.Where)
	}
	at, err := Locate(s.System, where)
	if err != nil {
		return Place{}, err
	}
	if own.Kind == at.Kind && (s.PerShare() || s.OfShares() && !isGlobal(at.Key)) {
		if why := noShare(at.Key); why != "" {
			return Place{}, fmt.Errorf("%s", why)
		}
		own.Key = at.Key
	}
	if s.PerAccount() && own.Kind == Parameter {
		account, ok := s.Account(at.Name)
		if !ok || !catalog.IsAccount(account) {
			return Place{}, fmt.Errorf("%q is no line of this setting for a computer account", at.Name)
		}
		own.Name = strings.TrimPrefix(s.LineFor(account), "["+own.Key+"] ")
	}
	if !own.Equal(at) {
		return Place{}, fmt.Errorf("the place of this setting is %s", own)
	}
	return own, nil
}

// IsShare reports whether a section of a server's configuration may be a disk share.
func IsShare(section string) bool { return noShare(section) == "" }

// longestShare is the limit of a share's name in characters. See [MS-SRVS] 2.2.4.23.
const longestShare = 80

// noShare returns why a section is neither a disk share nor [global], which holds the defaults of shares.
func noShare(section string) string {
	switch {
	case section == "global":
		return ""
	case isGlobal(section), strings.EqualFold(strings.ReplaceAll(section, " ", ""), "IPC$"):
		return fmt.Sprintf("[%s] is no disk share", section)
	case utf8.RuneCountInString(section) > longestShare:
		return "a share has no name of this length"
	}
	return ""
}

// isGlobal reports whether Samba takes a section for [global], whose name it compares without case and white space.
func isGlobal(section string) bool {
	plain := strings.ReplaceAll(section, " ", "")
	return strings.EqualFold(plain, "global") || strings.EqualFold(plain, "globals")
}

// firewall accepts only the catalog's firewall rule, with the ports that it names.
func (ch *Change) firewall(c *catalog.Catalog, p model.Platform) error {
	for _, w := range c.WaysFor(p.System) {
		ports, _ := ch.To.List()
		if w.Ports == nil || !slices.Equal(ports, w.Ports) || ch.Where != inbound+strings.Join(w.Ports, ", ") {
			continue
		}
		if !ch.To.Present || ch.To.Type != "firewall-rule" || ch.To.Raw != nil || ch.From.Present {
			break
		}
		if !ch.ExportOnly {
			return ch.refuse("a rule of the firewall is exported, and never applied")
		}
		ch.Place, ch.After = Place{Firewall, "", strings.Join(w.Ports, ", ")}, State{Present: true, Names: ports}
		return nil
	}
	return ch.refuse("this is not the rule of the firewall that the catalog has")
}
