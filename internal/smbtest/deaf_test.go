package smbtest

import (
	"net"
	"time"
)

// deafConn accepts every byte and never answers.
type deafConn struct{ net.Conn }

func (deafConn) Write(b []byte) (int, error)        { return len(b), nil }
func (deafConn) SetWriteDeadline(t time.Time) error { return nil }
