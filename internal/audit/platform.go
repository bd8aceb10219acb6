package audit

import (
	"fmt"
	"strconv"
	"strings"

	"ipcguard/internal/model"
)

// product identifies the system of a registry: ProductOptions\ProductType says workstation, server or domain
// controller; CurrentVersion in the SOFTWARE hive gives the release.
func (w *windowsReader) product() {
	p := &w.platform
	w.host = w.text(keyName, "ComputerName")
	if w.host == "" {
		w.host = w.text(keyActiveName, "ComputerName")
	}
	family := w.role()
	p.Name = w.text(keyVersion, "ProductName")
	build, _ := strconv.Atoi(w.text(keyVersion, "CurrentBuildNumber"))
	if build == 0 {
		build, _ = strconv.Atoi(w.text(keyVersion, "CurrentBuild"))
	}
	if build == 0 {
		w.unknownProduct()
		return
	}
	p.Build = build
	p.Version = w.version(build)
	if t := w.text(keyVersion, "InstallationType"); t != "" {
		family = "client"
		if strings.HasPrefix(t, "Server") {
			family = "server"
		}
	}
	found := w.catalog.ProductsByBuild(build, family)
	switch len(found) {
	case 0:
		w.why("the build is %d by CurrentVersion, which is no release in the catalog: defaults that depend on the "+
			"release are unknown", build)
		return
	case 1:
		p.Product = found[0].ID
	default: // Server 2003 and its R2 have the same build and differ only in name
		p.Product = found[0].ID
		for _, q := range found {
			if strings.HasSuffix(q.ID, "r2") && strings.Contains(p.Name, "R2") {
				p.Product = q.ID
			}
		}
	}
	w.why("the product is %s: CurrentVersion says build %d, %s", p.Product, build, orWord(p.Name, "without a name"))
}

func orWord(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func (w *windowsReader) version(build int) string {
	v := w.text(keyVersion, "CurrentVersion")
	if major, ok := w.dword(keyVersion, "CurrentMajorVersionNumber"); ok {
		minor, _ := w.dword(keyVersion, "CurrentMinorVersionNumber")
		v = fmt.Sprintf("%d.%d", major, minor)
	}
	v = strings.TrimPrefix(v+fmt.Sprintf(".%d", build), ".") // a part of the key gives only the build
	if ubr, ok := w.dword(keyVersion, "UBR"); ok {
		v += fmt.Sprintf(".%d", ubr)
	}
	if pack := w.text(keyVersion, "CSDVersion"); pack != "" {
		v += " " + pack
	}
	return v
}

// role reads ProductType and returns the product family that goes with it.
func (w *windowsReader) role() (family string) {
	p := &w.platform
	switch t := w.text(keyProductType, "ProductType"); strings.ToLower(t) {
	case "winnt":
		p.Role = model.Workstation
		w.why("the role is workstation: ProductOptions\\ProductType is WinNT")
		return "client"
	case "lanmannt":
		p.Role = model.DomainController
		w.why("the role is domain controller: ProductOptions\\ProductType is LanmanNT")
		return "server"
	case "servernt":
		p.Role = model.Member
		w.why("the role is a server that is no domain controller: ProductOptions\\ProductType is ServerNT. Member " +
			"and standalone are judged alike")
		return "server"
	case "":
		w.why("the role cannot be known: ProductOptions\\ProductType was not there to read; --role says it")
	default:
		w.why("the role cannot be known: ProductOptions\\ProductType is %.40q; --role says it", t)
	}
	return ""
}

// unknownProduct: a SYSTEM hive by itself does not say which release it belongs to. Hints are reported and not relied
// on: no document describes them.
func (w *windowsReader) unknownProduct() {
	w.why("the product cannot be known: it is written in SOFTWARE (CurrentVersion), which was not there to read; " +
		"--product says it")
	v, err := w.in.Value(`HKLM\SYSTEM\Setup\BuildUpdate`, "SourceOSVersion")
	if err != nil {
		return
	}
	if q, err := v.QWord(); err == nil {
		w.why("hint, not relied on because no document describes it: Setup\\BuildUpdate\\SourceOSVersion reads as "+
			"%d.%d.%d.%d", q>>48, q>>32&0xffff, q>>16&0xffff, q&0xffff)
	}
}
