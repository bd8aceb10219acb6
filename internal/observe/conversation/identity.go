package conversation

import (
	"strings"

	"ipcguard/internal/model"
	"ipcguard/internal/ntlm"
	"ipcguard/internal/ntlm/spnego"
)

// identity is who a caller is, and what tells it.
type identity struct {
	kind    model.Identity
	account string // DOMAIN\name
	basis   string
}

var notSeen = identity{kind: model.Unknown, basis: "the logon was not seen"}

// logon collects what the tokens of one logon say.
//
// The rules, each of which a capture in the field has taught:
//
//   - Anonymous is an NTLM AUTHENTICATE without a name and without a response, whatever its flags say and whatever flags the
//     server answers with; or the server's IS_NULL.
//   - An empty name alone is not enough: with a response behind it, the server's guest flag decides.
//   - Guest is what the server says is one.
//   - Kerberos is never anonymous here, and its account's name is inside the ticket.
type logon struct {
	auth      *ntlm.Authenticate // of the last AUTHENTICATE
	kerberos  bool
	principal string // of kerberos, where its ticket was seen being issued
	other     bool   // a token of another mechanism
	plain     bool   // SMB1 without extended security
	anonymous bool   // plain, without name and password
	account   string // of plain
	damaged   bool   // a token could not be decoded
}

// token takes what the client sent, wrapped or raw.
func (l *logon) token(blob []byte) {
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
	switch {
	case t.Kerberos():
		l.kerberos, l.auth = true, nil
	case t.Kind == spnego.KindMechanism:
		l.other = true
	}
}

// ntlm takes an NTLMSSP message.
func (l *logon) ntlm(m []byte) {
	if kind, ok := ntlm.TypeOf(m); !ok || kind != ntlm.TypeAuthenticate {
		l.kerberos = false // the client's first choice was another
		return
	}
	a, err := ntlm.ParseAuthenticate(append([]byte(nil), m...))
	if err != nil {
		l.damaged = true
		return
	}
	l.auth, l.kerberos = a, false
}

// who decides with the server's flags.
func (l *logon) who(guest, null bool) identity {
	id := l.claimed()
	switch {
	case null:
		return identity{kind: model.Anonymous, basis: "the server says it is a null session"}
	case guest:
		return identity{kind: model.Guest, account: id.account, basis: "the server says it is a guest"}
	}
	return id
}

// claimed is who the client says it is.
func (l *logon) claimed() identity {
	switch {
	case l.plain && l.anonymous:
		return identity{kind: model.Anonymous, basis: "SMB1 logon without name and password"}
	case l.plain:
		return named(l.account, "SMB1 logon by name")
	case l.auth != nil && ntlm.Classify(l.auth) == ntlm.ClassAnonymous:
		return identity{kind: model.Anonymous, basis: "NTLM logon without name and response"}
	case l.auth != nil:
		return named(account(l.auth.Domain(), l.auth.User()), "NTLM logon by name")
	case l.kerberos && l.principal != "":
		return named(l.principal, "Kerberos logon; its ticket was seen being issued")
	case l.kerberos:
		return identity{kind: model.User, basis: "Kerberos logon; the name is inside the ticket"}
	case l.other:
		return identity{kind: model.User, basis: "a logon that is neither NTLM nor Kerberos"}
	case l.damaged:
		return identity{kind: model.Unknown, basis: "the logon could not be decoded"}
	}
	return notSeen
}

// named is an account by its name; computers' end in a dollar.
func named(name, basis string) identity {
	switch {
	case name == "":
		return identity{kind: model.Unknown, basis: basis + ", which is empty, with a response"}
	case strings.HasSuffix(name, "$"):
		return identity{kind: model.Machine, account: name, basis: basis}
	}
	return identity{kind: model.User, account: name, basis: basis}
}

func account(domain, name string) string {
	if domain == "" || name == "" {
		return name
	}
	return domain + `\` + name
}

// seed is what keys of a null session or a guest are derived from: nothing in it is secret.
func (l *logon) seed() []byte {
	if l.auth == nil {
		return nil
	}
	return ntlm.ExportedSessionKey([16]byte{}, l.auth)
}

// netlogonToken reads who makes a secure channel. See [MS-NRPC] 2.2.1.3.1.
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
	return identity{kind: model.Machine, account: account(domain, computer), basis: "netlogon secure channel inside RPC"}, true
}
