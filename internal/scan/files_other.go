//go:build !unix

package scan

// OpenFiles returns 0: Windows has no such limit on sockets.
func OpenFiles() int { return defaultFiles }
