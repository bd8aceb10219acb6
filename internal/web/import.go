package web

import (
	"io"
	"net/http"
	"strconv"

	"ipcguard/internal/fleet"
)

// importResults imports results of scan, audit or observe with --format json.
type importResults struct {
	Form   *form
	Kind   field
	Report *fleet.Imported
	Look   bool // nothing was imported: it is a preview
	Kept   keptFiles
}

var importKinds = []option{
	{Value: "scan", Label: "scan results"},
	{Value: "audit", Label: "audit results"},
	{Value: "observe", Label: "an observation"},
}

func importPage(v *visit) error {
	return v.showImport(importResults{Form: newForm(v.r.URL.Query())}, http.StatusOK)
}

func (v *visit) showImport(d importResults, status int) error {
	d.Kind, d.Look = d.Form.Choose("kind", "What it is", "", importKinds), v.looks()
	return v.renderStatus(status, "import", "Import results", d)
}

// mostFiles bounds the files of one import: a person selects a few dozen, and programs use the API.
const mostFiles = 200

// takeResults imports the results of one file or of several.
func takeResults(v *visit) error {
	f := newForm(nil)
	reader, err := v.r.MultipartReader()
	if err != nil {
		return problem{http.StatusBadRequest, "Choose a file."}
	}
	d := importResults{Form: f}
	for range mostFiles {
		file, err := nextFile(reader, f)
		if err != nil {
			return err
		}
		if file == nil {
			break
		}
		var report fleet.Imported
		if v.looks() {
			err = d.Kept.read(file, func(r io.Reader) (err error) {
				report, err = v.acts.PreviewResults(v.ctx(), v.who(), f.Get("kind"), r)
				return err
			})
		} else {
			report, err = v.acts.ImportResults(v.ctx(), v.who(), f.Get("kind"), file)
		}
		switch all := d.Report; {
		case f.refused(err):
			if all != nil { // the previous ones are kept, and reported
				f.Wrong["file"] = brief(file.name) + ": " + f.Wrong["file"]
			}
			return v.showImport(d, statusOf(err))
		case err != nil:
			return err
		case all == nil:
			d.Report = &report
		default:
			all.Results, all.Taken = all.Results+report.Results, all.Taken+report.Taken
			all.Hosts, all.Problems = append(all.Hosts, report.Hosts...), append(all.Problems, report.Problems...)
		}
	}
	if d.Report == nil {
		f.wrong("file", "Choose a file.")
		return v.showImport(d, http.StatusUnprocessableEntity)
	}
	if _, err := reader.NextPart(); err == nil {
		d.Report.Problems = append(d.Report.Problems, "Only the first "+strconv.Itoa(mostFiles)+" files were read.")
	}
	return v.showImport(d, http.StatusOK)
}

// takeJournal imports what was applied on one host: the output of history --format json there.
func takeJournal(v *visit) error {
	h, err := v.hostOf()
	if err != nil {
		return err
	}
	f := newForm(nil)
	file, err := v.upload(f)
	if err != nil {
		return err
	}
	if file == nil {
		f.Problem = "Choose a file."
		return v.showHost(h, f, http.StatusUnprocessableEntity)
	}
	switch err := v.acts.SaveJournal(v.ctx(), v.who(), h.ID, file); {
	case f.refused(err):
		f.Problem = f.first() // the field is in the middle of a long page
		return v.showHost(h, f, statusOf(err))
	case err != nil:
		return err
	}
	return v.done("/hosts/"+strconv.FormatInt(h.ID, 10)+"#journal", "The journal is kept.")
}
