package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
)

// Error means that a request got no answer, never that it was refused.
type Error struct {
	Layer  string // where: connect, negotiate, session, tree, open, call
	Reason string // plain words
	Err    error  // the cause, where there is one
	kind   failure
}

type failure byte

const (
	other failure = iota
	timedOut
	dropped
	notSMB
	distrusted
)

// Error is one line.
func (e *Error) Error() string {
	if e.Layer == "" {
		return "smb: " + e.Reason
	}
	return "smb: " + e.Layer + ": " + e.Reason
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Timeout reports whether the wait ended without a known cause.
func (e *Error) Timeout() bool { return e.kind == timedOut }

// Dropped reports whether the server, or a device on the path, closed the connection.
func (e *Error) Dropped() bool { return e.kind == dropped }

// NotSMB reports whether another protocol is served on the port.
func (e *Error) NotSMB() bool { return e.kind == notSMB }

// Distrusted reports whether there was an answer, and nothing proves that it is the server's.
func (e *Error) Distrusted() bool { return e.kind == distrusted }

// At returns the same failure as met in a layer.
func (e *Error) At(layer string) *Error {
	c := *e
	c.Layer = layer
	return &c
}

// The layers, as Error names them.
const (
	LayerConnect   = "connect"
	LayerNegotiate = "negotiate"
	LayerSession   = "session"
	LayerTree      = "tree"
	LayerOpen      = "open"
	LayerCall      = "call"
)

// Broken is a failure of the peer to keep to the protocol.
func Broken(format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Reason: err.Error(), Err: errors.Unwrap(err)}
}

// Malformed is an answer that does not decode.
func Malformed(layer string, err error) *Error {
	return &Error{Layer: layer, Reason: "malformed answer: " + err.Error(), Err: err}
}

// TimedOut is a wait that ended.
func TimedOut(layer, reason string) *Error {
	return &Error{Layer: layer, Reason: reason, Err: context.DeadlineExceeded, kind: timedOut}
}

// NetError puts a failure of the network into plain words.
func NetError(layer string, err error) *Error { return netError(layer, err, Routeless) }

// Routeless reports whether this machine has no route to an address. It asks the system alone: connecting a UDP socket
// sends nothing.
func Routeless(address string) bool {
	c, err := net.Dial("udp", address)
	if err == nil {
		_ = c.Close() // nothing was sent
	}
	return err != nil && isAny(err, netUnreachable)
}

func netError(layer string, err error, routeless func(address string) bool) *Error {
	e := &Error{Layer: layer, Err: err}
	var dns *net.DNSError
	var nerr net.Error
	switch {
	case errors.As(err, &dns):
		e.Reason = "cannot resolve the name " + dns.Name
	case errors.Is(err, context.Canceled):
		e.Reason = "cancelled"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		e.Reason, e.kind = "timed out", timedOut
	case isAny(err, connectionRefused):
		e.Reason = "connection refused"
	case isAny(err, hostUnreachable):
		e.Reason = "no route to the host"
	case isAny(err, netUnreachable):
		// This machine has no route, or a router on the way said so: the error is the same.
		e.Reason = "network unreachable"
		var op *net.OpError
		if errors.As(err, &op) {
			if to, ok := op.Addr.(*net.TCPAddr); ok && routeless(to.String()) {
				e.Reason = "this machine has no route to " + to.IP.String()
			}
		}
	case isAny(err, outOfFiles):
		e.Reason = "out of file descriptors on this machine"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), isAny(err, connectionReset):
		e.Reason, e.kind = "connection dropped", dropped
	case errors.Is(err, net.ErrClosed):
		e.Reason = "connection closed by this side"
	case errors.As(err, &nerr) && nerr.Timeout():
		e.Reason, e.kind = "timed out", timedOut
	default:
		e.Reason = err.Error()
	}
	if e.kind == timedOut && !errors.Is(err, context.DeadlineExceeded) {
		// The socket's deadline and the context's are the same moment: whichever is noticed first, it is one error.
		e.Err = errors.Join(context.DeadlineExceeded, err)
	}
	return e
}

// isAny reports whether an error is one of a list.
func isAny(err error, list []error) bool {
	return slices.ContainsFunc(list, func(one error) bool { return errors.Is(err, one) })
}

// foreign names the protocol that the first bytes of a peer betray, or shows them.
func foreign(b []byte) *Error {
	e := &Error{kind: notSMB}
	s := string(b)
	switch {
	case len(b) >= 2 && b[0] == 0x15 && b[1] == 3:
		e.Reason = "not SMB: TLS alert"
	case len(b) >= 2 && (b[0] == 0x16 || b[0] == 0x14 || b[0] == 0x17) && b[1] == 3:
		e.Reason = "not SMB: TLS"
	case strings.HasPrefix(s, "HTTP"):
		e.Reason = "not SMB: HTTP answer"
	case strings.HasPrefix(s, "SSH-"):
		e.Reason = "not SMB: SSH banner"
	case strings.HasPrefix(s, "220"), strings.HasPrefix(s, "421"), strings.HasPrefix(s, "554"):
		e.Reason = "not SMB: FTP or SMTP banner"
	case strings.HasPrefix(s, "<"):
		e.Reason = "not SMB: HTML or XML"
	default:
		e.Reason = fmt.Sprintf("not SMB: the answer starts with % X", b[:min(len(b), 4)])
	}
	return e
}
