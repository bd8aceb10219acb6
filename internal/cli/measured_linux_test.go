package cli

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"
)

// measured FILE PROGRAM ARGUMENT… runs a program, writes the most memory that it had, in bytes, into FILE, and ends as
// the program does. Linux counts for a process what its parent had when it started it, too: the tests' own process has
// far more than the program, and this one has less.
func measured() {
	cmd := exec.Command(os.Args[2], os.Args[3:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	err := cmd.Run()
	if cmd.ProcessState == nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(exitFailed)
	}
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if ok {
		err = os.WriteFile(os.Args[1], strconv.AppendInt(nil, usage.Maxrss<<10, 10), 0o600)
	}
	if !ok || err != nil {
		fmt.Fprintln(os.Stderr, "measured:", err)
		os.Exit(exitFailed)
	}
	os.Exit(cmd.ProcessState.ExitCode())
}
