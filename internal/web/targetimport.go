package web

import (
	"io"
	"mime/multipart"
	"net/http"

	"ipcguard/internal/fleet"
)

// targetImport takes a CSV file of targets, and says what became of each row that could not be taken.
type targetImport struct {
	Form   *form
	Report *fleet.ImportReport
	Look   bool // nothing was kept: it is a preview
}

// looks tells whether a file is only to be looked at.
func (v *visit) looks() bool { return v.r.URL.Query().Get("look") != "" }

func targetImportPage(v *visit) error {
	return v.render("targetimport", "Import targets", targetImport{Form: newForm(nil)})
}

// upload opens the file of a form without keeping it in memory: parts come as they arrive. Fields before the file are
// read into the form.
func (v *visit) upload(f *form) (*multipart.Part, error) {
	reader, err := v.r.MultipartReader()
	if err != nil {
		return nil, problem{http.StatusBadRequest, "Choose a file."}
	}
	part, err := nextFile(reader, f)
	if part == nil && err == nil {
		f.wrong("file", "Choose a file.")
	}
	return part, err
}

// mostFields bounds the fields before a file: a form has few.
const mostFields = 20

// nextFile is the next file of a form, or nil; the fields before it are read into the form.
func nextFile(reader *multipart.Reader, f *form) (*multipart.Part, error) {
	for range mostFields {
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
	return nil, nil
}

func importTargets(v *visit) error {
	f := newForm(nil)
	file, err := v.upload(f)
	if err != nil {
		return err
	}
	if file == nil {
		return v.renderStatus(http.StatusUnprocessableEntity, "targetimport", "Import targets", targetImport{Form: f})
	}
	take := v.acts.ImportTargets
	if v.looks() {
		take = v.acts.PreviewTargets
	}
	report, err := take(v.ctx(), v.who(), file)
	switch {
	case f.refused(err):
		return v.renderStatus(statusOf(err), "targetimport", "Import targets", targetImport{Form: f})
	case err != nil:
		return err
	}
	return v.render("targetimport", "Import targets", targetImport{Form: f, Report: &report, Look: v.looks()})
}
