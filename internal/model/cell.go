package model

import (
	"strings"
	"unicode"
)

// formulaSigns begin what a spreadsheet calculates instead of showing it, behind any blanks. The last four are the
// full-width forms, which a spreadsheet set to Japanese or Chinese takes for the others.
const formulaSigns = "=+-@|%＝＋－＠"

// isFormula reports whether a spreadsheet may calculate a cell. Some skip a tab or a carriage return at its beginning.
func isFormula(cell string) bool {
	if cell != "" && (cell[0] == '\t' || cell[0] == '\r') {
		return true
	}
	for _, r := range strings.TrimLeftFunc(cell, unicode.IsSpace) {
		return strings.ContainsRune(formulaSigns, r)
	}
	return false
}

// EscapeCell puts an apostrophe before a cell of a table that a spreadsheet would take for a formula, and before one
// that already looks escaped, so that UnescapeCell always returns the original.
func EscapeCell(cell string) string {
	if isFormula(strings.TrimLeft(cell, "'")) {
		return "'" + cell
	}
	return cell
}

// UnescapeCell removes the apostrophe of EscapeCell.
func UnescapeCell(cell string) string {
	if rest, ok := strings.CutPrefix(cell, "'"); ok && isFormula(strings.TrimLeft(rest, "'")) {
		return rest
	}
	return cell
}
