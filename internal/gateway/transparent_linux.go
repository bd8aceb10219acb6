package gateway

import (
	"context"
	"net"
	"net/netip"
	"syscall"
)

// Mark is the firewall mark of the gateway's own connections to servers, which must not be redirected to the gateway
// again.
const Mark = 445

// ListenTransparent listens for connections to other addresses that the firewall redirects (TPROXY): the local address
// of each is the server that the client dialled. It requires CAP_NET_ADMIN. See Linux,
// Documentation/networking/tproxy.rst.
func ListenTransparent(ctx context.Context, address string) (net.Listener, error) {
	l := net.ListenConfig{KeepAlive: -1, Control: func(network, _ string, c syscall.RawConn) error {
		return transparent(network, c)
	}}
	return l.Listen(ctx, "tcp", address)
}

// dialTransparent connects to a server from the client's address. The responses must be routed through this machine.
func dialTransparent(ctx context.Context, client netip.Addr, server netip.AddrPort) (net.Conn, error) {
	d := net.Dialer{
		KeepAlive: -1,
		LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(client, 0)),
		Control: func(network, _ string, c syscall.RawConn) error {
			if err := transparent(network, c); err != nil {
				return err
			}
			return option(c, syscall.SOL_SOCKET, syscall.SO_MARK, Mark)
		},
	}
	return d.DialContext(ctx, "tcp", server.String())
}

func transparent(network string, c syscall.RawConn) error {
	const ipv6Transparent = 75 // IPV6_TRANSPARENT of linux/in6.h
	if network == "tcp6" {
		return option(c, syscall.SOL_IPV6, ipv6Transparent, 1)
	}
	return option(c, syscall.SOL_IP, syscall.IP_TRANSPARENT, 1)
}

func option(c syscall.RawConn, level, name, value int) error {
	var err error
	if cerr := c.Control(func(fd uintptr) { err = syscall.SetsockoptInt(int(fd), level, name, value) }); cerr != nil {
		return cerr
	}
	return err
}
