package gateway

import (
	"encoding/json"
	"testing"

	"ipcguard/internal/model"
)

// TestObserved turns uses into an enforceable policy that names exactly what was observed.
func TestObserved(t *testing.T) {
	use := func(client string, as model.Identity, pipe, iface, uuid, call string, opnum int) model.Use {
		return model.Use{
			Client: client, Identity: as, Layer: model.LayerCall, Outcome: model.Allowed,
			Pipe: pipe, Interface: iface, UUID: uuid,
			Call: call, Opnum: opnum, Count: 2,
		}
	}
	const lsa, srv, own = "12345778-1234-abcd-ef00-0123456789ab", "4b324fc8-1670-01d3-1278-5a47bf6ee188",
		"00000000-0000-0000-0000-000000000021"
	denied := use("192.0.2.1", model.Anonymous, "samr", "samr", "12345778-1234-abcd-ef00-0123456789ac", "SamrConnect",
		0)
	denied.Outcome = model.Denied
	p, left := Observed([]model.Use{
		use("192.0.2.1", model.Anonymous, "lsarpc", "lsarpc", lsa, "LsarClose", 0),
		use("192.0.2.1", model.Anonymous, "lsarpc", "lsarpc", lsa, "LsarOpenPolicy2", 44),
		use("::ffff:192.0.2.1", model.Anonymous, "srvsvc", "srvsvc", srv, "NetrShareEnum", 15),
		use("192.0.2.9", model.Guest, "odd", "", own, "opnum 3", 3),
		use("192.0.2.1", model.User, "winreg", "winreg", own, "opnum 3", 3),
		use("fe80::1%eth0", model.Anonymous, "srvsvc", "srvsvc", srv, "NetrShareEnum", 15),
		use("somehost", model.Anonymous, "srvsvc", "srvsvc", srv, "NetrShareEnum", 15),
		use("192.0.2.1", model.Anonymous, "", "", "", "", -1),
		{
			Client: "192.0.2.3", Identity: model.Guest, Layer: model.LayerTree,
			Outcome: model.Allowed, Share: "public", Opnum: -1, Count: 1,
		},
		denied,
	})
	if err := p.Check(); err != nil {
		t.Fatalf("it cannot be enforced: %v", err)
	}
	got, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"strangers":[{"clients":["192.0.2.1/32"],"as":["anonymous"],"allow":"pipes","pipes":[` +
		`{"pipe":"lsarpc","interfaces":[{"interface":"lsarpc","calls":["LsarClose","LsarOpenPolicy2"]}]},` +
		`{"pipe":"srvsvc","interfaces":[{"interface":"srvsvc","calls":["NetrShareEnum"]}]}],"why":"seen: 6 calls"},` +
		`{"clients":["192.0.2.9/32"],"as":["guest"],"allow":"pipes","pipes":[` +
		`{"pipe":"odd","interfaces":[{"interface":"` + own + `","calls":["3"]}]}],"why":"seen: 2 calls"},` +
		`{"clients":["fe80::1/128"],"as":["anonymous"],"allow":"pipes","pipes":[` +
		`{"pipe":"srvsvc","interfaces":[{"interface":"srvsvc","calls":["NetrShareEnum"]}]}],"why":"seen: 2 calls"}]}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if len(left) != 3 {
		t.Errorf("left: %q", left)
	}
}
