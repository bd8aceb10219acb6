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

// Bounds of usershares. Samba itself reads no more than 10 KiB of one; a server has a dozen or so.
const (
	maxUsershare  = 10 << 10
	maxUsershares = 20_000
)

// hiddenShares adds the shares of this machine's Samba that smb.conf does not show: usershares, and those that smbd
// loads from its registry on request.
func (f *facts) hiddenShares(ctx context.Context, o *Options, config string, c *smbconf.Config) {
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
		f.registryShares(ctx, o, config, c)
	}
	if most, err := strconv.Atoi(ask("usershare max shares")); err != nil || most > 0 {
		template := ask("usershare template share")
		begins := c.Fresh(template)
		if begins == nil {
			f.why("there are no usershares: usershare template share is %q, and there is no such share", template)
		} else if folder := ask("usershare path"); folder != "" {
			share := (&sambaReader{f, c, o}).share(begins)
			if template != "" && share.Guest {
				f.problem("usershare template share is %s, which takes guests: whether its usershares do was not "+
					"measured", template)
				f.complete = false
			}
			f.usershares(folder, share)
		}
	}
}

// registryShares adds the shares of Samba's registry to those of a configuration.
func (f *facts) registryShares(ctx context.Context, o *Options, config string, c *smbconf.Config) {
	text, err := program(ctx, "net", "--configfile="+config, "conf", "list")
	if err != nil {
		f.problem("the shares of Samba's registry are not known: %v", err)
		f.complete = false
		return
	}
	stored, err := c.AddRegistry([]byte(text), smbconf.Options{})
	if err != nil {
		f.problem("%v", err)
		f.complete = false
		return
	}
	f.shares = slices.DeleteFunc(f.shares, func(s model.Share) bool {
		return slices.ContainsFunc(stored, func(have *smbconf.Section) bool { return strings.EqualFold(have.Name, s.Name) })
	})
	r := &sambaReader{f, c, o}
	for _, section := range stored {
		if strings.EqualFold(section.Name, smbconf.IPC) {
			continue
		}
		if f.shares = append(f.shares, r.share(section)); section.Unread != "" {
			f.problem("what share %s is for strangers is not known: %s", section.Name, section.Unread)
		}
	}
}

// addShares adds shares that are not in the list yet.
func (f *facts) addShares(more []model.Share) {
	for _, s := range more {
		if !slices.ContainsFunc(f.shares, func(have model.Share) bool { return strings.EqualFold(have.Name, s.Name) }) {
			f.shares = append(f.shares, s)
		}
	}
}

// usershares adds the usershares in a folder. smbd takes none from a folder that everyone may write to or that lacks
// the sticky bit. See load_usershare_shares in source3/param/loadparm.c.
func (f *facts) usershares(folder string, begins model.Share) {
	st, err := os.Stat(folder)
	switch {
	case os.IsNotExist(err):
		return
	case err == nil && (!st.IsDir() || st.Mode()&fs.ModeSticky == 0 || st.Mode().Perm()&0o002 != 0):
		f.why("%s holds no usershares that count: smbd wants a folder with the sticky bit that not everybody may "+
			"write to", folder)
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
		// Skip files that net usershare is still writing.
		if e.Type().IsRegular() && !strings.HasPrefix(e.Name(), ":tmp") {
			f.usershare(filepath.Join(folder, e.Name()), begins)
		}
	}
	f.source.Parts = append(f.source.Parts, folder)
}

// usershare adds one; begins holds the defaults that its file does not set.
func (f *facts) usershare(path string, begins model.Share) {
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
	if st, err := os.Stat(path); err == nil && st.Mode().Perm()&0o002 != 0 {
		return // everyone may write to it: smbd ignores such a file
	}
	said, ok := parseUsershare(filepath.Base(path), string(b))
	if !ok {
		return
	}
	s := begins
	s.Name, s.Path, s.UserShare, s.Default = said.Name, said.Path, true, false
	if said.Off != "" {
		s.Off = said.Off
	}
	switch st, err := os.Stat(s.Path); {
	case s.Off != "":
	case os.IsNotExist(err):
		s.Off = "its folder is not there"
	case err == nil && !st.IsDir():
		s.Off = "its path is no folder"
	}
	s.Guest, s.GuestAt = said.Guest, "" // the access model decides whether it counts
	f.addShares([]model.Share{s})
}

// parseUsershare parses a file of net usershare. smbd ignores other files, and a file whose lines are in another order.
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
	lines := strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
	var values [6]string
	for i, key := range []string{"#VERSION ", "path=", "comment=", "usershare_acl=", "guest_ok=", "sharename="} {
		if i >= len(lines) || i >= 4 && lines[i] == "" {
			break
		}
		value, found := strings.CutPrefix(lines[i], key)
		if !found {
			return s, false
		}
		values[i] = value
	}
	version, acl, shown := values[0], values[3], values[5]
	if len(lines) < 4 || version != "1" && version != "2" || !filepath.IsAbs(values[1]) ||
		shown != "" && !strings.EqualFold(shown, name) {
		return s, false
	}
	s = model.Share{Name: name, Path: values[1], Guest: version == "2" && values[4] == "y"}
	if shown != "" {
		s.Name = shown
	}
	for entry := range strings.SplitSeq(acl, ",") { // the first entry about Everyone counts for strangers
		if who, may, _ := strings.Cut(strings.TrimSpace(entry), ":"); strings.EqualFold(who, "S-1-1-0") {
			if strings.EqualFold(may, "D") {
				s.Off = "its list refuses everybody"
			}
			break
		}
	}
	return s, true
}
