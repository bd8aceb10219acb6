package web

import (
	"errors"
	"io"
	"net/http"
	"strconv"

	"ipcguard/internal/fleet"
	"ipcguard/internal/store"
)

// importResults brings what was made elsewhere: by scan, audit or observe with --format json.
type importResults struct {
	Form   *form
	Kind   field
	Report *fleet.Imported
}

var importKinds = []option{
	{Value: "scan", Label: "scan results"}, {Value: "audit", Label: "audit results"}, {Value: "observe", Label: "an observation"},
}

func importPage(v *visit) error { return v.showImport(newForm(v.r.URL.Query()), nil, http.StatusOK) }

func (v *visit) showImport(f *form, report *fleet.Imported, status int) error {
	return v.renderStatus(status, "import", "Bring results", importResults{f, f.Choose("kind", "What it is", "", importKinds), report})
}

func takeResults(v *visit) error {
	f := newForm(nil)
	file, err := v.upload(f)
	if err != nil {
		return err
	}
	if file != nil {
		kind := f.choice("kind", "scan", "audit", "observe")
		if f.ok() {
			report, err := v.fleet.Import(v.ctx(), v.user.Name, kind, file)
			var tooLarge *http.MaxBytesError
			switch {
			case err == nil:
				v.act("result.import", plural(report.Taken, "result", "results"), kind)
				return v.showImport(f, &report, http.StatusOK)
			case errors.As(err, &tooLarge), errors.Is(err, store.ErrUnavailable), errors.Is(err, store.ErrFull):
				return err
			}
			f.wrong("file", plainError(err))
		}
	}
	return v.showImport(f, nil, http.StatusUnprocessableEntity)
}

// takeJournal brings what was applied on one host: the output of history --format json there.
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
	if file != nil {
		b, err := io.ReadAll(io.LimitReader(file, maxJournal+1))
		if err != nil {
			return err
		}
		switch applies, err := readJournal(b); {
		case len(b) > maxJournal:
			f.Problem = "This is longer than a journal is."
		case err != nil || len(applies) == 0:
			f.Problem = "This is not what ipcguard history --format json writes."
		default:
			if err := v.store.SaveDocument(v.ctx(), h.ID, "journal", v.now(), b); err != nil {
				return err
			}
			v.act("result.import", brief(h.Name), "journal")
			return v.done("/hosts/"+strconv.FormatInt(h.ID, 10)+"#journal", "The journal is kept.")
		}
	} else {
		f.Problem = "Choose a file."
	}
	return v.showHost(h, f, http.StatusUnprocessableEntity)
}

// maxJournal bounds a journal as JSON: a hundred applies with a smb.conf in each.
const maxJournal = 8 << 20
