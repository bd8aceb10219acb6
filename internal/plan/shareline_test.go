package plan

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"ipcguard/internal/model"
)

// lineHost is a Samba server with shares of every kind that a line may be wanted of.
func lineHost(settings map[string]any) host {
	all := map[string]any{"restrict anonymous": 2, "map to guest": "bad user"}
	for id, v := range settings {
		all[id] = v
	}
	return host{
		system: "samba", product: "samba", role: model.Standalone, settings: all, shares: []model.Share{
			{Name: "team"},
			{Name: "public", Guest: true},
			{Name: "heir", Guest: true, GuestAt: "global", Encrypt: "desired", EncryptAt: "global"},
			{Name: "secret", Encrypt: "required"},
			{Name: "a=b"},
			{Name: "x:y"},
			{Name: "guest ok"},
			{Name: "ksmbd"},
			{Name: "drop", UserShare: true, Guest: true},
		},
	}
}

// TestWantedShareLines plans lines of single shares: the place, the value before, and what else is left alone.
func TestWantedShareLines(t *testing.T) {
	for _, tt := range []struct {
		want, where, from, to, inEffect string
	}{
		{"team:server smb encrypt=required", "[team] server smb encrypt", "absent", "required", ""},
		{"TEAM:smb encrypt = Desired", "[team] server smb encrypt", "absent", "desired", ""},
		{"public:guest ok=no", "[public] guest ok", "yes", "no", ""},
		{"public:public=no", "[public] guest ok", "yes", "no", ""},
		{"heir:guest ok=no", "[heir] guest ok", "absent", "no", "yes"},
		{"heir:server smb encrypt=required", "[heir] server smb encrypt", "absent", "required", "desired"},
		{"a=b:server smb encrypt=required", "[a=b] server smb encrypt", "absent", "required", ""},
		{"x:y:server smb encrypt=required", "[x:y] server smb encrypt", "absent", "required", ""},
		{"guest ok:server smb encrypt=required", "[guest ok] server smb encrypt", "absent", "required", ""},
		{"ksmbd:server smb encrypt=required", "[ksmbd] server smb encrypt", "absent", "required", ""},
	} {
		t.Run(tt.want, func(t *testing.T) {
			p := make1(t, Evidence{Audit: lineHost(nil).audit(t), Policy: Policy{Want: []string{tt.want}}})
			if err := Verify(p); err != nil {
				t.Fatal(err)
			}
			var got []model.Change
			for _, ch := range p.Changes {
				if ch.Where == tt.where {
					got = append(got, ch)
				}
			}
			if len(got) != 1 {
				t.Fatalf("%d changes of %s: %q", len(got), tt.where, changes(p))
			}
			ch, from, inEffect := got[0], "absent", ""
			if ch.From.Present {
				from = model.Text(ch.From.Data)
			}
			if ch.Effective != nil {
				inEffect = model.Text(ch.Effective)
			}
			if from != tt.from || model.Text(ch.To.Data) != tt.to || inEffect != tt.inEffect ||
				!strings.HasPrefix(ch.Why, "wanted. ") {
				t.Errorf("from %s, in effect %q, to %s: %s", from, inEffect, model.Text(ch.To.Data), ch.Why)
			}
			for _, ch := range p.Changes {
				if ch.Setting == smbEncrypt && ch.Where != tt.where {
					t.Errorf("the line of one share changes %s", ch.Where)
				}
			}
		})
	}
}

// TestRefusedShareLines refuses wishes for lines that a plan cannot set, or that would give anybody more.
func TestRefusedShareLines(t *testing.T) {
	for _, tt := range []struct {
		name, want, refused string
		settings            map[string]any
		policy              Policy
	}{
		{"no such share", "nobody:guest ok=no", `no share "nobody"`, nil, Policy{}},
		{"of IPC$", "ipc$:guest only=no", "in [IPC$] is ignored", nil, Policy{}},
		{"no line of a share", "team:restrict anonymous=2", "is no setting of the catalog", nil, Policy{}},
		{"what opens", "team:guest ok=yes", "opens the share to strangers", nil, Policy{}},
		{"what stands open", "public:guest ok=yes", "opens the share to strangers", nil, Policy{}},
		{"no value", "public:guest ok=perhaps", "cannot be", nil, Policy{}},
		{"no word", "team:server smb encrypt=strong", "cannot be", nil, Policy{}},
		{"a word that does nothing there", "team:server smb encrypt=off", "no such value", nil, Policy{}},
		{"less encryption", "secret:server smb encrypt=desired", "asks for less than now", nil, Policy{}},
		{"less than inherited", "heir:server smb encrypt=default", "asks for less than now", nil, Policy{}},
		{"a usershare", "drop:guest ok=no", "no section in smb.conf", nil, Policy{}},
		{
			"everybody out", "team:server smb encrypt=required", "would refuse everybody the share team",
			map[string]any{smbEncrypt: "off"},
			Policy{},
		},
		{"avoided", "public:guest ok=no", "to be avoided", nil, Policy{Avoid: []string{guestOK}}},
		{"needed", "public:guest ok=no", "must keep", nil, Policy{Needs: []string{"share:public"}}},
		{
			"needed without a key", "public:server smb encrypt=required", "must keep", nil,
			Policy{Needs: []string{"share:public"}},
		},
		{
			"twice", "team:server smb encrypt=required", "wanted twice", nil,
			Policy{Want: []string{"Team:smb encrypt=desired"}},
		},
		{
			"what the host's own line gives shares", smbEncrypt + "=default", "would open to strangers what is closed",
			map[string]any{smbEncrypt: "required"},
			Policy{},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := lineHost(tt.settings)
			if tt.settings[smbEncrypt] == "required" {
				h.shares[1].Guest, h.shares[2].Encrypt, h.shares[8].Guest = false, "required", false
			}
			tt.policy.Want = append(tt.policy.Want, tt.want)
			p, err := Make(Evidence{Audit: h.audit(t), Policy: tt.policy})
			var wrong *InputError
			if !errors.As(err, &wrong) || !strings.Contains(err.Error(), tt.refused) {
				t.Errorf("%v, want %q; %+v", err, tt.refused, p)
			}
		})
	}
}

// TestShareLinesInEffect changes nothing that is as it is wanted, and says so.
func TestShareLinesInEffect(t *testing.T) {
	want := []string{"secret:server smb encrypt=required", "team:guest ok=no", "heir:server smb encrypt=desired"}
	p := make1(t, Evidence{Audit: lineHost(nil).audit(t), Policy: Policy{Want: want}})
	for _, name := range []string{"[secret] server smb encrypt", "[team] guest ok", "[heir] server smb encrypt"} {
		if !slices.ContainsFunc(p.Rejected, func(r model.Rejected) bool {
			return r.Setting == name && strings.Contains(r.Why, "as wanted")
		}) || slices.ContainsFunc(p.Changes, func(c model.Change) bool { return c.Where == name }) {
			t.Errorf("%s: %q, %+v", name, changes(p), p.Rejected)
		}
	}
}

// TestShareLineStops names the clients that a wanted line may refuse as what-if does, and what it closes.
func TestShareLineStops(t *testing.T) {
	o := month()
	for _, u := range []model.Use{
		{Client: "guest", Identity: model.Guest},
		{Client: "old", Identity: model.User, Account: "bob", Dialect: "2.1", CanEncrypt: model.False},
		{Client: "new", Identity: model.User, Account: "ann", Dialect: "3.1.1", CanEncrypt: model.True},
	} {
		u.Layer, u.Outcome, u.Count, u.Package = model.LayerSession, model.Allowed, 1, model.PackageNTLMv2
		o.Uses = append(o.Uses, u)
	}
	for want, stops := range map[string][]string{
		"team:server smb encrypt=required":   {"old (bob)"},
		"public:server smb encrypt=required": {"guest", "old (bob)"},
		"public:guest ok=no":                 {"guest"},
	} {
		p := make1(t, Evidence{Audit: lineHost(nil).audit(t), Observed: o, Policy: Policy{Want: []string{want}}})
		var got []string
		for _, b := range p.Breaks {
			if strings.Contains(b.What, "may use a share that would refuse it") {
				got = append(got, b.Who)
			}
		}
		if slices.Sort(got); !slices.Equal(got, stops) {
			t.Errorf("%s: %q, want %q", want, got, stops)
		}
		ch := p.Changes[slices.IndexFunc(p.Changes, func(c model.Change) bool {
			return strings.HasPrefix(c.Why, "wanted. ")
		})]
		if strings.HasPrefix(want, "public") != (len(ch.Closes) > 0) {
			t.Errorf("%s closes %q", want, ch.Closes)
		}
	}
}
