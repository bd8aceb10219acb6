package handover

import (
	"encoding/csv"

	"ipcguard/internal/model"
)

// table writes rows whose cells no spreadsheet takes for formulas.
type table struct{ *csv.Writer }

func (t table) row(cells ...string) error {
	out := make([]string, len(cells))
	for i, c := range cells {
		out[i] = model.EscapeCell(c)
	}
	return t.Write(out)
}
