package audit

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"ipcguard/internal/format/smbconf"
	"ipcguard/internal/model"
)

// Bounds of usershares. Samba itself reads no more than 10 KiB of one; a server has some dozen.
const (
	maxUsershare  = 10 << 10
	maxUsershares = 20_000
)

// hiddenShares adds the shares of this machine's Samba that smb.conf does not show: those that users made, and those that
// smbd takes from its registry when somebody asks for them.
func (f *facts) hiddenShares(ctx context.Context, config string) {
	ask := func(name string) string {
		out, err := program(ctx, "testparm", "-s", "--suppress-prompt", "--parameter-name="+name, config)
		if err != nil {
			f.problem("%s is not known: %v", name, err)
			f.complete = false
		}
		return strings.TrimSpace(out)
	}
	f.complete = true
	if strings.EqualFold(ask("registry shares"), "yes") {
		f.registryShares(ctx, config)
	}
	if most, err := strconv.Atoi(ask("usershare max shares")); err != nil || most > 0 {
		guests := strings.EqualFold(ask("usershare allow guests"), "yes")
		if folder := ask("usershare path"); folder != "" {
			f.usershares(folder, guests)
		}
	}
}

// registryShares adds those of Samba's registry.
func (f *facts) registryShares(ctx context.Context, config string) {
	text, err := program(ctx, "net", "--configfile="+config, "conf", "list")
	if err != nil {
		f.problem("the shares of Samba's registry are not known: %v", err)
		f.complete = false
		return
	}
	c, err := smbconf.Load(smbconf.RegistryFile, smbconf.Options{ReadFile: func(string) ([]byte, error) { return []byte(text), nil }})
	if err != nil {
		f.problem("%v", err)
		f.complete = false
		return
	}
	held := newFacts("smbconf", smbconf.RegistryFile, "samba")
	(&sambaReader{facts: held, conf: c}).sharesOf()
	f.addShares(held.shares)
}

// addShares adds shares that are not there yet.
func (f *facts) addShares(more []model.Share) {
	for _, s := range more {
		if !slices.ContainsFunc(f.shares, func(have model.Share) bool { return strings.EqualFold(have.Name, s.Name) }) {
			f.shares = append(f.shares, s)
		}
	}
}

// usershares adds those that lie in a folder. smbd takes none from a folder that anybody may write to or that lacks the
// sticky bit. See load_usershare_shares in source3/param/loadparm.c.
func (f *facts) usershares(folder string, guests bool) {
	st, err := os.Stat(folder)
	switch {
	case os.IsNotExist(err):
		return
	case err == nil && (!st.IsDir() || st.Mode()&fs.ModeSticky == 0 || st.Mode().Perm()&0o002 != 0):
		f.why("%s holds no usershares that count: smbd wants a folder with the sticky bit that not everybody may write to", folder)
		return
	}
	var list []fs.DirEntry
	if err == nil {
		list, err = os.ReadDir(folder)
	}
	if err != nil {
		f.problem("usershares are not known: %v", err)
		f.complete = false
		return
	}
	for i, e := range list {
		if i == maxUsershares {
			f.problem("%s: more than %d usershares; the rest is not read", folder, maxUsershares)
			f.complete = false
			return
		}
		if e.Type().IsRegular() && !strings.HasPrefix(e.Name(), ":tmp") { // what net usershare is writing
			f.usershare(filepath.Join(folder, e.Name()), guests)
		}
	}
	f.source.Parts = append(f.source.Parts, folder)
}

func (f *facts) usershare(path string, guests bool) {
	err := regular(path, maxUsershare)
	var b []byte
	if err == nil {
		b, err = os.ReadFile(path)
	}
	if err != nil {
		f.problem("a usershare is not known: %v", err)
		f.complete = false
		return
	}
	if s, ok := parseUsershare(filepath.Base(path), string(b)); ok {
		s.Guest = s.Guest && guests
		f.addShares([]model.Share{s})
	}
}

// parseUsershare reads one file of net usershare. smbd passes over what is none.
//
//	#VERSION 2
//	path=/srv/drop
//	comment=
//	usershare_acl=S-1-1-0:R
//	guest_ok=y
//	sharename=drop
//
// See parse_usershare_file in source3/param/loadparm.c.
func parseUsershare(name, text string) (s model.Share, ok bool) {
	lines := strings.Split(text, "\n")
	if len(lines) < 4 || lines[0] != "#VERSION 1" && lines[0] != "#VERSION 2" {
		return s, false
	}
	path, ok1 := strings.CutPrefix(lines[1], "path=")
	acl, ok2 := strings.CutPrefix(lines[3], "usershare_acl=")
	if !ok1 || !ok2 {
		return s, false
	}
	s = model.Share{Name: name, Path: path}
	for _, l := range lines[4:] {
		if l == "guest_ok=y" {
			s.Guest = true
		}
		if n, ok := strings.CutPrefix(l, "sharename="); ok && n != "" && strings.EqualFold(n, name) {
			s.Name = n
		}
	}
	for entry := range strings.SplitSeq(acl, ",") {
		who, may, _ := strings.Cut(strings.TrimSpace(entry), ":")
		if strings.EqualFold(who, "S-1-1-0") && strings.EqualFold(may, "D") {
			s.Guest = false // refused to everybody, strangers included
		}
	}
	return s, true
}
