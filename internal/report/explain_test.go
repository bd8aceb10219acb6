package report

import (
	"strings"
	"testing"
	"unicode/utf8"

	"ipcguard/internal/catalog"
)

func explained(t *testing.T, topic string, width int) string {
	t.Helper()
	c, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	found, near, ok := c.Topic(topic)
	if !ok {
		t.Fatalf("%q is not found, suggestions %v", topic, near)
	}
	var b strings.Builder
	if err := Explain(&b, c, found, Style{}, width); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestExplain(t *testing.T) {
	for topic, want := range map[string][]string{
		"IPC$": {
			"Nothing in AutoShareServer or AutoShareWks removes it", "See also",
			"NullSessionPipes", "remove administrative shares",
		},
		"RestrictAnonymous": {
			"Lsa\\RestrictAnonymous", "Windows 2000 value", "Q143474", "stig",
			"V-254467", "What it breaks", "restrict anonymous",
		},
		"AutoShareServer removes IPC$": {"FALSE", "Said otherwise", "Q245117", "remove administrative shares"},
		"sql server":                   {"sql\\query", "authenticat", "IPC$ blocked"},
		"samr":                         {"See also", "pipe samr", "interface samr"},
		`\pipe\samr`: {
			"Open to anonymous callers by default", "Windows NT 4.0",
			"restrict anonymous 0", "the documents disagree",
		},
		"oracle":                               {"PROTOCOL=NMP", "Not known"},
		"12345778-1234-abcd-ef00-0123456789ac": {"SamrEnumerateUsersInDomain", "13", "never sent"},
		"anonymous-lists-accounts":             {"critical", "Fix", "CVE-1999-0520"},
		"win2022":                              {"20348", "domain controller", "member: session denied"},
		"PipeFirewallActive":                   {"signed-in users too", "Not known"},
		"V-254467":                             {"RestrictAnonymous", "Windows Server 2022", "V2R8"},
	} {
		got := explained(t, topic, 100)
		for _, w := range want {
			if !strings.Contains(strings.ToLower(strings.Join(strings.Fields(got), " ")), strings.ToLower(w)) {
				t.Errorf("explain %q does not say %q:\n%s", topic, w, got)
			}
		}
	}
}

// TestExplainEverything: every entry can be explained with at least one source, and no line of more than one word is
// wider than asked.
func TestExplainEverything(t *testing.T) {
	c, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, v := range c.Settings {
		ids = append(ids, v.ID)
	}
	for _, v := range c.Services {
		ids = append(ids, v.ID)
	}
	for _, v := range c.Pipes {
		ids = append(ids, `\pipe\`+v.Name)
	}
	for _, v := range c.Interfaces {
		ids = append(ids, v.UUID)
	}
	for _, v := range c.Findings {
		ids = append(ids, v.ID)
	}
	for _, v := range c.Claims {
		ids = append(ids, v.ID)
	}
	for _, v := range c.Products {
		ids = append(ids, v.ID)
	}
	for _, v := range c.Topics {
		ids = append(ids, v.ID)
	}
	for _, id := range ids {
		got := explained(t, id, 60)
		_, sources, ok := strings.Cut(got, "\nSources\n")
		if !ok || !strings.Contains(sources, "- ") {
			t.Errorf("%s is explained without sources", id)
		}
		for line := range strings.Lines(got) {
			line = strings.TrimRight(line, "\n")
			if utf8.RuneCountInString(line) > 60 && len(strings.Fields(line)) > 2 && strings.HasPrefix(line, " ") {
				t.Errorf("%s: a line of %d columns: %s", id, utf8.RuneCountInString(line), line)
			}
			if strings.Contains(line, "<nil>") || strings.Contains(line, "map[") || strings.Contains(line, "%!") {
				t.Errorf("%s: raw value in %q", id, line)
			}
		}
	}
	if err := Explain(&strings.Builder{}, c, catalog.Topic{}, Style{}, 80); err == nil {
		t.Error("an empty topic was explained")
	}
}

func BenchmarkExplain(b *testing.B) {
	c, err := catalog.Load()
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		t, _, _ := c.Topic("RestrictAnonymous")
		if err := Explain(&strings.Builder{}, c, t, Style{}, 80); err != nil {
			b.Fatal(err)
		}
	}
}
