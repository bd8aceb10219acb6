package cli

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"ipcguard/internal/audit"
	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
	"ipcguard/internal/plan"
	"ipcguard/internal/report"
)

const auditHelp = `Say what a configuration really does: every setting that governs IPC$, its value, and its effect on this product,
version and role; what anonymous users and guests may do because of it; and what to change. What neither the
configuration nor a document settles is "unknown".

audit changes nothing and starts no service, here or on a remote host. For local it runs commands that only read:
testparm, smbd -b and net conf list for Samba, secedit /export on Windows.

Sources:
  SYSTEM  SYSTEM.xz                an offline registry hive, with SOFTWARE, SAM and SECURITY beside it
  /mnt  /mnt/Windows               a mounted Windows volume
  FILE.reg                         a registry export
  GPO-BACKUP  SYSVOL/…/{GUID}      a group policy object, from a backup or SYSVOL; or GptTmpl.inf or registry.pol alone
  OUTPUT.txt                       the output of reg query, secedit /export, gpresult /x, LGPO /parse, auditpol,
                                   Get-SmbServerConfiguration or Get-SmbShare (text, JSON, CSV)
  smb.conf  ksmbd.conf             Samba's configuration, with the files that it includes
  local                            this machine: its registry, or its Samba as testparm sees it
  winreg://[USER@]HOST[:PORT]      a Windows host through its remote registry
  FOLDER                           every source in it

A value that is missing from a .reg file, a policy or a text is unknown, not absent, because these hold only part of a
machine. --merge applies them in the order given, the last one wins, and audits the result.

--scan FILE compares the configuration with a scan of the same host (json or jsonl of ipcguard scan). Where the two
disagree, one of them is old, a change waits for a restart, something else overrides the setting, or they are of
different hosts.

Credentials for winreg:// come from IPCGUARD_USER and IPCGUARD_PASSWORD, --credentials-file, --kerberos, or a prompt
(--user NAME, or USER@ before the host), as for scan. Without any, audit logs on as anonymous.
`

const auditExamples = `  ipcguard audit SYSTEM.xz --product win2019 --role domain-controller
  ipcguard audit /mnt/Windows
  ipcguard audit /etc/samba/smb.conf --scan scan.jsonl
  ipcguard audit domain-policy server-policy --merge --product win2022 --role member
  ipcguard audit policies/ --format html -o audit.html`

// auditFlags are the flags of audit.
type auditFlags struct {
	credentialFlags
	outputFlags
	product, role, from string
	scans               []string
	merge, verbose      bool
	unsignedSMB1        bool
	jobs                int
}

func (a *app) audit() *cobra.Command {
	f := &auditFlags{}
	c := &cobra.Command{
		Use:     "audit SOURCE…",
		Short:   "Say what a configuration really does",
		Long:    auditHelp,
		Example: auditExamples,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return hinted{usage("no sources named"), "ipcguard audit smb.conf, or ipcguard audit --help"}
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error { return a.runAudit(c.Context(), f, args) },
	}
	s := c.Flags()
	s.SortFlags = false
	s.StringVar(&f.product, "product", "",
		"the product, instead of what the source says: win2019, win10-22H2, samba, ksmbd, or a release: samba-4.13, "+
			"ksmbd-3.5.7 (of its tools) …")
	s.StringVar(&f.role, "role", "",
		"the role, instead of what the source says: workstation, member, standalone, domain-controller")
	s.StringSliceVar(&f.scans, "scan", nil, "compare with the scans of the same hosts in this file")
	s.BoolVar(&f.merge, "merge", false, "apply policies and .reg files in the order given, and audit the result")
	s.StringVar(&f.from, "from", "", "the address of the caller, for rules about addresses (hosts allow and deny)")
	s.IntVar(&f.jobs, "jobs", 0, "sources at a time; 0 is one for each processor")
	f.credentialFlags.register(s, "log on", " to winreg:// hosts")
	s.BoolVar(&f.unsignedSMB1, "allow-unsigned-smb1", false,
		"also read winreg:// hosts that speak SMB1 and do not sign (NT 4.0 to 2003); their answers can be forged on "+
			"the network")
	f.outputFlags.register(s, "results", report.AuditFormats())
	s.BoolVarP(&f.verbose, "verbose", "v", false, "show every setting and the reasons")
	return c
}

// auditOptions checks the flags.
func (a *app) auditOptions(f *auditFlags, sources []string) (audit.Options, error) {
	o := audit.Options{Product: f.product, Merge: f.merge, Jobs: f.jobs}
	if err := f.outputFlags.check(); err != nil {
		return o, err
	}
	if f.role == "dc" {
		f.role = string(model.DomainController)
	}
	if f.role != "" {
		if err := oneOf("--role", f.role, roles()); err != nil {
			return o, err
		}
		o.Role = model.Role(f.role)
	}
	c, err := catalog.Load()
	if err != nil {
		return o, err
	}
	o.Catalog = c
	if p, _ := c.ProductRelease(f.product); f.product != "" && p == nil {
		return o, hinted{
			usage("--product %q is not known", f.product),
			"try win2019, win2022, win10-22H2, samba, samba-4.13; ipcguard explain NAME finds others",
		}
	}
	if f.from != "" {
		if o.Client, err = netip.ParseAddr(f.from); err != nil {
			return o, usage("--from %q: want an address", f.from)
		}
	}
	for _, name := range f.scans {
		list, err := readScans(name)
		if err != nil {
			return o, err
		}
		o.Scans = append(o.Scans, list...)
	}
	if slices.ContainsFunc(sources, func(s string) bool { return strings.HasPrefix(s, "winreg://") }) {
		logon, err := a.credentials(&f.credentialFlags)
		if err != nil {
			return o, err
		}
		o.Pipes = &pipes{app: a, logon: logon, asked: map[string]logonMaker{}, unsignedSMB1: f.unsignedSMB1}
	}
	return o, nil
}

func (a *app) runAudit(ctx context.Context, f *auditFlags, sources []string) error {
	o, err := a.auditOptions(f, sources)
	if err != nil {
		return err
	}
	out, err := a.create(f.output)
	if err != nil {
		return err
	}
	style := report.Style{Color: f.output == "" && colorful(a.stdout), Verbose: f.verbose}
	var w auditWriter
	if slices.Contains(report.DocumentFormats(), f.format) {
		document, err := report.NewDocument(out, f.format, style)
		if err != nil {
			return err
		}
		document.PlanWith(pagePlan)
		for _, s := range o.Scans { // one page shows both
			document.AddScan(s)
		}
		w = documented{document}
	} else if w, err = report.NewAuditWriter(out, f.format, style); err != nil {
		return err
	}
	var sum auditSum
	var failures []error
	err = o.Run(ctx, sources, func(r audit.Result) error {
		if r.Err != nil {
			failures = append(failures, withSource(r))
		}
		for _, x := range r.Audits {
			sum.add(x)
			if err := w.Write(x); err != nil {
				return err
			}
		}
		return nil
	})
	if cerr := w.Close(); err == nil {
		err = cerr
	}
	if cerr := out.Close(); err == nil {
		err = cerr
	}
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("interrupted: %w", context.Canceled)
	}
	if err != nil {
		return err
	}
	return sum.outcome(a, failures)
}

// pagePlan returns the plan from which a page takes the changes that close most; nil if no plan can be made from the
// audit.
func pagePlan(x *model.Audit, scans []*model.Scan) *model.Plan {
	p, err := plan.Make(plan.Evidence{Audit: x, Scans: scans})
	if err != nil {
		return nil
	}
	return p
}

// auditWriter writes results.
type auditWriter interface {
	Write(*model.Audit) error
	Close() error
}

// documented writes audits into a document that may also contain scans.
type documented struct{ *report.Document }

// Write adds a result.
func (d documented) Write(x *model.Audit) error {
	d.AddAudit(x)
	return nil
}

// withSource names the source of an error, unless the error does.
func withSource(r audit.Result) error {
	if strings.Contains(r.Err.Error(), r.Source) {
		return r.Err
	}
	return fmt.Errorf("%s: %w", r.Source, r.Err)
}

// auditSum counts what determines the exit code.
type auditSum struct{ weak, unclear, all int }

func (s *auditSum) add(x *model.Audit) {
	s.all++
	switch report.AuditVerdict(x) {
	case "exposed", "weak":
		s.weak++
	case "unknown":
		s.unclear++
	}
}

// outcome maps results and failures to an exit code: a failed source makes the run partial, or failed if no source
// succeeded.
func (s *auditSum) outcome(a *app, failures []error) error {
	if s.all == 0 {
		return errors.Join(failures...)
	}
	for _, err := range failures {
		printLines(a.stderr, "error", err.Error())
	}
	switch {
	case s.weak > 0:
		return outcome{exitExposed}
	case s.unclear > 0 || len(failures) > 0:
		return outcome{exitPartial}
	}
	return nil
}
