package observe

import (
	"fmt"

	"ipcguard/internal/model"
	"ipcguard/internal/observe/conversation"
	"ipcguard/internal/observe/flow"
	"ipcguard/internal/observe/packet"
)

// oneSided is the coverage's kind for connections of which only one direction was captured.
const oneSided = "SMB connections of which one side alone was captured"

// account adds up what happened to the bytes in the conversations and below them.
func account(f flow.Counts, n conversation.Counts) model.Bytes {
	return model.Bytes{
		Readable: n.Readable, Opaque: n.Opaque, Lost: n.Lost, Foreign: n.Foreign, Before: f.Early + n.Before,
		Undecodable: n.Undecodable, Repeated: f.Repeated, Stray: f.Stray, Unneeded: n.Unneeded,
	}
}

// difference returns a minus b, field by field.
func difference(a, b model.Bytes) model.Bytes {
	return model.Bytes{
		Readable: a.Readable - b.Readable, Opaque: a.Opaque - b.Opaque, Lost: a.Lost - b.Lost,
		Foreign: a.Foreign - b.Foreign,
		Before:  a.Before - b.Before, Undecodable: a.Undecodable - b.Undecodable,
		Repeated: a.Repeated - b.Repeated, Stray: a.Stray - b.Stray, Unneeded: a.Unneeded - b.Unneeded,
	}
}

// balance checks the counts against one another after every connection has ended: each payload byte of a watched port,
// each byte of a hole and each packet must be counted exactly once. An error is a bug of this program and makes the
// result partial.
func (t *Traffic) balance() error {
	f, k, n := t.table.Counts(), t.kdc.Counts(), t.follower.Counts()
	packets := t.elsewhere + f.Segments + k.Segments
	for why, n := range t.reasons {
		if why != packet.Fragment { // a part of those that are held
			packets += n
		}
	}
	for _, c := range []struct {
		what      string
		in, found int64
	}{
		{"packets", t.packets, packets},
		{"bytes of segments", f.Payload, f.Bytes + f.Repeated + f.Early + f.Stray},
		{"bytes of streams", f.Bytes, n.Readable + n.Opaque + n.Before + n.Foreign + n.Undecodable},
		{"bytes of holes", f.Lost, n.Lost + n.Unneeded},
	} {
		if c.in != c.found {
			return fmt.Errorf("%s that are not accounted for (please report this): %d of %d", c.what, c.in-c.found,
				c.in)
		}
	}
	return nil
}

// notes adds to the coverage what makes a whole capture doubtful.
func (t *Traffic) notes() {
	f := t.table.Counts()
	if f.OneSided > 0 {
		t.cov.Note(fmt.Sprintf("of %d of %d connections one side alone was captured: what was asked or what was "+
			"answered is not seen", f.OneSided, f.Connections))
	}
	if note := t.unread.note(t.servers()); note != "" {
		t.cov.Note(note)
	}
	if t.backwards > 0 {
		t.cov.Note(fmt.Sprintf("%d packets are older by more than %s than one that stands before them: the capture "+
			"is not in the order of its times", t.backwards, tolerance))
	}
}
