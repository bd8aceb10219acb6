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
	own, _, err := processTimes(pid)
	if err != nil {
		t.Skip("no /proc here: ", err)
	}
	return own
}

// PostgresCPU returns the processor time so far of the server that [Postgres] starts, with all its processes, also
// those that have ended. It skips the test if there is no /proc.
func PostgresCPU(t testing.TB) time.Duration {
	t.Helper()
	needPostgres(t)
	s, err := sharedPostgres()
	if err != nil {
		t.Fatalf("peer: starting PostgreSQL: %v", err)
	}
	var used time.Duration
	found := false
	for _, pid := range s.processes() {
		own, ended, err := processTimes(pid)
		if err != nil {
			continue // it has just ended, and counts as the server's
		}
		found = true
		used += own + ended
	}
	if !found {
		t.Skip("no /proc here")
	}
	return used
}

// processTimes returns the processor times of a process and of its children that have ended: utime and stime, cutime
// and cstime of proc_pid_stat(5), in 1/100 s wherever Go runs.
func processTimes(pid int) (own, ended time.Duration, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0, err
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 15 {
		return 0, 0, fmt.Errorf("%d fields in a process's stat", len(fields))
	}
	var times [4]time.Duration
	for i := range times {
		n, err := strconv.ParseInt(fields[11+i], 10, 64)
		if err != nil {
			return 0, 0, err
		}
		times[i] = time.Duration(n) * 10 * time.Millisecond
	}
	return times[0] + times[1], times[2] + times[3], nil
}
