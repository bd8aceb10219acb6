package cli

import (
	"encoding/binary"
	"io"
	"net"
	"os"
	"strconv"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestObserve runs testdata/observe. Beside the commands of TestScripts there are
//
//	record NAME TARGET    start a relay to TARGET that remembers all bytes; $NAME is its address
//	recorded FILE [PORT]  write what was relayed as a capture, with the server on a port: 445 unless given
func TestObserve(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/observe",
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits": exits, "server": server, "record": record, "recorded": recorded,
		},
		Setup: func(e *testscript.Env) error {
			e.Setenv("NO_COLOR", "")
			e.Values[relayKey{}] = new(relay)
			return nil
		},
	})
}

type relayKey struct{}

// relay remembers what passes through it, in order.
type relay struct {
	lock   sync.Mutex
	pieces []relayed
	conns  uint16
	wg     sync.WaitGroup
}

type relayed struct {
	conn uint16
	up   bool
	b    []byte
}

func record(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: record NAME TARGET")
	}
	r := ts.Value(relayKey{}).(*relay)
	l, err := net.Listen("tcp", "127.51.9.1:0")
	ts.Check(err)
	ts.Defer(func() { l.Close() })
	ts.Setenv(args[0], l.Addr().String())
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s, err := net.Dial("tcp", args[1])
			if err != nil {
				c.Close()
				continue
			}
			r.lock.Lock()
			r.conns++
			id := r.conns
			r.lock.Unlock()
			r.wg.Go(func() { r.pass(c, s, id, true) })
			r.wg.Go(func() { r.pass(s, c, id, false) })
		}
	}()
}

// pass hands bytes on, and remembers them first: an answer never comes before its question.
func (r *relay) pass(from, to net.Conn, id uint16, up bool) {
	defer to.Close()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			r.lock.Lock()
			r.pieces = append(r.pieces, relayed{id, up, append([]byte(nil), buf[:n]...)})
			r.lock.Unlock()
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// recorded writes a pcap of raw IP packets: link type 101.
func recorded(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 1 || len(args) > 2 {
		ts.Fatalf("usage: recorded FILE [PORT]")
	}
	port := uint64(445)
	if len(args) == 2 {
		var err error
		port, err = strconv.ParseUint(args[1], 10, 16)
		ts.Check(err)
	}
	r := ts.Value(relayKey{}).(*relay)
	r.wg.Wait()
	f, err := os.Create(ts.MkAbs(args[0]))
	ts.Check(err)
	defer f.Close()
	ts.Check(r.pcap(f, uint16(port)))
}

func (r *relay) pcap(w io.Writer, port uint16) error {
	le, be := binary.LittleEndian, binary.BigEndian
	b := []byte("\xD4\xC3\xB2\xA1\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\xFF\xFF\x00\x00\x65\x00\x00\x00")
	type side struct {
		conn uint16
		up   bool
	}
	seq := map[side]uint32{}
	packet := func(conn uint16, up bool, flags byte, data []byte) {
		p := make([]byte, 40)
		client, server := []byte{10, 9, 9, 1}, []byte{10, 9, 9, 2}
		from, to := 40000+conn, port
		if !up {
			client, server, from, to = server, client, to, from
		}
		p[0], p[8], p[9] = 0x45, 64, 6
		be.PutUint16(p[2:], uint16(40+len(data)))
		copy(p[12:], client)
		copy(p[16:], server)
		be.PutUint16(p[20:], from)
		be.PutUint16(p[22:], to)
		key := side{conn, up}
		be.PutUint32(p[24:], seq[key])
		p[32], p[33] = 0x50, flags
		seq[key] += uint32(len(data))
		if flags&2 != 0 {
			seq[key]++
		}
		b = le.AppendUint32(b, 1_700_000_000)
		b = le.AppendUint32(b, uint32(len(b)))
		b = le.AppendUint32(b, uint32(40+len(data)))
		b = le.AppendUint32(b, uint32(40+len(data)))
		b = append(append(b, p...), data...)
	}
	r.lock.Lock()
	defer r.lock.Unlock()
	met := map[uint16]bool{}
	for _, one := range r.pieces {
		if !met[one.conn] {
			met[one.conn] = true
			packet(one.conn, true, 2, nil)
			packet(one.conn, false, 0x12, nil)
		}
		packet(one.conn, one.up, 0x18, one.b)
	}
	_, err := w.Write(b)
	return err
}
