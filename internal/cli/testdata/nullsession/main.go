//go:build windows

// Command nullsession answers each line of its input with the registry's RestrictNullSessAccess as it is at that
// moment, or with why it cannot be read. A test's practice server asks it at each connection, which is too often to
// start Windows' own reg.
package main

import (
	"bufio"
	"fmt"
	"os"

	"golang.org/x/sys/windows/registry"
)

func main() {
	for asks := bufio.NewScanner(os.Stdin); asks.Scan(); {
		if value, err := read(); err != nil {
			fmt.Println(err)
		} else {
			fmt.Println(value)
		}
	}
}

func read() (uint64, error) {
	key, err := registry.OpenKey(registry.LOCAL_MACHINE, `SYSTEM\CurrentControlSet\Services\LanmanServer\Parameters`,
		registry.QUERY_VALUE)
	if err != nil {
		return 0, err
	}
	defer key.Close()
	value, _, err := key.GetIntegerValue("RestrictNullSessAccess")
	return value, err
}
