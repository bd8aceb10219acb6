package scan

import (
	"maps"
	"strings"
	"testing"
	"time"

	"ipcguard/internal/model"
	"ipcguard/internal/model/modeltest"
	"ipcguard/internal/peer"
	"ipcguard/internal/smb"
)

// toldOf counts the claims that an answer supports.
func toldOf(claims map[string]string) (n int) {
	for what, word := range claims {
		if what != "verdict" && word != string(model.Inconclusive) && word != string(model.NotTested) {
			n++
		}
	}
	return n
}

// A real Samba behind a bad network never appears more closed, nor more open, than without; and losses are reported:
// exposed is partial if most was lost, and everything else is inconclusive or unreachable.
func TestBadNetworks(t *testing.T) {
	t.Parallel()
	s := peer.StartSamba(t, peer.Config{Address: "127.76.1.1", Users: []string{"alice"}})
	patient := Options{Host: 5 * time.Minute, Timeouts: smb.Timeouts{
		Connect: time.Minute, Negotiate: time.Minute,
		Session: time.Minute, Tree: time.Minute, Open: 2 * time.Minute, Call: 2 * time.Minute,
	}}
	brief := patient // where nothing but a wait tells that there is no answer
	brief.Timeouts = smb.Timeouts{
		Connect: time.Second, Negotiate: time.Second, Session: 5 * time.Second,
		Tree: 5 * time.Second, Open: 5 * time.Second, Call: 5 * time.Second,
	}
	far := patient
	far.Dial = dialFar
	direct := scanAddress(t, s.Addr(), patient)
	said := words(direct)
	// Pipes that the server is not known to have are opened where it has not yet said what it is: that is how a scan
	// from afar begins. There is nothing here to compare them with.
	heard := func(r *model.Scan) map[string]string {
		now := words(r)
		maps.DeleteFunc(now, func(what, _ string) bool { return said[what] == string(model.NotTested) })
		return now
	}
	if direct.Verdict != model.Exposed || direct.Partial {
		t.Fatalf("without a bad network: %s, partial %v: %s", direct.Verdict, direct.Partial, direct.Reason)
	}
	for _, x := range []struct {
		name string
		net  *peer.Badnet
		o    Options
		long bool
		want func(*model.Scan) bool
	}{
		{name: "nothing is bad", net: &peer.Badnet{}, long: true, want: func(r *model.Scan) bool {
			return !r.Partial &&
				toldOf(heard(r)) == toldOf(said)
		}},
		{
			name: "reset after 2000 bytes", net: &peer.Badnet{CutAfter: 2000, Reset: true},
			want: func(r *model.Scan) bool { return r.Partial && strings.Contains(r.Reason, "partial: ") },
		},
		{
			name: "ended after 2000 bytes", net: &peer.Badnet{CutAfter: 2000}, long: true,
			want: func(r *model.Scan) bool { return r.Partial },
		},
		{name: "reset after 6000 bytes", net: &peer.Badnet{CutAfter: 6000, Reset: true}, long: true},
		{name: "ended after 20000 bytes", net: &peer.Badnet{CutAfter: 20000}, long: true},
		{
			name: "reset after 300 bytes", net: &peer.Badnet{CutAfter: 300, Reset: true},
			want: func(r *model.Scan) bool { return r.Verdict != model.Exposed },
		},
		{
			name: "reset after 100 bytes", net: &peer.Badnet{CutAfter: 100, Reset: true}, long: true,
			want: func(r *model.Scan) bool { return r.Verdict != model.Exposed },
		},
		{
			name: "one connection at a time", net: &peer.Badnet{MaxOpen: 1},
			want: func(r *model.Scan) bool { return !r.Partial && toldOf(heard(r)) == toldOf(said) },
		},
		{
			name: "two connections at a time", net: &peer.Badnet{MaxOpen: 2}, long: true,
			want: func(r *model.Scan) bool { return !r.Partial },
		},
		{
			name: "banned after a failed logon, refused", net: &peer.Badnet{BanOnFailure: true},
			want: func(r *model.Scan) bool {
				return r.Verdict == model.Exposed && r.Partial && strings.Contains(r.Banned, "--no-guest")
			},
		},
		{
			name: "banned after a failed logon, reset", net: &peer.Badnet{BanOnFailure: true, Ban: peer.BanResets},
			long: true, want: func(r *model.Scan) bool {
				return r.Verdict == model.Exposed && r.Partial
			},
		},
		{
			name: "banned after a failed logon, mute", net: &peer.Badnet{BanOnFailure: true, Ban: peer.BanIsMute},
			o: brief, long: true, want: func(r *model.Scan) bool {
				return r.Verdict == model.Exposed && r.Partial
			},
		},
		{
			name: "far, two connections at a time", net: &peer.Badnet{MaxOpen: 2}, o: far,
			want: func(r *model.Scan) bool { return !r.Partial && toldOf(heard(r)) == toldOf(said) },
		},
		{
			name: "far, one connection at a time", net: &peer.Badnet{MaxOpen: 1}, o: far, long: true,
			want: func(r *model.Scan) bool { return !r.Partial && toldOf(heard(r)) == toldOf(said) },
		},
		{
			name: "far, reset after 2000 bytes", net: &peer.Badnet{CutAfter: 2000, Reset: true}, o: far, long: true,
			want: func(r *model.Scan) bool { return r.Partial },
		},
		{name: "far, ended after 20000 bytes", net: &peer.Badnet{CutAfter: 20000}, o: far, long: true},
		{
			name: "far, banned after a failed logon, reset", net: &peer.Badnet{BanOnFailure: true, Ban: peer.BanResets},
			o: far, want: func(r *model.Scan) bool {
				return r.Verdict == model.Exposed && r.Partial && strings.Contains(r.Banned, "--no-guest")
			},
		},
		{name: "banned after three connections", net: &peer.Badnet{BanAfter: 3}, long: true},
		{name: "mute", net: &peer.Badnet{Mute: true}, o: brief, want: func(r *model.Scan) bool {
			return r.Verdict == model.VerdictInconclusive && strings.Contains(r.Reason, "timed out")
		}},
		{
			name: "50 ms each way", net: &peer.Badnet{Delay: 50 * time.Millisecond}, long: true,
			want: func(r *model.Scan) bool { return !r.Partial && toldOf(heard(r)) == toldOf(said) },
		},
		{
			name: "20 kB a second", net: &peer.Badnet{Rate: 20_000}, long: true,
			want: func(r *model.Scan) bool { return !r.Partial && toldOf(heard(r)) == toldOf(said) },
		},
	} {
		t.Run(x.name, func(t *testing.T) {
			if x.long {
				peer.Long(t, "a variant of what the others show")
			}
			if x.o.Host == 0 {
				x.o = patient
			}
			r := scanAddress(t, x.net.Start(t, "127.76.1.2", s.Addr()), x.o)
			now := heard(r)
			for what, word := range now {
				if modeltest.Stronger(word, said[what]) {
					t.Errorf("%s is %q, and without the network %q", what, word, said[what])
				}
			}
			told, all := toldOf(now), toldOf(said)
			t.Logf("%s, partial %v, %d of %d claims told, %d connections: %s", r.Verdict, r.Partial, told, all,
				x.net.Connections(), r.Reason)
			if 2*told < all && r.Verdict != model.VerdictInconclusive && r.Verdict != model.Unreachable && !r.Partial {
				t.Errorf("%d of %d claims were lost, and it is %s without a word: %s", all-told, all, r.Verdict,
					r.Reason)
			}
			if x.want != nil && !x.want(r) {
				t.Errorf("%s, partial %v, banned %q: %s", r.Verdict, r.Partial, r.Banned, r.Reason)
			}
		})
	}
}
