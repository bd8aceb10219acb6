//go:build !unix

package scan

// openFiles: Windows has no such limit on sockets.
func openFiles() int { return defaultFiles }
