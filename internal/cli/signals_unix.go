//go:build unix

package cli

import (
	"os"
	"syscall"
)

func stopSignals() []os.Signal { return []os.Signal{syscall.SIGTSTP, syscall.SIGTTOU, syscall.SIGTTIN} }

// reloadSignals make a running process read its files again.
func reloadSignals() []os.Signal { return []os.Signal{syscall.SIGHUP} }

// restartSignals make it pass its sockets to a new process.
func restartSignals() []os.Signal { return []os.Signal{syscall.SIGUSR2} }
