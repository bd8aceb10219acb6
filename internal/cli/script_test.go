package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"ipcguard/internal/smbtest"
)

func TestMain(m *testing.M) {
	testscript.Main(tests{m}, map[string]func(){
		"ipcguard":  func() { os.Exit(Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) },
		"measured":  measured,
		"yardstick": yardstick,
	})
}

// yardstick is a fixed piece of work of the kind that the bombs make: it reads JSON into many small values.
func yardstick() {
	var v any
	if err := json.Unmarshal([]byte("["+strings.Repeat(`{"name":"value","list":[1,2,3]},`, 200_000)+"0]"),
		&v); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(exitFailed)
	}
}

// TestScripts runs testdata/script, one file a feature. Beside testscript's own commands there are
//
//	exits CODE COMMAND…    run, and want this exit code
//	server NAME PROFILE    start a practice server; $NAME is its address
//	listener NAME          open a port that never answers; $NAME is its address
//	waitfor FILE           wait until a file is there and stays as it is
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits": exits, "server": server, "listener": listener, "waitfor": waitFor,
		},
		Setup: func(e *testscript.Env) error {
			e.Setenv("NO_COLOR", "")
			return nil
		},
	})
}

func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// waitFor gives a program that was started in the background time to make a file.
func waitFor(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: waitfor FILE")
	}
	const wait = 2 * time.Minute // a loaded machine
	var last int64 = -1
	for end := time.Now().Add(wait); time.Now().Before(end); time.Sleep(time.Second) {
		info, err := os.Stat(ts.MkAbs(args[0]))
		if err == nil && info.Size() == last {
			return
		}
		if err == nil {
			last = info.Size()
		}
	}
	ts.Fatalf("%s is not there", args[0])
}

func server(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: server NAME PROFILE")
	}
	host, err := smbtest.NewHost(args[1], "PRACTICE1")
	ts.Check(err)
	s, err := smbtest.Start("127.47.3.1:0", host)
	ts.Check(err)
	ts.Defer(func() { s.Close() })
	ts.Setenv(args[0], s.Address())
}

func listener(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: listener NAME")
	}
	l, err := net.Listen("tcp", "127.47.3.2:0")
	ts.Check(err)
	ts.Defer(func() { l.Close() })
	ts.Setenv(args[0], fmt.Sprint(l.Addr()))
}
