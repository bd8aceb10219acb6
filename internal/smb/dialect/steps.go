package dialect

import (
	"fmt"
	"strings"

	"ipcguard/internal/smb/transport"
	"ipcguard/internal/status"
)

// IPC is the share that carries the named pipes.
const IPC = "IPC$"

// UNC is \\host\share. An IPv6 address becomes a name, as Windows writes it. See [MS-DTYP] 2.2.57.
func UNC(host, share string) string {
	if strings.Contains(host, ":") {
		host = strings.NewReplacer(":", "-", "%", "s").Replace(host) + ".ipv6-literal.net"
	}
	return `\\` + host + `\` + share
}

// Refused is the error for a status that a server answered with.
func Refused(layer string, s status.NTStatus) error { return fmt.Errorf("smb: %s: %w", layer, s) }

// ReadRest reads a message to its end, behind what came of it already, up to max bytes in all. read returns the next
// part, of that many bytes at most, and whether there is more.
func ReadRest(out []byte, max int, read func(max int) (part []byte, more bool, err error)) ([]byte, error) {
	for {
		if len(out) >= max {
			return out, Refused(transport.LayerCall, status.BufferOverflow)
		}
		part, more, err := read(max - len(out))
		if err != nil {
			return out, err
		}
		out = append(out[:len(out):len(out)], part...)
		if !more {
			return out, nil
		}
		if len(part) == 0 {
			return out, transport.Broken("a message that goes on without end").At(transport.LayerCall)
		}
	}
}
