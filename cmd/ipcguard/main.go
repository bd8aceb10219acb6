// Command ipcguard answers and settles what a stranger can reach through IPC$.
package main

import (
	"os"

	"ipcguard/internal/cli"
)

func main() {
	os.Exit(cli.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
