package spnego

import "encoding/asn1"

// Init is the first token: the mechanisms of the sender, and optionally the first token of the preferred one. A server
// sends one in its SMB NEGOTIATE response, with hints.
//
// See RFC 4178 4.2.1 and [MS-SPNG] 2.2.1.
type Init struct {
	MechTypes   []asn1.ObjectIdentifier
	ReqFlags    []byte // content of the bit string, nil = absent
	MechToken   []byte // nil = absent
	Hints       *Hints
	MechListMIC []byte // nil = absent
	Bare        bool   // without the outer frame and its object identifier

	mechTypes []byte // the list as sent
}

// Hints are the hints in a server's NegTokenInit2.
type Hints struct {
	Name    []byte // nil = absent; "not_defined_in_RFC4178@please_ignore" or, before Vista, the server's principal
	Address []byte // nil = absent
}

func parseInit(b []byte) (*Init, error) {
	t := new(Init)
	err := eachField(b, func(tag byte, content []byte) (err error) {
		switch tag {
		case tagContext0:
			if t.MechTypes, err = parseMechTypes(content); err == nil {
				t.mechTypes = content
			}
		case tagContext0 + 1:
			t.ReqFlags, err = present(content, tagBitString)
		case tagContext0 + 2:
			t.MechToken, err = present(content, tagOctetString)
		case tagContext0 + 3:
			// RFC 4178 has the MIC here, [MS-SPNG] the hints.
			if len(content) > 0 && content[0] == tagSequence {
				t.Hints, err = parseHints(content)
				break
			}
			t.MechListMIC, err = present(content, tagOctetString)
		case tagContext0 + 4:
			if t.MechListMIC != nil {
				return malformed("two message integrity codes")
			}
			t.MechListMIC, err = present(content, tagOctetString)
		default: // RFC 4178 allows extensions
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return t, nil
}

func parseMechTypes(b []byte) ([]asn1.ObjectIdentifier, error) {
	b, err := only(b, tagSequence)
	if err != nil {
		return nil, err
	}
	var out []asn1.ObjectIdentifier
	for len(b) > 0 {
		if len(out) == maxMechanisms {
			return nil, malformed("more than %d mechanisms", maxMechanisms)
		}
		var oid asn1.ObjectIdentifier
		if oid, b, err = leadingOID(b); err != nil {
			return nil, err
		}
		out = append(out, oid)
	}
	return out, nil
}

func parseHints(b []byte) (*Hints, error) {
	h := new(Hints)
	err := eachField(b, func(tag byte, content []byte) (err error) {
		switch tag {
		case tagContext0:
			h.Name, err = present(content, tagGeneralString)
		case tagContext0 + 1:
			h.Address, err = present(content, tagOctetString)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return h, nil
}

// MechList returns the mechanism list as it is signed: the bytes that were sent, or that Append will write.
func (t *Init) MechList() []byte {
	if t.mechTypes != nil {
		return t.mechTypes
	}
	var list []byte
	for _, oid := range t.MechTypes {
		list = appendOID(list, oid)
	}
	return appendElement(nil, tagSequence, list)
}

// Append writes the token.
func (t *Init) Append(b []byte) []byte {
	s := make([]byte, 0, 128+len(t.MechToken)+len(t.MechListMIC)) // and room for what is around them
	if t.mechTypes != nil || t.MechTypes != nil {
		s = appendElement(s, tagContext0, t.MechList())
	}
	if t.ReqFlags != nil {
		s = appendField(s, 1, tagBitString, t.ReqFlags)
	}
	if t.MechToken != nil {
		s = appendField(s, 2, tagOctetString, t.MechToken)
	}
	mic := byte(3)
	if t.Hints != nil {
		var h []byte
		if t.Hints.Name != nil {
			h = appendField(h, 0, tagGeneralString, t.Hints.Name)
		}
		if t.Hints.Address != nil {
			h = appendField(h, 1, tagOctetString, t.Hints.Address)
		}
		s = appendField(s, 3, tagSequence, h)
		mic = 4
	}
	if t.MechListMIC != nil {
		s = appendField(s, mic, tagOctetString, t.MechListMIC)
	}
	inner := elementLen(elementLen(len(s)))
	if !t.Bare {
		oid := appendOID(make([]byte, 0, 16), OIDSPNEGO)
		b = append(appendHead(b, tagApplication0, len(oid)+inner), oid...)
	}
	return appendElement(appendHead(b, tagContext0, elementLen(len(s))), tagSequence, s)
}
