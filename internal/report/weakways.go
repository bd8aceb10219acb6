package report

import (
	"cmp"

	"ipcguard/internal/model"
)

// wayNames are the weak ways in, in words.
var wayNames = map[string]string{
	model.WaySMB1:     "SMB1 alone",
	model.WayUnsigned: "an unsigned request of a user",
	model.WayClear:    "a user's request in clear text",
	model.WayNTLMv1:   "an NTLMv1 logon",
}

// wayLines says for each weak way in that was requested whether the server accepts it.
func wayLines(s *model.Scan) []string {
	out := make([]string, 0, len(s.WeakWays))
	for _, w := range s.WeakWays {
		line := cmp.Or(wayNames[w.Way], Clean(w.Way)) + ": "
		switch w.Outcome {
		case model.Allowed:
			line += "accepted"
		case model.Denied:
			line += "refused"
		default:
			line += Clean(string(w.Outcome))
		}
		if w.Status != "" && w.Outcome != model.Allowed {
			line += " " + Clean(w.Status)
		}
		if w.Detail != "" {
			line += " (" + Clean(w.Detail) + ")"
		}
		out = append(out, line)
	}
	return out
}
