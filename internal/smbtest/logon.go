package smbtest

import (
	"strings"
	"time"

	"ipcguard/internal/model"
	"ipcguard/internal/ntlm"
	"ipcguard/internal/ntlm/spnego"
	"ipcguard/internal/status"
)

// logon performs a GSS logon, independent of the dialect that carries its tokens.
type logon struct {
	host     *Host
	acceptor *spnego.Acceptor
	ntlm     *ntlm.Logon
	begun    bool
}

func (h *Host) server() *ntlm.Server {
	p, w := h.Profile, h.World
	return &ntlm.Server{
		NetBIOSComputer: w.Name, NetBIOSDomain: w.ntlmDomain(), DNSComputer: w.DNSName, DNSDomain: w.DNSDomain,
		InDomain: w.InDomain, Version: p.version(), NoTimestamp: p.NoTimestamp, GuestForUnknown: p.GuestForUnknown,
		Accounts: func(user, _ string) (ntlm.Hash, bool) {
			password, ok := w.Passwords[strings.ToLower(user)]
			if !ok {
				return ntlm.Hash{}, false
			}
			return ntlm.NTHash(password), true
		},
	}
}

// ntlmDomain returns the NetBIOS domain of a challenge: a server outside any domain names itself.
func (w *World) ntlmDomain() string {
	if w.InDomain {
		return w.Domain
	}
	return w.Name
}

func newLogon(h *Host) *logon {
	return &logon{host: h, acceptor: spnego.NewAcceptor(ntlm.OID()), ntlm: h.server().NewLogon()}
}

// step processes the client's next token. With more, the logon continues with the response; a refusal is an NTSTATUS.
func (l *logon) step(token []byte) (answer []byte, accepted *ntlm.Accepted, st status.NTStatus) {
	mech, _, err := l.acceptor.Accept(token)
	if err != nil {
		return nil, nil, status.InvalidParameter
	}
	if len(mech) == 0 { // the client guessed another mechanism
		return l.acceptor.Answer(spnego.StateAcceptMore, nil, nil), nil, status.MoreProcessingRequired
	}
	if !l.begun {
		challenge, err := l.ntlm.Challenge(mech)
		if err != nil {
			return nil, nil, status.InvalidParameter
		}
		l.begun = true
		return l.acceptor.Answer(spnego.StateAcceptMore, challenge, nil), nil, status.MoreProcessingRequired
	}
	a, err := l.ntlm.Authenticate(mech)
	if err == nil && !l.host.Profile.session(identity(a)) {
		err = status.AccessDenied
	}
	if err != nil {
		if d := l.host.Profile.LogonDelay; d > 0 {
			time.Sleep(d)
		}
		return nil, nil, ntStatus(err, status.InvalidParameter)
	}
	var mic []byte
	if a.Kind == ntlm.KindUser {
		if sec, err := a.Security(); err == nil {
			if list := l.acceptor.MechList(); list != nil {
				m := sec.Sign(list)
				mic = m[:]
			}
		}
	}
	return l.acceptor.Answer(spnego.StateAcceptCompleted, nil, mic), a, status.Success
}

func identity(a *ntlm.Accepted) model.Identity {
	switch a.Kind {
	case ntlm.KindAnonymous:
		return model.Anonymous
	case ntlm.KindGuest:
		return model.Guest
	}
	return model.User
}

// accept assigns the session to the identity that logged on.
func (s *session) accept(a *ntlm.Accepted) {
	s.who, s.account = identity(a), a.User
	if s.who == model.Guest {
		s.account = "Guest"
	}
	s.logon = nil
}
