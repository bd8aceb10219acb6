package cli

import (
	"context"
	"fmt"
	"time"

	"ipcguard/internal/fleet"
	"ipcguard/internal/store"
	"ipcguard/internal/web/tlscert"
)

// A disk is nearly full if less than a twentieth of it and less than 2 GiB are left: a scan of 10,000 hosts writes some
// tens of MiB, and PostgreSQL or SQLite some GiB while they vacuum. Below 256 MiB it is always nearly full.
const (
	fewBytes   = 2 << 30
	leastBytes = 256 << 20
	fewParts   = 20
)

// endsSoon is how long before its end a certificate is reported: a fortnight is enough for a company's own authority.
const endsSoon = 14 * 24 * time.Hour

// watch checks this machine. cert is nil without TLS.
func watch(dir string, cert *tlscert.Source) func(context.Context) []fleet.Problem {
	return func(context.Context) []fleet.Problem {
		var out []fleet.Problem
		if free, size, err := freeBytes(dir); err == nil && nearlyFull(free, size) {
			out = append(out, fleet.Problem{
				Kind: store.EventDiskFull, About: dir,
				Text: fmt.Sprintf("The disk of %s is nearly full: %d MiB are left.", dir, free>>20),
			})
		}
		if cert != nil && !cert.SelfSigned() { // a self-signed one is renewed automatically
			if ends := cert.Ends(); time.Until(ends) < endsSoon {
				out = append(out, fleet.Problem{
					Kind: store.EventCertificateEnd, About: "the page's certificate",
					Text: "The page's certificate ends on " + ends.UTC().Format(time.RFC3339) +
						": put a new one in its place.",
				})
			}
		}
		return out
	}
}

func nearlyFull(free, size uint64) bool {
	return free < leastBytes || free < fewBytes && free < size/fewParts
}
