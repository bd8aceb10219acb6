package plan

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"ipcguard/internal/model"
)

// sambaWith is a standalone Samba server that lets nobody reach IPC$, with shares.
func sambaWith(shares ...model.Share) host {
	return host{
		system: "samba", product: "samba", role: model.Standalone,
		settings: map[string]any{"restrict anonymous": 2, "map to guest": "bad user"}, shares: shares,
	}
}

// lines are a plan's changes of shares, with their places.
func lines(p *model.Plan) (out []string) {
	for _, c := range p.Changes {
		if strings.HasPrefix(c.Setting, "guest o") {
			out = append(out, c.Where+"="+model.Text(c.To.Data))
		}
	}
	return out
}

// A line is changed where it stands: in [global] for every share that takes it over, and once where a share copies
// another.
func TestShareLines(t *testing.T) {
	a, b, c := model.Share{Name: "a", Guest: true, GuestAt: "global"},
		model.Share{Name: "b", Guest: true, GuestAt: "global"}, model.Share{Name: "c", Guest: true}
	copied := model.Share{Name: "d", Guest: true, GuestAt: "c"}
	for _, tt := range []struct {
		name   string
		shares []model.Share
		needs  []string
		want   []string
		closes string
	}{
		{"one line in [global]", []model.Share{a, b}, nil, []string{"[global] guest ok=no"}, "anonymous-reads-files"},
		{
			"one line each",
			[]model.Share{a, c},
			nil,
			[]string{"[global] guest ok=no", "[c] guest ok=no"},
			"anonymous-reads-files",
		},
		{"a copy", []model.Share{c, copied}, nil, []string{"[c] guest ok=no"}, "anonymous-reads-files"},
		{
			"a share that must stay",
			[]model.Share{a, b},
			[]string{"share:b"},
			[]string{"[global] guest ok=no", "[b] guest ok=yes"},
			"anonymous-share:a",
		},
		{
			"a copy of one that must stay",
			[]model.Share{c, copied},
			[]string{"share:c"},
			[]string{"[d] guest ok=no"},
			"anonymous-share:d",
		},
		{
			"closed by something else",
			[]model.Share{
				{Name: "x", Guest: true, HostsDeny: []string{"ALL"}},
				{Name: "y", Guest: true, Off: "available = no"},
				{Name: "p", Guest: true, Printer: true},
				{Name: "v", Guest: true, ValidUsers: []string{"alice"}},
			},
			nil, nil, "",
		},
		{
			"both lines",
			[]model.Share{{Name: "g", Guest: true, GuestAt: "global", GuestOnly: true}},
			nil,
			[]string{"[global] guest ok=no", "[g] guest only=no"},
			"anonymous-reads-files",
		},
	} {
		h := sambaWith(tt.shares...)
		audit := h.audit(t)
		p := make1(t, Evidence{Audit: audit, Policy: Policy{Needs: tt.needs}})
		if got := lines(p); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
			continue
		}
		if len(tt.want) > 0 && !slices.Contains(p.Changes[0].Closes, tt.closes) &&
			!slices.Contains(p.Changes[len(p.Changes)-1].Closes, tt.closes) {
			t.Errorf("%s closes %q", tt.name, p.Changes[0].Closes)
		}
		after := h
		after.shares = Config(audit, p).Shares
		if again := make1(t, Evidence{Audit: after.audit(t), Policy: Policy{Needs: tt.needs}}); len(again.Changes) > 0 {
			t.Errorf("%s: after it there is still %q to do", tt.name, changes(again))
		}
	}
}

// A default that opens the shares that are made later is closed, with what has to stay spared; and usershares by the
// parameter that lets them take guests, as smb.conf has no section of theirs.
func TestLaterShares(t *testing.T) {
	open := model.Share{Guest: true, GuestAt: "global"}
	shut := model.Share{Name: "a", Guest: true, GuestAt: "global", ValidUsers: []string{"alice"}}
	drop := model.Share{Name: "drop", Guest: true, UserShare: true, Path: "/srv"}
	for _, tt := range []struct {
		name     string
		shares   []model.Share
		defaults *model.Share
		guests   bool // usershare allow guests
		want     []string
		needs    string
	}{
		{"no share takes it over", []model.Share{{Name: "a"}}, &open, false, []string{"[global] guest ok=no"}, ""},
		{"one that is shut does", []model.Share{shut}, &open, false, []string{"[global] guest ok=no"}, ""},
		{"a default that opens nothing", []model.Share{{Name: "a"}}, &model.Share{}, false, nil, ""},
		{"a usershare", []model.Share{drop}, &model.Share{}, true, []string{"[global] usershare allow guests=no"}, ""},
		{
			"a usershare that [global] opens, too",
			[]model.Share{drop},
			&open, true,
			[]string{"[global] guest ok=no", "[global] usershare allow guests=no"},
			"",
		},
		{
			"a usershare that [global] alone opens",
			[]model.Share{drop},
			&open, false,
			[]string{"[global] guest ok=no"},
			"",
		},
		{
			"a usershare beside a share that stays",
			[]model.Share{{Name: "a", Guest: true}, drop},
			&model.Share{},
			true,
			[]string{"[global] usershare allow guests=no"},
			"share:a",
		},
		{
			"usershares that were not read, beside one",
			[]model.Share{{Name: "a", Guest: true}},
			&model.Share{}, true,
			[]string{"[global] usershare allow guests=no"},
			"share:a",
		},
		{"a usershare that stays", []model.Share{drop}, &model.Share{}, true, nil, "share:drop"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := sambaWith(tt.shares...)
			h.settings["map to guest"], h.settings["usershare allow guests"] = "never", tt.guests
			a := h.audit(t)
			a.Defaults = tt.defaults
			var policy Policy
			if tt.needs != "" {
				policy.Needs = []string{tt.needs}
			}
			p := make1(t, Evidence{Audit: a, Policy: policy})
			var got []string
			for _, c := range p.Changes {
				got = append(got, c.Where+"="+model.Text(c.To.Data))
				if strings.Contains(tt.name, "beside a share") &&
					!slices.Equal(c.Closes, []string{"anonymous-share:drop"}) {
					t.Errorf("closes %q", c.Closes)
				}
			}
			if slices.Sort(got); !slices.Equal(got, tt.want) {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

// Every share that a plan takes from strangers is named where it says what stops; and what a share that stays loses
// with IPC$.
func TestSharesNamed(t *testing.T) {
	shares := []model.Share{
		{Name: "one", Guest: true},
		{Name: "two", Guest: true, GuestAt: "global"},
		{Name: "three", Guest: true, GuestAt: "global"},
	}
	p := make1(t, Evidence{Audit: sambaWith(shares...).audit(t)})
	if !slices.ContainsFunc(p.Breaks, func(b model.Break) bool {
		return b.Because == "guest ok becomes no on one, two, three"
	}) {
		t.Errorf("what stops: %+v", p.Breaks)
	}
	h := sambaWith(shares...)
	h.settings["restrict anonymous"] = 0
	p = make1(t, Evidence{Audit: h.audit(t), Policy: Policy{Needs: []string{"share:one"}}})
	if !slices.ContainsFunc(p.Breaks, func(b model.Break) bool {
		return strings.Contains(b.What, "open it by its name")
	}) {
		t.Errorf("what stops: %+v", p.Breaks)
	}
}

// A controller in the manner of NT 4.0 is asked about, and gets 1 where its trusts need more than 2 leaves.
func TestClassicController(t *testing.T) {
	h := host{
		system: "samba", product: "samba", role: model.UnknownRole, settings: map[string]any{"domain logons": true},
	}
	if p := make1(t, Evidence{Audit: h.audit(t)}); p.Question == "" || len(p.Changes) > 0 {
		t.Errorf("no question, but %q", changes(p))
	}
	p := make1(t, Evidence{Audit: h.audit(t), Policy: Policy{Needs: []string{"nt4-trust"}}})
	if got := changes(p); p.Question != "" || !slices.Contains(got, "restrict anonymous=1") {
		t.Errorf("with a trust: %q %q", p.Question, got)
	}
	p = make1(t, Evidence{Audit: h.audit(t), Policy: Policy{Role: model.Standalone}})
	if got := changes(p); p.Question != "" || !slices.Contains(got, "restrict anonymous=2") {
		t.Errorf("declared to be standalone: %q %q", p.Question, got)
	}
}

// As many shares as a server may have change nothing about what else is chosen.
func TestManyShares(t *testing.T) {
	for _, n := range []int{1, 255, 256, 257, 2000} {
		h := sambaWith(manyShares(n)...)
		h.settings["restrict anonymous"] = 0
		p := make1(t, Evidence{Audit: h.audit(t)})
		if len(p.Changes) != n+1 || p.Changes[0].Setting != "restrict anonymous" || p.SharesLeft != max(0, n-maxNamed) {
			t.Errorf("%d shares: %d changes, the first of %s; %d not named", n, len(p.Changes), p.Changes[0].Setting,
				p.SharesLeft)
		}
	}
}

func manyShares(n int) (out []model.Share) {
	for i := range n {
		out = append(out, model.Share{Name: fmt.Sprint("s", i), Path: "/srv", Guest: true})
	}
	return out
}

// BenchmarkGuestShares plans a server with 4,000 shares that are open to strangers by lines of their own.
func BenchmarkGuestShares(b *testing.B) {
	for _, n := range []int{1000, 4000, 16000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			h := sambaWith(manyShares(n)...)
			h.settings["restrict anonymous"] = 0
			a := h.audit(b)
			for b.Loop() {
				if p := make1(b, Evidence{Audit: a}); len(p.Changes) != n+1 {
					b.Fatal(len(p.Changes))
				}
			}
		})
	}
}
