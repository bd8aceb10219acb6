//go:build !windows

package transport

import "syscall"

// The system's words for what ends a connection.
var (
	connectionRefused = []error{syscall.ECONNREFUSED}
	connectionReset   = []error{syscall.ECONNRESET, syscall.EPIPE}
	hostUnreachable   = []error{syscall.EHOSTUNREACH}
	netUnreachable    = []error{syscall.ENETUNREACH}
	outOfFiles        = []error{syscall.EMFILE, syscall.ENFILE}
)
