package smbtest

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/goccy/go-yaml"

	"ipcguard/internal/dcerpc"
	"ipcguard/internal/model"
)

// Profile is the behaviour of a product with its settings: an entry of profiles.yaml, which cites the document for each
// answer. A profile is shared; copy it to change it.
type Profile struct {
	Name            string   `yaml:"name"`
	Title           string   `yaml:"title"`
	SMB1            bool     `yaml:"smb1"`
	NoExtended      bool     `yaml:"no_extended_security"` // SMB1 without SPNEGO, as NT 4.0
	Dialects        []string `yaml:"dialects"`             // SMB 2 and 3
	SigningRequired bool     `yaml:"signing_required"`
	EncryptRequired bool     `yaml:"encrypt_required"`
	// Answers are encrypted wherever there is a key, while strangers must ask in plain text, as Samba from 4.22 on does
	// with server smb encrypt = desired. [M] Samba 4.25.1
	EncryptAnswers bool `yaml:"encrypt_answers"`
	// A stranger's slow call ends a connection that may be encrypted, as Samba with server smb encrypt = desired does:
	// it encrypts the interim answer, without a key. Every call counts as slow. [M] Samba 4.17.12
	CutsStrangers bool `yaml:"cuts_strangers"`
	// A connection that may be encrypted is told so in place of that it is a guest's, as ksmbd does with mandatory
	// encryption. [M] Linux 6.12
	HidesGuests bool `yaml:"hides_guests"`
	// A stranger who does not offer encryption is refused at the logon; [MS-SMB2] 3.3.5.5.3, RejectUnencryptedAccess.
	RefusesBare bool     `yaml:"refuses_bare"`
	Ciphers     []string `yaml:"ciphers"` // of 3.1.1, best first
	OS          string   `yaml:"os"`
	LanMan      string   `yaml:"lanman"`
	Version     [3]int   `yaml:"version"` // in the NTLM challenge; 0 for none
	NoTimestamp bool     `yaml:"no_timestamp"`
	// Pipes that anonymous may not open are denied before their existence is checked.
	Windows bool `yaml:"windows"`
	// A null session over SMB 3 is disconnected at its next request; [MS-SMB2] 3.3.5.2.9.
	Constrained     bool          `yaml:"constrained"`
	LogonDelay      time.Duration `yaml:"logon_delay"`
	GuestForUnknown bool          `yaml:"guest_for_unknown"`
	InDomain        bool          `yaml:"in_domain"`
	Pipes           []string      `yaml:"pipes"` // that exist
	Anonymous       Reach         `yaml:"anonymous"`
	Guest           Reach         `yaml:"guest"`
	Sources         []string      `yaml:"sources"`
}

// Reach is what an identity gets. "*" means every pipe.
type Reach struct {
	Session   bool               `yaml:"session"`
	Tree      bool               `yaml:"tree"`
	Pipes     []string           `yaml:"pipes"`
	Discloses []model.Disclosure `yaml:"discloses"`
}

//go:embed profiles.yaml
var profilesYAML []byte

var profiles = sync.OnceValues(func() ([]*Profile, error) {
	var list []*Profile
	if err := yaml.UnmarshalWithOptions(profilesYAML, &list, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("smbtest: profiles.yaml: %w", err)
	}
	return list, nil
})

// Profiles returns the names, oldest product first.
func Profiles() []string {
	list, err := profiles()
	if err != nil {
		return nil
	}
	var names []string
	for _, p := range list {
		names = append(names, p.Name)
	}
	return names
}

// Find returns a copy of a profile, for the caller to change.
func Find(name string) (*Profile, error) {
	list, err := profiles()
	if err != nil {
		return nil, err
	}
	for _, p := range list {
		if p.Name == name {
			c := *p
			return &c, nil
		}
	}
	return nil, fmt.Errorf("smbtest: no profile %q; there are %s", name, strings.Join(Profiles(), ", "))
}

// Host is one made-up server.
type Host struct {
	Profile *Profile
	World   *World
	Faults  []Fault
}

// NewHost creates a host of a profile with a small world.
func NewHost(profile, name string) (*Host, error) {
	p, err := Find(profile)
	if err != nil {
		return nil, err
	}
	w := NewWorld(name)
	if p.InDomain {
		w.InDomain, w.Domain, w.DNSDomain = true, "PRACTICE", "practice.example"
		w.DNSName = strings.ToLower(name) + ".practice.example"
		w.Trusts = []Trust{{Name: "other.example", Flat: "OTHER", SID: dcerpc.NTSID(21, 7, 8, 9)}}
	}
	return &Host{Profile: p, World: w}, nil
}

func (p *Profile) reach(who model.Identity) *Reach {
	switch who {
	case model.Anonymous:
		return &p.Anonymous
	case model.Guest:
		return &p.Guest
	}
	return nil
}

// session reports whether an identity may log on at all.
func (p *Profile) session(who model.Identity) bool {
	r := p.reach(who)
	return r == nil || r.Session
}

// tree reports whether an identity may connect to a share.
func (p *Profile) tree(who model.Identity, s *Share) bool {
	r := p.reach(who)
	switch {
	case r == nil:
		return true
	case s.Type&^shareSpecial == shareIPC:
		return r.Tree
	}
	return s.Guest
}

// pipe reports whether an identity may open a pipe.
func (p *Profile) pipe(who model.Identity, name string) bool {
	r := p.reach(who)
	return r == nil || slices.ContainsFunc(r.Pipes, func(s string) bool { return s == "*" || equalFold(s, name) })
}

func (p *Profile) has(pipe string) bool {
	return slices.ContainsFunc(p.Pipes, func(s string) bool { return equalFold(s, pipe) })
}

func (p *Profile) discloses(who model.Identity, d model.Disclosure) bool {
	r := p.reach(who)
	return r == nil || slices.Contains(r.Discloses, d)
}

// secondary returns the pipe name in a bind's response: several names lead to lsass.
func (p *Profile) secondary(pipe string) string {
	switch strings.ToLower(pipe) {
	case "lsarpc", "samr", "netlogon", "protected_storage":
		return "lsass"
	}
	return pipe
}

// behind returns the interfaces that answer on a pipe.
func (p *Profile) behind(pipe string) (ids []dcerpc.SyntaxID) {
	for _, i := range dcerpc.Interfaces() {
		if _, ok := opsOf(i.Syntax); ok && slices.ContainsFunc(i.Pipes,
			func(s string) bool { return equalFold(s, pipe) }) {
			ids = append(ids, i.Syntax)
		}
	}
	return ids
}
