package observe

import (
	"path/filepath"
	"testing"

	"ipcguard/internal/model"
	"ipcguard/internal/observe/observetest"
	"ipcguard/internal/smb/smb1"
	"ipcguard/internal/smb/smb2"
)

// TestOldestDialect: a client that ends at SMB 2.0.2 asks with a NEGOTIATE of SMB1, and the server's answer of SMB2
// settles the dialect: there is no NEGOTIATE of SMB2 to which it could belong.
func TestOldestDialect(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "oldest.pcap")
	m, done := observetest.Create(t, path)
	m.Connect(1)
	ask, err := smb1.Append(nil, &smb1.Header{Command: smb1.Negotiate},
		&smb1.NegotiateRequest{Dialects: []string{smb1.DialectSMB2002}})
	if err != nil {
		t.Fatal(err)
	}
	m.Send(true, ask)
	answer := smb2.Message{
		Header: smb2.Header{Command: smb2.Negotiate, Flags: smb2.FlagResponse},
		Body:   &smb2.NegotiateResponse{Dialect: smb2.Dialect202},
	}
	m.Send(false, answer.AppendMarshal(nil))
	m.MID = 1
	m.Ask(smb2.Header{Command: smb2.TreeConnect, SessionID: 1, TreeID: 1},
		&smb2.TreeConnectRequest{Path: smb2.EncodeText(`\\s\IPC$`)},
		&smb2.TreeConnectResponse{ShareType: smb2.SharePipe}, 0)
	m.Disconnect()
	done()
	rows, _ := readCapture(t, path, TrafficOptions{})
	if len(rows) != 1 || rows[0].Layer != model.LayerTree || rows[0].Dialect != "2.0.2" || rows[0].Offers != "2.0.2" {
		t.Errorf("%+v", rows)
	}
}
