package logs

import (
	"net/netip"
	"strconv"
	"strings"

	"ipcguard/internal/model"
)

// Well-known SIDs. See [MS-DTYP] 2.4.2.4.
const (
	sidNobody    = "S-1-0-0"
	sidAnonymous = "S-1-5-7"
	sidSystem    = "S-1-5-18"
	sidLocal     = "S-1-5-19"
	sidNetwork   = "S-1-5-20"
	ridGuest     = "-501"
)

// sidIdentity returns the identity of a SID and account name, and the evidence; Unknown if neither says it.
func sidIdentity(sid, name string) (id model.Identity, basis string) {
	switch {
	case sid == sidAnonymous:
		return model.Anonymous, "SID " + sid
	case strings.EqualFold(name, "ANONYMOUS LOGON"):
		return model.Anonymous, "account name ANONYMOUS LOGON"
	case strings.HasPrefix(sid, "S-1-5-21-") && strings.HasSuffix(sid, ridGuest):
		return model.Guest, "SID ends in " + ridGuest
	case sid == sidSystem || sid == sidLocal || sid == sidNetwork:
		return model.Machine, "SID " + sid
	case strings.HasSuffix(name, "$"):
		return model.Machine, "account name ends in $"
	case strings.HasPrefix(sid, "S-1-5-21-") || strings.HasPrefix(sid, "S-1-12-1-"):
		return model.User, "an account's SID"
	case name != "" && name != "-":
		return model.User, "account name"
	}
	return model.Unknown, "neither SID nor account name"
}

// accountName returns DOMAIN\name, or only the name; "" for an anonymous logon, which has no account.
func accountName(id model.Identity, domain, name string) string {
	name, domain = undash(name), undash(domain)
	if id == model.Anonymous || name == "" {
		return ""
	}
	if domain == "" {
		return name
	}
	return domain + `\` + name
}

// undash removes the dash that Windows writes for "none".
func undash(s string) string {
	if s = strings.TrimSpace(s); s == "-" {
		return ""
	}
	return s
}

// cleanAddress returns an address in the usual form: no IPv4 inside IPv6, no port, no brackets, no backslashes of a UNC
// name. A host name is returned as it is.
func cleanAddress(s string) string {
	s = strings.Trim(undash(s), `\`)
	for _, prefix := range []string{"ipv4:", "ipv6:"} { // as Samba writes them, with a port
		if rest, ok := strings.CutPrefix(s, prefix); ok {
			if i := strings.LastIndexByte(rest, ':'); i >= 0 {
				rest = rest[:i]
			}
			s = rest
		}
	}
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr().Unmap().String()
	}
	if a, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		return a.Unmap().String()
	}
	return s
}

// isAddress reports whether a text is an IP address, with or without a port.
func isAddress(s string) bool {
	_, err := netip.ParseAddr(cleanAddress(s))
	return err == nil
}

// canBeHost reports whether a text can be a host's name or is empty. No name has a colon or ends in a number, so that
// it cannot be taken for an address. See RFC 1123, 2.1.
func canBeHost(s string) bool {
	last := s[strings.LastIndexByte(s, '.')+1:]
	return s == "" || !strings.Contains(s, ":") && strings.Trim(last, "0123456789") != ""
}

// cleanPipe returns a pipe's name without its path, in lower case: "" for the share itself.
func cleanPipe(s string) string {
	s = strings.ToLower(strings.Trim(undash(s), `\`))
	return strings.TrimPrefix(s, `pipe\`)
}

// cleanShare returns the last part of \\*\IPC$.
func cleanShare(s string) string {
	if i := strings.LastIndexByte(s, '\\'); i >= 0 {
		s = s[i+1:]
	}
	if strings.EqualFold(s, "IPC$") {
		return "IPC$"
	}
	return s
}

// logonID parses 0x3e7, 999 or, from Windows before Vista, (0x0,0x3E7).
func logonID(s string) (uint64, bool) {
	s = strings.TrimSpace(s)
	if inner, ok := strings.CutPrefix(s, "("); ok {
		high, low, ok := strings.Cut(strings.TrimSuffix(inner, ")"), ",")
		if !ok {
			return 0, false
		}
		h, err1 := strconv.ParseUint(strings.TrimSpace(high), 0, 32)
		l, err2 := strconv.ParseUint(strings.TrimSpace(low), 0, 32)
		return h<<32 | l, err1 == nil && err2 == nil
	}
	n, err := strconv.ParseUint(s, 0, 64)
	return n, err == nil && n != 0
}
