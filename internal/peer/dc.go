package peer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The names of every domain controller of this package.
const (
	Realm         = "LAB.EXAMPLE"
	Domain        = "LAB"
	DCName        = "dc1.lab.example"
	DCAddress     = "198.51.100.10"
	ClientAddress = "198.51.100.20"
	AdminPassword = "Passw0rd!Adm1n"
)

// DC is a running Active Directory domain controller of Samba, with users alice and bob (Password) and Administrator
// (AdminPassword). Its network has only one other machine, Client, which uses it for DNS and Kerberos.
type DC struct {
	*Machine
	Client *Machine // clients run here: DC.Client.Dial, DC.Client.Command, Client{From: DC.Client}

	ConfigFile string
	globals    []string
	pristine   string // smb.conf after provisioning
	daemon     *daemon
}

// StartDC starts a domain controller with these further [global] lines and waits until its RPC services answer. The
// provisioned state is created once (20 s) and stored in the user's cache directory.
func StartDC(t testing.TB, globals ...string) *DC {
	t.Helper()
	Need(t, "samba-dc")
	files := map[string]string{
		"/etc/resolv.conf": "search lab.example\nnameserver " + DCAddress + "\n",
		"/etc/hosts":       "127.0.0.1 localhost\n" + DCAddress + " " + DCName + " dc1\n",
		"/etc/krb5.conf": "[libdefaults]\n default_realm = " + Realm +
			"\n dns_lookup_kdc = true\n dns_lookup_realm = false\n rdns = false\n",
	}
	d := &DC{
		Machine: NewMachine(t, MachineOptions{Hostname: "dc1", Network: true, Files: files}),
		Client:  NewMachine(t, MachineOptions{Hostname: "client", Network: true, Files: files}),
		globals: globals,
	}
	d.ConfigFile = filepath.Join(d.Dir, "etc", "smb.conf")
	ctx := t.Context()
	if err := connect(ctx, d.Machine, DCAddress, d.Client, ClientAddress); err != nil {
		t.Fatalf("peer: joining two machines: %v", err)
	}
	if err := d.provision(ctx); err != nil {
		t.Fatalf("peer: provisioning a domain: %v", err)
	}
	if err := d.start(ctx); err != nil {
		t.Fatalf("peer: starting a domain controller: %v", err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the domain controller's last words:\n%s", d.daemon.lastWords())
		}
	})
	return d
}

// Addr returns the domain controller's address in its network.
func (d *DC) Addr() string { return net.JoinHostPort(DCAddress, "445") }

// Restart restarts the domain controller with these [global] lines instead of the earlier ones.
func (d *DC) Restart(t testing.TB, globals ...string) {
	t.Helper()
	if err := d.endAll(); err != nil {
		t.Fatalf("peer: stopping the domain controller: %v", err)
	}
	d.globals = globals
	if err := d.start(t.Context()); err != nil {
		t.Fatalf("peer: restarting the domain controller: %v", err)
	}
}

// RestartAsIs restarts the domain controller with its current configuration.
func (d *DC) RestartAsIs(t testing.TB) {
	t.Helper()
	if err := d.endAll(); err != nil {
		t.Fatalf("peer: stopping the domain controller: %v", err)
	}
	if err := d.run(t.Context()); err != nil {
		t.Fatalf("peer: restarting the domain controller: %v", err)
	}
}

func (d *DC) start(ctx context.Context) error {
	text := d.pristine
	for _, line := range d.globals {
		text = strings.Replace(text, "[global]\n", "[global]\n\t"+line+"\n", 1)
	}
	if err := os.WriteFile(d.ConfigFile, []byte(text), 0o644); err != nil {
		return err
	}
	return d.run(ctx)
}

func (d *DC) run(ctx context.Context) error {
	if err := os.MkdirAll(filepath.Join(d.Dir, "lib", "winbindd_privileged"), 0o750); err != nil {
		return err
	}
	cmd := d.Command(context.WithoutCancel(ctx), "samba", "--foreground", "--no-process-group")
	var err error
	if d.daemon, err = startDaemon(cmd); err != nil {
		return err
	}
	return d.daemon.await(ctx, d.answers)
}

// answers asks a question that is only answered when all services of a domain controller have started. It logs on as
// administrator, because the configuration may refuse everybody else.
func (d *DC) answers(ctx context.Context) error {
	for _, port := range []string{"445", "88", "389", "53"} {
		conn, err := d.Client.Dial(ctx, "tcp", net.JoinHostPort(DCAddress, port))
		if err != nil {
			return err
		}
		_ = conn.Close()
	}
	cmd := d.Command(ctx, "rpcclient", "--user", "LAB/Administrator", "--command", "querydominfo;lsaquery;srvinfo",
		DCAddress)
	cmd.Env = append(os.Environ(), "PASSWD="+AdminPassword)
	switch answer, err := Run(cmd); {
	case err != nil:
		return err
	case answer.Status == "STATUS_NTLM_BLOCKED": // the configuration refuses NTLM
		return nil
	case !answer.OK():
		return errors.New(answer.String())
	}
	return nil
}

// provision creates the domain, or unpacks the stored state.
func (d *DC) provision(ctx context.Context) error {
	cached, err := d.cacheFile(ctx)
	if err != nil {
		return err
	}
	if _, err := os.Stat(cached); cached == "" || errors.Is(err, os.ErrNotExist) {
		if err := d.provisionAnew(ctx); err != nil {
			return err
		}
		if cached != "" {
			if err := d.pack(ctx, cached); err != nil {
				return err
			}
		}
	} else if err := tar(ctx, "--extract", "--file", cached, "--directory", d.Dir); err != nil {
		return err
	}
	text, err := os.ReadFile(d.ConfigFile)
	for line := range strings.Lines(string(text)) {
		// Provisioning makes the machine's name server, which is itself, the forwarder for other names: such queries
		// would loop until they time out.
		if !strings.Contains(line, "dns forwarder") {
			d.pristine += line
		}
	}
	return err
}

var provisionSteps = [][]string{
	{
		"domain", "provision", "--server-role=dc", "--use-rfc2307", "--dns-backend=SAMBA_INTERNAL",
		"--realm=" + Realm, "--domain=" + Domain, "--host-name=dc1", "--host-ip=" + DCAddress,
		"--adminpass=" + AdminPassword,
	},
	{"user", "create", "alice", Password},
	{"user", "create", "bob", Password},
}

func (d *DC) provisionAnew(ctx context.Context) error {
	for _, step := range provisionSteps {
		if out, err := d.Command(ctx, "samba-tool", step...).CombinedOutput(); err != nil {
			return fmt.Errorf("samba-tool %s: %w: %s", strings.Join(step[:2], " "), err, lastLine(out))
		}
	}
	return nil
}

// cacheFile names the stored state by what it depends on: Samba's version and the steps above. It is empty if the user
// has no cache directory.
func (d *DC) cacheFile(ctx context.Context) (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", nil
	}
	version, err := d.Command(ctx, "samba", "--version").Output()
	if err != nil {
		return "", fmt.Errorf("samba --version: %w", err)
	}
	sum := sha256.Sum256(fmt.Append(nil, string(version), provisionSteps))
	dir = filepath.Join(dir, "ipcguard-test")
	return filepath.Join(dir, "dc-"+hex.EncodeToString(sum[:8])+".tar"), os.MkdirAll(dir, 0o700)
}

func (d *DC) pack(ctx context.Context, file string) error {
	draft, err := os.CreateTemp(filepath.Dir(file), "draft-*")
	if err != nil {
		return err
	}
	defer os.Remove(draft.Name())
	if err := draft.Close(); err != nil {
		return err
	}
	if err := tar(ctx, "--create", "--sparse", "--file", draft.Name(), "--directory", d.Dir, "etc", "lib"); err != nil {
		return err
	}
	return os.Rename(draft.Name(), file)
}

// tar includes the extended attributes in which Samba stores security descriptors.
func tar(ctx context.Context, args ...string) error {
	args = append([]string{"--xattrs", "--xattrs-include=*", "--acls", "--numeric-owner"}, args...)
	if out, err := exec.CommandContext(ctx, "tar", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("tar: %w: %s", err, lastLine(out))
	}
	return nil
}

// connect connects two machines by a network of their own, on which they have these addresses.
func connect(ctx context.Context, a *Machine, addressA string, b *Machine, addressB string) error {
	wire := func(m *Machine, args ...string) error {
		enter := []string{"--target", fmt.Sprint(m.holder.Process.Pid), "--net", "--", "ip"}
		if out, err := exec.CommandContext(ctx, "nsenter", append(enter, args...)...).CombinedOutput(); err != nil {
			return fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, lastLine(out))
		}
		return nil
	}
	return errors.Join(
		wire(a, "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns",
			fmt.Sprint(b.holder.Process.Pid)),
		wire(a, "addr", "add", addressA+"/24", "dev", "eth0"),
		wire(b, "addr", "add", addressB+"/24", "dev", "eth0"),
		wire(a, "link", "set", "eth0", "up"),
		wire(b, "link", "set", "eth0", "up"),
	)
}
