package smbtest

import (
	"net"
	"time"
)

// deafConn takes every byte and says nothing.
type deafConn struct{ net.Conn }

func (deafConn) Write(b []byte) (int, error)        { return len(b), nil }
func (deafConn) SetWriteDeadline(t time.Time) error { return nil }
