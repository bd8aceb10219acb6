package catalog

import (
	"testing"
)

func TestTopic(t *testing.T) {
	c := mustLoad(t)
	for asked, want := range map[string]string{
		"IPC$":                         "topic IPC$",
		"ipc$":                         "topic IPC$",
		"RestrictAnonymous":            "setting RestrictAnonymous",
		"restrictanonymous":            "setting RestrictAnonymous",
		"restrict anonymous":           "setting restrict anonymous",
		"AutoShareServer removes IPC$": "claim autoshare-removes-ipc",
		"autoshareserver=0 removes the IPC$ share": "claim autoshare-removes-ipc",
		"sql server":                             "service sqlserver_default",
		"samr":                                   "service samr",
		"oracle":                                 "service oracle",
		"NullSessionPipes":                       "setting NullSessionPipes",
		"anonymous-lists-accounts":               "finding anonymous-lists-accounts",
		"null session":                           "topic null session",
		"12345778-1234-abcd-ef00-0123456789ac":   "interface samr",
		"{12345778-1234-ABCD-EF00-0123456789AC}": "interface samr",
		`\PIPE\spoolss`:                          "pipe spoolss",
		"windows server 2019":                    "product win2019",
		"SamrConnect5":                           "interface samr",
		"Network access: Let Everyone permissions apply to anonymous users": "setting EveryoneIncludesAnonymous",
		"Pre-Windows 2000 Compatible Access":                                "setting PreWindows2000Members",
		"does SQL Server need named pipes":                                  "claim sql-needs-pipes",
		"only guest":                                                        "setting guest only",
		"V-254467":                                                          "control RestrictAnonymous",
		"2.3.10.3":                                                          "control RestrictAnonymous",
		"[IPC$] hosts deny":                                                 "setting IPC$:hosts deny",
	} {
		got, near, ok := c.Topic(asked)
		if !ok {
			t.Errorf("%q: nothing found, suggestions %v", asked, near)
			continue
		}
		if s := kindOfTopic(got); s != want {
			t.Errorf("%q is %s, want %s", asked, s, want)
		}
		if len(got.Related) == 0 && got.Product == nil {
			t.Errorf("%q has nothing related", asked)
		}
	}
}

func kindOfTopic(t Topic) string {
	switch {
	case t.Note != nil:
		return "topic " + t.Note.ID
	case t.Setting != nil:
		return "setting " + t.Setting.ID
	case t.Service != nil:
		return "service " + t.Service.ID
	case t.Pipe != nil:
		return "pipe " + t.Pipe.Name
	case t.Interface != nil:
		return "interface " + t.Interface.ID
	case t.Finding != nil:
		return "finding " + t.Finding.ID
	case t.Claim != nil:
		return "claim " + t.Claim.ID
	case t.Product != nil:
		return "product " + t.Product.ID
	case len(t.Control) > 0:
		return "control " + t.Control[0].Setting
	}
	return "nothing"
}

func TestTopicNearMisses(t *testing.T) {
	c := mustLoad(t)
	for asked, want := range map[string]string{
		"RestictAnonymous":          "RestrictAnonymous",
		"NullSesionPipes":           "NullSessionPipes",
		"spolss":                    "spoolss",
		"sqlsrever":                 "sqlserver_default",
		"anonymous-accounts":        "anonymous-lists-accounts",
		"RestrictNullSessionAccess": "RestrictNullSessAccess",
	} {
		_, near, ok := c.Topic(asked)
		if ok {
			t.Errorf("%q was found", asked)
		}
		found := false
		for _, n := range near {
			found = found || n.ID == want
		}
		if !found {
			t.Errorf("%q suggests %v, want %s among them", asked, near, want)
		}
	}
	for _, nonsense := range []string{"", "  ", "xyzzy plugh", "{}"} {
		if _, near, ok := c.Topic(nonsense); ok || len(near) > 0 {
			t.Errorf("%q: found %v, suggestions %v", nonsense, ok, near)
		}
	}
}

// TestEveryIDIsATopic: every ID can be looked up.
func TestEveryIDIsATopic(t *testing.T) {
	c := mustLoad(t)
	for _, e := range c.entries() {
		got, _, ok := c.Topic(e.ID)
		if !ok || kindOfTopic(got) == "nothing" {
			t.Errorf("%s %s cannot be explained", e.Kind, e.ID)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"abc", "", 3}, {"samr", "smar", 1}, {"kitten", "sitting", 3}, {"srvsvc", "srvsv", 1}} {
		if got := distance(tt.a, tt.b); got != tt.want || distance(tt.b, tt.a) != tt.want {
			t.Errorf("distance(%q, %q) = %d, want %d", tt.a, tt.b, got, tt.want)
		}
	}
}
