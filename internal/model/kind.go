package model

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
)

// kinds maps the schema of a document, without its version, to a name.
var kinds = map[string]string{
	"ipcguard.scan":    "the result of a scan",
	"ipcguard.audit":   "the result of an audit",
	"ipcguard.use":     "rows of an observation",
	"ipcguard.observe": "the result of an observation",
	"ipcguard.plan":    "a plan",
}

// KindOf describes the first document of a file, for the error that a file of another kind was expected. A file holds
// one document, an array of them, or one a line. The file is within the bounds of CheckDocument.
func KindOf(b []byte) string {
	if len(bytes.TrimSpace(b)) == 0 {
		return "an empty file"
	}
	d := json.NewDecoder(bytes.NewReader(b))
	if b = bytes.TrimLeft(b, " \t\r\n"); b[0] == '[' {
		if _, err := d.Token(); err != nil || !d.More() {
			return "an array with nothing in it"
		}
	}
	var head struct {
		Schema string `json:"schema"`
	}
	var syntax *json.SyntaxError
	switch err := d.Decode(&head); {
	case errors.As(err, &syntax):
		return "no JSON"
	case err != nil || head.Schema == "":
		return "JSON without a schema of ipcguard"
	}
	return SchemaKind(head.Schema)
}

// SchemaKind describes a document by its schema.
func SchemaKind(schema string) string {
	const most = 64 // bytes of a schema; the longest of this program has 18
	if len(schema) > most {
		return "a document of another program"
	}
	name, _, _ := strings.Cut(schema, "/")
	if kind := kinds[name]; kind != "" {
		return kind + " (" + schema + ")"
	}
	return "a document of another program (" + schema + ")"
}

// Schema returns the schema of this program with which a file begins, given the first bytes of the file. The schema is
// that of a document or of the first document of an array; it is empty if there is none.
func Schema(head []byte) string {
	d := json.NewDecoder(bytes.NewReader(head))
	for _, want := range []any{json.Delim('{'), "schema", nil} {
		token, err := d.Token()
		if token == json.Delim('[') {
			token, err = d.Token()
		}
		text, isText := token.(string)
		switch {
		case err != nil, want != nil && token != want:
			return ""
		case want == nil && isText && strings.HasPrefix(text, "ipcguard."):
			return text
		}
	}
	return ""
}
