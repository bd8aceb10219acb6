package store

import (
	"os"
	"testing"
)

func TestURIPath(t *testing.T) {
	for path, want := range map[string]string{
		"/var/lib/x.db":       "/var/lib/x.db",
		"C:/fleet/x.db":       "/C:/fleet/x.db",
		"//server/share/x.db": "//server/share/x.db",
	} {
		if got := uriPath(path); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}

// TestForeign: an address of something else does not become the path of a new, empty file.
func TestForeign(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, dsn := range []string{"host=db.example user=ipcguard", "dbname = fleet", "mysql://u@h/x", "sqlite3://x"} {
		if st, err := Open(t.Context(), dsn, Options{}); err == nil {
			st.Close()
			t.Errorf("%s was opened", dsn)
		}
	}
	if left, err := os.ReadDir("."); err != nil || len(left) != 0 {
		t.Errorf("files were made: %v, %v", left, err)
	}
	st, err := Open(t.Context(), "a=b host=c.db", Options{}) // a file may have any name
	if err != nil {
		t.Fatal(err)
	}
	st.Close()
}
