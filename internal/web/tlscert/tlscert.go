// Package tlscert provides the certificate of the fleet's pages: the administrator's own, or a self-signed one.
//
// The rules of this package:
//
//   - A self-signed certificate is kept, so that its fingerprint stays the same. It is replaced a month before it ends.
//   - The administrator's files are read again when they change; if certificate and key do not match, half written
//     perhaps, the previous ones stay.
//   - The private key is readable only by its owner, and never printed.
package tlscert

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Options say where the certificate is.
type Options struct {
	Cert, Key string           // PEM files of the administrator's own; both or none
	Dir       string           // where a self-signed one is stored
	Hosts     []string         // names and addresses of a self-signed one, besides localhost and this host's name
	Clock     func() time.Time // nil is time.Now
}

// The file names of a self-signed certificate.
const (
	certFile = "cert.pem"
	keyFile  = "key.pem"
)

// The lifetime of a self-signed certificate: the maximum that browsers accept, and a month before its end it is
// replaced.
const (
	lifetime = 397 * 24 * time.Hour
	renewal  = 30 * 24 * time.Hour
)

// lookAgain is the least time between two checks of the files.
const lookAgain = 10 * time.Second

// Source provides the certificate for every handshake. It is safe for concurrent use.
type Source struct {
	o          Options
	selfSigned bool

	mu     sync.Mutex
	pair   *tls.Certificate
	looked time.Time
	seen   [2]stamp
}

// stamp identifies a version of a file.
type stamp struct {
	size int64
	time time.Time
}

// Open reads the certificate, or makes one.
func Open(o Options) (*Source, error) {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	s := &Source{o: o, selfSigned: o.Cert == "" && o.Key == ""}
	if s.selfSigned {
		if o.Dir == "" {
			return nil, errors.New("tlscert: no certificate and no directory to keep one in")
		}
		s.o.Cert, s.o.Key = filepath.Join(o.Dir, certFile), filepath.Join(o.Dir, keyFile)
		if err := s.keep(); err != nil {
			return nil, err
		}
	}
	pair, err := load(s.o.Cert, s.o.Key)
	if err != nil {
		return nil, err
	}
	s.pair, s.looked, s.seen = pair, s.o.Clock(), s.stamps()
	return s, nil
}

// Fingerprint returns the SHA-256 of the certificate, as browsers show it: pairs of hexadecimal digits with colons.
func (s *Source) Fingerprint() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	sum := sha256.Sum256(s.pair.Certificate[0])
	return strings.ReplaceAll(fmt.Sprintf("% X", sum[:]), " ", ":")
}

// SelfSigned reports whether the certificate is a self-signed one of this package.
func (s *Source) SelfSigned() bool { return s.selfSigned }

// Ends returns when the current certificate ends.
func (s *Source) Ends() time.Time { return s.current().Leaf.NotAfter }

// Config returns a server's configuration: TLS 1.2 and newer, and at each handshake the current certificate.
func (s *Source) Config() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"h2", "http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return s.current(), nil
		},
	}
}

// current returns the current certificate.
func (s *Source) current() *tls.Certificate {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.o.Clock()
	if d := now.Sub(s.looked); d >= 0 && d < lookAgain { // a clock that was set back checks at once
		return s.pair
	}
	s.looked = now
	if s.selfSigned {
		_ = s.keep() // the old one stays in use, and the next handshakes try again
	}
	if seen := s.stamps(); seen != s.seen {
		if pair, err := load(s.o.Cert, s.o.Key); err == nil {
			s.pair, s.seen = pair, seen
		}
	}
	return s.pair
}

func (s *Source) stamps() (out [2]stamp) {
	for i, name := range []string{s.o.Cert, s.o.Key} {
		if info, err := os.Stat(name); err == nil {
			out[i] = stamp{info.Size(), info.ModTime()}
		}
	}
	return out
}

func load(cert, key string) (*tls.Certificate, error) {
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("tlscert: %w", err)
	}
	return &pair, nil
}

// keep ensures that there is a self-signed certificate that does not end soon.
func (s *Source) keep() error {
	pair, err := load(s.o.Cert, s.o.Key)
	switch {
	case err == nil && pair.Leaf.NotAfter.Sub(s.o.Clock()) > renewal && !s.o.Clock().Before(pair.Leaf.NotBefore):
		return nil
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err // somebody else put a file there: do not overwrite it
	}
	if err := os.MkdirAll(s.o.Dir, 0o700); err != nil {
		return fmt.Errorf("tlscert: %w", err)
	}
	cert, key, err := s.make()
	if err != nil {
		return fmt.Errorf("tlscert: %w", err)
	}
	// The key first: a pair that does not match is replaced at the next start.
	if err := write(s.o.Key, key); err != nil {
		return err
	}
	return write(s.o.Cert, cert)
}

// make returns a self-signed certificate and its key in PEM.
func (s *Source) make() (cert, key []byte, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, nil, err
	}
	hosts := append([]string{"localhost", "127.0.0.1", "::1"}, s.o.Hosts...)
	if name, err := os.Hostname(); err == nil && name != "" {
		hosts = append(hosts, name)
	}
	now := s.o.Clock()
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: "ipcguard", Organization: []string{"made by ipcguard on its own machine"}},
		NotBefore:    now.Add(-time.Hour), // clients' clocks
		NotAfter:     now.Add(lifetime),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},

		BasicConstraintsValid: true,
	}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, h)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		return nil, nil, err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), nil
}

// write writes a complete file, readable only by its owner.
func write(path string, b []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*") // mode 0600
	if err != nil {
		return fmt.Errorf("tlscert: %w", err)
	}
	defer os.Remove(f.Name())
	if _, err = f.Write(b); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("tlscert: %w", err)
	}
	return nil
}
