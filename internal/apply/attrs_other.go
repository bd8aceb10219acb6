//go:build !linux

package apply

import "os"

func readAttrs(*os.File) (map[string][]byte, error) { return nil, nil }
func writeAttrs(*os.File, map[string][]byte) error  { return nil }
