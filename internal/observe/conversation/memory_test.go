package conversation

import (
	"testing"
	"time"

	"ipcguard/internal/model"
	"ipcguard/internal/observe/packet"
	"ipcguard/internal/smb/smb2"
)

// TestSharedPipe ends a pipe on another connection than the one that opened it and has ended: its memory is given back
// once. Otherwise somebody could have everything else kept for nothing.
func TestSharedPipe(t *testing.T) {
	f := NewFollower(&rows{map[model.Use]int{}}, 64<<20)
	open := func(port uint16) *Conversation {
		c := &Conversation{f: f}
		c.conn.Client = packet.Endpoint{Port: port}
		c.start()
		return c
	}
	s := &session{id: 7, who: identity{kind: model.User, account: "ann", basis: "b"}}
	first, second := open(1), open(2)
	first.modern().addSession(s.id, s)
	second.modern().addSession(s.id, s)
	file := smb2.FileID{1}
	p := first.newPipe(s, "samr")
	s.setOpen(first, file, p)
	first.Close(time.Time{})
	before := f.Used()
	second.grow(p, 100)
	s.closeOpen(second, file, p)
	if after := f.Used(); after != before {
		t.Errorf("%d bytes were charged, then %d", before, after)
	}
	second.Close(time.Time{})
	if f.Used() != 0 {
		t.Errorf("%d bytes are still charged", f.Used())
	}
}
