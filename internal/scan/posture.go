package scan

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
	"ipcguard/internal/ntlm"
	"ipcguard/internal/smb"
	"ipcguard/internal/status"
)

// postureSide is how many dialects of one host are tried at a time: a server that counts connections from one address
// must not take us for an attack.
const postureSide = 3

// hearing is what the server told about itself, gathered over all logons.
type hearing struct {
	target   ntlm.Target
	heard    bool
	nativeOS string // SMB1
	lanMan   string // SMB1
	role     model.Role
}

// greet keeps what the server says to everybody.
func (h *host) greet(n smb.Negotiated) {
	s := &h.result.Server
	s.Signing = "disabled"
	if n.SigningEnabled {
		s.Signing = "enabled"
	}
	if n.SigningRequired {
		s.Signing = "required"
	}
	if n.ServerGUID != [16]byte{} {
		s.GUID = guid(n.ServerGUID)
	}
	if !n.SystemTime.IsZero() {
		s.Time = n.SystemTime.UTC().Format(time.RFC3339)
	}
	s.Name, s.Domain = n.ServerName, n.DomainName
	h.offers(n)
}

// offers keeps what one negotiated dialect shows.
func (h *host) offers(n smb.Negotiated) {
	h.lock.Lock()
	defer h.lock.Unlock()
	s := &h.result.Server
	if d := n.Dialect.String(); !slices.Contains(s.Dialects, d) {
		s.Dialects = append(s.Dialects, d)
	}
	s.SMB1 = s.SMB1 || n.Dialect == smb.SMB1
	s.Encryption = s.Encryption || n.CanEncrypt
	if n.Cipher != "" && !slices.Contains(s.Ciphers, n.Cipher) {
		s.Ciphers = append(s.Ciphers, n.Cipher)
	}
}

// posture offers every dialect alone, each on a small connection of its own. It returns those over which the server
// dropped the connection: it may not speak them, or not like so many connections.
func (h *host) posture(ctx context.Context, m *meter) (unsure []smb.Dialect) {
	dialects := h.o.Dialects
	if dialects == nil {
		dialects = smb.AllDialects()
	}
	dialects = slices.DeleteFunc(slices.Clone(dialects), func(d smb.Dialect) bool { return d == h.dialect })
	side := make(chan struct{}, postureSide)
	h.parallel(len(dialects), func(i int) {
		side <- struct{}{}
		defer func() { <-side }()
		d := dialects[i]
		err := h.speaks(ctx, m, d)
		h.lock.Lock()
		defer h.lock.Unlock()
		switch {
		case dropped(err):
			unsure = append(unsure, d)
		case err != nil:
			h.result.Server.Undecided = append(h.result.Server.Undecided, d.String())
		}
	})
	slices.Sort(unsure)
	return unsure
}

// A server gets a moment to notice that our connections have ended: a short one as a rule, a longer one where it closed
// more of them than a dialect that it does not speak explains.
const (
	shortSettle = 100 * time.Millisecond
	settle      = 500 * time.Millisecond
)

// alone offers dialects again while nothing else of ours is open. One over which the server drops the connection each
// time, while it answers others, is not spoken. One without an answer is undecided.
func (h *host) alone(ctx context.Context, dialects []smb.Dialect) {
	m, wait := h.meter(h.waited()), shortSettle
	if len(dialects) > 1 || slices.ContainsFunc(h.ladders, func(l *ladder) bool { return l.unmet != nil }) {
		wait = settle
	}
	for _, d := range dialects {
		err := h.speaks(ctx, m, d)
		if dropped(err) && sleep(ctx, wait) == nil {
			err = h.speaks(ctx, m, d)
		}
		if err != nil && !dropped(err) {
			h.result.Server.Undecided = append(h.result.Server.Undecided, d.String())
		}
	}
}

// speaks settles one dialect, or returns why it could not.
func (h *host) speaks(ctx context.Context, m *meter, d smb.Dialect) error {
	c, err := h.connect(ctx, m, []smb.Dialect{d})
	var nt status.NTStatus
	switch {
	case errors.As(err, &nt):
		return nil
	case err != nil:
		return err
	}
	n := c.Negotiated()
	c.Close()
	if n.Dialect == d {
		h.offers(n)
	}
	return nil
}

// listen keeps what a logon, successful or not, told about the server.
func (h *host) listen(a smb.Authenticator, info smb.SessionInfo) {
	h.lock.Lock()
	defer h.lock.Unlock()
	if info.NativeLanMan != "" {
		h.hearing.nativeOS, h.hearing.lanMan = info.NativeOS, info.NativeLanMan
	}
	c, ok := a.(interface{ Challenge() *ntlm.Challenge })
	if !ok || c.Challenge() == nil {
		return
	}
	t := c.Challenge().Target()
	if !h.hearing.heard {
		h.hearing.heard, h.hearing.target = true, t
	}
	if name := strings.ToLower(cmp.Or(t.DNSComputer, t.NetBIOSComputer)); name != "" && !slices.Contains(h.names, name) {
		h.names = append(h.names, name)
	}
}

// serverName is the server's own NetBIOS name, or nothing.
func (h *host) serverName() string {
	h.lock.Lock()
	defer h.lock.Unlock()
	return h.hearing.target.NetBIOSComputer
}

// describe ends the posture: names, and what the server looks like.
func (h *host) describe() {
	s, t := &h.result.Server, h.hearing.target
	if h.hearing.heard {
		s.Name, s.DNSName, s.DNSDomain, s.Forest = t.NetBIOSComputer, t.DNSComputer, t.DNSDomain, t.DNSTree
		if s.Domain = t.NetBIOSDomain; s.Name == "" {
			s.Name = t.Name
		}
		if plausible(t) {
			s.Build = int(t.Version.Build)
		}
	}
	order := smb.AllDialects()
	rank := func(name string) int {
		return slices.IndexFunc(order, func(d smb.Dialect) bool { return d.String() == name })
	}
	slices.SortFunc(s.Dialects, func(a, b string) int { return rank(a) - rank(b) })
	slices.SortFunc(s.Undecided, func(a, b string) int { return rank(a) - rank(b) })
	slices.Sort(s.Ciphers)
	s.System, s.OS = h.looks()
	// Outside of any domain a server names itself in the place of one.
	if s.Role = h.hearing.role; s.Role == "" && t.NetBIOSDomain != "" && strings.EqualFold(t.NetBIOSDomain, t.NetBIOSComputer) {
		s.Role = model.Standalone
	}
}

// system is what the server looks like so far.
func (h *host) system() string {
	h.lock.Lock()
	defer h.lock.Unlock()
	system, _ := h.looks()
	return system
}

// looks judges what the server is, and says from what.
func (h *host) looks() (system, os string) {
	s, t := &h.result.Server, h.hearing.target
	switch {
	case strings.HasPrefix(h.hearing.lanMan, "Samba"):
		return "samba", h.hearing.lanMan + " (it says so itself over SMB1)"
	case strings.HasPrefix(h.hearing.lanMan, "Windows") || strings.HasPrefix(h.hearing.nativeOS, "Windows") && !strings.Contains(h.hearing.lanMan, "Samba"):
		name := h.hearing.nativeOS
		if name == "" {
			name = h.hearing.lanMan
		}
		return "windows", name + " (it says so itself over SMB1)"
	case t.HasVersion && t.Version.Build == 0 && t.Version.Major == 6 && t.Version.Minor == 1:
		return "samba", "looks like Samba (its NTLM challenge names version 6.1 without a build)"
	case s.GUID != "" && namedGUID(s.GUID, s.Name):
		return "samba", "looks like Samba (its server GUID spells its name)"
	case plausible(t):
		build := int(t.Version.Build)
		what := productOf(h.catalog, build)
		if what == "" {
			what = fmt.Sprintf("Windows %d.%d", t.Version.Major, t.Version.Minor)
		}
		return "windows", fmt.Sprintf("looks like %s, build %d (from its NTLM challenge)", what, build)
	}
	return "unknown", ""
}

// plausible tells whether a challenge names a version that Windows may have: NT 4.0 to 10.0, with a build number.
func plausible(t ntlm.Target) bool {
	return t.HasVersion && t.Version.Major >= 4 && t.Version.Major <= 10 && t.Version.Build > 0 && t.Version.Build < 0xFFFF
}

// productOf names the Windows releases that have a build number.
func productOf(c *catalog.Catalog, build int) string {
	var names []string
	for _, p := range c.Products {
		if p.System == "windows" && p.Builds[0] > 0 && build >= p.Builds[0] && build <= p.Builds[1] {
			names = append(names, p.Title)
		}
	}
	return strings.Join(names, " or ")
}

// namedGUID tells whether a GUID holds the bytes of a name, as Samba makes it.
func namedGUID(guid, name string) bool {
	if name == "" {
		return false
	}
	return strings.HasPrefix(guid, fmt.Sprintf("%x", strings.ToLower(name))[:min(8, 2*len(name))])
}

// guid prints the first three fields little-endian, as Windows does.
func guid(b [16]byte) string {
	return fmt.Sprintf("%02x%02x%02x%02x-%02x%02x-%02x%02x-%x-%x", b[3], b[2], b[1], b[0], b[5], b[4], b[7], b[6], b[8:10], b[10:])
}
