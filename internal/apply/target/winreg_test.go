package target

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ipcguard/internal/apply"
	"ipcguard/internal/apply/applytest"
	"ipcguard/internal/apply/engine"
	"ipcguard/internal/dcerpc"
	"ipcguard/internal/format/registry"
	"ipcguard/internal/model"
	"ipcguard/internal/ntlm"
	"ipcguard/internal/peer"
	"ipcguard/internal/smb"
)

// adminPipes is an administrator's connection to a test's server.
type adminPipes struct {
	*smb.Conn
	tree smb.Tree
}

func (a adminPipes) OpenPipe(ctx context.Context, name string) (dcerpc.Transport, error) {
	return a.tree.OpenPipe(ctx, name)
}

func openAdmin(t *testing.T, s *peer.Samba) *Remote {
	t.Helper()
	c, err := smb.Dial(t.Context(), s.Addr(), smb.Options{Dial: s.Dial, RequireSigning: true})
	if err != nil {
		t.Fatal(err)
	}
	session, err := c.SessionSetup(t.Context(), ntlm.NewUser("labadmin", "", peer.Password, ntlm.Options{}))
	if err != nil {
		t.Fatal(err)
	}
	tree, err := session.TreeConnect(t.Context(), "IPC$")
	if err != nil {
		t.Fatal(err)
	}
	r, err := OpenRemote(t.Context(), "srv1", adminPipes{c, tree}, c.Negotiated().Dialect)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

// TestRemoteConforms runs the tests of targets on the remote registry, against Samba's winreg server.
func TestRemoteConforms(t *testing.T) {
	dir := applytest.MemoryDir(t)
	names := filepath.Join(dir, "names")
	if err := os.WriteFile(names, []byte("root = labadmin\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	s := peer.StartSamba(t, peer.Config{Address: "127.53.2.1", Global: []string{"username map = " + names}})
	add := s.Command(t.Context(), "smbpasswd", "-c", s.ConfigFile, "-s", "-a", "root")
	add.Stdin = strings.NewReader(peer.Password + "\n" + peer.Password + "\n")
	if out, err := add.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	r := openAdmin(t, s)
	for _, key := range []string{applytest.LSA, applytest.LMS} {
		h, err := r.create(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		r.shut(t.Context(), h)
	}
	dumpRemote := func(t *testing.T) string {
		t.Helper()
		h, there, err := r.open(t.Context(), applytest.LSA, dcerpc.KeyRead)
		if err != nil || !there {
			t.Fatalf("%v %v", there, err)
		}
		defer r.shut(t.Context(), h)
		var lines []string // the server chooses the order
		for i := uint32(0); ; i++ {
			v, err := r.read.EnumValue(t.Context(), h, i, 4096)
			if err != nil {
				break
			}
			lines = append(lines, fmt.Sprintf("%s %d %x", *v.Name.Value, *v.Value.Type, v.Value.Data))
		}
		for i := uint32(0); ; i++ {
			k, err := r.read.EnumKey(t.Context(), h, i)
			if err != nil {
				break
			}
			lines = append(lines, *k.Name.Value)
		}
		slices.Sort(lines)
		return strings.Join(lines, "\n")
	}
	conform(t, subject{
		target: r, key: applytest.LSA, fault: &r.Fault, stride: 5, // the other tests try all points of the journal
		set: func(t *testing.T, v registry.Value) {
			if err := r.Write(t.Context(), apply.Place{Kind: apply.RegistryValue, Path: v.Key, Name: v.Name},
				apply.State{Present: true, Type: v.Type, Data: v.Data}, apply.State{}); err != nil {
				t.Fatal(err)
			}
		},
		dump:  dumpRemote,
		names: []string{"RestrictAnonymous", "EveryoneIncludesAnonymous", "RestrictRemoteSAM", "RestrictAnonymousSAM"},
	})
	t.Run("keys are made and go again", func(t *testing.T) {
		before := dumpRemote(t)
		e := engineFor(t, r)
		where := applytest.LSA + `\MSV1_0\AllowNullSessionFallback`
		plan := model.Plan{Changes: []model.Change{{ID: "1", Where: where, To: applytest.DWord(0)}}}
		j, err := e.Apply(t.Context(), engine.Request{
			Plan: plan, Changes: applytest.Changes("windows", plan.Changes),
			Bytes: []byte("{}"), Target: r, Verify: applytest.Good,
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := dumpRemote(t); !strings.Contains(got, "MSV1_0") {
			t.Errorf("after the apply:\n%s", got)
		}
		if _, err := e.Rollback(t.Context(), j.ID, false); err != nil {
			t.Fatal(err)
		}
		if got := dumpRemote(t); got != before {
			t.Errorf("rolled back to\n%s\nfrom\n%s", got, before)
		}
	})
	t.Run("what could cut the connection is refused", func(t *testing.T) {
		for _, where := range []string{
			`HKLM\SYSTEM\CurrentControlSet\Services\LanmanServer\Start`,
			`HKLM\SYSTEM\CurrentControlSet\Services\RemoteRegistry\Start`,
			applytest.LMS + `\PipeFirewallActive`, applytest.LMS + `\RejectUnencryptedAccess`,
			applytest.LMS + `\MinSmb2Dialect`, applytest.LMS + `\SMB1`,
			`HKLM\SOFTWARE\Policies\Microsoft\Windows NT\Rpc\RestrictRemoteClients`,
		} {
			var refused *apply.RefusedError
			if _, err := r.Resolve(t.Context(),
				applytest.Changes("windows", []model.Change{{Where: where, To: applytest.DWord(4)}})); !errors.As(err,
				&refused) || refused.Instead == "" {
				t.Errorf("%s: %v", where, err)
			}
		}
	})
}
