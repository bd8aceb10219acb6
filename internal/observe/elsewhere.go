package observe

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"ipcguard/internal/observe/packet"
)

// elsewhere counts segments that begin with SMB between unwatched ports, by the server's port. Without it, a capture of
// a server on another port would look like one without SMB.
type elsewhere map[uint16]int64

// maxElsewhere bounds the counted ports: a host has one or two, and a forged capture could contain all 65,536.
const maxElsewhere = 64

// saw checks a segment between unwatched ports.
func (e elsewhere) saw(seg *packet.Segment) {
	answer, ok := startsSMB(seg.Payload)
	if !ok {
		return
	}
	port := seg.Dst.Port
	if answer {
		port = seg.Src.Port
	}
	if _, known := e[port]; known || len(e) < maxElsewhere {
		e[port]++
	}
}

// startsSMB reports whether a segment begins with a session message that contains an unencrypted SMB message, and
// whether that is from the server. See RFC 1002 4.3.1, MS-SMB 2.2.3.1 and MS-SMB2 2.2.1: a byte 0, the length in three
// bytes, and the header, whose flags give the direction. Encrypted and compressed messages have no such flag and are
// skipped: each conversation begins with a plain NEGOTIATE.
func startsSMB(b []byte) (answer, ok bool) {
	const (
		lead      = 4      // of the session message
		flags1    = 4 + 5  // of an SMB1 header, after protocol, command and status
		reply     = 1 << 7 // SMB_FLAGS_REPLY
		flags2    = 16     // of an SMB2 header
		toRequest = 1      // SMB2_FLAGS_SERVER_TO_REDIR
		smallest1 = 32     // an SMB1 header
		smallest2 = 64     // an SMB2 header
	)
	if len(b) < lead+smallest1 || b[0] != 0 {
		return false, false
	}
	length, msg := int(b[1])<<16|int(b[2])<<8|int(b[3]), b[lead:]
	switch string(msg[:4]) {
	case "\xffSMB":
		return msg[flags1]&reply != 0, length >= smallest1
	case "\xfeSMB":
		return msg[flags2]&toRequest != 0, length >= smallest2
	}
	return false, false
}

// note says where SMB was seen, and how to read it as well. The busiest port comes first.
func (e elsewhere) note(watched []uint16) string {
	if len(e) == 0 {
		return ""
	}
	const most = 5 // ports that are named
	ports := slices.SortedFunc(maps.Keys(e),
		func(a, b uint16) int { return cmp.Or(cmp.Compare(e[b], e[a]), cmp.Compare(a, b)) })
	found, more := list(ports[:min(len(ports), most)]), ""
	if n := len(ports) - most; n > 0 {
		more = fmt.Sprintf(" and %d more", n)
	}
	return fmt.Sprintf("SMB on TCP port %s%s was not read: --port %s,%s reads it", found, more, list(watched), found)
}

// list formats ports as --port accepts them.
func list(ports []uint16) string {
	words := make([]string, len(ports))
	for i, p := range ports {
		words[i] = strconv.Itoa(int(p))
	}
	return strings.Join(words, ",")
}
