package gateway

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"ipcguard/internal/model"
	"ipcguard/internal/ntlm"
	"ipcguard/internal/ntlm/spnego"
)

// logon is a logon in progress: what the client's tokens have said so far. Each message is judged anew, because a
// client may change what it says. A token that two servers could read differently is damaged: the only reason for it is
// to be taken for another user.
type logon struct {
	auth      *ntlm.Authenticate // of the last AUTHENTICATE
	kerberos  bool
	mechanism string  // of the last token that is neither NTLM nor Kerberos
	plain     *caller // of an SMB1 logon without extended security, which has no tokens
	damaged   string  // why a token could not be read; empty if all could
	charset   ntlm.Flags
	offered   bool   // a CHALLENGE was seen, and charset is its
	session   uint64 // the session that it renews or binds to the connection
	counted   bool   // as refused, though it went on: refusals are only counted
	due       bool   // its last message was not answered yet; guarded by the lock of the table
}

// caller is the identity that a logon claims, or that a session has.
type caller struct {
	who     model.Identity
	account string // DOMAIN\name
	name    string // of the account, without the domain
	basis   string
	with    string // one of model's packages

	encrypted bool // the server requires encryption from now on
	earlier   bool // the session existed before the logon
	counted   bool // its logon was counted as refused
}

// request reads a token of the client.
func (l *logon) request(blob []byte) {
	if len(blob) == 0 {
		return // the client asks the server to speak first
	}
	t, err := spnego.Parse(blob)
	switch {
	case err != nil:
		l.damaged = err.Error()
		return
	case len(t.Trailing) > 0:
		l.damaged = "bytes behind the token"
		return
	}
	m := t.MechToken()
	oid, inner, err := spnego.Unframe(m)
	found := bytes.Count(blob, []byte("NTLMSSP\x00"))
	switch {
	case found > 1, found == 1 && !ntlmIn(m) && (err != nil || !ntlmIn(inner)):
		// A server that searches for it finds another message than one that reads the token.
		l.damaged = "the signature of NTLM where none of its messages is"
	case len(m) == 0:
	case ntlmIn(m):
		l.ntlm(m)
	case err == nil && ntlmIn(inner):
		l.ntlm(inner)
	case t.Kerberos(), err == nil && oid.Equal(spnego.OIDIAKERB):
		l.kerberos, l.auth, l.mechanism = true, nil, ""
	case err == nil:
		l.kerberos, l.auth, l.mechanism = false, nil, "mechanism "+oid.String()
	case bytes.HasPrefix(m, []byte("NEGOEXTS")): // [MS-NEGOEX] 2.2.6.2
		l.kerberos, l.auth, l.mechanism = false, nil, "NegoEx"
	default:
		l.damaged = "a token of no known mechanism"
	}
}

func ntlmIn(b []byte) bool {
	_, ok := ntlm.TypeOf(b)
	return ok
}

// ntlm reads an NTLMSSP message of the client.
func (l *logon) ntlm(m []byte) {
	l.kerberos, l.auth, l.mechanism = false, nil, ""
	switch kind, _ := ntlm.TypeOf(m); kind {
	case ntlm.TypeNegotiate:
	case ntlm.TypeAuthenticate:
		a, err := ntlm.ParseAuthenticate(bytes.Clone(m))
		switch {
		case err != nil:
			l.damaged = err.Error()
		case l.offered && (a.Flags^l.charset)&ntlm.NegotiateUnicode != 0:
			l.damaged = "names in another character set than the one agreed on"
		case !l.offered && twoNames(a):
			l.damaged = "a name whose character set was not agreed on"
		case strings.ContainsRune(a.User(), utf8.RuneError):
			l.damaged = "a name that is no text"
		default:
			l.auth = a
		}
	default:
		l.damaged = "an NTLM message that no client sends"
	}
}

// twoNames reports whether a name is empty only in the character set that the message does not choose. The agreed one
// is not known if the client sends its proof before the server's challenge, for a session whose id it guesses.
func twoNames(a *ntlm.Authenticate) bool {
	return readName(a, a.Flags) != "" && readName(a, a.Flags^ntlm.NegotiateUnicode) == ""
}

// readName returns the name as a server reads it, which may end at a NUL.
func readName(a *ntlm.Authenticate, set ntlm.Flags) string {
	name, _, _ := strings.Cut(ntlm.DecodeText(a.UserName, set), "\x00")
	return name
}

// answer reads a token of the server: its CHALLENGE decides the character set of the names.
func (l *logon) answer(blob []byte) {
	t, err := spnego.Parse(blob)
	if err != nil {
		return
	}
	m, ok := t.NTLM()
	if !ok {
		return
	}
	if c, err := ntlm.ParseChallenge(m); err == nil {
		l.charset, l.offered = c.Flags, true
	}
}

// claimed returns the claimed identity. Unknown is a logon that claims none, or none yet.
func (l *logon) claimed() caller {
	switch {
	case l.damaged != "":
		return caller{
			who:   model.Unknown,
			basis: "the logon could not be read: " + l.damaged,
			with:  model.PackageUnknown,
		}
	case l.plain != nil:
		return *l.plain
	case l.auth != nil:
		return l.named()
	case l.kerberos:
		return caller{
			who:   model.User,
			basis: "Kerberos logon; the name is inside the ticket",
			with:  model.PackageKerberos,
		}
	case l.mechanism != "":
		return caller{
			who:   model.Unknown,
			basis: "the logon could not be read: " + l.mechanism,
			with:  model.PackageUnknown,
		}
	}
	return caller{who: model.Unknown, basis: "no token of the logon says who it is", with: model.PackageUnknown}
}

// named reads an AUTHENTICATE message. A name that a server may read as empty counts as empty: one that starts with
// NUL, or is half a character.
func (l *logon) named() caller {
	a := l.auth
	name := readName(a, a.Flags)
	anonymous := caller{
		who:   model.Anonymous,
		basis: "NTLM logon without name and response",
		with:  model.PackageAnonymous,
	}
	switch {
	case ntlm.Classify(a) == ntlm.ClassAnonymous:
		return anonymous
	case a.Flags.Has(ntlm.NegotiateAnonymous):
		anonymous.basis = "NTLM logon that calls itself anonymous"
		return anonymous
	case len(a.NtChallengeResponse) == 0 && len(a.LmChallengeResponse) <= 1:
		anonymous.basis = "NTLM logon without a response"
		return anonymous
	case name == "":
		anonymous.basis = "NTLM logon with an empty name"
		return anonymous
	}
	c := caller{who: model.User, account: name, name: name, basis: "NTLM logon by name", with: packageOf(a)}
	if domain := a.Domain(); domain != "" {
		c.account = domain + `\` + name
	}
	if name[len(name)-1] == '$' {
		c.who = model.Machine
	}
	return c
}

// packageOf derives the package of a logon from the lengths of its responses. See [MS-NLMP] 3.3.1 and 3.3.2.
func packageOf(a *ntlm.Authenticate) string {
	const v1 = 24 // bytes of an LM or NTLMv1 response; those of NTLMv2 are longer
	nt, lm := a.NtChallengeResponse, a.LmChallengeResponse
	switch {
	case len(lm) == v1 && (len(nt) == 0 || bytes.Equal(nt, lm)):
		return model.PackageLM
	case len(nt) == v1 && a.Flags.Has(ntlm.NegotiateExtendedSecurity):
		return model.PackageNTLMv1ESS
	case len(nt) == v1:
		return model.PackageNTLMv1
	case len(nt) > v1:
		return model.PackageNTLMv2
	}
	return model.PackageUnknown
}

// come returns who has logged on, by the flags of the server's response.
func (l *logon) come(guest, null bool) caller {
	c := l.claimed()
	c.counted = l.counted
	switch {
	case null:
		c.who, c.account, c.name, c.basis = model.Anonymous, "", "", "the server says it is a null session"
	case guest:
		c.who, c.basis = model.Guest, "the server says it is a guest"
	}
	return c
}
