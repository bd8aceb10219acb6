package cli

import (
	"bytes"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/BurntSushi/toml"
	"github.com/goccy/go-yaml"

	"ipcguard/internal/gateway"
)

// maxGatewayConfig bounds the configuration file, in bytes: about a thousand listeners.
const maxGatewayConfig = 256 << 10

// The parser's time and memory grow with the square of the depth of keys and values: a dotted key of 240 KB takes more
// than a minute, and 4,000 nested tables take 600 MB. A listener has four brackets and those of its lists; a line is a
// name with its value, or a list of addresses.
const (
	maxGatewayLine     = 1 << 10
	maxGatewayDots     = 64 // in a line: 16 addresses
	maxGatewayBrackets = 8 << 10
	maxGatewayDepth    = 8 // of brackets, across lines
)

// flat refuses a configuration that nests too deep. It also counts brackets in strings and comments: the only names and
// addresses with brackets are IPv6 addresses, which close them.
func flat(text []byte) error {
	brackets, depth, n := 0, 0, 0
	for line := range bytes.Lines(text) {
		n++
		open := bytes.Count(line, []byte("[")) + bytes.Count(line, []byte("{"))
		brackets += open
		depth = max(0, depth+open-bytes.Count(line, []byte("]"))-bytes.Count(line, []byte("}")))
		switch {
		case len(line) > maxGatewayLine:
			return fmt.Errorf("line %d: more than %d bytes", n, maxGatewayLine)
		case bytes.Count(line, []byte(".")) > maxGatewayDots:
			return fmt.Errorf("line %d: more than %d dots", n, maxGatewayDots)
		case brackets > maxGatewayBrackets:
			return fmt.Errorf("line %d: more than %d brackets", n, maxGatewayBrackets)
		case depth > maxGatewayDepth:
			return fmt.Errorf("line %d: more than %d brackets are open", n, maxGatewayDepth)
		}
	}
	return nil
}

// gatewayConfig is the configuration of a gateway.
type gatewayConfig struct {
	Limits gateway.Limits
	Routes map[string]gateway.Route // by the address of the listener
}

// gatewayFile is the form of the configuration file.
type gatewayFile struct {
	Limits struct {
		Connections int           `toml:"connections"`
		PerClient   int           `toml:"per-client"`
		Logon       time.Duration `toml:"logon"`
		Stranger    time.Duration `toml:"stranger"`
		User        time.Duration `toml:"user"`
		Dial        time.Duration `toml:"dial"`
	} `toml:"limits"`
	Listeners []struct {
		Listen      string `toml:"listen"`
		To          string `toml:"to"`
		Policy      string `toml:"policy"` // relative to the configuration file
		ObserveOnly bool   `toml:"observe-only"`
		Transparent bool   `toml:"transparent"`
	} `toml:"listener"`
}

// read makes the configuration from the flags and the files that they name.
func (f *gatewayFlags) read() (*gatewayConfig, error) {
	if f.limits.Connections < 0 || f.limits.PerClient < 0 {
		return nil, usage("--connections and --per-client: below zero")
	}
	if f.config == "" {
		if f.listen == "" || f.to == "" && !f.transparent {
			return nil, hinted{usage("--listen and --to are needed"), "or --config with a file that has them"}
		}
		c := &gatewayConfig{f.limits, map[string]gateway.Route{}}
		return c, c.add(f.listen, f.policy,
			gateway.Route{To: f.to, ObserveOnly: f.observeOnly, Transparent: f.transparent})
	}
	if f.listen != "" || f.to != "" || f.policy != "" || f.observeOnly || f.transparent {
		return nil, usage("--config stands instead of --listen, --to, --transparent, --policy and --observe-only")
	}
	b, err := readBounded(f.config, maxGatewayConfig)
	if err != nil {
		return nil, err
	}
	if err := flat(b); err != nil {
		return nil, usage("%s: %w", f.config, err)
	}
	var file gatewayFile
	meta, err := toml.Decode(string(b), &file)
	if err != nil {
		return nil, usage("%s: %w", f.config, err)
	}
	if unknown := meta.Undecoded(); len(unknown) > 0 {
		return nil, usage("%s: unknown key %s", f.config, unknown[0])
	}
	return f.fromFile(&file)
}

func (f *gatewayFlags) fromFile(file *gatewayFile) (*gatewayConfig, error) {
	c := &gatewayConfig{f.limits, map[string]gateway.Route{}}
	if c.Limits.Connections == 0 {
		c.Limits.Connections = file.Limits.Connections
	}
	if c.Limits.PerClient == 0 {
		c.Limits.PerClient = file.Limits.PerClient
	}
	c.Limits.Logon, c.Limits.Stranger, c.Limits.User, c.Limits.Dial = file.Limits.Logon, file.Limits.Stranger,
		file.Limits.User, file.Limits.Dial
	if l := c.Limits; l.Connections < 0 || l.PerClient < 0 || l.Logon < 0 || l.Stranger < 0 || l.User < 0 ||
		l.Dial < 0 {
		return nil, usage("%s: a limit below zero", f.config)
	}
	if len(file.Listeners) == 0 {
		return nil, usage("%s: no [[listener]]", f.config)
	}
	for _, l := range file.Listeners {
		policy := l.Policy
		if policy != "" && !filepath.IsAbs(policy) {
			policy = filepath.Join(filepath.Dir(f.config), policy)
		}
		route := gateway.Route{To: l.To, ObserveOnly: l.ObserveOnly, Transparent: l.Transparent}
		if err := c.add(l.Listen, policy, route); err != nil {
			return nil, fmt.Errorf("%s: %w", f.config, err)
		}
	}
	return c, nil
}

// add adds a listener.
func (c *gatewayConfig) add(listen, policy string, r gateway.Route) error {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return usage("listen %q: not ADDRESS:PORT", listen)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	r.NetBIOS = n == 139
	switch _, twice := c.Routes[listen]; {
	case err != nil:
		return usage("listen %q: not ADDRESS:PORT", listen)
	case twice:
		return usage("listen %q: twice", listen)
	case r.Transparent && r.To != "":
		return usage("listen %q: a transparent listener leads to whom the client means, and not to %s", listen, r.To)
	case !r.Transparent && r.To == "":
		return usage("listen %q: no server", listen)
	case !r.Transparent:
		if _, _, err := net.SplitHostPort(r.To); err != nil {
			r.To = net.JoinHostPort(r.To, serverPort(r.NetBIOS))
		}
		if r.To == net.JoinHostPort(host, port) || toItself(host, port, r.To) {
			return usage("listen %q: it leads to itself", listen)
		}
	}
	if policy != "" {
		if err := readGatewayPolicy(policy, &r.Policy); err != nil {
			return err
		}
	}
	c.Routes[listen] = r
	return nil
}

// toItself reports whether a listener on every address of this machine would receive the gateway's own connections.
func toItself(host, port, to string) bool {
	toHost, toPort, _ := net.SplitHostPort(to)
	at, err := netip.ParseAddr(toHost)
	if anywhere, herr := netip.ParseAddr(host); err != nil || toPort != port ||
		host != "" && (herr != nil || !anywhere.IsUnspecified()) {
		return false
	}
	local, _ := gateway.IsLocal(at.Unmap())
	return local || at.IsUnspecified()
}

// serverPort returns the default port of a server.
func serverPort(netBIOS bool) string {
	if netBIOS {
		return "139"
	}
	return "445"
}

func readGatewayPolicy(name string, p *gateway.Policy) error {
	b, err := readBounded(name, maxPolicy)
	if err != nil {
		return err
	}
	if err := decodeYAML(b, p); err != nil {
		return usage("%s: %w", name, err)
	}
	var written any
	if err := yaml.Unmarshal(b, &written); err != nil {
		return usage("%s: %w", name, err)
	}
	if key := emptyIn(written); key != "" {
		return hinted{
			usage("%s: %s is empty", name, key),
			"a key that is left out means everything; remove the entry if it should mean nothing",
		}
	}
	if err := p.Check(); err != nil {
		return usage("%s: %w", name, err)
	}
	return nil
}

// emptyIn returns a key of a policy's entries that has no value, or a list without items. To the decoder it is the same
// as a key that is left out, which means all; a person who removed the last item means none.
func emptyIn(v any) string {
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			if key := emptyIn(item); key != "" {
				return key
			}
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			list, isList := v[key].([]any)
			switch {
			case key == "strangers", key == "users", key == "why": // of the policy, or a text
			case v[key] == nil, isList && len(list) == 0:
				return key
			}
			if key := emptyIn(v[key]); key != "" {
				return key
			}
		}
	}
	return ""
}
