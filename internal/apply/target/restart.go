package target

import (
	"strings"

	"ipcguard/internal/apply"
	"ipcguard/internal/change"
)

// restartOf returns what must restart before a registry change takes effect: TheMachine, the name of a service, or
// nothing.
func restartOf(c *change.Change, p apply.Place) string {
	switch c.When {
	case "reboot":
		return apply.TheMachine
	case "service-restart":
		path := strings.ToLower(p.Path)
		if rest, ok := strings.CutPrefix(path, `hklm\system\currentcontrolset\services\`); ok {
			name, _, _ := strings.Cut(p.Path[len(path)-len(rest):], `\`)
			return name
		}
		if strings.HasSuffix(path, `\windows nt\printers\rpc`) {
			return "Spooler"
		}
		return apply.TheMachine // which starts every service
	}
	return ""
}
