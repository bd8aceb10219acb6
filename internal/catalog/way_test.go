package catalog

import (
	"testing"

	"ipcguard/internal/model"
)

func TestWays(t *testing.T) {
	c := mustLoad(t)
	seen := map[string]bool{}
	for i := range c.Ways {
		w := &c.Ways[i]
		if seen[w.System+w.ID] || w.Takes == "" || w.Leaves == "" || len(w.Sources) == 0 ||
			(len(w.Ports) == 0) == (len(w.Sets) == 0) {
			t.Errorf("%s of %s is not complete, or comes twice", w.ID, w.System)
		}
		seen[w.System+w.ID] = true
		if w.OnlyExport && w.Note == "" {
			t.Errorf("%s does not say why it is not applied", w.ID)
		}
		for _, s := range w.Sets {
			set := c.setting[s.Setting]
			if set == nil || set.System != w.System {
				t.Errorf("%s sets %s, which is no setting of %s", w.ID, s.Setting, w.System)
				continue
			}
			if _, ok := set.Value(model.Value{Present: true, Data: s.Value}); !ok && s.Value != NeededPipes {
				t.Errorf("%s sets %s to %v, which does not fit", w.ID, s.Setting, s.Value)
			}
		}
	}
}

// TestSafeFromAfar: exactly the listed settings may be written remotely.
func TestSafeFromAfar(t *testing.T) {
	c := mustLoad(t)
	for _, tt := range []struct {
		id      string
		data    any
		dialect string
		want    bool
	}{
		{"RestrictAnonymous", 1, "3.1.1", true},
		{"NullSessionPipes", []string{}, "NT LM 0.12", true},
		{"SMB1", 0, "3.1.1", true},
		{"SMB1", 0, "NT LM 0.12", false},
		{"SMB1", 1, "3.1.1", false},
		{"ForceGuest", 0, "3.1.1", true},
		{"ForceGuest", 1, "3.1.1", false},
		{"LanmanServer.Start", 4, "3.1.1", false},
		{"RemoteRegistry.Start", 4, "3.1.1", false},
		{"PipeFirewallActive", 1, "3.1.1", false},
		{"RequireSecuritySignature", 1, "3.1.1", false},
		{"EveryoneIncludesAnonymous", 0, "2.1", true},
	} {
		s := c.Setting(tt.id)
		if got := s.SafeFromAfar(model.Value{Present: true, Type: s.Type, Data: tt.data}, tt.dialect); got != tt.want {
			t.Errorf("%s = %v over %s: %v", tt.id, tt.data, tt.dialect, got)
		}
	}
	if c.Setting("SMB1").SafeFromAfar(model.Value{}, "3.1.1") {
		t.Error("deleting SMB1 may turn it on")
	}
}
