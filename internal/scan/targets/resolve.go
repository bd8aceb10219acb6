package targets

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"ipcguard/internal/smb/transport"
)

const (
	// lookups is the number of names resolved at a time: enough to hide a slow resolver, few enough for one that limits
	// its clients.
	lookups = 32
	// lookupTimeout is twice the usual resolver's first timeout of 5 s minus a second: one retry, then the name does
	// not exist.
	lookupTimeout = 9 * time.Second
	// maxNameAddresses bounds the addresses of one name; DNS over UDP rarely carries more.
	maxNameAddresses = 64
)

// ErrUnresolved means that a name could not be looked up. It may have an address all the same.
var ErrUnresolved = errors.New("the name could not be resolved")

// answer is what a name resolves to.
type answer struct {
	addrs []netip.Addr
	err   error
}

// resolve looks every name up once.
func resolve(ctx context.Context, specs []spec, lookup func(context.Context, string) ([]netip.Addr,
	error),
) map[string]answer {
	if lookup == nil {
		lookup = func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		}
	}
	names := make(chan string)
	answers := map[string]answer{}
	var lock sync.Mutex
	var wg sync.WaitGroup
	for range lookups {
		wg.Go(func() {
			for name := range names {
				a := one(ctx, name, lookup)
				lock.Lock()
				answers[name] = a
				lock.Unlock()
			}
		})
	}
	asked := map[string]bool{}
	for _, s := range specs {
		if s.host == "" || asked[s.host] {
			continue
		}
		asked[s.host] = true
		names <- s.host
	}
	close(names)
	wg.Wait()
	return answers
}

func one(ctx context.Context, name string, lookup func(context.Context, string) ([]netip.Addr, error)) answer {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	found, err := lookup(ctx, name)
	if err != nil {
		return answer{err: inWords(err, transport.Routeless)}
	}
	var a answer
	for _, f := range found {
		if f = f.Unmap(); len(a.addrs) < maxNameAddresses {
			a.addrs = append(a.addrs, f)
		}
	}
	if len(a.addrs) == 0 {
		a.err = errors.New("the name has no address")
	}
	return a
}

// inWords says why a lookup failed.
func inWords(err error, routeless func(server string) bool) error {
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		return errors.New("the name does not resolve")
	case errors.As(err, &dns) && dns.IsTimeout, errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%w: no answer in time", ErrUnresolved)
	case errors.As(err, &dns) && routeless(dns.Server):
		return fmt.Errorf("%w: this machine has no route to the name server %s", ErrUnresolved, dns.Server)
	case errors.As(err, &dns):
		return fmt.Errorf("%w: %s", ErrUnresolved, dns.Err)
	}
	return fmt.Errorf("%w: %w", ErrUnresolved, err)
}
