package verify

import (
	"testing"
	"time"

	"ipcguard/internal/apply"
	"ipcguard/internal/apply/applytest"
	"ipcguard/internal/apply/engine"
	"ipcguard/internal/smb"
)

// long is no wait that a test means: real servers share their machine with whatever else runs there.
const long = 10 * time.Minute

// unhurried waits long for every answer.
var unhurried = smb.Timeouts{Connect: long, Negotiate: long, Session: long, Tree: long, Open: long, Call: long}

func engineFor(t testing.TB, target apply.Target) *engine.Engine {
	t.Helper()
	return &engine.Engine{
		State: applytest.MemoryDir(t), Who: "tester",
		Open: applytest.Opens(target),
	}
}
