package hive

import (
	"errors"
	"fmt"
	"io"
	"sync"
)

const (
	pageSize   = 4096
	sectorSize = 512
	// 2,048 pages are 8 MiB: more than an audit reads, and far below its 32 MiB.
	maxPages = 2048
)

// pages reads the file with the sectors that logs replace, and caches it: an audit's lookups share most of their path.
type pages struct {
	r    io.ReaderAt
	size int64 // end of the data, including replayed sectors
	file int64 // the file's own length

	over map[int64]sector // by sector number in the file

	mu   sync.Mutex
	page map[int64][]byte
}

// sector is the position of one sector's newer contents in a log.
type sector struct {
	log io.ReaderAt
	at  int64
}

func newPages(r io.ReaderAt, size int64) *pages {
	return &pages{r: r, size: size, file: size, page: map[int64][]byte{}}
}

// lay overlays the file with a dirty run of a log; at, from and n count bytes, in whole sectors.
func (p *pages) lay(log io.ReaderAt, from, at, n int64) {
	if p.over == nil {
		p.over = map[int64]sector{}
	}
	for i := int64(0); i < n; i += sectorSize {
		p.over[(at+i)/sectorSize] = sector{log, from + i}
	}
	p.size = max(p.size, at+n)
}

func (p *pages) read(b []byte, at int64) error {
	for len(b) > 0 {
		if at < 0 || at >= p.size {
			return &FormatError{at, "the file ends here"}
		}
		page, err := p.get(at / pageSize)
		if err != nil {
			return err
		}
		n := copy(b, page[min(at%pageSize, int64(len(page))):])
		if n == 0 {
			return &FormatError{at, "the file ends here"}
		}
		b, at = b[n:], at+int64(n)
	}
	return nil
}

func (p *pages) get(n int64) ([]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if b, ok := p.page[n]; ok {
		return b, nil
	}
	start := n * pageSize
	b := make([]byte, min(pageSize, p.size-start))
	if own := min(int64(len(b)), p.file-start); own > 0 {
		if k, err := p.r.ReadAt(b[:own], start); int64(k) < own && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("hive: at offset %#x: %w", start, err)
		}
	}
	for i := 0; i+sectorSize <= len(b) && p.over != nil; i += sectorSize {
		s, ok := p.over[(start+int64(i))/sectorSize]
		if !ok {
			continue
		}
		if k, err := s.log.ReadAt(b[i:i+sectorSize], s.at); k < sectorSize {
			return nil, fmt.Errorf("hive: transaction log at offset %#x: %w", s.at, err)
		}
	}
	if len(p.page) >= maxPages {
		clear(p.page)
	}
	p.page[n] = b
	return b, nil
}
