package nbss

import (
	"errors"
	"fmt"
	"strings"
)

// The suffix byte of a NetBIOS name tells the service that owns it.
const (
	SuffixWorkstation = 0x00
	SuffixServer      = 0x20
)

// ServerName is the name that reaches the server service of a host whose own name is not known.
const ServerName = "*SMBSERVER"

// encodedLen is the length of a first-level encoded name: one length byte, 32 letters, and the root label.
const encodedLen = 34

// Name is a NetBIOS name: up to 15 characters and the suffix.
type Name struct {
	Name   string
	Suffix byte
}

// CallRequest is the packet that opens a session on port 139. See RFC 1002 4.3.2.
type CallRequest struct {
	Called, Calling Name
}

// AppendMarshal appends the frame, header included.
func (r *CallRequest) AppendMarshal(dst []byte) []byte {
	dst = AppendHeader(dst, SessionRequest, 2*encodedLen)
	return appendName(appendName(dst, r.Called), r.Calling)
}

// appendName appends a first-level encoded name: each half byte becomes a letter from A. See RFC 1001 14.1.
func appendName(dst []byte, n Name) []byte {
	var raw [16]byte
	for i := range 15 {
		raw[i] = ' '
	}
	copy(raw[:15], strings.ToUpper(n.Name))
	raw[15] = n.Suffix
	dst = append(dst, 32)
	for _, c := range raw {
		dst = append(dst, 'A'+c>>4, 'A'+c&15)
	}
	return append(dst, 0)
}

// CallError is a negative session response: why the server does not take the call. See RFC 1002 4.3.4.
type CallError byte

// The reasons of a refused call.
const (
	NotListeningOnCalled   CallError = 0x80
	NotListeningForCalling CallError = 0x81
	CalledNotPresent       CallError = 0x82
	InsufficientResources  CallError = 0x83
	UnspecifiedError       CallError = 0x8F
)

// Error says the reason in words.
func (e CallError) Error() string {
	switch e {
	case NotListeningOnCalled:
		return "nbss: not listening on called name"
	case NotListeningForCalling:
		return "nbss: not listening for calling name"
	case CalledNotPresent:
		return "nbss: called name not present"
	case InsufficientResources:
		return "nbss: insufficient resources"
	case UnspecifiedError:
		return "nbss: unspecified error"
	}
	return fmt.Sprintf("nbss: error 0x%02X", byte(e))
}

// ParseCallResponse turns the answer to a session request into nil (positive), a CallError, or another error.
func ParseCallResponse(typ byte, payload []byte) error {
	switch {
	case typ == PositiveResponse:
		return nil
	case typ == NegativeResponse && len(payload) == 1:
		return CallError(payload[0])
	case typ == Retarget:
		return errors.New("nbss: the server names another address for the session")
	}
	return fmt.Errorf("nbss: type 0x%02X with %d bytes is no answer to a session request", typ, len(payload))
}

// AppendCallResponse appends the answer to a session request, header included; reason 0 is the positive one.
func AppendCallResponse(dst []byte, reason CallError) []byte {
	if reason == 0 {
		return AppendHeader(dst, PositiveResponse, 0)
	}
	return append(AppendHeader(dst, NegativeResponse, 1), byte(reason))
}
