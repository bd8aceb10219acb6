package spnego

import (
	"context"
	"encoding/asn1"
	"errors"
	"fmt"
)

// Mechanism is the client's side of one mechanism, such as ntlm.Client.
type Mechanism interface {
	Mechanism() asn1.ObjectIdentifier
	Start(ctx context.Context) ([]byte, error)
	Next(ctx context.Context, challenge []byte) ([]byte, error)
	MIC(mechTypes []byte) []byte
	VerifyMIC(mechTypes, mic []byte) error
}

// ErrMIC reports that the server's signature of the mechanism list is wrong. After a logon that the server made a guest
// it means nothing, because the server had no key to sign with.
var ErrMIC = errors.New("spnego: the server's signature of the mechanism list is wrong")

// ErrReject reports that the server refused the mechanism.
var ErrReject = errors.New("spnego: the server rejects the mechanism")

// Initiator is the client's side of one SPNEGO logon.
type Initiator struct {
	mech     Mechanism
	raw      bool
	mechList []byte
}

// NewInitiator wraps the tokens of a mechanism; raw sends them unwrapped, to servers without SPNEGO.
func NewInitiator(m Mechanism, raw bool) *Initiator { return &Initiator{mech: m, raw: raw} }

// Start returns the first token.
func (i *Initiator) Start(ctx context.Context) ([]byte, error) {
	token, err := i.mech.Start(ctx)
	if err != nil || i.raw {
		return token, err
	}
	t := &Init{MechTypes: []asn1.ObjectIdentifier{i.mech.Mechanism()}, MechToken: token}
	i.mechList = t.MechList()
	return t.Append(nil), nil
}

// Next answers a token of the server other than its last. It also returns the mechanism's token inside.
func (i *Initiator) Next(ctx context.Context, token []byte) (answer, challenge []byte, err error) {
	t, err := Parse(token)
	if err != nil {
		return nil, nil, err
	}
	challenge = t.MechToken()
	switch {
	case t.Kind == KindResp && t.Resp.State == StateReject:
		return nil, nil, ErrReject
	case t.Kind == KindInit:
		return nil, nil, malformed("a first token in the middle")
	case len(challenge) == 0 && t.Kind == KindResp:
		// The server wants our mechanism and has not seen its token, or requests a signature of the list.
		if t.Resp.SupportedMech != nil && !t.Resp.SupportedMech.Equal(i.mech.Mechanism()) {
			return nil, nil, fmt.Errorf("%w: it wants %v", ErrReject, t.Resp.SupportedMech)
		}
		mic := i.mech.MIC(i.mechList)
		if mic == nil {
			return nil, nil, malformed("a token with nothing to answer")
		}
		return (&Resp{State: StateAbsent, MechListMIC: mic}).Append(nil), nil, nil
	}
	out, err := i.mech.Next(ctx, challenge)
	if err != nil {
		return nil, challenge, err
	}
	if t.Kind != KindResp {
		i.raw = true
		return out, challenge, nil
	}
	return (&Resp{
		State:         StateAbsent,
		ResponseToken: out,
		MechListMIC:   i.mech.MIC(i.mechList),
	}).Append(nil), challenge, nil
}

// Finish reads the token of the server's success response; it may be empty. The caller decides about ErrMIC.
func (i *Initiator) Finish(ctx context.Context, token []byte) error {
	if len(token) == 0 {
		return nil
	}
	t, err := Parse(token)
	if err != nil {
		return err
	}
	if t.Kind != KindResp {
		return nil
	}
	if t.Resp.State == StateReject {
		return ErrReject
	}
	mic := t.Resp.MechListMIC
	if len(t.Resp.ResponseToken) > 0 && !isNTLM(t.Resp.ResponseToken) && !i.mech.Mechanism().Equal(OIDNTLM) {
		if _, err := i.mech.Next(ctx, t.Resp.ResponseToken); err != nil {
			return err
		}
	}
	// Windows 2000 repeats the token in place of the MIC. See [MS-SPNG] 3.1.5.1.
	if len(mic) == 0 || string(mic) == string(t.Resp.ResponseToken) {
		return nil
	}
	if err := i.mech.VerifyMIC(i.mechList, mic); err != nil {
		return fmt.Errorf("%w: %w", ErrMIC, err)
	}
	return nil
}
