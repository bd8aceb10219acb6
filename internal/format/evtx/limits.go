package evtx

// What a hostile file can ask for is bounded by the size of a chunk, save where one piece can be named many times.
const (
	// maxDepth is how deep elements nest. The event schema needs six; a deeper tree is not an event.
	maxDepth = 64

	// maxNested is how deep binary XML stands inside a value of binary XML. Windows uses one level.
	maxNested = 8

	// maxCompiled is how many bytes of template definitions are compiled for one chunk. Real definitions do not
	// overlap, so they are less than a chunk; overlapping ones could cost the square of it.
	maxCompiled = 4 * chunkSize

	// maxSteps is how many pieces of templates one event may use. A record is less than a chunk and a real event uses
	// some hundreds; a value named again and again could ask for any number.
	maxSteps = 1 << 16

	// bytesPerStep makes reading binary XML inside a value cost steps too: a whole chunk of it 4096.
	bytesPerStep = 16

	// maxText is the largest XML text of one event, and of one field put together from several pieces: 64 KiB of
	// UTF-16 is at most 96 KiB of UTF-8 and at most 6 times that when each character is escaped, with the template's own text.
	maxText = 1 << 20

	// maxInterned is how many distinct names are kept for sharing between chunks. A log of every Windows provider uses
	// a few thousand.
	maxInterned = 1 << 14
)
