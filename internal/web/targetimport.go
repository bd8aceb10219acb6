package web

import (
	"io"
	"net/http"

	"ipcguard/internal/fleet"
)

// targetImport imports a CSV file of targets, and reports each row that was refused.
type targetImport struct {
	Form   *form
	Report *fleet.ImportReport
	Look   bool // nothing was imported: it is a preview
	Kept   keptFiles
}

func targetImportPage(v *visit) error {
	return v.render("targetimport", "Import targets", targetImport{Form: newForm(nil)})
}

func importTargets(v *visit) error {
	f := newForm(nil)
	file, err := v.upload(f)
	if err != nil {
		return err
	}
	show := func(status int, d targetImport) error {
		return v.renderStatus(status, "targetimport", "Import targets", d)
	}
	if file == nil {
		return show(http.StatusUnprocessableEntity, targetImport{Form: f})
	}
	d := targetImport{Form: f, Report: &fleet.ImportReport{}, Look: v.looks()}
	if d.Look {
		err = d.Kept.read(file, func(r io.Reader) (err error) {
			*d.Report, err = v.acts.PreviewTargets(v.ctx(), v.who(), r)
			return err
		})
	} else {
		*d.Report, err = v.acts.ImportTargets(v.ctx(), v.who(), file)
	}
	switch {
	case f.refused(err):
		return show(statusOf(err), targetImport{Form: f})
	case err != nil:
		return err
	}
	return show(http.StatusOK, d)
}
