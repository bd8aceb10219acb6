// Package proxy finds who asks when a proxy asks for them. Only proxies that the administrator named are believed, and of
// what they say only the last hop that is none of them: the rest of X-Forwarded-For is whatever the client made up.
package proxy

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// maxHops bounds how much of the header is read: no estate has more proxies in a row.
const maxHops = 32

// Parse reads addresses and prefixes.
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

// Trust sets RemoteAddr to who stands behind the trusted proxies.
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

// https is where a request's context keeps whether its browser spoke HTTPS.
type https struct{}

// HTTPS tells whether a trusted proxy said that the browser came to it over HTTPS, or, without a proxy, whether it came so.
func HTTPS(r *http.Request) bool {
	said, _ := r.Context().Value(https{}).(bool)
	return said || r.TLS != nil
}

// outside reads X-Forwarded-Proto: its first word is the browser's way where every proxy adds one, and its only one where the
// proxy replaces it, as they do.
func outside(headers []string) bool {
	first, _, _ := strings.Cut(strings.Join(headers, ","), ",")
	return strings.EqualFold(strings.TrimSpace(first), "https")
}

// behind is the last address that is no trusted proxy, or nothing where none is told.
func behind(proxies []netip.Prefix, headers []string) string {
	hops := strings.Split(strings.Join(headers, ","), ",")
	from := ""
	for i := len(hops) - 1; i >= 0 && i >= len(hops)-maxHops; i-- {
		a, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			return from // what a trusted proxy did not write tells nothing
		}
		a = a.WithZone("") // it means nothing here, and may hold anything
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
