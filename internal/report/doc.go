// Package report turns results into what people and other programs read: text, JSON, JSON lines and CSV.
//
// The rules of the room: results come in one at a time and go out at once, so that a long run shows what it has and a
// run that is cut short keeps it. Every text that a peer chose (names, versions) passes Clean before a terminal and
// Cell before a spreadsheet. No report shows more than its document holds: names that were not asked for are not there
// to be printed.
package report
