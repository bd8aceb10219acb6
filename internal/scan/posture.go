package scan

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"ipcguard/internal/model"
	"ipcguard/internal/ntlm"
	"ipcguard/internal/smb"
	"ipcguard/internal/status"
)

// postureSide is the number of dialects of one host that are tried at a time: a server that counts connections from one
// address must not take the scan for an attack.
const postureSide = 3

// hearing is what the server said about itself in all logons.
type hearing struct {
	target       ntlm.Target
	heard        bool
	nativeOS     string         // SMB1
	lanMan       string         // SMB1
	guestForNull bool           // a null session becomes a guest's
	comment      string         // of NetrServerGetInfo
	offered      smb.Negotiated // the answer to the first offer
	role         model.Role
}

// greet records what the server tells every client.
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
	h.hearing.offered = n
	h.offers(n)
}

// offers records what one negotiated dialect shows.
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

// toOffer lists the dialects to offer alone. Those newer than what a server of SMB2 chose stand by themselves where
// they are not to be offered at once.
func (h *host) toOffer() (known, newer []smb.Dialect) {
	dialects := h.o.Dialects
	if dialects == nil {
		dialects = smb.AllDialects()
	}
	apart := h.far() && h.dialect != smb.SMB1 && h.dialect < smb.SMB300
	for _, d := range dialects {
		switch {
		case d == h.dialect:
		case apart && d > h.dialect:
			newer = append(newer, d)
		default:
			known = append(known, d)
		}
	}
	return known, newer
}

// survey is the posture beside other questions.
type survey struct {
	*host
	main    *meter
	parts   sync.WaitGroup
	left    int // parts that were not asked to the end
	dropped []smb.Dialect
}

// offer makes a part of the survey that can be begun, once. After the last one the connections of others are made.
func (v *survey) offer(ctx context.Context, dialects []smb.Dialect) (begin func()) {
	if v.o.Quick || v.single || len(dialects) == 0 {
		return func() {}
	}
	v.left++
	return sync.OnceFunc(func() {
		m := v.meter(v.main.RoundTrips.Load())
		v.parts.Go(func() {
			dropped := v.posture(ctx, m, dialects)
			v.lock.Lock()
			v.dropped = append(v.dropped, dropped...)
			v.left--
			last := v.left == 0 && (len(v.dropped) == 0 || v.noSMB1(v.dropped))
			v.lock.Unlock()
			if last {
				v.sendAhead(ctx)
			}
		})
	})
}

// wait returns the dialects over which the server dropped the connection, of the parts that were begun.
func (v *survey) wait() []smb.Dialect {
	v.parts.Wait()
	slices.Sort(v.dropped)
	return v.dropped
}

// noSMB1 tells whether all dialects but SMB1 were answered, and that was dropped twice.
func (h *host) noSMB1(dropped []smb.Dialect) bool {
	return h.twice && slices.Equal(dropped, []smb.Dialect{smb.SMB1})
}

// posture offers dialects alone, each on a small connection of its own. It returns those over which the server dropped
// the connection: it may not speak them, or not like so many connections. SMB1, which most servers refuse like that,
// comes first, with no other of these beside it: where it is dropped then, and once more, while the others are answered
// though more connections are open, it is not spoken.
func (h *host) posture(ctx context.Context, m *meter, dialects []smb.Dialect) (unsure []smb.Dialect) {
	settled := func(d smb.Dialect) bool {
		err := h.speaks(ctx, m, d)
		h.lock.Lock()
		defer h.lock.Unlock()
		switch {
		case dropped(err):
			unsure = append(unsure, d)
			return false
		case err != nil:
			h.undecided(d, err)
		}
		return true
	}
	refused := false
	if !h.single && len(dialects) > 1 && dialects[0] == smb.SMB1 {
		if refused = !settled(smb.SMB1); refused {
			unsure = nil // it is tried again together with the others
		} else {
			dialects = dialects[1:]
		}
	}
	side := make(chan struct{}, postureSide)
	h.parallel(len(dialects), func(i int) {
		side <- struct{}{}
		defer func() { <-side }()
		settled(dialects[i])
	})
	if refused {
		h.lock.Lock()
		h.twice = true
		h.lock.Unlock()
	}
	slices.Sort(unsure)
	return unsure
}

// A server gets a moment to notice that our connections have ended: usually a short one, a longer one if it closed more
// of them than one unsupported dialect explains.
const (
	shortSettle = 100 * time.Millisecond
	settle      = 500 * time.Millisecond
)

// alone offers dialects again while nothing else of ours is open, and once more where they are dropped. One over which
// the server drops the connection each time, while it answers others, is not spoken. One without an answer is
// undecided.
func (h *host) alone(ctx context.Context, dialects []smb.Dialect) {
	m, wait := h.meter(h.waited()), shortSettle
	if len(dialects) > 1 || slices.ContainsFunc(h.ladders, func(l *ladder) bool { return l.unmet != nil }) {
		wait = settle
	}
	for _, d := range dialects {
		_ = sleep(ctx, wait) // when the time ends, so does the question
		err := h.speaks(ctx, m, d)
		if dropped(err) && sleep(ctx, wait) == nil {
			err = h.speaks(ctx, m, d)
		}
		if err != nil && !dropped(err) {
			h.undecided(d, err)
		}
	}
}

// undecided records a dialect without a decision. The meaning of an invalid answer to SMB1 depends on the kind of
// server.
func (h *host) undecided(d smb.Dialect, err error) {
	var t *smb.TransportError
	if d == smb.SMB1 && errors.As(err, &t) && t.NotSMB() {
		h.garbled = true
		return
	}
	h.result.Server.Undecided = append(h.result.Server.Undecided, d.String())
}

// speaks decides one dialect, or returns why it could not.
func (h *host) speaks(ctx context.Context, m *meter, d smb.Dialect) error {
	c, err := h.connect(ctx, m, []smb.Dialect{d})
	var nt status.NTStatus
	switch {
	case errors.As(err, &nt) && !busy(nt):
		return nil
	case err != nil:
		return err
	}
	defer c.Close()
	n := c.Negotiated()
	if n.Dialect == d {
		h.offers(n)
	}
	if n.Dialect == smb.SMB1 && !h.o.NoAnonymous {
		h.callsItself(ctx, c)
	}
	return nil
}

// busy tells that a server has no room for one more client, which says nothing of what it speaks.
func busy(s status.NTStatus) bool {
	switch s {
	case status.InsufficientResources, status.RequestNotAccepted, status.TooManySessions,
		status.InsuffServerResources:
		return true
	}
	return false
}

// callsItself asks for the server's own name, which it tells only to a session over SMB1. A refused session tells
// nothing.
func (h *host) callsItself(ctx context.Context, c *link) {
	a := ntlm.NewAnonymous(ntlm.Options{})
	if s, err := c.SessionSetup(ctx, a); err == nil {
		h.listen(model.Anonymous, a, s.Info())
	}
}

// listen records what a logon, successful or not, shows about the server, and reports whether there was a challenge.
func (h *host) listen(id model.Identity, a smb.Authenticator, info smb.SessionInfo) (challenged bool) {
	h.lock.Lock()
	defer h.lock.Unlock()
	h.hearing.guestForNull = h.hearing.guestForNull || id == model.Anonymous && info.Guest
	if info.NativeLanMan != "" {
		h.hearing.nativeOS, h.hearing.lanMan = info.NativeOS, info.NativeLanMan
	}
	c, ok := a.(interface{ Challenge() *ntlm.Challenge })
	if !ok || c.Challenge() == nil {
		return false
	}
	t := c.Challenge().Target()
	if !h.hearing.heard {
		h.hearing.heard, h.hearing.target = true, t
	}
	if name := strings.ToLower(cmp.Or(t.DNSComputer, t.NetBIOSComputer)); name != "" && !slices.Contains(h.names, name) {
		h.names = append(h.names, name)
	}
	return true
}

// serverName returns the server's own NetBIOS name, or nothing.
func (h *host) serverName() string {
	h.lock.Lock()
	defer h.lock.Unlock()
	return h.hearing.target.NetBIOSComputer
}

// ownDomain returns the domain of the server's own accounts, if that is known before it is asked for: a server outside
// any domain uses its own name instead.
func (h *host) ownDomain() string {
	h.lock.Lock()
	defer h.lock.Unlock()
	if t := h.hearing.target; strings.EqualFold(t.NetBIOSDomain, t.NetBIOSComputer) {
		return t.NetBIOSComputer
	}
	return ""
}

// describe completes the posture: names, and the kind of server.
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
	h.lock.Lock()
	who := h.identify()
	h.lock.Unlock()
	// ksmbd has no SMB1, and answers its negotiate with the length written twice. [M] ksmbd-6.12
	if h.garbled && systemOf(who) != "ksmbd" {
		s.Undecided = append(s.Undecided, smb.SMB1.String())
	}
	slices.SortFunc(s.Dialects, func(a, b string) int { return rank(a) - rank(b) })
	slices.SortFunc(s.Undecided, func(a, b string) int { return rank(a) - rank(b) })
	slices.Sort(s.Ciphers)
	s.System, s.OS, s.Product, s.Basis = systemOf(who), titleOf(who), who.Product, who.Basis
	if who.Kind != nil {
		s.Decoy = who.Kind.Decoy
	}
	// A server outside any domain uses its own name instead.
	if s.Role = h.hearing.role; s.Role == "" && t.NetBIOSDomain != "" && strings.EqualFold(t.NetBIOSDomain, t.NetBIOSComputer) {
		s.Role = model.Standalone
	}
}

// system returns the kind of server, as far as known.
func (h *host) system() string {
	h.lock.Lock()
	defer h.lock.Unlock()
	return systemOf(h.identify())
}

// sure reports whether the server itself said what it is, and nothing speaks against it.
func (h *host) sure() bool {
	h.lock.Lock()
	defer h.lock.Unlock()
	who := h.identify()
	return who.Sure && !who.Against
}

// guid formats the first three fields little-endian, as Windows does.
func guid(b [16]byte) string {
	return fmt.Sprintf("%02x%02x%02x%02x-%02x%02x-%02x%02x-%x-%x", b[3], b[2], b[1], b[0], b[5], b[4], b[7], b[6],
		b[8:10], b[10:])
}
