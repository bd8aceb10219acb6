package web

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/google/go-cmp/cmp"

	"ipcguard/internal/model"
	"ipcguard/internal/store"
)

// TestHostKinds holds that findings of one kind are one row: of the scan, of the audit and of each identity.
func TestHostKinds(t *testing.T) {
	s := newTestSite(t)
	plainSeed().fill(t, s.st)
	h := s.host("10.1.0.1:445")
	finding := func(kind store.RunKind, id string, who model.Identity) store.HostFinding {
		return store.HostFinding{Kind: kind, Finding: id, Severity: model.High, Identity: who, Evidence: "seen as " +
			string(who), Settings: []string{"restrict anonymous"}}
	}
	now := time.Now()
	for _, r := range []*store.Result{
		{Kind: store.RunScan, At: now, Findings: []store.HostFinding{
			finding(store.RunScan, "anonymous-lists-accounts", model.Anonymous),
			finding(store.RunScan, "guest-lists-accounts", model.Guest),
			finding(store.RunScan, "anonymous-lists-shares", model.Anonymous),
		}},
		{
			Kind: store.RunAudit, At: now,
			Findings: []store.HostFinding{finding(store.RunAudit, "anonymous-lists-accounts", model.Anonymous)},
		},
	} {
		r.Verdict, r.Host = model.Exposed, store.Host{SiteID: h.SiteID, Address: h.Address, Name: h.Name}
		r.Snapshot = store.Snapshot{Verdict: model.Exposed}
		if n, err := s.st.RecordResults(t.Context(), []*store.Result{r}); err != nil || n != 1 {
			t.Fatal(n, err)
		}
	}
	body := s.login(store.RoleViewer).ok(fmt.Sprintf("/hosts/%d", h.ID))
	if n := strings.Count(body, `<details class="finding `); n != 2 {
		t.Errorf("%d rows of findings, want accounts and shares", n)
	}
	_, accounts, _ := strings.Cut(body, `<details class="finding `)
	accounts, _, _ = strings.Cut(accounts, `<details class="finding `)
	if strings.Count(accounts, "seen as ") != 3 || !strings.Contains(accounts, "anonymous, guest") ||
		!strings.Contains(accounts, "3 times") {
		t.Errorf("the row of accounts is %s", accounts)
	}
}

// TestHostOnOneScreen measures the page of an exposed host with a plan, folded as it comes.
func TestHostOnOneScreen(t *testing.T) {
	s := newTestSite(t)
	plainSeed().fill(t, s.st)
	p := s.tab(t, browser(t))
	p.loginAs(s, store.RoleAdmin)
	p.size(1440, false)
	p.open(fmt.Sprintf("/hosts/%d", s.host("10.1.0.1:445").ID))
	const screen, more = 900, 100 // "about": what is cut off is the foot
	if h := eval[int](p, `document.documentElement.scrollHeight`); h > screen+more {
		t.Errorf("the page is %d pixels high on a screen of %d", h, screen)
	}
	if at := eval[bool](p, `document.querySelector('#plan').getBoundingClientRect().top < document.querySelector('#findings').getBoundingClientRect().top`); !at {
		t.Error("the plan does not stand above the findings")
	}
	if says := eval[string](p, `document.querySelector('.picture svg desc').textContent`); !strings.Contains(says, "accounts: given to anonymous; at 1, restrict anonymous") {
		t.Errorf("the picture says %q", says)
	}
	p.do(chromedp.Navigate(p.base + p.where() + "#history"))
	if !eval[bool](p, `document.querySelector('#history').closest('details').open`) {
		t.Error("a link to what is folded does not open it")
	}
}

func TestDays(t *testing.T) {
	now := time.Date(2026, 11, 30, 13, 0, 0, 0, time.UTC)
	at := func(back, hour int) time.Time { return time.Date(2026, 11, 30-back, hour, 0, 0, 0, time.UTC) }
	span := func(from, until time.Time, v model.Verdict) store.Span {
		return store.Span{From: from, Until: until, Last: now, Snapshot: store.Snapshot{Verdict: v}}
	}
	d := newDays([]store.Span{
		span(at(4, 10), at(3, 0), model.Exposed), // until midnight: the next day has no part in it
		span(at(3, 0), at(1, 9), model.Closed),
		span(at(1, 9), at(1, 10), model.Limited),
		span(at(1, 10), time.Time{}, model.Unreachable),
	}, now)
	var got []string
	for _, c := range d.Cells {
		got = append(got, c.Title)
	}
	want := []string{
		"2026-11-26: exposed", "2026-11-27: closed", "2026-11-28: closed", "2026-11-29: limited",
		"2026-11-30: not known",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if want := "exposed on 1 day, limited on 1 day, closed on 2 days, not known on 1 day, not scanned yet on 86 days"; d.Says != want {
		t.Errorf("it says %q", d.Says)
	}
	old := span(at(10, 10), time.Time{}, model.Closed)
	old.Last = at(8, 10)
	if d := newDays([]store.Span{old}, now); len(d.Cells) != 3 ||
		d.Says != "closed on 3 days, not scanned yet on 80 days, not scanned since on 8 days" {
		t.Errorf("after the last scan it says %q", d.Says)
	}
	if newDays(nil, now) != nil ||
		newDays([]store.Span{span(now.AddDate(-1, 0, 0), now.AddDate(0, -6, 0), model.Closed)}, now) != nil {
		t.Error("a bar of nothing")
	}
}

// TestWritten holds that a journal's row names settings, and shows no size of a file nor bytes.
func TestWritten(t *testing.T) {
	v := &visit{Server: &Server{catalog: catalogOf()}}
	got := v.writtenBy([]recordChange{
		{Where: `HKLM\SYSTEM\CurrentControlSet\Control\Lsa\RestrictAnonymous`, From: "REG_DWORD 0", To: "REG_DWORD 1"},
		{Where: "[global] restrict anonymous", From: "absent", To: "2"},
		{
			Where: "/etc/samba/smb.conf", From: "310 bytes, mode 0644", To: "333 bytes, mode 0644",
			Diff: "  /etc/samba/smb.conf\n  @ line 4\n  - map to guest = Bad User\n  + map to guest = Never\n  + " +
				"restrict anonymous = 2\n  - ldap admin dn = cn=secret\n",
		},
		{Where: "/etc/samba/extra.conf", From: "absent", To: "12 bytes, mode 0644"},
		{Where: `HKLM\SOFTWARE\Other\Blob`, From: "absent", To: "REG_BINARY 01 02 03"},
	})
	want := []written{
		{"RestrictAnonymous", true, "0", "1"},
		{"restrict anonymous", true, "absent", "2"},
		{"map to guest", true, "Bad User", "Never"},
		{"restrict anonymous", true, "absent", "2"},
		{"ldap admin dn", false, "", ""},
		{"/etc/samba/extra.conf", false, "absent", "12 bytes, mode 0644"},
		{`HKLM\SOFTWARE\Other\Blob`, false, "absent", "3 bytes"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
