// Package report writes results for people and other programs: text, JSON, JSON lines and CSV.
//
// The rules of the package: results come in one at a time and are written at once, so that a long run shows progress
// and an interrupted run keeps its results. Every text that a peer chose (names, versions) passes Clean before a
// terminal and Cell before a spreadsheet. No report shows more than its document holds, so names that were not
// requested cannot be printed.
package report
