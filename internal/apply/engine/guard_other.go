//go:build !linux && !windows

package engine

import "context"

func guardService(context.Context, string, []string, *Journal) (string, error) { return "", nil }
func removeService(context.Context, string) error                              { return nil }
