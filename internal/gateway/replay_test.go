package gateway

import (
	"testing"

	"ipcguard/internal/model"
)

// TestReplay judges observed uses as a gateway does, layer by layer.
func TestReplay(t *testing.T) {
	p := somePolicy()
	p.Users = denyingPolicy().Users
	if err := p.Check(); err != nil {
		t.Fatal(err)
	}
	const lsa, sam = "12345778-1234-abcd-ef00-0123456789ab", "12345778-1234-abcd-ef00-0123456789ac"
	use := func(who model.Identity, layer model.Layer, share, pipe, uuid string, opnum int) model.Use {
		return model.Use{
			Client: "192.0.2.7", Server: "192.0.2.20", Identity: who, Layer: layer,
			Outcome: model.Allowed, Share: share, Pipe: pipe, UUID: uuid, Opnum: opnum,
		}
	}
	name := use(model.Anonymous, model.LayerSession, "", "", "", -1)
	name.Client = "somehost"
	refused := use(model.Guest, model.LayerSession, "", "", "", -1)
	refused.Outcome = model.Denied
	audited := use(model.Guest, model.LayerSession, "", "", "", -1)
	audited.Outcome, audited.Log, audited.Package = model.Inconclusive, true, model.PackageNTLM
	encrypted, old := use(model.User, model.LayerCall, "IPC$", "samr", sam,
		13), use(model.User, model.LayerCall, "IPC$", "samr", sam, 13)
	encrypted.Encrypted, old.Dialect = model.True, dialectSMB1
	for _, c := range []struct {
		what string
		use  model.Use
		want model.Outcome // empty: not in the result
	}{
		{"a null session", use(model.Anonymous, model.LayerSession, "", "", "", -1), model.Allowed},
		{"a guest", use(model.Guest, model.LayerSession, "", "", "", -1), model.Denied},
		{"a host's name", name, model.Inconclusive},
		{"what was refused anyway", refused, ""},
		{"what a log tells without the result", audited, model.Denied},
		{"a disk share", use(model.Anonymous, model.LayerTree, "public", "", "", -1), model.Denied},
		{"IPC$", use(model.Anonymous, model.LayerTree, `\\s\IPC$`, "", "", -1), model.Allowed},
		{"a pipe", use(model.Anonymous, model.LayerOpen, "IPC$", "lsarpc", "", -1), model.Allowed},
		{"another pipe", use(model.Anonymous, model.LayerOpen, "IPC$", "samr", "", -1), model.Denied},
		{"an interface", use(model.Anonymous, model.LayerBind, "IPC$", "lsarpc", lsa, -1), model.Allowed},
		{"another interface", use(model.Anonymous, model.LayerBind, "IPC$", "lsarpc", sam, -1), model.Denied},
		{"a call", use(model.Anonymous, model.LayerCall, "IPC$", "lsarpc", lsa, 6), model.Allowed},
		{"another call", use(model.Anonymous, model.LayerCall, "IPC$", "lsarpc", lsa, 15), model.Denied},
		{"a call without a number", use(model.Anonymous, model.LayerCall, "IPC$", "lsarpc", lsa,
			-1), model.Inconclusive},
		{"an interface without a name", use(model.Anonymous, model.LayerCall, "IPC$", "lsarpc", "",
			6), model.Inconclusive},
		{"a logon that was not seen", use(model.Unknown, model.LayerCall, "IPC$", "lsarpc", lsa,
			6), model.Inconclusive},
		{"a user", use(model.User, model.LayerSession, "", "", "", -1), ""},
		{"a user's call", use(model.User, model.LayerCall, "IPC$", "samr", sam, 8), ""},
		{"a user's call that is denied", use(model.User, model.LayerCall, "IPC$", "samr", sam, 13), model.Denied},
		{"a machine's pipe that is denied", use(model.Machine, model.LayerOpen, "IPC$", `\PIPE\SpoolSS`, "",
			-1), model.Denied},
		{"a call on a pipe that is denied", use(model.User, model.LayerCall, "IPC$", "spoolss", "", -1), model.Denied},
		{"the same, encrypted", encrypted, model.Allowed},
		{"the same over SMB1", old, model.Allowed},
		{"an interface that is denied", use(model.User, model.LayerBind, "IPC$", "lsass", lsa, -1), model.Denied},
	} {
		var got model.Outcome
		if list := p.Replay([]model.Use{c.use}, ""); len(list) == 1 {
			got = list[0].Outcome
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.what, got, c.want)
		}
	}
}
