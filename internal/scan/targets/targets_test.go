package targets

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"ipcguard/internal/smb/transport"
)

func lookup(_ context.Context, host string) ([]netip.Addr, error) {
	switch host {
	case "srv1", "srv1.example":
		return []netip.Addr{netip.MustParseAddr("10.0.0.1")}, nil
	case "both":
		return []netip.Addr{netip.MustParseAddr("10.0.0.9"), netip.MustParseAddr("2001:db8::9")}, nil
	}
	return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
}

// interfaces has two, of which one is number 2.
func interfaces(zone string) (string, error) {
	switch zone {
	case "eth0", "2":
		return "eth0", nil
	case "eth1":
		return "eth1", nil
	}
	return "", fmt.Errorf("this machine has no network interface %q", zone)
}

func expand(t *testing.T, args []string, o Options) []string {
	t.Helper()
	o.Lookup, o.Interface = lookup, interfaces
	l, err := Parse(context.Background(), args, o)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for target := range l.All() {
		s := target.Name + "=" + target.Addr.String()
		if target.Err != nil {
			s = target.Name + "!" + target.Err.Error()
		}
		for _, a := range target.Aliases {
			s += "~" + a
		}
		out = append(out, s)
	}
	if l.Len() != len(out) {
		t.Errorf("Len is %d, %d were yielded", l.Len(), len(out))
	}
	return out
}

func TestExpand(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "hosts")
	if err := os.WriteFile(file, []byte("\ufeff# lab\r\n\r\n10.0.0.1 # first\r\nsrv1:139\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args string
		o    Options
		want string
	}{
		"address":      {"10.0.0.1", Options{}, "10.0.0.1=10.0.0.1:445"},
		"port":         {"10.0.0.1:1445", Options{}, "10.0.0.1:1445=10.0.0.1:1445"},
		"default port": {"10.0.0.1", Options{Port: 139}, "10.0.0.1=10.0.0.1:139"},
		"v6": {
			"2001:db8::1 [2001:db8::1]:139 [2001:db8::2]",
			Options{},
			"2001:db8::1=[2001:db8::1]:445 [2001:db8::1]:139=[2001:db8::1]:139 [2001:db8::2]=[2001:db8::2]:445",
		},
		"zone": {
			"fe80::1%eth0 fe80::1%eth1",
			Options{},
			"fe80::1%eth0=[fe80::1%eth0]:445 fe80::1%eth1=[fe80::1%eth1]:445",
		},
		"zone by name and number": {
			"fe80::1%2 fe80::1%eth0 fe80::2%2-fe80::3%2",
			Options{Exclude: []string{"fe80::3%eth0"}},
			"fe80::1%2=[fe80::1%eth0]:445 fe80::2%eth0=[fe80::2%eth0]:445",
		},
		"zone of a range by name and number": {
			"fe80::1%eth0-fe80::2%2 fe80::3%2-fe80::4%eth0",
			Options{},
			"fe80::1%eth0=[fe80::1%eth0]:445 fe80::2%eth0=[fe80::2%eth0]:445 " +
				"fe80::3%eth0=[fe80::3%eth0]:445 fe80::4%eth0=[fe80::4%eth0]:445",
		},
		"zone done before": {
			"fe80::1%eth0 fe80::1%eth1",
			Options{Done: []netip.AddrPort{
				netip.MustParseAddrPort("[fe80::1%2]:445"), netip.MustParseAddrPort("[fe80::1%gone]:445"),
			}},
			"fe80::1%eth1=[fe80::1%eth1]:445",
		},
		"prefix": {
			"10.0.0.6/30",
			Options{},
			"10.0.0.4=10.0.0.4:445 10.0.0.5=10.0.0.5:445 10.0.0.6=10.0.0.6:445 10.0.0.7=10.0.0.7:445",
		},
		"last address": {
			"255.255.255.254/31",
			Options{},
			"255.255.255.254=255.255.255.254:445 255.255.255.255=255.255.255.255:445",
		},
		"mapped": {"::ffff:10.0.0.1 10.0.0.1", Options{}, "::ffff:10.0.0.1=10.0.0.1:445"},
		"range": {
			"10.0.0.254-10.0.1.1",
			Options{},
			"10.0.0.254=10.0.0.254:445 10.0.0.255=10.0.0.255:445 10.0.1.0=10.0.1.0:445 10.0.1.1=10.0.1.1:445",
		},
		"short range": {
			"10.0.0.7-9",
			Options{},
			"10.0.0.7=10.0.0.7:445 10.0.0.8=10.0.0.8:445 10.0.0.9=10.0.0.9:445",
		},
		"duplicates": {
			"10.0.0.1 10.0.0.0/31 10.0.0.1-2 10.0.0.1",
			Options{},
			"10.0.0.1=10.0.0.1:445 10.0.0.0=10.0.0.0:445 10.0.0.2=10.0.0.2:445",
		},
		"alias":             {"10.0.0.1 srv1 srv1.example", Options{}, "10.0.0.1=10.0.0.1:445~srv1~srv1.example"},
		"alias, name first": {"srv1 10.0.0.0/31", Options{}, "srv1=10.0.0.1:445 10.0.0.0=10.0.0.0:445"},
		"several addresses": {"both", Options{}, "both=10.0.0.9:445 both=[2001:db8::9]:445"},
		"unknown name": {
			"nosuch nosuch srv1",
			Options{},
			"nosuch!the name does not resolve srv1=10.0.0.1:445",
		},
		"names with hyphens": {"srv1:1 srv-1", Options{}, "srv1:1=10.0.0.1:1 srv-1!the name does not resolve"},
		"excluded": {
			"10.0.0.0/30",
			Options{Exclude: []string{"10.0.0.1-2"}},
			"10.0.0.0=10.0.0.0:445 10.0.0.3=10.0.0.3:445",
		},
		"excluded name": {
			"10.0.0.0/30",
			Options{Exclude: []string{"srv1"}},
			"10.0.0.0=10.0.0.0:445 10.0.0.2=10.0.0.2:445 10.0.0.3=10.0.0.3:445",
		},
		"excluded on one port": {
			"10.0.0.1 10.0.0.1:139",
			Options{Exclude: []string{"10.0.0.1:139"}},
			"10.0.0.1=10.0.0.1:445",
		},
		"excluded on all ports": {
			"10.0.0.1 10.0.0.1:139 10.0.0.2",
			Options{Exclude: []string{"10.0.0.1"}},
			"10.0.0.2=10.0.0.2:445",
		},
		"done before": {
			"10.0.0.0/30 nosuch",
			Options{Done: []netip.AddrPort{
				netip.MustParseAddrPort("10.0.0.1:445"),
				netip.MustParseAddrPort("10.0.0.2:139"),
			}, DoneNames: []string{"nosuch"}},
			"10.0.0.0=10.0.0.0:445 10.0.0.2=10.0.0.2:445 10.0.0.3=10.0.0.3:445",
		},
		"stdin": {
			"-",
			Options{Stdin: strings.NewReader("10.0.0.1\n#x\n\n10.0.0.2")},
			"10.0.0.1=10.0.0.1:445 10.0.0.2=10.0.0.2:445",
		},
		"file": {"@" + file, Options{}, "10.0.0.1=10.0.0.1:445 srv1:139=10.0.0.1:139"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := strings.Join(expand(t, strings.Fields(c.args), c.o), " "); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestBadTargets(t *testing.T) {
	for arg, want := range map[string]string{
		"10.0.0.256":                "not an address",
		"10.0.0.0/33":               "not a prefix",
		"10.0.0.0/4":                "2^28 addresses",
		"2001:db8::/64":             "2^64 addresses",
		"::-2001:db8::1":            "limit for one range",
		"10.0.0.9-10.0.0.1":         "ends before it starts",
		"10.0.0.9-300":              "a range ends in",
		"10.0.0.1-2001:db8::":       "different kinds",
		"10.0.0.1:0":                "not a port",
		"srv1:smb":                  "not a port",
		"[2001:db8::1":              "missing ]",
		"[10.0.0.1]:445":            "brackets hold",
		"[2001:db8::1]445":          "want :PORT",
		`\\srv1\IPC$`:               "name the host alone",
		"smb://srv1":                "name the host alone",
		"a b":                       "not a host name",
		"-x":                        "not a host name",
		"":                          "no host name",
		"0.0.0.0":                   "not the address of a host",
		"fe80::1":                   "needs its network interface",
		"[fe80::1]:445":             "needs its network interface",
		"fe80::1-fe80::2":           "needs its network interface",
		"fe80::/120":                "needs its network interface",
		"fe80::1%nosuch":            "no network interface \"nosuch\"",
		"fe80::1%eth0-fe80::2%eth1": "on different network interfaces",
		"fe80::1%eth0-fe80::2":      "different kinds",
		"fe80::1%eth0-fe80::2%gone": "no network interface \"gone\"",
		"fe80::2%2-fe80::1%eth0":    "ends before it starts",
		"fe80::1%99":                "no network interface \"99\"",
		"a..b":                      "not a host name",
		"@/nonexistent/file":        "no such file",
	} {
		_, err := Parse(context.Background(), []string{arg}, Options{Lookup: lookup, Interface: interfaces})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", arg, err, want)
		}
	}
	if _, err := Parse(context.Background(), nil, Options{}); err == nil {
		t.Error("no targets is no error")
	}
	if _, err := Parse(context.Background(), []string{"10.0.0.1"}, Options{Exclude: []string{"nosuch"}, Lookup: lookup}); err == nil {
		t.Error("an exclusion that does not resolve is passed over")
	}
}

// A name that could not be looked up may have an address, unlike one that does not resolve.
func TestUnresolved(t *testing.T) {
	for want, err := range map[string]error{
		"the name does not resolve":                          &net.DNSError{Err: "no such host", IsNotFound: true},
		"the name could not be resolved: no answer in time":  &net.DNSError{Err: "i/o timeout", IsTimeout: true},
		"the name could not be resolved: server misbehaving": &net.DNSError{Err: "server misbehaving", IsTemporary: true},
		"the name could not be resolved: no room":            errors.New("no room"),
	} {
		l, perr := Parse(t.Context(), []string{"srv"}, Options{
			Lookup: func(context.Context, string) ([]netip.Addr, error) { return nil, err },
		})
		if perr != nil {
			t.Fatal(perr)
		}
		for target := range l.All() {
			if target.Err == nil || target.Err.Error() != want ||
				errors.Is(target.Err, ErrUnresolved) != strings.HasPrefix(want, ErrUnresolved.Error()) {
				t.Errorf("%v: %v, want %s", err, target.Err, want)
			}
		}
	}
}

// That this machine has no route to the name server is said in words, and not with the addresses of a socket.
func TestNoRouteToTheNameServer(t *testing.T) {
	err := &net.DNSError{
		Err: "dial udp 192.0.2.53:53: connect: network is unreachable", Name: "srv", Server: "192.0.2.53:53",
	}
	for server, want := range map[string]string{
		"192.0.2.53:53": "the name could not be resolved: this machine has no route to the name server 192.0.2.53:53",
		"another":       "the name could not be resolved: " + err.Err,
	} {
		got := inWords(err, func(s string) bool { return s == server })
		if got.Error() != want || !errors.Is(got, ErrUnresolved) {
			t.Errorf("%v, want %s", got, want)
		}
	}
	if transport.Routeless("127.0.0.1:53") {
		t.Error("there is no route to this machine itself")
	}
}

// The real interfaces of a machine have one name each, whichever way they are named.
func TestInterfaceNames(t *testing.T) {
	list, err := net.Interfaces()
	if err != nil || len(list) == 0 {
		t.Skipf("no network interface: %v", err)
	}
	for _, i := range list {
		for _, zone := range []string{i.Name, strconv.Itoa(i.Index)} {
			if name, err := ofThisMachine(zone); name != i.Name || err != nil {
				t.Errorf("%s is %q, %v; want %s", zone, name, err, i.Name)
			}
		}
	}
}

func TestBadLinesAreAllReported(t *testing.T) {
	in := "10.0.0.1\n10.0.0.300\nok\n@other\n\xff\x00\n"
	_, err := Parse(context.Background(), []string{"-"}, Options{Stdin: strings.NewReader(in), Lookup: lookup})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		"standard input:2:", "standard input:4: a target file cannot name another one",
		"standard input:5:",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v: missing %q", err, want)
		}
	}
	_, err = Parse(context.Background(), []string{"-"}, Options{
		Stdin:  strings.NewReader(strings.Repeat("///\n", 1000)),
		Lookup: lookup,
	})
	if err == nil || !strings.Contains(err.Error(), "and 980 more bad targets") || strings.Count(err.Error(),
		"\n") > 25 {
		t.Errorf("a thousand bad lines: %v", err)
	}
}

// A prefix is not expanded before it is asked for: a /8 parses and gives its first address at no cost.
func TestLargePrefixIsLazy(t *testing.T) {
	got := testing.AllocsPerRun(1, func() {
		l, err := Parse(context.Background(), []string{"10.0.0.0/8"}, Options{Exclude: []string{"10.0.0.0/24"}})
		if err != nil {
			t.Fatal(err)
		}
		if l.Len() != 1<<24-256 {
			t.Errorf("Len %d", l.Len())
		}
		for target := range l.All() {
			if target.Name != "10.0.1.0" {
				t.Errorf("first is %s", target.Name)
			}
			break
		}
	})
	if got > 1000 {
		t.Errorf("%v allocations", got)
	}
}

// Whatever mix of addresses, prefixes and ranges is named, in any order and with any exclusions, the result is the set
// that a plain map makes of it, in the order of first mention.
func TestAgainstPlainSets(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		address := rapid.Custom(func(t *rapid.T) netip.Addr {
			n := byte(rapid.IntRange(0, 40).Draw(t, "n"))
			if rapid.Bool().Draw(t, "v6") {
				return netip.AddrFrom16([16]byte{0x20, 1, 15: n})
			}
			return netip.AddrFrom4([4]byte{10, 0, 0, n})
		})
		one := rapid.Custom(func(t *rapid.T) string {
			a := address.Draw(t, "a")
			switch rapid.IntRange(0, 2).Draw(t, "kind") {
			case 0:
				return fmt.Sprintf("%s/%d", a, a.BitLen()-rapid.IntRange(0, 4).Draw(t, "bits"))
			case 1:
				b := address.Draw(t, "b")
				if b.Is4() != a.Is4() || b.Less(a) {
					b = a
				}
				return fmt.Sprintf("%s-%s", a, b)
			}
			return a.String()
		})
		named := rapid.SliceOfN(one, 1, 8).Draw(t, "named")
		excluded := rapid.SliceOfN(one, 0, 4).Draw(t, "excluded")
		out := map[netip.Addr]bool{}
		for _, s := range excluded {
			for _, a := range plain(s) {
				out[a] = true
			}
		}
		var want []netip.Addr
		for _, s := range named {
			for _, a := range plain(s) {
				if !out[a] {
					out[a] = true
					want = append(want, a)
				}
			}
		}
		l, err := Parse(context.Background(), named, Options{Exclude: excluded})
		if err != nil {
			t.Fatal(err)
		}
		var got []netip.Addr
		for target := range l.All() {
			got = append(got, target.Addr.Addr())
		}
		if !slices.Equal(got, want) || l.Len() != len(want) {
			t.Fatalf("named %v excluded %v\ngot  %v\nwant %v", named, excluded, got, want)
		}
	})
}

// plain expands one valid target the simple way.
func plain(s string) []netip.Addr {
	first, last, ok := strings.Cut(s, "-")
	if p, err := netip.ParsePrefix(s); err == nil {
		var out []netip.Addr
		for a := p.Masked().Addr(); p.Contains(a); a = a.Next() {
			out = append(out, a)
		}
		return out
	}
	if !ok {
		last = first
	}
	var out []netip.Addr
	for a, end := netip.MustParseAddr(first), netip.MustParseAddr(last); a.Compare(end) <= 0; a = a.Next() {
		out = append(out, a)
	}
	return out
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"10.0.0.1", "[::1]:445", "10.0.0.0/24", "10.0.0.1-9", "::/0", "a-b:1", "fe80::1%x", "%",
		"][",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := parse(text)
		if err != nil {
			return
		}
		if s.host == "" && (!s.span.first.IsValid() || s.span.last.Less(s.span.first)) {
			t.Errorf("%q: span %v", text, s.span)
		}
		if s.host != "" && len(s.host) > 253 {
			t.Errorf("%q: host too long", text)
		}
	})
}

func TestCheck(t *testing.T) {
	for text, want := range map[string]bool{
		"srv1": false, "srv1:1445": false, "10.0.0.1": false, "10.0.0.0/24": true,
		"10.0.0.1-9": true,
	} {
		if ranged, err := Check(text); err != nil || ranged != want {
			t.Errorf("%s: ranged %v, %v", text, ranged, err)
		}
	}
	for _, text := range []string{"", "-", "@file", "10.0.0.0/4", "10.0.0.999", "a b", "srv1:0", `\\srv1\share`} {
		if _, err := Check(text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}
