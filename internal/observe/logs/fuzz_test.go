package logs

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ipcguard/internal/model"
	"ipcguard/internal/observe"
)

// FuzzLogs reads anything as a log of whichever kind it looks like.
func FuzzLogs(f *testing.F) {
	for _, e := range madeEvents() {
		f.Add([]byte(e))
	}
	f.Add([]byte("[\n" + strings.Join(madeEvents(), ",\n") + "\n]"))
	f.Add([]byte("{\n \"EventID\": 5145,\n \"x\": [1, {}]\n}\n{\n}"))
	f.Add([]byte(`<Events><Event xmlns="x"><System><Provider Name="Microsoft-Windows-Security-Auditing"/><EventID>5145</EventID></System><EventData><Data Name="ShareName">\\*\IPC$</Data></EventData></Event></Events>`))
	f.Add([]byte("\xff\xfe<\x00E\x00v\x00e\x00n\x00t\x00>\x00"))
	f.Add([]byte("[2026/11/22 10:59:49.558591,  0] x\n  {\"type\": \"Authentication\", \"Authentication\": " +
		"{\"serviceDescription\": \"SMB\", \"status\": \"NT_STATUS_OK\"}}\n"))
	f.Add([]byte("smbd_audit: a|10.0.0.1|connect|ok|IPC$\n"))
	f.Add([]byte(`{"sessions": {"1": {"username": "nobody", "hostname": "ipv4:1.2.3.4:5"}}, "tcons": {"2": {"service": "IPC$", "session_id": "1"}}}`))
	f.Add([]byte("ElfFile\x00"))
	for _, log := range forwarded() {
		f.Add([]byte(log))
	}
	f.Add([]byte("__CURSOR=s=1\nSYSLOG_IDENTIFIER=smbd_audit\nMESSAGE\n\x05\x00\x00\x00\x00\x00\x00\x00a|b|c\n\n"))
	f.Add([]byte("<164>1 2026-10-05T10:15:32.5Z fs smbd_audit 3412 ID47 [a@1 b=\"]\"] u|10.0.0.1|connect|ok|IPC$\n"))
	f.Add([]byte("  Auth: [SMB2,(null)] user []\\[u] at [Thu, 03 Dec 2020 18:23:05.400392 CET] with [NTLMv2] status " +
		"[NT_STATUS_OK] workstation [] remote host [ipv4:10.1.1.13:39456] mapped to []\\[u]. local host [ipv4:10.1.2.7:445]\nsmbd_audit"))
	if wd, err := os.Getwd(); err == nil {
		// Beside the module, where real logs may be: small ones are good seeds.
		names, _ := filepath.Glob(filepath.Join(wd, "..", "..", "..", "shared", "evtx", "*.evtx"))
		for _, name := range names {
			if b, err := os.ReadFile(name); err == nil {
				f.Add(b)
			}
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		agg, cov := observe.NewAggregator(50), new(observe.Coverage)
		l := New(agg, cov, Options{Server: "s"})
		_ = l.Read(context.Background(), "fuzz", bytes.NewReader(data))
		l.Close()
		rows := agg.Rows()
		if len(rows) > 50 {
			t.Fatalf("%d rows", len(rows))
		}
		for _, u := range rows {
			switch {
			case u.Identity == "" || u.Layer == "" || u.Outcome == "" || u.Basis == "" || u.Count <= 0:
				t.Fatalf("a row without its parts: %+v", u)
			case u.Identity == model.Anonymous && u.Account != "":
				t.Fatalf("an anonymous row with an account: %+v", u)
			}
		}
		Is(data[:min(len(data), 4096)])
	})
}
