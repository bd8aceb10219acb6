package conversation

import (
	"bytes"
	"strings"

	"ipcguard/internal/model"
	"ipcguard/internal/ntlm"
	"ipcguard/internal/ntlm/spnego"
	"ipcguard/internal/observe/clip"
)

// identity is who a caller is, and how that is known.
type identity struct {
	kind    model.Identity
	account string // DOMAIN\name
	basis   string
	logon   made
}

// made is how a logon was made, in the terms of model.Use.
type made struct {
	with         string // one of model's packages
	spn          string
	mic          model.Tristate
	raw, binding model.Tristate
	agent        string // what the client says about itself
}

var notSeen = identity{kind: model.Unknown, basis: "the logon was not seen"}

// logon collects what the tokens of one logon say.
//
// The rules, each learned from a real capture:
//
//   - Anonymous is an NTLM AUTHENTICATE without a name and without a response, whatever its flags and the server's
//     flags say; or the server's IS_NULL.
//   - An empty name alone is not enough: if there is a response, the server's guest flag decides.
//   - A guest is whom the server calls one.
//   - Kerberos is anonymous only if the ticket is, and its account's name is inside the ticket.
//   - A logon that was seen but could not be parsed is reported as such, never as one that was not seen.
type logon struct {
	auth      *said // by the last AUTHENTICATE
	kerberos  bool
	owner     identity // of the ticket, if its issue was seen; else kind is empty
	asked     identity // that asked for a ticket through the server: IAKERB; kind is empty for none
	spn       string   // that the ticket is for
	mechanism string   // of the last token that is neither NTLM nor Kerberos
	seen      bool     // a token was sent, of whatever kind
	plain     *plain   // SMB1 without extended security
	damaged   bool     // a token could not be decoded
	agent     string   // what an SMB1 client says about itself
}

// said is what is kept of an NTLM AUTHENTICATE, whose fields have up to 64 KiB each.
type said struct {
	who     identity
	seed    [seedLen]byte // the input of the keys of a null session or a guest: nothing in it is secret
	hasSeed bool
}

const seedLen = 16

// plain is an SMB1 logon without extended security.
type plain struct {
	anonymous bool
	who       identity // by the name
	with      string   // the package
	agent     string
}

// negoExName begins a token of NegoEx. See [MS-NEGOEX] 2.2.6.2.
var negoExName = []byte("NEGOEXTS")

// token parses a token of the client, wrapped or raw.
func (l *logon) token(blob []byte) {
	l.seen = true
	if len(blob) == 0 {
		return
	}
	t, err := spnego.Parse(blob)
	if err != nil {
		l.damaged = true
		return
	}
	if m, ok := t.NTLM(); ok {
		l.ntlm(m)
		return
	}
	m := t.MechToken()
	oid, inner, err := spnego.Unframe(m)
	if err == nil && oid.Equal(spnego.OIDIAKERB) && bytes.HasPrefix(inner, tokenProxy) {
		if name, ok := requested(unproxied(inner)); ok { // the last counts: the first may be for the armor of FAST
			l.asked = identity{}
			if name != "" {
				l.asked = named(name,
					"Kerberos logon by way of the server (IAKERB), by the name that the ticket was asked for")
			}
		}
	}
	switch {
	case t.Kerberos(), err == nil && oid.Equal(spnego.OIDIAKERB):
		l.kerberos, l.auth, l.mechanism = true, nil, ""
	case bytes.HasPrefix(m, negoExName):
		l.mechanism, l.auth = "NegoEx", nil
	case err == nil:
		l.mechanism, l.auth = clip.Text("mechanism "+oid.String()), nil
	}
}

// ntlm parses an NTLMSSP message.
func (l *logon) ntlm(m []byte) {
	l.mechanism = "" // the mechanism offered before was not accepted
	if kind, ok := ntlm.TypeOf(m); !ok || kind != ntlm.TypeAuthenticate {
		l.kerberos = false // the client's first choice was another
		return
	}
	a, err := ntlm.ParseAuthenticate(m)
	if err != nil {
		l.damaged = true
		return
	}
	l.auth, l.kerberos = sayingOf(a), false
}

// sayingOf keeps of a message what is used later. The result shares no memory with the message.
func sayingOf(a *ntlm.Authenticate) *said {
	s := new(said)
	if ntlm.Classify(a) == ntlm.ClassAnonymous {
		s.who = identity{kind: model.Anonymous, basis: "NTLM logon without name and response"}
	} else {
		s.who = named(account(a.Domain(), a.User()), "NTLM logon by name")
	}
	s.who.logon = ntlmMade(a)
	seed := ntlm.ExportedSessionKey([16]byte{}, a)
	s.hasSeed = copy(s.seed[:], seed) == len(s.seed)
	return s
}

// decided reports whether the client has said who it is, or has tried in a way that cannot be read.
func (l *logon) decided() bool {
	return l.plain != nil || l.auth != nil || l.kerberos || l.mechanism != "" || l.damaged
}

// who returns the identity, taking the server's flags into account.
func (l *logon) who(guest, null bool) identity {
	id := l.claimed()
	switch {
	case null:
		return identity{kind: model.Anonymous, basis: "the server says it is a null session", logon: id.logon}
	case guest:
		return identity{kind: model.Guest, account: id.account, basis: "the server says it is a guest", logon: id.logon}
	}
	return id
}

// claimed returns who the client says it is.
func (l *logon) claimed() identity {
	id := l.claim()
	id.logon = l.made()
	return id
}

func (l *logon) claim() identity {
	switch {
	case l.plain != nil && l.plain.anonymous:
		return identity{kind: model.Anonymous, basis: "SMB1 logon without name and password"}
	case l.plain != nil:
		return l.plain.who
	case l.auth != nil:
		return l.auth.who
	case l.mechanism != "":
		return identity{kind: model.Unknown, basis: "the logon could not be read: " + l.mechanism}
	case l.kerberos && l.asked.kind != "" && l.owner.account == "" && l.owner.kind != model.Anonymous:
		return l.asked
	case l.kerberos && l.owner.kind != "":
		return l.owner
	case l.kerberos:
		return identity{kind: model.User, basis: "Kerberos logon; the name is inside the ticket"}
	case l.damaged:
		return identity{kind: model.Unknown, basis: "the logon could not be decoded"}
	case l.seen:
		return identity{kind: model.Unknown, basis: "the logon could not be read: no token of it says who it is"}
	}
	return notSeen
}

// named returns the identity of an account name; a computer's ends in a dollar sign. A long name is cut.
func named(name, basis string) identity {
	switch {
	case name == "":
		return identity{kind: model.Unknown, basis: basis + ", which is empty, with a response"}
	case strings.HasSuffix(name, "$"):
		return identity{kind: model.Machine, account: clip.Text(name), basis: basis}
	}
	return identity{kind: model.User, account: clip.Text(name), basis: basis}
}

func account(domain, name string) string {
	if domain == "" || name == "" {
		return name
	}
	return domain + `\` + name
}

// seed returns the input of the session keys of a null session or a guest; nil if only the two ends know it.
func (l *logon) seed() []byte {
	if l.auth == nil || !l.auth.hasSeed {
		return nil
	}
	return bytes.Clone(l.auth.seed[:])
}

// size returns the length of the texts of an identity, in bytes.
func (id *identity) size() int {
	return len(id.account) + len(id.basis) + len(id.logon.spn) + len(id.logon.agent)
}

// size returns the memory that the tokens of a logon take beyond the struct, in bytes.
func (l *logon) size() int {
	n := l.owner.size() + l.asked.size() + len(l.spn) + len(l.mechanism) + len(l.agent)
	if l.auth != nil {
		n += costSaid + l.auth.who.size()
	}
	return n
}

// netlogonToken returns who makes a secure channel. See [MS-NRPC] 2.2.1.3.1.
func netlogonToken(b []byte) (identity, bool) {
	if len(b) < 8 || b[0]|b[1]|b[2]|b[3] != 0 {
		return identity{}, false
	}
	flags, rest := b[4], b[8:]
	next := func() string {
		s, tail, ok := strings.Cut(string(rest), "\x00")
		if rest = nil; ok {
			rest = []byte(tail)
		}
		return s
	}
	var domain, computer string
	if flags&1 != 0 {
		domain = next()
	}
	if flags&2 != 0 {
		computer = next()
	}
	if computer != "" && !strings.HasSuffix(computer, "$") {
		computer += "$"
	}
	return identity{
		kind: model.Machine, account: clip.Text(account(domain, computer)),
		basis: "netlogon secure channel inside RPC",
	}, true
}
