package plan

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"ipcguard/internal/model"
)

// TestTell: uses that differ in nothing but their caller and their number are one sentence, with their names folded;
// others stay apart.
func TestTell(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
	use := func(client, account string, layer model.Layer, n int64, why string) Replay {
		return Replay{Why: why, Use: model.Use{
			Client: client, Account: account, Identity: model.User, Layer: layer, Count: n, Last: at,
		}}
	}
	many := []Replay{
		use("10.0.0.1", "ann", model.LayerSession, 3, "NTLMv1 ends"), use("10.0.0.1", "ann", model.LayerTree, 1,
			"NTLMv1 ends"),
		use("10.0.0.1", "ann", model.LayerSession, 2, "NTLMv1 ends"),
	}
	for i := range 11 {
		many = append(many, use(fmt.Sprintf("10.0.1.%d", i+1), "", model.LayerTree, 2, "SMB1 ends"))
	}
	if got := Tell([]Replay{use("10.0.0.2", "", model.LayerNegotiate, 1, "SMB1 ends")}, false); !slices.Equal(got,
		[]string{"10.0.0.2 negotiates as user (once, last on 2026-11-02)"}) {
		t.Errorf("%q", got)
	}
	out := use("FS1", "svc", model.LayerSession, 1, "NTLM ends")
	out.Use.Server, out.Use.ToldBy = "nas2", "FS1"
	if got := Tell([]Replay{out}, false); !slices.Equal(got, []string{"FS1 (svc) logs on to nas2 as user (once, last on 2026-11-02)"}) {
		t.Errorf("%q", got)
	}
	all := "10.0.1.1, 10.0.1.2, 10.0.1.3, 10.0.1.4, 10.0.1.5, 10.0.1.6, 10.0.1.7, 10.0.1.8, 10.0.1.9, 10.0.1.10 and " +
		"1 more"
	for why, want := range map[bool][]string{
		true: {
			"10.0.0.1 (ann) logs on as user (5 times, last on 2026-11-02): NTLMv1 ends",
			"10.0.0.1 (ann) connects to IPC$ as user (once, last on 2026-11-02): NTLMv1 ends",
			"each of 11 callers connects to IPC$ as user (22 times, last on 2026-11-02): SMB1 ends; they are " + all,
		},
		false: {
			"10.0.0.1 (ann) logs on as user (5 times, last on 2026-11-02)",
			"each of 12 callers connects to IPC$ as user (23 times, last on 2026-11-02); they are 10.0.0.1 (ann), " +
				"10.0.1.1, 10.0.1.2, 10.0.1.3, 10.0.1.4, 10.0.1.5, 10.0.1.6, 10.0.1.7, 10.0.1.8, 10.0.1.9 and 2 more",
		},
	} {
		if got := Tell(many, why); !slices.Equal(got, want) {
			t.Errorf("%v: %q", why, got)
		}
	}
}
