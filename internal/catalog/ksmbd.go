package catalog

import (
	"strings"

	"ipcguard/internal/model"
)

// ksmbd holds the rules of the kernel's server, from its manual page alone.
type ksmbd struct{ *facts }

func (k *ksmbd) on(f *facts) rules { return &ksmbd{f} }

func (k *ksmbd) session(id model.Identity) cell {
	switch id {
	case model.User:
		return allowed("the credentials are valid")
	case model.Anonymous:
		return unknown("whether an anonymous session is accepted was not measured")
	}
	v, ok := k.text("ksmbd:map to guest")
	switch {
	case !ok:
		return unknown(k.why("ksmbd:map to guest"))
	case squeeze(v) == "never":
		return denied("map to guest is never, so a failed logon fails")
	}
	return allowed("map to guest is " + v + ", so a made-up name becomes guest")
}

// tree: restrict anonymous 1 and 2 both close IPC$. See ksmbd.conf(5).
func (k *ksmbd) tree(id model.Identity) cell {
	if id == model.User {
		return allowed("the credentials are valid")
	}
	n, ok := k.number("ksmbd:restrict anonymous")
	switch {
	case !ok:
		return unknown(k.why("ksmbd:restrict anonymous"))
	case n == 0:
		return allowed(k.why("ksmbd:restrict anonymous"))
	case id != model.Anonymous:
		return unknown("restrict anonymous closes IPC$ to anonymous users; whether a guest counts as one is not documented")
	}
	return denied(k.why("ksmbd:restrict anonymous") + ", which closes IPC$")
}

func (k *ksmbd) pipe(model.Identity, *Pipe) cell {
	return unknown("which pipes answer was not measured")
}

func (k *ksmbd) discloses(id model.Identity, d model.Disclosure, at func(string) cell) cell {
	if d == model.DisclosesFiles {
		if k.cfg.Shares == nil {
			return unknown("the shares are not known")
		}
		for _, sh := range k.cfg.Shares {
			if sh.Guest && !strings.EqualFold(sh.Name, "IPC$") {
				return unknown("share " + sh.Name + " has guest ok; what a stranger then reads was not measured")
			}
		}
		if id == model.User {
			return unknown("the users of each share decide")
		}
		return denied("no share has guest ok")
	}
	return all(at("srvsvc"), unknown("what ksmbd gives away was not measured"))
}
