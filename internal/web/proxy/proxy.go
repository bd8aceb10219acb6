// Package proxy finds the client of a request that a proxy forwards. Only configured proxies are trusted, and of their
// header only the last hop that is not one of them: the rest of X-Forwarded-For may be made up by the client.
package proxy

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// maxHops bounds how much of the header is parsed: nobody has more proxies in a row.
const maxHops = 32

// Parse parses addresses and prefixes.
func Parse(list []string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, s := range list {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			a, errAddr := netip.ParseAddr(s)
			if errAddr != nil {
				return nil, fmt.Errorf("proxy: %q is no address and no prefix", s)
			}
			p = netip.PrefixFrom(a, a.BitLen())
		}
		out = append(out, p)
	}
	return out, nil
}

// Trust sets RemoteAddr to the client behind the trusted proxies.
func Trust(proxies []netip.Prefix, h http.Handler) http.Handler {
	if len(proxies) == 0 {
		return h
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		peer, err := netip.ParseAddrPort(r.RemoteAddr)
		if err != nil || !trusted(proxies, peer.Addr()) {
			h.ServeHTTP(w, r)
			return
		}
		r = r.Clone(context.WithValue(r.Context(), https{}, outside(r.Header.Values("X-Forwarded-Proto"))))
		if from := behind(proxies, r.Header.Values("X-Forwarded-For")); from != "" {
			r.RemoteAddr = net.JoinHostPort(from, "0")
		}
		h.ServeHTTP(w, r)
	})
}

// https is the context key for whether the client used HTTPS.
type https struct{}

// HTTPS reports whether the client used HTTPS: to a trusted proxy according to its header, or to this server.
func HTTPS(r *http.Request) bool {
	said, _ := r.Context().Value(https{}).(bool)
	return said || r.TLS != nil
}

// outside parses X-Forwarded-Proto: its first word is the client's if every proxy appends one, and its only one if
// proxies replace it, as is usual.
func outside(headers []string) bool {
	first, _, _ := strings.Cut(strings.Join(headers, ","), ",")
	return strings.EqualFold(strings.TrimSpace(first), "https")
}

// behind returns the last address that is not a trusted proxy, or nothing if there is none.
func behind(proxies []netip.Prefix, headers []string) string {
	hops := strings.Split(strings.Join(headers, ","), ",")
	from := ""
	for i := len(hops) - 1; i >= 0 && i >= len(hops)-maxHops; i-- {
		a, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			return from // the header does not count unless a trusted proxy wrote it
		}
		a = a.WithZone("") // it is not used here, and may contain anything
		if from = a.Unmap().String(); !trusted(proxies, a) {
			return from
		}
	}
	return from
}

func trusted(proxies []netip.Prefix, a netip.Addr) bool {
	for _, p := range proxies {
		if p.Contains(a.Unmap()) {
			return true
		}
	}
	return false
}
