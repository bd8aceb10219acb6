package model

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
)

// Role is what a host is in its domain.
type Role string

// The roles.
const (
	Workstation      Role = "workstation"
	Member           Role = "member"
	Standalone       Role = "standalone"
	DomainController Role = "domain-controller"
	UnknownRole      Role = "unknown"
)

// Platform is the product that a configuration belongs to.
type Platform struct {
	System  string `json:"system"`            // windows, samba or ksmbd
	Product string `json:"product,omitempty"` // a catalog product, such as win2019 or samba
	Name    string `json:"name,omitempty"`    // as the source calls it
	Version string `json:"version,omitempty"`
	Build   int    `json:"build,omitempty"`
	Role    Role   `json:"role"`

	// Why says in sentences how product, build and role are known, or why they cannot be.
	Why []string `json:"why,omitempty"`
}

// Basis says why an effective value is what it is.
type Basis string

// The bases.
const (
	BasisConfigured Basis = "configured"
	BasisDefault    Basis = "default"
	BasisUnknown    Basis = "unknown"
)

// State judges one setting on this platform.
type State string

// The states.
const (
	StateOK            State = "ok"
	StateWeak          State = "weak"
	StateUnknown       State = "unknown"
	StateNotApplicable State = "not-applicable"
)

// Setting is one configuration value that governs access: as written and as it works.
type Setting struct {
	ID             string `json:"id"`
	Where          string `json:"where"`
	Type           string `json:"type"`
	Present        bool   `json:"present"`
	Configured     any    `json:"configured,omitempty"`
	ConfiguredType string `json:"configured_type,omitempty"` // where it is written with another type than it should have
	Raw            Hex    `json:"raw,omitzero"`              // of a registry value: the bytes as stored
	Inherited      bool   `json:"inherited,omitempty"`       // of a section of smb.conf: it takes the value from [global]
	NotRead        bool   `json:"not_read,omitempty"`        // the source was not asked for it: neither present nor absent
	Effective      any    `json:"effective"`
	Basis          Basis  `json:"basis"`
	State          State  `json:"state"`
	Why            string `json:"why"`
	TakesEffect    string `json:"takes_effect,omitempty"`
	Origin         string `json:"origin,omitempty"` // the file and place, where several sources are joined
}

// Value is the setting as it is written.
func (s *Setting) Value() Value {
	if !s.Present {
		return Value{}
	}
	return Value{Present: true, Type: cmp.Or(s.ConfiguredType, s.Type), Data: s.Configured, Raw: s.Raw}
}

// UnmarshalJSON gives values the shapes that they had before they were written, as Value has them.
func (s *Setting) UnmarshalJSON(b []byte) error {
	type plain Setting // without methods
	var in plain
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if err := d.Decode(&in); err != nil {
		return err
	}
	var err error
	if in.Configured, err = shape(cmp.Or(in.ConfiguredType, in.Type), in.Configured); err != nil {
		return fmt.Errorf("setting %.80q: %w", in.ID, err)
	}
	if in.Effective, err = shape(in.Type, in.Effective); err != nil {
		return fmt.Errorf("setting %.80q: %w", in.ID, err)
	}
	*s = Setting(in)
	return nil
}

// Decision is one cell of the access model: an outcome with the reasons that led to it. Outcome is Allowed,
// Denied, Absent or "unknown".
type Decision struct {
	Outcome Outcome  `json:"outcome"`
	Why     []string `json:"why,omitempty"`
}

// OutcomeUnknown is the access model's word where the documents leave an answer open.
const OutcomeUnknown Outcome = "unknown"

// Access is what one identity may do.
type Access struct {
	Session   Outcome                `json:"session,omitempty"`
	Tree      Outcome                `json:"tree"`
	Pipes     map[string]Outcome     `json:"pipes"`
	Discloses map[Disclosure]Outcome `json:"discloses"`
	Why       map[string][]string    `json:"why,omitempty"` // keys: session, tree, pipe:NAME, discloses:KIND
}

// Source is where a configuration was read.
type Source struct {
	Kind  string   `json:"kind"` // hive, reg, gpo, smbconf, registry, winreg
	Name  string   `json:"name"`
	Parts []string `json:"parts,omitempty"` // the files that were read
}

// Audit is what one configuration says.
type Audit struct {
	Schema   string              `json:"schema"`
	Source   Source              `json:"source"`
	Host     string              `json:"host,omitempty"` // the machine's own name, where the source tells it
	Platform Platform            `json:"platform"`
	Partial  bool                `json:"partial,omitempty"`
	Problems []string            `json:"problems,omitempty"` // what could not be read, with file and place
	Settings []Setting           `json:"settings"`
	Access   map[Identity]Access `json:"access"`
	Findings []Finding           `json:"findings"`
	Services []Service           `json:"services,omitempty"`
	Shares   []Share             `json:"shares,omitzero"` // none is not the same as not known

	// Unread says why the configuration may say more than was read, and have further shares.
	Unread string `json:"unread,omitempty"`
	// EveryShare says that shares which the configuration does not show were looked for: in the folder of usershares and in
	// Samba's registry.
	EveryShare bool `json:"every_share,omitempty"`

	// Defaults are what a share of Samba that is made now begins with, by [global]; a usershare is one.
	Defaults *Share `json:"share_defaults,omitempty"`

	// AccountLines are the lines of [global] that except one computer account from a setting. None is not the same as not read.
	AccountLines []AccountLine `json:"account_lines,omitzero"`
}

// AccountLine is a line of smb.conf about one computer account.
type AccountLine struct {
	Setting string `json:"setting"` // of the catalog
	Account string `json:"account"`
	Where   string `json:"where"`
	Value   Value  `json:"value"`
	Origin  string `json:"origin,omitempty"` // the file and line
}

// Verdict is what the configuration lets strangers have, by the definition of a scan's: exposed where one is given data, limited
// where one comes in and is given no more than every client is told, closed where none comes in. A weakness of another kind, such as
// signing that is not required, exposes nothing. What the configuration leaves open is inconclusive.
func (a *Audit) Verdict() Verdict {
	known, in, open := false, false, false // open: a question that the configuration does not settle
	settled := func(o Outcome) bool { return o == Allowed || o == Denied || o == Absent }
	for who, access := range a.Access {
		if !who.IsStranger() {
			continue
		}
		known = true
		if access.Session == Denied {
			continue
		}
		in = in || access.Tree == Allowed
		open = open || !settled(access.Tree)
		for kind, o := range access.Discloses {
			if !kind.IsExposure() {
				continue
			}
			if o == Allowed {
				return Exposed
			}
			open = open || !settled(o)
		}
	}
	switch {
	case !known || open:
		return VerdictInconclusive
	case in:
		return Limited
	}
	return Closed
}

// Service is a catalog service found on the host.
type Service struct {
	ID       string   `json:"id"`
	Evidence string   `json:"evidence"`
	Running  string   `json:"running,omitempty"` // yes, no, disabled or unknown
	Pipes    []string `json:"pipes,omitempty"`
}

// Share is one share the configuration defines.
type Share struct {
	Name    string `json:"name"`
	Default bool   `json:"default"` // made by the system, not by an administrator
	Guest   bool   `json:"guest"`
	Path    string `json:"path,omitempty"`

	// GuestOnly is Samba's guest only, which opens a share by itself.
	GuestOnly bool `json:"guest_only,omitempty"`

	// What else decides who enters a share of Samba, as it counts after [global] and copy.
	Off          string   `json:"off,omitempty"`     // what takes it from everybody
	Printer      bool     `json:"printer,omitempty"` // it takes print jobs, and gives no files
	ValidUsers   []string `json:"valid_users,omitempty"`
	InvalidUsers []string `json:"invalid_users,omitempty"`
	HostsAllow   []string `json:"hosts_allow,omitempty"`
	HostsDeny    []string `json:"hosts_deny,omitempty"`
	Encrypt      string   `json:"encrypt,omitempty"`
	ForceUser    string   `json:"force_user,omitempty"`
	Unsure       string   `json:"unsure,omitempty"`  // why smbd may refuse it to everybody, which only its host can tell
	Program      string   `json:"program,omitempty"` // the line of a program whose failure refuses the caller

	// UserShare says that a user made it, with net usershare: smb.conf has no section of it.
	UserShare bool `json:"user_share,omitempty"`

	// GuestAt and GuestOnlyAt are the sections whose lines open it: global, or a share that it copies. Empty is its own.
	GuestAt     string `json:"guest_at,omitempty"`
	GuestOnlyAt string `json:"guest_only_at,omitempty"`

	// Strangers is what the access model says of them at this share of Samba; empty where nobody asked it.
	Strangers Outcome `json:"strangers,omitempty"`
}

// OpenToGuests tells whether strangers may be let in: by the access model, where it was asked, else by the lines that let
// them in.
func (s *Share) OpenToGuests() bool {
	if s.Strangers != "" {
		return !s.Printer && s.Strangers != Denied && s.Strangers != Absent
	}
	return s.Guest || s.GuestOnly
}
