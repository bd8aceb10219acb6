package target

import (
	"context"
	"errors"
	"testing"

	"pgregory.net/rapid"

	"ipcguard/internal/apply"
	"ipcguard/internal/apply/applytest"
	"ipcguard/internal/apply/engine"
	"ipcguard/internal/format/registry"
	"ipcguard/internal/model"
)

// subject is a registry under test: a key that the test may change freely, and a way to put values there without the
// target.
type subject struct {
	target apply.Target
	key    string // below HKLM\SYSTEM\CurrentControlSet\Control\Lsa for targets that refuse other places
	set    func(t *testing.T, v registry.Value)
	dump   func(t *testing.T) string // everything below the key, and its values
	fault  *func(string)             // points at which the target may be killed
	stride int                       // kills only at every nth point; 0 is all of them
	names  []string                  // of four values that the target may write
}

// conform checks a registry against the contract of Target.
func conform(t *testing.T, s subject) {
	where := func(i int) string { return s.key + `\` + s.names[i] }
	at := func(i int) apply.Place { return apply.Place{Kind: apply.RegistryValue, Path: s.key, Name: s.names[i]} }
	prepare := func(t *testing.T) (string, model.Plan) {
		t.Helper()
		for i := range s.names {
			if err := s.target.Write(t.Context(), at(i), apply.State{}, apply.State{}); err != nil {
				t.Fatal(err)
			}
		}
		s.set(t, registry.NewDWord(s.key, s.names[0], 0))
		s.set(t, registry.NewStrings(s.key, s.names[1], []string{"samr", `sql\query`}))
		s.set(t, registry.NewText(s.key, s.names[2], "O:BAG:BAD:"))
		return s.dump(t), model.Plan{Changes: []model.Change{
			{ID: "1", Where: where(0), From: applytest.DWord(0), To: applytest.DWord(1)},
			{ID: "2", Where: where(1), From: applytest.Multi("samr", `sql\query`), To: applytest.Multi()},
			{ID: "3", Where: where(2), From: model.Value{Present: true, Type: "REG_SZ", Data: "O:BAG:BAD:"}},
			{ID: "4", Where: where(3), To: applytest.Multi("netlogon", "lsarpc")},
		}}
	}
	t.Run("reads what is there", func(t *testing.T) {
		prepare(t)
		for i, want := range []apply.State{
			{Present: true, Type: registry.DWord, Data: []byte{0, 0, 0, 0}},
			{
				Present: true, Type: registry.MultiSZ,
				Data: registry.NewStrings("", "", []string{"samr", `sql\query`}).Data,
			},
			{Present: true, Type: registry.SZ, Data: registry.NewText("", "", "O:BAG:BAD:").Data},
			{},
		} {
			got, err := s.target.Read(t.Context(), at(i))
			if err != nil || !got.Same(want) {
				t.Errorf("%s: %v, %v; want %v", s.names[i], got, err, want)
			}
		}
	})
	t.Run("writes whatever was there, to the byte", func(t *testing.T) {
		for _, v := range []registry.Value{
			registry.NewDWord("", "", 0xFFFFFFFF),
			registry.NewText("", "", ""),
			registry.NewText("", "", "Grüße"),
			registry.NewStrings("", "", nil),
			registry.NewStrings("", "", []string{"a", "b"}),
			{Type: registry.MultiSZ, Data: []byte{0, 0, 0, 0}}, // an empty list as regedit writes it
			{Type: registry.MultiSZ, Data: []byte{'a', 0, 0, 0}},
			{Type: registry.SZ, Data: []byte{'a', 0}}, // without its terminator
			{Type: registry.Binary, Data: []byte{1, 2, 3}},
			{Type: registry.Binary, Data: []byte{}},
		} {
			want := apply.State{Present: true, Type: v.Type, Data: v.Data}
			if err := s.target.Write(t.Context(), at(0), want, apply.State{}); err != nil {
				t.Errorf("%s % X: %v", v.Type, v.Data, err)
				continue
			}
			if got, err := s.target.Read(t.Context(), at(0)); err != nil || !got.Same(want) {
				t.Errorf("wrote %s % X, read %s % X, %v", v.Type, v.Data, got.Type, got.Data, err)
			}
		}
	})
	t.Run("apply and roll back", func(t *testing.T) {
		before, plan := prepare(t)
		e := engineFor(t, s.target)
		j, err := e.Apply(t.Context(), engine.Request{
			Plan:    plan,
			Changes: applytest.Changes(s.target.System(), plan.Changes), Bytes: []byte("{}"), Target: s.target,
			Verify: applytest.Good,
		})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := s.target.Read(t.Context(), at(1)); err != nil || got.Type != registry.MultiSZ ||
			len(got.Data) > 4 {
			t.Errorf("an empty list reads back as %v, %v", got, err)
		}
		if got, err := s.target.Read(t.Context(), at(2)); err != nil || got.Present {
			t.Errorf("a value that was removed reads back as %v, %v", got, err)
		}
		if _, err := e.Rollback(t.Context(), j.ID, false); err != nil {
			t.Fatal(err)
		}
		if got := s.dump(t); got != before {
			t.Errorf("rolled back to\n%s\nfrom\n%s", got, before)
		}
	})
	t.Run("stale", func(t *testing.T) {
		_, plan := prepare(t)
		s.set(t, registry.NewText(s.key, s.names[0], "0")) // the same meaning to some, another type
		var stale *apply.StaleError
		if _, err := s.target.Resolve(t.Context(), applytest.Changes(s.target.System(), plan.Changes)); !errors.As(err,
			&stale) {
			t.Errorf("%v", err)
		}
	})
	t.Run("killed anywhere", func(t *testing.T) {
		for n := 0; ; n += max(1, s.stride) {
			before, plan := prepare(t)
			e := engineFor(t, s.target)
			var met *[]string
			e.Fault, met = applytest.KillAt(n)
			*s.fault = e.Fault
			dead := applytest.Survive(func() {
				if _, err := e.Apply(context.Background(),
					engine.Request{
						Plan: plan, Changes: applytest.Changes(s.target.System(), plan.Changes),
						Bytes: []byte("{}"), Target: s.target, Verify: applytest.Bad,
					}); err == nil {
					t.Fatal("applied in spite of its proof")
				}
			})
			e.Fault, *s.fault = nil, func(string) {}
			if !dead {
				t.Logf("%d points", n)
				return
			}
			if _, err := e.Recover(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := s.dump(t); got != before {
				t.Fatalf("killed at %s: recovered to\n%s\nfrom\n%s", (*met)[n], got, before)
			}
		}
	})
}

func TestFakeConforms(t *testing.T) {
	f := newFake()
	f.Tree.AddKey(applytest.LSA)
	conform(t, subject{
		target: f, key: applytest.LSA, fault: &f.Fault,
		set:   func(_ *testing.T, v registry.Value) { f.Tree.Set(v) },
		dump:  func(*testing.T) string { return applytest.Dump(f.Tree, applytest.LSA) },
		names: []string{"RestrictAnonymous", "Pipes", "RestrictRemoteSAM", "Other"},
	})
}

// TestIdentity: an apply followed by its rollback changes nothing on any registry.
func TestIdentity(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		f := newFake()
		keys := []string{applytest.LSA, applytest.LMS, applytest.LSA + `\MSV1_0`, `HKLM\SYSTEM\New`}
		names := []string{"A", "B", "C"}
		draw := rapid.Custom(func(rt *rapid.T) registry.Value {
			switch rapid.IntRange(0, 3).Draw(rt, "kind") {
			case 0:
				return registry.NewDWord("", "", rapid.Uint32().Draw(rt, "n"))
			case 1:
				return registry.NewText("", "", rapid.StringMatching(`[a-zü ]{0,8}`).Draw(rt, "text"))
			case 2:
				return registry.NewStrings("", "",
					rapid.SliceOfN(rapid.StringMatching(`[a-z\\]{1,8}`), 0, 4).Draw(rt, "list"))
			}
			return registry.Value{
				Type: registry.MultiSZ,
				Data: rapid.SliceOfN(rapid.Byte(), 0, 9).Draw(rt, "odd bytes"),
			}
		})
		var plan model.Plan
		for _, key := range keys {
			for _, name := range names {
				present := rapid.Bool().Draw(rt, "present")
				change := model.Change{ID: name, Where: key + `\` + name}
				if present {
					v := draw.Draw(rt, "value")
					v.Key, v.Name = key, name
					f.Tree.Set(v)
					change.From = known(v)
				}
				if !rapid.Bool().Draw(rt, "changed") || present && change.From.Type == "" {
					continue
				}
				if !present || rapid.Bool().Draw(rt, "kept") {
					change.To = known(draw.Filter(func(v registry.Value) bool { return known(v).Type != "" }).Draw(rt,
						"to"))
				}
				plan.Changes = append(plan.Changes, change)
			}
		}
		before := applytest.Dump(f.Tree, "HKLM")
		e := engineFor(t, f)
		j, err := e.Apply(context.Background(),
			engine.Request{
				Plan: plan, Changes: applytest.Changes("windows", plan.Changes), Bytes: []byte("{}"),
				Target: f, Verify: applytest.Good,
			})
		if errors.Is(err, apply.ErrNothing) {
			return
		}
		if err != nil {
			rt.Fatal(err)
		}
		if _, err := e.Rollback(context.Background(), j.ID, false); err != nil {
			rt.Fatal(err)
		}
		if got := applytest.Dump(f.Tree, "HKLM"); got != before {
			rt.Fatalf("rolled back to\n%s\nfrom\n%s", got, before)
		}
	})
}

// known returns a value as an audit reports it to a plan; without a type if it cannot.
func known(v registry.Value) model.Value {
	switch v.Type {
	case registry.DWord:
		n, err := v.DWord()
		if err == nil {
			return model.Value{Present: true, Type: v.Type.String(), Data: n}
		}
	case registry.SZ:
		if s, err := v.Text(); err == nil {
			return model.Value{Present: true, Type: v.Type.String(), Data: s}
		}
	case registry.MultiSZ:
		if list, err := v.Strings(); err == nil && len(v.Data)%2 == 0 {
			return model.Value{Present: true, Type: v.Type.String(), Data: list}
		}
	}
	return model.Value{Present: true}
}
