package peer

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// ProcessCPU returns the processor time, user and system, of another process so far. It skips the test if there is no
// /proc.
func ProcessCPU(t testing.TB, pid int) time.Duration {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Skip("no /proc here: ", err)
	}
	var used time.Duration
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	for _, at := range []int{11, 12} { // utime and stime of proc_pid_stat(5), in 1/100 s wherever Go runs
		n, err := strconv.ParseInt(fields[at], 10, 64)
		if err != nil {
			t.Fatalf("peer: %v", err)
		}
		used += time.Duration(n) * 10 * time.Millisecond
	}
	return used
}
