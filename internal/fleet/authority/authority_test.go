package authority

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"testing"
	"time"

	"ipcguard/internal/fleet/secret"
)

// TestClockAhead: a clock that is ahead for a moment, even by more than an authority's life, takes nothing from the
// workers that have joined, and new ones can join afterwards.
func TestClockAhead(t *testing.T) {
	key, _, err := secret.Create(t.TempDir() + "/fleet.key")
	if err != nil {
		t.Fatal(err)
	}
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	request, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, private)
	if err != nil {
		t.Fatal(err)
	}
	began := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	for _, years := range []int{1, 4, 5, 10, 30} {
		text := ""
		open := func(now time.Time) *Authority {
			t.Helper()
			a, changed, err := Open(text, key, now)
			if err != nil {
				t.Fatal(err)
			}
			if changed {
				if text, err = a.Text(); err != nil {
					t.Fatal(err)
				}
			}
			return a
		}
		worker := func(a *Authority, now time.Time) *x509.Certificate {
			t.Helper()
			issued, err := a.Worker(7, request, now)
			if err != nil {
				t.Fatal(err)
			}
			block, _ := pem.Decode([]byte(issued.PEM))
			c, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
		good := func(c *x509.Certificate, a *Authority, now time.Time, use x509.ExtKeyUsage) error {
			_, err := c.Verify(x509.VerifyOptions{
				Roots: a.Pool(), CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{use},
			})
			return err
		}
		first := open(began)
		joined := worker(first, began)
		ahead := began.AddDate(years, 0, 1)
		if a := open(ahead); good(worker(a, ahead), a, ahead, x509.ExtKeyUsageClientAuth) != nil {
			t.Errorf("%d years ahead: a worker that joins then is not let in", years)
		}
		now := began.Add(time.Hour)
		a := open(now)
		if err := good(joined, a, now, x509.ExtKeyUsageClientAuth); err != nil {
			t.Errorf("%d years ahead, and back: the worker that had joined: %v", years, err)
		}
		if err := good(worker(a, now), a, now, x509.ExtKeyUsageClientAuth); err != nil {
			t.Errorf("%d years ahead, and back: a renewed certificate: %v", years, err)
		}
		pair, err := a.Server(now)
		if err != nil {
			t.Fatal(err)
		}
		if err := good(pair.Leaf, first, now, x509.ExtKeyUsageServerAuth); err != nil {
			t.Errorf("%d years ahead, and back: the server to its worker: %v", years, err)
		}
		if Fingerprint(pair.Certificate[1]) != a.Fingerprint(now) {
			t.Errorf("%d years ahead, and back: a join code names another authority than the server shows", years)
		}
	}
}
