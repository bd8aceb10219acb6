package audit

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"

	"ipcguard/internal/catalog"
	"ipcguard/internal/format/smbconf"
	"ipcguard/internal/model"
)

// sniffed is how many bytes of a file are read to identify it.
const sniffed = 4096

// sources lists what can be audited, for the error about anything else.
const sources = "a registry hive, a .reg file, a group policy, smb.conf, or the output of reg query, secedit, " +
	"gpresult /x, LGPO, auditpol, " +
	"Get-SmbServerConfiguration or Get-SmbShare"

// notAudited refuses a file, with a guess at what it is.
func notAudited(name, head string) error {
	if what := guess(head); what != "" {
		return fmt.Errorf("%s: %s, which is none of the files that can be audited: %s", name, what, sources)
	}
	return fmt.Errorf("%s: is none of the files that can be audited: %s", name, sources)
}

// guess says what kind of file may have been mistaken for a configuration.
func guess(head string) string {
	text := strings.TrimSpace(head)
	lower := strings.ToLower(text)
	if schema := model.Schema([]byte(head)); schema != "" {
		return "it is " + model.SchemaKind(schema)
	}
	for _, g := range []struct{ begins, what string }{
		{"<!doctype html", "it looks like HTML (gpresult /x writes the XML that is read)"},
		{"<html", "it looks like HTML (gpresult /x writes the XML that is read)"},
		{"<?xml", "it looks like XML of another kind"},
		{"<", "it looks like XML or HTML"},
		{"{", "it looks like JSON of another kind"},
		{"[{", "it looks like JSON of another kind"},
		{"elffile\x00", "it is an event log (ipcguard observe reads it)"},
		{"\x7felf", "it is a program"},
		{"mz", "it may be a program"},
		{"pk\x03\x04", "it is a zip archive: unpack it"},
		{"-----begin ", "it is a key or certificate"},
		{"#!", "it is a script"},
		{"root:", "it looks like a list of accounts"},
		{"\xd4\xc3\xb2\xa1", "it is a capture (ipcguard observe reads it)"},
		{"\x0a\x0d\x0d\x0a", "it is a capture (ipcguard observe reads it)"},
	} {
		if strings.HasPrefix(lower, g.begins) || strings.HasPrefix(head, g.begins) {
			return g.what
		}
	}
	switch {
	case text == "":
		return "it is empty"
	case strings.Contains(lower, "gpresult") || strings.Contains(text, "RSOP"):
		return "it looks like gpresult /r (gpresult /x writes the XML that is read)"
	}
	return ""
}

// isSamba reports whether a text is a Samba configuration, by its parameters.
func isSamba(path string) bool {
	c, err := smbconf.Load(path, smbconf.Options{Copied: true, ReadFile: copied})
	return err != nil || c.Known()
}

// sniffText identifies a text by its content.
func sniffText(name string, c *catalog.Catalog, head []byte, text string) (kind, error) {
	first := strings.TrimSpace(text)
	switch {
	case strings.HasPrefix(first, "Windows Registry Editor"), strings.HasPrefix(first, "REGEDIT"):
		return kindReg, nil
	case isPolicyFile(name), isTemplate(text):
		return kindPolicy, nil
	case strings.EqualFold(filepath.Ext(name), ".reg"):
		return kindReg, nil
	case toolOf(c, text) != nil:
		return kindText, nil
	case strings.IndexByte(text, 0) >= 0 || bytes.HasPrefix(head, []byte("\x7fELF")):
		return kindNone, notAudited(name, string(head))
	}
	return kindSamba, nil // or nothing known: its parameters decide
}

// isTemplate recognizes a security template, also as secedit /export writes it, with its signature at the end.
func isTemplate(text string) bool {
	upper := strings.ToUpper(text)
	if strings.Contains(upper, `"$CHICAGO$"`) {
		return true
	}
	return strings.HasPrefix(strings.TrimSpace(upper), "[UNICODE]") &&
		(strings.Contains(upper, "[SYSTEM ACCESS]") || strings.Contains(upper, "[REGISTRY VALUES]") ||
			strings.Contains(upper, "[PRIVILEGE RIGHTS]"))
}
