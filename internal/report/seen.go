package report

import (
	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
)

// gaveNothing is how a report calls a question that was answered with an empty list: not refused, and nothing was there to
// give, or nothing was shown.
const gaveNothing model.Outcome = "nothing"

// seenOf is what a scan says about one kind of data; empty where it was not asked.
func seenOf(k *catalog.Catalog, s *model.Scan, r *model.IdentityResult, kind model.Disclosure) model.Outcome {
	seen := k.Seen(s, r, kind)
	switch {
	case seen.Empty:
		return gaveNothing
	case seen.Outcome == model.NotTested:
		return ""
	}
	return seen.Outcome
}
