package auditpol

import (
	"errors"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	const g = "-69AE-11D9-BED3-505054503030}"
	head := "Machine Name,Policy Target,Subcategory,Subcategory GUID,Inclusion Setting,Exclusion Setting"
	for _, tt := range []struct {
		name, text string
		want       map[string]Setting
		unknown    int
		host       string
	}{
		{
			"text",
			"System audit policy\r\nCategory/Subcategory                      Setting\r\nObject Access\r\n  File " +
				"Share                              Success and Failure\r\n  Detailed File Share                    " +
				" No Auditing\r\n  Logon                                   Success\r\n",
			map[string]Setting{FileShare: Both, DetailedFileShare: NoAuditing, Logon: Success},
			0, "",
		},
		{
			"German text",
			"Systemüberwachungsrichtlinie\r\n  Dateifreigabe                           Erfolg und Fehler\r\n  " +
				"Detaillierte Dateifreigabe              Keine Überwachung\r\n  Anmelden                            " +
				"    Erfolg\r\n",
			map[string]Setting{FileShare: Both, DetailedFileShare: NoAuditing, Logon: Success},
			0, "",
		},
		{"French text", "  Partage de fichiers                     Succès et échec\r\n", map[string]Setting{}, 1, ""},
		{"table", head + "\r\nSRV1,System,File Share,{0CCE9224" + g + ",Failure,\r\nSRV1,System,Logoff,{0CCE9216" + g +
			",Success,\r\n", map[string]Setting{FileShare: Failure}, 0, "SRV1"},
		{
			"German table",
			"Computername,Richtlinienziel,Unterkategorie,GUID der " +
				"Unterkategorie,Einschlusseinstellung,Ausschlusseinstellung\nPC,System,Anmelden,{0CCE9215" + g +
				",Erfolg und Fehler,\n",
			map[string]Setting{Logon: Both},
			0, "PC",
		},
		{
			"French table", "a,b,c,d,e,f\nPC,Système,Partage de fichiers,{0CCE9224" + g + ",Succès,\n",
			map[string]Setting{},
			1, "PC",
		},
		{
			"numbers in any language",
			"a,b,c,d,e,f,g\n,Система,x,{0cce9244-69ae-11d9-bed3-505054503030},у,,2\n,x,y,{0cce9224-69ae-11d9-bed3-505054503030},z,,4\n",
			map[string]Setting{DetailedFileShare: Failure, FileShare: NoAuditing},
			0, "",
		},
		{
			"off by auditpol /backup", head + ",Setting Value\nA,System,File Share,{0CCE9224" + g + ",No Auditing,,0\n",
			map[string]Setting{FileShare: NoAuditing},
			0, "A",
		},
		{"not configured by a policy", head + ",Setting Value\n,System,Audit File Share,{0CCE9224" + g +
			",Not Configured,,0\n", map[string]Setting{}, 1, ""},
	} {
		p, err := Parse(tt.text)
		if err != nil || len(p.Settings) != len(tt.want) || len(p.Unknown) != tt.unknown || p.Host != tt.host ||
			!Is(tt.text) {
			t.Errorf("%s: %+v, %v", tt.name, p, err)
			continue
		}
		for id, want := range tt.want {
			if got := p.Settings[id]; got != want {
				t.Errorf("%s: %s is %d, want %d", tt.name, id, got, want)
			}
		}
	}
	for _, text := range []string{"", "System audit policy\n", "File Share\n", "{0CCE9224" + g} {
		if p, err := Parse(text); !errors.Is(err, ErrNone) {
			t.Errorf("%q: %+v, %v", text, p, err)
		}
	}
	for _, text := range []string{
		strings.Repeat("x\n", maxLines+1),
		"{0CCE9224" + g + strings.Repeat("\na,b,c,d,e", maxLines+1),
	} {
		if _, err := Parse(text); err == nil || !strings.Contains(err.Error(), "more than 10000 lines") {
			t.Errorf("%v", err)
		}
	}
}

// FuzzParse: a parsed policy has valid settings, or lines that were not understood.
func FuzzParse(f *testing.F) {
	f.Add("  File Share     Success\n")
	f.Add("a,b,c,d,e,f,g\nA,System,File Share,{0CCE9224-69AE-11D9-BED3-505054503030},Success and Failure,,3\n")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := Parse(text)
		if err == nil && len(p.Settings)+len(p.Unknown) == 0 {
			t.Fatal("an empty policy")
		}
		for id, s := range p.Settings {
			if s < 0 || s > 3 {
				t.Fatalf("%s is %d", id, s)
			}
		}
	})
}
