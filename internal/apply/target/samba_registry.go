package target

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"ipcguard/internal/apply"
	"ipcguard/internal/change"
	"ipcguard/internal/format/smbconf"
	"ipcguard/internal/model"
)

// stored reads what Samba's registry says, as net conf shows it.
func (s *Samba) stored(ctx context.Context) (*smbconf.Config, error) {
	out, err := s.list(ctx)
	if err != nil {
		return nil, err
	}
	c, err := smbconf.Load(smbconf.RegistryFile, smbconf.Options{AsWritten: true, ReadFile: func(n string) ([]byte,
		error,
	) {
		if n == smbconf.RegistryFile {
			return out, nil
		}
		return nil, os.ErrNotExist // what includes say is not stored here
	}})
	if err != nil {
		return nil, fmt.Errorf("apply: net conf list: %w", err)
	}
	if c.Broken != nil { // what follows it was not read, and would count as absent
		return nil, fmt.Errorf("apply: net conf list: %s", c.Broken)
	}
	return c, nil
}

// addStored reads the shares of Samba's registry that smbd serves beside those of smb.conf.
func (s *Samba) addStored(ctx context.Context, c *smbconf.Config) error {
	p, _ := c.Global.Get("registry shares")
	if on, ok := p.Bool(); !ok || !on || s.kind != change.Parameter {
		return nil
	}
	list, err := s.list(ctx)
	if err != nil {
		return err
	}
	if _, err := c.AddRegistry(list, smbconf.Options{}); err != nil {
		return fmt.Errorf("apply: net conf list: %w", err)
	}
	return nil
}

// apart separates the changes of shares that are made in the registry: what it says of a share overrides smb.conf.
func apart(c *smbconf.Config, changes []*change.Change) (inRegistry, inFile []*change.Change) {
	for _, ch := range changes {
		held := false
		if section := c.Share(ch.Place.Key); section != nil && change.IsShare(ch.Place.Key) {
			p, own := section.Own(ch.Place.Name)
			held = section.File == smbconf.RegistryFile || own && p.File == smbconf.RegistryFile
		}
		if held {
			inRegistry = append(inRegistry, ch)
		} else {
			inFile = append(inFile, ch)
		}
	}
	return inRegistry, inFile
}

// list returns Samba's registry in the form of smb.conf.
func (s *Samba) list(ctx context.Context) ([]byte, error) {
	out, err := s.system.Run(ctx, "net", "--configfile="+s.config, "conf", "list")
	if err != nil {
		return nil, fmt.Errorf("apply: net conf list: %w: %s", err, firstComplaint(out))
	}
	return []byte(out), nil
}

// resolveParameters turns each change into one write of Samba's registry. A parameter that a file sets too is still
// stored in the registry: it wins if the include comes later, and Settle asks testparm whether it does.
func (s *Samba) resolveParameters(ctx context.Context, c *smbconf.Config, changes []*change.Change) ([]apply.Write,
	error,
) {
	var out []apply.Write
	for _, ch := range changes {
		section, name, err := s.startOf(c, ch)
		if err != nil {
			return nil, err
		}
		p := apply.Place{Kind: apply.Parameter, Path: section, Name: name}
		before, err := s.readParameter(ctx, p)
		if err != nil {
			return nil, err
		}
		var after apply.State
		if ch.After.Present {
			after = apply.State{Present: true, Data: []byte(ch.After.Text)}
		}
		if !after.Same(before) {
			out = append(out, apply.Write{
				Place: p, Before: before, After: after, Changes: []string{ch.ID},
				Needs: s.needs(c, []*change.Change{ch}),
			})
		}
	}
	return out, nil
}

func (s *Samba) readParameter(ctx context.Context, p apply.Place) (apply.State, error) {
	c, err := s.stored(ctx)
	if err != nil {
		return apply.State{}, err
	}
	if !c.Has(p.Path) {
		return apply.State{Missing: p.Path}, nil
	}
	v, ok := c.Section(p.Path).Own(p.Name)
	if !ok {
		return apply.State{}, nil
	}
	return apply.State{Present: true, Data: []byte(v.Value)}, nil
}

// writeParameter stores or removes one parameter. Samba's registry is a transactional database: each call is atomic. A
// section that the write creates is removed with its last parameter.
func (s *Samba) writeParameter(ctx context.Context, p apply.Place, to apply.State) error {
	net := func(args ...string) error {
		out, err := s.system.Run(ctx, "net", append([]string{"--configfile=" + s.config, "conf"}, args...)...)
		if err != nil {
			return fmt.Errorf("net conf %s: %w: %s", args[0], err, firstComplaint(out))
		}
		return nil
	}
	if to.Present {
		err := net("setparm", p.Path, p.Name, string(to.Data))
		s.at("netconf:set")
		return err
	}
	now, err := s.readParameter(ctx, p)
	if err != nil {
		return err
	}
	if now.Present {
		if err := net("delparm", p.Path, p.Name); err != nil {
			return err
		}
		s.at("netconf:deleted")
	}
	if to.Missing == "" {
		return nil
	}
	c, err := s.stored(ctx)
	if err != nil {
		return err
	}
	if c.Has(p.Path) && len(c.Section(p.Path).Params) == 0 {
		err = net("delshare", p.Path)
		s.at("netconf:section")
	}
	return err
}

// takesEffect asks testparm whether Samba will use what was stored: smb.conf may set it again later.
func (s *Samba) takesEffect(ctx context.Context, w apply.Write) error {
	if !w.After.Present {
		return nil
	}
	want := string(w.After.Data)
	have := s.effective(ctx, w.Place.Path, w.Place.Name)
	if !change.SameParameter(smbconf.Param{Name: w.Place.Name, Value: have}, model.Value{Present: true, Data: want}) &&
		!strings.EqualFold(strings.Join(strings.Fields(have), ""), strings.Join(strings.Fields(want), "")) {
		return fmt.Errorf("apply: %s is stored as %q, and testparm reads %q: %s decides otherwise", w.Place, want, have,
			filepath.Base(s.config))
	}
	return nil
}
