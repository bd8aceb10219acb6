// Package auditpol parses the audit policy of a Windows host, as auditpol writes it.
//
//	auditpol /get /category:*                     text, in the language of the system
//	  Object Access
//	    File Share              Success and Failure
//
//	auditpol /get /category:* /r, auditpol /backup, audit.csv of a group policy
//	  Machine Name,Policy Target,Subcategory,Subcategory GUID,Inclusion Setting,Exclusion Setting,Setting Value
//	  SRV1,System,File Share,{0CCE9224-69AE-11D9-BED3-505054503030},Success and Failure,,3
//
// A table identifies a subcategory by its GUID and, if it has that column, its setting by a number: both are the same
// in every language. Words are understood in English and German, the names of subcategories in French too; anything
// else is reported, never guessed. See [MS-GPAC] 2.2.1.
package auditpol

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Setting says which events of a subcategory are logged: a bit for success and one for failure.
type Setting int

// The settings. See [MS-GPAC] 2.2.1.1.
const (
	NoAuditing Setting = 0
	Success    Setting = 1
	Failure    Setting = 2
	Both       Setting = 3
)

// Policy is one host's audit policy, or a group policy's.
type Policy struct {
	Host     string
	Settings map[string]Setting // by GUID in upper case, without braces
	Unknown  []string           // lines of known subcategories that were not understood
}

// The subcategories that log the use of IPC$, by GUID. See [MS-GPAC] 2.2.1.2.
const (
	Logon             = "0CCE9215-69AE-11D9-BED3-505054503030"
	FileShare         = "0CCE9224-69AE-11D9-BED3-505054503030"
	DetailedFileShare = "0CCE9244-69AE-11D9-BED3-505054503030"
)

// names maps auditpol's names of the subcategories to their GUIDs.
var names = map[string]string{
	"logon": Logon, "anmelden": Logon,
	"file share": FileShare, "dateifreigabe": FileShare, "partage de fichiers": FileShare,
	"detailed file share": DetailedFileShare, "detaillierte dateifreigabe": DetailedFileShare,
	"partage de fichiers détaillé": DetailedFileShare,
}

// words maps auditpol's words for the settings.
var words = map[string]Setting{
	"no auditing": NoAuditing, "success": Success, "failure": Failure, "success and failure": Both,
	"keine überwachung": NoAuditing, "erfolg": Success, "fehler": Failure, "erfolg und fehler": Both,
}

// ErrNone means that a text is not an audit policy.
var ErrNone = errors.New("no audit policy as auditpol prints it")

// maxLines bounds a policy: there are some sixty subcategories.
const maxLines = 10_000

// Is reports whether a text is auditpol's: a table with the GUIDs of subcategories, or lines with their names.
func Is(head string) bool {
	lower := strings.ToLower(head)
	if strings.Contains(lower, "-69ae-11d9-bed3-505054503030}") {
		return true
	}
	for line := range strings.Lines(lower) {
		if _, _, ok := textLine(line); ok {
			return true
		}
	}
	return false
}

// Parse reads a policy.
func Parse(text string) (*Policy, error) {
	p := &Policy{Settings: map[string]Setting{}}
	var err error
	if strings.Contains(strings.ToUpper(text), "-69AE-11D9-BED3-505054503030}") {
		err = p.table(text)
	} else {
		err = p.text(text)
	}
	if err == nil && len(p.Settings) == 0 && len(p.Unknown) == 0 {
		err = fmt.Errorf("%w: no line about logons and file shares", ErrNone)
	}
	return p, err
}

func (p *Policy) text(text string) error {
	n := 0
	for line := range strings.Lines(text) {
		if n++; n > maxLines {
			return fmt.Errorf("audit policy: more than %d lines", maxLines)
		}
		if id, word, ok := textLine(line); ok {
			p.take(id, word, "", strings.TrimSpace(line))
		}
	}
	return nil
}

// textLine parses one line of a known subcategory: name and setting, separated by two or more blanks.
func textLine(line string) (id, word string, ok bool) {
	name, word, cut := strings.Cut(strings.TrimSpace(line), "  ")
	if !cut {
		return "", "", false
	}
	id, ok = names[strings.ToLower(name)]
	return id, strings.TrimSpace(word), ok
}

func (p *Policy) table(text string) error {
	r := csv.NewReader(strings.NewReader(strings.TrimPrefix(text, "\ufeff")))
	r.FieldsPerRecord, r.LazyQuotes = -1, true
	for n := 0; ; n++ {
		row, err := r.Read()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("audit policy: %w", err)
		case n == maxLines:
			return fmt.Errorf("audit policy: more than %d lines", maxLines)
		case len(row) < 5:
			continue
		}
		id := strings.ToUpper(strings.Trim(strings.TrimSpace(row[3]), "{}"))
		switch id {
		case Logon, FileShare, DetailedFileShare:
			if p.Host == "" {
				p.Host = strings.TrimSpace(row[0])
			}
			value := ""
			if len(row) > 6 {
				value = strings.TrimSpace(row[6])
			}
			p.take(id, row[4], value, strings.Join(row, ","))
		}
	}
}

// take reads a setting by its number or, if there is none, by its words. In a group policy 0 means not configured, and
// 4 means off; auditpol itself writes 0 for off.
func (p *Policy) take(id, word, value, line string) {
	word = strings.ToLower(strings.TrimSpace(word))
	s, ok := words[word]
	switch value {
	case "1", "2", "3":
		s, ok = Setting(value[0]-'0'), true
	case "4":
		s, ok = NoAuditing, true
	}
	if ok {
		p.Settings[id] = s
		return
	}
	const most = 10
	if len(p.Unknown) < most {
		p.Unknown = append(p.Unknown, line)
	}
}
