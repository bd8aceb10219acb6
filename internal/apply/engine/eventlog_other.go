//go:build !windows

package engine

// report has nobody to tell here.
func report(Record) error { return nil }
