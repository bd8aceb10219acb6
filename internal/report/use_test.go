package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"
	"time"

	"ipcguard/internal/model"
)

func usePage(t *testing.T, o *model.Observation) string {
	t.Helper()
	var b bytes.Buffer
	if err := WriteObservation(&b, "html", o, Style{Now: time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// pictures extracts the SVG from a page and checks that each is well-formed XML with a title and a description that it
// names.
func pictures(t *testing.T, page string) []string {
	t.Helper()
	all := regexp.MustCompile(`(?s)<svg.*?</svg>`).FindAllString(page, -1)
	for _, svg := range all {
		d := xml.NewDecoder(strings.NewReader(svg))
		ids := map[string]string{}
		var labelled []string
		for {
			token, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%v in %s", err, svg)
			}
			e, ok := token.(xml.StartElement)
			for _, a := range e.Attr {
				switch {
				case !ok:
				case a.Name.Local == "id":
					ids[a.Value] = e.Name.Local
				case a.Name.Local == "aria-labelledby":
					labelled = strings.Fields(a.Value)
				case strings.Contains(a.Value, "NaN") || strings.Contains(a.Value, "ZgotmplZ") ||
					strings.Contains(a.Value, "Inf"):
					t.Errorf("%s=%q", a.Name.Local, a.Value)
				}
			}
		}
		if len(labelled) != 2 || ids[labelled[0]] != "title" || ids[labelled[1]] != "desc" ||
			!strings.Contains(svg, `role="img"`) {
			t.Errorf("a reader of the screen is told nothing: %v, %v", labelled, ids)
		}
	}
	return all
}

func madeUse(client, pipe string, id model.Identity, o model.Outcome, n int64) model.Use {
	at := time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)
	return model.Use{
		Schema: model.SchemaUse, Client: client, Server: "fs", Identity: id, Basis: "b", Share: "IPC$", Pipe: pipe,
		Interface: pipe,
		Call:      "Call", Layer: model.LayerCall, Outcome: o, Status: "S", Count: n, First: at, Last: at, Source: "s",
	}
}

func TestUsePage(t *testing.T) {
	logon := madeUse("10.0.0.3", "", model.User, model.Allowed, 1)
	logon.Layer, logon.Account = model.LayerSession, `CORP\ann`
	again := logon
	again.Client = "10.0.0.1" // whose pipes are known
	page := usePage(t, &model.Observation{
		Schema: model.SchemaObserve,
		Uses: []model.Use{
			madeUse("10.0.0.1", "samr", model.Anonymous, model.Allowed, 12),
			madeUse("10.0.0.1", "samr", model.Anonymous, model.Denied, 3),
			madeUse("10.0.0.1", "samr", model.User, model.Allowed, 1),
			madeUse("10.0.0.2", "svcctl", model.Guest, model.Denied, 2), logon, again,
		},
		Days: []model.Day{
			{Day: "2026-11-18", Identity: model.User, Count: 7},
			{Day: "2026-11-20", Identity: model.Anonymous, Count: 15},
			{Day: "not a day", Identity: model.User, Count: 1},
		},
		Coverage: model.Coverage{
			From: time.Date(2026, 11, 18, 0, 0, 0, 0, time.UTC), To: time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC),
			Unreadable: map[string]int64{"encrypted SMB frames": 4}, Notes: []string{"a note"},
		},
	})
	svg := pictures(t, page)
	if len(svg) != 3 {
		t.Fatalf("%d pictures", len(svg))
	}
	for _, want := range []string{
		"10.0.0.1 as anonymous to samr: 12 allowed, 3 refused", "10.0.0.1 as user to samr: 1 allowed",
		"10.0.0.2 as guest to svcctl: 2 refused", `10.0.0.3 as user CORP\ann to no pipe seen: 1 allowed`,
		`class="guest shut"`,
		"3 clients, 3 pipes, 4 ways",
	} {
		if !strings.Contains(svg[0], want) {
			t.Errorf("the graph has no %q in\n%s", want, svg[0])
		}
	}
	if n := strings.Count(svg[0], "<path"); n != 4 {
		t.Errorf("%d links", n)
	}
	for _, want := range []string{
		"2026-11-18, user: 7", "2026-11-20, anonymous: 15", "2026-11-19",
		"at most 15 a day",
	} {
		if !strings.Contains(svg[1], want) {
			t.Errorf("the time line has no %q in\n%s", want, svg[1])
		}
	}
	if n := strings.Count(svg[1], "<rect"); n != 2 {
		t.Errorf("%d bars", n)
	}
	for _, want := range []string{
		"<td>10.0.0.1</td><td class=\"anonymous\"><span class=\"dot\"></span>anonymous</td><td>samr</td><td class=\"n\">12</td><td class=\"n\">3</td>",
		"<td class=\"nowrap\">2026-11-20</td><td class=\"n\">15</td><td class=\"n\">0</td>",
		"Null sessions got an answer to 12 calls: Call; 1 client, 1 server.", "Guests were refused 2 times.",
		"4 encrypted SMB frames", "a note", "prefers-color-scheme: dark",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %q", want)
		}
	}
	for _, never := range []string{"<script", "http:", "https:", "url(", "@import"} {
		if strings.Contains(page, never) {
			t.Errorf("the page has %q", never)
		}
	}
	if page := usePage(t, &model.Observation{}); !strings.Contains(page, "No use of IPC$ was seen.") ||
		strings.Contains(page, "<svg") {
		t.Error("nothing seen gives a picture")
	}
}

// TestUsePageIsBounded uses more of everything than there is room for, with names that try to be more than text.
func TestUsePageIsBounded(t *testing.T) {
	const evil = `<script>alert("1")</script></svg>&'` + "\u202e\x00"
	var o model.Observation
	for i := range 8000 {
		u := madeUse(fmt.Sprintf("c%d%s", i%700, evil), fmt.Sprintf("p%d%s", i%900, evil),
			[]model.Identity{model.User, model.Anonymous, evil, model.Opaque}[i%4], model.Allowed, int64(i))
		u.Server = fmt.Sprintf("s%d%s", i%9, evil)
		o.Uses = append(o.Uses, u)
	}
	for i := range 5000 {
		o.Days = append(o.Days, model.Day{
			Day:      time.Unix(int64(i)*86400, 0).UTC().Format("2006-01-02"),
			Identity: model.User, Count: 1 << 62,
		})
	}
	page := usePage(t, &o)
	svg := pictures(t, page)
	if len(svg) != maxGraphs+2 {
		t.Fatalf("%d pictures", len(svg))
	}
	for _, s := range svg[:maxGraphs] {
		if strings.Count(s, "<circle") > maxClients+maxPipes || !strings.Contains(s, " more</text>") {
			t.Errorf("%d nodes", strings.Count(s, "<circle"))
		}
	}
	if n := strings.Count(svg[maxGraphs], "<rect"); n != maxDrawn {
		t.Errorf("%d days", n)
	}
	if strings.Contains(page, "<script") || strings.ContainsAny(page, "\u202e\x00") ||
		strings.Count(page, "</svg>") != len(svg) {
		t.Error("a name became more than text")
	}
	for _, want := range []string{
		"3 more servers have no picture", "and 6000 more: the formats",
		fmt.Sprint(5000-maxDrawn, " earlier days are not drawn"),
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if len(page) > 4<<20 {
		t.Errorf("%d bytes", len(page))
	}
}

// TestUseTextAnswers: the answer comes first, then the rows grouped by client, and the coverage last.
func TestUseTextAnswers(t *testing.T) {
	read := func(uses ...model.Use) []string {
		var b bytes.Buffer
		if err := WriteObservation(&b, "text", &model.Observation{Schema: model.SchemaObserve, Uses: uses},
			Style{}); err != nil {
			t.Fatal(err)
		}
		return strings.Split(b.String(), "\n")
	}
	opaque := madeUse("10.0.0.3", "", model.Opaque, model.Inconclusive, 2)
	opaque.Layer, opaque.Call = model.LayerSession, ""
	lines := read(
		madeUse("10.0.0.2", "samr", model.User, model.Allowed, 1),
		madeUse("10.0.0.1", "svcctl", model.Guest, model.Denied, 3),
		madeUse("10.0.0.2", "samr", model.Anonymous, model.Allowed, 12),
		madeUse("10.0.0.1", "samr", model.User, model.Allowed, 5), opaque,
	)
	want := []string{
		"Null sessions got an answer to 12 calls: Call; 1 client, 1 server.",
		"Guests were refused 3 times.",
		"Of 2 uses nobody can say whether it was one: the logon was not seen or could not be read, or all is encrypted.",
		"",
		"fs",
	}
	for i, w := range want {
		if lines[i] != w {
			t.Errorf("line %d is %q, want %q", i+1, lines[i], w)
		}
	}
	var clients []string
	for _, l := range lines[6:11] {
		clients = append(clients, strings.Join(strings.Fields(l)[:2], " "))
	}
	if got, want := strings.Join(clients, ", "),
		"10.0.0.2 anonymous, user samr:, 10.0.0.1 guest, user samr:, 10.0.0.3 opaque"; got != want {
		t.Errorf("rows %s, want %s", got, want)
	}
	if all := strings.Join(lines, "\n"); !strings.Contains(all, "not readable") ||
		strings.Index(all, "What this rests on") < strings.Index(all, "opaque") {
		t.Errorf("%s", all)
	}
	if lines := read(madeUse("10.0.0.2", "samr", model.User, model.Allowed,
		1)); lines[0] != "No null session and no guest was seen." {
		t.Errorf("%q", lines[0])
	}
	at := func(layer model.Layer, pipe string, outcome model.Outcome, n int64) model.Use {
		u := madeUse("10.0.0.1", pipe, model.Anonymous, outcome, n)
		u.Layer, u.Call = layer, ""
		return u
	}
	logon, tree, opened := at(model.LayerSession, "", model.Allowed, 3), at(model.LayerTree, "", model.Allowed, 2),
		at(model.LayerOpen, "samr", model.Allowed, 2)
	refused := madeUse("10.0.0.1", "samr", model.Anonymous, model.Denied, 5)
	call := func(name string, count int64) model.Use {
		u := madeUse("10.0.0.1", "samr", model.Anonymous, model.Allowed, count)
		u.Interface, u.Call = "samr", name
		return u
	}
	passed := logon
	passed.Source = model.SourceGateway
	for want, uses := range map[string][]model.Use{
		"Null sessions logged on 3 times; a gateway's rows do not hold what they did then; 1 client, 1 server.":                                       {passed},
		"Null sessions got an answer to 10 calls, among them those that give accounts: SamrEnumerateUsersInDomain, SamrConnect5; 1 client, 1 server.": {call("SamrConnect5", 9), call("SamrEnumerateUsersInDomain", 1)},
		"Null sessions logged on 3 times and went no further; 1 client, 1 server.":                                                                    {logon},
		"Null sessions connected to IPC$ 2 times and opened nothing; refused 5 times; 1 client, 1 server.":                                            {logon, tree, refused},
		"Null sessions opened pipes: samr; no call of theirs was seen to succeed; 1 client, 1 server.":                                                {logon, tree, opened, at(model.LayerBind, "samr", model.Allowed, 2)},
		"Null sessions opened pipes: lsarpc, samr; no call of theirs was seen to succeed; refused 5 times; 1 client, 1 server.":                       {logon, opened, at(model.LayerOpen, "lsarpc", model.Allowed, 4), refused},
		"No null session and no guest was let in.":                                                                                                    {refused},
		"Null sessions got an answer to 1 call: Call; 1 client, 1 server.":                                                                            {logon, opened, refused, madeUse("10.0.0.1", "samr", model.Anonymous, model.Allowed, 1)},
	} {
		if lines := read(uses...); lines[0] != want {
			t.Errorf("%q, want %q", lines[0], want)
		}
	}
}

// TestServersAlike: servers that are used alike share one picture.
func TestServersAlike(t *testing.T) {
	var uses []model.Use
	for i := range 20 {
		for _, pipe := range []string{"samr", "srvsvc"} {
			u := madeUse("10.0.0.1", pipe, model.Anonymous, model.Allowed, 2)
			u.Server = fmt.Sprintf("10.1.0.%d", i+10)
			uses = append(uses, u)
		}
	}
	other := madeUse("10.0.0.1", "samr", model.User, model.Allowed, 1)
	other.Server = "10.2.0.1"
	page := usePage(t, &model.Observation{Schema: model.SchemaObserve, Uses: append(uses, other)})
	svg := pictures(t, page)
	if len(svg) != 3 || !strings.Contains(page,
		"20 servers that are used alike: 10.1.0.10, 10.1.0.11, 10.1.0.12, 10.1.0.13 and 16 more") ||
		!strings.Contains(svg[0], "10.0.0.1 as anonymous to samr: 40 allowed") ||
		strings.Contains(page, "have no picture") {
		t.Errorf("%d pictures: %s", len(svg), page)
	}
}
