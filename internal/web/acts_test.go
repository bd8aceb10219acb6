package web

import (
	"bytes"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/url"
	"path"
	"strings"
	"testing"
	"time"

	"ipcguard/internal/store"
)

// upload posts a form with a file.
func (p *person) upload(path, fileName, content string, pairs ...string) answer {
	p.t.Helper()
	return p.uploadAll(path, [][2]string{{fileName, content}}, pairs...)
}

// uploadAll sends a form with several files, each a name and what is in it.
func (p *person) uploadAll(path string, files [][2]string, pairs ...string) answer {
	p.t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for i := 0; i+1 < len(pairs); i += 2 {
		if err := w.WriteField(pairs[i], pairs[i+1]); err != nil {
			p.t.Fatal(err)
		}
	}
	for _, f := range files {
		part, err := w.CreateFormFile("file", f[0])
		if err == nil {
			_, err = part.Write([]byte(f[1]))
		}
		if err != nil {
			p.t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		p.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, p.base+path, &b)
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Content-Type", w.FormDataContentType())
	return p.do(req)
}

// says asserts that a page holds every text.
func (p *person) says(path string, texts ...string) {
	p.t.Helper()
	body := p.ok(path)
	for _, s := range texts {
		if !strings.Contains(body, s) {
			p.t.Errorf("%s does not say %q", path, s)
		}
	}
}

// refuses asserts that a form is shown again with its errors.
func (p *person) refuses(path string, why string, pairs ...string) {
	p.t.Helper()
	a := p.post(path, pairs...)
	if a.status != http.StatusUnprocessableEntity && a.status != http.StatusConflict &&
		a.status != http.StatusForbidden || !strings.Contains(a.body, why) {
		i := strings.Index(a.body, "<main")
		p.t.Errorf("%s: %d, want %q in …%s", path, a.status, why, clipTo(800, a.body[max(0, i):]))
		return
	}
	check(p.t.(*testing.T), path, a.body)
}

func TestActsOnTargets(t *testing.T) {
	s := newTestSite(t)
	plainSeed().fill(t, s.st)
	p := s.login(store.RoleOperator)
	p.done("/targets", "spec", "NEW.example.org", "site", "default", "tags", "Web  DMZ", "owner", "Cy", "criticality",
		"high", "enabled", "yes", "note", "two\nlines")
	got, _, err := s.st.Targets(t.Context(), store.TargetFilter{Text: "new.example"}, store.Page{})
	if err != nil || len(got) != 1 || got[0].Spec != "new.example.org" || strings.Join(got[0].Tags, " ") != "dmz web" ||
		got[0].Owner != "Cy" || got[0].Note != "two\nlines" {
		t.Fatalf("the target is %+v, %v", got, err)
	}
	id := fmt.Sprintf("/targets/%d", got[0].ID)
	p.says(id, "new.example.org", "dmz web")
	p.refuses("/targets", "has this target already", "spec", "new.example.org", "site", "default", "criticality",
		"high")
	p.refuses("/targets", "This is needed", "spec", "", "site", "default", "criticality", "high")
	p.refuses("/targets", "This is needed", "spec", "a.example", "site", "", "criticality", "high")
	p.refuses("/targets", "marks that hide", "spec", "b.example", "site", "default", "criticality", "high", "owner",
		"evil\u202Eor")
	p.refuses("/targets", "problem", "spec", "10.0.0.0/99", "site", "default", "criticality", "high")
	p.refuses("/targets", "longer than", "spec", "c.example", "site", "default", "criticality", "high", "note",
		strings.Repeat("x", 10_001))
	p.refuses("/targets", "Only an administrator", "spec", "d.example", "site", "default", "criticality", "high",
		"audit_source", "/etc/shadow")
	p.refuses("/targets", "Only an administrator", "spec", "d.example", "site", "default", "criticality", "high",
		"credential", "1")
	// Several at once: those that are right are added, and the others stay in the form.
	p.done("/targets", "spec", "s1.example\r\n\r\n s2.example \r\n", "site", "default", "criticality", "high", "owner",
		"Di")
	a := p.post("/targets", "spec", "s3.example\ns1.example\n10.0.0.0/99", "site", "default", "criticality", "high",
		"owner", "Di")
	if a.status != http.StatusUnprocessableEntity && a.status != http.StatusConflict || !strings.Contains(a.body,
		"1 target was added; 2 are left") || !strings.Contains(a.body, "s1.example: ") || !strings.Contains(a.body,
		">s1.example\n10.0.0.0/99</textarea>") {
		t.Errorf("one of three: %d %s", a.status, a.body)
	}
	if list, _, err := s.st.Targets(t.Context(), store.TargetFilter{Owner: "Di"}, store.Page{}); err != nil || len(list) != 3 {
		t.Errorf("%+v, %v", list, err)
	}
	p.refuses("/targets", "import them as a file", "spec", strings.Repeat("x.example\n", mostAdded+1), "site",
		"default")
	p.done(id, "spec", "new.example.org", "site", "plant", "tags", "web", "criticality", "low")
	if now, err := s.st.Target(t.Context(), got[0].ID); err != nil || now.SiteID != 2 || now.Enabled {
		t.Errorf("changed to %+v, %v", now, err)
	}
	p.done("/targets/delete", "target", fmt.Sprint(got[0].ID))
	if a := p.get(id); a.status != http.StatusNotFound {
		t.Errorf("a removed target: %d", a.status)
	}
	a = p.upload("/targets/import", "t.csv",
		"spec,site,tags,owner\na1.example,default,x,Ann\na2.example,default,,\n10.0.0.0/99,default,,\n")
	if a.status != http.StatusOK || !strings.Contains(a.body, "2 targets were added") || !strings.Contains(a.body,
		"1 row was left out") {
		t.Errorf("import: %d %s", a.status, a.body[max(0, strings.Index(a.body, "<main")):])
	}
	if a := p.upload("/targets/import", "t.csv", "nothing,of,this\n1,2,3\n"); a.status != http.StatusUnprocessableEntity {
		t.Errorf("a wrong table: %d", a.status)
	}
	if a := p.post("/targets/import"); a.status != http.StatusBadRequest {
		t.Errorf("no file: %d", a.status)
	}
	if csv := p.ok("/targets/export.csv"); !strings.Contains(csv, "a1.example") || !strings.HasPrefix(csv, "spec,") {
		t.Error("the export is ", clip(csv))
	}
	p.says("/targets?q=a1.example", "a1.example", "1 to 1 of 1")
}

func TestActsOnHosts(t *testing.T) {
	s := newTestSite(t)
	plainSeed().fill(t, s.st)
	p := s.login(store.RoleOperator)
	audited, other := s.host("10.1.0.1:445"), s.host("10.1.0.2:445")
	one, two := fmt.Sprint(audited.ID), fmt.Sprint(other.ID)
	p.done("/hosts/act", "do", "tag", "which", "ticked", "host", one, "host", two, "value", "Audited 2026")
	p.done("/hosts/act", "do", "owner", "which", "ticked", "host", one, "value", "Dee")
	p.done("/hosts/act", "do", "untag", "which", "ticked", "host", two, "value", "2026")
	p.done("/hosts/act", "do", "criticality", "which", "all", "filter", "tag=dc", "value", "high")
	h, err := s.st.Host(t.Context(), audited.ID)
	if err != nil || h.Owner != "Dee" || !strings.Contains(strings.Join(h.Tags, " "), "2026 audited") {
		t.Errorf("host one is %+v, %v", h, err)
	}
	if n, _ := s.st.Counts(t.Context(), store.HostFilter{Tag: "dc", Criticality: store.CriticalityHigh}); n.Hosts != 13 {
		t.Errorf("%d hosts with the tag dc are critical, want 13", n.Hosts)
	}
	p.done("/hosts/act", "do", "criticality", "which", "ticked", "host", one, "value", "utmost")
	p.says("/hosts", "Want one of low, normal, high")
	p.done("/hosts/act", "do", "tag", "which", "ticked")
	p.says("/hosts", "No host was chosen")
	for _, x := range []struct {
		q    string
		want int
	}{
		{"q=srv03", 1},
		{"tag=audited", 2},
		{"owner=Dee", 1},
		{"verdict=exposed&discloses=accounts", -1},
		{"site=plant", 8},
		{"finding=anonymous-lists-printers", -1},
		{"setting=restrict+anonymous", -1},
		{"smb1=yes", -1},
		{"excepted=yes", -1},
		{"q=%25", 0},
		{"verdict=unknown", -1},
		{"verdict=zzz", 0},
		{"logon=broken", 1},
		{"logon=strong", 0},
		{"logon=zzz", 0},
		{"client=172.16.0.12", 1},
		{"client=172.16.0.12&logon=broken", 1},
		{"client=172.16.0.12&logon=none", 0},
		{"criticality=zzz", 0},
		{"discloses=zzz", 0},
	} {
		body := p.ok("/hosts?" + x.q)
		n := strings.Count(body, `name="host" value=`)
		if x.want >= 0 && n != x.want || x.want < 0 && (n == 0 || n == 40) {
			t.Errorf("/hosts?%s shows %d hosts, want %d", x.q, n, x.want)
		}
	}
	first := func(q string) string {
		_, rest, _ := strings.Cut(p.ok("/hosts?"+q), `aria-label="Choose `)
		name, _, _ := strings.Cut(rest, `"`)
		return name
	}
	if first("sort=name") != "srv00.example.org" || first("sort=-name") != "srv39.example.org" {
		t.Errorf("sorted by name the first are %s and %s", first("sort=name"), first("sort=-name"))
	}
	p.says("/hosts?sort=-name", `aria-sort="descending"`)
	p.says("/hosts?offset=20&sort=name", "21 to 40 of 40", `rel="prev"`)
	to := p.done("/hosts/act", "do", "scan", "which", "ticked", "host", one, "host", two)
	p.says(to, "2 hosts", "0 of 2 done", `hx-trigger="every 2s"`)
	id := path.Base(to)
	p.done("/runs/" + id + "/cancel")
	p.says("/runs/"+id, "cancelled")
	if to := p.done("/hosts/"+one+"/scan", "kind", "scan"); !strings.HasPrefix(to, "/runs/") {
		t.Error(to)
	}
	if to := p.done("/runs", "kind", "scan", "tag", "dc", "quick", "yes"); !strings.HasPrefix(to, "/runs/") {
		t.Error(to)
	}
	p.refuses("/runs", "No target that is enabled fits", "kind", "scan", "owner", "nobody")
	p.done("/hosts/"+one+"/plan", "strategy", "restrict")
	p.says("/hosts/"+one, "ipcguard apply plan-srv00.example.org.json --target samba:/etc/samba/smb.conf "+
		"--confirm-within 10m", "restrict anonymous")
	p.says("/hosts/"+one, "How clients log on, the weakest first", "broken", "NTLMv1, SMB 2.1, asked for cifs/srv")
	if a := p.get("/hosts/" + one + "/plan.json"); a.status != http.StatusOK || !strings.Contains(a.header.Get("Content-Disposition"), "plan-srv00.example.org.json") || !strings.Contains(a.body, "ipcguard.plan/1") {
		t.Errorf("the plan: %d %s", a.status, clip(a.body))
	}
	p.refuses("/hosts/"+two+"/plan", "never audited", "strategy", "restrict")
	p.refuses("/hosts/"+one+"/plan", "Want one of restrict, block", "strategy", "bomb")
	if a := p.get("/hosts/" + one + "/documents/scan"); a.status != http.StatusOK || !strings.Contains(a.body, "ipcguard.scan/1") {
		t.Errorf("the scan: %d", a.status)
	}
	for _, x := range []string{
		"/hosts/" + one + "/documents/secret", "/hosts/0", "/hosts/x", "/runs/77777",
		"/targets/-1", "/catalog/setting/none", "/export/hosts.exe", "/export/users.json",
	} {
		if a := p.get(x); a.status != http.StatusNotFound {
			t.Errorf("%s: %d", x, a.status)
		}
	}
	if a := p.upload("/hosts/"+two+"/journal", "j.json", `[{"id":"20261101-1","who":"root","phase":"confirmed"}]`); a.status != http.StatusSeeOther {
		t.Errorf("journal: %d", a.status)
	}
	p.says("/hosts/"+two, "20261101-1")
	for _, bad := range []string{"", "no json", `{"x":1}`, `[]`} {
		if a := p.upload("/hosts/"+two+"/journal", "j.json", bad); a.status != http.StatusUnprocessableEntity {
			t.Errorf("journal %q: %d", bad, a.status)
		}
	}
	if a := p.upload("/import", "s.json", "not json", "kind", "scan"); a.status != http.StatusUnprocessableEntity {
		t.Errorf("results that are none: %d", a.status)
	}
}

func TestActsOnWork(t *testing.T) {
	s := newTestSite(t)
	plainSeed().fill(t, s.st)
	p := s.login(store.RoleOperator)
	p.done("/schedules", "name", "weekly", "kind", "scan", "cron", "0 3 * * 0", "zone", "Europe/Berlin", "window",
		"Sat,Sun 00:00-24:00", "site", "plant", "enabled", "yes")
	p.says("/schedules", "weekly", "site plant")
	p.refuses("/schedules", "problem", "name", "bad", "kind", "scan", "cron", "99 * * * *")
	p.refuses("/schedules", "is no time zone", "name", "bad", "kind", "scan", "cron", "@daily", "zone", "Mars/Phobos")
	p.refuses("/schedules", "problem", "name", "bad", "kind", "scan", "cron", "@daily", "window", "now and then")
	p.refuses("/schedules", "Another schedule has this name", "name", "weekly", "kind", "scan", "cron", "@daily")
	all, err := s.st.Schedules(t.Context())
	if err != nil || len(all) != 2 || all[1].Next.Before(time.Now()) {
		t.Fatalf("%+v %v", all, err)
	}
	p.done(fmt.Sprintf("/schedules/%d/delete", all[1].ID))

	until := day(time.Now().AddDate(0, 1, 0))
	p.done("/exceptions", "finding", "anonymous-lists-groups", "tag", "dc", "reason", "old printers", "owner", "Bo",
		"until", until)
	p.done("/exceptions", "finding", "anonymous-lists-accounts", "host", fmt.Sprint(s.host("10.1.0.1:445").ID), "host",
		"2", "reason", "being replaced", "owner", "Bo", "until", until)
	p.says("/exceptions", "old printers", "being replaced", until)
	p.says(fmt.Sprintf("/hosts/%d", s.host("10.1.0.1:445").ID), until+" 23:59")
	p.refuses("/exceptions", "This is past", "finding", "anonymous-lists-groups", "reason", "x", "owner", "y", "until",
		"2020-01-01")
	p.refuses("/exceptions", "Two years at most", "finding", "anonymous-lists-groups", "reason", "x", "owner", "y",
		"until", "2099-01-01")
	p.refuses("/exceptions", "Want a date", "finding", "anonymous-lists-groups", "reason", "x", "owner", "y", "until",
		"tomorrow")
	p.refuses("/exceptions", "There is no such finding", "finding", "everything", "reason", "x", "owner", "y", "until",
		until)
	p.refuses("/exceptions", "This is needed", "finding", "anonymous-lists-groups", "reason", "", "owner", "", "until",
		until)
	p.done("/exceptions/1/withdraw")
	p.says("/exceptions?all=yes", "withdrawn")

	p.says("/events?kind=became-exposed&least=high&site=plant", "became exposed")
	p.says("/events?least=critical", "No change matches")
	p.says("/compare?from="+day(time.Now().AddDate(0, 0, -14))+"&to="+day(time.Now()), "Differences", "closed")
	for file, want := range map[string]string{
		"hosts.csv?verdict=exposed": "id,site_id,site,address,name", "hosts.json": `"verdict":"exposed"`,
		"hosts.sarif": "sarif", "hosts.ocsf?site=plant": "Compliance Finding",
		"findings.csv?finding=anonymous-lists-shares": "anonymous-lists-shares", "findings.json?q=nobody": "[]",
		"findings.sarif": "anonymous-lists-shares", "findings.ocsf": "class_uid", "events.csv": "became-exposed",
		"events.json?kind=became-exposed": "became-exposed",
	} {
		if body := p.ok("/export/" + file); !strings.Contains(body, want) {
			t.Errorf("%s has no %q: %s", file, want, clip(body))
		}
	}
	p.done("/seen")
	p.says("/", "No change was seen.")
}

// adminSecret is the secret of a credential and of a channel.
const adminSecret = "a very secret word 8"

func TestActsOfAdministrators(t *testing.T) {
	s := newTestSite(t)
	plainSeed().fill(t, s.st)
	p := s.login(store.RoleAdmin)
	s.changeSites(p)
	s.changeCredentials(p)
	s.changeChannels(p)
	newbie := s.changeAccounts(p)
	token := s.changeOwn(newbie)
	s.readLog(p, token)
}

func (s *testSite) changeSites(p *person) {
	s.t.Helper()
	p.done("/sites", "name", "lab", "rate", "10.5", "concurrency", "4", "window", "Mon-Fri 22:00-06:00", "zone",
		"Europe/Berlin")
	p.says("/sites", "lab", "10.5")
	p.refuses("/sites", "Another site has this name", "name", "lab")
	p.refuses("/sites", "Want 0 to 1000000 connections", "name", "lab2", "rate", "-1")
	p.refuses("/sites", "Want 0 to 1000000 connections", "name", "lab2", "rate", "NaN")
	p.done("/sites/1/delete")
	p.says("/sites", "has targets or hosts and stays")
	p.done("/sites/3/delete")
}

func (s *testSite) changeCredentials(p *person) {
	s.t.Helper()
	if a := p.upload("/credentials", "", "", "name", "svc", "kind", "password", "account", `LAB\svc`, "value", adminSecret); a.status != http.StatusSeeOther {
		s.t.Errorf("credential: %d %s", a.status, a.body)
	}
	if body := p.ok("/credentials"); strings.Contains(body, adminSecret) || !strings.Contains(body, `LAB\svc`) {
		s.t.Error("the credentials' page is wrong")
	}
	list, err := s.st.Credentials(s.t.Context())
	if err != nil || len(list) != 2 || bytes.Contains(list[1].Sealed, []byte(adminSecret)) ||
		!bytes.HasPrefix(list[1].Sealed, []byte("age-encryption.org")) {
		s.t.Errorf("stored: %+v %v", list, err)
	}
	if a := p.upload("/credentials", "", "", "name", "h", "kind", "hash", "account", "a", "value", "tooshort"); a.status != http.StatusUnprocessableEntity || strings.Contains(a.body, "tooshort") {
		s.t.Errorf("a bad hash: %d", a.status)
	}
	if a := p.upload("/credentials", "k.keytab", "a letter", "name", "k", "kind", "keytab", "account", "svc@LAB"); a.status != http.StatusUnprocessableEntity || !strings.Contains(a.body, "not a keytab") {
		s.t.Errorf("a keytab that is none: %d", a.status)
	}
	if a := p.upload("/credentials", "k.keytab", "\x05\x02bytes", "name", "k", "kind", "keytab", "account", "svc@LAB"); a.status != http.StatusSeeOther {
		s.t.Errorf("a keytab: %d", a.status)
	}
	p.done(fmt.Sprintf("/credentials/%d/delete", list[1].ID))
}

func (s *testSite) changeChannels(p *person) {
	s.t.Helper()
	p.done("/channels", "kind", "webhook", "name", "chat", "url", "https://hooks.example.org/T0/secretpath", "key",
		"0123456789abcdef0123", "least", "medium", "kinds", "became-exposed", "enabled", "yes")
	p.done("/channels", "kind", "email", "name", "mail", "server", "mail.example.org:25", "from", "a@example.org", "to",
		"b@example.org, c@example.org", "security", "starttls", "user", "guard", "password", adminSecret, "least", "",
		"digest", "@daily")
	p.done("/channels", "kind", "syslog", "name", "broken siem", "address", "siem.example.org:6514", "network", "tls",
		"format", "cef", "least", "high", "acts", "only", "enabled", "yes")
	p.refuses("/channels", "problem", "kind", "webhook", "name", "bad", "url", "gopher://x", "key",
		"0123456789abcdef0123", "least", "")
	p.refuses("/channels", "problem", "kind", "email", "name", "bad", "least", "", "security", "tls", "digest",
		"whenever")
	p.says("/channels", "chat", "mail", "broken siem", "every day at 00:00", "became exposed")
	channels, err := s.st.Channels(s.t.Context())
	if err != nil || len(channels) != 4 {
		s.t.Fatal(channels, err)
	}
	for _, c := range channels {
		s.changeChannel(p, c)
	}
	if strings.Join(s.tested, ",") != "chat 2,broken siem" && strings.Join(s.tested, ",") != "broken siem,chat 2" {
		s.t.Errorf("tested: %v", s.tested)
	}
}

// changeChannel does with each channel of changeChannels what only this kind has.
func (s *testSite) changeChannel(p *person, c store.Channel) {
	s.t.Helper()
	body := p.ok(fmt.Sprintf("/channels/%d", c.ID))
	if strings.Contains(body, "secretpath") || strings.Contains(body, "0123456789abcdef") {
		s.t.Errorf("the page of %s shows a secret", c.Name)
	}
	if c.Name == "mail" && !strings.Contains(body, "b@example.org, c@example.org") {
		s.t.Error("the recipients are lost")
	}
	if c.Name == "mail" { // whoever moves it elsewhere does not receive its password
		mail := []string{
			"name", "mail", "from", "a@example.org", "to", "b@example.org", "security", "starttls",
			"user", "guard", "least", "", "digest", "@weekly",
		}
		p.done(fmt.Sprintf("/channels/%d", c.ID), append(mail, "server", "mail.example.org:25")...)
		p.refuses(fmt.Sprintf("/channels/%d", c.ID), "belong together",
			append(mail, "server", "mail.example.com:25")...)
		p.done(fmt.Sprintf("/channels/%d", c.ID), append(mail, "server", "mail.example.com:25", "password",
			adminSecret)...)
	}
	if c.Name == "chat" { // saved again without secrets, it keeps them
		p.done(fmt.Sprintf("/channels/%d", c.ID), "name", "chat 2", "least", "low", "enabled", "yes")
		p.done(fmt.Sprintf("/channels/%d/test", c.ID))
		p.says("/channels", "The test of chat 2 was sent")
	}
	if c.Name == "broken siem" {
		if c.Acts != store.TellActsOnly || !strings.Contains(body, `<option value="only" selected>`) {
			s.t.Errorf("what it is told of: %q", c.Acts)
		}
		p.done(fmt.Sprintf("/channels/%d/test", c.ID))
		p.says("/channels", "failed: Nobody is there.")
		p.done(fmt.Sprintf("/channels/%d/delete", c.ID))
	}
}

// changeAccounts returns the session of the new account.
func (s *testSite) changeAccounts(p *person) *person {
	s.t.Helper()
	p.done("/accounts", "name", "newbie", "role", "viewer", "new", password)
	p.done("/accounts", "name", "local", "role", "operator", "site", "1", "new", password)
	if u, err := s.st.UserByName(s.t.Context(), "local"); err != nil || u.Role != "" || len(u.Sites) != 1 || u.Sites[0].Role != store.RoleOperator {
		s.t.Errorf("an account of one site: %+v, %v", u, err)
	}
	p.refuses("/accounts", "no such site", "name", "elsewhere", "role", "viewer", "site", "x", "new", password)
	p.refuses("/accounts", "account of this name", "name", "newbie", "role", "viewer", "new", password)
	p.refuses("/accounts", "problem", "name", "short", "role", "viewer", "new", "abc")
	u, err := s.st.UserByName(s.t.Context(), "newbie")
	if err != nil {
		s.t.Fatal(err)
	}
	account := fmt.Sprintf("/accounts/%d", u.ID)
	p.done(account, "do", "role", "role", "operator")
	p.done(account, "do", "password", "new", "another long word 55")
	p.done(account, "do", "lock")
	if a := s.stranger().post("/login", "name", "newbie", "password", "another long word 55"); a.status != http.StatusUnauthorized {
		s.t.Errorf("a locked account comes in: %d", a.status)
	}
	p.done(account, "do", "unlock")
	newbie := s.stranger()
	newbie.done("/login", "name", "newbie", "password", "another long word 55")
	admin, err := s.st.UserByName(s.t.Context(), "admin")
	if err != nil {
		s.t.Fatal(err)
	}
	p.done(fmt.Sprintf("/accounts/%d", admin.ID), "do", "role", "role", "viewer")
	p.says("/accounts", "One administrator has to stay")
	return newbie
}

// changeOwn makes and removes tokens of the account newbie, and returns one.
func (s *testSite) changeOwn(newbie *person) string {
	s.t.Helper()
	u, err := s.st.UserByName(s.t.Context(), "newbie")
	if err != nil {
		s.t.Fatal(err)
	}
	a := newbie.post("/account/tokens", "name", "ci", "scope", "operate", "proof", "another long word 55", "until",
		day(time.Now().AddDate(0, 1, 0)))
	_, rest, _ := strings.Cut(a.body, `id="secret">`)
	token, _, _ := strings.Cut(rest, "<")
	if a.status != http.StatusCreated || len(token) < 40 {
		s.t.Fatalf("token: %d %q", a.status, token)
	}
	if who, err := s.access.TokenAuth(s.t.Context(), token, "127.46.0.2"); err != nil || who.User.Name != "newbie" {
		s.t.Errorf("the token is of %v, %v", who, err)
	}
	if strings.Contains(newbie.ok("/account"), token) {
		s.t.Error("the token is shown twice")
	}
	newbie.refuses("/account/tokens", "The scope is read, upload, operate or administer", "name", "root", "scope",
		"emperor", "until", day(time.Now().AddDate(0, 1, 0)))
	newbie.refuses("/account/tokens", "This is not the present password", "name", "root", "scope", "read", "proof", password,
		"until", day(time.Now().AddDate(0, 1, 0)))
	newbie.refuses("/account/tokens", "problem", "name", "root", "scope", "administer", "proof", "another long word 55",
		"until", day(time.Now().AddDate(0, 1, 0)))
	tokens, err := s.st.Tokens(s.t.Context(), u.ID)
	if err != nil || len(tokens) != 1 {
		s.t.Fatal(tokens, err)
	}
	newbie.done(fmt.Sprintf("/account/tokens/%d/delete", tokens[0].ID))
	newbie.refuses("/account/password", "not the same", "password", "x", "new", password, "again", "y")
	newbie.refuses("/account/password", "not the present password", "password", "wrong", "new", password, "again", password)
	return token
}

// readLog reads the audit log, which holds no secret.
func (s *testSite) readLog(p *person, token string) {
	s.t.Helper()
	log := p.ok("/acts?q=newbie")
	for _, action := range []string{"user", "login", "token"} {
		if !strings.Contains(log, action) {
			s.t.Errorf("the audit log does not tell of %s", action)
		}
	}
	whole := p.ok("/acts")
	for _, x := range []string{adminSecret, "secretpath", "0123456789abcdef", password, token, "another long word"} {
		if strings.Contains(whole, x) || strings.Contains(whole, url.QueryEscape(x)) {
			s.t.Errorf("the audit log holds the secret %q", x)
		}
	}
}
