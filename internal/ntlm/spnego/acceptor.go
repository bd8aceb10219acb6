package spnego

import "encoding/asn1"

// Acceptor is the server's side of one SPNEGO logon. It answers in the client's form: SPNEGO or raw tokens.
type Acceptor struct {
	mechs    []asn1.ObjectIdentifier
	raw      bool
	answered bool
	mechList []byte
}

// NewAcceptor offers these mechanisms, the best first.
func NewAcceptor(mechs ...asn1.ObjectIdentifier) *Acceptor { return &Acceptor{mechs: mechs} }

// Hello returns the token of the SMB NEGOTIATE response.
func (a *Acceptor) Hello() []byte {
	return (&Init{MechTypes: a.mechs, Hints: &Hints{Name: []byte(notDefinedHint)}}).Append(nil)
}

// Accept unwraps a client's token. An empty mechToken means that the client guessed a different mechanism; then Answer
// with an empty token requests ours.
func (a *Acceptor) Accept(token []byte) (mechToken, mic []byte, err error) {
	t, err := Parse(token)
	if err != nil {
		return nil, nil, err
	}
	switch t.Kind {
	case KindInit:
		a.mechList = t.Init.MechList()
		if len(t.Init.MechTypes) > 0 && !a.serves(t.Init.MechTypes[0]) {
			return nil, nil, nil
		}
		return t.Init.MechToken, t.Init.MechListMIC, nil
	case KindResp:
		return t.Resp.ResponseToken, t.Resp.MechListMIC, nil
	}
	a.raw = true
	return t.Raw, nil, nil
}

func (a *Acceptor) serves(oid asn1.ObjectIdentifier) bool {
	return len(a.mechs) > 0 && oid.Equal(a.mechs[0])
}

// MechList returns what client and server sign; nil for raw tokens.
func (a *Acceptor) MechList() []byte { return a.mechList }

// Answer wraps the server's token; the first response names the mechanism.
func (a *Acceptor) Answer(state State, mechToken, mic []byte) []byte {
	if a.raw {
		return mechToken
	}
	t := &Resp{State: state, ResponseToken: mechToken, MechListMIC: mic}
	if !a.answered && len(a.mechs) > 0 {
		t.SupportedMech = a.mechs[0]
	}
	a.answered = true
	return t.Append(nil)
}
