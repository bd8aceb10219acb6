package sddl

import (
	"bytes"
	"encoding/hex"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"ipcguard/internal/format/hive"
	"ipcguard/internal/format/registry"
)

func parse(t testing.TB, s string) *Descriptor {
	t.Helper()
	d, err := Parse(s)
	if err != nil {
		t.Fatalf("%q: %v", s, err)
	}
	return d
}

func TestPrintsWhatItReads(t *testing.T) {
	for in, want := range map[string]string{
		"O:BAG:BAD:(A;;RC;;;BA)":                         "",
		"O:SYG:SYD:(A;;RC;;;BA)":                         "",
		"D:PAI(A;OICI;FA;;;SY)(D;;0x1;;;AN)":             "D:PAI(A;OICI;FA;;;SY)(D;;CC;;;AN)",
		" O:S-1-5-32-544 \n G:dA D: (a;ci; ccdc ;;;wd) ": "O:BAG:DAD:(A;CI;CCDC;;;WD)",
		"D:(A;;0x120089;;;S-1-5-21-1-2-3-1013)":          "D:(A;;FR;;;S-1-5-21-1-2-3-1013)",
		"S:(AU;SAFA;WD;;;WD)":                            "",
		"D:":                                             "",
		"":                                               "",
		"D:NO_ACCESS_CONTROL":                            "",
		"D:(OA;;RPWP;bf967a86-0de6-11d0-a285-00aa003049e2;;PS)":         "D:(OA;;RPWP;BF967A86-0DE6-11D0-A285-00AA003049E2;;PS)",
		`D:(XA;;FX;;;WD;(@User.Title=="a)b" && (Member_of {SID(BA)})))`: "",
		"O:S-1-0x5-32-0x220": "O:BA",
	} {
		got := parse(t, in).String()
		if want == "" && in != "D:NO_ACCESS_CONTROL" {
			want = in
		}
		if got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func TestErrors(t *testing.T) {
	for in, want := range map[string]string{
		"X:":                      "character 1: O:, G:, D: or S: expected",
		"O:BAO:BA":                "character 5: O: comes twice",
		"O:ZZ":                    "character 3: \"ZZ\" is neither",
		"O:S-1-5-4294967296":      "no identifier",
		"D:(A;;RC;;;BA":           "character 3: an entry without its )",
		"D:(A;;RC;;BA)":           "5 fields",
		"D:(Q;;RC;;;BA)":          "unknown type",
		"D:(A;QQ;RC;;;BA)":        "unknown flags",
		"D:(A;;QQ;;;BA)":          "unknown right",
		"D:(A;;0x1ffffffff;;;BA)": "no mask",
		"D:(A;;RC;x;;BA)":         "no GUID",
		"D:(A;;RC;;;BA;(x))":      "a condition in an entry",
	} {
		_, err := Parse(in)
		var e *Error
		if !errors.As(err, &e) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", in, err, want)
		}
	}
}

func TestSame(t *testing.T) {
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"O:BAG:BAD:(A;;RC;;;BA)", "O:S-1-5-32-544G:BAD:(A;;0x20000;;;S-1-5-32-544)", true},
		{"D:(A;;RC;;;BA)(A;;RC;;;SY)", "D:(A;;RC;;;SY)(A;;RC;;;BA)", true},
		{"D:(A;;CC;;;BA)(A;;DC;;;BA)", "D:(A;;CCDC;;;BA)", true},
		{"D:(A;ID;RC;;;BA)", "D:AI(A;;RC;;;BA)", true},
		{"D:(A;;RC;;;BA)(A;;;;;WD)", "D:(A;;RC;;;BA)", true},
		{"D:(A;;GA;;;DA)", "D:(A;;GA;;;S-1-5-21-11-22-33-512)", true},
		{"D:(D;;RC;;;AN)(A;;RC;;;WD)", "D:(A;;RC;;;WD)(D;;RC;;;AN)", false},
		{"O:BAG:BAD:(A;;RC;;;BA)", "O:BAG:BAD:(A;;RC;;;BA)(A;;RC;;;WD)", false}, // an unanchored pattern passes this
		{"O:BAG:BAD:(A;;RC;;;BA)", "O:SYG:SYD:(A;;RC;;;BA)", false},
		{"D:", "", false},
		{"D:P(A;;RC;;;BA)", "D:(A;;RC;;;BA)", false},
		{"D:(A;OI;RC;;;BA)", "D:(A;;RC;;;BA)", false},
		{"D:(A;;GA;;;S-1-5-21-11-22-33-1000)", "D:(A;;GA;;;S-1-5-21-44-55-66-1000)", false},
	} {
		if got := Same(parse(t, c.a), parse(t, c.b)); got != c.same {
			t.Errorf("%q and %q: same %v", c.a, c.b, got)
		}
	}
}

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		sd    string
		token Token
		mask  uint32
		want  Answer
	}{
		{"D:(A;;CC;;;AN)", AnonymousToken(false), 1, Granted},
		{"D:(A;;CC;;;WD)", AnonymousToken(false), 1, Refused},
		{"D:(A;;CC;;;WD)", AnonymousToken(true), 1, Granted},
		{"D:(A;;CC;;;AU)", AnonymousToken(true), 1, Refused},
		{"D:(A;;CC;;;AU)", UserToken(), 1, Granted},
		{"D:(A;;CC;;;AU)", GuestToken(), 1, Refused},
		{"D:(A;;CC;;;BG)", GuestToken(), 1, Granted},
		{"D:(A;;CC;;;S-1-5-21-1-2-3-501)", GuestToken(), 1, Granted},
		{"D:(A;;CC;;;AN)", AnonymousToken(false), 3, Refused},
		{"D:(A;;CC;;;AN)(A;;DC;;;NU)", AnonymousToken(false), 3, Granted},
		{"D:(D;;CC;;;AN)(A;;CC;;;WD)", AnonymousToken(true), 1, Refused},
		{"D:(A;;CC;;;WD)(D;;CC;;;AN)", AnonymousToken(true), 1, Granted},
		{"D:(A;IO;CC;;;AN)", AnonymousToken(false), 1, Refused},
		{"O:BA", AnonymousToken(false), 1, Granted},
		{"D:", AnonymousToken(false), 1, Refused},
		{"O:AND:", AnonymousToken(false), ReadControl, Granted},
		{"O:AND:(A;;CC;;;OW)", AnonymousToken(false), ReadControl, Refused},
		{"D:(A;;GR;;;AN)", AnonymousToken(false), 0x20089, Granted},
		{"D:(XA;;CC;;;AN;(x))", AnonymousToken(false), 1, Depends},
		{"D:(XA;;CC;;;AN;(x))(A;;CC;;;AN)", AnonymousToken(false), 1, Granted},
		{"D:(XD;;CC;;;AN;(x))(A;;CC;;;AN)", AnonymousToken(false), 1, Depends},
		{"D:(XA;;CC;;;AN;(x))(D;;CC;;;AN)", AnonymousToken(false), 1, Depends},
		{"D:(XD;;CC;;;AN;(x))", AnonymousToken(false), 1, Refused},
	} {
		if got := parse(t, c.sd).Check(c.token, c.mask, FileRights); got != c.want {
			t.Errorf("%s, %v, %#x: %v, want %v", c.sd, c.token, c.mask, got, c.want)
		}
	}
	if !parse(t, "D:(A;;CCRC;;;AN)").Grants(Anonymous, 1) || parse(t, "D:(A;;CCRC;;;AN)").Grants(Everyone, 1) {
		t.Error("Grants")
	}
}

var (
	genSID = rapid.SampledFrom([]string{
		"BA", "SY", "AU", "AN", "WD", "BU", "IU", "SU", "LS", "NS", "RD", "BG", "RU",
		"S-1-5-21-1-2-3-1000", "S-1-16-4096", "S-1-0-0", "CO", "OW", "NU", "PU",
	})
	genFlags = rapid.SampledFrom([]string{"", "OI", "CI", "OICI", "OICIIO", "NP", "ID"})
	genMask  = rapid.SampledFrom([]string{
		"RC", "CC", "CCDCLC", "GA", "GR", "FA", "KA", "0x1", "0x120089", "WDWO",
		"SDRC", "CR", "0x2000000",
	})
)

func genText(t *rapid.T) string {
	var b strings.Builder
	if rapid.Bool().Draw(t, "owner") {
		b.WriteString("O:" + genSID.Draw(t, "sid"))
	}
	if rapid.Bool().Draw(t, "group") {
		b.WriteString("G:" + genSID.Draw(t, "sid"))
	}
	b.WriteString("D:" + rapid.SampledFrom([]string{"", "P", "AI", "PAI"}).Draw(t, "acl"))
	for range rapid.IntRange(0, 5).Draw(t, "n") {
		kind, object := rapid.SampledFrom([]string{"A", "D"}).Draw(t, "type"), ""
		if rapid.IntRange(0, 4).Draw(t, "object") == 0 {
			kind, object = "O"+kind, "bf967a86-0de6-11d0-a285-00aa003049e2"
		}
		b.WriteString("(" + kind + ";" + genFlags.Draw(t, "flags") + ";" + genMask.Draw(t, "mask") + ";" + object +
			";;" + genSID.Draw(t, "sid") + ")")
	}
	return b.String()
}

func TestRoundTrips(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := genText(t)
		d, err := Parse(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		again, err := Parse(d.String())
		if err != nil || again.String() != d.String() {
			t.Fatalf("%s: %s, %v", text, again, err)
		}
		b, err := d.Binary()
		if err != nil {
			t.Fatal(err)
		}
		bin, err := ParseBinary(b)
		if err != nil || bin.String() != d.String() {
			t.Fatalf("%s: %s, %v", text, bin, err)
		}
		if b2, err := bin.Binary(); err != nil || !bytes.Equal(b, b2) {
			t.Fatalf("%x\n%x, %v", b, b2, err)
		}
	})
	if _, err := parse(t, "O:DA").Binary(); err == nil {
		t.Error("an unknown domain has bytes")
	}
}

// samba reads SDDL lines and answers each with Samba's bytes and text.
const samba = `
import sys
from samba.dcerpc import security
from samba.ndr import ndr_pack
dom = security.dom_sid("S-1-5-21-7-8-9")
for line in sys.stdin:
    d = security.descriptor.from_sddl(line.rstrip("\n"), dom)
    print(ndr_pack(d).hex(), d.as_sddl(dom))
`

// TestAgreesWithSamba builds descriptors from text in both programs, and each reads the other's bytes.
func TestAgreesWithSamba(t *testing.T) {
	const python = "/usr/bin/python3"
	if err := exec.Command(python, "-c", "import samba.dcerpc.security").Run(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("Samba's Python modules are missing")
		}
		t.Skipf("Samba's Python modules are not installed: nothing to compare with (%v)", err)
	}
	gen := rapid.Custom(genText)
	var texts []string
	for i := range 500 {
		// Samba 4.17 does not know the letters KA, and reads FA as 0x1ff where [MS-DTYP] 2.5.1.1 has 0x1f01ff.
		texts = append(texts, strings.NewReplacer(";KA;", ";0xf003f;", ";FA;", ";0x1f01ff;").Replace(gen.Example(i)))
	}
	cmd := exec.Command(python, "-c", samba)
	cmd.Stdin = strings.NewReader(strings.Join(texts, "\n") + "\n")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) != len(texts) {
		t.Fatalf("%d answers to %d texts", len(lines), len(texts))
	}
	for i, line := range lines {
		h, text, _ := strings.Cut(line, " ")
		raw, err := hex.DecodeString(h)
		if err != nil {
			t.Fatal(err)
		}
		theirs, err := ParseBinary(raw)
		if err != nil {
			t.Fatalf("%s: %v", texts[i], err)
		}
		if ours := parse(t, texts[i]); !Same(ours, theirs) || !Same(ours, parse(t, text)) {
			t.Errorf("%s:\nhere  %s\nbytes %s\ntext  %s", texts[i], ours, theirs, text)
		}
	}
}

// TestRealDescriptors reads the server's second layer, LanmanServer\DefaultSecurity, from real hives.
func TestRealDescriptors(t *testing.T) {
	for _, name := range []string{"SYSTEM", "SYSTEM_B", "SYSTEM_WIN_10_1709"} {
		h, err := hive.OpenFile(filepath.Join("..", "..", "..", "..", "shared", "hives", name+".xz"))
		if err != nil {
			t.Skipf("the real hives are not present: %v", err)
		}
		defer h.Close()
		k, err := h.Key(`CurrentControlSet\Services\LanmanServer\DefaultSecurity`)
		if err != nil {
			t.Fatal(err)
		}
		vs, err := k.Values()
		if err != nil {
			t.Fatal(err)
		}
		n, anonymous := 0, 0
		for _, v := range vs {
			if v.Type != registry.Binary {
				continue
			}
			d, err := ParseBinary(v.Data)
			if err != nil {
				t.Errorf("%s: %v", v.Name, err)
				continue
			}
			n++
			if d.Grants(Anonymous, 1) {
				anonymous++
			}
			b, err := d.Binary()
			if err != nil {
				t.Fatal(err)
			}
			if again, err := ParseBinary(b); err != nil || !Same(d, again) ||
				again.String() != parse(t, d.String()).String() {
				t.Errorf("%s: %s became %s, %v", v.Name, d, again, err)
			}
		}
		if n != 13 || anonymous != 5 {
			t.Errorf("%s: %d descriptors, %d grant anonymous", name, n, anonymous)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("O:BAG:BAD:PAI(A;OICI;RC;;;BA)S:(AU;SA;WD;;;WD)")
	f.Add("D:(XA;;FX;;;WD;(@User.Title==\"a\"))")
	f.Fuzz(func(t *testing.T, s string) {
		d, err := Parse(s)
		if err != nil {
			return
		}
		again, err := Parse(d.String())
		if err != nil || !Same(d, again) {
			t.Fatalf("%q became %q: %v", s, d, err)
		}
		d.Check(AnonymousToken(true), 1, FileRights)
		_, _ = d.Binary()
	})
}

func FuzzParseBinary(f *testing.F) {
	b, err := parse(f,
		"O:BAG:BAD:PAI(A;OICI;RC;;;BA)(OA;;RP;bf967a86-0de6-11d0-a285-00aa003049e2;;PS)S:(AU;SA;WD;;;WD)").Binary()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := ParseBinary(b)
		if err != nil {
			return
		}
		d.Check(GuestToken(), 1, KeyRights)
		w, err := d.Binary()
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseBinary(w)
		if err != nil || !Same(d, again) {
			t.Fatalf("%s became %s: %v", d, again, err)
		}
	})
}
