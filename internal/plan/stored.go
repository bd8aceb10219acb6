package plan

import (
	"bytes"
	"encoding/json"

	"ipcguard/internal/model"
)

// StoredAudit is an audit read from its JSON without what a plan does not use: most of its bytes are the access table,
// and a plan asks the model itself.
type StoredAudit struct {
	model.Audit
	Access unread `json:"access"` // shadows the audit's own
}

// usualSettings is the initial capacity for settings: no system has more in the catalog.
const usualSettings = 80

// ReadAudit reads a stored audit for a plan and skips its access table. It does not check the schema. Planning for many
// hosts uses it, because most of the time would be spent on that table.
func ReadAudit(b []byte) (*model.Audit, error) {
	s := &StoredAudit{}
	s.Settings = make([]model.Setting, 0, usualSettings)
	if err := json.Unmarshal(without(b, `"access"`), s); err != nil {
		return nil, err
	}
	return &s.Audit, nil
}

// unread is a part of a document that is skipped.
type unread struct{}

// UnmarshalJSON implements json.Unmarshaler.
func (*unread) UnmarshalJSON([]byte) error { return nil }

// without removes a key (given in its quotes) and its value from the outermost object of a document. If it does not
// understand the document, it returns it unchanged and leaves the error to the decoder.
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

// blank returns the end of the white space that begins at i.
func blank(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\t' || b[i] == '\r') {
		i++
	}
	return i
}

// value returns the end of the value that begins at i, by brackets and quotes only; the document's end if there is
// none.
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

// text returns the end of the string whose quote is at i.
func text(b []byte, i int) int {
	for i++; i < len(b); {
		n := bytes.IndexByte(b[i:], '"')
		if n < 0 {
			return len(b)
		}
		i += n + 1
		escapes := 0
		for b[i-2-escapes] == '\\' {
			escapes++ // stops at the opening quote
		}
		if escapes%2 == 0 {
			return i
		}
	}
	return len(b)
}
