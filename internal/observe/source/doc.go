// Package source opens what observe reads: one file, a folder with the folders in it, a zip archive, and streams that are
// compressed. It knows nothing of what the files hold.
//
// Rules of the room: nothing is unpacked to disk, and no archive or compressed stream gets more memory than the bounds here
// say, whatever its header asks for.
package source
