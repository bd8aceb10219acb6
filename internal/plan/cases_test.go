package plan

import (
	"slices"
	"strings"
	"testing"

	"ipcguard/internal/model"
)

var windowsOpen = map[string]any{
	"RestrictAnonymous": 0, "RestrictAnonymousSAM": 0, "EveryoneIncludesAnonymous": 1, "RestrictNullSessAccess": 0,
	"NullSessionPipes": []string{"samr", "lsarpc", "srvsvc"}, "TurnOffAnonymousBlock": 1, "LSAAnonymousNameLookup": 1,
	"EnableGuestAccount": 1,
}

// TestCases holds the plans of known hosts against what the documents ask for.
func TestCases(t *testing.T) {
	for _, test := range []struct {
		name   string
		host   host
		policy Policy
		want   []string
	}{
		{
			name: "samba standalone", host: host{system: "samba", product: "samba", role: model.Standalone},
			want: []string{"restrict anonymous=2"},
		},
		{
			name: "samba domain controller",
			host: host{
				system: "samba", product: "samba", role: model.DomainController,
				settings: map[string]any{"restrict anonymous": 1},
			}, want: []string{"restrict anonymous=2"},
		},
		{
			name: "samba already closed",
			host: host{
				system: "samba", product: "samba", role: model.Member,
				settings: map[string]any{"restrict anonymous": 2},
			}, want: []string{},
		},
		{
			name: "samba, guest share",
			host: host{
				system: "samba", product: "samba", role: model.Standalone,
				settings: map[string]any{"map to guest": "bad user"},
				shares:   []model.Share{{Name: "public", Guest: true}},
			}, want: []string{"restrict anonymous=2", "[public] guest ok=no"},
		},
		{
			name: "samba, guest share kept",
			host: host{
				system: "samba", product: "samba", role: model.Standalone,
				settings: map[string]any{"map to guest": "bad user"},
				shares:   []model.Share{{Name: "public", Guest: true}},
			}, policy: Policy{Needs: []string{"share:public"}}, want: []string{"restrict anonymous=2"},
		},
		{
			name: "samba, not that one", host: host{system: "samba", product: "samba", role: model.Standalone},
			policy: Policy{Avoid: []string{"restrict anonymous"}}, want: []string{"IPC$:invalid users=nobody"},
		},
		{
			name:   "samba dc with an NT 4.0 trust",
			host:   host{system: "samba", product: "samba", role: model.DomainController},
			policy: Policy{Needs: []string{"nt4-trust"}}, want: []string{"restrict anonymous=1"},
		},
		{
			name: "ksmbd", host: host{system: "ksmbd", product: "ksmbd", role: model.Standalone},
			want: []string{"ksmbd:restrict anonymous=1"},
		},
		{
			name: "windows 2019 by default", host: host{system: "windows", product: "win2019", role: model.Member},
			want: []string{},
		},
		{
			name: "windows 2019, one pipe too many",
			host: host{
				system: "windows", product: "win2019", role: model.Member,
				settings: map[string]any{"NullSessionPipes": []string{"evilpipe"}},
			}, want: []string{"NullSessionPipes=empty"},
		},
		{
			name: "licence server",
			host: host{
				system: "windows", product: "win2019", role: model.Member,
				settings: map[string]any{"NullSessionPipes": []string{"HydraLsPipe", "samr"}},
				services: []string{"ts_licensing"},
			}, want: []string{"NullSessionPipes=HydraLsPipe"},
		},
		{
			name: "sql server", host: host{
				system: "windows", product: "win2019", role: model.Member,
				settings: map[string]any{"NullSessionPipes": []string{`sql\query`}},
			}, policy: Policy{Needs: []string{"sqlserver"}}, want: []string{"NullSessionPipes=empty"},
		},
		{
			name: "print server today",
			host: host{
				system: "windows", product: "win2019", role: model.Member,
				settings: map[string]any{"NullSessionPipes": []string{"spoolss"}},
			}, policy: Policy{Needs: []string{"print-server"}}, want: []string{"NullSessionPipes=empty"},
		},
		{
			name: "windows 2000 licence server", host: host{system: "windows", product: "win2000", role: model.Member},
			policy: Policy{Needs: []string{"ts_licensing"}},
			want:   []string{"NullSessionPipes=empty", "NullSessionShares=empty", "RestrictAnonymous=1"},
		},
		{
			name: "windows 2000", host: host{system: "windows", product: "win2000", role: model.Member},
			want: []string{"NullSessionPipes=empty", "NullSessionShares=empty", "RestrictAnonymous=1"},
		},
		{
			name:   "windows 2000, the strictest value asked for",
			host:   host{system: "windows", product: "win2000", role: model.Member},
			policy: Policy{Allow: []string{"RestrictAnonymous=2"}},
			want:   []string{"NullSessionShares=empty", "RestrictAnonymous=2"},
		},
		{
			name: "windows 2000 domain controller",
			host: host{system: "windows", product: "win2000", role: model.DomainController},
			want: []string{"NullSessionPipes=empty", "NullSessionShares=empty", "RestrictAnonymous=1"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := make1(t, Evidence{Audit: test.host.audit(t), Policy: test.policy})
			if got := changes(p); !slices.Equal(got, test.want) {
				t.Errorf("changes %q, want %q\nresidual %q\nrejected %v", got, test.want, p.Residual, p.Rejected)
			}
			if err := Verify(p); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestShow(t *testing.T) {
	if !testing.Verbose() {
		t.Skip("for people: run with -v")
	}
	for _, h := range []host{
		{system: "windows", product: "win2019", role: model.Member, settings: windowsOpen},
		{system: "windows", product: "win2019", role: model.DomainController, settings: windowsOpen},
		{system: "windows", product: "nt4", role: model.Standalone},
		{system: "windows", product: "win2003", role: model.Member},
		{system: "windows", product: "win2003", role: model.DomainController},
	} {
		p := make1(t, Evidence{Audit: h.audit(t)})
		t.Logf("%s %s: %s\n  breaks %v\n keeps %v\n  residual %s\n  rejected %v\n  warnings %s\n checks %v", h.product,
			h.role, strings.Join(changes(p), "; "), p.Breaks, p.Keeps, strings.Join(p.Residual, "\n     "), p.Rejected,
			strings.Join(p.Warnings, "\n    "), p.Checks)
		for _, ch := range p.Changes {
			t.Log(ch.Setting, ch.From, ch.To, ch.Closes)
		}
	}
	_ = model.Text
}
