package cli

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"ipcguard/internal/dcerpc"
	"ipcguard/internal/format/regfile"
	"ipcguard/internal/format/registry"
	"ipcguard/internal/peer"
)

const defaultSecurity = `HKLM\SYSTEM\CurrentControlSet\Services\LanmanServer\DefaultSecurity`

// oddRound is a registry with values of odd forms, and the values that a plan of it changes.
type oddRound struct {
	name   string
	values []registry.Value
}

// oddRounds are the forms that were met in the field, on settings that a plan rests on and on such that it changes. All
// of them leave strangers what RestrictNullSessAccess 0 gives.
func oddRounds() []oddRound {
	at := func(key, name string, typ registry.Type, data []byte) registry.Value {
		return registry.Value{Key: key, Name: name, Type: typ, Data: data}
	}
	var sd []byte
	for _, f := range forms() {
		if f.name == "descriptor" {
			sd = f.data
		}
	}
	weak := []registry.Value{
		registry.NewDWord(lsa, "RestrictAnonymous", 0), registry.NewDWord(lsa, "RestrictAnonymousSAM", 0),
		registry.NewDWord(lsa, "EveryoneIncludesAnonymous", 1),
		registry.NewDWord(lanman, "RestrictNullSessAccess", 0),
		registry.NewStrings(lanman, "NullSessionPipes", []string{"samr", "srvsvc", "lsarpc"}),
	}
	round := func(name string, more ...registry.Value) oddRound {
		return oddRound{name, append(slices.Clone(weak), more...)}
	}
	return []oddRound{
		round("what a plan rests on",
			at(defaultSecurity, "SrvsvcSessionInfo", registry.Binary, sd),
			at(defaultSecurity, "SrvsvcConfigInfo", registry.Binary, []byte{1, 2, 3}),
			registry.NewText(lsa, "RestrictRemoteSAM", "O:BAG:BAD:(A;;RC;;;BA) "),
			at(lsa, "TurnOffAnonymousBlock", registry.QWord, make([]byte, 8)),
			at(lanman, "RequireSecuritySignature", registry.DWordBigEndian, []byte{0, 0, 0, 1}),
			at(lanman, "EnableSecuritySignature", registry.None, make([]byte, 4)),
			at(lanman, "AutoShareServer", registry.DWord, []byte{0}),
			at(lanman, "AutoShareWks", registry.DWord, []byte{}),
			at(lanman, "NullSessionShares", registry.MultiSZ, u16("pub\x00   \x00x\x00\x00")),
		),
		round("what a plan changes: other types",
			at(lsa, "RestrictAnonymous", registry.QWord, make([]byte, 8)),
			at(lsa, "RestrictAnonymousSAM", registry.None, make([]byte, 4)),
			at(lsa, "EveryoneIncludesAnonymous", registry.Binary, []byte{1, 0, 0, 0}),
			registry.NewText(lanman, "NullSessionShares", "pub"),
			at(lanman, "NullSessionPipes", registry.Binary, u16("samr\x00lsarpc\x00\x00")),
		),
		round("what a plan changes: odd bytes",
			at(lsa, "RestrictAnonymous", registry.DWord, []byte{0}),
			at(lsa, "RestrictAnonymousSAM", registry.DWordBigEndian, make([]byte, 4)),
			at(lanman, "NullSessionPipes", registry.MultiSZ, u16("samr\x00\x00alertmanager\x00\x00")),
			at(lanman, "NullSessionShares", registry.MultiSZ, u16("pub\x00x")),
		),
	}
}

// oddValuesUnderWine takes the program for Windows through the whole way with every round: audit, plan, dry run, apply
// with its proof, rollback, and the exports; Windows' own reg says that the bytes are as they were.
func oddValuesUnderWine(t *testing.T, w *wineHost, server string) {
	for _, round := range oddRounds() {
		t.Run(round.name, func(t *testing.T) {
			if !strings.HasSuffix(round.name, "odd bytes") { // which has every form of export
				peer.Long(t, "each round starts some twenty programs, for which Wine takes its time; from afar "+
					"another round goes the whole way")
			}
			f := &regfile.File{Version: 5}
			for _, v := range round.values {
				f.Ops = append(f.Ops, regfile.Op{Kind: regfile.SetValue, Value: v})
			}
			if err := os.WriteFile(w.Path(`C:\odd.reg`), f.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
			w.Run(t, "reg", "import", `C:\odd.reg`)
			before := w.dump(t)
			same := func(when string) {
				t.Helper()
				if now := w.dump(t); now != before {
					t.Errorf("%s the registry is\n%s\nwant\n%s", when, utf16Text(now), utf16Text(before))
				}
			}
			w.ipcguard(t, 3, "audit", "local", "--product", "win2003", "--role", "member", "--format", "json", "-o",
				"odd.json")
			w.ipcguard(t, 0, "plan", "--audit", "odd.json", "--format", "json", "-o", "odd-plan.json")
			w.ipcguard(t, 0, "apply", "odd-plan.json", "--address", server, "--dry-run")
			// which share stood open is not known by name, so that one check cannot be made: the changes stay all the
			// same
			id := idOf(t, w.ipcguard(t, exitPartial, "apply", "odd-plan.json", "--address", server, "--yes",
				"--patience", "20s"))
			if w.dump(t) == before {
				t.Error("nothing was written")
			}
			w.ipcguard(t, 0, "rollback", id)
			same("rolled back,")
			forms := []string{"reg"}
			if strings.HasSuffix(round.name, "odd bytes") { // what the other forms leave out: one round tells it
				forms = append(forms, "powershell", "gpo", "ansible")
			}
			for _, form := range forms {
				folder := "odd-" + form + "-" + strings.Map(func(r rune) rune {
					if r < 'a' || r > 'z' {
						return '-'
					}
					return r
				}, round.name)
				cmd, said := w.start(t, "export", "odd-plan.json", "--as", form, "-o", folder)
				_ = cmd.Wait() // its code is looked at
				odd := strings.Contains(round.name, "changes")
				if code := cmd.ProcessState.ExitCode(); code != exitOK &&
					(code != exitPartial || form == "reg" || !odd || !strings.Contains(said(), "left out: ")) {
					t.Errorf("as %s: exit %d\n%s", form, code, said())
				}
				if form == "reg" {
					w.Run(t, "reg", "import", `C:\`+folder+`\apply.reg`)
					if w.dump(t) == before {
						t.Error("the export changes nothing")
					}
					w.Run(t, "reg", "import", `C:\`+folder+`\undo.reg`)
					same("its undo imported,")
				}
			}
			for i := range f.Ops {
				f.Ops[i].Kind = regfile.DeleteValue
			}
			if err := os.WriteFile(w.Path(`C:\odd.reg`), f.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
			w.Run(t, "reg", "import", `C:\odd.reg`)
		})
	}
}

// TestOddValuesFromAfar does the same through the winreg pipe of a real Samba server, which keeps what is written there
// and obeys none of it: that strangers are refused is its own configuration's doing.
func TestOddValuesFromAfar(t *testing.T) {
	t.Parallel()
	server := peer.StartSamba(t,
		peer.Config{
			Address: "127.41.6.1", Users: []string{"root"},
			Global: []string{"restrict anonymous = 2", "server smb encrypt = required"},
		})
	here := programOn(t, server)
	at, root := here.at, here.credentials(t, "root")
	url := "winreg://" + server.Addr()
	run := func(want int, args ...string) string {
		t.Helper()
		switch args[0] {
		case "audit":
			args = append(args, "--credentials-file", root, "--allow-unsigned-ntlm")
		case "apply", "rollback":
			args = append(args, "--credentials-file", root, "--allow-unsigned-ntlm", "--state", at("state"))
		}
		return here.run(t, want, args...)
	}
	for i, round := range oddRounds() {
		t.Run(round.name, func(t *testing.T) {
			if i > 0 {
				peer.Long(t, "each proof of a real server takes half a minute; one form goes the whole way every time")
			}
			storeValues(t, server.Addr(), round.values...)
			before := storedBytes(t, server.Addr(), round.values)
			run(3, "audit", url, "--product", "win2003", "--role", "member", "--format", "json", "-o", at("audit.json"))
			run(0, "plan", "--audit", at("audit.json"), "--format", "json", "-o", at("plan.json"))
			run(0, "apply", at("plan.json"), "--target", url, "--dry-run")
			id := idOf(t, run(0, "apply", at("plan.json"), "--target", url, "--yes"))
			if storedBytes(t, server.Addr(), round.values) == before {
				t.Error("nothing was written")
			}
			run(0, "rollback", id)
			if now := storedBytes(t, server.Addr(), round.values); now != before {
				t.Errorf("rolled back to\n%s\nfrom\n%s", now, before)
			}
		})
	}
}

// storedBytes are the values that a server keeps, byte for byte.
func storedBytes(t *testing.T, address string, values []registry.Value) string {
	t.Helper()
	c, root, done := localMachine(t, address, dcerpc.KeyRead)
	defer done()
	r := dcerpc.WinregClient{Client: c}
	var b strings.Builder
	for _, v := range values {
		key, err := r.OpenKey(t.Context(), root, strings.TrimPrefix(v.Key, `HKLM\`), dcerpc.KeyRead)
		if err != nil {
			t.Fatal(err)
		}
		a, err := r.QueryValue(t.Context(), key.Handle, v.Name, 64<<10)
		if err != nil {
			fmt.Fprintf(&b, "%s %v\n", v.Name, err)
			continue
		}
		fmt.Fprintf(&b, "%s %d % x\n", v.Name, *a.Value.Type, a.Value.Data)
	}
	return b.String()
}

// knownAs finds the id that an apply is known as.
var knownAs = regexp.MustCompile(`(?:verified|known) as (\d{8}-\d{6}-[0-9a-f]{6})`)

func idOf(t *testing.T, out string) string {
	t.Helper()
	m := knownAs.FindStringSubmatch(out)
	if m == nil {
		t.Fatalf("no id in\n%s", out)
	}
	return m[1]
}
