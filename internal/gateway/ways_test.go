package gateway

import (
	"strings"
	"testing"
	"time"

	"ipcguard/internal/model"
	"ipcguard/internal/ntlm"
	"ipcguard/internal/peer"
	"ipcguard/internal/smb"
)

// TestOtherAddresses asks a real server with multichannel for its addresses, as a user through a gateway: those that
// lead around it are found. A server without multichannel has no list.
func TestOtherAddresses(t *testing.T) {
	peer.Need(t, "smbd", "namespaces", "ip")
	for _, c := range []struct {
		channels string
		open     int // ways around in the list
	}{{"yes", 1}, {"no", 0}} {
		t.Run("channels: "+c.channels, func(t *testing.T) {
			s := peer.StartManyHosts(t, peer.Config{Global: []string{
				"server multi channel support = " + c.channels,
				`interfaces = "127.21.8.1;capability=RSS" "10.21.8.1;speed=1000,capability=RSS"`,
			}})
			s.Machine.Do(t, "ip", "addr", "add", "10.21.8.1/24", "dev", "lo")
			s.Restart(t)
			var list []Found
			if err := s.InNetwork(func() error {
				a := Around{
					Gateway: "127.21.8.2:445", Port: 445, Wait: time.Minute,
					As: func(string) (smb.Authenticator, error) {
						return ntlm.NewUser("labadmin", "", peer.Password, ntlm.Options{}), nil
					},
				}
				// It answers at every address, so the request needs no gateway.
				list = a.otherAddresses(t.Context(), "127.21.8.2:445")
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			open := 0
			for _, f := range list {
				t.Log(f)
				if f.Outcome == model.Allowed && strings.Contains(f.Address, "10.21.8.1") {
					open++
				}
			}
			if open != c.open || len(list) == 0 {
				t.Errorf("%d ways around, want %d: %v", open, c.open, list)
			}
		})
	}
}

// TestCredentialsNotGiven asks as a user whose NTLM goes only to servers that require signing.
func TestCredentialsNotGiven(t *testing.T) {
	peer.Need(t, "smbd")
	s := peer.StartSamba(t, peer.Config{Address: "127.21.8.3"})
	a := Around{Wait: time.Minute, As: func(string) (smb.Authenticator, error) {
		return ntlm.NewUser("labadmin", "", peer.Password, ntlm.Options{Bound: true}), nil
	}}
	list := a.otherAddresses(t.Context(), s.Addr())
	const want = ntlm.NotGiven + "the server does not require signing"
	if len(list) != 1 || list[0].Outcome != model.Inconclusive || list[0].Says != want {
		t.Errorf("the list says %v, want %s", list, want)
	}
}
