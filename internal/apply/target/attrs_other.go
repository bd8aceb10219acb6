//go:build !linux

package target

import "os"

func readAttrs(*os.File) (map[string][]byte, error) { return nil, nil }
func writeAttrs(*os.File, map[string][]byte) error  { return nil }
