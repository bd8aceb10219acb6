package target

import (
	"fmt"
	"path/filepath"
	"slices"

	"ipcguard/internal/apply"
	"ipcguard/internal/apply/private"
	"ipcguard/internal/catalog"
	"ipcguard/internal/change"
	"ipcguard/internal/format/smbconf"
)

// Only places that a plan may write, those of the catalog's settings, are restored. This holds whatever a sealed
// journal says.

// ownsValue refuses registry values that are not Windows settings.
func ownsValue(p apply.Place) error {
	if p.Kind == apply.RegistryValue && settingAt("windows",
		change.Place{Kind: change.Registry, Key: p.Path, Name: p.Name}) {
		return nil
	}
	return &apply.RefusedError{Where: p.String(), Why: "this is no setting of Windows that this program writes"}
}

// settingAt reports whether a place belongs to a setting of a system. A setting of shares may lie in any share.
func settingAt(system string, at change.Place) bool {
	c, err := catalog.Load()
	if err != nil {
		return false
	}
	return slices.ContainsFunc(c.Settings, func(s catalog.Setting) bool {
		if s.System != system {
			return false
		}
		p, err := change.Locate(system, s.Where)
		if err == nil && p.Kind == change.Parameter && s.OfShares() && !p.Equal(at) && change.IsShare(at.Key) {
			p.Key = at.Key
		}
		return err == nil && p.Equal(at)
	})
}

// Owns implements Target: the file that this server reads now, or a setting in its registry.
func (s *Samba) Owns(p apply.Place) error {
	refuse := func(why string) error { return &apply.RefusedError{Where: p.String(), Why: why} }
	switch p.Kind {
	case apply.Parameter:
		if settingAt("samba", change.Place{Kind: change.Parameter, Key: p.Path, Name: p.Name}) {
			return nil
		}
		return refuse("this is no setting of Samba that this program writes")
	case apply.File:
		return s.ownsFile(s.Spec(), p)
	}
	return refuse("a Samba server has no such place")
}

// ownsFile refuses files other than the one that the server reads.
func (s *Samba) ownsFile(spec string, p apply.Place) error {
	path, err := s.file()
	if err != nil {
		return err
	}
	if path != p.Path {
		return &apply.RefusedError{Where: p.String(), Why: fmt.Sprintf("%s is not this file, it reads %s", spec, path)}
	}
	return nil
}

// Lock implements Target: it locks the file that the server reads, by whichever name it was given.
func (s *Samba) Lock() (unlock func(), err error) {
	path, err := s.file()
	if err != nil {
		return nil, err
	}
	return private.LockNamed("file " + path)
}

// file returns the file that the server reads, like mainFile, even if it is missing or unreadable.
func (s *Samba) file() (string, error) {
	if c, err := smbconf.Load(s.config, smbconf.Options{}); err == nil {
		return s.mainFile(c)
	}
	dir, err := filepath.EvalSymlinks(filepath.Dir(s.config))
	if err != nil {
		return "", fmt.Errorf("apply: %w", err)
	}
	return filepath.Join(dir, filepath.Base(s.config)), nil
}
