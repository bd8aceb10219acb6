package web

import (
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ipcguard/internal/fleet/access"
	"ipcguard/internal/store"
)

// whole are the deeds that belong to no site, or to hosts of all: a role at sites is not enough, be it at every one.
var whole = regexp.MustCompile(`^(site: (good|fastest)|remove /(sites|channels|credentials)|channel|credential|account|token: end (another|nothing of)|exception: (a tag|everything)|run: good|schedule: name taken|target: (all that|an account|no such cred)|remove /schedules/1)`)

// own are deeds that somebody with the role at the deed's site does.
var own = regexp.MustCompile(`^(site: change|worker: (good|revoke)|target: (good|change|remove)|targets: import|hosts: (tag|owner|criticality)|plan: (good|block)|run: one host|run: cancel|schedule: good|rollout: (good|ticked|plan the rest|end)|exception: (one host|two hosts)|journal: good|results: good)$`)

// TestSiteRoles does every act as every role of a site, through the page and through the API, on both databases.
// Somebody of another site does nothing; somebody of the act's site does it where the role is enough, and nothing that
// is the whole fleet's.
func TestSiteRoles(t *testing.T) {
	for _, kind := range []string{store.KindSQLite, store.KindPostgres} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := newAlike(t, kind)
			elsewhere := store.Site{Name: "elsewhere"}
			if err := s.st.SaveSite(t.Context(), &elsewhere); err != nil {
				t.Fatal(err)
			}
			roles, ways := []store.Role{store.RoleViewer, store.RoleOperator, store.RoleAdmin}, []string{"page", "API"}
			// what PostgreSQL may answer otherwise is the questions
			if kind == store.KindPostgres && os.Getenv("IPCGUARD_LONG") == "" {
				roles, ways = roles[2:], ways[1:]
			}
			for _, role := range roles {
				who := s.of(role, elsewhere)
				for _, way := range ways {
					by := s.ways()[way]
					before := s.estate()
					for _, d := range deeds() {
						if d.own {
							continue
						}
						last := s.last()
						d.page, d.path = last.Replace(d.page), last.Replace(d.path)
						by(d, who)
						if diff := cmp.Diff(before, s.estate()); diff != "" {
							t.Fatalf("%s by %s, as %s of another site:\n%s", d.name, way, role, diff)
						}
						if lines := s.lines(); len(lines) > 0 {
							t.Errorf("%s by %s, as %s of another site: %q", d.name, way, role, lines)
						}
					}
				}
				s.seesNothing(who)
			}
			for _, role := range roles {
				for _, way := range ways {
					s := newAlike(t, kind)
					sites, err := s.st.Sites(t.Context())
					if err != nil {
						t.Fatal(err)
					}
					who := s.of(role, sites...)
					done := 0
					for _, d := range deeds() {
						o, status := s.done(d, who, s.ways()[way])
						may := allows(role, d.role) && !whole.MatchString(d.name)
						switch {
						case status >= 500:
							t.Errorf("%s by %s, as %s of all sites: %d", d.name, way, role, status)
						case !may && !o.Refused && !d.own:
							t.Errorf("%s by %s, as %s of all sites, was done: %q", d.name, way, role, o.Log)
						case may && own.MatchString(d.name) && o.Refused:
							t.Errorf("%s by %s, as %s of all sites, was refused: %d %v", d.name, way, role, status,
								o.Words)
						case may && own.MatchString(d.name):
							done++
						}
					}
					if role != store.RoleViewer && done < 14 {
						t.Errorf("as %s of all sites by %s: %d deeds were done", role, way, done)
					}
				}
			}
		})
	}
}

func (s *alike) ways() map[string]func(deed, store.Role) (int, map[string]string) {
	return map[string]func(deed, store.Role) (int, map[string]string){"page": s.byPage, "API": s.byAPI}
}

// of makes an account that has a role at some sites alone, and gives its name.
func (s *alike) of(role store.Role, sites ...store.Site) store.Role {
	s.t.Helper()
	ctx := s.t.Context()
	name := "at-" + sites[0].Name + "-" + string(role)
	u, err := s.access.AddUser(ctx, access.System(), name, store.RoleViewer, password)
	if err != nil {
		s.t.Fatal(err)
	}
	var roles []store.SiteRole
	for _, x := range sites {
		roles = append(roles, store.SiteRole{SiteID: x.ID, Role: role})
	}
	if err := s.access.SetRoles(ctx, access.System(), u.ID, "", roles); err != nil {
		s.t.Fatal(err)
	}
	if u, err = s.st.User(ctx, u.ID); err != nil {
		s.t.Fatal(err)
	}
	who, err := s.access.Resume(ctx, u.ID, access.Stamp(&u), "127.77.3.1")
	if err != nil {
		s.t.Fatal(err)
	}
	scopes := access.Scopes(who)
	if s.tokens[store.Role(name)], _, err = s.access.NewToken(ctx, who, password, "t", scopes[len(scopes)-1], time.Now().Add(time.Hour)); err != nil {
		s.t.Fatal(err)
	}
	s.people[store.Role(name)] = s.login(store.Role(name))
	s.lines()
	return store.Role(name)
}

// seesNothing looks at every page and every list as somebody of a site without hosts: no host, target, run, schedule or
// name of another site is told.
func (s *alike) seesNothing(who store.Role) {
	s.t.Helper()
	secret := []string{"172.16.0.12", "srv0", "berlin", "DC1", "plant", "nightly"}
	told := func(path string, status int, body string) {
		s.t.Helper()
		if status >= 500 {
			s.t.Errorf("%s as %s: %d", path, who, status)
		}
		for _, word := range secret {
			if i := strings.Index(body, word); i >= 0 {
				s.t.Errorf("%s as %s tells %q: …%s…", path, who, word, body[max(0, i-100):min(len(body), i+60)])
			}
		}
	}
	p := s.people[who]
	for _, path := range slices.Concat(s.pathsOf(), []string{
		"/export/hosts.csv", "/export/findings.csv",
		"/targets/export.csv", "/hosts/1/documents/scan", "/hosts/1/documents/audit", "/hosts/1/plan.json",
		"/runs/1/progress",
	}) {
		a := p.get(path)
		told(path, a.status, a.body)
	}
	now := time.Now().UTC()
	between := "from=" + now.AddDate(0, 0, -7).Format(time.RFC3339) + "&to=" + now.Format(time.RFC3339)
	for _, path := range []string{
		"/standings", "/hosts", "/hosts/1", "/hosts/1/spans", "/hosts/1/results", "/hosts/1/documents/scan",
		"/findings", "/clients", "/exports/clients?format=csv", "/findings/counts", "/settings", "/events",
		"/sites", "/workers", "/targets", "/targets/1",
		"/tags", "/owners", "/runs", "/runs/1", "/runs/1/units", "/rollouts", "/rollouts/1", "/rollouts/1/groups",
		"/rollouts/1/hosts", "/rollouts/1/stops", "/schedules", "/exceptions?all=true", "/exports/hosts?format=csv",
		"/exports/findings?format=json", "/targets/export.csv", "/compare?" + between, "/acts", "/users",
		"/channels", "/credentials", "/workers/enrolled",
	} {
		req, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, p.base+"/api/v1"+path, nil)
		if err != nil {
			s.t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+s.tokens[who])
		a := s.stranger().do(req)
		told("/api/v1"+path, a.status, a.body)
	}
}
