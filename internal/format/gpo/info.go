package gpo

import (
	"bytes"
	"encoding/binary"
	"encoding/xml"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"unicode/utf16"
)

// newDecoder decodes XML in UTF-8 or UTF-16; the standard library's decoder refuses any other declaration than UTF-8.
func newDecoder(b []byte) *xml.Decoder {
	var o binary.ByteOrder
	switch {
	case bytes.HasPrefix(b, []byte{0xff, 0xfe}):
		o = binary.LittleEndian
	case bytes.HasPrefix(b, []byte{0xfe, 0xff}):
		o = binary.BigEndian
	}
	if o != nil {
		u := make([]uint16, len(b)/2-1)
		for i := range u {
			u[i] = o.Uint16(b[2*i+2:])
		}
		b = []byte(string(utf16.Decode(u)))
	}
	d := xml.NewDecoder(bytes.NewReader(bytes.TrimPrefix(b, []byte{0xef, 0xbb, 0xbf})))
	d.CharsetReader = func(charset string, r io.Reader) (io.Reader, error) {
		if strings.EqualFold(charset, "utf-16") && o != nil {
			return r, nil
		}
		return nil, fmt.Errorf("unknown character set %q", charset)
	}
	return d
}

// backupInfo reads the names from bkupInfo.xml or Backup.xml, whose elements differ.
//
//	bkupInfo.xml: BackupInst > GPOGuid, GPODomain, BackupTime, ID, GPODisplayName
//	Backup.xml:   GroupPolicyBackupScheme > GroupPolicyObject > GroupPolicyCoreSettings > ID, Domain, DisplayName
func (g *GPO) backupInfo(fsys fs.FS, p string) {
	b := g.read(fsys, p)
	if b == nil {
		return
	}
	var info struct {
		GUID   string `xml:"GPOGuid"`
		Domain string `xml:"GPODomain"`
		Time   string `xml:"BackupTime"`
		Name   string `xml:"GPODisplayName"`
		Core   struct {
			ID     string `xml:"ID"`
			Domain string `xml:"Domain"`
			Name   string `xml:"DisplayName"`
		} `xml:"GroupPolicyObject>GroupPolicyCoreSettings"`
	}
	if err := newDecoder(b).Decode(&info); err != nil {
		g.problem(p, err)
		return
	}
	set := func(to *string, from ...string) {
		for _, s := range from {
			if s = strings.TrimSpace(s); s != "" {
				*to = s
			}
		}
	}
	set(&g.ID, info.GUID, info.Core.ID)
	set(&g.Domain, info.Domain, info.Core.Domain)
	set(&g.Name, info.Name, info.Core.Name)
	set(&g.Backup, info.Time)
}

// gptIni reads the name from GPT.INI, which rarely has it.
func (g *GPO) gptIni(fsys fs.FS, p string) {
	b := g.read(fsys, p)
	g.ID = path.Base(g.Folder)
	for line := range strings.Lines(string(b)) {
		k, v, ok := strings.Cut(strings.TrimSpace(line), "=")
		if ok && strings.EqualFold(strings.TrimSpace(k), "displayName") && strings.TrimSpace(v) != "" {
			g.Name = strings.TrimSpace(v)
		}
	}
}

// sortByManifest sorts backups in the order of manifest.xml.
func sortByManifest(fsys fs.FS, folder string, gpos []*GPO) {
	p, ok := find(fsys, folder, "manifest.xml")
	if !ok {
		return
	}
	b := gpos[0].read(fsys, p)
	if b == nil {
		return
	}
	var m struct {
		Backups []struct {
			ID string `xml:"ID"`
		} `xml:"BackupInst"`
	}
	if err := newDecoder(b).Decode(&m); err != nil {
		gpos[0].problem(p, err)
		return
	}
	order := func(g *GPO) int {
		for i, b := range m.Backups {
			if strings.EqualFold(strings.TrimSpace(b.ID), path.Base(g.Folder)) {
				return i
			}
		}
		return len(m.Backups)
	}
	slices.SortStableFunc(gpos, func(a, b *GPO) int { return order(a) - order(b) })
}
