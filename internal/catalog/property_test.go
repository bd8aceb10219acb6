package catalog

import (
	"maps"
	"reflect"
	"slices"
	"testing"

	"ipcguard/internal/model"

	"pgregory.net/rapid"
)

// knob is a setting with values from open to strict, for one system.
type knob struct {
	system string
	id     string
	values []any // open first
}

var knobs = []knob{
	{"windows", "RestrictAnonymous", []any{0, 1, 2}},
	{"windows", "RestrictAnonymousSAM", []any{0, 1}},
	{"windows", "EveryoneIncludesAnonymous", []any{1, 0}},
	{"windows", "RestrictNullSessAccess", []any{0, 1}},
	{"windows", "NullSessionPipes", []any{[]string{"samr", "lsarpc", "srvsvc"}, []string{"samr"}, []string{}}},
	{"windows", "NullSessionShares", []any{[]string{"docs"}, []string{}}},
	{"windows", "TurnOffAnonymousBlock", []any{1, 0}},
	{"windows", "LSAAnonymousNameLookup", []any{1, 0}},
	{"windows", "EnableGuestAccount", []any{1, 0}},
	{"windows", "PipeFirewallActive", []any{0, 1}},
	{"windows", "LanmanServer.Start", []any{2, 4}},
	{"windows", "RestrictRemoteSAM", []any{"", "O:BAG:BAD:(A;;RC;;;BA)"}},
	{"windows", "PreWindows2000Members", []any{[]string{"S-1-5-7"}, []string{"S-1-5-11"}}},
	{"samba", "restrict anonymous", []any{0, 1, 2}},
	{"samba", "map to guest", []any{"bad password", "bad user", "never"}},
	{"samba", "server smb encrypt", []any{"default", "required"}},
	{"samba", "nt pipe support", []any{true, false}},
	{"samba", "IPC$:hosts deny", []any{[]string{}, []string{"ALL"}}},
	{"samba", "IPC$:invalid users", []any{[]string{}, []string{"nobody"}}},
	{"samba", "IPC$:server smb encrypt", []any{"default", "required"}},
	{"ksmbd", "ksmbd:restrict anonymous", []any{0, 1}},
}

func drawPlatform(t *rapid.T, c *Catalog) model.Platform {
	p := rapid.SampledFrom(everyPlatform(c)).Draw(t, "platform")
	switch rapid.IntRange(0, 9).Draw(t, "blur") {
	case 0:
		p.Role = model.UnknownRole
	case 1:
		p.Product = ""
	}
	return p
}

func drawConfig(t *rapid.T, c *Catalog) Config {
	in := Config{
		Platform: drawPlatform(t, c), Settings: map[string]model.Value{},
		Complete: rapid.Bool().Draw(t, "complete"),
	}
	for _, k := range knobs {
		if k.system == in.Platform.System && rapid.Bool().Draw(t, k.id) {
			in.Settings[k.id] = model.Value{Present: true, Data: rapid.SampledFrom(k.values).Draw(t, k.id+" value")}
		}
	}
	if rapid.Bool().Draw(t, "shares") {
		in.Shares = []model.Share{{Name: "public", Guest: rapid.Bool().Draw(t, "guest")}}
	}
	return in
}

// cells returns every answer of an access by name.
func cells(a model.Access) map[string]model.Outcome {
	out := map[string]model.Outcome{"session": a.Session, "tree": a.Tree}
	for p, o := range a.Pipes {
		out["pipe:"+p] = o
	}
	for d, o := range a.Discloses {
		out["discloses:"+string(d)] = o
	}
	return out
}

// TestStricterNeverAllowsMore: tightening one knob makes nothing allowed for a stranger, and what was refused stays
// refused. Unknown may become known either way.
func TestStricterNeverAllowsMore(t *testing.T) {
	c := mustLoad(t)
	rapid.Check(t, func(t *rapid.T) {
		in := drawConfig(t, c)
		mine := slices.DeleteFunc(slices.Clone(knobs), func(k knob) bool { return k.system != in.Platform.System })
		k := rapid.SampledFrom(mine).Draw(t, "knob")
		i := rapid.IntRange(0, len(k.values)-2).Draw(t, "from")
		j := rapid.IntRange(i+1, len(k.values)-1).Draw(t, "to")
		in.Settings[k.id] = model.Value{Present: true, Data: k.values[i]}
		before := c.Evaluate(in)
		in.Settings = maps.Clone(in.Settings)
		in.Settings[k.id] = model.Value{Present: true, Data: k.values[j]}
		after := c.Evaluate(in)
		for _, id := range []model.Identity{model.Anonymous, model.Guest, model.UnknownUser} {
			b := cells(before[id])
			for what, o := range cells(after[id]) {
				if o == model.Allowed && (b[what] == model.Denied || b[what] == model.Absent ||
					b[what] == model.OutcomeUnknown) {
					t.Fatalf("%s %s: %s from %v to %v made %s of %s", in.Platform.Product, id, k.id, k.values[i],
						k.values[j], o, b[what])
				}
			}
		}
	})
}

// TestUnrelatedChangesNothing: a setting that governs nothing of this kind reverses no answer.
func TestUnrelatedChangesNothing(t *testing.T) {
	c := mustLoad(t)
	idle := map[string][]any{
		"windows": {
			"AutoShareServer", 0, "AutoShareWks", 0, "EnableSecuritySignature", 1, "LmCompatibilityLevel", 5,
			"SMB1", 0, "AllowNullSessionFallback", 1, "AllowInsecureGuestAuth", 1, "PreviousAnonymousRestriction", 1,
		},
		"samba": {
			"IPC$:guest ok", true, "IPC$:available", false, "IPC$:path", "/nonexistent", "server signing",
			"mandatory", "ntlm auth", "disabled", "null passwords", true,
		},
		"ksmbd": {"ksmbd:server signing", "mandatory"},
	}
	rapid.Check(t, func(t *rapid.T) {
		in := drawConfig(t, c)
		before := c.Evaluate(in)
		pairs := idle[in.Platform.System]
		i := 2 * rapid.IntRange(0, len(pairs)/2-1).Draw(t, "setting")
		in.Settings = maps.Clone(in.Settings)
		in.Settings[pairs[i].(string)] = model.Value{Present: true, Data: pairs[i+1]}
		after := c.Evaluate(in)
		for _, id := range model.Identities() {
			if b, a := cells(before[id]), cells(after[id]); !maps.Equal(a, b) {
				t.Fatalf("%s changed something for %s", pairs[i], id)
			}
		}
	})
}

// TestReadingMoreNeverContradicts: an answer that was known from a part of the settings stays the same if the rest is
// read as absent or anything else.
func TestReadingMoreNeverContradicts(t *testing.T) {
	c := mustLoad(t)
	rapid.Check(t, func(t *rapid.T) {
		in := drawConfig(t, c)
		in.Complete = false
		part := c.Evaluate(in)
		more := in
		more.Settings = maps.Clone(in.Settings)
		for _, k := range knobs {
			if _, ok := more.Settings[k.id]; !ok && k.system == in.Platform.System && k.id != "LanmanServer.Start" &&
				rapid.Bool().Draw(t, "read "+k.id) {
				more.Settings[k.id] = model.Value{
					Present: true,
					Data:    rapid.SampledFrom(k.values).Draw(t, "read value"),
				}
			}
		}
		more.Complete = rapid.Bool().Draw(t, "then complete")
		rest := c.Evaluate(more)
		for _, id := range model.Identities() {
			after := cells(rest[id])
			for what, o := range cells(part[id]) {
				if o != model.OutcomeUnknown && closed(after[what]) != closed(o) {
					t.Fatalf("%s %s of %s was %s (%v) and is %s (%v)", in.Platform.Product, what, id, o,
						part[id].Why[what], after[what], rest[id].Why[what])
				}
			}
		}
	})
}

// closed merges denied and absent: which of the two comes first depends on what is known.
func closed(o model.Outcome) model.Outcome {
	if o == model.Absent {
		return model.Denied
	}
	return o
}

// TestGatesHold: nothing is allowed behind a closed gate, and every answer has a reason.
func TestGatesHold(t *testing.T) {
	c := mustLoad(t)
	rapid.Check(t, func(t *rapid.T) {
		in := drawConfig(t, c)
		got := c.Evaluate(in)
		if again := c.Evaluate(in); !reflect.DeepEqual(got, again) {
			t.Fatal("the same input gave another answer")
		}
		for id, a := range got {
			for name, o := range a.Pipes {
				if o == model.Allowed && a.Tree != model.Allowed || a.Tree == model.Denied && o != model.Denied {
					t.Fatalf("%s: pipe %s is %s behind a tree that is %s", id, name, o, a.Tree)
				}
				if o != model.Allowed && len(a.Why["pipe:"+name]) == 0 {
					t.Fatalf("%s: pipe %s is %s without a reason", id, name, o)
				}
			}
			for d, o := range a.Discloses {
				if o == model.Allowed && a.Session != model.Allowed {
					t.Fatalf("%s: %s is given over a session that is %s", id, d, a.Session)
				}
				if len(a.Why["discloses:"+string(d)]) == 0 {
					t.Fatalf("%s: %s is %s without a reason", id, d, o)
				}
			}
		}
	})
}
