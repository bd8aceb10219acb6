package verify

import (
	"testing"
	"time"

	"ipcguard/internal/apply"
	"ipcguard/internal/apply/applytest"
	"ipcguard/internal/apply/engine"
	"ipcguard/internal/smb"
)

// long is a timeout that no test is meant to reach: real servers share their machine with other work.
const long = 10 * time.Minute

// unhurried has long timeouts.
var unhurried = smb.Timeouts{Connect: long, Negotiate: long, Session: long, Tree: long, Open: long, Call: long}

func engineFor(t testing.TB, target apply.Target) *engine.Engine {
	t.Helper()
	return &engine.Engine{
		State: applytest.MemoryDir(t), Who: "tester",
		Open: applytest.Opens(target),
	}
}
