package cli

import (
	"os/exec"
	"path/filepath"
	"testing"
)

// BenchmarkExplain is a whole process: how long a person waits for an answer.
func BenchmarkExplain(b *testing.B) {
	program := filepath.Join(b.TempDir(), "ipcguard")
	if out, err := exec.Command("go", "build", "-o", program, "ipcguard/cmd/ipcguard").CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	for b.Loop() {
		if err := exec.Command(program, "explain", "samr").Run(); err != nil {
			b.Fatal(err)
		}
	}
}
