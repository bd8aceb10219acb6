package web

import (
	"net/http"
	"strconv"

	"ipcguard/internal/fleet"
)

// importResults takes what was made elsewhere: by scan, audit or observe with --format json.
type importResults struct {
	Form   *form
	Kind   field
	Report *fleet.Imported
	Look   bool // nothing was kept: it is a preview
}

var importKinds = []option{
	{Value: "scan", Label: "scan results"}, {Value: "audit", Label: "audit results"}, {Value: "observe", Label: "an observation"},
}

func importPage(v *visit) error { return v.showImport(newForm(v.r.URL.Query()), nil, http.StatusOK) }

func (v *visit) showImport(f *form, report *fleet.Imported, status int) error {
	return v.renderStatus(status, "import", "Import results", importResults{f, f.Choose("kind", "What it is", "", importKinds), report, v.looks()})
}

// mostFiles bounds the files of one import: a person picks those of a rack or two, and programs use the API.
const mostFiles = 200

// takeResults takes the results of one file or of several.
func takeResults(v *visit) error {
	f := newForm(nil)
	reader, err := v.r.MultipartReader()
	if err != nil {
		return problem{http.StatusBadRequest, "Choose a file."}
	}
	take := v.acts.ImportResults
	if v.looks() {
		take = v.acts.PreviewResults
	}
	var all *fleet.Imported
	for range mostFiles {
		file, err := nextFile(reader, f)
		if err != nil {
			return err
		}
		if file == nil {
			break
		}
		report, err := take(v.ctx(), v.who(), f.Get("kind"), file)
		switch {
		case f.refused(err):
			if all != nil { // those before it are kept, and said
				f.Wrong["file"] = brief(file.FileName()) + ": " + f.Wrong["file"]
			}
			return v.showImport(f, all, statusOf(err))
		case err != nil:
			return err
		case all == nil:
			all = &report
		default:
			all.Results, all.Taken = all.Results+report.Results, all.Taken+report.Taken
			all.Hosts, all.Problems = append(all.Hosts, report.Hosts...), append(all.Problems, report.Problems...)
		}
	}
	if all == nil {
		f.wrong("file", "Choose a file.")
		return v.showImport(f, nil, http.StatusUnprocessableEntity)
	}
	if _, err := reader.NextPart(); err == nil {
		all.Problems = append(all.Problems, "Only the first "+strconv.Itoa(mostFiles)+" files were read.")
	}
	return v.showImport(f, all, http.StatusOK)
}

// takeJournal takes what was applied on one host: the output of history --format json there.
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
