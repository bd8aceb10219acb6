package measured

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"
)

// FuzzRead: a table that is read is read again as it is written, and each of its rows has a description.
func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"schema":"ipcguard.measured/1","servers":[{"release":"4.17.12","system":"samba"}],"rows":[` +
		`{"configuration":"open","system":"samba","releases":["4.17.12"],"identity":"anonymous",` +
		`"cells":{"session":"allowed","tree":"allowed","pipe:samr":"allowed","discloses:accounts":"allowed"}},` +
		`{"identity":"guest","cells":{"session":"denied"}}]}`))
	f.Add([]byte(`{"schema":"ipcguard.measured/2"}`))
	f.Add([]byte(`{"schema":"ipcguard.measured/1","more":1}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		table, err := Read(bytes.NewReader(text))
		if err != nil {
			return
		}
		for i := range table.Rows {
			if table.Rows[i].Given() == "" {
				t.Errorf("nothing is said of %+v", table.Rows[i])
			}
		}
		written, err := json.Marshal(table)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Read(bytes.NewReader(written))
		if err != nil || !reflect.DeepEqual(again, table) {
			t.Errorf("read again: %v\n%+v\n%+v", err, again, table)
		}
	})
}
