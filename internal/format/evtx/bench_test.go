package evtx

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// bigLog is the largest real log with its chunks repeated n times: a log of the size that servers keep.
func bigLog(tb testing.TB, n int) (log []byte, records int) {
	tb.Helper()
	data, ok := sharedLogs(tb)["security.evtx.xz"]
	if !ok {
		tb.Skip("security.evtx.xz is not there")
	}
	rd := NewReader(bytes.NewReader(data))
	for {
		if _, err := rd.Next(); err != nil {
			break
		}
	}
	chunks := rd.Stats().Chunks
	log = append(log, data[:4096]...)
	for range n {
		log = append(log, data[4096:4096+chunks*chunkSize]...)
	}
	binary.LittleEndian.PutUint16(log[42:], uint16(n*chunks))
	binary.LittleEndian.PutUint64(log[16:], uint64(n*chunks-1))
	binary.LittleEndian.PutUint32(log[124:], crc32.ChecksumIEEE(log[:120]))
	return log, n * rd.Stats().Records
}

func benchmarkReader(b *testing.B, each func(*Event)) {
	log, records := bigLog(b, 10)
	b.SetBytes(int64(len(log)))
	b.ReportAllocs()
	for b.Loop() {
		rd := NewReader(bytes.NewReader(log))
		n := 0
		for {
			e, err := rd.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				b.Fatal(err)
			}
			each(e)
			n++
		}
		if n != records {
			b.Fatalf("%d records of %d", n, records)
		}
	}
	b.ReportMetric(float64(records)*float64(b.N)/b.Elapsed().Seconds(), "records/s")
}

// BenchmarkFields reads every field's text, without XML.
func BenchmarkFields(b *testing.B) {
	var buf []byte
	benchmarkReader(b, func(e *Event) {
		for _, f := range e.Fields() {
			buf = f.Value.AppendText(buf[:0])
		}
	})
}

// BenchmarkFilter reads only each event's number, as observe does with most events.
func BenchmarkFilter(b *testing.B) {
	benchmarkReader(b, func(e *Event) { _ = e.ID() })
}

// BenchmarkXML writes every event as XML, like the two other tools below.
func BenchmarkXML(b *testing.B) {
	var buf []byte
	benchmarkReader(b, func(e *Event) {
		var err error
		if buf, err = e.AppendXML(buf[:0]); err != nil {
			b.Fatal(err)
		}
	})
}

// benchmarkTool runs another reader on the same log, and subtracts its start-up time, measured on the smallest log.
func benchmarkTool(b *testing.B, copies int, name string, args ...string) {
	if _, err := exec.LookPath(name); err != nil {
		b.Skip(err)
	}
	big, records := bigLog(b, copies)
	dir := b.TempDir()
	file, empty := filepath.Join(dir, "big.evtx"), filepath.Join(dir, "small.evtx")
	small := sharedLogs(b)["LM_add_new_namedpipe_tp_nullsession_registry_turla_like_ttp.evtx"]
	if err := errors.Join(os.WriteFile(file, big, 0o600), os.WriteFile(empty, small, 0o600)); err != nil {
		b.Fatal(err)
	}
	run := func(file string) {
		cmd := exec.Command(name, append(args, file)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Skipf("%s: %v: %.200s", name, err, out)
		}
	}
	for b.Loop() {
		run(file)
	}
	per := b.Elapsed().Seconds() / float64(b.N)
	const starts = 5
	begin := time.Now()
	for range starts {
		run(empty)
	}
	per -= time.Since(begin).Seconds() / starts
	b.ReportMetric(float64(records)/per, "records/s")
}

func BenchmarkEvtxexport(b *testing.B) { benchmarkTool(b, 10, "evtxexport", "-f", "xml") }

// BenchmarkPythonEvtx is python-evtx's own way to XML, without printing it.
func BenchmarkPythonEvtx(b *testing.B) {
	benchmarkTool(b, 1, "/usr/bin/python3", "-c", `
import sys, Evtx.Evtx as evtx
with evtx.Evtx(sys.argv[1]) as log:
    for record in log.records():
        record.xml()
`)
}
