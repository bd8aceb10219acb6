package notify

import (
	"net/netip"
	"strconv"
	"strings"

	"ipcguard/internal/model"
	"ipcguard/internal/store"
)

// cef is an event in the Common Event Format:
//
//	CEF:0|vendor|product|version|event class|name|severity|key=value key=value …
//
// In the header a backslash and a pipe are escaped, in values a backslash and an equals sign. Line breaks are gone before.
func cef(version string, e store.Event) string {
	var b strings.Builder
	b.WriteString("CEF:0|ipcguard|ipcguard")
	for _, field := range []string{version, string(e.Kind), title(e.Kind), strconv.Itoa(cefSeverity(e.Severity))} {
		b.WriteByte('|')
		b.WriteString(cefHeader.Replace(field))
	}
	b.WriteByte('|')
	first := true
	put := func(key, value string) {
		if value == "" {
			return
		}
		if !first {
			b.WriteByte(' ')
		}
		first = false
		b.WriteString(key + "=" + cefValue.Replace(value))
	}
	put("rt", strconv.FormatInt(e.At.UnixMilli(), 10))
	if e.ID != 0 {
		put("externalId", strconv.FormatInt(e.ID, 10))
	}
	put("dhost", e.Host)
	if at, err := netip.ParseAddrPort(e.Host); err == nil {
		put("dst", at.Addr().String())
		put("dpt", strconv.Itoa(int(at.Port())))
	} else if ip, err := netip.ParseAddr(e.Host); err == nil {
		put("dst", ip.String())
	}
	labelled := func(key, label, value string) {
		if value != "" {
			put(key+"Label", label)
			put(key, value)
		}
	}
	labelled("cs1", "subject", e.Subject)
	labelled("cs2", "before", e.Before)
	labelled("cs3", "after", e.After)
	labelled("cs4", "site", e.Site)
	if e.RunID != 0 {
		labelled("cn1", "run", strconv.FormatInt(e.RunID, 10))
	}
	put("msg", e.Text)
	return b.String()
}

var (
	cefHeader = strings.NewReplacer(`\`, `\\`, `|`, `\|`, "\n", " ", "\r", " ")
	cefValue  = strings.NewReplacer(`\`, `\\`, `=`, `\=`, "\n", `\n`, "\r", `\r`)
)

// cefSeverity is CEF's from 0 to 10: 0 to 3 is low, 4 to 6 medium, 7 and 8 high, 9 and 10 very high.
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
