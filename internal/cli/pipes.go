package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"ipcguard/internal/audit"
	"ipcguard/internal/dcerpc"
	"ipcguard/internal/model"
	"ipcguard/internal/ntlm"
	"ipcguard/internal/scan/targets"
	"ipcguard/internal/smb"
)

// pipes opens named pipes of hosts, signed, and encrypted if the server can.
type pipes struct {
	*app
	logon logonMaker // nil is anonymous
	// unsignedSMB1 permits unsigned connections to servers older than Windows Server 2008.
	unsignedSMB1 bool
	lock         sync.Mutex
	asked        map[string]logonMaker // by the user named before a host
}

// Open connects to HOST, HOST:PORT or USER@HOST and logs on.
func (p *pipes) Open(ctx context.Context, host string) (audit.PipeHost, error) {
	logon := p.logon
	if at := strings.LastIndexByte(host, '@'); at >= 0 {
		var err error
		if logon, err = p.as(host[:at]); err != nil {
			return nil, err
		}
		host = host[at+1:]
	}
	list, err := targets.Parse(ctx, []string{host}, targets.Options{Port: 445})
	if err != nil {
		return nil, err
	}
	var last error
	for t := range list.All() { // a name may have several addresses
		if t.Err != nil {
			return nil, t.Err
		}
		h, err := open(ctx, t, logon, p.unsignedSMB1)
		if err == nil {
			return h, nil
		}
		last = err
	}
	return nil, last
}

// as prompts for a user's password once.
func (p *pipes) as(user string) (logonMaker, error) {
	p.lock.Lock()
	defer p.lock.Unlock()
	if l := p.asked[user]; l != nil {
		return l, nil
	}
	c, err := p.prompt(user)
	if err != nil {
		return nil, err
	}
	l := c.logons(p.unsigned)
	p.asked[user] = l
	return l, nil
}

func open(ctx context.Context, t targets.Target, logon logonMaker, unsignedSMB1 bool) (*pipeHost, error) {
	var who smb.Authenticator = ntlm.NewAnonymous(ntlm.Options{})
	h := &pipeHost{identity: model.Anonymous}
	if logon != nil {
		var err error
		if who, err = logon(t); err != nil {
			return nil, err
		}
		h.identity = model.User
	}
	c, err := smb.Dial(ctx, t.Addr.String(), smb.Options{
		Encrypt: logon != nil, RequireSigning: logon != nil, UnsignedSMB1: unsignedSMB1, NetBIOS: t.Addr.Port() == 139,
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", t.Addr, err)
	}
	h.conn = c
	s, err := c.SessionSetup(ctx, who)
	if err != nil {
		err = errors.Join(fmt.Errorf("%s: logon: %w", t.Addr, err), c.Close())
		var withheld *ntlm.WithheldError
		if errors.As(err, &withheld) {
			return nil, hinted{err, "Kerberos needs no such promise; --allow-unsigned-ntlm answers all the same"}
		}
		if c.Negotiated().Dialect == smb.SMB1 && !c.Negotiated().SigningEnabled && logon != nil && !unsignedSMB1 {
			return nil, hinted{
				err, "this release signs only when it is told to (EnableSecuritySignature = 1); audit " +
					"--allow-unsigned-smb1 reads what anybody on the way may have changed",
			}
		}
		return nil, err
	}
	info := s.Info()
	if info.Guest {
		h.identity = model.Guest
	}
	switch {
	case info.Encrypted:
		h.protection = "encrypted"
	case info.Signed:
		h.protection = "signed"
	default:
		h.protection = "neither signed nor encrypted: whoever is on the way can have changed what was read"
	}
	h.protection += ", SMB " + c.Negotiated().Dialect.String()
	if h.tree, err = s.TreeConnect(ctx, "IPC$"); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: IPC$: %w", t.Addr, err), c.Close())
	}
	return h, nil
}

// pipeHost is a host with a session.
type pipeHost struct {
	conn       *smb.Conn
	tree       smb.Tree
	identity   model.Identity
	protection string
}

// OpenPipe opens a pipe.
func (h *pipeHost) OpenPipe(ctx context.Context, name string) (dcerpc.Transport, error) {
	return h.tree.OpenPipe(ctx, name)
}

// Identity returns who the caller is to the server.
func (h *pipeHost) Identity() model.Identity { return h.identity }

// Protection describes how the connection is protected.
func (h *pipeHost) Protection() string { return h.protection }

// Close ends the connection.
func (h *pipeHost) Close() error { return h.conn.Close() }
