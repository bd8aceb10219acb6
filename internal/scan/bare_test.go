package scan

import (
	"bytes"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

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
	for _, far := range []bool{false, true} {
		o := Options{}
		if far {
			o.Dial = dialFar
		}
		r, by := scanServer(t, server.Addr(), o)
		t.Logf("far %v: %d round trips, %d requests in %d connections", far, r.Stats.RoundTrips, r.Stats.Requests,
			r.Stats.Connections)
		if lost := unanswered(r); r.Verdict != model.Exposed || lost > 0 || r.Partial {
			t.Errorf("far %v: %s, %d questions lost: %s", far, r.Verdict, lost, r.Reason)
		}
		for _, id := range model.Strangers() {
			if i := by[id]; i.Tree.Outcome != model.Allowed || len(disclosures(&i)) < 4 {
				t.Errorf("far %v: %s: IPC$ %+v, %v", far, id, i.Tree, disclosures(&i))
			}
		}
		if far && r.Stats.RoundTrips > 150 { // and some 400 if each lost pipe is asked by itself
			t.Errorf("%d round trips", r.Stats.RoundTrips)
		}
	}
}

// A server far away that ends the connections of strangers who offer encryption costs a scan one more way through the
// layers for each of them, and not one round trip for each question that was lost. The clock is that of a bubble, as in
// TestRoundTrips.
func TestFarWithoutEncryption(t *testing.T) {
	host, err := smbtest.NewHost("samba", "PRACTICE1")
	if err != nil {
		t.Fatal(err)
	}
	p := *host.Profile
	p.GuestForUnknown, p.Guest, p.CutsStrangers = true, p.Anonymous, true
	host.Profile = &p
	scan := func(t *testing.T, distance time.Duration) (*model.Scan, []string, [][]byte) {
		var users [][]byte
		var lock sync.Mutex
		note := func(sent []byte) {
			if i := bytes.Index(sent, []byte("i\x00p\x00c\x00g\x00u\x00a\x00r\x00d\x00-\x00")); i >= 0 {
				lock.Lock()
				defer lock.Unlock()
				users = append(users, slices.Clone(sent[i:i+34]))
			}
		}
		r := scanHostOver(t, host, Options{}, distance, note, nil)
		return r, said(r), users
	}
	synctest.Test(t, func(t *testing.T) {
		_, near, _ := scan(t, 0)
		began := time.Now()
		r, far, users := scan(t, roundTrip)
		trips := float64(time.Since(began)) / float64(roundTrip)
		t.Logf("%.1f round trips, %d requests in %d connections", trips, r.Stats.Requests, r.Stats.Connections)
		if trips > 56 {
			t.Errorf("%.1f round trips", trips)
		}
		if r.Verdict != model.Exposed || r.Partial || !slices.Equal(far, near) {
			t.Errorf("%s, partial %v, %d answers, near by %d: %s", r.Verdict, r.Partial, len(far), len(near), r.Reason)
		}
		for _, id := range model.Strangers() {
			if i := identity(r, id); i.Tree.Detail != askedBare || len(disclosures(i)) < 4 {
				t.Errorf("%s: %+v, %v", id, i.Tree, disclosures(i))
			}
		}
		if len(users) != 2 || !bytes.Equal(users[0], users[1]) {
			t.Errorf("the made-up user logged on as %q", users)
		}
	})
}
