package lgpo

import (
	"slices"
	"strings"
	"testing"

	"ipcguard/internal/format/registry"
	"ipcguard/internal/format/regpol"
)

const sample = "; ----------------------------------------------------------------------\r\n; PARSING Computer " +
	"POLICY\r\n; Source file:  Machine\\Registry.pol\r\n\r\n" +
	"Computer\r\nSYSTEM\\CurrentControlSet\\Control\\Lsa\r\nRestrictAnonymous\r\nDWORD:1\r\n\r\n" +
	"Computer\r\nSYSTEM\\CurrentControlSet\\Control\\Lsa\r\nRestrictAnonymousSAM\r\nDELETE\r\n\r\n" +
	"Computer\r\nSYSTEM\\CurrentControlSet\\Services\\LanmanServer\\Parameters\r\nNullSessionPipes\r\nMULTISZ:netlogon\\0samr\r\n\r\n" +
	"Computer\r\nSOFTWARE\\Policies\\X\r\n*\r\nDELETEALLVALUES\r\n\r\n" +
	"User\r\nSoftware\\Policies\\X\r\nA\r\nSZ:text\r\n\r\n" +
	"Computer\r\nSOFTWARE\\Policies\\X\r\nB\r\nEXSZ:%TEMP%\r\n\r\n" +
	"Computer\r\nSOFTWARE\\Policies\\X\r\nC\r\nBINARY:01 02\r\n\r\n" +
	"Computer\r\nSOFTWARE\\Policies\\X\r\nD\r\nQWORD:0x100000000\r\n\r\n; PARSING COMPLETED.\r\n"

func TestParse(t *testing.T) {
	ins, user, err := Parse(sample)
	if err != nil || len(ins) != 7 || user != 1 || !Is(sample) {
		t.Fatalf("%d instructions, %d of users, %v", len(ins), user, err)
	}
	tree := &registry.Tree{}
	regpol.Apply(tree, "HKLM", ins)
	for key, want := range map[string]string{
		`Control\Lsa`:                      "RestrictAnonymous",
		`Services\LanmanServer\Parameters`: "NullSessionPipes",
	} {
		v, err := tree.Value(`HKLM\SYSTEM\CurrentControlSet\`+key, want)
		if err != nil {
			t.Error(err)
			continue
		}
		if list, _ := v.Strings(); want == "NullSessionPipes" && !slices.Equal(list, []string{"netlogon", "samr"}) {
			t.Errorf("%q", list)
		}
	}
	if ins[1].Kind != regpol.DeleteValue || ins[3].Kind != regpol.DeleteAll {
		t.Errorf("%+v", ins)
	}
}

func TestErrors(t *testing.T) {
	for text, part := range map[string]string{
		"Computer\nK\nV\nDWORD:x\n":    "line 1: \"x\" is no 32-bit number",
		"\nMachine\nK\nV\nDWORD:1\n":   "line 2: \"Machine\" is neither",
		"Computer\nK\nV\n":             "four lines",
		"Computer\nK\nV\nBINARY:0\n":   "no bytes",
		"Computer\nK\nV\nQWORD:-1\n":   "64-bit",
		"Computer\nK\nV\nSOMETHING:\n": "nothing that LGPO does",
	} {
		if _, _, err := Parse(text); err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%q: %v, want %q", text, err, part)
		}
	}
	for text, want := range map[string]bool{
		"Computer\nSOFTWARE\\X\n": true, "User:Administrators\nSOFTWARE\\X\n": true,
		"; PARSING Computer POLICY\n": true,
		"":                            false, "Computer\nis broken\n": false, "; nothing\n": false, "[global]\n": false,
	} {
		if Is(text) != want {
			t.Errorf("%q: %v", text, !want)
		}
	}
	if _, _, err := Parse(strings.Repeat("x\n", 4000)); err == nil || strings.Count(err.Error(), "\n") != maxErrors-1 {
		t.Errorf("%v", err)
	}
	if ins, _, err := Parse(strings.Repeat("Computer\nK\nV\nDELETE\n", maxInstructions+1)); len(
		ins) != maxInstructions || err == nil {
		t.Errorf("%d instructions, %v", len(ins), err)
	}
}

// FuzzParse: parsed instructions can be written as a registry.pol.
func FuzzParse(f *testing.F) {
	f.Add(sample)
	f.Add("Computer\nK\n*\nDELETEALLVALUES\nComputer\nK\nV\nMULTISZ:\\0a\n")
	f.Fuzz(func(t *testing.T, text string) {
		ins, _, _ := Parse(text)
		if strings.ContainsRune(text, 0) {
			return // no name holds one
		}
		if _, err := regpol.Bytes(ins); err != nil {
			t.Fatal(err)
		}
	})
}
