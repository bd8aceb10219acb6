package report

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"ipcguard/internal/model"
)

// UseFormats lists the formats of WriteObservation, the default first.
func UseFormats() []string { return []string{"text", "json", "jsonl", "csv", "tsv", "html"} }

// WriteObservation writes what was seen of the use of IPC$. Rows alone (jsonl, csv, tsv) leave the coverage out: a
// caller tells it elsewhere, with WriteCoverage.
func WriteObservation(w io.Writer, format string, o *model.Observation, style Style) error {
	switch format {
	case "text":
		return writeUseText(w, o, style)
	case "json":
		return writeUseJSON(model.JSONWriter{Writer: w}, o)
	case "jsonl":
		e := json.NewEncoder(model.JSONWriter{Writer: w})
		for i := range o.Uses {
			if err := e.Encode(&o.Uses[i]); err != nil {
				return fmt.Errorf("report: %w", err)
			}
		}
		return nil
	case "html":
		return writeUseHTML(w, o, style)
	case "csv":
		return writeUseCSV(w, o.Uses)
	case "tsv":
		return writeUseTSV(w, o.Uses)
	}
	return fmt.Errorf("unknown format %q: want one of %v", format, UseFormats())
}

// writeUseJSON writes one document, a row a line.
func writeUseJSON(w io.Writer, o *model.Observation) error {
	coverage, err := json.Marshal(&o.Coverage)
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	days := []byte("[]")
	if len(o.Days) > 0 {
		if days, err = json.Marshal(o.Days); err != nil {
			return fmt.Errorf("report: %w", err)
		}
	}
	if _, err := fmt.Fprintf(w, "{\"schema\":%q,\n\"coverage\":%s,\n\"days\":%s,\n\"uses\":[", model.SchemaObserve,
		coverage, days); err != nil {
		return err
	}
	for i := range o.Uses {
		b, err := json.Marshal(&o.Uses[i])
		if err != nil {
			return fmt.Errorf("report: %w", err)
		}
		lead := ",\n"
		if i == 0 {
			lead = "\n"
		}
		if _, err := w.Write(append([]byte(lead), b...)); err != nil {
			return err
		}
	}
	_, err = io.WriteString(w, "\n]}\n")
	return err
}

// useColumns are the fields of a row, named as in JSON, with their types in Zeek's logs.
var useColumns = []struct {
	name, kind string
	of         func(*model.Use) string
}{
	{"first", "time", func(u *model.Use) string { return useTime(u.First) }},
	{"last", "time", func(u *model.Use) string { return useTime(u.Last) }},
	{"client", "string", func(u *model.Use) string { return u.Client }},
	{"server", "string", func(u *model.Use) string { return u.Server }},
	{"identity", "enum", func(u *model.Use) string { return string(u.Identity) }},
	{"account", "string", func(u *model.Use) string { return u.Account }},
	{"layer", "enum", func(u *model.Use) string { return string(u.Layer) }},
	{"share", "string", func(u *model.Use) string { return u.Share }},
	{"pipe", "string", func(u *model.Use) string { return u.Pipe }},
	{"interface", "string", func(u *model.Use) string { return u.Interface }},
	{"uuid", "string", func(u *model.Use) string { return u.UUID }},
	{"call", "string", func(u *model.Use) string { return u.Call }},
	{"opnum", "int", func(u *model.Use) string { return opnum(u.Opnum) }},
	{"outcome", "enum", func(u *model.Use) string { return string(u.Outcome) }},
	{"status", "string", func(u *model.Use) string { return u.Status }},
	{"count", "count", func(u *model.Use) string { return strconv.FormatInt(u.Count, 10) }},
	{"basis", "string", func(u *model.Use) string { return u.Basis }},
	{"source", "string", func(u *model.Use) string { return u.Source }},
	{"dialect", "string", func(u *model.Use) string { return u.Dialect }},
	{"signed", "bool", func(u *model.Use) string { return truth(u.Signed) }},
	{"encrypted", "bool", func(u *model.Use) string { return truth(u.Encrypted) }},
	{"package", "enum", func(u *model.Use) string { return u.Package }},
	{"spn", "string", func(u *model.Use) string { return u.SPN }},
	{"mic", "bool", func(u *model.Use) string { return truth(u.MIC) }},
	{"offers", "string", func(u *model.Use) string { return u.Offers }},
	{"signing", "enum", func(u *model.Use) string { return u.Signing }},
	{"can_encrypt", "bool", func(u *model.Use) string { return truth(u.CanEncrypt) }},
	{"raw", "bool", func(u *model.Use) string { return truth(u.Raw) }},
	{"channel_binding", "bool", func(u *model.Use) string { return truth(u.Binding) }},
	{"encryption", "enum", func(u *model.Use) string { return u.Encryption }},
	{"agent", "string", func(u *model.Use) string { return u.Agent }},
	{"told_by", "string", func(u *model.Use) string { return u.ToldBy }},
}

// truth is a boolean as Zeek writes it, and nothing if it is unknown.
func truth(t model.Tristate) string {
	switch t {
	case model.True:
		return "T"
	case model.False:
		return "F"
	}
	return ""
}

func opnum(n int) string {
	if n < 0 {
		return ""
	}
	return strconv.Itoa(n)
}

func useTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

func writeUseCSV(w io.Writer, uses []model.Use) error {
	c := csv.NewWriter(w)
	row := make([]string, len(useColumns))
	for i, column := range useColumns {
		row[i] = column.name
	}
	if err := c.Write(row); err != nil {
		return err
	}
	for i := range uses {
		for j, column := range useColumns {
			row[j] = Cell(column.of(&uses[i]))
		}
		if err := c.Write(row); err != nil {
			return err
		}
	}
	c.Flush()
	return c.Error()
}

// writeUseTSV writes the rows as Zeek writes a log, so that what reads Zeek's logs reads them.
func writeUseTSV(w io.Writer, uses []model.Use) error {
	var names, kinds []string
	for _, c := range useColumns {
		names, kinds = append(names, c.name), append(kinds, c.kind)
	}
	if _, err := fmt.Fprintf(w,
		"#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tipcguard_use\n#fields\t%s\n#types\t%s\n",
		strings.Join(names, "\t"), strings.Join(kinds, "\t")); err != nil {
		return err
	}
	row := make([]string, len(useColumns))
	for i := range uses {
		for j, c := range useColumns {
			v := c.of(&uses[i])
			if c.kind == "time" {
				v = epoch(v, &uses[i], c.name)
			}
			row[j] = zeekText(v)
		}
		if _, err := io.WriteString(w, strings.Join(row, "\t")+"\n"); err != nil {
			return err
		}
	}
	return nil
}

// epoch is a time as Zeek writes it: seconds with six digits behind the point.
func epoch(v string, u *model.Use, column string) string {
	t := u.First
	if column == "last" {
		t = u.Last
	}
	if v == "" {
		return ""
	}
	return fmt.Sprintf("%d.%06d", t.Unix(), t.Nanosecond()/1000)
}

// zeekText escapes what would be taken for a mark of the format, as Zeek does.
func zeekText(s string) string {
	switch s {
	case "":
		return "-"
	case "-", "(empty)":
		return fmt.Sprintf(`\x%02x%s`, s[0], s[1:])
	}
	var b strings.Builder
	for i, size := 0, 0; i < len(s); i += size {
		var r rune
		r, size = utf8.DecodeRuneInString(s[i:])
		if !model.Hidden(r) && r != utf8.RuneError && r != '\\' && (r != '#' || i > 0) {
			b.WriteString(s[i : i+size])
			continue
		}
		for _, c := range []byte(s[i : i+size]) {
			fmt.Fprintf(&b, `\x%02x`, c)
		}
	}
	return b.String()
}
