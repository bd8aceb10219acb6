package report

import (
	"cmp"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"

	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
)

// LogonFormats lists the formats of WriteLogons, the default first.
func LogonFormats() []string { return []string{"text", "json", "jsonl", "csv"} }

// SchemaLogons is the schema of WriteLogons' document.
const SchemaLogons = "ipcguard.logons/1"

// WriteLogons writes who logs on how, the weakest first. Row formats (jsonl, csv) omit the coverage, as in
// WriteObservation.
func WriteLogons(w io.Writer, format string, o *model.Observation, style Style) error {
	logons, err := logonsOf(o)
	if err != nil {
		return err
	}
	switch format {
	case "text":
		return writeLogonText(w, logons, &o.Coverage, style)
	case "json":
		return WriteJSON(w, struct {
			Schema   string         `json:"schema"`
			Coverage model.Coverage `json:"coverage"`
			Logons   []model.Logon  `json:"logons"`
		}{SchemaLogons, o.Coverage, logons})
	case "jsonl":
		e := json.NewEncoder(model.JSONWriter{Writer: w})
		for i := range logons {
			if err := e.Encode(&logons[i]); err != nil {
				return fmt.Errorf("report: %w", err)
			}
		}
		return nil
	case "csv":
		return writeLogonCSV(w, logons)
	}
	return fmt.Errorf("unknown format %q: want one of %v", format, LogonFormats())
}

// logonsOf joins an observation's uses, and adds what each client probably is.
func logonsOf(o *model.Observation) ([]model.Logon, error) {
	c, err := catalog.Load()
	if err != nil {
		return nil, err
	}
	logons := model.Logons(o.Uses)
	for i := range logons {
		logons[i].Kind = c.ClientKind(logons[i].Agent)
	}
	return logons, nil
}

var strengthTexts = map[model.Strength]string{
	model.StrengthBroken:   "the password can be had from the wire (plaintext, LM, NTLMv1)",
	model.StrengthNone:     "nobody proves who comes (null sessions, guests)",
	model.StrengthOld:      "SMB1",
	model.StrengthUnknown:  "not enough was seen, or could be read, to say how weak it is",
	model.StrengthUnsigned: "neither signed nor encrypted: it can be relayed",
	model.StrengthNTLM:     "NTLMv2, signed or encrypted",
	model.StrengthStrong:   "Kerberos, signed or encrypted",
}

func writeLogonText(w io.Writer, logons []model.Logon, coverage *model.Coverage, style Style) error {
	var b strings.Builder
	p := newPalette(style.Color)
	b.WriteString(p.bold(logonAnswer(logons)) + "\n\n")
	last := model.Strength("")
	for i := range logons {
		l := &logons[i]
		if l.Strength != last {
			if last = l.Strength; i > 0 {
				b.WriteByte('\n')
			}
			fmt.Fprintf(&b, "%s: %s\n", p.bold(Clean(string(l.Strength))), strengthTexts[l.Strength])
		}
		who := Clean(string(l.Identity))
		if l.Account != "" {
			who += " " + Clean(l.Account)
		}
		fmt.Fprintf(&b, "  %s to %s as %s: %s\n", cmp.Or(Clean(l.Client), "(client not known)"),
			cmp.Or(Clean(l.Server), "(server not known)"), who, Clean(LogonWay(l)))
		fmt.Fprintf(&b, "      %s\n", p.dim(logonCount(l)))
		if l.Kind != "" {
			fmt.Fprintf(&b, "      %s\n", p.dim("likely "+Clean(l.Kind)))
		} else if l.Agent != "" {
			fmt.Fprintf(&b, "      %s\n", p.dim("calls itself "+Clean(l.Agent)))
		}
	}
	b.WriteByte('\n')
	coverageText(&b, p, coverage)
	return p.write(w, b.String())
}

// logonAnswer counts clients by the strength of their weakest logon.
func logonAnswer(logons []model.Logon) string {
	weakest, count := map[string]model.Strength{}, map[model.Strength]int{}
	for i := range logons {
		if _, ok := weakest[logons[i].Client]; !ok {
			weakest[logons[i].Client] = logons[i].Strength
			count[logons[i].Strength]++
		}
	}
	var parts []string
	for _, s := range model.Strengths() {
		if count[s] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", count[s], s))
		}
	}
	if parts == nil {
		return "No logon was seen."
	}
	return "Clients by the weakest way they come in: " + strings.Join(parts, ", ") + "."
}

var packageTexts = map[string]string{
	model.PackageAnonymous: "no credentials", model.PackageLM: "LM", model.PackageNTLMv1: "NTLMv1",
	model.PackageNTLMv1ESS: "NTLMv1 with extended session security",
	model.PackageNTLM:      "NTLM of an unknown version", model.PackageNTLMv2: "NTLMv2",
	model.PackageKerberos: "Kerberos", model.PackagePlaintext: "plaintext",
	model.PackageUnknown: "a logon of a kind that nothing told",
}

// LogonWay describes a kind of logon in words.
func LogonWay(l *model.Logon) string {
	parts := []string{cmp.Or(packageTexts[l.Package], "a logon that was not seen")}
	if l.Raw == model.True && l.Package != model.PackagePlaintext && l.Package != model.PackageAnonymous {
		parts[0] += " outside NTLMSSP"
	}
	switch {
	case l.Package == model.PackageNTLMv2 && l.MIC == model.False:
		parts[0] += " without MIC"
	case l.Binding == model.True:
		parts[0] += " bound to its channel"
	}
	switch l.Dialect {
	case "":
	case "NT LM 0.12":
		parts = append(parts, "SMB1")
	default:
		parts = append(parts, "SMB "+l.Dialect)
	}
	if l.Offers != "" && l.Offers != l.Dialect {
		parts = append(parts, "offers "+l.Offers)
	}
	switch {
	case l.Encrypted == model.True:
		parts = append(parts, "encrypted")
	case l.Signed == model.True:
		parts = append(parts, "signed")
	case l.Signed == model.False:
		parts = append(parts, "not signed")
	}
	if l.Signing != "" {
		parts = append(parts, "signing "+l.Signing)
	}
	if l.CanEncrypt == model.False {
		parts = append(parts, "cannot encrypt")
	}
	if l.SPN != "" {
		parts = append(parts, "asked for "+l.SPN)
	}
	return strings.Join(parts, ", ")
}

func logonCount(l *model.Logon) string {
	open := "without an answer"
	if l.Untold() {
		open = "whose result is not known"
	}
	var parts []string
	for _, x := range []struct {
		n    int64
		what string
	}{{l.Allowed, "let in"}, {l.Denied, "refused"}, {l.Open, open}} {
		if x.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", x.n, x.what))
		}
	}
	if parts == nil {
		parts = []string{"its logon was not seen"}
	}
	return fmt.Sprintf("%s; %s to %s", strings.Join(parts, ", "), cmp.Or(useTime(l.First), "?"),
		cmp.Or(useTime(l.Last), "?"))
}

func writeLogonCSV(w io.Writer, logons []model.Logon) error {
	c := csv.NewWriter(w)
	head := []string{
		"strength", "client", "kind", "agent", "server", "identity", "account", "package", "raw", "mic",
		"channel_binding", "spn", "dialect", "offers",
		"signing", "can_encrypt", "signed", "encrypted", "encryption", "allowed", "denied", "open", "first", "last",
	}
	if err := c.Write(head); err != nil {
		return err
	}
	n := func(v int64) string { return strconv.FormatInt(v, 10) }
	for i := range logons {
		l := &logons[i]
		row := []string{
			string(l.Strength), l.Client, l.Kind, l.Agent, l.Server, string(l.Identity), l.Account, l.Package,
			truth(l.Raw), truth(l.MIC), truth(l.Binding), l.SPN,
			l.Dialect, l.Offers, l.Signing, truth(l.CanEncrypt), truth(l.Signed), truth(l.Encrypted), l.Encryption,
			n(l.Allowed), n(l.Denied), n(l.Open),
			useTime(l.First), useTime(l.Last),
		}
		for j := range row {
			row[j] = Cell(row[j])
		}
		if err := c.Write(row); err != nil {
			return err
		}
	}
	c.Flush()
	return c.Error()
}
