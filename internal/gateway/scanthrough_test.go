package gateway

import (
	"net/netip"
	"testing"

	"ipcguard/internal/peer"
	"ipcguard/internal/scan"
	"ipcguard/internal/scan/targets"
)

// TestScanThroughGateway: the gateway's refusal of a null session is no evidence that the server requires encryption.
func TestScanThroughGateway(t *testing.T) {
	peer.Need(t, "smbd", "namespaces")
	l := startLab(t, peer.Config{Global: []string{"server signing = disabled"}}, Route{})
	for _, address := range []string{l.direct, l.through} {
		s, err := scan.New(scan.Options{Dial: l.samba.Dial})
		if err != nil {
			t.Fatal(err)
		}
		r := s.Host(t.Context(), targets.Target{Name: "srv", Addr: netip.MustParseAddrPort(address)})
		found := false
		for _, f := range r.Findings {
			found = found || f.ID == "signing-not-required"
		}
		if r.Server.EncryptionRequired || !found {
			t.Errorf("%s: encryption required: %v; signing-not-required is found: %v", address, r.Server.EncryptionRequired, found)
		}
	}
}
