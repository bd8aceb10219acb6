package observe

import (
	"encoding/binary"
	"path/filepath"
	"testing"

	"ipcguard/internal/observe/observetest"
)

// FuzzTraffic has the fuzzer drop, move, repeat, cut and forge the packets of a generated capture, and add its own: the
// connections are followed, their conversations parsed, and every packet and byte is counted.
//
//	op 1, packet 1, value 2    for each change
func FuzzTraffic(f *testing.F) {
	path := filepath.Join(f.TempDir(), "made.pcap")
	m, done := observetest.Create(f, path)
	for i := range 2 {
		m.Connect(i)
		m.Logon(f)
		m.Calls(f, 4)
		m.Copies(2)
		m.Disconnect()
	}
	done()
	all := frames(f, path)
	f.Add([]byte{0, 5, 0, 0, 1, 7, 3, 0, 2, 9, 1, 0, 3, 11, 60, 0, 4, 12, 4, 0x01, 5, 20, 38, 0xFF})
	f.Add([]byte{4, 3, 0x04, 0, 6, 8, 1, 0, 4, 9, 0x01, 0, 7, 2, 0, 1})
	f.Add([]byte("a packet of its own, which is none"))
	f.Fuzz(func(t *testing.T, script []byte) {
		changed := append([]frame(nil), all...)
		const most = 64
		for n := 0; len(script) >= 4 && len(changed) > 0 && n < most; n++ {
			op, i, v := script[0]%8, int(script[1])%len(changed), int(binary.LittleEndian.Uint16(script[2:]))
			script = script[4:]
			p := changed[i]
			p.data = append([]byte(nil), p.data...)
			switch op {
			case 0: // dropped
				changed = append(changed[:i:i], changed[i+1:]...)
				continue
			case 1: // moved
				j := v % len(changed)
				changed[i], changed[j] = changed[j], changed[i]
				continue
			case 2: // repeated, somewhere
				j := v % len(changed)
				changed = append(changed[:j:j], append([]frame{p}, changed[j:]...)...)
				continue
			case 3: // cut
				p.data = p.data[:min(v, len(p.data))]
			case 4: // other flags
				if len(p.data) > 47 {
					p.data[47] = byte(v)
				}
			case 5: // another byte
				if k := v & 0xFF; k < len(p.data) {
					p.data[k] = byte(v >> 8)
				}
			case 6: // another sequence number or acknowledgement
				if at := 38 + 4*(v&1); len(p.data) > at+4 {
					binary.BigEndian.PutUint32(p.data[at:], binary.BigEndian.Uint32(p.data[at:])+
						uint32(int32(int16(v))<<(v>>12&15)))
				}
			case 7: // other payload
				if len(p.data) > 54 {
					p.data = append(p.data[:54], script[:min(len(script), v%256)]...)
				}
			}
			changed[i] = p
		}
		tr := observeFrames(changed)
		if err := tr.balance(); err != nil {
			t.Fatal(err)
		}
		b := tr.cov.Bytes
		if b.Readable < 0 || b.Opaque < 0 || b.Lost < 0 || b.Foreign < 0 || b.Before < 0 || b.Undecodable < 0 ||
			b.Stray < 0 || b.Repeated < 0 {
			t.Fatalf("%+v", *b)
		}
	})
}
