package cli

import (
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"time"

	"github.com/BurntSushi/toml"

	"ipcguard/internal/gateway"
)

// maxGatewayConfig is how long the configuration file may be, in bytes: some thousand listeners.
const maxGatewayConfig = 256 << 10

// gatewayConfig is what a gateway is to do.
type gatewayConfig struct {
	Limits gateway.Limits
	Routes map[string]gateway.Route // by the address of the listener
}

// gatewayFile is the configuration file as it is written.
type gatewayFile struct {
	Limits struct {
		Connections int           `toml:"connections"`
		PerClient   int           `toml:"per-client"`
		Logon       time.Duration `toml:"logon"`
		Dial        time.Duration `toml:"dial"`
	} `toml:"limits"`
	Listeners []struct {
		Listen      string `toml:"listen"`
		To          string `toml:"to"`
		Policy      string `toml:"policy"` // relative to the configuration file
		ObserveOnly bool   `toml:"observe-only"`
	} `toml:"listener"`
}

// read makes the configuration out of the flags and the files that they name.
func (f *gatewayFlags) read() (*gatewayConfig, error) {
	if f.limits.Connections < 0 || f.limits.PerClient < 0 {
		return nil, usage("--connections and --per-client: below zero")
	}
	if f.config == "" {
		if f.listen == "" || f.to == "" {
			return nil, hinted{usage("--listen and --to are needed"), "or --config with a file that has them"}
		}
		c := &gatewayConfig{f.limits, map[string]gateway.Route{}}
		return c, c.add(f.listen, f.to, f.policy, f.observeOnly)
	}
	if f.listen != "" || f.to != "" || f.policy != "" || f.observeOnly {
		return nil, usage("--config stands instead of --listen, --to, --policy and --observe-only")
	}
	b, err := readBounded(f.config, maxGatewayConfig)
	if err != nil {
		return nil, err
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
	c.Limits.Logon, c.Limits.Dial = file.Limits.Logon, file.Limits.Dial
	if c.Limits.Connections < 0 || c.Limits.PerClient < 0 || c.Limits.Logon < 0 || c.Limits.Dial < 0 {
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
		if err := c.add(l.Listen, l.To, policy, l.ObserveOnly); err != nil {
			return nil, fmt.Errorf("%s: %w", f.config, err)
		}
	}
	return c, nil
}

// add adds a listener.
func (c *gatewayConfig) add(listen, to, policy string, observeOnly bool) error {
	host, port, err := net.SplitHostPort(listen)
	if n, nerr := strconv.ParseUint(port, 10, 16); err != nil || nerr != nil || n == 139 {
		if err == nil && n == 139 {
			return usage("listen %q: port 139 is not built yet: close it on the way to the server", listen)
		}
		return usage("listen %q: not ADDRESS:PORT", listen)
	}
	if _, ok := c.Routes[listen]; ok {
		return usage("listen %q: twice", listen)
	}
	if to == "" {
		return usage("listen %q: no server", listen)
	}
	if _, _, err := net.SplitHostPort(to); err != nil {
		to = net.JoinHostPort(to, "445")
	}
	if to == net.JoinHostPort(host, port) {
		return usage("listen %q: it leads to itself", listen)
	}
	r := gateway.Route{To: to, ObserveOnly: observeOnly}
	if policy != "" {
		b, err := readBounded(policy, maxPolicy)
		if err != nil {
			return err
		}
		if err := decodeYAML(b, &r.Policy); err != nil {
			return usage("%s: %w", policy, err)
		}
		if err := r.Policy.Check(); err != nil {
			return usage("%s: %w", policy, err)
		}
	}
	c.Routes[listen] = r
	return nil
}
