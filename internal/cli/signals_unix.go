//go:build unix

package cli

import (
	"os"
	"syscall"
)

func stopSignals() []os.Signal { return []os.Signal{syscall.SIGTSTP, syscall.SIGTTOU, syscall.SIGTTIN} }

// reloadSignals ask a process that runs on to read its files anew.
func reloadSignals() []os.Signal { return []os.Signal{syscall.SIGHUP} }

// restartSignals ask it to hand its sockets to a new process.
func restartSignals() []os.Signal { return []os.Signal{syscall.SIGUSR2} }
