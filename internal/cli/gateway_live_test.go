//go:build linux

package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"ipcguard/internal/model"
	"ipcguard/internal/peer"
)

// gatewayProcess is the verb at work on the machine of a real server.
type gatewayProcess struct {
	cmd *exec.Cmd
	log string // the file
}

// startGateway runs the verb and waits until it listens.
func (o *onServer) startGateway(t *testing.T, args ...string) *gatewayProcess {
	t.Helper()
	return o.startGatewayOn(t, o.server.Machine, args...)
}

func (o *onServer) startGatewayOn(t *testing.T, m *peer.Machine, args ...string) *gatewayProcess {
	t.Helper()
	p := &gatewayProcess{log: o.at(fmt.Sprintf("gateway-%d.log", time.Now().UnixNano()))}
	out, err := os.Create(p.log)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	p.cmd = m.Command(t.Context(), o.program, append([]string{"gateway", "--log", "json"}, args...)...)
	p.cmd.Stdout, p.cmd.Stderr = out, out
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.await(t, `"msg":"listening"`)
	return p
}

// await waits for a text in the log.
func (p *gatewayProcess) await(t *testing.T, text string) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		b, err := os.ReadFile(p.log)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(b), text) {
			return
		}
	}
	b, _ := os.ReadFile(p.log)
	t.Fatalf("no %s in the gateway's log:\n%s", text, b)
}

// signal reaches the program behind nsenter, which is the last child.
func (p *gatewayProcess) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", p.cmd.Process.Pid, p.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	pid := p.cmd.Process.Pid
	if fields := strings.Fields(string(b)); len(fields) > 0 {
		if _, err := fmt.Sscan(fields[0], &pid); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Kill(pid, s); err != nil {
		t.Fatal(err)
	}
}

// scanOf scans one address with a user, who must find exposures or none.
func (o *onServer) scanOf(t *testing.T, address, credentials string) *model.Scan {
	t.Helper()
	cmd := o.server.Command(t.Context(), o.program, "scan", "--format", "json", "--retries", "0",
		"--credentials-file", credentials, "--allow-unsigned-ntlm", address)
	out, err := cmd.Output()
	if err != nil && len(out) == 0 {
		t.Fatalf("scan %s: %v", address, err)
	}
	var list []model.Scan
	if err := json.Unmarshal(out, &list); err != nil || len(list) != 1 {
		t.Fatalf("scan %s: %v: %s", address, err, out)
	}
	return &list[0]
}

// TestGatewayScan scans a real server directly and through the gateway. Through it every cell is what the policy and
// the server say together: strangers are refused at the logon, and a user sees exactly what he sees directly.
func TestGatewayScan(t *testing.T) {
	t.Parallel()
	peer.Need(t, "smbd", "namespaces")
	const server, way = "127.21.1.1", "127.21.1.2"
	s := peer.StartSamba(t, peer.Config{Network: true, Address: server, Global: []string{"map to guest = bad user"}})
	o := programOn(t, s)
	user := o.credentials(t, "labadmin")
	direct := o.scanOf(t, server, user)
	if direct.Verdict != model.Exposed {
		t.Fatalf("the control failed: directly it is %s", direct.Verdict)
	}
	state := o.at("state")
	metrics := o.at("counts.prom")
	g := o.startGateway(t, "--listen", way+":445", "--to", server, "--state", state, "--drain", "100ms", "--metrics",
		metrics, "-v")
	before := o.at("before.json")
	o.run(t, exitExposed, "scan", "--format", "json", "-o", before, "--retries", "0", server)
	o.run(t, exitFailed, "verify", way, "--scan", before)
	if proof := o.run(t, exitOK, "verify", way, "--scan", before, "--before", server, "--credentials-file",
		user); !strings.Contains(proof, "verified") {
		t.Errorf("the proof:\n%s", proof)
	}
	if proof := o.run(t, exitExposed, "verify", server, "--scan", before); strings.Contains(proof, " verified") {
		t.Errorf("the server itself:\n%s", proof)
	}
	through := o.scanOf(t, way, user)
	if through.Verdict != model.Closed {
		t.Errorf("through the gateway it is %s", through.Verdict)
	}
	// The gateway's refusal is no evidence that the server requires encryption.
	for _, r := range []*model.Scan{direct, through} {
		signing := slices.ContainsFunc(r.Findings, func(f model.Finding) bool { return f.ID == "signing-not-required" })
		if r.Server.EncryptionRequired || r.MayRequireEncryption() || !signing {
			t.Errorf("%s: %+v; signing-not-required is found: %v", r.Address, r.Server, signing)
		}
	}
	for i, id := range through.Identities {
		before := direct.Identities[i]
		switch {
		case id.Identity != before.Identity:
			t.Errorf("%s directly, %s through the gateway", before.Identity, id.Identity)
		case !id.Identity.IsStranger():
			if diff := cmp.Diff(before, id, cmpopts.IgnoreFields(model.Look{}, "First", "Last")); diff != "" {
				t.Errorf("%s differs (-directly +through the gateway):\n%s", id.Identity, diff)
			}
		case before.Session.Outcome == model.Allowed && id.Session.Outcome != model.Denied:
			t.Errorf("%s through the gateway: %+v", id.Identity, id.Session)
		case before.Session.Outcome != model.Allowed && id.Session != before.Session:
			t.Errorf("%s: %+v directly, %+v through the gateway", id.Identity, before.Session, id.Session)
		}
	}
	ways := o.run(t, exitExposed, "gateway", "check", "--gateway", way, "--server", server)
	for _, want := range []string{
		`denied       "` + way + `:445"`, `allowed      "` + server + `:445"`, `denied       "` + server + `:135"`,
		"STATUS_ACCESS_DENIED",
		"one channel",
	} {
		if !strings.Contains(ways, want) {
			t.Errorf("no %s in the check:\n%s", want, ways)
		}
	}
	// As a user it asks for the server's own list, which Samba has where it offers several channels.
	ways = o.run(t, exitExposed, "gateway", "check", "--gateway", way, "--server", server, "--credentials-file", user,
		"--allow-unsigned-ntlm")
	for _, want := range []string{`denied       "` + way + `:445"`, "the server's list of its own addresses"} {
		if !strings.Contains(ways, want) {
			t.Errorf("no %s in the check:\n%s", want, ways)
		}
	}
	g.signal(t, syscall.SIGTERM)
	if err := g.cmd.Wait(); err != nil {
		b, _ := os.ReadFile(g.log)
		t.Errorf("it ended with %v:\n%s", err, b)
	}
	g.await(t, `"msg":"logon"`) // -v tells each
	counts, err := os.ReadFile(metrics)
	for _, want := range []string{
		`ipcguard_gateway_refused_total{reason="anonymous"}`, `ipcguard_gateway_sessions_total{identity="user"}`,
		`ipcguard_gateway_added_seconds_bucket{le="+Inf"}`, "ipcguard_gateway_connections_open 0\n",
	} {
		if err != nil || !strings.Contains(string(counts), want) {
			t.Errorf("no %s in the metrics: %v\n%s", want, err, counts)
		}
	}
	rows := o.run(t, exitOK, "observe", "--state", state, "--show", "--format", "jsonl")
	for _, want := range []string{
		`"identity":"anonymous"`, `"outcome":"denied"`, `"identity":"user"`, `"source":"gateway"`,
	} {
		if !strings.Contains(rows, want) {
			t.Errorf("no %s in the rows:\n%s", want, rows)
		}
	}
}

// TestGatewayReload lets strangers in and out by the policy file, while a user's connection goes on.
func TestGatewayReload(t *testing.T) {
	t.Parallel()
	peer.Need(t, "smbd", "namespaces", "rpcclient")
	const server, way = "127.21.1.1", "127.21.1.2"
	s := peer.StartSamba(t, peer.Config{Network: true, Address: server})
	o := programOn(t, s)
	policy, config := o.at("policy.yaml"), o.at("gateway.toml")
	write := func(path, text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(policy, "")
	write(config, "[[listener]]\nlisten = \""+way+":445\"\nto = \""+server+"\"\npolicy = \"policy.yaml\"\n")
	g := o.startGateway(t, "--config", config)
	null := peer.Client{From: s.Machine}
	user := peer.Client{From: s.Machine, User: "labadmin", Password: peer.Password}.RPCShell(t, way)
	user.Do(t, "srvinfo", "LABHOST")
	if a := null.RPC(t, way, "srvinfo"); a.Status != "STATUS_ACCESS_DENIED" {
		t.Errorf("without an exception: %v", a)
	}
	write(policy, "strangers:\n- allow: everything\n  clients: [127.0.0.0/8]\n  as: [anonymous]\n  why: the old "+
		"scanner\n")
	g.signal(t, syscall.SIGHUP)
	g.await(t, `"msg":"reloaded"`)
	if a := null.RPC(t, way, "srvinfo"); !a.OK() {
		t.Errorf("with an exception: %v", a)
	}
	write(policy, "strangers:\n- allow: something\n")
	g.signal(t, syscall.SIGHUP)
	g.await(t, "the old policy goes on")
	if a := null.RPC(t, way, "srvinfo"); !a.OK() {
		t.Errorf("after a policy that cannot be enforced: %v", a)
	}
	// No policy changes if a new listener cannot be opened.
	write(policy, "")
	listener := "[[listener]]\nlisten = \"" + way + ":445\"\nto = \"" + server + "\"\npolicy = \"policy.yaml\"\n"
	write(config, listener+"[[listener]]\nlisten = \"192.0.2.1:445\"\nto = \""+server+"\"\n")
	for range 5 { // the order of listeners varies
		g.signal(t, syscall.SIGHUP)
	}
	g.await(t, "cannot assign requested address")
	if a := null.RPC(t, way, "srvinfo"); !a.OK() {
		t.Errorf("after a listener that cannot be opened: %v", a)
	}
	write(policy, "users:\n- servers: [\"nas.example:445\"]\n  deny:\n  - pipe: winreg\n")
	write(config, "[limits]\nlogon = \"30s\"\n"+listener)
	g.signal(t, syscall.SIGHUP)
	g.await(t, "a policy names a server that no listener leads to")
	g.await(t, "the new limits apply after a restart")
	if a := null.RPC(t, way, "srvinfo"); a.OK() {
		t.Errorf("after a policy without exceptions: %v", a)
	}
	write(config, "[[listener]]\nlisten = \""+way+":445\"\ntransparent = true\n")
	g.signal(t, syscall.SIGHUP)
	g.await(t, "only a restart makes it transparent")
	user.Do(t, "srvinfo", "LABHOST")
	if err := user.Close(); err != nil {
		t.Errorf("the user's connection: %v", err)
	}
}

// TestGatewayRestart hands the sockets to a new process while a user works on a connection and others come and go: none
// of them is refused, and the old process ends when its last connection does.
func TestGatewayRestart(t *testing.T) {
	t.Parallel()
	peer.Need(t, "smbd", "namespaces", "rpcclient")
	const server, way = "127.21.1.1", "127.21.1.2"
	s := peer.StartSamba(t, peer.Config{Network: true, Address: server})
	o := programOn(t, s)
	g := o.startGateway(t, "--listen", way+":445", "--to", server, "--state", o.at("state"))
	who := peer.Client{From: s.Machine, User: "labadmin", Password: peer.Password}
	user := who.RPCShell(t, way)
	user.Do(t, "srvinfo", "LABHOST")

	refused := make(chan error, 1)
	stop := make(chan struct{})
	go func() { // connections all the time
		for {
			select {
			case <-stop:
				refused <- nil
				return
			default:
			}
			nc, err := s.Dial(context.Background(), "tcp", way+":445")
			if err != nil {
				refused <- err
				return
			}
			// Ends after the gateway has ended it, so that connections never reach the limit for one client.
			if tcp, ok := nc.(*net.TCPConn); ok && tcp.CloseWrite() == nil {
				_, _ = io.Copy(io.Discard, nc)
			}
			nc.Close()
		}
	}()
	g.signal(t, syscall.SIGUSR2)
	g.await(t, `"msg":"handed over"`)
	if a := who.RPC(t, way, "srvinfo"); !a.OK() {
		t.Errorf("a user of the new process: %v", a)
	}
	close(stop)
	if err := <-refused; err != nil {
		t.Errorf("a connection was refused: %v", err)
	}
	if a := (peer.Client{From: s.Machine}).RPC(t, way, "srvinfo"); a.Status != "STATUS_ACCESS_DENIED" {
		t.Errorf("a null session of the new process: %v", a)
	}
	user.Do(t, "srvinfo", "LABHOST") // on the old one
	if err := user.Close(); err != nil {
		t.Errorf("the user's connection: %v", err)
	}
	if err := g.cmd.Wait(); err != nil {
		b, _ := os.ReadFile(g.log)
		t.Errorf("the old process ended with %v:\n%s", err, b)
	}
}

// TestGatewayKilled kills the gateway while files are copied through it: no copy that was reported as done differs, and
// after a restart a repeat succeeds.
func TestGatewayKilled(t *testing.T) {
	t.Parallel()
	peer.Need(t, "smbd", "namespaces", "smbclient")
	const server, way = "127.21.1.1", "127.21.1.2"
	s := peer.StartSamba(t, peer.Config{Network: true, Address: server})
	o := programOn(t, s)
	data := bytes.Repeat([]byte("0123456789abcdef"), 4<<20) // 64 MiB
	source := o.at("source")
	if err := os.WriteFile(source, data, 0o600); err != nil {
		t.Fatal(err)
	}
	who := peer.Client{From: s.Machine, User: "labadmin", Password: peer.Password}
	args := []string{"--listen", way + ":445", "--to", server}
	killed := 0
	for round := range 3 {
		g := o.startGateway(t, args...)
		name := fmt.Sprintf("copy%d", round)
		copied := filepath.Join(s.Dir, "share-finance", name)
		done := make(chan struct{})
		go func() { // when the copy has begun
			defer close(done)
			for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(time.Millisecond) {
				if info, err := os.Stat(copied); err == nil && info.Size() > int64(round+1)<<20 {
					break
				}
			}
			g.signal(t, syscall.SIGKILL)
		}()
		a := who.Share(t, way, "finance", "put "+source+" "+name)
		<-done
		_ = g.cmd.Wait()
		if !a.OK() {
			killed++
		} else if b, err := os.ReadFile(copied); err != nil || !bytes.Equal(b, data) {
			t.Errorf("a copy that was reported as done differs: %v", err)
		}
		again := o.startGateway(t, args...)
		if a := who.Share(t, way, "finance", "put "+source+" "+name); !a.OK() {
			t.Errorf("the repeat: %v", a)
		}
		if b, err := os.ReadFile(copied); err != nil || !bytes.Equal(b, data) {
			t.Errorf("the repeated copy differs: %v", err)
		}
		again.signal(t, syscall.SIGTERM)
		_ = again.cmd.Wait()
	}
	t.Logf("%d of 3 copies were cut", killed)
}

// TestGatewayTransparent puts the gateway on the way between two networks: the client dials the server, and the server
// sees the client.
func TestGatewayTransparent(t *testing.T) {
	t.Parallel()
	peer.Need(t, "smbd", "namespaces", "rpcclient", "nft", "ip")
	s := peer.StartManyHosts(t, peer.Config{Global: []string{"log level = 1 auth_json_audit:3"}})
	o := programOn(t, s)
	between := peer.NewMachine(t, peer.MachineOptions{Network: true})
	client := peer.NewMachine(t, peer.MachineOptions{Network: true})
	peer.Join(t, client, "toserver", "10.21.1.2/24", between, "clients", "10.21.1.1/24")
	peer.Join(t, s.Machine, "toclients", "10.21.2.2/24", between, "servers", "10.21.2.1/24")
	client.Do(t, "ip", "route", "add", "10.21.2.0/24", "via", "10.21.1.1")
	s.Machine.Do(t, "ip", "route", "add", "10.21.1.0/24", "via", "10.21.2.1")
	between.Do(t, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
	between.Do(t, "sh", "-c", transparentRules)

	const server = "10.21.2.2"
	null := peer.Client{From: client}
	o.startGatewayOn(t, between, "--listen", "127.0.0.1:8445", "--transparent")
	if a := null.RPC(t, server, "srvinfo"); a.Status != "STATUS_ACCESS_DENIED" {
		t.Errorf("a null session: %v", a)
	}
	user := peer.Client{From: client, User: "labadmin", Password: peer.Password}
	if a := user.RPC(t, server, "srvinfo"); !a.OK() {
		t.Errorf("a user: %v", a)
	}
	logs := s.Command(t.Context(), "sh", "-c", "cat "+s.Dir+"/log/*.log")
	if b, err := logs.Output(); err != nil || !strings.Contains(string(b), `ipv4:10.21.1.2:`) ||
		strings.Contains(string(b), `ipv4:10.21.2.1:`) {
		t.Errorf("the server did not see the client's own address: %v\n%s", err, b)
	}
}

// transparentRules are those of docs/gateway.md.
const transparentRules = `
nft -f - <<'END'
table ip ipcguard {
  chain prerouting {
    type filter hook prerouting priority mangle;
    meta l4proto tcp socket transparent 1 meta mark set 1 accept
    iifname "clients" tcp dport 445 meta mark set 1 tproxy to 127.0.0.1:8445 accept
  }
}
END
ip rule add fwmark 1 lookup 100
ip route add local 0.0.0.0/0 dev lo table 100
`
