package cli

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ipcguard/internal/apply/applytest"
	"ipcguard/internal/apply/target"
	"ipcguard/internal/audit"
	"ipcguard/internal/catalog"
	"ipcguard/internal/change"
	"ipcguard/internal/model"
	"ipcguard/internal/ntlm"
	"ipcguard/internal/peer"
	"ipcguard/internal/plan"
	"ipcguard/internal/smb"
	"ipcguard/internal/status"
)

// smbConf makes configurations as people have them and as they should not: shares beside one another with everything
// that decides who enters, defaults in [global] before and behind them, copies, synonyms and negations.
type smbConf struct {
	*rand.Rand
	b      strings.Builder
	dir    string
	shares []string
	gone   map[string]bool // shares whose folder is not there
	reload bool            // smbd's parent has to read it: lists of hosts in [global]
	fresh  bool            // smbd has to start with it: another guest account
}

func (g *smbConf) one(of ...string) string { return of[g.IntN(len(of))] }

// some writes a line in one of n cases.
func (g *smbConf) some(n int, of ...string) {
	if g.IntN(n) == 0 {
		g.b.WriteString("  " + g.one(of...) + "\n")
	}
}

// makeConf makes the configuration of a number; the same each time.
func makeConf(n uint64, dir, base string) *smbConf {
	g := &smbConf{Rand: rand.New(rand.NewPCG(n, 13)), dir: dir, gone: map[string]bool{}}
	g.b.WriteString(base)
	g.some(2, "map to guest = Bad User", "map to guest = bad password", "map to guest = BadUser",
		"map to guest = Bad Uid", "map to guest = never")
	g.some(3, "restrict anonymous = 0x2", "restrict anonymous = 1", "restrict anonymous = 2 # closed",
		"restrict anonymous = 0")
	g.some(12, "encrypt passwords = no")
	if g.IntN(24) == 0 {
		g.fresh = true
		g.some(1, "guest account = daemon", "guest account = root")
	}
	g.some(10, "server smb encrypt = required", "smb encrypt = off", "smb encrypt = if_required")
	if g.IntN(10) == 0 {
		g.reload = true
		g.some(1, "hosts allow = 127.13.", "hosts deny = 10.", "hosts allow = 127.0.0.0/8\n  hosts deny = ALL",
			"allow hosts = 10. 192.168.", "deny hosts = 127.13.1.9")
	}
	g.defaults(6)
	for i := range 4 + g.IntN(6) {
		g.share(fmt.Sprint("s", i))
		if g.IntN(8) == 0 {
			g.b.WriteString("[global]\n")
			g.defaults(2)
		}
	}
	if g.IntN(4) == 0 {
		g.b.WriteString("[printers]\n  path = " + dir + "/open\n")
		g.some(2, "guest ok = yes", "public = yes", "printable = no")
		g.shares = append(g.shares, "printers")
	}
	if g.IntN(6) == 0 {
		g.b.WriteString("[ipc$]\n")
		g.some(2, "hosts deny = 127.13.1.9", "invalid users = nobody", "valid users = alice", "guest ok = yes",
			"hosts allow = 127.")
	}
	return g
}

// defaults are parameters of shares in [global].
func (g *smbConf) defaults(n int) {
	g.some(n, "guest ok = yes", "public = yes", "guest only = yes", "guest ok = no", "only guest = no")
	g.some(4*n, "invalid users = root", "invalid users = nobody", "valid users = alice nobody", "path = "+g.dir+"/open",
		"available = no", "printable = yes", "force user = alice")
}

func (g *smbConf) share(name string) {
	again := len(g.shares) > 1 && g.IntN(12) == 0 // a section that goes on
	if again {
		name = g.one(g.shares...)
	} else {
		g.shares = append(g.shares, name)
	}
	fmt.Fprintf(&g.b, "[%s]\n", name)
	if len(g.shares) > 1 && g.IntN(5) == 0 {
		from := g.one(g.shares[:len(g.shares)-1]...)
		g.gone[name] = g.gone[name] || g.gone[from]
		g.some(1, "copy = "+from)
	}
	g.some(2, "guest ok = yes", "public = yes", "guest ok = True", "guest ok = no")
	g.some(6, "guest only = yes", "only guest = 1", "guest only = no")
	g.some(5, "valid users = alice", "valid users = nobody", "valid users = alice, nobody", "valid users = bob",
		"valid users = @nogroup", "valid users = %S", "valid users =", `valid users = LABHOST\nobody`)
	g.some(5, "invalid users = nobody", "invalid users = alice", "invalid users = root @wheel",
		"invalid users = +nogroup", "invalid users = bob nobody")
	g.some(6, "hosts allow = 127.", "hosts allow = 10.", "hosts deny = ALL", "hosts deny = 127.13.1.0/24",
		"hosts allow = 10. \\\n    192.168.0.0/255.255.0.0", "hosts deny = 127.13.1.9",
		"allow hosts = 127. EXCEPT 127.13.1.9", "hosts allow = localhost", "hosts allow = 127.*",
		"hosts allow = 10.\n  hosts deny = 11.")
	g.some(8, "available = no", "available = yes")
	if g.IntN(80) == 0 {
		g.fresh = true // a share that is not valid outlives a reload, and spoils the next of its name
		g.some(1, "-valid = no")
	}
	g.some(8, "printable = yes", "print ok = no")
	g.some(8, "force user = alice", "force user = nobody", "force user = root")
	g.some(8, "smb encrypt = required", "smb encrypt = desired", "server smb encrypt = off", "smb encrypt = mandatory")
	g.some(4, "access based share enum = yes", "browseable = no", "read list = nobody", "writeable = yes",
		"write list = alice", "guest account = nobody")
	switch g.IntN(8) {
	case 0:
	case 1:
		g.b.WriteString("  path = " + g.dir + "/gone\n")
		g.gone[name] = true
	case 2:
		g.b.WriteString("  path = " + g.dir + "/shut\n")
		g.gone[name] = false
	default:
		g.b.WriteString("  path = " + g.dir + "/open\n")
		g.gone[name] = false
	}
}

// door is what a server answers to one identity: about the session, IPC$ and each share.
type door map[string]string

// knock asks for a session, and behind it for every share.
func knock(ctx context.Context, t *testing.T, address string, id model.Identity, shares []string) door {
	t.Helper()
	var a smb.Authenticator
	switch id {
	case model.Anonymous:
		a = ntlm.NewAnonymous(ntlm.Options{})
	case model.Guest:
		a = ntlm.NewGuest(ntlm.Options{})
	case model.UnknownUser:
		a = ntlm.NewUser("nosuchuser7", "", "nosuchpassword", ntlm.Options{})
	default:
		a = ntlm.NewUser("alice", "", peer.Password, ntlm.Options{})
	}
	from := net.Dialer{LocalAddr: &net.TCPAddr{IP: fromHere.AsSlice()}}
	c, err := smb.Dial(ctx, address, smb.Options{Encrypt: id == model.User, Dial: from.DialContext, Timeouts: patient})
	if err != nil {
		if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) ||
			strings.Contains(err.Error(), "timed out") {
			t.Fatal(err)
		}
		return door{"session": "denied"} // hosts deny of the server: it hangs up
	}
	defer c.Close()
	s, err := c.SessionSetup(ctx, a)
	if err != nil {
		return door{"session": outcomeOf(err)}
	}
	out := door{"session": "allowed"}
	for _, name := range append([]string{"IPC$"}, shares...) {
		tree, err := s.TreeConnect(ctx, name)
		switch {
		case err != nil:
			out[name] = outcomeOf(err)
			continue
		case name != "IPC$" && tree.Info().ShareType != smb.ShareDisk:
			out[name] = "absent"
		default:
			out[name] = "allowed"
		}
	}
	return out
}

func outcomeOf(err error) string {
	var s status.NTStatus
	switch {
	case !errors.As(err, &s):
		return err.Error()
	case s.String() == "STATUS_BAD_NETWORK_NAME":
		return "absent"
	case s.String() == "STATUS_ACCESS_DENIED", s.String() == "STATUS_LOGON_FAILURE":
		return "denied"
	}
	return s.String()
}

// patient are the waits on a machine that is busy with other tests.
var patient = smb.Timeouts{
	Connect: time.Minute, Negotiate: time.Minute, Session: time.Minute, Tree: time.Minute, Open: time.Minute,
	Call: time.Minute,
}

// fromHere is the address that the shares are asked from: none that Samba treats in a way of its own, as 127.0.0.1.
var fromHere = netip.MustParseAddr("127.13.1.9")

// sharesLab is a server that gets one configuration after the other.
type sharesLab struct {
	*testing.T
	server    *peer.Samba
	base, dir string
	before    *smbConf

	written                                  time.Time // when the file was last written, for the server
	configs, cells, unknown, applied, closed int
}

func newSharesLab(t *testing.T, address string) *sharesLab {
	s := peer.StartSamba(t, peer.Config{Address: address})
	b, err := os.ReadFile(s.ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	base, _, _ := strings.Cut(string(b), "[finance]")
	l := &sharesLab{
		T: t, server: s, base: base, dir: filepath.Join(s.Dir, "data"), before: &smbConf{}, written: time.Now(),
	}
	for name, mode := range map[string]os.FileMode{"": 0o755, "open": 0o777, "shut": 0o700} {
		if err := errors.Join(os.MkdirAll(filepath.Join(l.dir, name), 0o755),
			os.Chmod(filepath.Join(l.dir, name), mode)); err != nil {
			t.Fatal(err)
		}
	}
	return l
}

func (l *sharesLab) fatal(err error) {
	l.Helper()
	if err != nil {
		l.Fatal(err)
	}
}

// changed gives the file a time that it has not had. Samba sees a change by the whole second of that time alone, and
// configurations follow one another faster.
func (l *sharesLab) changed() {
	l.Helper()
	l.written = l.written.Add(time.Second)
	l.fatal(os.Chtimes(l.server.ConfigFile, l.written, l.written))
}

// serve makes a configuration the server's. A connection reads it by itself; what smbd's first process holds it has to
// be told.
func (l *sharesLab) serve(g *smbConf) {
	l.Helper()
	switch {
	case g.fresh || l.before.fresh:
		l.server.Restart(l.T)
	case g.reload || l.before.reload:
		l.server.Reload(l.T)
	}
	l.before = g
}

func (l *sharesLab) audit() *model.Audit {
	l.Helper()
	r, err := audit.Options{Client: fromHere}.Source(l.Context(), l.server.ConfigFile)
	l.fatal(err)
	return r[0]
}

// compare holds each cell of the model against what the server answers.
func (l *sharesLab) compare(what string, g *smbConf, a *model.Audit, ids ...model.Identity) map[model.Identity]door {
	l.Helper()
	c := load(l.T)
	in := catalog.ConfigOf(a)
	in.Client = fromHere
	v := c.View(in)
	seen := map[model.Identity]door{}
	for _, id := range ids {
		d := knock(l.Context(), l.T, l.server.Addr(), id, g.shares)
		seen[id] = d
		cell := func(name string, says model.Outcome) {
			got, asked := d[name]
			switch {
			case !asked:
				return
			case says == model.OutcomeUnknown:
				l.unknown++
				return
			case says == model.Allowed && g.gone[name]:
				says = model.Absent // a folder that is not there is for the server alone to know
			}
			if l.cells++; string(says) != got {
				l.Errorf("%s: %s at %s: the model says %s, smbd %s\n%s", what, id, name, says, got,
					strings.TrimPrefix(g.b.String(), l.base))
			}
		}
		cell("session", v.Session(id))
		cell("IPC$", v.Tree(id))
		for i := range a.Shares {
			o, _ := v.Share(id, &a.Shares[i])
			if a.Shares[i].Name != "IPC$" {
				cell(a.Shares[i].Name, o)
			}
		}
	}
	return seen
}

// apply carries out the plan of an audit on the file, as ipcguard apply does.
func (l *sharesLab) apply(what string, g *smbConf, a *model.Audit) *model.Plan {
	l.Helper()
	p, err := plan.Make(plan.Evidence{Audit: a})
	l.fatal(err)
	changes, err := change.All(load(l.T), p)
	l.fatal(err)
	s := target.OpenSambaOn(l.server.ConfigFile, applytest.Machine{Samba: l.server})
	for _, f := range p.BasedOn {
		if err := s.StillTrue(l.Context(), f); err != nil {
			l.Errorf("%s: the plan of this very file: %v\n%s", what, err, strings.TrimPrefix(g.b.String(), l.base))
		}
	}
	writes, err := s.Resolve(l.Context(), changes)
	if err != nil {
		l.Errorf("%s: %v\n%s", what, err, strings.TrimPrefix(g.b.String(), l.base))
		return nil
	}
	for _, w := range writes {
		l.fatal(s.Write(l.Context(), w.Place, w.After, w.Before))
	}
	l.changed()
	return p
}

// one takes one configuration the whole way: served, audited and compared; planned, applied, and compared again; and
// what strangers then still reach is what the plan says.
func (l *sharesLab) one(n uint64, whole bool) {
	what := fmt.Sprint("configuration ", n)
	g := makeConf(n, l.dir, l.base)
	l.fatal(os.WriteFile(l.server.ConfigFile, []byte(g.b.String()), 0o644))
	l.changed()
	a := l.audit()
	for _, p := range a.Problems {
		if strings.Contains(p, "Samba stops here") {
			return // a copy of a share that is not valid: TestRefused has these
		}
	}
	l.serve(g)
	l.configs++
	l.compare(what, g, a, model.Identities()...)
	p := l.apply(what, g, a)
	if !whole || p == nil {
		return
	}
	l.applied++
	if g.reload {
		l.server.Reload(l.T)
	}
	after := l.audit()
	for id, d := range l.compare(what+", applied", g, after, model.Anonymous, model.UnknownUser) {
		for name, got := range d {
			if name != "session" && got == "allowed" {
				l.Errorf("%s: %s still enters %s after the plan %v, which says that %q stays open\n%s", what, id, name,
					changesOf(p), p.Residual, strings.TrimPrefix(g.b.String(), l.base))
			}
		}
		l.closed++
	}
}

func changesOf(p *model.Plan) (out []string) {
	for _, c := range p.Changes {
		out = append(out, c.Where+" = "+model.Text(c.To.Data))
	}
	return out
}

// TestSharesAgainstSamba holds the model of who enters a share against real servers, cell by cell, and what a plan
// promises against what the server does once it is applied.
func TestSharesAgainstSamba(t *testing.T) {
	t.Parallel()
	peer.Need(t, "smbd")
	most := uint64(200)
	switch {
	case testing.Short():
		most = 20
	case os.Getenv("IPCGUARD_LONG") != "":
		most = 5000
	}
	var numbers []uint64
	for n := range most {
		numbers = append(numbers, n)
	}
	if most == 200 { // and those of the long run that found something: copies of shares that come again
		numbers = append(numbers, 283, 478, 361, 647, 809, 744, 995, 1012, 1229, 1016, 1527, 1204, 1577, 1700)
	}
	var lock sync.Mutex
	var sum sharesLab
	t.Run("servers", func(t *testing.T) {
		for worker := range uint64(2) {
			t.Run(fmt.Sprint(worker+1), func(t *testing.T) {
				t.Parallel()
				l := newSharesLab(t, fmt.Sprintf("127.13.2.%d", worker+1))
				for i, n := range numbers {
					if uint64(i)%2 == worker && t.Context().Err() == nil {
						l.one(n, n%4 < 2)
					}
				}
				lock.Lock()
				defer lock.Unlock()
				sum.configs, sum.cells, sum.unknown = sum.configs+l.configs, sum.cells+l.cells, sum.unknown+l.unknown
				sum.applied, sum.closed = sum.applied+l.applied, sum.closed+l.closed
			})
		}
	})
	t.Logf("%d configurations, %d cells compared, %d left open by the model; %d plans applied", sum.configs, sum.cells,
		sum.unknown, sum.applied)
	if slices.Contains([]int{sum.configs, sum.cells, sum.applied}, 0) {
		t.Error("nothing was compared")
	}
}
