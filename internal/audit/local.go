package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"time"

	"ipcguard/internal/format/smbconf"
	"ipcguard/internal/model"
)

// localSource audits this machine: its registry on Windows, otherwise its Samba if it has one.
func (o *Options) localSource(ctx context.Context) (*facts, error) {
	if runtime.GOOS == "windows" {
		return o.localRegistry()
	}
	return o.localSamba(ctx)
}

// programTime bounds one Samba program; testparm with a registry of thousands of shares takes seconds.
const programTime = time.Minute

// program runs a Samba program in a read-only way.
func program(ctx context.Context, name string, args ...string) (string, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		// Not in every PATH.
		for _, dir := range []string{"/usr/sbin/", "/usr/local/samba/sbin/", "/usr/local/samba/bin/"} {
			if _, err := os.Stat(dir + name); err == nil {
				path = dir + name
			}
		}
		if path == "" {
			return "", err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, programTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	var out, trouble bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &trouble
	if err := cmd.Run(); err != nil {
		last := strings.TrimSpace(trouble.String())
		if at := strings.LastIndexByte(last, '\n'); at >= 0 {
			last = last[at+1:]
		}
		return out.String(), fmt.Errorf("%s: %w: %s", name, err, last)
	}
	return out.String(), nil
}

var (
	configFile   = regexp.MustCompile(`(?m)^\s*CONFIGFILE: (.+)$`)
	sambaVersion = regexp.MustCompile(`(?m)^Version (\S+)`)
)

// localSamba reads this machine's Samba in three ways: the file as Samba would read it, with positions and traps;
// testparm, which reports what Samba makes of it, its registry included; and smbd's version.
func (o *Options) localSamba(ctx context.Context) (*facts, error) {
	built, err := program(ctx, "smbd", "-b")
	if err != nil {
		return nil, fmt.Errorf("local: no Samba server is installed here: %w", err)
	}
	path := "/etc/samba/smb.conf"
	if m := configFile.FindStringSubmatch(built); m != nil {
		path = strings.TrimSpace(m[1])
	}
	return o.liveSamba(ctx, path)
}

// liveSamba is localSamba for a given configuration file.
func (o *Options) liveSamba(ctx context.Context, path string) (*facts, error) {
	f := newFacts("smbconf", "local", "samba")
	f.source.Parts, f.here = []string{path}, true
	file, err := smbconf.Load(path, smbconf.Options{})
	if err != nil {
		f.problem("%v", err)
	}
	if file != nil && file.Registry {
		stored, err := program(ctx, "net", "--configfile="+path, "conf", "list")
		if err != nil {
			f.problem("what is written in Samba's registry is not known, only what testparm makes of it: %v", err)
		} else if whole, err := smbconf.Load(path, smbconf.Options{Registry: []byte(stored)}); err == nil {
			file = whole
		}
	}
	told, err := program(ctx, "testparm", "-s", "--suppress-prompt", path)
	if err != nil {
		f.problem("%v", err)
		if file == nil {
			return nil, errors.New(strings.Join(f.problems, "; "))
		}
		f.config(o, file)
		if on, _ := f.values["registry shares"].Truth(); on && !file.Registry { // what stops testparm may be there
			f.registryShares(ctx, o, path, file)
		}
		return f, nil
	}
	asSambaSays, err := smbconf.Load("testparm",
		smbconf.Options{ReadFile: func(string) ([]byte, error) { return []byte(told), nil }})
	if err != nil {
		return nil, fmt.Errorf("testparm: %w", err)
	}
	if text, err := program(ctx, "smbd", "--version"); err == nil {
		if m := sambaVersion.FindStringSubmatch(text); m != nil {
			f.platform.Version = m[1]
			f.why("smbd says that it is version %s", m[1])
			f.unmeasured(o)
		}
	}
	if file == nil {
		f.config(o, asSambaSays)
	} else {
		f.both(o, file, asSambaSays)
	}
	whole := file
	if whole == nil || whole.Registry {
		whole = asSambaSays
	}
	f.hiddenShares(ctx, o, path, whole)
	if name, err := os.Hostname(); err == nil && f.host == "" {
		f.host, _, _ = strings.Cut(name, ".")
	}
	return f, nil
}

// both takes positions and traps from the file, and values from testparm. If the registry adds to the file, or a macro
// could not be expanded, only testparm knows the value.
func (f *facts) both(o *Options, file, told *smbconf.Config) {
	registry := file.Registry
	file.RegistryKnown() // testparm resolves it; what depends on a client's name stays open there too
	f.config(o, file)
	live := newFacts("smbconf", "testparm", "samba")
	live.platform.Version = f.platform.Version
	live.config(o, told)
	for id, v := range live.values {
		if name, ok := strings.CutPrefix(id, "IPC$:"); ok && smbconf.Forced(name) {
			continue // a trap of the file; testparm may omit such a line
		}
		mine := f.values[id]
		if !v.Present && mine.Present || fmt.Sprint(mine.Data) == fmt.Sprint(v.Data) {
			continue // testparm omits defaults
		}
		if text, ok := v.Word(); ok && mine.Present &&
			(smbconf.Param{Name: id[strings.LastIndex(id, ":")+1:], Value: fmt.Sprint(mine.Data)}).Means(text) {
			continue // a synonym
		}
		f.values[id], f.origin[id] = v, "testparm"
		if registry {
			f.origin[id] = "testparm (Samba's registry)"
		}
	}
	if registry {
		f.shares = live.shares
		f.why("part of the configuration is in Samba's registry, as testparm reads it")
	}
	if live.platform.Role != f.platform.Role && live.platform.Role != model.UnknownRole {
		f.platform.Role = live.platform.Role
		f.why("the role is %s: testparm says so", live.platform.Role)
	}
}
