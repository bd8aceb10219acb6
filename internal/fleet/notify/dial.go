package notify

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"syscall"
	"time"
)

// Timeouts. A peer answers within seconds; a whole delivery may take half a minute, since a mail server may look up its
// sender first.
const (
	dialWait = 10 * time.Second
	sendWait = 30 * time.Second
)

// metadata are the addresses where clouds tell a machine its secrets and that are neither link-local nor in a range of
// special use: AWS over IPv6, Alibaba Cloud, and Azure's WireServer.
var metadata = []netip.Addr{
	netip.MustParseAddr("fd00:ec2::254"), netip.MustParseAddr("100.100.100.200"), netip.MustParseAddr("168.63.129.16"),
}

// mayReach returns an error if an address is not allowed. See the rules of the room.
func mayReach(ip netip.Addr, loopback bool) error {
	ip = ip.Unmap().WithZone("")
	if nat64.Contains(ip) {
		b := ip.As16()
		return mayReach(netip.AddrFrom4([4]byte(b[12:])), loopback)
	}
	switch {
	case !ip.IsValid(), ip.IsUnspecified(), ip.IsMulticast(), ip == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return errors.New("no message is sent to such an address")
	case !ip.IsLoopback() && slices.ContainsFunc(special, func(p netip.Prefix) bool { return p.Contains(ip) }):
		return errors.New("no message is sent to addresses of special use")
	case ip.IsLinkLocalUnicast():
		return errors.New("no message is sent to link-local addresses")
	case slices.Contains(metadata, ip):
		return errors.New("no message is sent to addresses where a cloud keeps its machines' secrets")
	case ip.IsLoopback() && !loopback:
		return errors.New("a webhook to this machine itself has to be allowed by its channel")
	}
	return nil
}

// special are the ranges of RFC 6890 and its registry where no receiver can be: not reachable, reserved, or an indirect
// form of an IPv4 address. Private addresses and carrier-grade NAT are allowed, since enterprises have their servers
// there.
var special = prefixes(
	"0.0.0.0/8", "192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24",
	"192.175.48.0/24", "198.18.0.0/15",
	"198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
	"::/96", "64:ff9b:1::/48", "100::/64", "100:0:0:1::/64", "2001::/23", "2001:db8::/32", "2002::/16",
	"2620:4f:8000::/48", "3fff::/20", "5f00::/16", "fec0::/10",
)

// nat64 embeds an IPv4 address in its last four bytes (RFC 6052).
var nat64 = netip.MustParsePrefix("64:ff9b::/96")

func prefixes(texts ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(texts))
	for i, s := range texts {
		out[i] = netip.MustParsePrefix(s)
	}
	return out
}

// dialer connects where mayReach allows it. It checks the address that it connects to, so that a name which resolves
// differently a moment later gains nothing.
func dialer(loopback bool) *net.Dialer {
	return &net.Dialer{Timeout: dialWait, Control: func(_, address string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(address)
		if err != nil {
			return errors.New("not an address")
		}
		return mayReach(at.Addr(), loopback)
	}}
}

// endpoint parses HOST:PORT.
func endpoint(field, s string) (host string, err error) {
	if len(s) > 300 {
		return "", wrong(field, "longer than 300 characters")
	}
	host, port, err := net.SplitHostPort(s)
	if err != nil || host == "" {
		return "", wrong(field, "want HOST:PORT")
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "", wrong(field, "want a port from 1 to 65535")
	}
	if line(host, 300) != host {
		return "", wrong(field, "the name holds control characters")
	}
	return host, nil
}

// trust returns the TLS configuration for a peer: the system's authorities, or only those of a PEM text.
func trust(host, pem string) (*tls.Config, error) {
	c := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	if pem != "" {
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM([]byte(pem)) {
			return nil, wrong("ca", "holds no certificate in PEM form")
		}
	}
	return c, nil
}

// budget returns a connection that closes when ctx ends and from which at most most bytes can be read: no response
// needs to be longer.
func budget(ctx context.Context, conn net.Conn, most int) (net.Conn, func()) {
	if at, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(at)
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	return &budgeted{Conn: conn, left: most}, func() { stop(); _ = conn.Close() }
}

type budgeted struct {
	net.Conn
	left int
}

var errTalkative = fmt.Errorf("the peer says more than anybody wants to know")

// Read implements net.Conn.
func (b *budgeted) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errTalkative
	}
	n, err := b.Conn.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}
