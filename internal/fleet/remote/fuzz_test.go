package remote

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"ipcguard/internal/fleet/wire"
)

// FuzzCode: a join code that is accepted has a secret of the right length, and is the one that its parts make; an
// address that is accepted has nothing but a host and a port, and is accepted again as it is written.
func FuzzCode(f *testing.F) {
	f.Add(wire.CodePrefix + strings.Repeat("a", 26) + "-" + strings.Repeat("a", 26))
	f.Add(wire.CodePrefix + "-")
	f.Add("https://fleet.example:8444/")
	f.Add("https://user@fleet.example")
	f.Fuzz(func(t *testing.T, text string) {
		if secret, print, err := parseCode(text); err == nil {
			again := wire.CodePrefix + secret + "-" + codeText.EncodeToString(print[:])
			if s, p, err := parseCode(again); s != secret || p != print || err != nil {
				t.Errorf("%q is read as %q, %x, and that as %q, %x, %v", text, secret, print, s, p, err)
			}
		}
		if server, err := parseServer(text); err == nil {
			rest, https := strings.CutPrefix(server, "https://")
			if again, err := parseServer(server); !https || strings.ContainsAny(rest, "/?#@") || again != server || err != nil {
				t.Errorf("%q is read as %q, and that as %q, %v", text, server, again, err)
			}
		}
	})
}

// FuzzSpooled: a file's name that is accepted is written and read again as the same; of a file's results each is one of
// its JSON values.
func FuzzSpooled(f *testing.F) {
	f.Add("00000000000000000901-2-B.json", []byte(`{"job":"B","result":{"target":1}}`+"\n"+`{"job":"B"}`))
	f.Add("1-A.json", []byte(`{"job":"A","resu`))
	f.Add("-1--.json", []byte("null"))
	f.Fuzz(func(t *testing.T, name string, b []byte) {
		if file, n, ok := parseSpooled(name); ok {
			again, m, ok := parseSpooled(fmt.Sprintf("%020d-%d-%s.json", n, file.results, file.job))
			if !ok || m != n || again.job != file.job || again.results != file.results || file.results < 0 {
				t.Errorf("%q is %d, %+v, and again %d, %+v, %v", name, n, file, m, again, ok)
			}
		}
		all, err := parseKept(b)
		values := 0
		for d := json.NewDecoder(bytes.NewReader(b)); ; values++ {
			var v json.RawMessage
			if d.Decode(&v) != nil {
				break
			}
		}
		if len(all) > values || err == nil && len(all) != values {
			t.Errorf("%d results of %d values, %v", len(all), values, err)
		}
	})
}
