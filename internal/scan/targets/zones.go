package targets

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
)

// zones knows the network interfaces of this machine by their names and numbers.
type zones struct {
	lookup func(zone string) (name string, err error)
	known  map[string]string // by what was asked for
}

// name returns the name of an interface, which may be given by its number.
func (z *zones) name(zone string) (string, error) {
	if name, ok := z.known[zone]; ok {
		return name, nil
	}
	name, err := z.lookup(zone)
	if err == nil {
		z.known[zone] = name
	}
	return name, err
}

// settle gives the zone of every address its interface's name, so that an interface by its name and by its number is
// one. It reports interfaces that this machine does not have.
func (z *zones) settle(specs []spec) error {
	var errs []error
	for i, s := range specs {
		zone := s.span.first.Zone()
		if zone == "" {
			continue
		}
		name, err := z.name(zone)
		if err == nil && s.lastZone != "" {
			var last string
			if last, err = z.name(s.lastZone); err == nil && last != name {
				err = errors.New("the two ends are on different network interfaces")
			}
		}
		if err != nil {
			if len(errs) < maxReported {
				errs = append(errs, fmt.Errorf("%s: %q: %w", s.where, show(s.text), err))
			}
			continue
		}
		specs[i].span = span{s.span.first.WithZone(name), s.span.last.WithZone(name)}
	}
	return errors.Join(errs...)
}

// settled is settle for an address of an earlier run, whose interface may be gone.
func (z *zones) settled(a netip.Addr) netip.Addr {
	if a.Zone() == "" {
		return a
	}
	if name, err := z.name(a.Zone()); err == nil {
		return a.WithZone(name)
	}
	return a
}

// ofThisMachine looks an interface up by its name or number.
func ofThisMachine(zone string) (name string, err error) {
	if i, err := net.InterfaceByName(zone); err == nil {
		return i.Name, nil
	}
	if n, err := strconv.ParseUint(zone, 10, 31); err == nil {
		if i, err := net.InterfaceByIndex(int(n)); err == nil {
			return i.Name, nil
		}
	}
	return "", fmt.Errorf("this machine has no network interface %q", show(zone))
}
