package audit

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"ipcguard/internal/peer"
)

// BenchmarkHive audits the largest real hive, unpacked; hivexml and reglookup walk the same file for comparison.
func BenchmarkHive(b *testing.B) {
	hive := unpacked(b, filepath.Join(peer.Shared(b, "hives"), "SYSTEM_B.xz"))
	b.Run("audit", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := (Options{Product: "win10-1709"}).Source(b.Context(), hive); err != nil {
				b.Fatal(err)
			}
		}
	})
	for _, name := range []string{"hivexml", "reglookup"} {
		b.Run(name, func(b *testing.B) {
			program := need(b, name)
			for b.Loop() {
				if err := exec.Command(program, hive).Run(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkThousandFiles audits 1,000 smb.conf files in one run.
func BenchmarkThousandFiles(b *testing.B) {
	files := map[string]string{}
	var sources []string
	for i := range 1000 {
		files[fmt.Sprintf("%d.conf",
			i)] = fmt.Sprintf("[global]\nnetbios name = H%d\nrestrict anonymous = %d\n[IPC$]\nhosts deny = "+
			"10.\n[s%d]\npath = /srv\nguest ok = yes\n", i, i%3, i)
	}
	dir := write(b, files)
	for i := range 1000 {
		sources = append(sources, filepath.Join(dir, fmt.Sprintf("%d.conf", i)))
	}
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		err := Options{}.Run(b.Context(), sources, func(r Result) error {
			n += len(r.Audits)
			return r.Err
		})
		if err != nil || n != 1000 {
			b.Fatal(n, err)
		}
	}
}

// BenchmarkShares audits one smb.conf with the maximum number of shares, each with lines of its own.
func BenchmarkShares(b *testing.B) {
	var text strings.Builder
	text.WriteString("[global]\nmap to guest = bad user\nguest ok = yes\n")
	for i := range 20_000 {
		fmt.Fprintf(&text, "[s%d]\npath = /srv/%d\nread only = no\nhosts allow = 10. 127.\ninvalid users = root\n", i,
			i)
	}
	dir := write(b, map[string]string{"smb.conf": text.String()})
	b.ReportAllocs()
	for b.Loop() {
		r, err := Options{}.Source(b.Context(), filepath.Join(dir, "smb.conf"))
		if err != nil || len(r[0].Shares) != 20_001 {
			b.Fatal(err)
		}
	}
}
