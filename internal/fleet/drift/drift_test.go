package drift

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
	"ipcguard/internal/store"
)

func load(t testing.TB) *catalog.Catalog {
	t.Helper()
	c, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func kinds(events []store.Event) []string {
	out := []string{}
	for _, e := range events {
		name := string(e.Kind)
		if e.Subject != "" {
			name += ":" + e.Subject
		}
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// looks are the snapshots of the tables below.
var (
	none   = strings.Repeat("d", len(model.Disclosures()))
	closed = store.Snapshot{
		Verdict:  model.Closed,
		Cells:    store.Cells(none),
		Pipes:    pipes("IPC$", "denied"),
		Findings: nil,
	}
	shut = store.Snapshot{
		Verdict: model.Limited,
		Cells:   store.Cells(none),
		Pipes:   pipes("IPC$", "allowed", "samr", "denied", "lsarpc", "allowed", "srvsvc", "absent"),
	}
	open = store.Snapshot{
		Verdict: model.Exposed, Cells: store.Cells("a" + none[1:]),
		Pipes:    pipes("IPC$", "allowed", "samr", "allowed", "lsarpc", "allowed", "srvsvc", "absent"),
		Findings: []string{"anonymous-lists-accounts"},
	}
	silent  = store.Snapshot{Verdict: model.Unreachable, Cells: unknown}
	unclear = store.Snapshot{
		Verdict: model.VerdictInconclusive, Cells: store.Cells("?" + none[1:]),
		Pipes:    pipes("IPC$", "allowed", "samr", "inconclusive", "lsarpc", "allowed"),
		Findings: []string{"anonymous-lists-accounts"}, // carried over
	}
	smb1 = with(shut, func(s *store.Snapshot) { s.SMB1, s.Findings = true, []string{"smb1-enabled"} })
	dark = with(shut, func(s *store.Snapshot) { s.Settings = map[string]string{SMB1: inconclusive} })
)

func pipes(pairs ...string) map[string]string {
	out := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		out["anonymous/"+pairs[i]] = pairs[i+1]
	}
	return out
}

func with(s store.Snapshot, change func(*store.Snapshot)) store.Snapshot {
	change(&s)
	return s
}

func TestScanEvents(t *testing.T) {
	type list = []store.Snapshot
	for _, test := range []struct {
		name    string
		history list
		now     store.Snapshot
		want    []string
	}{
		{"nothing", list{open}, open, nil},
		{"first look", nil, open, []string{"new-host:anonymous-lists-accounts"}}, // which a message says how to mend
		{"first look at nobody", nil, silent, nil},
		{"first answer", list{silent, silent}, closed, []string{"new-host"}},
		{
			"exposed",
			list{shut},
			open,
			[]string{"became-exposed", "new-finding:anonymous-lists-accounts", "pipe-opened:samr"},
		},
		{
			"exposed at one blow",
			list{closed},
			open,
			[]string{"became-exposed", "new-finding:anonymous-lists-accounts", "pipe-opened:IPC$"},
		},
		{
			"closed",
			list{open},
			closed,
			[]string{"became-closed", "finding-ended:anonymous-lists-accounts", "pipe-closed:IPC$"},
		},
		{"limited", list{open}, shut, []string{"finding-ended:anonymous-lists-accounts", "pipe-closed:samr"}},
		{"vanished", list{open}, silent, []string{"host-vanished"}},
		{"still away", list{open, silent}, silent, nil},
		{"back as it was", list{open, silent}, open, []string{"host-returned"}},
		{
			"back and worse",
			list{shut, silent},
			open,
			[]string{"became-exposed", "host-returned", "new-finding:anonymous-lists-accounts", "pipe-opened:samr"},
		},
		{"unclear", list{open}, unclear, []string{"verdict-inconclusive"}},
		{"still unclear", list{open, unclear}, unclear, nil},
		{"clear again, as it was", list{open, unclear}, open, nil},
		{
			"clear again, mended",
			list{open, unclear},
			shut,
			[]string{"finding-ended:anonymous-lists-accounts", "pipe-closed:samr"},
		},
		{
			"clear again, closed",
			list{open, unclear, silent, unclear},
			closed,
			[]string{"became-closed", "finding-ended:anonymous-lists-accounts", "pipe-closed:IPC$"},
		},
		{
			"closed, pipe by pipe",
			list{shut},
			with(closed, func(s *store.Snapshot) {
				s.Pipes = pipes("IPC$", "allowed", "samr", "denied", "lsarpc", "denied")
			}),
			[]string{"became-closed", "pipe-closed:lsarpc"},
		},
		{
			"closed where it was asked",
			list{with(shut, func(s *store.Snapshot) {
				s.Pipes = pipes("IPC$", "allowed", "lsarpc", "denied", "trkwks", "allowed")
			})},
			with(closed, func(s *store.Snapshot) { s.Pipes = pipes("IPC$", "allowed", "lsarpc", "denied") }),
			[]string{"verdict-inconclusive"},
		},
		{
			"closed to those who were asked",
			list{shut},
			with(closed, func(s *store.Snapshot) { s.Pipes = nil }),
			[]string{"verdict-inconclusive"},
		},
		{"SMB1 is back", list{shut}, smb1, []string{"new-finding:smb1-enabled", "smb1-returned:SMB1"}},
		{"SMB1 is not known", list{smb1}, with(dark, func(s *store.Snapshot) { s.Findings = smb1.Findings }), nil},
		{"SMB1 is known again", list{smb1, with(dark, func(s *store.Snapshot) {
			s.Findings = smb1.Findings
		})}, smb1, nil},
		{
			"SMB1 is back after it was not known",
			list{shut, dark},
			smb1,
			[]string{"new-finding:smb1-enabled", "smb1-returned:SMB1"},
		},
		{"never asked before", list{with(shut, func(s *store.Snapshot) {
			s.Pipes = pipes("IPC$", "allowed", "lsarpc", "allowed")
		})}, with(shut, func(s *store.Snapshot) {
			s.Pipes = pipes("IPC$", "allowed", "lsarpc", "allowed", "spoolss", "allowed")
		}), nil},
	} {
		events := Compare(Fold(test.history...), Look{
			Kind:     store.RunScan,
			Host:     "srv1",
			Now:      test.now,
			Severity: map[string]model.Severity{"anonymous-lists-accounts": model.High},
		})
		if got := kinds(events); !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
		for _, e := range events {
			if e.Severity == "" || !strings.HasPrefix(e.Text, "srv1 ") || !strings.HasSuffix(e.Text, ".") ||
				strings.Contains(e.Text, "%!") {
				t.Errorf("%s: %+v", test.name, e)
			}
		}
	}
}

func TestSettingEvents(t *testing.T) {
	look := func(pairs ...string) store.Snapshot {
		s := store.Snapshot{Verdict: model.Limited, Settings: map[string]string{}}
		for i := 0; i < len(pairs); i += 2 {
			s.Settings[pairs[i]] = pairs[i+1]
		}
		return s
	}
	type list = []store.Snapshot
	for _, test := range []struct {
		name    string
		history list
		now     store.Snapshot
		weak    []string
		want    []string
	}{
		{"first audit", nil, look("RestrictAnonymous", "0"), []string{"RestrictAnonymous"}, nil},
		{
			"mended",
			list{look("RestrictAnonymous", "0")},
			look("RestrictAnonymous", "1"),
			nil,
			[]string{"setting-changed:RestrictAnonymous"},
		},
		{
			"back",
			list{look("RestrictAnonymous", "0"), look("RestrictAnonymous", "1")},
			look("RestrictAnonymous", "0"),
			[]string{"RestrictAnonymous"},
			[]string{"setting-reverted:RestrictAnonymous"},
		},
		{
			"another weak value",
			list{look("RestrictAnonymous", "0"), look("RestrictAnonymous", "1")},
			look("RestrictAnonymous", "7"),
			[]string{"RestrictAnonymous"},
			[]string{"setting-changed:RestrictAnonymous"},
		},
		{
			"back to a good value",
			list{look("RestrictAnonymous", "1"), look("RestrictAnonymous", "0")},
			look("RestrictAnonymous", "1"),
			nil,
			[]string{"setting-changed:RestrictAnonymous"},
		},
		{"not read", list{look("RestrictAnonymous", "0", "B", "1")}, look("B", "1"), nil, nil},
		{
			"read again",
			list{look("RestrictAnonymous", "1"), look()},
			look("RestrictAnonymous", "0"),
			[]string{"RestrictAnonymous"},
			[]string{"setting-changed:RestrictAnonymous"},
		},
		{
			"a pipe more",
			list{look("NullSessionPipes", "empty")},
			look("NullSessionPipes", "samr, evil"),
			[]string{"NullSessionPipes"},
			[]string{"null-session-pipe-gained:evil", "null-session-pipe-gained:samr"},
		},
		{
			"a pipe less",
			list{look("NullSessionPipes", "samr, EVIL")},
			look("NullSessionPipes", "evil"),
			[]string{"NullSessionPipes"},
			[]string{"setting-changed:NullSessionPipes"},
		},
		{
			"one for another",
			list{look("NullSessionPipes", "samr")},
			look("NullSessionPipes", "evil"),
			nil,
			[]string{"null-session-pipe-gained:evil", "setting-changed:NullSessionPipes"},
		},
	} {
		weak := map[string]bool{}
		for _, id := range test.weak {
			weak[id] = true
		}
		if got := kinds(Compare(Fold(test.history...), Look{
			Kind: store.RunAudit,
			Host: "srv1",
			Now:  test.now,
			Weak: weak,
		})); !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

// draw returns any snapshot that a scan can produce.
func draw(t *rapid.T, name string) store.Snapshot {
	s := store.Snapshot{Verdict: rapid.SampledFrom([]model.Verdict{
		model.Exposed, model.Limited, model.Closed, model.VerdictInconclusive, model.Unreachable,
	}).Draw(t, name)}
	if s.Verdict == model.Unreachable {
		s.Cells = unknown
		return s
	}
	outcome := rapid.SampledFrom([]string{"allowed", "denied", "absent", "inconclusive"})
	s.Pipes = map[string]string{}
	for _, id := range model.Strangers() {
		door := rapid.SampledFrom([]string{"allowed", "denied", "inconclusive"}).Draw(t, name+" door")
		s.Pipes[string(id)+"/"+Door] = door
		for _, pipe := range []string{"samr", "lsarpc"} {
			if door == "allowed" {
				s.Pipes[string(id)+"/"+pipe] = outcome.Draw(t, name+" pipe")
			}
		}
	}
	s.SMB1 = rapid.Bool().Draw(t, name+" smb1")
	s.Cells = store.Cells(rapid.StringOfN(rapid.SampledFrom([]rune("adn?-")), len(unknown), len(unknown), -1).Draw(t,
		name+" cells"))
	if s.Verdict != model.VerdictInconclusive && rapid.Bool().Draw(t, name+" finding") {
		s.Findings = []string{"anonymous-lists-accounts"}
	}
	return s
}

// TestProperties checks the rules of the room for arbitrary histories.
func TestProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var history []store.Snapshot
		for range rapid.IntRange(1, 6).Draw(t, "looks") {
			s := draw(t, "look")
			if len(history) > 0 && !Conclusive(s.Verdict) {
				s.Findings = history[len(history)-1].Findings // the fleet carries them over
			}
			history = append(history, s)
		}
		last := history[len(history)-1]
		known := Fold(history...)
		// A second look at the same state reports nothing.
		if again := Compare(known, Look{Kind: store.RunScan, Host: "h", Now: last}); len(again) > 0 {
			t.Fatalf("the same look again: %q", kinds(again))
		}
		// No answer closes nothing and ends nothing.
		for _, blind := range []store.Snapshot{
			{Verdict: model.Unreachable, Findings: last.Findings},
			{Verdict: model.VerdictInconclusive, Findings: last.Findings, Pipes: pipes(Door, "inconclusive")},
		} {
			for _, e := range Compare(known, Look{Kind: store.RunScan, Host: "h", Now: blind}) {
				switch e.Kind {
				case store.EventVanished, store.EventInconclusive, store.EventReturned, store.EventNewHost,
					store.EventSMB1Returned:
				default:
					t.Fatalf("no answer made %s", e.Kind)
				}
			}
			// What was known stays known.
			after := Fold(append(slices.Clone(history), blind)...)
			if !maps.Equal(after.Pipes, known.Pipes) || after.Verdict != known.Verdict ||
				!slices.Equal(after.Findings, known.Findings) {
				t.Fatalf("forgotten: %+v, %+v", known, after)
			}
		}
		// There and back again: what opened closes.
		other := draw(t, "other")
		if Settled(&last) && Settled(&other) {
			there, back := Compare(known,
				Look{Kind: store.RunScan, Now: other}), Compare(Fold(append(slices.Clone(history), other)...),
				Look{Kind: store.RunScan, Now: last})
			if a, b := count(there, store.EventNewFinding), count(back, store.EventFindingEnded); a != b {
				t.Fatalf("%d findings came and %d went", a, b)
			}
			if a, b := count(there, store.EventBecameExposed), last.Verdict != model.Exposed &&
				other.Verdict == model.Exposed; (a == 1) != b {
				t.Fatalf("became exposed: %d", a)
			}
		}
		// The events and their order are the same each time.
		if a, b := Compare(known,
			Look{Kind: store.RunScan, Now: other}), Compare(known,
			Look{Kind: store.RunScan, Now: other}); !reflect.DeepEqual(a, b) {
			t.Fatal("two answers to one question")
		}
	})
}

func count(events []store.Event, kind store.EventKind) int {
	n := 0
	for _, e := range events {
		if e.Kind == kind {
			n++
		}
	}
	return n
}

func TestQuick(t *testing.T) {
	in := store.Snapshot{Verdict: model.Limited, Pipes: pipes("IPC$", "allowed", "lsarpc", "allowed")}
	out := store.Snapshot{Verdict: model.Closed, Pipes: pipes("IPC$", "denied")}
	same := func(a, b store.Snapshot) bool {
		x, _ := json.Marshal(a)
		y, _ := json.Marshal(b)
		return string(x) == string(y)
	}
	if got := Quick(&open, in); !same(got, open) {
		t.Errorf("a null session still works: %+v", got)
	}
	if got := Quick(&closed, out); !same(got, closed) {
		t.Errorf("it is refused still: %+v", got)
	}
	got := Quick(&open, out)
	if got.Verdict != model.Closed || got.Cells != closed.Cells || len(got.Findings) > 0 ||
		got.Pipes["anonymous/samr"] != "" {
		t.Errorf("it is refused now: %+v", got)
	}
	if got := Quick(&closed, in); got.Verdict != model.Limited || got.Pipes["anonymous/lsarpc"] != "allowed" {
		t.Errorf("it works now: %+v", got)
	}
	guest := with(open, func(s *store.Snapshot) {
		s.Calls = map[string]string{
			"guest/srvsvc/NetrShareEnum":                "allowed",
			"anonymous/samr/SamrEnumerateUsersInDomain": "allowed",
		}
	})
	if got := Quick(&guest, out); got.Verdict != model.Exposed || len(got.Calls) != 1 {
		t.Errorf("guest was not asked: %+v", got)
	}
	if got := Quick(nil, in); !same(got, in) {
		t.Errorf("nothing before: %+v", got)
	}
	if got := Quick(&open, silent); !same(got, silent) {
		t.Errorf("no answer: %+v", got)
	}
}

func TestKeep(t *testing.T) {
	c := load(t)
	about := func(id string) model.Disclosure { return c.Finding(id).Discloses }
	open := []store.HostFinding{
		{Finding: "anonymous-lists-accounts", Identity: model.Anonymous},
		{Finding: "anonymous-lists-shares", Identity: model.Anonymous},
		{Finding: "smb1-enabled"},
	}
	names := func(l []store.HostFinding) (out []string) {
		for _, f := range l {
			out = append(out, f.Finding)
		}
		return out
	}
	if got := Keep(open, &closed, about); len(got) != 0 {
		t.Errorf("closed keeps %v", names(got))
	}
	if got := Keep(open, &silent, about); len(got) != 3 {
		t.Errorf("unreachable keeps %v", names(got))
	}
	partly := with(closed, func(s *store.Snapshot) { s.Verdict, s.Cells = model.Exposed, store.Cells("?"+none[1:]) })
	if got := names(Keep(open, &partly, about)); !slices.Equal(got, []string{"anonymous-lists-accounts"}) {
		t.Errorf("one cell without an answer keeps %v", got)
	}
	if got := names(Keep(open, &dark, about)); !slices.Equal(got, []string{"smb1-enabled"}) {
		t.Errorf("SMB1 not known keeps %v", got)
	}
}
