package api

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"ipcguard/internal/peer"
	"ipcguard/internal/store"
	"ipcguard/internal/web/view"
)

// TestMistakes asks every route for what no route has, on both databases: it is the caller's mistake, with a reason,
// and never the server's.
func TestMistakes(t *testing.T) {
	for kind, empty := range peer.Databases() {
		t.Run(kind, func(t *testing.T) {
			c := newSceneOn(t, empty(t))
			odd := map[string][]string{
				view.Text:    {"\x00", "\xff\xfe", `'"%_\\`, strings.Repeat("x", 501), "\u202e", "-- ;"},
				view.Number:  {"-1", "9007199254740992", "99999999999999999999", "1e9", "0x10"},
				view.Boolean: {"maybe", "1"},
				view.Moment:  {"1970-01-01", "9998-12-31", "0000-00-00", "now", "2026-02-30"},
			}
			asked := 0
			ask := func(method, path, media, body string) {
				t.Helper()
				r := httptest.NewRequest(method, path, strings.NewReader(body))
				r.Header.Set("Authorization", "Bearer "+c.tokens[store.RoleAdmin])
				if media != "" {
					r.Header.Set("Content-Type", media)
				}
				w := httptest.NewRecorder()
				c.api.ServeHTTP(w, r)
				asked++
				if w.Code >= 500 {
					t.Errorf("%s %s %.100q: %d %s", method, path, body, w.Code, w.Body)
				}
				if w.Code >= 400 {
					var p problem
					if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || p.Detail == "" && len(p.Fields) == 0 && w.Code != 404 && w.Code != 405 && w.Code != 414 {
						t.Errorf("%s %s %.100q: %d without a reason: %s", method, path, body, w.Code, w.Body)
					}
				}
			}
			for _, r := range routes() {
				if r.id == "followRun" {
					continue // it never ends
				}
				fill := strings.NewReplacer("{id}", "999999", "{token}", "1", "{kind}", "scan", "{view}", "hosts")
				path := Prefix + fill.Replace(r.path)
				for _, id := range []string{
					"0", "-1", "abc", "9223372036854775807", "99999999999999999999", "%00",
					"%FF",
				} {
					if strings.Contains(r.path, "{id}") {
						ask(r.method, Prefix+strings.NewReplacer("{id}", id, "{token}", "1", "{kind}",
							"scan").Replace(r.path), "application/json", "{}")
					}
				}
				if r.method == http.MethodGet {
					for _, p := range r.query {
						for _, v := range odd[p.Kind] {
							q := url.Values{p.Name: {v}}
							for _, other := range r.query {
								if other.Needed && other.Name != p.Name {
									q.Set(other.Name,
										map[string]string{view.Moment: "2026-01-01", view.Text: "csv"}[other.Kind])
								}
							}
							ask(r.method, path+"?"+q.Encode(), "", "")
						}
					}
					continue
				}
				for _, body := range []string{
					"", "null", "[]", "{", `{"x":1}`, `{"name":"\u0000"}`, `{"name":1}`,
					`{"spec":"\ufffe","site":"\u0000","tags":["\u0000"]}`, "\xff",
					`{"hosts":[-1,9223372036854775807],"do":"tag","value":"x"}`,
					`{"kind":"scan","selector":{"site":"\u0000","hosts":[-1]}}`, `{"strategy":"\u0000"}`,
					"spec,site\n\x00,\xff\n",
				} {
					for _, media := range append(r.takes, "application/json")[:1] {
						ask(r.method, path, media, body)
					}
				}
			}
			for _, path := range []string{
				"/trend?from=1970-01-01&to=2026-01-01", "/trend?from=2026-02-01&to=2026-01-01",
				"/compare?from=2026-02-01&to=2026-01-01", "/hosts?sort=posture_id",
				"/hosts?offset=2147483648&limit=0",
			} {
				ask(http.MethodGet, Prefix+path, "", "")
			}
			t.Logf("%d mistakes", asked)
		})
	}
}
