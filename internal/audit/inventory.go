package audit

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"ipcguard/internal/format/registry"
	"ipcguard/internal/model"
)

// maxServices bounds the services that are examined: a large server has some 700.
const maxServices = 10_000

// installed finds the catalog's services on the host, by the names in their detect data.
func (w *windowsReader) installed() {
	if !w.covers(keyServices) {
		return
	}
	names, err := w.in.Subkeys(keyServices)
	if err != nil && !errors.Is(err, registry.ErrNotExist) {
		w.problem("%s: %v", keyServices, err)
	}
	if len(names) > maxServices {
		w.problem("%s: %d services, of which the first %d are looked at", keyServices, len(names), maxServices)
		names = names[:maxServices]
	}
	for i := range w.catalog.Services {
		c := &w.catalog.Services[i]
		for _, pattern := range c.Detect.Services {
			for _, n := range names {
				if !matches(pattern, n) {
					continue
				}
				start, ok := w.dword(keyServices+`\`+n, "Start")
				s := model.Service{
					ID: c.ID, Evidence: "the service " + n + " is installed", Running: "unknown",
					Pipes: c.Pipes,
				}
				if ok {
					s.Evidence += fmt.Sprintf(" (Start %d, %s)", start, starts(start))
				}
				if start == 4 {
					s.Running = "disabled"
				}
				w.services = append(w.services, s)
			}
		}
	}
}

// matches compares a name with one of the catalog's, in which a trailing * matches any suffix.
func matches(pattern, name string) bool {
	if begin, ok := strings.CutSuffix(pattern, "*"); ok {
		return len(name) > len(begin) && strings.EqualFold(name[:len(begin)], begin)
	}
	return strings.EqualFold(pattern, name)
}

// starts returns a service's Start in words. See [MS-SCMR] 2.2.15.
func starts(n int) string {
	if n >= 0 && n < 5 {
		return []string{"boot", "system", "automatic", "on demand", "disabled"}[n]
	}
	return "a value that is not known"
}

// sqlServer reads the named-pipe protocol of each instance: whether it is enabled, and the name of its pipe.
func (w *windowsReader) sqlServer() {
	instances, err := w.in.Values(keySQL + `\Instance Names\SQL`)
	if err != nil {
		return
	}
	for _, v := range instances {
		id, err := v.Text()
		if err != nil {
			continue
		}
		key := keySQL + `\` + id + `\MSSQLServer\SuperSocketNetLib\Np`
		s := model.Service{
			ID: "sqlserver_named", Evidence: fmt.Sprintf("SQL Server instance %s", v.Name),
			Running: "unknown",
		}
		if strings.EqualFold(v.Name, "MSSQLSERVER") {
			s.ID = "sqlserver_default"
		}
		switch n, ok := w.dword(key, "Enabled"); {
		case !ok:
			s.Evidence += "; whether it listens on a named pipe was not there to read"
		case n == 0:
			s.Evidence += "; its named-pipe protocol is off"
		default:
			s.Evidence += "; its named-pipe protocol is on"
			if pipe := w.text(key, "PipeName"); pipe != "" {
				_, name, _ := strings.Cut(strings.TrimPrefix(pipe, `\\.\`), `\`)
				s.Pipes = []string{name}
				s.Evidence += " as " + pipe
			}
		}
		w.services = append(w.services, s)
	}
}

// sharesOf lists the shares: those of administrators are values of LanmanServer\Shares; the Server service creates the
// default ones when it starts.
func (w *windowsReader) sharesOf() {
	key := keyShares
	if !w.covers(key) {
		return
	}
	values, err := w.in.Values(key)
	if err != nil && !errors.Is(err, registry.ErrNotExist) {
		w.problem("%s: %v", key, err)
	}
	w.shares = []model.Share{}
	if n, ok := w.values["LanmanServer.Start"].Whole(); ok && n == 4 {
		return // the service that creates shares is disabled: there are none, IPC$ included
	}
	w.shares = append(w.shares, model.Share{Name: "IPC$", Default: true})
	wks, srv := w.values["AutoShareWks"], w.values["AutoShareServer"]
	auto := srv
	if w.platform.Role == model.Workstation {
		auto = wks
	}
	if n, ok := auto.Whole(); !ok || n != 0 {
		w.shares = append(w.shares, model.Share{Name: "ADMIN$", Default: true, Path: "%SystemRoot%"})
	}
	w.madeShares(values)
}

// madeShares adds the shares that an administrator created.
func (w *windowsReader) madeShares(values []registry.Value) {
	anonymous, _ := w.values["NullSessionShares"].Data.([]string)
	guest := func(name string) bool {
		return slices.ContainsFunc(anonymous, func(s string) bool { return strings.EqualFold(s, name) })
	}
	for _, v := range values {
		s := model.Share{Name: v.Name, Guest: guest(v.Name)}
		lines, _ := v.Strings()
		for _, l := range lines {
			if path, ok := strings.CutPrefix(l, "Path="); ok {
				s.Path = path
			}
		}
		s.Default = slices.ContainsFunc([]string{"SYSVOL", "NETLOGON", "print$"},
			func(n string) bool { return strings.EqualFold(n, v.Name) })
		w.shares = append(w.shares, s)
	}
}
