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
	b, err := only(b, tagSequence)
	if err != nil {
		return nil, err
	}
	t := &Resp{State: StateAbsent}
	for last := -1; len(b) > 0; {
		var tag byte
		var content []byte
		if tag, content, b, err = element(b); err != nil {
			return nil, err
		}
		if int(tag) <= last {
			return nil, malformed("element 0x%02X out of order", tag)
		}
		last = int(tag)
		switch tag {
		case tagContext0:
			if content, err = only(content, tagEnumerated); err != nil {
				return nil, err
			}
			if len(content) != 1 || content[0] > byte(StateRequestMIC) {
				return nil, malformed("an unknown state")
			}
			t.State = State(content[0])
		case tagContext0 + 1:
			if content, err = only(content, tagOID); err == nil {
				t.SupportedMech, err = parseOID(content)
			}
		case tagContext0 + 2:
			t.ResponseToken, err = only(content, tagOctetString)
			t.ResponseToken = present(t.ResponseToken)
		case tagContext0 + 3:
			t.MechListMIC, err = only(content, tagOctetString)
			t.MechListMIC = present(t.MechListMIC)
		}
		if err != nil {
			return nil, err
		}
	}
	return t, nil
}

// Append writes the token.
func (t *Resp) Append(b []byte) []byte {
	var s []byte
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
	return appendElement(b, tagContext0+1, appendElement(nil, tagSequence, s))
}
