package audit

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"ipcguard/internal/format/inf"
	"ipcguard/internal/format/regpol"
	"ipcguard/internal/model"
)

// FuzzSource audits any bytes as any kind of file: it must end, without a panic, in an error or in a result that can be
// encoded.
func FuzzSource(f *testing.F) {
	template := inf.New()
	template.Set("System Access", "EnableGuestAccount", "1")
	template.Set("Service General Setting", `"LanmanServer"`, `4,""`)
	pol, err := regpol.Bytes([]regpol.Instruction{
		regpol.Set(dword(`SYSTEM\CurrentControlSet\Control\Lsa`, "RestrictAnonymous", 2)),
	})
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{
		"[global]\nrestrict anonymous = 2\nserver role = dc\n[IPC$]\nhosts allow = 10. EXCEPT 10.1.\nvalid users = @x %U\n[s]\nguest ok=yes\ncopy = IPC$\n",
		"[global]\nserver smb encrypt = maybe\nrestrict anonymous = 99999999999999999999\nguest account =\n[IPC$]\ninvalid users = \"\" , +\n",
		"Windows Registry Editor Version 5.00\r\n\r\n[HKEY_LOCAL_MACHINE\\SYSTEM\\ControlSet001\\Control\\Lsa]\r\n\"RestrictAnonymous\"=dword:2\r\n\"RestrictRemoteSAM\"=\"O:D:(\"\r\n[-HKLM\\SYSTEM]\r\n",
		"REGEDIT4\r\n\r\n[HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Services\\LanmanServer\\Parameters]\r\n\"NullSessionPipes\"=hex(7):61,00,62\r\n\"SMB1\"=hex(b):01\r\n",
		"[HKLM\\SYSTEM\\CurrentControlSet\\Services\\LanmanServer\\DefaultSecurity]\n\"SrvsvcShareConnect\"=hex:01,00,04,80\n",
		string(template.Bytes()), string(pol), "regf", "\x00\x00\x00\x00",
	} {
		f.Add([]byte(seed), byte(0))
		f.Add([]byte(seed), byte(1))
	}
	names := []string{"smb.conf", "x.reg", "GptTmpl.inf", "registry.pol", "SYSTEM", "ksmbd.conf"}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, b []byte, name byte) {
		path := filepath.Join(dir, names[int(name)%len(names)])
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		list, err := Options{Product: "win2019", Role: model.Member}.Source(t.Context(), path)
		if err != nil {
			return
		}
		for _, a := range list {
			if _, err := json.Marshal(a); err != nil {
				t.Errorf("a result that cannot be written: %v", err)
			}
		}
	})
}
