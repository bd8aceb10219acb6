package scan

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"ipcguard/internal/catalog"
	"ipcguard/internal/ntlm"
	"ipcguard/internal/smb"
)

// unknownSystem is the word for a server that is not identified, or that is not what it claims.
const unknownSystem = "unknown"

// identify returns what the server seems to be, by everything it has shown so far. The caller holds the host's lock.
func (h *host) identify() catalog.Identified { return h.catalog.Identify(h.facts()) }

// facts returns what the server has shown, in the terms of [catalog.Clue].
func (h *host) facts() map[string]string {
	facts := map[string]string{}
	add := func(name, value string) {
		if value != "" {
			facts[name] = value
		}
	}
	heard, n := &h.hearing, &h.hearing.offered
	add("native_os", heard.nativeOS)
	add("native_lanman", heard.lanMan)
	add("comment", heard.comment)
	add("hint", n.MechanismHint)
	add("signing", n.Signing)
	if heard.guestForNull {
		add("null_session", "guest")
	}
	name := h.result.Server.Name
	if t := heard.target; heard.heard {
		if t.NetBIOSComputer != "" {
			name = t.NetBIOSComputer
			if t.NetBIOSDomain == name && t.DNSDomain == name {
				add("domain", "name")
			}
		}
		switch v := t.Version; {
		case !t.HasVersion:
			add("version", "none")
		default:
			add("version", fmt.Sprintf("%d.%d.%d", v.Major, v.Minor, v.Build))
		}
		if plausible(t) {
			build := int(t.Version.Build)
			add("build", strconv.Itoa(build))
			what := productOf(h.catalog, build)
			if what == "" {
				what = fmt.Sprintf("Windows %d.%d", t.Version.Major, t.Version.Minor)
			}
			add("windows", fmt.Sprintf("%s, build %d", what, build))
		}
	}
	add("name", name)
	if n.Dialect != smb.SMB1 && n.Dialect != 0 {
		add("guid", hex.EncodeToString(n.ServerGUID[:]))
		add("guid_kind", guidKind(n.ServerGUID, name))
		if h.o.Dialects == nil {
			add("dialect", n.Dialect.String())
		}
		if n.Dialect >= smb.SMB210 {
			add("max_transact", strconv.FormatUint(uint64(n.MaxTransact), 10))
		}
		if !n.StartTime.IsZero() && n.StartTime.Equal(n.SystemTime) {
			add("started", "now")
		}
	}
	return facts
}

// guidKind classifies GUIDs that are not random: all zero, a name as Samba writes it, or sixteen letters.
func guidKind(g [16]byte, name string) string {
	letters := 0
	for _, c := range g {
		if c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' {
			letters++
		}
	}
	switch {
	case g == [16]byte{}:
		return "zero"
	case name != "" && string(g[:]) == padded(strings.ToLower(name)):
		return "name"
	case letters == len(g):
		return "letters"
	}
	return ""
}

// padded returns a name in the sixteen bytes of a GUID, padded with zeros.
func padded(name string) string {
	var b [16]byte
	copy(b[:], name)
	return string(b[:])
}

// systemOf returns which system's settings the server has, as far as the evidence agrees.
func systemOf(who catalog.Identified) string {
	if who.Kind == nil || who.Kind.System == "" || who.Against {
		return unknownSystem
	}
	return who.Kind.System
}

// titleOf returns the product's name with its evidence.
func titleOf(who catalog.Identified) string {
	switch {
	case who.Product == "":
		return ""
	case who.Against && who.Kind.Decoy == "":
		return fmt.Sprintf("claims to be %s (%s)", who.Product, strings.Join(who.Basis, "; "))
	case who.Sure:
		return fmt.Sprintf("%s (%s)", who.Product, who.Basis[0])
	}
	return fmt.Sprintf("looks like %s (%s)", who.Product, who.Basis[0])
}

// plausible reports whether a challenge contains a version that Windows may have: NT 4.0 to 10.0, with a build number.
func plausible(t ntlm.Target) bool {
	return t.HasVersion && t.Version.Major >= 4 && t.Version.Major <= 10 && t.Version.Build > 0 &&
		t.Version.Build < 0xFFFF
}

// productOf maps build numbers to Windows releases.
func productOf(c *catalog.Catalog, build int) string {
	var names []string
	for _, p := range c.Products {
		if p.System == "windows" && p.Builds[0] > 0 && build >= p.Builds[0] && build <= p.Builds[1] {
			names = append(names, p.Title)
		}
	}
	return strings.Join(names, " or ")
}
