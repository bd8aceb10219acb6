package smbtest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
)

// Server is a running practice server.
type Server struct {
	listener net.Listener
	host     func(netip.Addr) *Host

	mu    sync.Mutex
	conns map[net.Conn]struct{}
	done  bool
	wg    sync.WaitGroup
}

// Start serves host on a loopback address, such as 127.0.0.1:0.
func Start(address string, host *Host) (*Server, error) {
	return StartMany(address, func(netip.Addr) *Host { return host })
}

// StartMany serves a different host on each address that a client connects to; nil closes the connection. With the
// address 0.0.0.0 it answers on every loopback address of the port (on Linux, 127.0.0.0/8), thousands of hosts from one
// listener; a connection to any other address of the machine is closed unanswered.
func StartMany(address string, host func(netip.Addr) *Host) (*Server, error) {
	a, err := netip.ParseAddrPort(address)
	if err != nil {
		return nil, fmt.Errorf("smbtest: %w", err)
	}
	if !a.Addr().IsLoopback() && !a.Addr().IsUnspecified() {
		return nil, fmt.Errorf("smbtest: %s is no loopback address", a.Addr())
	}
	// No probes of idle connections: the server ends them itself.
	l, err := (&net.ListenConfig{KeepAlive: -1}).Listen(context.Background(), "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("smbtest: %w", err)
	}
	s := &Server{listener: l, host: host, conns: map[net.Conn]struct{}{}}
	s.wg.Add(1)
	go s.accept()
	return s, nil
}

// Address returns the host:port to connect to.
func (s *Server) Address() string { return s.listener.Addr().String() }

// Port returns the listening port.
func (s *Server) Port() int { return s.listener.Addr().(*net.TCPAddr).Port }

// Close ends every connection and waits until the server has stopped.
func (s *Server) Close() error {
	s.mu.Lock()
	s.done = true
	for c := range s.conns {
		c.Close()
	}
	s.mu.Unlock()
	err := s.listener.Close()
	s.wg.Wait()
	return err
}

// Serve serves the client at the other end of a connection, such as one of [net.Pipe], until either side ends it.
func Serve(nc net.Conn, h *Host) {
	defer nc.Close()
	serve(nc, h)
}

func (s *Server) accept() {
	defer s.wg.Done()
	for {
		nc, err := s.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // temporarily out of file descriptors, or the client is gone
		}
		local := nc.LocalAddr().(*net.TCPAddr).AddrPort().Addr().Unmap()
		if !local.IsLoopback() || !s.enter(nc) {
			nc.Close()
			continue
		}
		go func() {
			defer s.leave(nc)
			if h := s.host(local); h != nil {
				serve(nc, h)
			}
		}()
	}
}

func (s *Server) enter(nc net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.done {
		return false
	}
	s.conns[nc] = struct{}{}
	s.wg.Add(1)
	return true
}

func (s *Server) leave(nc net.Conn) {
	nc.Close()
	s.mu.Lock()
	delete(s.conns, nc)
	s.mu.Unlock()
	s.wg.Done()
}
