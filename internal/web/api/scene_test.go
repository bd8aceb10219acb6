package api

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"ipcguard/internal/fleet"
	"ipcguard/internal/fleet/access"
	"ipcguard/internal/fleet/acts"
	"ipcguard/internal/fleet/secret"
	"ipcguard/internal/model"
	"ipcguard/internal/store"
)

const (
	password = "correct horse battery"
	hostile  = "=cmd|' /C calc'!A1 <script>alert(1)</script> \u202e"
)

// scene is the API over a real store and a real fleet, with one account for each role.
type scene struct {
	t       *testing.T
	st      *store.Store
	access  *access.Access
	fleet   *fleet.Fleet
	acts    *acts.Acts
	api     http.Handler
	schemas *schemas
	tokens  map[store.Role]string
	users   map[store.Role]store.User
	seen    map[string]bool // operations that were answered with success
	test    error           // what the test button says
	session *access.Who
}

func newScene(t *testing.T) *scene {
	t.Helper()
	return newSceneOn(t, filepath.Join(t.TempDir(), "fleet.db"))
}

// newSceneOn is newScene on an empty database.
func newSceneOn(t *testing.T, dsn string) *scene {
	t.Helper()
	ctx := t.Context()
	st, err := store.Open(ctx, dsn, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	if err := st.Migrate(ctx); err != nil {
		t.Fatal(err)
	}
	key, _, err := secret.Create(filepath.Join(t.TempDir(), "key"))
	if err != nil {
		t.Fatal(err)
	}
	c := &scene{
		t: t, st: st, tokens: map[store.Role]string{}, users: map[store.Role]store.User{},
		seen: map[string]bool{},
	}
	if c.fleet, err = fleet.New(st, fleet.Options{Version: "test", Key: key}); err != nil {
		t.Fatal(err)
	}
	c.access = access.New(st, access.Options{})
	link, _, err := c.access.Setup(ctx)
	if err != nil {
		t.Fatal(err)
	}
	root, err := c.access.FinishSetup(ctx, link, "root", password, "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	admin := access.Who{User: root, Role: root.Role, Via: "session"}
	for _, role := range []store.Role{store.RoleViewer, store.RoleOperator, store.RoleAdmin} {
		u := root
		if role != store.RoleAdmin {
			if u, err = c.access.AddUser(ctx, admin, string(role), role, password); err != nil {
				t.Fatal(err)
			}
		}
		token, _, err := c.access.NewToken(ctx, access.Who{User: u, Role: role}, password, "test",
			access.Scopes(access.Who{Role: role})[len(access.Scopes(access.Who{Role: role}))-1],
			time.Now().Add(time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		c.tokens[role], c.users[role] = token, u
	}
	if c.acts, err = acts.New(c.fleet, st, c.access, acts.Options{Key: key, Test: func(context.Context, store.Channel) error { return c.test }}); err != nil {
		t.Fatal(err)
	}
	c.api, err = New(c.acts, st, c.access, Options{
		Version: "test", Poll: 10 * time.Millisecond, Alive: 20 * time.Millisecond,
		Identify: func(*http.Request) (access.Who, bool) {
			if c.session == nil {
				return access.Who{}, false
			}
			return *c.session, true
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	c.schemas = compileSchemas(t)
	return c
}

// otherSite returns a site without anything.
func (c *scene) otherSite() store.Site {
	c.t.Helper()
	s := store.Site{Name: "elsewhere"}
	if err := c.st.SaveSite(c.t.Context(), &s); err != nil {
		c.t.Fatal(err)
	}
	return s
}

// schemas holds answers against the document, strictly: what it does not name must not be there.
type schemas struct {
	document map[string]any
	compiler *jsonschema.Compiler
	mu       sync.Mutex
}

func compileSchemas(t *testing.T) *schemas {
	t.Helper()
	b, err := Document()
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	s := &schemas{document: doc.(map[string]any), compiler: jsonschema.NewCompiler()}
	for name, x := range s.document["components"].(map[string]any)["schemas"].(map[string]any) {
		component := x.(map[string]any)
		if component["properties"] == nil {
			t.Errorf("component %s has no properties", name)
		}
		component["additionalProperties"] = false
	}
	s.compiler.DefaultDraft(jsonschema.Draft2020)
	s.compiler.AssertFormat()
	s.compiler.AssertContent()
	if err := s.compiler.AddResource("urn:api", s.document); err != nil {
		t.Fatal(err)
	}
	return s
}

// check holds an answer of an operation against the document.
func (s *schemas) check(t *testing.T, r *route, status int, media string, body []byte) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	escape := strings.NewReplacer("~", "~0", "/", "~1").Replace
	responses := s.document["paths"].(map[string]any)[Prefix+
		r.path].(map[string]any)[strings.ToLower(r.method)].(map[string]any)["responses"].(map[string]any)
	code := "default"
	if x := map[int]string{200: "200", 201: "201", 204: "204", 304: "304"}[status]; x != "" {
		code = x
	}
	response, ok := responses[code].(map[string]any)
	if !ok {
		t.Errorf("%s answers %d, which the document does not say", r.id, status)
		return
	}
	content, _ := response["content"].(map[string]any)
	if content == nil {
		if len(body) > 0 {
			t.Errorf("%s answers %d with a body: %q", r.id, status, body)
		}
		return
	}
	media, _, _ = strings.Cut(media, ";")
	of, ok := content[media].(map[string]any)
	if !ok {
		t.Errorf("%s answers %s, which the document does not say", r.id, media)
		return
	}
	if of["schema"] == nil {
		return
	}
	where := "urn:api#/paths/" + escape(Prefix+r.path) + "/" + strings.ToLower(r.method) + "/responses/" + code +
		"/content/" + escape(media) + "/schema"
	compiled, err := s.compiler.Compile(where)
	if err != nil {
		t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		t.Errorf("%s: %v: %q", r.id, err, body)
		return
	}
	if err := compiled.Validate(value); err != nil {
		t.Errorf("%s %d: %v\n%.2000s", r.id, status, err, body)
	}
}

var numbers = regexp.MustCompile(`\{[a-z]+\}`)

// routeOf finds the line of the table for a request.
func routeOf(t *testing.T, method, path string) *route {
	t.Helper()
	path, _, _ = strings.Cut(path, "?")
	var found *route
	for _, r := range routes() {
		if r.method == method && r.matches(path) &&
			(found == nil || len(numbers.FindAllString(r.path, -1)) < len(numbers.FindAllString(found.path, -1))) {
			found = &r
		}
	}
	if found == nil {
		t.Fatalf("no route for %s %s", method, path)
	}
	return found
}

// answer is what the API said.
type answer struct {
	*httptest.ResponseRecorder
	t *testing.T
}

func (a answer) into(v any) {
	a.t.Helper()
	if err := json.Unmarshal(a.Body.Bytes(), v); err != nil {
		a.t.Fatalf("%v: %q", err, a.Body)
	}
}

// id returns the number of what was made.
func (a answer) id() int64 {
	a.t.Helper()
	var v struct {
		ID int64 `json:"id"`
	}
	a.into(&v)
	return v.ID
}

// ask makes a request as a role, holds the answer against the document, and wants a status.
func (c *scene) ask(role store.Role, method, path string, body any, want int) answer {
	c.t.Helper()
	r := c.request(method, path, body)
	if role != "" {
		r.Header.Set("Authorization", "Bearer "+c.tokens[role])
	}
	w := httptest.NewRecorder()
	c.api.ServeHTTP(w, r)
	if w.Code != want {
		c.t.Errorf("%s %s as %q: %d, want %d: %.500s", method, path, role, w.Code, want, w.Body)
	}
	of := routeOf(c.t, method, path)
	c.schemas.check(c.t, of, w.Code, w.Header().Get("Content-Type"), w.Body.Bytes())
	if w.Code < 300 {
		c.seen[of.id] = true
	}
	return answer{w, c.t}
}

func (c *scene) request(method, path string, body any) *http.Request {
	c.t.Helper()
	var reader io.Reader
	kind := "application/json"
	switch b := body.(type) {
	case nil:
	case string:
		reader, kind = strings.NewReader(b), "text/csv"
	default:
		j, err := json.Marshal(b)
		if err != nil {
			c.t.Fatal(err)
		}
		reader = bytes.NewReader(j)
	}
	r := httptest.NewRequestWithContext(c.t.Context(), method, Prefix+path, reader)
	if reader != nil {
		r.Header.Set("Content-Type", kind)
	}
	r.RemoteAddr = "192.0.2.99:1234"
	return r
}

// hosts makes hosts with scans, findings and events, one of them called badly.
func (c *scene) hosts(n int) {
	c.t.Helper()
	ctx := c.t.Context()
	site := store.Site{Name: fleet.DefaultSite}
	if err := c.st.SaveSite(ctx, &site); err != nil {
		c.t.Fatal(err)
	}
	for i := range n {
		address := "192.0.2." + string(rune('1'+i))
		target := store.Target{
			SiteID: site.ID, Spec: address, Kind: store.TargetHost,
			Criticality: store.CriticalityNormal, Enabled: true, Tags: []string{"lab"}, Owner: "ops",
		}
		if err := c.st.SaveTarget(ctx, &target); err != nil {
			c.t.Fatal(err)
		}
		name := "srv" + string(rune('1'+i))
		if i == 0 {
			name = hostile
		}
		run := store.Run{Kind: store.RunScan, By: "test", Selector: store.Selector{Targets: []int64{target.ID}}}
		if err := c.st.CreateRun(ctx, &run); err != nil {
			c.t.Fatal(err)
		}
		if _, err := c.st.AddUnits(ctx, run.ID, run.Selector); err != nil {
			c.t.Fatal(err)
		}
		if _, err := c.st.TakeUnits(ctx, run.ID, []int64{target.ID}, "w"); err != nil {
			c.t.Fatal(err)
		}
		at := time.Now().Add(-time.Hour).UTC()
		scan := model.Scan{
			Schema: model.SchemaScan, Target: address, Address: address + ":445", Started: at, Verdict: model.Exposed,
			Identities: []model.IdentityResult{{
				Identity: model.Anonymous,
				Session:  model.Step{Outcome: model.Allowed},
			}},
		}
		b, err := json.Marshal(scan)
		if err != nil {
			c.t.Fatal(err)
		}
		cells := store.Cells("a" + strings.Repeat("d", len(model.Disclosures())-1))
		result := store.Result{
			RunID: run.ID, TargetID: target.ID, Kind: store.RunScan, At: at, Verdict: model.Exposed, Worker: "w",
			Document: b,
			Snapshot: store.Snapshot{
				Verdict: model.Exposed, Cells: cells, Findings: []string{"anonymous-accounts"},
				Pipes: map[string]string{"anonymous/samr": "allowed"},
			},
			Host: store.Host{
				SiteID: site.ID, Address: address + ":445", Name: name, System: "samba",
				Verdict: model.Exposed, Cells: cells,
			},
			Names: []store.HostName{{Name: name, Kind: "netbios"}},
			Findings: []store.HostFinding{{
				Kind: store.RunScan, Finding: "anonymous-accounts", Severity: model.High,
				Identity: model.Anonymous, Evidence: hostile, Settings: []string{"restrict-anonymous"},
			}},
			Events: []store.Event{{
				At: at, Kind: store.EventBecameExposed, Host: name, Site: site.Name,
				Severity: model.High, Text: hostile,
			}},
		}
		if recorded, err := c.st.RecordResult(ctx, &result); err != nil || !recorded {
			c.t.Fatal(recorded, err)
		}
	}
	if _, err := c.st.FinishRuns(ctx); err != nil {
		c.t.Fatal(err)
	}
}

// lines returns how many lines the audit log has.
func (c *scene) lines() int {
	c.t.Helper()
	_, n, err := c.st.Acts(c.t.Context(), "", store.Page{Size: 1})
	if err != nil {
		c.t.Fatal(err)
	}
	return n
}

func ids() []string {
	var out []string
	for _, r := range routes() {
		out = append(out, r.id)
	}
	slices.Sort(out)
	return out
}
