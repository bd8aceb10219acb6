package web

import (
	"errors"
	"io"
	"mime/multipart"
	"net/http"

	"ipcguard/internal/fleet"
	"ipcguard/internal/store"
)

// targetImport brings a CSV file of targets, and says what became of each row that could not be taken.
type targetImport struct {
	Form   *form
	Report *fleet.ImportReport
}

func targetImportPage(v *visit) error {
	return v.render("targetimport", "Bring targets", targetImport{Form: newForm(nil)})
}

// upload opens the file of a form without keeping it in memory: parts come as they arrive. Fields before the file are
// read into the form.
func (v *visit) upload(f *form) (*multipart.Part, error) {
	reader, err := v.r.MultipartReader()
	if err != nil {
		return nil, problem{http.StatusBadRequest, "Choose a file."}
	}
	for range 20 { // a form has few fields
		part, err := reader.NextPart()
		if err != nil {
			break
		}
		if part.FileName() != "" {
			return part, nil
		}
		b, err := io.ReadAll(io.LimitReader(part, maxNote))
		if err != nil {
			return nil, err
		}
		f.Set(part.FormName(), string(b))
	}
	f.wrong("file", "Choose a file.")
	return nil, nil
}

func importTargets(v *visit) error {
	f := newForm(nil)
	file, err := v.upload(f)
	if err != nil {
		return err
	}
	if file == nil {
		return v.renderStatus(http.StatusUnprocessableEntity, "targetimport", "Bring targets", targetImport{Form: f})
	}
	report, err := v.fleet.ImportTargets(v.ctx(), file, v.user.Name, v.may(store.RoleAdmin))
	if report.Added+report.Updated > 0 {
		v.act("target.import", plural(report.Added+report.Updated, "target", "targets"), plural(report.Bad, "bad row", "bad rows"))
	}
	if err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) || errors.Is(err, store.ErrUnavailable) || errors.Is(err, store.ErrFull) {
			return err
		}
		f.wrong("file", plainError(err))
		return v.renderStatus(http.StatusUnprocessableEntity, "targetimport", "Bring targets", targetImport{Form: f})
	}
	return v.render("targetimport", "Bring targets", targetImport{Form: f, Report: &report})
}

// exportTargets writes all targets as CSV, as they can be brought again.
func exportTargets(v *visit) error {
	v.w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	v.w.Header().Set("Content-Disposition", `attachment; filename="ipcguard-targets.csv"`)
	return v.fleet.ExportTargets(v.ctx(), v.w)
}
