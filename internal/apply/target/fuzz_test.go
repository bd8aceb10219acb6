package target

import (
	"context"
	"errors"
	"strings"
	"testing"

	"ipcguard/internal/apply"
	"ipcguard/internal/apply/applytest"
)

// says is a system whose programs all print the same.
type says struct {
	applytest.Quiet
	out  string
	fail bool
}

func (s says) Run(context.Context, string, ...string) (string, error) {
	if s.fail {
		return s.out, errors.New("exit status 255")
	}
	return s.out, nil
}

// FuzzStored reads anything that "net conf list" may print. A parameter in it is never told as one of a section that
// Samba's registry lacks: what undoes the write of such a one deletes the section with it.
func FuzzStored(f *testing.F) {
	for _, out := range []string{
		"[global]\n\tworkgroup = X\n\trestrict anonymous = 2\n\n[homes]\n\tread only = no\n",
		"[ Global ]\nrestrict anonymous = 1\n", "[a] ; why\n\tpath = /a\n", "[a]\npath = /a\n[A]\npath = /b\n",
		"[a\\\n b]\nguest ok = yes", "include = registry\n[global", "ERROR: Can't open lock file\n", "",
	} {
		f.Add(out, false)
		f.Add(out, true)
	}
	f.Fuzz(func(t *testing.T, out string, fail bool) {
		ctx := t.Context()
		s := OpenSambaOn("/etc/samba/smb.conf", says{out: out, fail: fail})
		c, err := s.stored(ctx)
		if fail {
			if err == nil || !strings.Contains(err.Error(), firstComplaint(out)) {
				t.Fatalf("net failed, and %v", err)
			}
			return
		}
		if err != nil {
			return
		}
		for _, share := range c.Shares {
			for _, param := range share.Params {
				now, err := s.readParameter(ctx, apply.Place{Kind: apply.Parameter, Path: share.Name, Name: param.Name})
				if err != nil || now.Missing != "" {
					t.Fatalf("[%s] %s is told as missing %q, %v, in %q", share.Name, param.Name, now.Missing, err, out)
				}
			}
		}
		if _, set := c.Global.Own("restrict anonymous"); set && c.Has("global") {
			now, err := s.readParameter(ctx, apply.Place{Kind: apply.Parameter, Path: "global", Name: "restrict anonymous"})
			if err != nil || !now.Present {
				t.Fatalf("restrict anonymous is told as %+v, %v, in %q", now, err, out)
			}
		}
	})
}
