package scan

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"syscall"

	"ipcguard/internal/model"
	"ipcguard/internal/scan/targets"
)

// The ports of SMB over TCP and over NetBIOS sessions. See [MS-SMB] 2.1 and [RFC1001] 16.1.
const (
	portSMB     = 445
	portNetBIOS = 139
)

// older tries port 139 of a host that refuses 445: servers with disable netbios = no and smb ports = 139, and old ones,
// listen only there. If the user named a port, only that is tried. Of what an earlier try learned, only refused logons
// count there, see known. It returns the target to continue with.
func (s *Scanner) older(ctx context.Context, t targets.Target, first, earlier *host) (*host, targets.Target) {
	if _, _, err := net.SplitHostPort(t.Name); err == nil || s.o.NetBIOS || t.Addr.Port() != portSMB {
		return first, t
	}
	at := t
	at.Addr = netip.AddrPortFrom(t.Addr.Addr(), portNetBIOS)
	second := s.once(ctx, at, earlier)
	if r := second.result; r.Verdict != model.Unreachable {
		r.Reason = strings.TrimPrefix(r.Reason+
			"; port 445 refuses connections, and a NetBIOS session at port 139 does not", "; ")
		return second, at
	}
	first.result.Reason += "; " + second.result.Reason
	return first, t
}

// refusedPort reports whether nothing listens at a port.
func refusedPort(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }
