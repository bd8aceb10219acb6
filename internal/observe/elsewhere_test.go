package observe

import (
	"testing"

	"ipcguard/internal/observe/packet"
)

func TestElsewhere(t *testing.T) {
	message := func(protocol string, at int, flag byte) []byte {
		b := append([]byte{0, 0, 0, 64}, make([]byte, 64)...)
		copy(b[4:], protocol)
		b[4+at] = flag
		return b
	}
	send := func(e elsewhere, from, to uint16, payload []byte) {
		e.saw(&packet.Segment{Src: packet.Endpoint{Port: from}, Dst: packet.Endpoint{Port: to}, Payload: payload})
	}
	e := elsewhere{}
	send(e, 40000, 1445, message("\xfeSMB", 16, 0))
	send(e, 1445, 40000, message("\xfeSMB", 16, 1))
	send(e, 40001, 1139, message("\xffSMB", 9, 0x18))
	send(e, 1139, 40001, message("\xffSMB", 9, 0x98))
	send(e, 1139, 40001, message("\xffSMB", 9, 0x98))
	for _, b := range [][]byte{
		nil,
		{0, 0, 0, 64},
		[]byte("GET / HTTP/1.1\r\nHost: \xfeSMB.example.test\r\n"),
		message("\xfdSMB", 0, 0xFD), message("\xfeSMB", 16, 0)[:30],
	} {
		send(e, 40002, 8080, b)
	}
	if len(e) != 2 || e[1445] != 2 || e[1139] != 3 {
		t.Fatalf("%v", e)
	}
	if got := e.note([]uint16{445, 139}); got != "SMB on TCP port 1139,1445 was not read: --port 445,139,1139,1445 reads it" {
		t.Error(got)
	}
	for p := range uint16(1000) {
		send(e, 40000, 2000+p, message("\xfeSMB", 16, 0))
	}
	if len(e) != maxElsewhere || (elsewhere{}).note(nil) != "" {
		t.Errorf("%d ports", len(e))
	}
	if got := e.note([]uint16{445}); got != "SMB on TCP port 1139,1445,2000,2001,2002 and 59 more was not read: --port 445,1139,1445,2000,2001,2002 reads it" {
		t.Error(got)
	}
}
