package hive

import (
	"encoding/binary"
	"io"
	"math/bits"
	"slices"
)

// Log is one transaction log of a hive.
type Log struct {
	Name string // for messages
	R    io.ReaderAt
	Size int64
}

const (
	// Windows starts a new log long before this; it bounds what one hash covers.
	maxEntry = 256 << 20
	// An entry notes each dirty page of a hive once, and pages are 4 KiB.
	maxDirty = maxHive / pageSize
	// The seed is the number 0x82EF4D887A4E55C5; both hashes of real logs were checked with it.
	seedLow, seedHigh = 0x7a4e55c5, 0x82ef4d88
)

// entry is one log entry of the new format, in place.
//
//	+0 "HvLE" · +4 size · +8 flags · +12 sequence number · +16 size of the bins · +20 number of dirty pages
//	+24 Marvin32 of all from +40 · +32 Marvin32 of the first 32 bytes · +40 {offset, size} each · the pages
type entry struct {
	seq, size uint32 // size of the hive's bins
	runs      []run
}

type run struct{ at, from, n int64 } // where in the hive, where in the log, how many bytes

// replay makes the hive consistent by its logs, and updates the base block accordingly.
func (h *Hive) replay(b *base, logs []Log) {
	var fresh []journal
	for _, l := range logs {
		if l.Size == 0 {
			continue
		}
		block := make([]byte, 512)
		if n, _ := l.R.ReadAt(block, 0); n < len(block) {
			h.problem("%s: shorter than a base block", l.Name)
			continue
		}
		head, err := parseBase(block)
		switch {
		case err != nil:
			h.problem("%s: not a transaction log", l.Name)
		case !head.sumOK:
			h.problem("%s: its base block's checksum is wrong", l.Name)
		case head.kind == 6:
			if j := readJournal(l, head); len(j.entries) > 0 {
				fresh = append(fresh, j)
			}
		case head.kind == 1 || head.kind == 2:
			if h.info.Replayed == 0 {
				h.replayOld(b, l, head)
			}
		default:
			h.problem("%s: unknown file type %d", l.Name, head.kind)
		}
	}
	if h.info.Replayed == 0 {
		h.replayNew(b, fresh)
	}
	if h.info.Replayed == 0 {
		h.problem("the hive is dirty (sequence numbers %d and %d) and no log beside it continues it: its last "+
			"changes may be missing", b.primary, b.secondary)
	}
}

// journal is a log of the new format with its valid entries, which have consecutive sequence numbers.
type journal struct {
	log     Log
	head    base
	entries []entry
}

// replayNew applies the entries of both logs in the order of their sequence numbers. With a broken base block only the
// log with the latest entries can be used, because only that log shows the state of the hive.
func (h *Hive) replayNew(b *base, js []journal) {
	last := func(j journal) uint32 { return j.entries[len(j.entries)-1].seq }
	if !b.sumOK && len(js) > 0 {
		j := slices.MaxFunc(js, func(x, y journal) int { return int(int64(last(x)) - int64(last(y))) })
		*b = j.head
		b.kind = 0
		h.problem("the base block was recovered from %s", j.log.Name)
		js = []journal{j}
	} else {
		js = slices.DeleteFunc(js, func(j journal) bool { return j.entries[0].seq < b.secondary })
		slices.SortFunc(js, func(x, y journal) int { return int(int64(x.entries[0].seq) - int64(y.entries[0].seq)) })
	}
	for i, j := range js {
		if i > 0 && j.entries[0].seq != b.secondary+1 {
			h.problem("%s does not follow on the log before it and was left out", j.log.Name)
			return
		}
		for _, e := range j.entries {
			for _, r := range e.runs {
				h.src.lay(j.log.R, r.from, r.at, r.n)
			}
			b.primary, b.secondary, b.size = e.seq, e.seq, e.size
			h.info.Replayed++
		}
	}
}

// readJournal reads the entries up to the first invalid one: the rest is incomplete or old.
func readJournal(l Log, head base) journal {
	j := journal{log: l, head: head}
	next := head.primary
	for at := int64(sectorSize); at+40 <= l.Size; {
		e, size, ok := readEntry(l, at)
		if !ok || e.seq != next {
			break
		}
		j.entries = append(j.entries, e)
		next++
		at += size
	}
	return j
}

func readEntry(l Log, at int64) (entry, int64, bool) {
	head := make([]byte, 40)
	if n, _ := l.R.ReadAt(head, at); n < len(head) || string(head[:4]) != "HvLE" {
		return entry{}, 0, false
	}
	le := binary.LittleEndian
	size, n := int64(le.Uint32(head[4:])), int64(le.Uint32(head[20:]))
	e := entry{seq: le.Uint32(head[12:]), size: le.Uint32(head[16:])}
	if size > min(maxEntry, l.Size-at) || size%sectorSize != 0 || n > maxDirty || 40+8*n > size ||
		e.size%pageSize != 0 || e.size >= maxHive || marvin(head[:32]) != le.Uint64(head[32:]) {
		return entry{}, 0, false
	}
	body := newMarvin()
	if _, err := io.Copy(body, io.NewSectionReader(l.R, at+40, size-40)); err != nil ||
		body.sum() != le.Uint64(head[24:]) {
		return entry{}, 0, false
	}
	refs := make([]byte, 8*n)
	if k, _ := l.R.ReadAt(refs, at+40); k < len(refs) {
		return entry{}, 0, false
	}
	from := at + 40 + 8*n
	for ; len(refs) > 0; refs = refs[8:] {
		r := run{int64(le.Uint32(refs)) + baseSize, from, int64(le.Uint32(refs[4:]))}
		if r.at%sectorSize != 0 || r.n%sectorSize != 0 || r.at+r.n > baseSize+int64(e.size) || from+r.n > at+size {
			return entry{}, 0, false
		}
		e.runs = append(e.runs, r)
		from += r.n
	}
	return e, size, true
}

// replayOld applies a log of the format before Windows 8.1: after the base block's sector "DIRT" and one bit for each
// 512 bytes of the bins; from the next sector on, the dirty ones.
func (h *Hive) replayOld(b *base, l Log, head base) {
	if head.primary != head.secondary || (b.sumOK && head.written != b.written) {
		h.problem("%s: an old log that does not belong to this state of the hive", l.Name)
		return
	}
	at := int64(sectorSize) * int64(min(max(head.sector, 1), 8))
	bitmap := make([]byte, (int64(min(head.size, maxHive-1))/sectorSize+7)/8)
	vector := make([]byte, 4)
	if n, _ := l.R.ReadAt(vector, at); n < 4 || string(vector) != "DIRT" || int64(len(bitmap)) > l.Size {
		h.problem("%s: no dirty vector", l.Name)
		return
	}
	if n, _ := l.R.ReadAt(bitmap, at+4); n < len(bitmap) {
		h.problem("%s: its dirty vector is cut off", l.Name)
		return
	}
	from := (at + 4 + int64(len(bitmap)) + at - 1) / at * at
	dirty := int64(0)
	for _, c := range bitmap {
		dirty += int64(bits.OnesCount8(c))
	}
	if from+dirty*sectorSize > l.Size {
		h.problem("%s: its dirty pages are cut off", l.Name)
		return
	}
	for i := range int64(len(bitmap)) * 8 {
		if bitmap[i/8]>>(i%8)&1 != 0 {
			h.src.lay(l.R, from, baseSize+i*sectorSize, sectorSize)
			from += sectorSize
		}
	}
	if !b.sumOK {
		h.problem("the base block was recovered from %s", l.Name)
	}
	name := b.name
	*b = head
	b.kind, b.name = 0, name
	b.primary = b.secondary
	h.info.Replayed = 1
}
