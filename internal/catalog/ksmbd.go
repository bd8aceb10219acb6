package catalog

import (
	"fmt"
	"slices"
	"strings"

	"ipcguard/internal/model"
)

// ksmbd holds the rules of the kernel's server, measured on Linux 6.12 with tools 3.5.3 and on Linux 7.2 with tools
// 3.5.7 (docs/measured), otherwise from its manual page. A version is that of the tools, which decide about sessions
// and trees.
type ksmbd struct{ *facts }

func (k *ksmbd) on(f *facts) rules { return &ksmbd{f} }

// session: a null session always succeeds, even if encryption is mandatory. [M]
func (k *ksmbd) session(id model.Identity) cell {
	switch id {
	case model.User:
		return allowed("the credentials are valid")
	case model.Anonymous:
		return allowed("ksmbd lets a null session in, whatever is configured")
	}
	v, ok := k.text("ksmbd:map to guest")
	switch {
	case !ok:
		return unknown(k.why("ksmbd:map to guest"))
	case squeeze(v) == "never":
		return denied("map to guest is never, so a failed logon fails")
	case k.encrypts():
		return unknown(
			"smb3 encryption is mandatory, and a guest has no key to encrypt with; what he then gets was not seen")
	}
	return allowed("map to guest is " + v + ", so a made-up name becomes guest")
}

// encrypts reports whether encryption may be required.
func (k *ksmbd) encrypts() bool {
	v, ok := k.text("ksmbd:smb3 encryption")
	return !ok || !slices.Contains([]string{"no", "false", "0", "disabled", "auto", "yes", "true", "1"}, fold(v))
}

// The newest tools that were seen to let strangers connect to IPC$ at restrict anonymous 0, and the oldest that were
// seen to refuse. [M] There are no tools 4: a higher number is that of the kernel, which says nothing of them.
const (
	toolsThatLetIn  = "3.5.3"
	toolsThatRefuse = "3.5.7"
	noTools         = "4"
)

// tree: restrict anonymous 1 and 2 both close IPC$ to callers without an account, guests too; the tools 3.5.7 do so at
// 0. [M]
func (k *ksmbd) tree(id model.Identity) cell {
	if id == model.User {
		return allowed("the credentials are valid")
	}
	n, ok := k.number("ksmbd:restrict anonymous")
	version := k.p.Version
	switch {
	case !ok:
		return unknown(k.why("ksmbd:restrict anonymous"))
	case n != 0:
		return denied(k.why("ksmbd:restrict anonymous") + ", which closes IPC$")
	case version != "" && !olderRelease(version, toolsThatRefuse) && olderRelease(version, noTools):
		return denied("ksmbd-tools " + version + " close IPC$ to strangers at restrict anonymous 0, too" +
			inferred(version, toolsThatRefuse))
	case version != "" && !olderRelease(toolsThatLetIn, version):
		return allowed(k.why("ksmbd:restrict anonymous") + inferred(version, toolsThatLetIn))
	}
	return unknown(
		fmt.Sprintf("restrict anonymous is 0: ksmbd-tools %s let strangers to IPC$ then and %s do not; ksmbd.mountd "+
			"--version tells which it is", toolsThatLetIn, toolsThatRefuse))
}

// wholeNames are the first tools that compare a parameter's whole name. [S] ksmbd-tools
const wholeNames = "3.5.3"

// KsmbdTakesBeginnings reports whether tools of a release, or of an unknown one, may take a line whose name only begins
// with that of a parameter.
func KsmbdTakesBeginnings(release string) bool {
	return release == "" || olderRelease(release, wholeNames) || !olderRelease(release, noTools)
}

// inferred says that what holds of a release was seen of another one.
func inferred(version, seen string) string {
	if dotted.FindString(version) == seen {
		return ""
	}
	return ", if they do as " + seen + " did: " + version + " was never measured"
}

// ksmbdPipes are all pipes of ksmbd. [M]
var ksmbdPipes = []string{"lsarpc", "samr", "srvsvc", "wkssvc"}

func (k *ksmbd) pipe(_ model.Identity, p *Pipe) cell {
	if slices.Contains(ksmbdPipes, strings.ToLower(p.Name)) {
		return allowed("ksmbd has this pipe and asks nobody who opens it")
	}
	return absent("ksmbd has no such pipe")
}

// ksmbdGives maps each disclosure to the pipe that gives it. ksmbd implements no other calls. [M]
var ksmbdGives = map[model.Disclosure]string{
	model.DisclosesSIDs: "lsarpc", model.DisclosesShares: "srvsvc", model.DisclosesHostInfo: "wkssvc",
}

func (k *ksmbd) discloses(id model.Identity, d model.Disclosure, at func(string) cell) cell {
	if d != model.DisclosesFiles {
		pipe, ok := ksmbdGives[d]
		switch {
		case ok:
			return at(pipe)
		case d == model.DisclosesIdentity:
			return unknown("who the caller is to it ksmbd does not say")
		}
		return all(at("lsarpc"), absent("ksmbd has no call that gives it"))
	}
	if k.cfg.Shares == nil {
		return unknown("the shares are not known")
	}
	for _, sh := range k.cfg.Shares {
		if sh.Guest && !strings.EqualFold(sh.Name, "IPC$") {
			if id == model.Anonymous || id.IsStranger() && k.session(id).outcome == model.Allowed {
				return allowed("share " + sh.Name + " has guest ok")
			}
			return unknown("share " + sh.Name + " has guest ok; whether this caller comes so far is not known")
		}
	}
	if id == model.User {
		return unknown("the users of each share decide")
	}
	return denied("no share has guest ok")
}
