package notify

import (
	"net/netip"
	"strconv"
	"strings"
	"time"

	"ipcguard/internal/model"
	"ipcguard/internal/store"
)

// fields builds a line in the Common Event Format:
//
//	CEF:0|vendor|product|version|event class|name|severity|key=value key=value …
//
// Backslashes and pipes are escaped in the header, backslashes and equals signs in values. Line breaks were removed
// before.
type fields struct {
	b     strings.Builder
	after bool // a value came before
}

func begin(version, class, name string, severity int) *fields {
	f := &fields{}
	f.b.WriteString("CEF:0|ipcguard|ipcguard")
	for _, field := range []string{version, class, name, strconv.Itoa(severity)} {
		f.b.WriteByte('|')
		f.b.WriteString(cefHeader.Replace(field))
	}
	f.b.WriteByte('|')
	return f
}

// put adds a value unless it is empty.
func (f *fields) put(key, value string) {
	if value == "" {
		return
	}
	if f.after {
		f.b.WriteByte(' ')
	}
	f.after = true
	f.b.WriteString(key + "=" + cefValue.Replace(value))
}

// labelled adds one of the format's custom fields with its label.
func (f *fields) labelled(key, label, value string) {
	if value != "" {
		f.put(key+"Label", label)
		f.put(key, value)
	}
}

// when adds the time and the id; 0 is none.
func (f *fields) when(at time.Time, id int64) {
	f.put("rt", strconv.FormatInt(at.UnixMilli(), 10))
	if id != 0 {
		f.put("externalId", strconv.FormatInt(id, 10))
	}
}

// cef formats an event.
func cef(version string, e store.Event) string {
	f := begin(version, string(e.Kind), title(e.Kind), cefSeverity(e.Severity))
	put, labelled := f.put, f.labelled
	f.when(e.At, e.ID)
	put("dhost", e.Host)
	if at, err := netip.ParseAddrPort(e.Host); err == nil {
		put("dst", at.Addr().String())
		put("dpt", strconv.Itoa(int(at.Port())))
	} else if ip, err := netip.ParseAddr(e.Host); err == nil {
		put("dst", ip.String())
	}
	labelled("cs1", "subject", e.Subject)
	labelled("cs2", "before", e.Before)
	labelled("cs3", "after", e.After)
	labelled("cs4", "site", e.Site)
	if e.RunID != 0 {
		labelled("cn1", "run", strconv.FormatInt(e.RunID, 10))
	}
	put("msg", e.Text)
	return f.b.String()
}

// cefAct formats an act. suser is who did it, src their address, cs1 the subject; for a login duser is the account.
func cefAct(version string, a told) string {
	severity := 3
	if a.Action == store.ActLoginFailed {
		severity = 5
	}
	f := begin(version, a.Action, a.Action, severity)
	f.when(a.At, a.ID)
	f.put("act", a.Action)
	f.put("suser", a.Who)
	if ip, err := netip.ParseAddr(a.From); err == nil {
		f.put("src", ip.String())
	}
	if a.Action == store.ActLogin || a.Action == store.ActLoginFailed {
		f.put("duser", a.Subject)
	}
	f.labelled("cs1", "subject", a.Subject)
	f.labelled("cs2", "chain", a.Chain)
	f.put("msg", a.Detail)
	return f.b.String()
}

var (
	cefHeader = strings.NewReplacer(`\`, `\\`, `|`, `\|`, "\n", " ", "\r", " ")
	cefValue  = strings.NewReplacer(`\`, `\\`, `=`, `\=`, "\n", `\n`, "\r", `\r`)
)

// cefSeverity returns CEF's severity from 0 to 10: 0 to 3 is low, 4 to 6 medium, 7 and 8 high, 9 and 10 very high.
func cefSeverity(s model.Severity) int {
	switch s {
	case model.Critical:
		return 10
	case model.High:
		return 8
	case model.Medium:
		return 5
	case model.Low:
		return 3
	}
	return 1
}
