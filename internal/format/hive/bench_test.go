package hive

import (
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"ipcguard/internal/peer"
)

// The keys that an audit reads, and one below each service.
var auditKeys = []string{
	`Control\Lsa`, `Control\Lsa\MSV1_0`, `Control\ProductOptions`, `Services\LanmanServer\Parameters`,
	`Services\LanmanServer\DefaultSecurity`, `Services\LanmanServer\Shares`, `Services\LanmanWorkstation\Parameters`,
	`Services\mrxsmb10`, `Services\srv`, `Services\Netlogon\Parameters`, `Services\Spooler`,
	`Control\SecurePipeServers\winreg`,
}

func audit(b *testing.B, path string) {
	h, err := OpenFile(path)
	if err != nil {
		b.Fatal(err)
	}
	defer h.Close()
	n := 0
	for _, key := range auditKeys {
		k, err := h.Key(`CurrentControlSet\` + key)
		if err != nil {
			continue
		}
		vs, err := k.Values()
		if err != nil {
			b.Fatal(err)
		}
		n += len(vs)
	}
	services, err := h.Key(`CurrentControlSet\Services`)
	if err != nil {
		b.Fatal(err)
	}
	all, err := services.Subkeys()
	if err != nil {
		b.Fatal(err)
	}
	for _, s := range all {
		_, _ = s.Value("Start")
	}
	if n < 20 || len(all) < 200 {
		b.Fatalf("%d values, %d services", n, len(all))
	}
}

// BenchmarkAudit reads what an audit reads from a hive of 12 MiB and compares the time with hivexml and reglookup on
// the same file in the same run: the goal is below 0.33.
func BenchmarkAudit(b *testing.B) {
	for _, name := range []string{"SYSTEM", "SYSTEM_B"} {
		b.Run(name, func(b *testing.B) {
			h, err := OpenFile(filepath.Join(peer.Shared(b, "hives"), name+".xz"))
			if err != nil {
				b.Fatal(err)
			}
			path := unpackTo(b, h)
			h.Close()
			b.ReportAllocs()
			for b.Loop() {
				audit(b, path)
			}
			own := b.Elapsed() / time.Duration(b.N)
			for _, cmd := range []string{"hivexml", "reglookup"} {
				peer.Need(b, cmd)
				best := time.Hour
				for range 3 {
					start := time.Now()
					if err := exec.Command(cmd, path).Run(); err != nil {
						b.Fatal(err)
					}
					best = min(best, time.Since(start))
				}
				b.ReportMetric(float64(own)/float64(best), "of-"+cmd)
			}
		})
	}
}
