package cli

import (
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ipcguard/internal/audit"
	"ipcguard/internal/model"
	"ipcguard/internal/scan"
	"ipcguard/internal/scan/targets"
	"ipcguard/internal/smbtest"
)

// TestLostAnswerInJoin: a configuration that is held against a scan with a lost answer has no difference that the whole
// scan does not show.
func TestLostAnswerInJoin(t *testing.T) {
	t.Parallel()
	host, err := smbtest.NewHost("samba", "PRACTICE1")
	if err != nil {
		t.Fatal(err)
	}
	s, err := smbtest.Start("127.53.9.1:0", host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	step := 7
	if os.Getenv("IPCGUARD_LONG") != "" {
		step = 1
	}
	file := filepath.Join(t.TempDir(), "smb.conf")
	if err := os.WriteFile(file, []byte("[global]\nnetbios name = PRACTICE1\nrestrict anonymous = 2\n"),
		0o600); err != nil {
		t.Fatal(err)
	}
	joined := func(w *smbtest.Wire) map[string]bool {
		t.Helper()
		scanner, err := scan.New(scan.Options{OneConnection: true, Dial: w.Dial})
		if err != nil {
			t.Fatal(err)
		}
		seen := scanner.Host(t.Context(), targets.Target{Name: "srv", Addr: netip.MustParseAddrPort(s.Address())})
		out := map[string]bool{}
		o := &audit.Options{Scans: []*model.Scan{seen}}
		err = o.Run(t.Context(), []string{file}, func(r audit.Result) error {
			for _, a := range r.Audits {
				for _, f := range a.Findings {
					if f.ID != "observed-differs" && f.ID != "open-despite-configuration" {
						continue
					}
					if len(f.Looks) == 0 {
						t.Errorf("%s without a look", f.ID)
					}
					for _, l := range f.Looks {
						out[string(f.Identity)+" "+l.Asked+": "+strings.Fields(l.Answer)[0]] = true
					}
				}
			}
			return r.Err
		})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	whole := &smbtest.Wire{}
	said := joined(whole)
	if len(said) == 0 {
		t.Fatal("an open server differs in nothing from a configuration that closes it")
	}
	fewer := 0
	for _, how := range []error{io.EOF, os.ErrDeadlineExceeded} {
		for n := 1; n <= whole.Count(); n += step {
			now := joined(&smbtest.Wire{Lose: n, With: how})
			for what := range now {
				if !said[what] {
					t.Errorf("without answer %d of %d (%v): %s, which the whole scan does not show", n, whole.Count(),
						how, what)
				}
			}
			if len(now) < len(said) {
				fewer++
			}
		}
	}
	if fewer == 0 {
		t.Error("no answer was lost that a difference stood on")
	}
}
