//go:build !unix

package scan

// OpenFiles returns the default: Windows has no such limit on sockets.
func OpenFiles() int { return defaultFiles }
