package report

import (
	"encoding/json"
	"fmt"
	"io"

	"ipcguard/internal/model"
)

// WhatIf says who would be refused. It has the fields of the planning result, which this package does not import.
type WhatIf struct {
	Target    string
	Platform  model.Platform
	Changes   []model.Change
	Refused   Fate
	Possible  Fate
	Unjudged  Fate
	NotKnown  Fate
	Unchanged int
	Breaks    []model.Break
	Enough    bool
	Coverage  string
	Warnings  []string
}

// Fate is what becomes of some uses: their number, and sentences about them, in which those that are alike are joined.
type Fate struct {
	Uses int
	Tell []string
}

// WriteWhatIf writes the answer as text. width is as for WritePlan.
func WriteWhatIf(w io.Writer, a *WhatIf, style Style, width int) error {
	e := newPlanWriter(style, width)
	answer := WhatIfAnswer(a)
	e.wrap("", "  ", fmt.Sprintf("%s: %s: %s.", e.p.bold(answer.Of), answer.Word, answer.Says))
	e.text(2, 0, platformLine(a.Platform))
	for _, g := range []struct {
		head string
		fate Fate
	}{
		{"Would be refused", a.Refused},
		{"May be refused", a.Possible},
		{"Not known who it was; refused if it was a stranger", a.Unjudged},
		{"What becomes of these is not known", a.NotKnown},
	} {
		e.items(g.head, cleaned(g.fate.Tell))
	}
	e.b.WriteByte('\n')
	if n := a.Unchanged; n > 0 {
		e.text(2, 2, fmt.Sprintf("%d observed %s.", n, plural(n, "use goes on as before", "uses go on as before")))
	}
	word := "Silence counts: "
	if !a.Enough {
		word = "Silence does not count: "
	}
	e.text(2, 2, word+Clean(a.Coverage)+".")
	if len(a.Breaks) > 0 {
		e.head("Documents say beside that")
		for _, b := range a.Breaks {
			e.item(fmt.Sprintf("%s: %s: %s", b.Certainty, Clean(b.Who), Clean(b.What)))
		}
	}
	e.items("Warnings", cleaned(a.Warnings))
	return e.p.write(w, e.b.String())
}

// WriteJSON writes any document, indented.
func WriteJSON(w io.Writer, v any) error {
	e := json.NewEncoder(model.JSONWriter{Writer: w})
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}
