package plan

import (
	"bytes"
	"encoding/json"

	"ipcguard/internal/model"
)

// StoredAudit is an audit read from its JSON without what a plan has no use for: the access table is most of its bytes,
// and a plan asks the model itself.
type StoredAudit struct {
	model.Audit
	Access unread `json:"access"` // in the place of the audit's own
}

// usualSettings is how many settings an audit has room for at first: every system has fewer in the catalog.
const usualSettings = 80

// ReadAudit reads a stored audit for a plan, without looking at its access table. The schema is not checked. Whoever
// plans for many hosts reads their evidence with it: most of the time would go into that table.
func ReadAudit(b []byte) (*model.Audit, error) {
	s := &StoredAudit{}
	s.Settings = make([]model.Setting, 0, usualSettings)
	if err := json.Unmarshal(without(b, `"access"`), s); err != nil {
		return nil, err
	}
	return &s.Audit, nil
}

// unread is a part of a document that is passed over.
type unread struct{}

// UnmarshalJSON is part of json.Unmarshaler.
func (*unread) UnmarshalJSON([]byte) error { return nil }

// without cuts the value of a key of the outermost object, given in its quotes, out of a document. What it does not
// understand it leaves to the decoder: the document comes back as it was.
func without(b []byte, key string) []byte {
	i := blank(b, 0)
	if i == len(b) || b[i] != '{' {
		return b
	}
	for i++; ; i++ {
		start := blank(b, i)
		end := value(b, start)
		colon := blank(b, end)
		if colon >= len(b) || b[start] != '"' || b[colon] != ':' {
			return b
		}
		from := blank(b, colon+1)
		to := value(b, from)
		if string(b[start:end]) == key {
			return append(append(bytes.Clone(b[:from]), "null"...), b[to:]...)
		}
		if i = blank(b, to); i >= len(b) || b[i] != ',' {
			return b
		}
	}
}

// blank is where the white space that begins at i ends.
func blank(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\t' || b[i] == '\r') {
		i++
	}
	return i
}

// value is where the value that begins at i ends, by its brackets and quotes alone; the document's end where it does not.
func value(b []byte, i int) int {
	for depth := 0; i < len(b); {
		switch b[i] {
		case '"':
			i = text(b, i)
		case '{', '[':
			depth++
			i++
		case '}', ']':
			depth--
			i++
		default:
			if i++; depth > 0 {
				continue
			}
			for i < len(b) && bytes.IndexByte([]byte(",:]} \n\t\r"), b[i]) < 0 { // a number or a word
				i++
			}
		}
		if depth <= 0 {
			return i
		}
	}
	return len(b)
}

// text is where the text whose quote stands at i ends.
func text(b []byte, i int) int {
	for i++; i < len(b); {
		n := bytes.IndexByte(b[i:], '"')
		if n < 0 {
			return len(b)
		}
		i += n + 1
		escapes := 0
		for b[i-2-escapes] == '\\' {
			escapes++ // ends at the quote that begins the text
		}
		if escapes%2 == 0 {
			return i
		}
	}
	return len(b)
}
