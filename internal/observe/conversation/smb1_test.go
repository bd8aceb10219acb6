package conversation

import (
	"testing"
	"time"

	"ipcguard/internal/model"
	"ipcguard/internal/observe/flow"
	"ipcguard/internal/smb/nbss"
	"ipcguard/internal/smb/smb1"
)

// TestInterleavedAnswers answers several requests that are pending with one MID, in another order than asked. Each
// answer counts for the request that it repeats, and one that fits several counts for none.
func TestInterleavedAnswers(t *testing.T) {
	const denied = 0xC0000022
	type answer struct {
		user, tree, high uint16 // as repeated
		status           uint32
	}
	for name, c := range map[string]struct {
		answers []answer
		want    map[uint16]model.Outcome // by user; those not told are without an answer
	}{
		"all repeated": {
			[]answer{{3, 9, 0, denied}, {1, 7, 0, 0}, {2, 8, 0, denied}},
			map[uint16]model.Outcome{1: model.Allowed, 2: model.Denied, 3: model.Denied},
		},
		"without the tree": {
			[]answer{{2, 0, 0, denied}, {3, 0, 0, 0}},
			map[uint16]model.Outcome{2: model.Denied, 3: model.Allowed},
		},
		"without the user":      {[]answer{{0, 9, 0, denied}}, map[uint16]model.Outcome{3: model.Denied}},
		"with neither of three": {[]answer{{0, 0, 0, denied}}, nil},
		"with neither, and one is left": {
			[]answer{{1, 7, 0, 0}, {2, 8, 0, 0}, {0, 0, 0, denied}},
			map[uint16]model.Outcome{1: model.Allowed, 2: model.Allowed, 3: model.Denied},
		},
		"of another process": {[]answer{{0, 0, 5, denied}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got := &rows{map[model.Use]int{}}
			f := NewFollower(got, 1<<20)
			s := f.Open(flow.Conn{}, time.Time{})
			send := func(d flow.Direction, h smb1.Header, body smb1.Body) {
				h.MID, h.PIDLow, h.Flags2 = 64, 100, smb1.Flags2NTStatus|smb1.Flags2Unicode
				b, err := smb1.Append(nil, &h, body)
				if err != nil {
					t.Fatal(err)
				}
				s.Data(d, append(nbss.AppendHeader(nil, nbss.SessionMessage, len(b)), b...), time.Time{})
			}
			for user := uint16(1); user <= 3; user++ {
				send(flow.ToServer, smb1.Header{UID: user, TID: user + 6, Command: smb1.NTCreateAndX},
					&smb1.NTCreateRequest{Name: pipeOf(user)})
			}
			for _, a := range c.answers {
				h := smb1.Header{
					UID: a.user, TID: a.tree, PIDHigh: a.high, Command: smb1.NTCreateAndX, Status: a.status,
					Flags: smb1.FlagsReply,
				}
				send(flow.ToClient, h, &smb1.NTCreateResponse{FID: 7, ResourceType: smb1.ResourceMessagePipe})
			}
			s.Close(time.Time{})
			outcomes := map[string]model.Outcome{}
			for u := range got.all {
				outcomes[u.Pipe] = u.Outcome
			}
			for user := uint16(1); user <= 3; user++ {
				want, ok := c.want[user]
				if !ok {
					want = model.Inconclusive
				}
				if got := outcomes[pipeOf(user)]; got != want {
					t.Errorf("user %d: %s, want %s; all %v", user, got, want, outcomes)
				}
			}
		})
	}
}

func pipeOf(user uint16) string { return []string{"", "samr", "lsarpc", "srvsvc"}[user] }
