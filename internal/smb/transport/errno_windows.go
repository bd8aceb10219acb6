package transport

import "syscall"

// The system's words for what ends a connection: those of Windows Sockets, which are not always what package
// syscall calls ECONNREFUSED and so on. See the page Windows Sockets Error Codes.
var (
	connectionRefused = []error{syscall.Errno(10061)}
	// reset, aborted, shut down.
	connectionReset = []error{syscall.ECONNRESET, syscall.Errno(10054), syscall.Errno(10053), syscall.Errno(10058)}
	hostUnreachable = []error{syscall.Errno(10065)}
	netUnreachable  = []error{syscall.Errno(10051)}
	outOfFiles      = []error{syscall.Errno(10024)}
)
