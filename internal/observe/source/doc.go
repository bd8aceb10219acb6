// Package source opens what observe reads: a file, a folder with its subfolders, a zip archive, and compressed streams.
// It does not know what the files contain.
//
// The rules of this package: nothing is unpacked to disk, and no archive or compressed stream gets more memory than the
// bounds here, whatever its header says.
package source
