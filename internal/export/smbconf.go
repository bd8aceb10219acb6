package export

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"ipcguard/internal/change"
	"ipcguard/internal/format/diff"
	"ipcguard/internal/format/smbconf"
)

// ErrSource says that the smb.conf to edit was not given.
var ErrSource = errors.New("export: which smb.conf to edit was not said")

// ErrOther says that a file is not the one from which the plan was made.
var ErrOther = errors.New("export: this smb.conf is not the one that the plan was made from")

// maxConfig bounds a file that is read, like package smbconf.
const maxConfig = 16 << 20

// sambaConf edits a copy of smb.conf in memory, keeps all other bytes, and writes it with the differences in both
// directions. The original is the undo.
func sambaConf(r *Result, list []*item, o Options) error {
	if o.Source == "" {
		return ErrSource
	}
	read := o.Read
	if read == nil {
		read = fromDisk
	}
	so := smbconf.Options{ReadFile: read, Ksmbd: len(list) > 0 && list[0].Place.Kind == change.KsmbdParameter}
	c, err := smbconf.Load(o.Source, so)
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	var changes []smbconf.Assign
	for _, i := range list {
		if i.Place.Kind != change.Parameter && i.Place.Kind != change.KsmbdParameter {
			r.leave(i, "it is no parameter of smb.conf")
			continue
		}
		if err := i.same(c); err != nil {
			return err
		}
		changes = append(changes, smbconf.Assign{
			Section: i.Place.Key,
			Name:    i.Place.Name,
			Value:   i.After.Text,
			Remove:  !i.After.Present,
		})
	}
	if changes == nil {
		return nil
	}
	e, _, err := smbconf.Change(o.Source, so, changes)
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	name, original, after := filepath.Base(o.Source), e.Before, e.After
	r.Files = append(r.Files,
		File{name, after}, File{name + ".undo", original},
		File{"apply.diff", diff.Unified(name, original, after)}, File{"undo.diff", diff.Unified(name, after, original)},
	)
	if so.Ksmbd {
		r.Notes = append(r.Notes,
			"after copying it: ksmbd.control --reload for what stands in a share; what stands in [global] takes a "+
				"restart of ksmbd")
		return nil
	}
	r.Notes = append(r.Notes,
		"after copying it: testparm -s, smbcontrol smbd reload-config, a HUP for the rpcd_* workers, smbcontrol "+
			"smbd close-share 'IPC$'")
	return nil
}

func fromDisk(name string) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxConfig {
		return nil, fmt.Errorf("%s is larger than %d bytes", name, maxConfig)
	}
	return os.ReadFile(name)
}

// same checks that the parameter in the file is unchanged since the plan was made.
func (i *item) same(c *smbconf.Config) error {
	if c.Section(i.Place.Key) == nil && i.OfShare() {
		return fmt.Errorf("%w: it has no share %s", ErrOther, i.Place.Key)
	}
	have, present := change.ParameterNow(c, i.Place.Key, i.Place.Name, i.From)
	if !i.Place.Holds(change.State{Present: present, Text: have.Value}, i.From) {
		is := "absent"
		if present {
			is = fmt.Sprintf("%q in %s line %d", have.Value, have.File, have.Line)
		}
		return fmt.Errorf("%w: [%s] %s is %s, and was %s", ErrOther, i.Place.Key, i.Place.Name, is, i.From)
	}
	return nil
}
