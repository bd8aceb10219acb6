package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"ipcguard/internal/dcerpc"
	"ipcguard/internal/format/registry"
	"ipcguard/internal/model"
	"ipcguard/internal/peer"
	"ipcguard/internal/plan"
)

// TestApplyFromAfar changes a real server's registry through its winreg pipe with the program itself. Samba keeps what
// is written there and obeys none of it: that strangers are refused is its own configuration's doing.
func TestApplyFromAfar(t *testing.T) {
	t.Parallel()
	server := peer.StartSamba(t, peer.Config{
		Address: "127.41.5.1", Users: []string{"root", "alice"}, Global: []string{"restrict anonymous = 2"},
		// the registry's values close no share of Samba's
		Shares: []peer.Share{{Name: "public", Lines: []string{"guest ok = no"}}},
	})
	here := programOn(t, server)
	at, root := here.at, here.credentials(t, "root")
	url := "winreg://" + server.Addr()
	run := func(want int, args ...string) string {
		t.Helper()
		if args[0] != "plan" && args[0] != "history" {
			args = append(args, "--credentials-file", root, "--allow-unsigned-ntlm")
		}
		if args[0] != "plan" && args[0] != "audit" {
			args = append(args, "--state", at("state"))
		}
		return here.run(t, want, args...)
	}
	const sam = "O:BAG:BAD:(A;;RC;;;WD)"
	storeValues(t, server.Addr(),
		registry.NewDWord(lsa, "RestrictAnonymous", 0),
		registry.NewDWord(lsa, "RestrictAnonymousSAM", 0),
		registry.NewText(lsa, "RestrictRemoteSAM", sam),
		registry.NewDWord(lanman, "RestrictNullSessAccess", 0),
		registry.NewStrings(lanman, "NullSessionPipes", []string{"samr", "Grüße"}),
		registry.NewStrings(lanman, "NullSessionShares", nil),
	)
	before := stored(t, server.Addr())
	same := func(when string) {
		t.Helper()
		if now := stored(t, server.Addr()); now != before {
			t.Errorf("%s the registry is\n%s\nwant\n%s", when, now, before)
		}
	}

	t.Run("what a plan comes to", func(t *testing.T) {
		run(3, "audit", url, "--product", "win2019", "--role", "member", "--format", "json", "-o", at("audit.json"))
		run(0, "plan", "--audit", at("audit.json"), "--format", "json", "-o", at("plan.json"))
		run(0, "apply", at("plan.json"), "--yes", "--target", url, "--dry-run")
		same("after a dry run")
		id := applied(t, run(0, "apply", at("plan.json"), "--yes", "--target", url, "--check", "logon:", "--share",
			"public", "--confirm-within", "1h"))
		if after := stored(t, server.Addr()); after == before ||
			!strings.Contains(after, "NullSessionPipes REG_MULTI_SZ []") {
			t.Errorf("applied:\n%s", after)
		}
		run(0, "confirm", id)
		run(0, "rollback", id)
		same("rolled back,")
	})

	text := func(s string) model.Value { return model.Value{Present: true, Type: "REG_SZ", Data: s} }
	list := func(l ...string) model.Value {
		return model.Value{Present: true, Type: "REG_MULTI_SZ", Data: append([]string{}, l...)}
	}
	whole := func(n int) model.Value { return model.Value{Present: true, Type: "REG_DWORD", Data: n} }
	every := seal(t, at("every.json"), server.Addr(), []model.Change{
		{ID: "1", Setting: "RestrictAnonymous", Where: lsa + `\RestrictAnonymous`, From: whole(0), To: whole(1)},
		{
			ID: "2", Setting: "RestrictRemoteSAM", Where: lsa + `\RestrictRemoteSAM`, From: text(sam),
			To: text("O:BAG:BAD:(A;;RC;;;BA)"),
		},
		{
			ID: "3", Setting: "NullSessionPipes", Where: lanman + `\NullSessionPipes`, From: list("samr", "Grüße"),
			To: list(),
		},
		{ID: "4", Setting: "NullSessionShares", Where: lanman + `\NullSessionShares`, From: list(), To: list("public")},
		{ID: "5", Setting: "RestrictAnonymousSAM", Where: lsa + `\RestrictAnonymousSAM`, From: whole(0)}, // removed
		{ID: "6", Setting: "EveryoneIncludesAnonymous", Where: lsa + `\EveryoneIncludesAnonymous`, To: whole(0)},
		// below a new key
		{ID: "7", Setting: "AllowNullSessionFallback", Where: lsa + `\MSV1_0\AllowNullSessionFallback`, To: whole(0)},
	})
	const wanted = `HKLM\SYSTEM\CurrentControlSet\Control\Lsa
  EveryoneIncludesAnonymous REG_DWORD 0
  RestrictAnonymous REG_DWORD 1
  RestrictRemoteSAM REG_SZ O:BAG:BAD:(A;;RC;;;BA)
HKLM\SYSTEM\CurrentControlSet\Control\Lsa\MSV1_0
  AllowNullSessionFallback REG_DWORD 0
HKLM\SYSTEM\CurrentControlSet\Services\LanmanServer\Parameters
  NullSessionPipes REG_MULTI_SZ []
  NullSessionShares REG_MULTI_SZ [public]
  RestrictNullSessAccess REG_DWORD 0
`
	t.Run("every type, presence and absence", func(t *testing.T) {
		id := applied(t, run(0, "apply", every, "--yes", "--target", url))
		if got := stored(t, server.Addr()); got != wanted {
			t.Errorf("applied:\n%s\nwant\n%s", got, wanted)
		}
		run(1, "apply", every, "--yes", "--target", url) // it is no longer as the plan found it
		run(0, "rollback", id)
		same("rolled back,")
	})
	t.Run("nobody confirms", func(t *testing.T) {
		peer.Long(t, "the same guard as on a host of its own, twenty seconds")
		id := unconfirmed(t, func(within string) (string, int) {
			cmd := server.Command(t.Context(), here.program, "apply", every, "--yes", "--target", url,
				"--confirm-within", within, "--credentials-file", root, "--allow-unsigned-ntlm", "--state", at("state"))
			out, err := cmd.CombinedOutput()
			if cmd.ProcessState == nil {
				t.Fatal(err)
			}
			return string(out), cmd.ProcessState.ExitCode()
		})
		until(t, func() error {
			if out := run(0, "history", id); !strings.Contains(out, "undone") {
				return fmt.Errorf("the guard has not taken it back: %s", out)
			}
			return nil
		})
		same("when the time was up")
	})
	t.Run("verification fails", func(t *testing.T) {
		open := peer.StartSamba(t, peer.Config{Address: "127.41.5.2"})
		out := run(1, "apply", every, "--yes", "--target", url, "--address", open.Addr(), "--patience", "0s")
		if !strings.Contains(out, "everything was rolled back") {
			t.Errorf("%s", out)
		}
		same("rolled back,")
	})
	t.Run("stale", func(t *testing.T) {
		storeValues(t, server.Addr(), registry.NewDWord(lsa, "RestrictAnonymous", 2))
		if out := run(1, "apply", every, "--yes", "--target", url); !strings.Contains(out, "RestrictAnonymous") ||
			!strings.Contains(out, "hint: audit the host again") {
			t.Errorf("%s", out)
		}
	})
}

// seal makes a plan of these changes for a host and writes it where it says.
func seal(t *testing.T, name, host string, changes []model.Change) string {
	t.Helper()
	p := &model.Plan{
		Schema: model.SchemaPlan, Target: host,
		Platform: model.Platform{System: "windows", Product: "win2019", Role: model.Member},
		Strategy: "restrict", Changes: changes,
	}
	for i := range p.Changes {
		c := &p.Changes[i]
		c.When, c.Closes = "now", []string{"anonymous-lists-accounts"}
		p.BasedOn = append(p.BasedOn, model.Fact{Setting: c.Setting, Where: c.Where, Value: c.From})
	}
	p.Fingerprint = plan.Fingerprint(p.Platform, p.BasedOn)
	var err error
	if p.Hash, err = plan.Hash(p); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// stored is what the server's registry holds below the keys of the settings, sorted.
func stored(t *testing.T, address string) string {
	t.Helper()
	c, root, done := localMachine(t, address, dcerpc.KeyRead)
	defer done()
	r := dcerpc.WinregClient{Client: c}
	var b strings.Builder
	var walk func(key string)
	walk = func(key string) {
		k, err := r.OpenKey(t.Context(), root, strings.TrimPrefix(key, `HKLM\`), dcerpc.KeyRead)
		if err != nil {
			t.Fatalf("%s: %v", key, err)
		}
		var lines, kids []string
		for i := uint32(0); ; i++ {
			v, err := r.EnumValue(t.Context(), k.Handle, i, 4096)
			if err != nil {
				break
			}
			x := registry.Value{Type: registry.Type(*v.Value.Type), Data: v.Value.Data}
			var shown any = x.Data
			switch x.Type {
			case registry.DWord:
				shown, err = x.DWord()
			case registry.SZ:
				shown, err = x.Text()
			case registry.MultiSZ:
				shown, err = x.Strings()
			}
			if err != nil {
				t.Fatalf("%s %s: %v", key, *v.Name.Value, err)
			}
			lines = append(lines, fmt.Sprintf("  %s %s %v\n", *v.Name.Value, x.Type, shown))
		}
		for i := uint32(0); ; i++ {
			kid, err := r.EnumKey(t.Context(), k.Handle, i)
			if err != nil {
				break
			}
			kids = append(kids, *kid.Name.Value)
		}
		slices.Sort(lines)
		slices.Sort(kids)
		fmt.Fprintf(&b, "%s\n%s", key, strings.Join(lines, ""))
		for _, kid := range kids {
			walk(key + `\` + kid)
		}
	}
	walk(lsa)
	walk(lanman)
	return b.String()
}
