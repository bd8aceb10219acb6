//go:build linux

package cli

import (
	"encoding/json"
	"mime/multipart"
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"ipcguard/internal/model"
	"ipcguard/internal/store"
)

// TestNewWeakClientTold imports observations of a host into the program: a client that comes with NTLMv1 for the first
// time is told to a webhook, and one with NTLMv2 is not.
func TestNewWeakClientTold(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := startServer(t, buildProgram(t, dir), dir, filepath.Join(dir, "fleet.db"))
	hook := newHook(t)
	p := s.page(t)
	p.setUp(t, s.token)
	p.post(t, "/channels", url.Values{
		"kind": {"webhook"}, "name": {"hook"}, "url": {hook.url}, "key": {hook.key}, "loopback": {"on"},
		"enabled": {"on"},
		"least":   {"info"},
	})
	take := func(kind string, result any) {
		t.Helper()
		b, err := json.Marshal(result)
		if err != nil {
			t.Fatal(err)
		}
		p.parts(t, "/import", func(form *multipart.Writer) error {
			if err := form.WriteField("kind", kind); err != nil { // before the file, which is not kept
				return err
			}
			part, err := form.CreateFormFile("file", "result.json")
			if err == nil {
				_, err = part.Write(b)
			}
			return err
		})
	}
	at := time.Now().Add(-time.Minute)
	observed := func(with string) {
		t.Helper()
		take("observe", &model.Observation{
			Schema: model.SchemaObserve, Coverage: model.Coverage{From: at, To: at},
			Uses: []model.Use{{
				Schema: model.SchemaUse, Client: "10.0.0.7", Server: "10.0.0.1", Identity: model.User, Package: with,
				Layer: model.LayerSession, Outcome: model.Allowed, Count: 1, First: at, Last: at,
			}},
		})
	}
	take("scan", &model.Scan{
		Schema: model.SchemaScan, Target: "10.0.0.1:445", Address: "10.0.0.1:445", Started: at, Verdict: model.Closed,
	})
	observed(model.PackageNTLMv2)
	if p.events(t)[store.EventWeakLogon] {
		t.Error("NTLMv2 is told as weak")
	}
	observed(model.PackageNTLMv1)
	p.until(t, "the new client with NTLMv1", func() bool { return hook.got(store.EventWeakLogon) })
	if !hook.signed() {
		t.Error("the notification came without a good signature")
	}
	s.stop(t)
}
