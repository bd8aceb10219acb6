package gateway

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"syscall"
	"time"

	"ipcguard/internal/model"
	"ipcguard/internal/ntlm"
	"ipcguard/internal/smb"
	"ipcguard/internal/smb/smb2"
	"ipcguard/internal/status"
)

// Found is one way to a server, and whether it leads around the gateway: allowed, denied (it was refused), or
// inconclusive (no answer, because of a firewall or a server that is down).
type Found struct {
	Way     string        `json:"way"`
	Address string        `json:"address"`
	Outcome model.Outcome `json:"outcome"`
	Says    string        `json:"says"`
	Look    model.Look    `json:"look"`
}

// Around configures a check.
type Around struct {
	Gateway string       // host:port of the gateway; empty if it is transparent
	Server  []netip.Addr // every known address of the server
	Port    uint16       // its SMB port
	Wait    time.Duration

	// As returns a logon for an address; nil: do not ask for the server's list of its own addresses, which it gives
	// only to users.
	As func(address string) (smb.Authenticator, error)
}

// Check looks for ways around a gateway from where it runs, which should be where clients are.
func Check(ctx context.Context, a Around) []Found {
	a.Wait = cmp.Or(a.Wait, 5*time.Second)
	a.Port = cmp.Or(a.Port, 445)
	var out []Found
	if a.Gateway != "" {
		out = append(out, a.stranger(ctx, "the gateway lets a null session in", a.Gateway))
	}
	for _, server := range a.Server {
		at := func(port uint16) string { return netip.AddrPortFrom(server, port).String() }
		if a.Gateway == "" {
			out = append(out, a.stranger(ctx, "a null session, on the way that leads through the gateway", at(a.Port)))
		} else {
			out = append(out, a.tcp(ctx, "SMB past the gateway", at(a.Port)))
		}
		out = append(out, a.tcp(ctx, "SMB over NetBIOS", at(139)),
			a.tcp(ctx, "RPC's endpoint mapper, which leads to ports of SAMR and LSA without a pipe", at(135)),
			a.quic(ctx, at(443)))
	}
	through := a.Gateway
	if through == "" && len(a.Server) > 0 {
		through = netip.AddrPortFrom(a.Server[0], a.Port).String()
	}
	if through == "" {
		return out
	}
	up := a.channels(ctx, through)
	for i := range out {
		// No answer means nothing if the server is down. If it answers through the gateway, it means: not from here.
		if f := &out[i]; up.Outcome != model.Inconclusive && f.Says == noAnswer {
			f.Outcome, f.Says = model.Denied, noAnswer+", though the server answers through the gateway"
		}
	}
	out = append(out, up)
	if a.As != nil {
		out = append(out, a.otherAddresses(ctx, through)...)
	}
	return out
}

// lister is an SMB 3 tree.
type lister interface {
	NetworkInterfaces(ctx context.Context) ([]smb2.NetworkInterface, error)
}

// invalidDeviceRequest is the status for a control code that a server does not know. See [MS-SMB2] 3.3.5.15.
const invalidDeviceRequest status.NTStatus = 0xC0000010

// otherAddresses asks the server, as a user, for the addresses of its further channels, and tries each.
func (a *Around) otherAddresses(ctx context.Context, address string) []Found {
	const way, asked = "the server's list of its own addresses", "FSCTL_QUERY_NETWORK_INTERFACE_INFO"
	fail := func(err error) []Found {
		outcome, says := silence(err)
		return []Found{found(way, address, asked, model.User, outcome, says)}
	}
	list, err := a.list(ctx, address)
	var st status.NTStatus
	var withheld *ntlm.WithheldError
	switch {
	case errors.As(err, &withheld):
		return []Found{found(way, address, asked, model.User, model.Inconclusive, ntlm.NotGiven+withheld.Reason)}
	case errors.As(err, &st) && st.Answer() == status.No:
		return []Found{found(way, address, asked, model.User, model.Inconclusive, "the user was refused: "+st.String())}
	// A server without multichannel does not know the request.
	case errors.Is(err, status.NotSupported), errors.Is(err, invalidDeviceRequest):
		return []Found{found(way, address, asked, model.User, model.Denied, "the server has none: "+err.Error())}
	case err != nil:
		return fail(err)
	}
	out := []Found{found(way, address, asked, model.User, model.Denied, fmt.Sprintf("%d addresses", len(list)))}
	seen := map[netip.Addr]bool{}
	for _, i := range list {
		to := netip.AddrPortFrom(i.Address, a.Port).String()
		if i.Capabilities&smb2.InterfaceRDMA != 0 {
			out = append(out,
				found("RDMA, which no gateway of TCP sees", to, asked, model.User, model.Allowed,
					"the server offers it at this address"))
		}
		if !i.Address.IsValid() || i.Address.IsLoopback() || seen[i.Address] || to == a.Gateway {
			continue
		}
		seen[i.Address] = true
		if a.Gateway == "" { // the way leads through the gateway if it refuses strangers
			out = append(out, a.stranger(ctx, "a null session, at an address that the server tells its users", to))
		} else {
			out = append(out, a.tcp(ctx, "SMB past the gateway, at an address that the server tells its users", to))
		}
	}
	return out
}

func (a *Around) list(ctx context.Context, address string) ([]smb2.NetworkInterface, error) {
	who, err := a.As(address)
	if err != nil {
		return nil, err
	}
	conn, err := smb.Dial(ctx, address, a.options())
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	s, err := conn.SessionSetup(ctx, who)
	if err != nil {
		return nil, err
	}
	tree, err := s.TreeConnect(ctx, "IPC$")
	if err != nil {
		return nil, err
	}
	l, ok := tree.(lister)
	if !ok {
		return nil, status.NotSupported
	}
	return l.NetworkInterfaces(ctx)
}

const noAnswer = "no answer"

// found returns the result of one question.
func found(way, address, asked string, as model.Identity, outcome model.Outcome, says string) Found {
	now := time.Now().UTC()
	look := model.Look{Asked: asked, Of: address, As: as, Times: 1, First: now, Last: now, Answer: says}
	return Found{way, address, outcome, says, look}
}

// silence returns what a failed connection says about a way.
func silence(err error) (model.Outcome, string) {
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return model.Denied, "connection refused"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return model.Inconclusive, noAnswer
	}
	return model.Inconclusive, err.Error()
}

// tcp tries to connect.
func (a *Around) tcp(ctx context.Context, way, address string) Found {
	ctx, cancel := context.WithTimeout(ctx, a.Wait)
	defer cancel()
	nc, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	outcome, says := model.Allowed, "takes connections"
	if err == nil {
		nc.Close()
	} else {
		outcome, says = silence(err)
	}
	return found(way, address, "TCP connection", "", outcome, says)
}

// stranger tries a null session.
func (a *Around) stranger(ctx context.Context, way, address string) Found {
	const asked = "null session"
	conn, err := smb.Dial(ctx, address, a.options())
	if err != nil {
		outcome, says := silence(err)
		return found(way, address, asked, model.Anonymous, outcome, says)
	}
	defer conn.Close()
	_, err = conn.SessionSetup(ctx, ntlm.NewAnonymous(ntlm.Options{}))
	var st status.NTStatus
	switch {
	case err == nil:
		return found(way, address, asked, model.Anonymous, model.Allowed, status.Success.String())
	case errors.As(err, &st) && st.Answer() == status.No:
		return found(way, address, asked, model.Anonymous, model.Denied, st.String())
	}
	outcome, says := silence(err)
	return found(way, address, asked, model.Anonymous, outcome, says)
}

func (a *Around) options() smb.Options {
	return smb.Options{Timeouts: smb.Timeouts{Connect: a.Wait, Negotiate: a.Wait, Session: a.Wait}}
}

// channels asks whether the server supports multichannel: clients then connect to its other addresses.
func (a *Around) channels(ctx context.Context, address string) Found {
	const way, asked = "addresses that the server tells its users (multichannel)", "NEGOTIATE"
	conn, err := smb.Dial(ctx, address, a.options())
	if err != nil {
		outcome, says := silence(err)
		return found(way, address, asked, "", outcome, says)
	}
	defer conn.Close()
	n := conn.Negotiated()
	if n.Dialect < smb.SMB300 || n.Capabilities&smb2.CapMultiChannel == 0 {
		return found(way, address, asked, "", model.Denied, "the server offers one channel")
	}
	return found(way, address, asked, "", model.Allowed,
		"the server offers several channels, and tells its users where")
}

// quic sends a packet of a nonexistent version: a QUIC server answers with the versions that it supports. See RFC 9000
// 6.1.
func (a *Around) quic(ctx context.Context, address string) Found {
	const way, asked = "SMB over QUIC, or another service of QUIC", "QUIC version"
	nc, err := new(net.Dialer).DialContext(ctx, "udp", address)
	if err != nil {
		outcome, says := silence(err)
		return found(way, address, asked, "", outcome, says)
	}
	defer nc.Close()
	packet := make([]byte, 1200) // shorter packets are not answered
	copy(packet, []byte{0xC0, 0x1A, 0x2A, 0x3A, 0x4A, 8, 1, 2, 3, 4, 5, 6, 7, 8, 0})
	_ = nc.SetDeadline(time.Now().Add(a.Wait))
	if _, err := nc.Write(packet); err == nil {
		_, err = nc.Read(make([]byte, 1500))
		if err == nil {
			return found(way, address, asked, "", model.Allowed, "answers")
		}
		outcome, says := silence(err)
		return found(way, address, asked, "", outcome, says)
	}
	outcome, says := silence(err)
	return found(way, address, asked, "", outcome, says)
}

// Sum summarizes a check.
func Sum(list []Found) (open, unknown int) {
	for _, f := range list {
		switch f.Outcome {
		case model.Allowed:
			open++
		case model.Denied:
		default:
			unknown++
		}
	}
	return open, unknown
}

// String returns one line.
func (f Found) String() string {
	return fmt.Sprintf("%-12s %-24s %s: %s", f.Outcome, strconv.Quote(f.Address), f.Way, f.Says)
}
