package peer

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Load is the resource use of a machine's processes.
type Load struct {
	Processes int
	Memory    int64         // bytes; shared memory is divided among its users (PSS)
	CPU       time.Duration // of the running processes, with their ended children
}

// Load adds up the machine's processes. It ignores a process that ends meanwhile.
func (m *Machine) Load() (Load, error) {
	pids, err := m.processes()
	if err != nil {
		return Load{}, err
	}
	var sum Load
	for _, pid := range pids {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			continue
		}
		sum.Processes++
		sum.CPU += cpuOf(stat)
		rollup, _ := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
		for line := range strings.Lines(string(rollup)) {
			if f := strings.Fields(line); len(f) > 1 && f[0] == "Pss:" {
				kib, _ := strconv.ParseInt(f[1], 10, 64)
				sum.Memory += kib << 10
			}
		}
	}
	return sum, nil
}

// tick is the unit of times in proc_pid_stat(5): 1/100 s on every architecture that Go supports.
const tick = 10 * time.Millisecond

// cpuOf adds fields 14 to 17 of proc_pid_stat(5): utime, stime, and those of children.
func cpuOf(stat []byte) time.Duration {
	_, rest, _ := bytes.Cut(stat, []byte(") "))
	var sum time.Duration
	for i, f := range strings.Fields(string(rest)) {
		if i >= 11 && i <= 14 {
			n, _ := strconv.ParseInt(f, 10, 64)
			sum += time.Duration(n) * tick
		}
	}
	return sum
}

// Costs runs f and returns its cost on the machine: the maximum number of additional processes and additional memory,
// and the processor time.
func (m *Machine) Costs(t testing.TB, f func()) Load {
	t.Helper()
	before, err := m.Load()
	if err != nil {
		t.Fatal(err)
	}
	most := before
	ctx, stop := context.WithCancel(t.Context())
	var watch sync.WaitGroup
	watch.Go(func() {
		for ctx.Err() == nil {
			if now, err := m.Load(); err == nil {
				most.Processes, most.Memory = max(most.Processes, now.Processes), max(most.Memory, now.Memory)
			}
			time.Sleep(20 * time.Millisecond)
		}
	})
	f()
	stop()
	watch.Wait()
	after, err := m.Load()
	if err != nil {
		t.Fatal(err)
	}
	return Load{
		Processes: max(most.Processes, after.Processes) - before.Processes,
		Memory:    max(most.Memory, after.Memory) - before.Memory, CPU: after.CPU - before.CPU,
	}
}
