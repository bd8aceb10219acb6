package model

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
)

// Role is the role of a host in its domain.
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

	// Why explains how product, build and role are known, or why they are not.
	Why []string `json:"why,omitempty"`
	// Unmeasured says that the release was never measured, and which ones stand for it.
	Unmeasured string `json:"unmeasured,omitempty"`
}

// Basis says why an effective value is what it is.
type Basis string

// The bases.
const (
	BasisConfigured Basis = "configured"
	BasisDefault    Basis = "default"
	BasisUnknown    Basis = "unknown"
)

// State is the judgement of one setting on this platform.
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
	ID         string `json:"id"`
	Where      string `json:"where"`
	Type       string `json:"type"`
	Present    bool   `json:"present"`
	Configured any    `json:"configured,omitempty"`
	// Set if it is written with another type than it should have.
	ConfiguredType string `json:"configured_type,omitempty"`
	Raw            Hex    `json:"raw,omitzero"` // of a registry value: the bytes as stored
	// Of a section of smb.conf: the value is inherited from [global].
	Inherited bool `json:"inherited,omitempty"`
	// The source was not asked for it: neither present nor absent.
	NotRead     bool   `json:"not_read,omitempty"`
	Effective   any    `json:"effective"`
	Basis       Basis  `json:"basis"`
	State       State  `json:"state"`
	Why         string `json:"why"`
	TakesEffect string `json:"takes_effect,omitempty"`
	Origin      string `json:"origin,omitempty"` // file and position, if several sources are joined
}

// Value returns the setting as it is written.
func (s *Setting) Value() Value {
	if !s.Present {
		return Value{}
	}
	return Value{Present: true, Type: cmp.Or(s.ConfiguredType, s.Type), Data: s.Configured, Raw: s.Raw}
}

// UnmarshalJSON restores the Go types that the values had before they were written, as Value does.
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

// Decision is one cell of the access model: an outcome and its reasons. Outcome is Allowed, Denied, Absent or
// "unknown".
type Decision struct {
	Outcome Outcome  `json:"outcome"`
	Why     []string `json:"why,omitempty"`
}

// OutcomeUnknown is the access model's outcome if the documents leave the answer open.
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

// Audit is the result of auditing one configuration.
type Audit struct {
	Schema   string              `json:"schema"`
	Source   Source              `json:"source"`
	Host     string              `json:"host,omitempty"` // the machine's own name, if the source contains it
	Platform Platform            `json:"platform"`
	Partial  bool                `json:"partial,omitempty"`
	Problems []string            `json:"problems,omitempty"` // what could not be read, with file and position
	Settings []Setting           `json:"settings"`
	Access   map[Identity]Access `json:"access"`
	Findings []Finding           `json:"findings"`
	Services []Service           `json:"services,omitempty"`
	Shares   []Share             `json:"shares,omitzero"` // none is not the same as unknown

	// Unread says why the configuration may contain more than was read, and more shares.
	Unread string `json:"unread,omitempty"`
	// EveryShare says that the search included shares that the configuration does not show: those in the usershare
	// folder and in Samba's registry.
	EveryShare bool `json:"every_share,omitempty"`

	// Defaults are the settings of [global] with which a new Samba share begins, such as a usershare.
	Defaults *Share `json:"share_defaults,omitempty"`

	// AccountLines are the lines of [global] that except one computer account from a setting. None is not the same as
	// not read.
	AccountLines []AccountLine `json:"account_lines,omitzero"`
}

// AccountLine is a line of smb.conf about one computer account.
type AccountLine struct {
	Setting string `json:"setting"` // catalog ID
	Account string `json:"account"`
	Where   string `json:"where"`
	Value   Value  `json:"value"`
	Origin  string `json:"origin,omitempty"` // the file and line
}

// Verdict returns what the configuration gives strangers, as a scan defines it: exposed if an identity is given data,
// limited if it gets in and learns only what a server gives every client, closed if none gets in. A weakness of another
// kind, such as optional signing, exposes nothing. If the configuration leaves the answer open, the verdict is
// inconclusive.
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
	Default bool   `json:"default"` // created by the system, not by an administrator
	Guest   bool   `json:"guest"`
	Path    string `json:"path,omitempty"`

	// GuestOnly is Samba's guest only, which opens a share by itself.
	GuestOnly bool `json:"guest_only,omitempty"`

	// What else decides who can access a Samba share, after [global] and copy are applied.
	Off          string   `json:"off,omitempty"`     // why the share is unavailable to everyone
	Printer      bool     `json:"printer,omitempty"` // a printer share, which serves no files
	ValidUsers   []string `json:"valid_users,omitempty"`
	InvalidUsers []string `json:"invalid_users,omitempty"`
	HostsAllow   []string `json:"hosts_allow,omitempty"`
	HostsDeny    []string `json:"hosts_deny,omitempty"`
	Encrypt      string   `json:"encrypt,omitempty"`
	ForceUser    string   `json:"force_user,omitempty"`
	// Why smbd may refuse it to everyone, which only its host can settle.
	Unsure  string `json:"unsure,omitempty"`
	Unread  string `json:"unread,omitempty"`  // why the lines in force are not all known
	Program string `json:"program,omitempty"` // the command line of a program whose failure refuses the caller

	// UserShare says that a user created it with net usershare: smb.conf has no section for it.
	UserShare bool `json:"user_share,omitempty"`

	// GuestAt, GuestOnlyAt and EncryptAt name the sections whose lines it has: global, or a share that it copies. Empty
	// is its own.
	GuestAt     string `json:"guest_at,omitempty"`
	GuestOnlyAt string `json:"guest_only_at,omitempty"`
	EncryptAt   string `json:"encrypt_at,omitempty"`

	// Strangers is the access model's outcome for strangers at this Samba share; empty if the model was not asked.
	Strangers Outcome `json:"strangers,omitempty"`
}

// OpenToGuests reports whether strangers may get in: by the access model if it was asked, else by the lines that allow
// guests.
func (s *Share) OpenToGuests() bool {
	if s.Strangers != "" {
		return !s.Printer && s.Strangers != Denied && s.Strangers != Absent
	}
	return s.Guest || s.GuestOnly
}
