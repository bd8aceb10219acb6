package nbss

import (
	"errors"
	"fmt"
	"strings"
)

// What follows, the tests alone need: the other direction of what the program reads or writes.

// ParseCallRequest reads the payload of a session request. Scope identifiers behind the name are not taken: nobody
// sends them, and a server that met one would have to compare it.
func ParseCallRequest(payload []byte) (*CallRequest, error) {
	called, rest, err := parseName(payload)
	if err != nil {
		return nil, fmt.Errorf("nbss: called name: %w", err)
	}
	calling, rest, err := parseName(rest)
	if err != nil {
		return nil, fmt.Errorf("nbss: calling name: %w", err)
	}
	if len(rest) != 0 {
		return nil, fmt.Errorf("nbss: %d bytes behind the session request", len(rest))
	}
	return &CallRequest{called, calling}, nil
}

func parseName(b []byte) (Name, []byte, error) {
	if len(b) < encodedLen || b[0] != 32 || b[encodedLen-1] != 0 {
		return Name{}, nil, errors.New("not a first-level encoded name without scope")
	}
	var raw [16]byte
	for i := range raw {
		hi, lo := b[1+2*i]-'A', b[2+2*i]-'A'
		if hi > 15 || lo > 15 {
			return Name{}, nil, errors.New("letter out of range in encoded name")
		}
		raw[i] = hi<<4 | lo
	}
	return Name{strings.TrimRight(string(raw[:15]), " "), raw[15]}, b[encodedLen:], nil
}
