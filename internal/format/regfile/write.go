package regfile

import (
	"fmt"
	"strings"

	"ipcguard/internal/format/registry"
)

// Text returns the file in canonical form: version 5, long root names, one blank line before each key, CRLF, and no
// line longer than 80 characters in hexadecimal data, as regedit writes it.
func (f *File) Text() string {
	var b strings.Builder
	b.WriteString("Windows Registry Editor Version 5.00\r\n")
	key := ""
	for _, op := range f.Ops {
		long, _ := registry.LongRoot(op.Value.Key)
		if op.Kind == DeleteKey {
			fmt.Fprintf(&b, "\r\n[-%s]\r\n", long)
			key = ""
			continue
		}
		if key != op.Value.Key || op.Kind == AddKey {
			fmt.Fprintf(&b, "\r\n[%s]\r\n", long)
			key = op.Value.Key
		}
		if op.Kind == AddKey {
			continue
		}
		name := "@"
		if op.Value.Name != "" {
			name = quote(op.Value.Name)
		}
		b.WriteString(name + "=")
		if op.Kind == DeleteValue {
			b.WriteString("-\r\n")
			continue
		}
		writeData(&b, len(name)+1, op.Value)
	}
	b.WriteString("\r\n")
	return b.String()
}

// Bytes returns Text in UTF-16 with a byte order mark, the only form that old and new regedit both read whatever the
// names.
func (f *File) Bytes() []byte {
	return append([]byte{0xff, 0xfe}, registry.EncodeUTF16(f.Text())...)
}

func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

func writeData(b *strings.Builder, col int, v registry.Value) {
	if n, err := v.DWord(); err == nil {
		fmt.Fprintf(b, "dword:%08x\r\n", n)
		return
	}
	// Write a value as a string only if it reads back as the same bytes.
	if s, err := v.Text(); err == nil && v.Type == registry.SZ && v.Oddities(registry.SZ) == nil &&
		!strings.ContainsFunc(s, unsafe) {
		b.WriteString(quote(s) + "\r\n")
		return
	}
	head := "hex:"
	if v.Type != registry.Binary {
		head = fmt.Sprintf("hex(%x):", uint32(v.Type))
	}
	b.WriteString(head)
	col += len(head)
	for i, c := range v.Data {
		if i > 0 {
			b.WriteByte(',')
			col++
		}
		if col > 76 {
			b.WriteString("\\\r\n  ")
			col = 2
		}
		fmt.Fprintf(b, "%02x", c)
		col += 2
	}
	b.WriteString("\r\n")
}

// unsafe reports characters that readers treat differently inside quotes, or that result from broken UTF-16.
func unsafe(r rune) bool { return r < 0x20 || r == 0x7f || r == 0xfffd }
