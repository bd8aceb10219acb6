package model

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// SchemaLogon is the schema of a Logon.
const SchemaLogon = "ipcguard.logon/1"

// Strength says how well a kind of logon proves the caller's identity and protects the session, by its weakest part.
type Strength string

// The strengths, the weakest first.
const (
	// The response or the password itself can be recovered from the wire: plaintext, LM, NTLMv1.
	StrengthBroken   Strength = "broken"
	StrengthNone     Strength = "none"     // no proof of identity: null sessions, guests
	StrengthOld      Strength = "old"      // SMB1, whatever the logon
	StrengthUnknown  Strength = "unknown"  // too little was seen
	StrengthUnsigned Strength = "unsigned" // neither signed nor encrypted: it can be relayed and modified
	StrengthNTLM     Strength = "ntlm"     // NTLMv2, signed or encrypted
	StrengthStrong   Strength = "strong"   // Kerberos, signed or encrypted
)

// Strengths returns the strengths, the weakest first.
func Strengths() []Strength {
	return []Strength{
		StrengthBroken, StrengthNone, StrengthOld, StrengthUnknown, StrengthUnsigned, StrengthNTLM,
		StrengthStrong,
	}
}

// Logon is how one client logs on to one server: its uses together.
type Logon struct {
	Schema     string    `json:"schema"`
	Strength   Strength  `json:"strength"`
	Client     string    `json:"client"`
	Kind       string    `json:"kind,omitempty"` // what the client probably is, by what it says of itself
	Agent      string    `json:"agent,omitempty"`
	Server     string    `json:"server"`
	Identity   Identity  `json:"identity"`
	Account    string    `json:"account"`
	Package    string    `json:"package,omitempty"`
	Raw        Tristate  `json:"raw,omitzero"`
	MIC        Tristate  `json:"mic,omitzero"`
	Binding    Tristate  `json:"channel_binding,omitzero"`
	SPN        string    `json:"spn,omitempty"`
	Dialect    string    `json:"dialect,omitempty"`
	Offers     string    `json:"offers,omitempty"`
	Signing    string    `json:"signing,omitempty"`
	CanEncrypt Tristate  `json:"can_encrypt,omitzero"`
	Signed     Tristate  `json:"signed,omitzero"`    // whether every request after the logon was
	Encrypted  Tristate  `json:"encrypted,omitzero"` // likewise
	Encryption string    `json:"encryption,omitempty"`
	Allowed    int64     `json:"allowed"` // logons
	Denied     int64     `json:"denied"`
	Open       int64     `json:"open"` // logons whose response was not seen, or whose result a log does not tell
	First      time.Time `json:"first"`
	Last       time.Time `json:"last"`
	Sources    string    `json:"source"`
	untold     bool
}

// Untold reports whether a log has logons in this way without their results.
func (l *Logon) Untold() bool { return l.untold }

// LetIn reports whether a client got in this way: a logon succeeded, or requests followed a logon that was not seen.
func (l *Logon) LetIn() bool { return l.Allowed > 0 || l.Denied+l.Open == 0 }

// way is the key that distinguishes logons.
type way struct {
	client, server, account, pkg, spn, dialect, offers, signing, agent string

	identity              Identity
	raw, mic, bound, seal Tristate
}

func wayOf(u *Use) way {
	id := u.Identity
	if id == Opaque { // This follows the logon of a caller with a key.
		id = User
		if strings.HasSuffix(u.Account, "$") {
			id = Machine
		}
	}
	return way{
		u.Client, u.Server, u.Account, u.Package, u.SPN, u.Dialect, u.Offers, u.Signing, u.Agent, id, u.Raw,
		u.MIC, u.Binding, u.CanEncrypt,
	}
}

// Logons aggregates uses into logons, the weakest first. The protection of a logon's messages comes from the uses after
// it.
func Logons(uses []Use) []Logon {
	byWay := map[way]*Logon{}
	for i := range uses {
		u := &uses[i]
		if u.Log && u.saysNoWay() {
			continue // a log record of what was done after a logon
		}
		w := wayOf(u)
		l := byWay[w]
		if l == nil {
			l = &Logon{
				Schema: SchemaLogon, Client: u.Client, Server: u.Server, Identity: w.identity, Account: u.Account,
				Package: u.Package, Raw: u.Raw,
				MIC: u.MIC, Binding: u.Binding, SPN: u.SPN, Dialect: u.Dialect, Offers: u.Offers, Signing: u.Signing,
				CanEncrypt: u.CanEncrypt,
				Agent:      u.Agent, First: u.First, Last: u.Last, Sources: u.Source,
			}
			byWay[w] = l
		}
		l.take(u)
	}
	out := make([]Logon, 0, len(byWay))
	for _, l := range byWay {
		l.Strength = l.strength()
		out = append(out, *l)
	}
	slices.SortFunc(out, compareLogons)
	return out
}

// saysNoWay reports whether a use does not show how its caller logged on.
func (u *Use) saysNoWay() bool {
	return u.Layer != LayerSession && u.Package == "" && u.Dialect == "" && u.Signing == "" && u.Signed == NotKnown &&
		u.Encrypted == NotKnown && u.CanEncrypt == NotKnown
}

func (l *Logon) take(u *Use) {
	if u.Layer == LayerSession && u.Identity != Opaque {
		switch u.Outcome {
		case Allowed:
			l.Allowed += u.Count
		case Denied:
			l.Denied += u.Count
		default:
			l.Open += u.Count
		}
	}
	l.untold = l.untold || u.Untold()
	l.Signed, l.Encrypted = every(l.Signed, u.Signed), every(l.Encrypted, u.Encrypted)
	l.Encryption = cmp.Or(l.Encryption, u.Encryption)
	if !u.First.IsZero() && (l.First.IsZero() || u.First.Before(l.First)) {
		l.First = u.First
	}
	if u.Last.After(l.Last) {
		l.Last = u.Last
	}
}

// every is true while no use contradicts it and at least one confirms it.
func every(have, more Tristate) Tristate {
	if more == NotKnown || have == False {
		return have
	}
	return more
}

// strength returns the strength of the weakest part.
func (l *Logon) strength() Strength {
	switch l.Package {
	case PackagePlaintext, PackageLM, PackageNTLMv1, PackageNTLMv1ESS:
		return StrengthBroken
	}
	switch {
	case l.Identity.IsStranger():
		return StrengthNone
	case l.Dialect == "NT LM 0.12":
		return StrengthOld
	case l.Package == "" || l.Package == PackageUnknown || l.Package == PackageNTLM:
		return StrengthUnknown // it may be NTLMv1, which is weaker than a session without signatures
	case l.Signed != True && l.Encrypted != True && (l.Signed == False || l.Encrypted == False):
		return StrengthUnsigned
	case l.Signed == NotKnown && l.Encrypted == NotKnown:
		return StrengthUnknown
	case l.Package == PackageKerberos:
		return StrengthStrong
	}
	return StrengthNTLM
}

func compareLogons(a, b Logon) int {
	rank := func(l *Logon) int { return slices.Index(Strengths(), l.Strength) }
	return cmp.Or(
		cmp.Compare(rank(&a), rank(&b)), strings.Compare(a.Client, b.Client), strings.Compare(a.Server, b.Server),
		strings.Compare(string(a.Identity), string(b.Identity)), strings.Compare(a.Account, b.Account),
		strings.Compare(a.Package, b.Package),
		strings.Compare(a.Dialect, b.Dialect), strings.Compare(a.Offers, b.Offers),
		strings.Compare(a.Signing, b.Signing),
		strings.Compare(a.SPN, b.SPN), strings.Compare(a.Agent, b.Agent), cmp.Compare(a.MIC, b.MIC),
		cmp.Compare(a.Raw, b.Raw),
		cmp.Compare(a.Binding, b.Binding), cmp.Compare(a.CanEncrypt, b.CanEncrypt),
	)
}
