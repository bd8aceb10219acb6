//go:build !linux

package gateway

import (
	"context"
	"errors"
	"net"
	"net/netip"
)

var errTransparent = errors.New("gateway: only Linux leads connections for others to a program (TPROXY)")

// ListenTransparent is only supported on Linux.
func ListenTransparent(context.Context, string) (net.Listener, error) { return nil, errTransparent }

func dialTransparent(context.Context, netip.Addr, netip.AddrPort) (net.Conn, error) {
	return nil, errTransparent
}
