//go:build !unix

package scan

// OpenFiles: Windows has no such limit on sockets.
func OpenFiles() int { return defaultFiles }
