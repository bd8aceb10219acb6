package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ipcguard/internal/export"
)

const exportHelp = `Write a plan as files, for hosts that are changed by other tools or people. Each form comes with an undo, which
restores the state before, types and absence included. export checks the plan's hash first, and changes no host.

Forms:
  reg         apply.reg and undo.reg
  powershell  apply.ps1 and undo.ps1; idempotent, with -WhatIf
  gpo         apply/ and undo/: policy backups to import in the policy console; samba/ in each is for samba-tool gpo restore
  ansible     apply.yml and undo.yml: tasks to include in a play
  smbconf     the edited smb.conf (--source), the original, and the difference in both directions

export leaves out what a form cannot express, says so, and exits with 4.

It looks at no host: the undo restores what the plan says was there before. If the plan comes from another machine,
--require-signature checks who made it.
`

// exportFlags are the flags of export.
type exportFlags struct{ form, folder, source, trusted string }

func (a *app) export() *cobra.Command {
	a = a.plainly()
	f := &exportFlags{}
	c := &cobra.Command{
		Use: "export PLAN --as FORM", Short: "Write a plan as files for other tools, with the undo", Long: exportHelp,
		Example: `  ipcguard export plan.json --as gpo -o policies
  ipcguard export plan.json --as smbconf --source /etc/samba/smb.conf -o out`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return hinted{usage("want one plan"), "ipcguard plan --audit FILE --format json -o plan.json makes one"}
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error { return a.runExport(f, args[0]) },
	}
	s := c.Flags()
	s.SortFlags = false
	s.StringVar(&f.form, "as", "", strings.Join(export.Forms(), ", "))
	s.StringVarP(&f.folder, "output", "o", ".", "the folder for the files; existing files are not overwritten")
	s.StringVar(&f.source, "source", "", "for smbconf: the smb.conf to copy and edit")
	s.Var((*fileName)(&f.trusted), "require-signature",
		"accept the plan only if it is signed with a key in this file of trusted keys")
	return c
}

func (a *app) runExport(f *exportFlags, name string) error {
	if f.form == "" {
		return hinted{usage("--as is missing"), "--as " + strings.Join(export.Forms(), ", ")}
	}
	if err := oneOf("--as", f.form, export.Forms()); err != nil {
		return err
	}
	p, _, err := readPlan(name)
	if err != nil {
		return err
	}
	if _, err := trustedSigner(p, f.trusted); err != nil {
		return err
	}
	r, err := export.Export(p, f.form, export.Options{Source: f.source, Time: time.Now()})
	switch {
	case errors.Is(err, export.ErrSource):
		return hinted{usageError{err}, "--source /etc/samba/smb.conf"}
	case err != nil:
		return err
	}
	for _, file := range r.Files { // if one of them exists, none is written
		path := filepath.Join(f.folder, filepath.FromSlash(file.Name))
		if _, err := os.Lstat(path); err == nil {
			return hinted{fmt.Errorf("%s is there already", path), "-o FOLDER writes elsewhere"}
		}
	}
	for _, file := range r.Files {
		path := filepath.Join(f.folder, filepath.FromSlash(file.Name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		if err := writeNew(path, file.Data); err != nil {
			return err
		}
		fmt.Fprintln(a.stdout, path)
	}
	for _, n := range r.Notes {
		a.hint("%s", n)
	}
	for _, l := range r.LeftOut {
		fmt.Fprintf(a.stderr, "ipcguard: left out: %s\n", l)
	}
	if len(r.LeftOut) > 0 {
		return outcome{exitPartial}
	}
	return nil
}

// writeNew writes a file that must not exist, readable only for its owner, because it contains a configuration.
func writeNew(path string, data []byte) error {
	w, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if _, err := w.Write(data); err != nil {
		return errors.Join(err, w.Close())
	}
	return w.Close()
}
