package logs

import (
	"fmt"
	"strings"
)

// governing are the registry values that govern access to IPC$, by the end of their path in lower case. See the
// catalog's settings with the same names.
var governing = []string{
	`\lanmanserver\parameters\nullsessionpipes`,
	`\lanmanserver\parameters\nullsessionshares`,
	`\lanmanserver\parameters\restrictnullsessaccess`,
	`\control\lsa\restrictanonymous`,
	`\control\lsa\restrictanonymoussam`,
	`\control\lsa\everyoneincludesanonymous`,
	`\control\lsa\restrictremotesam`,
	`\control\lsa\restrictremotesamauditonlymode`,
	`\control\lsa\turnoffanonymousblock`,
}

// registry handles Sysmon's registry events (12 created or deleted, 13 set) and the Security log's 4657, and notes
// changes to the values that open or close IPC$.
func (w *windowsLog) registry(e winEvent, id int) {
	var path, value, by, process string
	switch {
	case e.Provider() == providerSysmon && (id == 12 || id == 13):
		path, value = e.Text("TargetObject"), e.Text("Details")
		by, process = e.Text("User"), e.Text("Image")
	case id == 4657 && e.Provider() == providerAudit:
		path, value = e.Text("ObjectName")+`\`+e.Text("ObjectValueName"), e.Text("NewValue")
		by, process = e.Text("SubjectUserName"), e.Text("ProcessName")
	default:
		return
	}
	lower := strings.ToLower(path)
	for _, end := range governing {
		if !strings.HasSuffix(lower, end) {
			continue
		}
		name := path[strings.LastIndexByte(path, '\\')+1:]
		what := "the setting " + name + " was changed"
		if t := e.Text("EventType"); id == 12 && strings.HasPrefix(t, "Delete") {
			what = "the setting " + name + " was deleted"
		}
		evidence := fmt.Sprintf("%s event %d: %s", shortProvider(e.Provider()), id, path)
		if value != "" {
			evidence += " = " + value
		}
		if process != "" {
			evidence += ", by " + process
		}
		if by != "" {
			evidence += " as " + by
		}
		w.notice(e, "null-session-setting-changed", "", what, evidence)
		return
	}
}

func shortProvider(s string) string { return strings.TrimPrefix(s, "Microsoft-Windows-") }
