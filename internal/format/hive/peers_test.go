package hive

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"ipcguard/internal/format/registry"
	"ipcguard/internal/peer"
)

// isKey marks the entry of a key itself; no value can have this name.
const isKey = "\x00key"

var realHives = []string{"SYSTEM", "SYSTEM_B", "SYSTEM_WIN_10_1709"}

// unpackTo writes a hive's bytes to a file, with logs applied and the base block updated.
func unpackTo(t testing.TB, h *Hive) string {
	t.Helper()
	b := make([]byte, h.src.size)
	if err := h.src.read(b, 0); err != nil {
		t.Fatal(err)
	}
	binary.LittleEndian.PutUint32(b[4:], h.info.Primary)
	binary.LittleEndian.PutUint32(b[8:], h.info.Secondary)
	binary.LittleEndian.PutUint32(b[40:], h.size)
	binary.LittleEndian.PutUint32(b[508:], checksum(b))
	p := filepath.Join(t.TempDir(), "hive")
	if err := os.WriteFile(p, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

// walk calls visit for every key of a hive. Key itself bounds the depth.
func walk(k *Key, visit func(*Key) error) error {
	if err := visit(k); err != nil {
		return err
	}
	kids, err := k.Subkeys()
	if err != nil {
		return err
	}
	for _, kid := range kids {
		if err := walk(kid, visit); err != nil {
			return err
		}
	}
	return nil
}

// text formats a value as hivexml does: its type's word and its data.
func text(v registry.Value) string {
	words := map[registry.Type]string{
		registry.None: "none", registry.SZ: "string", registry.ExpandSZ: "expand", registry.Binary: "binary",
		registry.DWord: "int32", registry.DWordBigEndian: "int32", registry.Link: "link",
		registry.MultiSZ:      "string-list",
		registry.ResourceList: "resource-list", registry.FullResourceDescriptor: "full-resource-descriptor",
		registry.ResourceRequirementsList: "resource-requirements", registry.QWord: "int64",
	}
	w, ok := words[v.Type]
	if !ok {
		w = "unknown"
	}
	switch v.Type {
	case registry.SZ, registry.ExpandSZ:
		s, err := v.Text()
		if err == nil {
			return w + ":" + s
		}
	case registry.MultiSZ:
		l, err := v.Strings()
		if err == nil {
			return w + ":" + strings.Join(l, "\x00")
		}
	case registry.DWord:
		if n, err := v.DWord(); err == nil {
			return fmt.Sprintf("%s:%d", w, int32(n))
		}
	case registry.QWord:
		if n, err := v.QWord(); err == nil {
			return fmt.Sprintf("%s:%d", w, int64(n))
		}
	}
	return w + ":" + base64.StdEncoding.EncodeToString(v.Data)
}

// hivexmlValues parses hivexml's output: path and name to type and data.
func hivexmlValues(t *testing.T, file string) map[string]string {
	t.Helper()
	peer.Need(t, "hivexml")
	out, err := exec.Command("hivexml", file).Output()
	if err != nil {
		t.Fatalf("hivexml: %v", err)
	}
	got := map[string]string{}
	var path []string
	var key, kind string
	var list []string
	var cur *strings.Builder
	var data string
	attr := func(e xml.StartElement, name string) string {
		for _, a := range e.Attr {
			if a.Name.Local == name {
				return a.Value
			}
		}
		return ""
	}
	d := xml.NewDecoder(bytes.NewReader(out))
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			return got
		}
		if err != nil {
			t.Fatal(err)
		}
		switch e := tok.(type) {
		case xml.StartElement:
			switch e.Name.Local {
			case "node":
				path = append(path, attr(e, "name"))
				got[strings.Join(path[1:], `\`)+isKey] = "key"
			case "value":
				key, kind, data, list = attr(e, "key"), attr(e, "type"), attr(e, "value"), nil
				if attr(e, "encoding") == "base64" {
					data = strings.Map(func(r rune) rune {
						if r == '\n' || r == ' ' {
							return -1
						}
						return r
					}, data)
				}
			case "string":
				cur = &strings.Builder{}
			}
		case xml.CharData:
			if cur != nil {
				cur.Write(e)
			}
		case xml.EndElement:
			switch e.Name.Local {
			case "node":
				path = path[:len(path)-1]
			case "string":
				list = append(list, cur.String())
				cur = nil
			case "value":
				if kind == "string-list" {
					for i, s := range list {
						if s == "" {
							list = list[:i]
							break
						}
					}
					data = strings.Join(list, "\x00")
				}
				got[strings.Join(path[1:], `\`)+`\`+key] = kind + ":" + data
			}
		}
	}
}

func TestValuesEqualHivexml(t *testing.T) {
	dir := peer.Shared(t, "hives")
	for _, name := range realHives {
		t.Run(name, func(t *testing.T) {
			h, err := OpenFile(filepath.Join(dir, name+".xz"))
			if err != nil {
				t.Fatal(err)
			}
			defer h.Close()
			want := hivexmlValues(t, unpackTo(t, h))
			root, err := h.Root()
			if err != nil {
				t.Fatal(err)
			}
			seen, wrong := 0, 0
			check := func(k, got string) {
				seen++
				if strings.ContainsFunc(got, func(r rune) bool { return r != 0 && (r < 0x20 || r > 0x7e) }) {
					return // XML cannot contain control characters, and hivexml converts broken UTF-16 in its own way
				}
				if want[k] != got {
					if wrong++; wrong < 10 {
						t.Errorf("%q: %.200q, hivexml says %.200q", k, got, want[k])
					}
				}
			}
			err = walk(root, func(k *Key) error {
				check(k.Path()+isKey, "key")
				vs, err := k.Values()
				for _, v := range vs {
					check(k.Path()+`\`+v.Name, text(v))
				}
				return err
			})
			if err != nil {
				t.Error(err)
			}
			if seen < len(want) || seen < 10_000 {
				t.Errorf("%d keys and values, hivexml lists %d", seen, len(want))
			}
			t.Logf("%d keys and values compared", seen)
		})
	}
}

func TestValuesEqualReglookup(t *testing.T) {
	dir := peer.Shared(t, "hives")
	for _, name := range realHives {
		t.Run(name, func(t *testing.T) {
			h, err := OpenFile(filepath.Join(dir, name+".xz"))
			if err != nil {
				t.Fatal(err)
			}
			defer h.Close()
			file := unpackTo(t, h)
			set, err := h.ControlSet()
			if err != nil {
				t.Fatal(err)
			}
			n := 0
			for _, key := range []string{
				`Control\Lsa`, `Services\LanmanServer\Parameters`,
				`Services\LanmanServer\DefaultSecurity`,
			} {
				path := "/" + set + "/" + strings.ReplaceAll(key, `\`, "/")
				peer.Need(t, "reglookup")
				out, err := exec.Command("reglookup", "-p", path, file).Output()
				if err != nil {
					t.Fatal(err)
				}
				for _, line := range strings.Split(string(out), "\n") {
					f := strings.Split(line, ",")
					if len(f) < 3 || f[1] == "KEY" || !strings.HasPrefix(f[0], path+"/") ||
						strings.Count(f[0], "/") != strings.Count(path, "/")+1 {
						continue
					}
					v, err := h.Mount(`HKLM\SYSTEM`).Value(`HKLM\SYSTEM\CurrentControlSet\`+key,
						unquote(t, f[0][len(path)+1:]))
					if err != nil {
						t.Error(err)
						continue
					}
					if v.Type.String() != "REG_"+f[1] {
						t.Errorf("%s: %s, reglookup says %s", f[0], v.Type, f[1])
					}
					switch v.Type {
					case registry.DWord:
						if d, _ := v.DWord(); fmt.Sprintf("0x%08X", d) != f[2] {
							t.Errorf("%s: %#x, reglookup says %s", f[0], d, f[2])
						}
					case registry.Binary:
						if unquote(t, f[2]) != string(v.Data) {
							t.Errorf("%s: %x, reglookup says %s", f[0], v.Data, f[2])
						}
					}
					n++
				}
			}
			if n < 15 {
				t.Errorf("only %d values compared", n)
			}
		})
	}
}

// unquote undoes reglookup's %XX.
func unquote(t *testing.T, s string) string {
	t.Helper()
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b.WriteByte(s[i])
			continue
		}
		n, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
		if err != nil {
			t.Fatal(err)
		}
		b.WriteByte(byte(n))
		i += 2
	}
	return b.String()
}

func TestLogsAreReplayed(t *testing.T) {
	dir := peer.Shared(t, "hives")
	h, err := OpenFile(filepath.Join(dir, "SYSTEM_B.xz"))
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	info := h.Info()
	// LOG1 holds the entries 0x83b to 0x83e and LOG2 goes on to 0x852; every hash was checked on the way, and the
	// last ones grow the hive from 0xbd3000 to 0xc02000 bytes.
	if !info.Dirty || info.Replayed != 24 || info.Primary != 0x852 || info.Secondary != 0x852 ||
		len(info.Problems) != 0 {
		t.Errorf("info %+v", info)
	}
	if h.size != 0xc02000 {
		t.Errorf("size %#x", h.size)
	}
	// Every bin must start where the previous one ends, which holds only if all pages were placed correctly.
	for off := int64(0); off < int64(h.size); {
		var head [32]byte
		if err := h.src.read(head[:], baseSize+off); err != nil {
			t.Fatal(err)
		}
		if string(head[:4]) != "hbin" || int64(binary.LittleEndian.Uint32(head[4:])) != off {
			t.Fatalf("no bin at %#x: %x", off, head[:12])
		}
		off += int64(binary.LittleEndian.Uint32(head[8:]))
	}
	// Without the logs the hive is read as it is, and reported as dirty.
	raw, err := Open(h.src.r, h.src.file)
	if err != nil {
		t.Fatal(err)
	}
	if i := raw.Info(); i.Replayed != 0 || len(i.Problems) != 1 {
		t.Errorf("without logs: %+v", i)
	}
}
