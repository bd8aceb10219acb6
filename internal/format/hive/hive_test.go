package hive

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ulikunitz/xz"

	"ipcguard/internal/format/registry"
	"ipcguard/internal/peer"
)

func openBytes(b []byte, logs ...Log) (*Hive, error) {
	return Open(bytes.NewReader(b), int64(len(b)), logs...)
}

func readAnonymous(t *testing.T, h *Hive) uint32 {
	t.Helper()
	v, err := h.Mount(`HKLM\SYSTEM`).Value(`HKEY_LOCAL_MACHINE\System\CurrentControlSet\CONTROL\lsa`,
		"restrictanonymous")
	if err != nil {
		t.Fatal(err)
	}
	n, err := v.DWord()
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestSmallHive(t *testing.T) {
	h, err := openBytes(small(1))
	if err != nil {
		t.Fatal(err)
	}
	if i := h.Info(); i.Dirty || len(i.Problems) != 0 || i.Name != "SYSTEM" {
		t.Errorf("info %+v", i)
	}
	if n := readAnonymous(t, h); n != 1 {
		t.Errorf("RestrictAnonymous = %d", n)
	}
	k, err := h.Key(`CurrentControlSet\Control\Lsa`)
	if err != nil {
		t.Fatal(err)
	}
	if v, err := k.Value("Big"); err != nil || !bytes.Equal(v.Data, bytes.Repeat([]byte("0123456789"), 1700)) {
		t.Errorf("big data: %d bytes, %v", len(v.Data), err)
	}
	if v, err := k.Values(); err != nil || len(v) != 3 {
		t.Errorf("values: %v, %v", v, err)
	}
	kids, err := h.Mount(`HKLM\SYSTEM`).Subkeys(`HKLM\SYSTEM`)
	if err != nil || !slices.Equal(kids, []string{"ControlSet002", "Select"}) {
		t.Errorf("subkeys %q, %v", kids, err)
	}
	for _, absent := range []string{
		`HKLM\SYSTEM\Nope`, `HKLM\SOFTWARE`, `HKLM\SYSTEMX\Select`,
		`HKLM\SYSTEM\CurrentControlSet\Control\Lsa\x`,
	} {
		if _, err := h.Mount(`HKLM\SYSTEM`).Values(absent); !errors.Is(err, registry.ErrNotExist) {
			t.Errorf("%s: %v", absent, err)
		}
	}
}

func TestPackedFiles(t *testing.T) {
	plain := small(2)
	var gz, x bytes.Buffer
	w := gzip.NewWriter(&gz)
	w.Write(plain)
	w.Close()
	xw, err := xz.NewWriter(&x)
	if err != nil {
		t.Fatal(err)
	}
	xw.Write(plain)
	xw.Close()
	for name, b := range map[string][]byte{"SYSTEM": plain, "SYSTEM.gz": gz.Bytes(), "SYSTEM.xz": x.Bytes()} {
		p := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(p, b, 0o600); err != nil {
			t.Fatal(err)
		}
		h, err := OpenFile(p)
		if err != nil {
			t.Fatal(err)
		}
		if n := readAnonymous(t, h); n != 2 {
			t.Errorf("%s: %d", name, n)
		}
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestBadFiles: each kind of broken file gives one clear error, or is opened with its problem named.
func TestBadFiles(t *testing.T) {
	good := small(1)
	edit := func(at int, b ...byte) []byte {
		c := bytes.Clone(good)
		copy(c[at:], b)
		return c
	}
	sum := func(b []byte) []byte {
		binary.LittleEndian.PutUint32(b[508:], checksum(b))
		return b
	}
	root := binary.LittleEndian.Uint32(good[36:])
	for _, c := range []struct {
		name, want string
		b          []byte
	}{
		{"empty", "shorter than a base block", nil},
		{"zeros", "no regf signature", make([]byte, 8192)},
		{"a log", "a transaction log", sum(edit(28, 6))},
		{"unknown version", "major version", sum(edit(20, 9))},
		{"cut in the base block", "shorter than a base block", good[:300]},
		{"cut behind the base block", "outside the hive", good[:4096]},
		{"root outside", "outside the hive", sum(edit(36, 0xf8, 0xff, 0xff, 0x7f))},
		{"root not aligned", "outside the hive", sum(edit(36, 33))},
		{"root is no key", "no nk record", sum(edit(36, 32, 0, 0, 0))},
		{"root cell free", "marked free", edit(baseSize+int(root), 0x60, 0, 0, 0)},
		{"root cell huge", "size is wrong", edit(baseSize+int(root), 0, 0, 0, 0x80)},
		{"root name too long", "longer than its cell", edit(baseSize+int(root)+4+72, 0xff, 0xff)},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := openBytes(c.b)
			var fe *FormatError
			if !errors.As(err, &fe) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
	h, err := openBytes(good[:len(good)-8])
	if err != nil || len(h.Info().Problems) != 1 || !strings.Contains(h.Info().Problems[0], "truncated") {
		t.Errorf("truncated: %v, %+v", err, h)
	}
}

// TestCircles: a hive that contains itself is an error or ends, and never hangs: it is the file that makes the library
// exhaust its stack.
func TestCircles(t *testing.T) {
	b := newBuilder()
	at := uint32(len(b.data))
	b.add("ri", uint16(2), at, at)
	h, err := openBytes(b.file(b.key("ROOT", at, 2)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Key("Select"); err == nil || errors.Is(err, registry.ErrNotExist) {
		t.Errorf("an index root in itself: %v", err)
	}

	b = newBuilder()
	name := []string{"ROOT"}
	probe := b.lh(name, []uint32{0})
	self := b.key("ROOT", probe, 1)
	binary.LittleEndian.PutUint32(b.data[probe+8:], self)
	h, err = openBytes(b.file(self))
	if err != nil {
		t.Fatal(err)
	}
	root, err := h.Root()
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	err = walk(root, func(*Key) error { n++; return nil })
	if err == nil || n > maxDepth+1 || !strings.Contains(err.Error(), "circle") {
		t.Errorf("a key in itself: %d visits, %v", n, err)
	}

	b = newBuilder()
	leaf := b.add("li", uint16(100), make([]uint32, 100))
	list := make([]uint32, 1000)
	for i := range list {
		list[i] = leaf
	}
	h, err = openBytes(b.file(b.key("ROOT", b.add("ri", uint16(len(list)), list), 1)))
	if err != nil {
		t.Fatal(err)
	}
	if root, err = h.Root(); err != nil {
		t.Fatal(err)
	}
	if _, err := root.Subkeys(); err == nil {
		t.Error("a list repeated a thousand times is accepted")
	}
}

func TestTwoGigabytesOfZeros(t *testing.T) {
	p := filepath.Join(t.TempDir(), "zeros")
	f, err := os.Create(p)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(2 << 30); err != nil {
		t.Skipf("no sparse files here: %v", err)
	}
	var fe *FormatError
	if _, err := OpenFile(p); !errors.As(err, &fe) {
		t.Errorf("got %v", err)
	}
	// The same with a good base block: the root key is zeros.
	if _, err := f.WriteAt(small(1)[:4096], 0); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenFile(p); !errors.As(err, &fe) {
		t.Errorf("got %v", err)
	}
}

// TestOldLog uses the log that Windows before 8.1 leaves when it stops in the middle of a write.
func TestOldLog(t *testing.T) {
	before, after := small(0), small(1)
	if len(before) != len(after) {
		t.Fatal("the two hives differ in size")
	}
	n := len(after) - baseSize
	log := bytes.Clone(after[:512])
	log[28] = 1
	binary.LittleEndian.PutUint32(log[508:], checksum(log))
	log = append(log, "DIRT"...)
	bitmap := make([]byte, n/512/8)
	var dirty []byte
	for i := range n / 512 {
		was, is := before[baseSize+i*512:][:512], after[baseSize+i*512:][:512]
		if !bytes.Equal(was, is) {
			bitmap[i/8] |= 1 << (i % 8)
			dirty = append(dirty, is...)
		}
	}
	if len(dirty) != 512 {
		t.Fatalf("%d bytes differ", len(dirty))
	}
	log = append(log, bitmap...)
	log = append(log, make([]byte, 1024-len(log))...)
	log = append(log, dirty...)

	binary.LittleEndian.PutUint32(before[4:], 8) // a write has begun
	binary.LittleEndian.PutUint32(before[508:], checksum(before))
	l := Log{"SYSTEM.LOG", bytes.NewReader(log), int64(len(log))}
	h, err := openBytes(before, l)
	if err != nil {
		t.Fatal(err)
	}
	if i := h.Info(); !i.Dirty || i.Replayed != 1 || len(i.Problems) != 0 {
		t.Errorf("info %+v", i)
	}
	if n := readAnonymous(t, h); n != 1 {
		t.Errorf("RestrictAnonymous = %d after the replay", n)
	}
	// The base block destroyed, but for its signature.
	broken := bytes.Clone(before)
	clear(broken[40:100])
	if h, err = openBytes(broken, l); err != nil {
		t.Fatal(err)
	}
	if n := readAnonymous(t, h); n != 1 || h.Info().Replayed != 1 {
		t.Errorf("RestrictAnonymous = %d with a recovered base block", n)
	}
	// A log of another state is refused.
	log[12]++
	binary.LittleEndian.PutUint32(log[508:], checksum(log))
	if h, err = openBytes(before, l); err != nil {
		t.Fatal(err)
	}
	if n := readAnonymous(t, h); n != 0 || h.Info().Replayed != 0 || len(h.Info().Problems) != 2 {
		t.Errorf("a foreign log: %d, %+v", n, h.Info())
	}
}

// newLog returns a log of the new format that turns one hive into another, with an entry for each given sequence
// number.
func newLog(before, after []byte, seqs ...uint32) []byte {
	log := bytes.Clone(before[:512])
	log[28] = 6
	binary.LittleEndian.PutUint32(log[4:], seqs[0])
	binary.LittleEndian.PutUint32(log[8:], seqs[0])
	binary.LittleEndian.PutUint32(log[508:], checksum(log))
	for _, seq := range seqs {
		var refs, pages []byte
		for i := baseSize; i < len(after); i += pageSize {
			if !bytes.Equal(before[i:i+pageSize], after[i:i+pageSize]) {
				refs = binary.LittleEndian.AppendUint32(refs, uint32(i-baseSize))
				refs = binary.LittleEndian.AppendUint32(refs, pageSize)
				pages = append(pages, after[i:i+pageSize]...)
			}
		}
		body := append(bytes.Clone(refs), pages...)
		size := (40 + len(body) + 511) / 512 * 512
		body = append(body, make([]byte, size-40-len(body))...)
		e := append(make([]byte, 0, size), "HvLE"...)
		for _, w := range []uint32{uint32(size), 0, seq, uint32(len(after) - baseSize), uint32(len(refs) / 8)} {
			e = binary.LittleEndian.AppendUint32(e, w)
		}
		e = binary.LittleEndian.AppendUint64(e, marvin(body))
		e = binary.LittleEndian.AppendUint64(e, marvin(e))
		log = append(log, append(e, body...)...)
	}
	return log
}

func TestNewLogs(t *testing.T) {
	zero, one, two := small(0), small(1), small(2)
	binary.LittleEndian.PutUint32(zero[4:], 8)
	binary.LittleEndian.PutUint32(zero[508:], checksum(zero))
	asLog := func(name string, b []byte) Log { return Log{name, bytes.NewReader(b), int64(len(b))} }
	first, second := newLog(zero, one, 7, 8), newLog(zero, two, 9)
	bad := bytes.Clone(first)
	bad[len(bad)-1] ^= 1 // the hash of the second entry no longer matches
	broken := bytes.Clone(zero)
	broken[100] ^= 0xff // the base block's checksum no longer matches
	for _, c := range []struct {
		name     string
		hive     []byte
		logs     []Log
		value    uint32
		replayed int
		problems int
	}{
		{"both", zero, []Log{asLog("LOG1", first), asLog("LOG2", second)}, 2, 3, 0},
		{"LOG2 is the earlier one", zero, []Log{asLog("LOG1", second), asLog("LOG2", first)}, 2, 3, 0},
		{"one", zero, []Log{asLog("LOG1", first)}, 1, 2, 0},
		{"none", zero, nil, 0, 0, 1},
		{"an empty one", zero, []Log{{"LOG1", bytes.NewReader(nil), 0}, asLog("LOG2", first)}, 1, 2, 0},
		{"a bad entry and what follows", zero, []Log{asLog("LOG1", bad), asLog("LOG2", second)}, 1, 1, 1},
		{"older than the hive", zero, []Log{asLog("LOG1", newLog(zero, two, 3, 4))}, 0, 0, 1},
		{
			"broken base block: the latest log alone", broken,
			[]Log{asLog("LOG1", first), asLog("LOG2", second)},
			2, 1,
			2,
		},
		{"not a log", zero, []Log{asLog("LOG1", make([]byte, 4096))}, 0, 0, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, err := openBytes(c.hive, c.logs...)
			if err != nil {
				t.Fatal(err)
			}
			i := h.Info()
			if n := readAnonymous(t, h); n != c.value || i.Replayed != c.replayed || len(i.Problems) != c.problems {
				t.Errorf("RestrictAnonymous = %d, %+v", n, i)
			}
		})
	}
	if h, err := openBytes(one, asLog("LOG1", newLog(one, two, 7))); err != nil || h.Info().Replayed != 0 {
		t.Errorf("a clean hive: %v, its logs were used", err)
	}
}

// TestEditedWithHivexsh lets another program write into one of our hives and reads the result.
func TestEditedWithHivexsh(t *testing.T) {
	peer.Need(t, "hivexsh")
	// hivex needs a security record to copy for new keys.
	b := newBuilder()
	at := uint32(len(b.data))
	b.add("sk", uint16(0), at, at, uint32(1), uint32(20), []byte{1, 0, 0, 0x80}, make([]byte, 16))
	root := b.key("ROOT", noOffset, 0)
	binary.LittleEndian.PutUint32(b.data[root+4+44:], at)
	p := filepath.Join(t.TempDir(), "SYSTEM")
	if err := os.WriteFile(p, b.file(root), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("hivexsh", "-w", p)
	cmd.Stdin = strings.NewReader(strings.Join([]string{
		"add Select", "cd Select", "setval 1", "Current", "dword:1", `cd \`,
		"add ControlSet001", "cd ControlSet001", "add Control", "cd Control", "add Lsa", "cd Lsa",
		"setval 4", "RestrictAnonymous", "dword:2", "@", "string:default", "NullSessionPipes",
		"hex:7:73,00,00,00,00,00",
		"Sddl", "string:O:BAG:BAD:(A;;RC;;;BA)", `cd \`, "commit", "quit", "",
	}, "\n"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("hivexsh: %v\n%s", err, out)
	}
	h, err := OpenFile(p)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	if n := readAnonymous(t, h); n != 2 {
		t.Errorf("RestrictAnonymous = %d", n)
	}
	k, err := h.Key(`CurrentControlSet\Control\Lsa`)
	if err != nil {
		t.Fatal(err)
	}
	if v, err := k.Value("NullSessionPipes"); err != nil || v.Type != registry.MultiSZ ||
		len(v.Oddities(registry.MultiSZ)) != 0 {
		t.Errorf("list %v, %v", v, err)
	}
	for name, want := range map[string]string{"": "default", "Sddl": "O:BAG:BAD:(A;;RC;;;BA)"} {
		v, err := k.Value(name)
		if err != nil {
			t.Error(err)
			continue
		}
		if s, err := v.Text(); s != want || err != nil {
			t.Errorf("%q = %q, %v", name, s, err)
		}
	}
	if sd, err := k.Security(); err != nil || len(sd) != 20 {
		t.Errorf("security %x, %v", sd, err)
	}
}

func FuzzHive(f *testing.F) {
	f.Add(small(1), []byte{})
	zero := small(0)
	binary.LittleEndian.PutUint32(zero[4:], 8)
	binary.LittleEndian.PutUint32(zero[508:], checksum(zero))
	f.Add(zero, newLog(zero, small(1), 7, 8))
	f.Fuzz(func(t *testing.T, b, log []byte) {
		h, err := openBytes(b, Log{"LOG1", bytes.NewReader(log), int64(len(log))})
		if err != nil {
			return
		}
		_, _ = h.ControlSet()
		k, err := h.Key(`CurrentControlSet\Control\Lsa`)
		if err == nil {
			_, _ = k.Values()
			_, _ = k.Security()
		}
		// A hostile tree may be wide and circular at once: the caller bounds what it reads.
		n, stop := 0, errors.New("enough")
		root, err := h.Root()
		if err != nil {
			t.Fatalf("the root was readable when the hive was opened: %v", err)
		}
		_ = walk(root, func(k *Key) error {
			_, _ = k.Values()
			if n++; n > 50 {
				return stop
			}
			return nil
		})
	})
}
