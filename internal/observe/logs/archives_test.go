package logs

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"ipcguard/internal/observe"
	"ipcguard/internal/observe/observetest"
	"ipcguard/internal/observe/source"
)

// TestArchives reads archives alone and in a folder: captures oldest first, logs, and what is neither. The captures are
// copies of one another, and what is in several of them counts once.
func TestArchives(t *testing.T) {
	dir := t.TempDir()
	capture := filepath.Join(t.TempDir(), "rpc.pcap")
	m, done := observetest.Create(t, capture)
	m.Connect(1)
	m.Logon(t)
	m.Calls(t, 3)
	m.Disconnect()
	done()
	packets, err := os.ReadFile(capture)
	if err != nil {
		t.Fatal(err)
	}
	const record = `{"timestamp": "2026-11-22T10:59:49.799077+0000", "type": "Authorization", "Authorization": {"localAddress": "ipv4:10.0.0.1:445", "remoteAddress": "ipv4:10.0.0.9:33156", "serviceDescription": "SMB2", "authType": "NTLMSSP", "domain": "NT AUTHORITY", "account": "ANONYMOUS LOGON", "sid": "S-1-5-7"}}`
	var inner bytes.Buffer
	w := zip.NewWriter(&inner)
	f, _ := w.Create("deep.pcap")
	_, _ = f.Write(packets)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w = zip.NewWriter(&b)
	for name, data := range map[string][]byte{
		"a/b/rpc.pcap": packets, "audit.json": []byte(record),
		"readme": []byte("hello"), "deep.zip": inner.Bytes(), "cut.pcap": packets[:len(packets)-5],
	} {
		f, err := w.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = f.Write(data)
	}
	_, _ = w.Create("folder/")
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	archive := filepath.Join(dir, "all.zip")
	write := func(name string, data []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("all.zip", b.Bytes())
	read := func(path string) (calls, logons int64, cov *observe.Coverage, err error) {
		agg, cov := observe.NewAggregator(0), new(observe.Coverage)
		traffic, logs := observe.NewTraffic(agg, cov, observe.TrafficOptions{}), New(agg, cov, Options{})
		if err := traffic.ReadPath(context.Background(), path); err != nil {
			return 0, 0, cov, err
		}
		if err := logs.ReadFolder(context.Background(), path, observe.IsCapture); err != nil {
			return 0, 0, cov, err
		}
		traffic.Close()
		logs.Close()
		for _, u := range agg.Rows() {
			if u.Call != "" {
				calls += u.Count
			}
			if u.Client == "10.0.0.9" {
				logons += u.Count
			}
		}
		return calls, logons, cov, nil
	}
	calls, logons, cov, err := read(archive)
	if err != nil || calls != 3 || logons != 1 || cov.Unreadable["files that are no log"] != 2 ||
		cov.Unreadable["captures that end in the middle of a packet"] != 1 {
		t.Errorf("alone: %d calls, %d logons, %v, %v", calls, logons, cov.Unreadable, err)
	}
	// In a folder with another capture and an archive that is damaged.
	write("b.pcap", packets)
	write("bad.zip", b.Bytes()[:b.Len()/2])
	calls, logons, cov, err = read(dir)
	if err != nil || calls != 3 || logons != 1 || cov.Unreadable["files that could not be opened"] != 2 {
		t.Errorf("in a folder: %d calls, %d logons, %v, %v", calls, logons, cov.Unreadable, err)
	}
	if _, _, _, err := read(filepath.Join(dir, "bad.zip")); !errors.Is(err, source.ErrArchive) {
		t.Errorf("a damaged archive: %v", err)
	}
	// A list of files longer than any real one is not read.
	long := bytes.Clone(b.Bytes())
	binary.LittleEndian.PutUint32(long[bytes.LastIndex(long, []byte("PK\x05\x06"))+12:], 32<<20)
	write("long.zip", long)
	if _, _, _, err := read(filepath.Join(dir, "long.zip")); !errors.Is(err, source.ErrArchive) {
		t.Errorf("a long list: %v", err)
	}
}
