package store

import (
	_ "embed"
	"fmt"

	"github.com/klauspost/compress/zstd"
)

// packer compresses and decompresses zstd data. It is safe for concurrent use.
//
// Documents of different hosts mostly contain the same words, in the same order. They are compressed with a dictionary
// that has those words already, which makes them two to ten times smaller: a scan fits into a row of its table. What
// was stored before there was a dictionary names none, and is read as before.
type packer struct {
	enc *zstd.Encoder
	dec *zstd.Decoder
}

// dictionary1 is documents, one a line: the audits of a Windows and of a Samba configuration, and the scans of three
// practice servers. What comes last is found most cheaply.
//
// It must never change, since nothing that was stored with it could be read: a better one is a second file, with the
// next number, and the decoder gets both.
//
//go:embed dictionary-1.jsonl
var dictionary1 []byte

// firstDictionary is the number of dictionary1 in what is stored. Lower numbers are reserved: RFC 8878, 3.1.1.1.3.
const firstDictionary = 32768

// maxUnpacked bounds the size of a decompressed document: a hundred times the largest scan; a manipulated file must not
// fill the memory.
const maxUnpacked = 256 << 20

func newPacker() (*packer, error) {
	// Slower levels make a scan 2 % smaller, and take up to twice as long.
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(2),
		zstd.WithWindowSize(1<<20), zstd.WithLowerEncoderMem(true), zstd.WithEncoderCRC(false),
		zstd.WithEncoderDictRaw(firstDictionary, dictionary1))
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(2), zstd.WithDecoderMaxMemory(maxUnpacked),
		zstd.WithDecoderLowmem(true), zstd.WithDecoderDictRaw(firstDictionary, dictionary1))
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	return &packer{enc: enc, dec: dec}, nil
}

func (p *packer) pack(b []byte) []byte { return p.enc.EncodeAll(b, nil) }

func (p *packer) unpack(b []byte) ([]byte, error) {
	out, err := p.dec.DecodeAll(b, nil)
	if err != nil {
		return nil, fmt.Errorf("store: a stored document cannot be read: %w", err)
	}
	return out, nil
}
