package audit

import (
	"os"
	"os/user"
	"slices"
	"strings"

	"ipcguard/internal/model"
)

// unsure says why smbd may refuse everyone a share that its lines open, for reasons that only the host can settle:
// accounts that it may not have, and folders whose name depends on the client or on where smbd runs. smbd accepts the
// line and then refuses every client. [M] samba-4.17.12
func (f *facts) unsure(s *model.Share, group string) string {
	path := s.Path
	for _, fixed := range []string{"%S", "%h", "%%"} { // the share's name, the host's
		path = strings.ReplaceAll(path, fixed, "")
	}
	homes := strings.EqualFold(s.Name, "homes")
	switch {
	case !f.hasAccount(s.ForceUser, func(name string) error { _, err := user.Lookup(name); return err }):
		return "force user = " + s.ForceUser +
			": smbd refuses everybody where the host has no such user, which the configuration does not tell"
	case !f.hasAccount(strings.TrimLeft(group, "+@&"),
		func(name string) error { _, err := user.LookupGroup(name); return err }):
		return "force group = " + group +
			": smbd refuses everybody where the host has no such group, which the configuration does not tell"
	case !homes && s.Path != "" && strings.Contains(path, "%"):
		return "path = " + s.Path + ": whether there is such a folder depends on what stands for the macro"
	case !homes && s.Path != "" && !strings.HasPrefix(s.Path, "/"):
		return "path = " + s.Path + " does not begin with /: which folder that is depends on where smbd runs"
	case f.here && !homes && s.Path != "" && path == s.Path:
		return noFolder(s.Path)
	}
	return ""
}

// noFolder says why smbd currently refuses a path of this host to everyone; empty if it does not. The path may come
// back, like a folder on a removable drive. [M] samba-4.17.12
func noFolder(path string) string {
	switch st, err := os.Stat(path); {
	case os.IsNotExist(err):
		return "path = " + path + ": there is no such folder now, and smbd refuses everybody until there is"
	case err == nil && !st.IsDir():
		return "path = " + path + " is a file, and smbd refuses everybody until it is a folder"
	}
	return ""
}

// hasAccount reports whether a host is known to have an account: every host has root and nobody, and this host can be
// asked. smbd may still have an account from a domain that this program does not find.
func (f *facts) hasAccount(name string, ask func(string) error) bool {
	return name == "" || slices.Contains([]string{"root", "nobody", "nogroup"}, name) || f.here && ask(name) == nil
}
