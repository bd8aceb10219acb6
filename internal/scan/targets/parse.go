package targets

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"ipcguard/internal/model"
)

// maxLine bounds one line of a target file; the longest name with a port has 259 bytes.
const maxLine = 64 << 10

// maxSpecs and maxText bound the input: each target takes about 400 bytes until it is scanned. For a larger network use
// a prefix.
const (
	maxSpecs = 1_000_000
	maxText  = 64 << 20 // bytes
)

// maxReported bounds the bad targets in one error: a binary file given by mistake has thousands.
const maxReported = 20

// spec is one target as typed: a name to resolve, or a range of addresses.
type spec struct {
	text   string
	where  string // "argument" or FILE:LINE
	host   string
	span   span
	ranged bool
	// lastZone is the zone of a range's end that is written differently from that of its start.
	lastZone string
	port     uint16 // 0 where none was named
}

// readAll reads arguments, and the files that they name.
func readAll(args []string, stdin io.Reader) ([]spec, error) {
	r := &reader{stdin: stdin}
	for _, arg := range args {
		switch {
		case arg == "-":
			r.stream("standard input", r.stdin)
		case strings.HasPrefix(arg, "@"):
			r.file(arg[1:])
		default:
			r.one(arg, "argument")
		}
	}
	if r.bad > len(r.errs) {
		r.errs = append(r.errs, fmt.Errorf("and %d more bad targets", r.bad-len(r.errs)))
	}
	return r.specs, errors.Join(r.errs...)
}

type reader struct {
	stdin io.Reader
	specs []spec
	errs  []error
	bad   int
	text  int  // bytes of all specs
	full  bool // there are more than can be read
}

func (r *reader) fail(err error) {
	if r.bad++; len(r.errs) < maxReported {
		r.errs = append(r.errs, err)
	}
}

func (r *reader) one(text, where string) {
	s, err := parse(text)
	if err != nil {
		r.fail(fmt.Errorf("%s: %w", where, err))
		return
	}
	if r.text += len(text); len(r.specs) == maxSpecs || r.text > maxText {
		r.full = true
		r.fail(fmt.Errorf("%s: more than %d targets or %d MiB of them: name networks by their prefixes, or scan one "+
			"part after the other", where, maxSpecs, maxText>>20))
		return
	}
	s.where = where
	r.specs = append(r.specs, s)
}

func (r *reader) file(name string) {
	f, err := os.Open(name)
	if err != nil {
		r.fail(fmt.Errorf("target file: %w", err))
		return
	}
	defer f.Close()
	r.stream(name, f)
}

func (r *reader) stream(name string, in io.Reader) {
	if in == nil {
		r.fail(fmt.Errorf("%s: not available here", name))
		return
	}
	lines := bufio.NewScanner(model.UTF8(in))
	lines.Buffer(nil, maxLine)
	for n := 1; !r.full && lines.Scan(); n++ {
		text, _, _ := strings.Cut(lines.Text(), "#")
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		where := fmt.Sprintf("%s:%d", name, n)
		if text == "-" || strings.HasPrefix(text, "@") {
			r.fail(fmt.Errorf("%s: a target file cannot name another one", where))
			continue
		}
		r.one(text, where)
	}
	if err := lines.Err(); err != nil {
		r.fail(fmt.Errorf("%s: %w", name, err))
	}
}

// Check parses one target as typed, without resolving it, and reports whether it is a prefix or a range of addresses.
func Check(text string) (ranged bool, err error) {
	s, err := parse(text)
	return s.ranged, err
}

// parse parses one target. What starts as an address must be one; anything else is a name.
func parse(text string) (spec, error) {
	s := spec{text: text}
	if strings.ContainsAny(text, "\\") || strings.Contains(text, "://") {
		return s, fmt.Errorf("%q: name the host alone, without a share or a scheme", show(text))
	}
	if strings.Contains(text, "/") {
		return parsePrefix(s)
	}
	if left, right, ok := strings.Cut(text, "-"); ok {
		if first, err := netip.ParseAddr(left); err == nil {
			return parseRange(s, first, right)
		}
	}
	host, port, err := splitPort(text)
	if err != nil {
		return s, err
	}
	s.port = port
	if a, err := netip.ParseAddr(host); err == nil {
		if a = a.Unmap(); a.IsUnspecified() || a.IsMulticast() {
			return s, fmt.Errorf("%q: not the address of a host", show(text))
		}
		s.span = single(a)
		return s, s.linked()
	}
	if err := checkName(host); err != nil {
		return s, fmt.Errorf("%q: %w", show(text), err)
	}
	s.host = host
	return s, nil
}

func splitPort(text string) (host string, port uint16, err error) {
	rest := ""
	switch {
	case strings.HasPrefix(text, "["):
		end := strings.IndexByte(text, ']')
		if end < 0 {
			return "", 0, fmt.Errorf("%q: missing ]", show(text))
		}
		host, rest = text[1:end], text[end+1:]
		if a, err := netip.ParseAddr(host); err != nil || !a.Is6() {
			return "", 0, fmt.Errorf("%q: brackets hold an IPv6 address", show(text))
		}
		if rest == "" {
			return host, 0, nil
		}
		if rest[0] != ':' {
			return "", 0, fmt.Errorf("%q: want :PORT after ]", show(text))
		}
		rest = rest[1:]
	case strings.Count(text, ":") == 1:
		host, rest, _ = strings.Cut(text, ":")
	default:
		return text, 0, nil
	}
	n, err := strconv.ParseUint(rest, 10, 16)
	if err != nil || n == 0 {
		return "", 0, fmt.Errorf("%q: %q is not a port", show(text), show(rest))
	}
	return host, uint16(n), nil
}

func parsePrefix(s spec) (spec, error) {
	p, err := netip.ParsePrefix(s.text)
	if err != nil {
		return s, fmt.Errorf("%q: not a prefix such as 10.0.0.0/24", show(s.text))
	}
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	p = p.Masked()
	host := p.Addr().BitLen() - p.Bits()
	if host > 24 {
		return s, fmt.Errorf("%q: 2^%d addresses; the limit for one prefix is 2^24", show(s.text), host)
	}
	last := p.Addr().AsSlice()
	for i := range host {
		last[len(last)-1-i/8] |= 1 << (i % 8)
	}
	end, _ := netip.AddrFromSlice(last)
	s.span, s.ranged = span{p.Addr(), end}, true
	return s, s.linked()
}

func parseRange(s spec, first netip.Addr, right string) (spec, error) {
	first = first.Unmap()
	last, err := netip.ParseAddr(right)
	if err != nil {
		n, err := strconv.ParseUint(right, 10, 8)
		if err != nil || !first.Is4() {
			return s, fmt.Errorf("%q: a range ends in an address, or in the last number of an IPv4 address",
				show(s.text))
		}
		b := first.As4()
		b[3] = byte(n)
		last = netip.AddrFrom4(b)
	}
	last = last.Unmap()
	if last.Is4() != first.Is4() || (last.Zone() == "") != (first.Zone() == "") {
		return s, fmt.Errorf("%q: the two ends are of different kinds", show(s.text))
	}
	if last.WithZone("").Less(first.WithZone("")) {
		return s, fmt.Errorf("%q: the range ends before it starts", show(s.text))
	}
	if last.Zone() != first.Zone() { // settle tells whether they are one interface
		s.lastZone, last = last.Zone(), last.WithZone(first.Zone())
	}
	s.span, s.ranged = span{first, last}, true
	if n := s.span.size(); !n.IsInt64() || n.Int64() > MaxAddresses {
		return s, fmt.Errorf("%q: %s addresses; the limit for one range is 2^24", show(s.text), n)
	}
	return s, s.linked()
}

// linked refuses link-local addresses without a zone: every interface has the same ones. See RFC 4007, 6.
func (s spec) linked() error {
	if a := s.span.first; a.Is6() && a.IsLinkLocalUnicast() && a.Zone() == "" {
		return fmt.Errorf("%q: a link-local address needs its network interface: fe80::1%%eth0, or a range, "+
			"fe80::1%%eth0-fe80::9%%eth0", show(s.text))
	}
	return nil
}

// checkName accepts DNS and NetBIOS names: letters, digits, hyphen, underscore and dots, and whatever the resolver may
// accept in other scripts. What looks like a number is a mistyped address.
func checkName(host string) error {
	switch {
	case host == "":
		return errors.New("no host name")
	case len(host) > 253: // RFC 1035 2.3.4
		return errors.New("longer than a host name can be")
	case strings.Trim(host, "0123456789.") == "":
		return errors.New("not an address")
	}
	for label := range strings.SplitSeq(strings.TrimSuffix(host, "."), ".") {
		if label == "" || len(label) > 63 || strings.HasPrefix(label, "-") {
			return errors.New("not a host name")
		}
		for _, c := range label {
			if c <= ' ' || c == 0x7f || strings.ContainsRune("!\"#$%&'()*+,/:;<=>?@[\\]^`{|}~", c) {
				return errors.New("not a host name")
			}
		}
	}
	return nil
}

// show shortens text for an error: a line of a wrong file may have thousands of characters.
func show(text string) string {
	if len(text) > 64 {
		return text[:61] + "..."
	}
	return text
}
