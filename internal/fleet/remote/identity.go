// Package remote is a remote worker: it has no database, no key file, and only data of its own site. It gets jobs from
// the server, scans the hosts, and uploads the results.
//
//	      ┌── job ◄──────────────────────────────────────────────┐
//	      ▼                                                      │ HTTPS, the fleet's own
//	hosts ─► results ─► spool (files on its own disk) ─► server ◄─ alive, renew
//
// The rules of the room:
//
//   - Results are on disk before they are sent, and deleted when the server has accepted them: the server may be down
//     for days.
//   - Secrets come with a job and stay in memory until it ends. None is written to disk.
//   - It trusts only the authorities that it got when it joined or renewed; never the system's, and no name.
//   - It judges nothing: the server decides what changed and what that means.
package remote

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base32"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"ipcguard/internal/fleet/authority"
	"ipcguard/internal/fleet/wire"
)

// Identity is a worker's identity as stored in its directory.
type Identity struct {
	Server string `json:"server"` // https://HOST:PORT
	wire.Joined

	dir   string
	key   *ecdsa.PrivateKey
	cert  *x509.Certificate
	clock func() time.Time // nil is time.Now
}

// The files of a worker's directory.
const (
	identityFile = "worker.json"
	privateFile  = "worker.key"
	spoolDir     = "results"
)

// The errors that callers distinguish.
var (
	ErrNotJoined = errors.New("this worker has not joined a server")
	ErrCode      = errors.New("this is not a join code: a join code begins with " + wire.CodePrefix)
	ErrRevoked   = errors.New(
		"the server does not know this worker any more: it was revoked, or its certificate was replaced",
	)
	ErrEnded = errors.New("the worker's certificate has ended: it was away for too long, and has to join again")
)

var codeText = base32.StdEncoding.WithPadding(base32.NoPadding)

// parseCode splits a join code.
func parseCode(code string) (secret string, print [16]byte, err error) {
	rest, ok := strings.CutPrefix(strings.TrimSpace(code), wire.CodePrefix)
	secret, text, both := strings.Cut(rest, "-")
	b, decoded := codeText.DecodeString(text)
	if !ok || !both || len(secret) != codeText.EncodedLen(16) || decoded != nil || len(b) != len(print) {
		return "", print, ErrCode
	}
	return secret, [16]byte(b), nil
}

// parseServer parses a server's address.
func parseServer(text string) (string, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || strings.Trim(u.Path, "/") != "" ||
		u.RawQuery != "" {
		return "", errors.New(
			"want the address of the server's listener for workers, such as https://fleet.example:8444",
		)
	}
	return "https://" + u.Host, nil
}

// Join enrols a worker with a one-time code and stores its identity in a directory. It fails if the directory already
// has a worker.
func Join(ctx context.Context, dir, server, code, name, version string) (*Identity, error) {
	server, err := parseServer(server)
	if err != nil {
		return nil, err
	}
	secret, print, err := parseCode(code)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if old, err := Load(dir); err == nil && time.Now().Before(old.cert.NotAfter) {
		return nil, fmt.Errorf("%s holds a worker already: %s of %s; name another directory, or remove it",
			dir, old.Name, old.Site)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	request, err := requestOf(key)
	if err != nil {
		return nil, err
	}
	client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{TLSClientConfig: &tls.Config{
		MinVersion: tls.VersionTLS13, ServerName: authority.ServerName,
		// Only the fingerprint of the authority is known; shownIs checks it.
		InsecureSkipVerify: true,
		VerifyConnection:   func(s tls.ConnectionState) error { return shownIs(s, print) },
	}}}
	defer client.CloseIdleConnections()
	var joined wire.Joined
	in := wire.Join{Protocol: wire.Protocol, Code: secret, Request: request, Name: name, Version: version}
	if _, err := post(ctx, client, server+wire.PathJoin, in, &joined); err != nil {
		return nil, err
	}
	id := &Identity{Server: server, Joined: joined, dir: dir, key: key}
	if err := id.check(); err != nil {
		return nil, err
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, err
	}
	if err := write(filepath.Join(dir, privateFile), true, pem.EncodeToMemory(&pem.Block{
		Type:  "EC PRIVATE KEY",
		Bytes: der,
	})); err != nil {
		return nil, err
	}
	return id, id.save()
}

// shownIs checks the server's authority against a fingerprint, and its certificate against the authority.
func shownIs(s tls.ConnectionState, print [16]byte) error {
	if len(s.PeerCertificates) < 2 {
		return errors.New("the server shows no authority of its own: is this its listener for workers?")
	}
	leaf, by := s.PeerCertificates[0], s.PeerCertificates[1]
	if authority.Fingerprint(by.Raw) != print {
		return errors.New("the server is not the one that the join code is of: its authority has another fingerprint")
	}
	roots := x509.NewCertPool()
	roots.AddCert(by)
	_, err := leaf.Verify(x509.VerifyOptions{
		Roots:     roots,
		DNSName:   authority.ServerName,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	return err
}

func requestOf(key *ecdsa.PrivateKey) ([]byte, error) {
	return x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
}

// Load reads a worker's identity.
func Load(dir string) (*Identity, error) {
	id := &Identity{dir: dir}
	b, err := os.ReadFile(filepath.Join(dir, identityFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNotJoined
	}
	if err == nil {
		err = json.Unmarshal(b, id)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, identityFile), err)
	}
	if b, err = os.ReadFile(filepath.Join(dir, privateFile)); err != nil {
		return nil, err
	}
	block, _ := pem.Decode(b)
	if block == nil {
		return nil, fmt.Errorf("%s: no private key", filepath.Join(dir, privateFile))
	}
	if id.key, err = x509.ParseECPrivateKey(block.Bytes); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, privateFile), err)
	}
	return id, id.check()
}

// check parses the certificate and verifies that it belongs to the key.
func (id *Identity) check() error {
	block, _ := pem.Decode([]byte(id.Certificate))
	if block == nil {
		return errors.New("the worker's certificate cannot be read")
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return fmt.Errorf("the worker's certificate: %w", err)
	}
	if public, ok := cert.PublicKey.(*ecdsa.PublicKey); !ok || !public.Equal(id.key.Public()) {
		return errors.New("the worker's certificate is not of its key")
	}
	if id.pool() == nil {
		return errors.New("the fleet's authorities cannot be read")
	}
	id.cert = cert
	return nil
}

func (id *Identity) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM([]byte(id.Authorities)) {
		return nil
	}
	return pool
}

// Until returns the end of the worker's certificate.
func (id *Identity) Until() time.Time { return id.cert.NotAfter }

func (id *Identity) save() error {
	b, err := json.MarshalIndent(id, "", "  ")
	if err != nil {
		return err
	}
	return write(filepath.Join(id.dir, identityFile), true, append(b, '\n'))
}

// client returns an HTTP client that authenticates as this worker.
func (id *Identity) client() *http.Client {
	pair := tls.Certificate{Certificate: [][]byte{id.cert.Raw}, PrivateKey: id.key, Leaf: id.cert}
	return &http.Client{Timeout: 2 * time.Minute, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{
			MinVersion:   tls.VersionTLS13,
			ServerName:   authority.ServerName,
			RootCAs:      id.pool(),
			Certificates: []tls.Certificate{pair},
			Time:         id.clock,
		},
		MaxIdleConnsPerHost: 4, IdleConnTimeout: time.Minute, TLSHandshakeTimeout: 15 * time.Second,
		ForceAttemptHTTP2: true,
	}}
}

// renewed requests a new certificate and stores it.
func (id *Identity) renewed(ctx context.Context, client *http.Client) (*Identity, error) {
	request, err := requestOf(id.key)
	if err != nil {
		return nil, err
	}
	fresh := &Identity{Server: id.Server, dir: id.dir, key: id.key, clock: id.clock}
	if _, err := post(ctx, client, id.Server+wire.PathRenew, wire.Renew{Request: request}, &fresh.Joined); err != nil {
		return nil, err
	}
	if err := fresh.check(); err != nil {
		return nil, err
	}
	return fresh, fresh.save()
}

// statusError is an error response.
type statusError struct {
	status int
	detail string
}

// Error returns the server's message.
func (e *statusError) Error() string {
	if e.detail == "" {
		return fmt.Sprintf("the server answers %d", e.status)
	}
	return fmt.Sprintf("the server answers %d: %s", e.status, e.detail)
}

// post sends a request and decodes the response into out; false says that there is no content.
func post(ctx context.Context, client *http.Client, address string, in, out any) (bool, error) {
	b, err := json.Marshal(in)
	if err != nil {
		return false, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(b))
	if err != nil {
		return false, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set(wire.Header, strconv.Itoa(wire.Protocol))
	res, err := client.Do(req)
	if err != nil {
		return false, err
	}
	defer res.Body.Close()
	if res.StatusCode == http.StatusNoContent {
		return false, nil
	}
	body := io.LimitReader(res.Body, wire.MaxAnswer)
	if res.StatusCode != http.StatusOK {
		var p wire.Problem
		_ = json.NewDecoder(io.LimitReader(body, 64<<10)).Decode(&p) // the status is enough
		return false, &statusError{res.StatusCode, p.Detail}
	}
	if out == nil {
		return true, nil
	}
	return true, json.NewDecoder(body).Decode(out)
}

// newFile begins the name of a file that is not complete yet.
const newFile = ".new-"

// write replaces a file atomically, readable only by its owner. sync may be false if the file may be lost in a power
// failure: it still survives the end of the process.
func write(path string, sync bool, b []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), newFile+"*")
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if sync {
		err = errors.Join(err, f.Sync())
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
