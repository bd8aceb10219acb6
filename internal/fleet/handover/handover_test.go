package handover

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/csv"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
	"ipcguard/internal/peer"
	"ipcguard/internal/store"
)

const hostile = "=cmd|' /C calc'!A1 [1:9] {{ lookup('pipe', 'id') }} \u202e\n- evil: true"

// left returns a rollout with a group of Windows, one of Samba, and one in which every host is closed.
func left(t testing.TB) *Rollout {
	t.Helper()
	c, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	value := func(kind string, data any) model.Value { return model.Value{Present: true, Type: kind, Data: data} }
	windows := &model.Plan{
		Schema: model.SchemaPlan, Target: "several hosts",
		Platform: model.Platform{System: "windows", Product: "win2019", Role: model.Member},
		Strategy: "restrict", Hash: "sha256:0123456789abcdef",
		Changes: []model.Change{
			{
				ID: "1", Setting: "RestrictAnonymous", Where: c.Setting("RestrictAnonymous").Where,
				From: value("REG_DWORD", 0), To: value("REG_DWORD", 1), Policy: "Default Domain Policy",
			},
		},
	}
	samba := &model.Plan{
		Schema: model.SchemaPlan, Target: "several hosts",
		Platform: model.Platform{System: "samba", Product: "samba", Role: model.Standalone},
		Strategy: "restrict", Hash: "sha256:fedcba9876543210",
		Changes: []model.Change{
			{ID: "1", Setting: "restrict anonymous", Where: "[global] restrict anonymous", To: value("int", 2)},
		},
	}
	group := func(id int64, p *model.Plan) store.RolloutGroup {
		return store.RolloutGroup{
			ID:      id,
			System:  p.Platform.System,
			Product: p.Platform.Product,
			Role:    p.Platform.Role,
			Changes: p.Changes,
			Closes:  []string{"anonymous-lists-accounts"},
			Plan:    p,
		}
	}
	host := func(id, group int64, name, owner string, state store.RolloutState) store.RolloutHost {
		return store.RolloutHost{
			HostID:  id,
			Host:    name,
			Address: "10.0.0." + string(rune('0'+id)) + ":445",
			Site:    "main",
			Owner:   owner,
			Group:   group,
			State:   state,
			Before:  model.Exposed,
			Verdict: model.Exposed,
		}
	}
	st := reader{
		o: store.Rollout{
			ID:      7,
			Name:    hostile,
			By:      "eve",
			Created: time.Date(2026, 11, 30, 9, 0, 0, 0, time.UTC),
			Hosts:   6,
			States: map[store.RolloutState]int{
				store.RolloutOpen:      4,
				store.RolloutClosed:    1,
				store.RolloutUnaudited: 1,
			},
		},
		groups: []store.RolloutGroup{group(1, windows), group(2, samba), group(3, samba)},
		hosts: []store.RolloutHost{
			host(1, 1, "FILES1", "Anna", store.RolloutOpen), host(2, 1, hostile, "Bo", store.RolloutOpen),
			host(3, 1, "files1", "Bo", store.RolloutUnwatched),
			host(4, 2, "nas.example.org", hostile, store.RolloutOpen),
			host(5, 3, "done", "", store.RolloutClosed), host(6, 0, "new", "", store.RolloutUnaudited),
		},
		stops: []store.RolloutStop{{Certainty: "observed", Who: `10.0.0.9 (LAB\ann)`, What: hostile, Hosts: 2}},
	}
	r, err := Read(t.Context(), st, c, 7)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// reader answers queries about one rollout.
type reader struct {
	store.Reader
	o      store.Rollout
	groups []store.RolloutGroup
	hosts  []store.RolloutHost
	stops  []store.RolloutStop
}

func page[T any](all []T, p store.Page) ([]T, int, error) {
	from := min(p.Offset, len(all))
	return all[from:min(from+p.Size, len(all))], len(all), nil
}

func (r reader) Rollout(_ context.Context, _ int64, _ store.Sites) (store.Rollout, error) {
	return r.o, nil
}

func (r reader) RolloutGroups(
	_ context.Context, _ int64, _ store.Sites, p store.Page,
) ([]store.RolloutGroup, int, error) {
	return page(r.groups, p)
}

func (r reader) RolloutHosts(
	_ context.Context, _ int64, _ store.RolloutFilter, p store.Page,
) ([]store.RolloutHost, int, error) {
	return page(r.hosts, p)
}

func (r reader) RolloutStops(
	_ context.Context, _ int64, _ store.Sites, p store.Page,
) ([]store.RolloutStop, int, error) {
	return page(r.stops, p)
}

// TestArchive checks that an archive has the files of each group with remaining hosts, that a host's name is data in
// each of them, and that the README reports what bounds cut off.
func TestArchive(t *testing.T) {
	r := left(t)
	var b bytes.Buffer
	if err := r.WriteArchive(&b); err != nil {
		t.Fatal(err)
	}
	files := unzip(t, b.Bytes())
	for _, name := range []string{
		"README.txt", "hosts.csv", "stops.csv", "tickets/csv.csv", "tickets/jira.csv", "tickets/servicenow.csv",
		"ansible/inventory.yml", "ansible/apply.yml", "ansible/undo.yml",
		"groups/g01_win2019_member/powershell/apply.ps1", "groups/g01_win2019_member/powershell/undo.ps1",
		"groups/g01_win2019_member/ansible/apply.yml", "groups/g01_win2019_member/gpo/apply/manifest.xml",
		"groups/g01_win2019_member/gpo/undo/manifest.xml", "groups/g01_win2019_member/reg/apply.reg",
		"groups/g02_samba_standalone/ansible/undo.yml", "groups/g02_samba_standalone/hosts.txt",
	} {
		if files[name] == "" {
			t.Errorf("there is no %s", name)
		}
	}
	for name, text := range files {
		if strings.Contains(name, "g03") {
			t.Errorf("%s is of a group with nothing left", name)
		}
		if strings.Contains(text, "\u202e") ||
			strings.HasSuffix(name, ".csv") && (strings.Contains(text, ",=cmd") || strings.HasPrefix(text, "=cmd")) {
			t.Errorf("%s takes a name as it stands: %q", name, text)
		}
	}
	inventory := files["ansible/inventory.yml"]
	if strings.Contains(inventory, "lookup") || strings.Contains(inventory, "[1:9]") ||
		!strings.Contains(inventory, `"host-2":`) || !strings.Contains(inventory, `"host-3":`) ||
		!strings.Contains(inventory, `"files1":`) {
		t.Errorf("the inventory:\n%s", inventory)
	}
	if strings.Contains(inventory, "done") || !strings.Contains(files["hosts.csv"], "done") {
		t.Error("a host that has closed is among those that are left, or among none")
	}
	if !strings.Contains(files["README.txt"], "Default Domain Policy writes it") ||
		!strings.Contains(files["README.txt"], "4 to change, 1 closed, 1 never audited") {
		t.Errorf("the README:\n%s", files["README.txt"])
	}
	small := &archive{zip.NewWriter(io.Discard), r, 10, nil}
	if err := small.file("x", make([]byte, 11)); err == nil {
		t.Error("the bound of an archive does not hold")
	}
}

// TestTickets checks that there is a ticket for each owner of each group, the same number in every shape, each with its
// undo.
func TestTickets(t *testing.T) {
	r := left(t)
	for shape, heads := range map[string]string{
		Plain:      "key,owner",
		Jira:       "Summary,Issue Type,Priority,Labels,Labels",
		ServiceNow: "correlation_id,short_description,description",
	} {
		var b bytes.Buffer
		if err := r.WriteTickets(&b, shape); err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(b.String(), heads) {
			t.Errorf("%s begins with %.80q", shape, b.String())
		}
		rows, err := csv.NewReader(&b).ReadAll()
		if err != nil || len(rows) != 1+3 {
			t.Fatalf("%s: %d tickets, want 3: %v", shape, len(rows)-1, err)
		}
		all := strings.Join(slices.Concat(rows...), "\n")
		for _, want := range []string{
			"Set RestrictAnonymous = 1 on 2 hosts (Windows Server 2019", "Anna", "Bo", "undo",
			"A stranger lists accounts",
		} {
			if !strings.Contains(all, want) {
				t.Errorf("%s does not say %q:\n%s", shape, want, all)
			}
		}
	}
	if err := r.WriteTickets(io.Discard, "poem"); err == nil {
		t.Error("there are tickets as a poem")
	}
}

// TestAnsible reads the inventory and the plays with Ansible itself.
func TestAnsible(t *testing.T) {
	peer.Long(t, "Ansible is large, and slow to start")
	peer.Need(t, "ansible-playbook")
	r := left(t)
	var b bytes.Buffer
	if err := r.WriteArchive(&b); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, text := range unzip(t, b.Bytes()) {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "ansible.cfg"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, play := range []string{"apply.yml", "undo.yml"} {
		cmd := exec.CommandContext(t.Context(), "ansible-playbook", "-i", filepath.Join(dir, "ansible/inventory.yml"),
			"--list-hosts", filepath.Join(dir, "ansible", play))
		cmd.Env = append(os.Environ(), "ANSIBLE_NOCOLOR=1", "HOME="+dir,
			"ANSIBLE_CONFIG="+filepath.Join(dir, "ansible.cfg"))
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", play, err, out)
		}
		for _, host := range []string{"files1", "host-2", "host-3", "nas.example.org"} {
			if !strings.Contains(string(out), host+"\n") {
				t.Errorf("%s does not reach %s:\n%s", play, host, out)
			}
		}
		if strings.Contains(string(out), "done") || strings.Contains(string(out), "[WARNING]") {
			t.Errorf("%s:\n%s", play, out)
		}
	}
}

func unzip(t testing.TB, b []byte) map[string]string {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, f := range z.File {
		in, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		out[f.Name] = string(text)
	}
	return out
}
