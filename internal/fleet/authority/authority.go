// Package authority is the fleet's own certificate authority. It authenticates the server to its workers and the
// workers to the server. Nobody else trusts it, and it signs nothing else.
//
//	authority (5 years, a new one a year before) ─┬─► ipcguard-server.internal (a month, each server has its own)
//	                                              └─► CN=worker-17 (a week, renewed by the worker)
//
// The rules of the room:
//
//   - The newest authority signs workers. All that have not expired are trusted, so that replacing one leaves no gap;
//     the server uses the oldest that is valid long enough, which every worker knows.
//   - One that has expired is kept, and one that is not valid yet is not used: the clock may be wrong for a while.
//   - It is stored as JSON, with its private keys sealed with the fleet's key: a copy of the database signs nothing.
//   - A worker's key never leaves it: it sends a certificate request, of which only the public key is used.
package authority

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"

	"ipcguard/internal/fleet/secret"
)

// ServerName is the server name that workers verify, whatever address they dial.
const ServerName = "ipcguard-server.internal"

// Lifetimes. See docs/fleet-worker-protocol.md.
const (
	life       = 5 * 365 * 24 * time.Hour
	renewal    = 365 * 24 * time.Hour // before the newest expires, another is created
	settled    = 30 * 24 * time.Hour  // after which every worker knows an authority: certificates last a week
	serverLife = 30 * 24 * time.Hour
	WorkerLife = 7 * 24 * time.Hour
	WorkerNew  = 2 * 24 * time.Hour // after which a worker renews
	slack      = 5 * time.Minute    // clocks differ
)

// ErrRequest says that a certificate request is invalid.
var ErrRequest = errors.New("authority: the certificate request is not one of an ECDSA key on P-256")

// one is a stored authority.
type one struct {
	Cert   []byte `json:"cert"` // DER
	Sealed []byte `json:"sealed"`

	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// Authority is the set of all authorities, the newest last. It is immutable.
type Authority struct {
	all  []one // with those that have expired
	live []one // those that have not
}

// most bounds the authorities that are stored: one is made in four years. Those that expired first are dropped.
const most = 8

// Open parses what was stored (nothing if text is empty) and creates another authority if it is time for one. changed
// says that it must be stored again: see [Authority.Text].
func Open(text string, key secret.Key, now time.Time) (a *Authority, changed bool, err error) {
	a = &Authority{}
	if text != "" {
		if err := json.Unmarshal([]byte(text), &a.all); err != nil {
			return nil, false, fmt.Errorf("authority: what is kept is damaged: %w", err)
		}
	}
	for i := range a.all {
		if err := a.all[i].open(key); err != nil {
			return nil, false, err
		}
	}
	if by, ok := newest(a.all, now); !ok || now.After(by.cert.NotAfter.Add(-renewal)) {
		x, err := create(key, now)
		if err != nil {
			return nil, false, err
		}
		a.all, changed = append(a.all, x), true
	}
	for len(a.all) > most {
		i := first(a.all)
		if now.Before(a.all[i].cert.NotAfter) {
			break
		}
		a.all, changed = slices.Delete(a.all, i, i+1), true
	}
	slices.SortStableFunc(a.all, func(x, y one) int { return x.cert.NotBefore.Compare(y.cert.NotBefore) })
	for _, x := range a.all {
		if now.Before(x.cert.NotAfter) {
			a.live = append(a.live, x)
		}
	}
	return a, changed, nil
}

// valid reports whether an authority can sign at a time.
func (x *one) valid(now time.Time) bool {
	return !now.Before(x.cert.NotBefore) && now.Before(x.cert.NotAfter)
}

// newest returns the valid authority that was made last.
func newest(all []one, now time.Time) (by one, ok bool) {
	for _, x := range all {
		if x.valid(now) && (!ok || x.cert.NotBefore.After(by.cert.NotBefore)) {
			by, ok = x, true
		}
	}
	return by, ok
}

// first returns the index of the authority that expires first.
func first(all []one) (at int) {
	for i := range all {
		if all[i].cert.NotAfter.Before(all[at].cert.NotAfter) {
			at = i
		}
	}
	return at
}

func (x *one) open(key secret.Key) (err error) {
	if x.cert, err = x509.ParseCertificate(x.Cert); err != nil {
		return fmt.Errorf("authority: what is kept is damaged: %w", err)
	}
	plain, err := key.Open(x.Sealed)
	if err != nil {
		return fmt.Errorf("authority: its private key: %w", err)
	}
	defer clear(plain)
	if x.key, err = x509.ParseECPrivateKey(plain); err != nil {
		return fmt.Errorf("authority: what is kept is damaged: %w", err)
	}
	return nil
}

func create(key secret.Key, now time.Time) (one, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return one{}, fmt.Errorf("authority: %w", err)
	}
	serial, err := newSerial()
	if err != nil {
		return one{}, err
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "ipcguard fleet " + now.UTC().Format(time.DateOnly)},
		NotBefore: now.Add(-slack), NotAfter: now.Add(life), IsCA: true,
		BasicConstraintsValid: true, MaxPathLenZero: true,
		KeyUsage: x509.KeyUsageCertSign,
	}, &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: "ipcguard fleet " + now.UTC().Format(time.DateOnly)},
	}, private.Public(), private)
	if err != nil {
		return one{}, fmt.Errorf("authority: %w", err)
	}
	plain, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		return one{}, fmt.Errorf("authority: %w", err)
	}
	defer clear(plain)
	x := one{Cert: der, key: private}
	if x.Sealed, err = key.Seal(plain); err != nil {
		return one{}, fmt.Errorf("authority: %w", err)
	}
	x.cert, err = x509.ParseCertificate(der)
	return x, err
}

func newSerial() (*big.Int, error) {
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, fmt.Errorf("authority: %w", err)
	}
	return n, nil
}

// Text returns the form that is stored.
func (a *Authority) Text() (string, error) {
	b, err := json.Marshal(a.all)
	return string(b), err
}

// Reseal seals the private keys with the newest identity of a key, if an older one sealed them. It returns their
// number.
func Reseal(text string, key secret.Key) (again string, n int, err error) {
	var all []one
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		return "", 0, fmt.Errorf("authority: what is kept is damaged: %w", err)
	}
	for i := range all {
		if key.Current(all[i].Sealed) {
			continue
		}
		plain, err := key.Open(all[i].Sealed)
		if err != nil {
			return "", 0, fmt.Errorf("authority: its private key: %w", err)
		}
		all[i].Sealed, err = key.Seal(plain)
		clear(plain)
		if err != nil {
			return "", 0, fmt.Errorf("authority: %w", err)
		}
		n++
	}
	b, err := json.Marshal(all)
	return string(b), n, err
}

// Pool returns the authorities that server and workers trust.
func (a *Authority) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	for _, x := range a.live {
		pool.AddCert(x.cert)
	}
	return pool
}

// PEM returns the certificates of all authorities that have not expired, for workers.
func (a *Authority) PEM() string {
	var b bytes.Buffer
	for _, x := range a.live {
		_ = pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: x.Cert}) // a buffer never fails
	}
	return b.String()
}

// serving returns the authority of the server's certificate: the newest that every worker knows.
func (a *Authority) serving(now time.Time) one {
	var oldest *one
	for i := len(a.live) - 1; i >= 0; i-- {
		if x := &a.live[i]; x.valid(now) {
			if now.Sub(x.cert.NotBefore) > settled {
				return *x
			}
			oldest = x
		}
	}
	if oldest == nil { // the clock was set back since Open
		return a.live[len(a.live)-1]
	}
	return *oldest
}

// Fingerprint returns the fingerprint of the authority that the server uses: the first 128 bits of SHA-256, as join
// codes contain them.
func (a *Authority) Fingerprint(now time.Time) [16]byte { return Fingerprint(a.serving(now).Cert) }

// Fingerprint returns the first 128 bits of a certificate's SHA-256.
func Fingerprint(der []byte) [16]byte {
	sum := sha256.Sum256(der)
	return [16]byte(sum[:16])
}

// Server creates a certificate for this server, followed by the authority's.
func (a *Authority) Server(now time.Time) (*tls.Certificate, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("authority: %w", err)
	}
	by := a.serving(now)
	der, err := by.sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: ServerName}, DNSNames: []string{ServerName}, NotAfter: now.Add(serverLife),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, private.Public(), now)
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("authority: %w", err)
	}
	return &tls.Certificate{Certificate: [][]byte{der, by.Cert}, PrivateKey: private, Leaf: leaf}, nil
}

func (x one) sign(c *x509.Certificate, public any, now time.Time) ([]byte, error) {
	var err error
	if c.SerialNumber, err = newSerial(); err != nil {
		return nil, err
	}
	c.NotBefore, c.KeyUsage, c.BasicConstraintsValid = now.Add(-slack), x509.KeyUsageDigitalSignature, true
	if c.NotAfter.After(x.cert.NotAfter) {
		c.NotAfter = x.cert.NotAfter
	}
	der, err := x509.CreateCertificate(rand.Reader, c, x.cert, public, x.key)
	if err != nil {
		return nil, fmt.Errorf("authority: %w", err)
	}
	return der, nil
}

// Issued is a worker's certificate.
type Issued struct {
	PEM    string
	Serial string
	Until  time.Time
}

// Worker signs a worker's certificate. It uses only the public key of the request (DER).
func (a *Authority) Worker(id int64, request []byte, now time.Time) (Issued, error) {
	r, err := x509.ParseCertificateRequest(request)
	if err != nil || r.CheckSignature() != nil {
		return Issued{}, ErrRequest
	}
	public, ok := r.PublicKey.(*ecdsa.PublicKey)
	if !ok || public.Curve != elliptic.P256() {
		return Issued{}, ErrRequest
	}
	by, ok := newest(a.live, now)
	if !ok { // the clock was set back since Open
		by = a.live[len(a.live)-1]
	}
	der, err := by.sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: workerName(id)}, NotAfter: now.Add(WorkerLife),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, public, now)
	if err != nil {
		return Issued{}, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return Issued{}, fmt.Errorf("authority: %w", err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return Issued{string(text), Serial(leaf), leaf.NotAfter}, nil
}

// Serial returns a certificate's serial number in the form that is stored.
func Serial(c *x509.Certificate) string { return c.SerialNumber.Text(16) }

const workerPrefix = "worker-"

func workerName(id int64) string { return workerPrefix + strconv.FormatInt(id, 10) }

// WorkerID returns the id of the worker that a certificate belongs to; false if it belongs to none.
func WorkerID(c *x509.Certificate) (int64, bool) {
	text, ok := strings.CutPrefix(c.Subject.CommonName, workerPrefix)
	id, err := strconv.ParseInt(text, 10, 64)
	return id, ok && err == nil && id > 0 && workerName(id) == c.Subject.CommonName
}
