//go:build linux

package cli

import (
	"encoding/json"
	"fmt"
	"mime/multipart"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"ipcguard/internal/model"
	"ipcguard/internal/peer"
	"ipcguard/internal/store"
)

// keepsPolicy lets strangers ask for the domain's name and nothing else.
const keepsPolicy = `
strangers:
- allow: pipes
  as: [anonymous]
  servers: ["127.21.1.1:445"]
  pipes:
  - pipe: lsarpc
    interfaces:
    - interface: lsarpc
      calls: [LsarClose, LsarOpenPolicy2, LsarQueryInformationPolicy]
`

// TestGatewayVerify holds a gateway before a real server against policies: against its own it is verified, and told
// what that leaves open; against one that closes more it fails.
func TestGatewayVerify(t *testing.T) {
	t.Parallel()
	peer.Need(t, "smbd", "namespaces")
	const server, way = "127.21.1.1", "127.21.1.2"
	s := peer.StartSamba(t, peer.Config{Network: true, Address: server, Global: []string{"map to guest = bad user"}})
	o := programOn(t, s)
	write := func(name, text string) string {
		if err := os.WriteFile(o.at(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return o.at(name)
	}
	user := o.credentials(t, "labadmin")
	policy, none := write("policy.yaml", keepsPolicy), write("none.yaml", "strangers: []\n")
	narrower := write("narrower.yaml", strings.ReplaceAll(keepsPolicy, ", LsarQueryInformationPolicy", ""))
	config := write("gateway.toml",
		fmt.Sprintf("[[listener]]\nlisten = %q\nto = %q\npolicy = \"policy.yaml\"\n", way+":445", server))
	watches := write("watches.toml",
		fmt.Sprintf("[[listener]]\nlisten = %q\nto = %q\nobserve-only = true\n", way+":445", server))
	o.startGateway(t, "--config", config)

	mine := o.run(t, exitOK, "verify", way, "--gateway", config, "--credentials-file", user)
	for _, want := range []string{
		"verified", "open         policy: over SMB 3.1.1 anonymous: left open", "lsarpc: LsarQueryInformationPolicy",
		"passed       policy: over SMB 3.1.1 anonymous: open samr",
		"passed       policy: over SMB 3.1.1 guest: log on", "unchecked    policy: the rest",
	} {
		if !strings.Contains(mine, want) {
			t.Errorf("no %q against its own policy:\n%s", want, mine)
		}
	}
	o.run(t, exitUsage, "verify", way, "--gateway", policy) // which server is it?
	o.run(t, exitOK, "verify", way, "--gateway", policy, "--before", server)
	wrong := o.run(t, exitExposed, "verify", way, "--gateway", narrower, "--before", server)
	if !strings.Contains(wrong, "NOT VERIFIED") ||
		!strings.Contains(wrong, "failed       policy: over SMB 3.1.1 anonymous: lsarpc: LsarQueryInformationPolicy") {
		t.Errorf("against a policy that closes more:\n%s", wrong)
	}
	o.run(t, exitExposed, "verify", way, "--gateway", none)    // the gateway lets a null session in
	o.run(t, exitExposed, "verify", server, "--gateway", none) // no gateway
	o.run(t, exitFailed, "verify", way, "--gateway", watches)  // it closes nothing
}

// TestGatewayFleet brings the rows of a gateway to the fleet: the server's page shows them, and a weak logon is an
// event.
func TestGatewayFleet(t *testing.T) {
	t.Parallel()
	peer.Need(t, "smbd", "namespaces", "rpcclient")
	const server, way = "127.21.1.1", "127.21.1.2"
	s := peer.StartSamba(t, peer.Config{Network: true, Address: server, Global: []string{"ntlm auth = yes"}})
	o := programOn(t, s)
	state := o.at("state")
	g := o.startGateway(t, "--listen", way+":445", "--to", server, "--state", state, "--drain", "100ms")
	if a := (peer.Client{From: s.Machine}).RPC(t, way, "srvinfo"); a.Status != "STATUS_ACCESS_DENIED" {
		t.Errorf("a null session: %v", a)
	}
	old := peer.Client{
		From: s.Machine, User: "labadmin", Password: peer.Password, Options: []string{"client ntlmv2 auth = no"},
	}
	if a := old.RPC(t, way, "srvinfo"); !a.OK() {
		t.Errorf("a user with NTLMv1: %v", a)
	}
	g.signal(t, syscall.SIGTERM)
	_ = g.cmd.Wait()
	o.run(t, exitExposed, "scan", "--format", "json", "--retries", "0", "-o", o.at("scan.json"), server)
	o.run(t, exitOK, "observe", "--state", state, "--show", "--format", "json", "-o", o.at("rows.json"))

	dir := t.TempDir()
	f := startServer(t, o.program, dir, filepath.Join(dir, "fleet.db"))
	p := f.page(t)
	p.setUp(t, f.token)
	for _, brought := range [][2]string{{"scan", "scan.json"}, {"observe", "rows.json"}} {
		b, err := os.ReadFile(o.at(brought[1]))
		if err != nil {
			t.Fatal(err)
		}
		p.parts(t, "/import", func(form *multipart.Writer) error {
			if err := form.WriteField("kind", brought[0]); err != nil {
				return err
			}
			part, err := form.CreateFormFile("file", brought[1])
			if err == nil {
				_, err = part.Write(b)
			}
			return err
		})
	}
	list := p.hosts(t, "")
	if len(list) != 1 {
		t.Fatalf("hosts: %+v", list)
	}
	var kept model.Observation
	if err := json.Unmarshal([]byte(p.get(t, fmt.Sprintf("/hosts/%d/documents/observe", list[0].ID))),
		&kept); err != nil {
		t.Fatal(err)
	}
	refused := false
	for _, u := range kept.Uses {
		refused = refused ||
			u.Identity == model.Anonymous && u.Outcome == model.Denied && u.Source == model.SourceGateway
	}
	if !refused {
		t.Errorf("the refused null session is not kept: %+v", kept.Uses)
	}
	if page := p.get(t, fmt.Sprintf("/hosts/%d", list[0].ID)); !strings.Contains(page, "Who called what over IPC$") ||
		!strings.Contains(page, "labadmin") {
		t.Error("the host's page does not show the rows")
	}
	if events := p.events(t); !events[store.EventWeakLogon] {
		t.Errorf("no event of the NTLMv1 logon: %v, %+v", events, kept.Uses)
	}
	f.stop(t)
}
