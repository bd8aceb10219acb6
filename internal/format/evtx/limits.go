package evtx

// The size of a chunk bounds the cost of a hostile file, except where one piece can be referred to many times.
const (
	// maxDepth bounds the nesting of elements. The event schema needs six; a deeper tree is not an event.
	maxDepth = 64

	// maxNested bounds binary XML inside values of binary XML. Windows uses one level.
	maxNested = 8

	// maxCompiled bounds the bytes of template definitions that are compiled for one chunk. Real definitions do not
	// overlap, so they are less than a chunk; overlapping ones could cost the square of it.
	maxCompiled = 4 * chunkSize

	// maxSteps bounds the pieces of templates that one event may use. A record is less than a chunk and a real event
	// uses a few hundred; a value that is referred to repeatedly could need any number.
	maxSteps = 1 << 16

	// bytesPerStep counts binary XML inside a value as steps too: a whole chunk of it costs 4096.
	bytesPerStep = 16

	// maxText bounds the XML text of one event, and of one field joined from several pieces: 64 KiB of UTF-16 is at
	// most 96 KiB of UTF-8 and at most 6 times that when each character is escaped, with the template's own text.
	maxText = 1 << 20

	// maxInterned bounds the distinct names that chunks share. A log of every Windows provider uses a few thousand.
	maxInterned = 1 << 14
)
