package fleet

import (
	"cmp"
	"encoding/json"
	"net/netip"
	"testing"

	"ipcguard/internal/fleet/wire"
	"ipcguard/internal/store"
)

// check returns what is wrong with a result of a target.
func check(kind store.RunKind, t store.Target, r *wire.Result) string {
	return cmp.Or(belongs(kind, t, r, discoverPorts), unfitResult(r))
}

func TestWithin(t *testing.T) {
	for _, test := range []struct {
		spec, address string
		want          bool
	}{
		{"10.0.0.0/24", "10.0.0.255", true},
		{"10.0.0.0/24", "10.0.1.0", false},
		{"10.0.0.5/24", "10.0.0.1", true},
		{"10.0.0.1-10.0.0.9", "10.0.0.9", true},
		{"10.0.0.1-10.0.0.9", "10.0.0.10", false},
		{"10.0.0.1-9", "10.0.0.9", true},
		{"10.0.0.1-9", "10.0.0.0", false},
		{"2001:db8::/64", "2001:db8::5", true},
		{"2001:db8::/64", "10.0.0.1", false},
		{"srv1", "10.0.0.1", false},
		{"", "10.0.0.1", false},
	} {
		if got := within(test.spec, netip.MustParseAddr(test.address)); got != test.want {
			t.Errorf("%s in %s: %v", test.address, test.spec, got)
		}
	}
}

// FuzzResults checks that a worker's result which passes the check belongs to the target.
func FuzzResults(f *testing.F) {
	f.Add([]byte(`{"job":"x","results":[{"target":1,"found":["10.0.0.1:445"],"scans":[{"schema":"ipcguard.scan/1","target":"10.0.0.1","address":"10.0.0.1:445"}]}]}`), "10.0.0.1")
	f.Add([]byte(`{"results":[{"found":["10.0.0.9:139"],"asked":4,"next":"10.0.0.10"}]}`), "10.0.0.0/24")
	f.Add([]byte(`{"results":[{"scans":[null]},{"error":"x"}]}`), "srv1")
	f.Fuzz(func(t *testing.T, b []byte, spec string) {
		var in wire.Results
		if json.Unmarshal(b, &in) != nil {
			return
		}
		for i := range in.Results {
			r := &in.Results[i]
			for _, kind := range []store.RunKind{store.RunScan, store.RunAudit, store.RunDiscover} {
				if check(kind, store.Target{Spec: spec}, r) != "" || r.Error != "" {
					continue
				}
				for k, text := range r.Found {
					a := netip.MustParseAddrPort(text)
					if at, ok := literal(spec); ok && kind != store.RunDiscover && at != a ||
						kind == store.RunDiscover && !within(spec, a.Addr()) {
						t.Errorf("%s passes for %s", a, spec)
					}
					if kind == store.RunScan && (r.Scans[k].Address != text || r.Scans[k].Target != spec) {
						t.Errorf("a scan of %s passes for %s", r.Scans[k].Address, spec)
					}
				}
			}
		}
	})
}

// TestSearchElsewhere: no worker sends a search to where its range is not. It would never end.
func TestSearchElsewhere(t *testing.T) {
	range24 := store.Target{Spec: "10.0.0.0/24", Kind: store.TargetRange}
	for next, good := range map[string]bool{
		"": true, "10.0.0.77": true, "10.0.1.0": false, "here": false, "10.0.0.77:445": false,
	} {
		if why := check(store.RunDiscover, range24, &wire.Result{Next: next}); (why == "") != good {
			t.Errorf("it goes on at %q: %q", next, why)
		}
	}
}
