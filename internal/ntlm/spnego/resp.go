package spnego

import "encoding/asn1"

// State is the state of a negotiation. See RFC 4178 4.2.2.
type State int8

// The states; StateAbsent is a token without one.
const (
	StateAbsent          State = -1
	StateAcceptCompleted State = 0
	StateAcceptMore      State = 1
	StateReject          State = 2
	StateRequestMIC      State = 3
)

// Resp is every token after the first.
//
// See RFC 4178 4.2.2.
type Resp struct {
	State         State
	SupportedMech asn1.ObjectIdentifier // nil = absent
	ResponseToken []byte                // nil = absent
	MechListMIC   []byte                // nil = absent
}

func parseResp(b []byte) (*Resp, error) {
	t := &Resp{State: StateAbsent}
	err := eachField(b, func(tag byte, content []byte) (err error) {
		switch tag {
		case tagContext0:
			if content, err = only(content, tagEnumerated); err != nil {
				return err
			}
			if len(content) != 1 || content[0] > byte(StateRequestMIC) {
				return malformed("an unknown state")
			}
			t.State = State(content[0])
		case tagContext0 + 1:
			if content, err = only(content, tagOID); err == nil {
				t.SupportedMech, err = parseOID(content)
			}
		case tagContext0 + 2:
			t.ResponseToken, err = present(content, tagOctetString)
		case tagContext0 + 3:
			t.MechListMIC, err = present(content, tagOctetString)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return t, nil
}

// Append writes the token.
func (t *Resp) Append(b []byte) []byte {
	s := make([]byte, 0, 64+len(t.ResponseToken)+len(t.MechListMIC)) // and room for what is around them
	if t.State != StateAbsent {
		s = appendField(s, 0, tagEnumerated, []byte{byte(t.State)})
	}
	if t.SupportedMech != nil {
		s = appendElement(s, tagContext0+1, appendOID(nil, t.SupportedMech))
	}
	if t.ResponseToken != nil {
		s = appendField(s, 2, tagOctetString, t.ResponseToken)
	}
	if t.MechListMIC != nil {
		s = appendField(s, 3, tagOctetString, t.MechListMIC)
	}
	return appendElement(appendHead(b, tagContext0+1, elementLen(len(s))), tagSequence, s)
}
