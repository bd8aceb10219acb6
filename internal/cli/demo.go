package cli

import (
	"context"
	"fmt"
	"net/netip"
	"sync/atomic"

	"github.com/spf13/cobra"

	"ipcguard/internal/model"
	"ipcguard/internal/report"
	"ipcguard/internal/scan"
	"ipcguard/internal/scan/targets"
	"ipcguard/internal/smbtest"
)

const demoHelp = `Show scan at work on a practice server: an SMB server inside this process, on a loopback address, with made-up names.
It is scanned as Samba with its defaults (exposed), then as the same server after "restrict anonymous = 2" (closed).

Nothing outside this process is touched, and nothing is left running. "make demo" does the same with a real Samba
server where one can be had.
`

func (a *app) demo() *cobra.Command {
	return &cobra.Command{
		Use:   "demo",
		Short: "Show it at work on a practice server inside this process",
		Long:  demoHelp,
		Args:  noArguments,
		RunE:  func(c *cobra.Command, _ []string) error { return a.runDemo(c.Context()) },
	}
}

func (a *app) runDemo(ctx context.Context) error {
	weak, err := smbtest.NewHost("samba", "PRACTICE1")
	if err != nil {
		return err
	}
	restricted, err := smbtest.NewHost("samba-2", "PRACTICE1")
	if err != nil {
		return err
	}
	var now atomic.Pointer[smbtest.Host]
	now.Store(weak)
	server, err := smbtest.StartMany("127.0.0.1:0", func(netip.Addr) *smbtest.Host { return now.Load() })
	if err != nil {
		return err
	}
	defer server.Close()
	fmt.Fprintf(a.stdout, "A practice server that behaves as Samba with its defaults, on %s:\n\n", server.Address())
	if err := a.demoScan(ctx, server.Address(), model.Exposed); err != nil {
		return err
	}
	now.Store(restricted)
	fmt.Fprint(a.stdout, "\nThe same server after \"restrict anonymous = 2\":\n\n")
	return a.demoScan(ctx, server.Address(), model.Closed)
}

// demoScan scans as the verb does, and fails where the verdict is another than the demo promises.
func (a *app) demoScan(ctx context.Context, address string, want model.Verdict) error {
	list, err := targets.Parse(ctx, []string{address}, targets.Options{})
	if err != nil {
		return err
	}
	scanner, err := scan.New(scan.Options{})
	if err != nil {
		return err
	}
	fmt.Fprintf(a.stdout, "$ ipcguard scan %s\n", address)
	w, err := report.NewScanWriter(a.stdout, "text", report.Style{Color: colorful(a.stdout)})
	if err != nil {
		return err
	}
	got := model.Verdict("")
	err = scanner.Run(ctx, list, &scan.Tally{}, func(r *model.Scan) error {
		got = r.Verdict
		return w.Write(r)
	})
	if cerr := w.Close(); err == nil {
		err = cerr
	}
	if err == nil && got != want {
		err = fmt.Errorf("the practice server is %s, the demo expects %s", got, want)
	}
	return err
}
