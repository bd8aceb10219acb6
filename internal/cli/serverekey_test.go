package cli

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"ipcguard/internal/peer"
	"ipcguard/internal/store"
)

// TestRekeyBusy: the key is not replaced under a server that works, whichever machine it is on. It would go on sealing
// with the old one.
func TestRekeyBusy(t *testing.T) {
	t.Parallel()
	database, dir := peer.Postgres(t), t.TempDir()
	st, err := openStore(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	beats := make(chan struct{})
	stop := make(chan struct{})
	defer func() { close(stop); <-beats }()
	go func() {
		defer close(beats)
		for {
			if err := st.Heartbeat(t.Context(), store.Worker{Name: "other", Site: "default"}); err != nil {
				t.Error(err)
				return
			}
			select {
			case <-stop:
				return
			case <-time.After(100 * time.Millisecond):
			}
		}
	}()
	for { // its first sign of life
		if all, err := st.Workers(t.Context()); err != nil {
			t.Fatal(err)
		} else if len(all) > 0 {
			break
		}
	}
	var out bytes.Buffer
	a := &app{stdout: &out, stderr: &out}
	key := filepath.Join(dir, keyFile)
	f, home := &fleetFlags{database: database, key: key}, &homeFlags{}
	home.state = dir
	if err := a.rekey(t.Context(), f, home, true); !errors.Is(err, store.ErrBusy) {
		t.Errorf("%v, want that a server works\n%s", err, out.String())
	}
	if _, err := os.Stat(key); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the key file: %v", err)
	}
}
