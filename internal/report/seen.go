package report

import (
	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
)

// gaveNothing is how a report describes a request that was answered with an empty list: not refused, but there was
// nothing to give, or nothing was shown.
const gaveNothing model.Outcome = "nothing"

// seenOf returns what a scan says about one kind of data; empty if it was not requested.
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
