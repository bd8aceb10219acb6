package scan

import (
	"slices"
	"testing"

	"ipcguard/internal/model"
	"ipcguard/internal/peer"
	"ipcguard/internal/smbtest"
)

// practiceAt starts a practice server of a product after change.
func practiceAt(t *testing.T, address, product string, change func(*smbtest.Profile)) *smbtest.Server {
	t.Helper()
	host, err := smbtest.NewHost(product, "PRACTICE1")
	if err != nil {
		t.Fatal(err)
	}
	p := *host.Profile
	change(&p)
	host.Profile = &p
	s, err := smbtest.Start(address, host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// A server that serves strangers only as long as nobody speaks of encryption gives them as much as any other, and the
// scan loses none of it.
func TestStrangersWithoutEncryption(t *testing.T) {
	guests := func(p *smbtest.Profile) { p.GuestForUnknown, p.Guest = true, p.Anonymous }
	plain := scanPractice(t, practiceAt(t, "127.47.3.1:0", "samba", guests), Options{Shares: []string{"nosuch"}})
	want := said(plain)
	if plain.Verdict != model.Exposed || identity(plain, model.Guest).Tree.Outcome != model.Allowed {
		t.Fatalf("the server to compare with is %s, guest %+v", plain.Verdict, identity(plain, model.Guest).Tree)
	}
	for what, change := range map[string]func(*smbtest.Profile){
		"calls end the connection":      func(p *smbtest.Profile) { p.CutsStrangers = true },
		"a guest is not told to be one": func(p *smbtest.Profile) { p.HidesGuests = true },
	} {
		t.Run(what, func(t *testing.T) {
			s := practiceAt(t, "127.47.3.2:0", "samba", func(p *smbtest.Profile) { guests(p); change(p) })
			r := scanPractice(t, s, Options{Shares: []string{"nosuch"}})
			if g := identity(r, model.Guest); g.Tree.Detail != askedBare {
				t.Errorf("the guest's way is not told: %+v", g.Tree)
			}
			for i := range r.Identities {
				r.Identities[i].Tree.Detail = ""
			}
			got := said(r)
			if r.Partial || r.Verdict != model.Exposed || len(got) != len(want) {
				t.Errorf("%s: %s; %d answers, want %d", r.Verdict, r.Reason, len(got), len(want))
			}
			for _, answer := range want {
				if !slices.Contains(got, answer) {
					t.Errorf("lost %q", answer)
				}
			}
		})
	}
}

// A client that does not offer encryption may be refused where a stranger who offers it is not: its refusal closes
// nothing.
func TestRefusedWithoutEncryption(t *testing.T) {
	s := practiceAt(t, "127.47.3.3:0", "samba", func(p *smbtest.Profile) {
		p.CutsStrangers, p.RefusesBare = true, true
	})
	r := scanPractice(t, s, Options{NoGuest: true, NoUnknownUser: true})
	if r.Verdict != model.VerdictInconclusive {
		t.Errorf("%s: %s", r.Verdict, r.Reason)
	}
}

// Samba with server smb encrypt = desired loses nothing of what strangers are told. Its own clients lose it there.
func TestSambaWithoutEncryption(t *testing.T) {
	t.Parallel()
	server := peer.StartSamba(t, peer.Config{Address: "127.47.3.4", Global: []string{
		"server smb encrypt = desired", "map to guest = Bad User",
	}})
	r, by := scanServer(t, server.Addr(), Options{})
	if lost := unanswered(r); r.Verdict != model.Exposed || lost > 0 || r.Partial {
		t.Errorf("%s, %d questions lost: %s", r.Verdict, lost, r.Reason)
	}
	for _, id := range model.Strangers() {
		if i := by[id]; i.Tree.Outcome != model.Allowed || len(disclosures(&i)) < 4 {
			t.Errorf("%s: IPC$ %+v, %v", id, i.Tree, disclosures(&i))
		}
	}
}
