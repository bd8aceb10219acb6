package observetest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"ipcguard/internal/model"
	"ipcguard/internal/status"
)

// Facts counts what happened in a capture: logons, connects to IPC$, opened pipes, bound interfaces, calls, faults.
type Facts map[string]int64

// FactsOf counts the facts of rows.
func FactsOf(rows []model.Use) Facts {
	f := Facts{}
	for i := range rows {
		u := &rows[i]
		answer := " " + u.Status
		switch u.Layer {
		case model.LayerSession:
			switch {
			case u.Identity == model.Opaque, u.Package != "" && u.Package == model.PackageKerberos,
				strings.Contains(u.Basis, "Kerberos"), strings.Contains(u.Basis, "not seen"):
				// tshark's list is of NTLM
			case u.Identity == model.Anonymous:
				f["session, anonymous"+answer] += u.Count
			default:
				f["session"+answer] += u.Count
			}
		case model.LayerTree:
			f["tree"+answer] += u.Count
		case model.LayerOpen:
			f["open "+u.Pipe+answer] += u.Count
		case model.LayerBind:
			f["bind "+u.UUID] += u.Count
		case model.LayerCall:
			if u.Opnum >= 0 && u.Interface != "rap" {
				f[fmt.Sprintf("call %d", u.Opnum)] += u.Count
			}
			if strings.HasPrefix(u.Status, "nca_") {
				f["fault"] += u.Count
			}
		}
	}
	return f
}

// withoutSMB1 returns rows without what tshark's fields do not show of SMB1: statuses, and who is anonymous.
func withoutSMB1(rows []model.Use) []model.Use {
	out := slices.Clone(rows)
	for i := range out {
		u := &out[i]
		if u.Dialect != "NT LM 0.12" || u.Layer == model.LayerCall {
			continue
		}
		if u.Status = "of SMB1"; u.Identity == model.Anonymous {
			u.Identity = model.User
		}
	}
	return out
}

// Disagree returns the differences between the facts of rows and of tshark, one a line.
func Disagree(rows []model.Use, tshark Shark) (lines []string) {
	told := FactsOf(withoutSMB1(rows))
	for k, n := range told {
		if sure := tshark.Sure[k]; n < sure || n > sure+tshark.Unsure[k] {
			lines = append(lines, fmt.Sprintf("%s: %d, tshark %d", k, n, sure))
		}
	}
	for k, n := range tshark.Sure {
		if _, ok := told[k]; !ok {
			lines = append(lines, fmt.Sprintf("%s: none, tshark %d", k, n))
		}
	}
	slices.Sort(lines)
	return lines
}

// Shark is what tshark finds in a capture. Unsure are opens in trees whose connect was not captured; it does not guess
// whether they are on a disk or IPC$.
type Shark struct{ Sure, Unsure Facts }

// Tshark runs tshark on a capture: it returns, for each frame that a filter accepts, the values of fields, several of
// one field joined with commas, as peer.Fields does.
func Tshark(fields func(filter string, names ...string) [][]string) Shark {
	names := []string{
		"tcp.stream", "tcp.dstport", "smb2.cmd", "smb2.flags.response", "smb2.msg_id", "smb2.nt_status", "smb2.tree",
		"smb2.filename",
		"ntlmssp.messagetype", "ntlmssp.auth.username", "ntlmssp.auth.ntresponse", "dcerpc.pkt_type", "dcerpc.cn_flags",
		"dcerpc.cn_num_ctx_items", "dcerpc.cn_bind_to_uuid", "dcerpc.opnum",
		"smb.cmd", "smb.flags.response", "smb.wct", "smb.path", "smb.file",
	}
	s := sharkReader{Shark{Facts{}, Facts{}}, map[[2]string]question{}, map[[2]string][]string{}}
	for _, row := range fields("smb || smb2", names...) {
		f := frame{}
		for i, values := range row {
			if values != "" {
				f[names[i]] = strings.Split(values, ",")
			}
		}
		carriers := s.smb2(f)
		s.smb1(f)
		s.rpc(f, carriers)
	}
	for _, q := range s.open {
		s.answered(q, "")
	}
	return s.Shark
}

// frame is tshark's fields of one frame.
type frame map[string][]string

// nth returns the value of the ith of n messages; empty if unknown.
func (f frame) nth(name string, i, n int) string {
	if v := f[name]; len(v) == n {
		return v[i]
	}
	return ""
}

func (f frame) up() bool {
	return f.nth("tcp.dstport", 0, 1) == "445" || f.nth("tcp.dstport", 0, 1) == "139"
}

// question is an unanswered request.
type question struct {
	command, what string
	facts         Facts // of the request
}

type sharkReader struct {
	Shark
	open map[[2]string]question // by stream and message
	held map[[2]string][]string // bound after an open in the same compound, which counts if the open succeeds
}

func (s *sharkReader) answered(q question, hex string) {
	name := hex
	if n, err := strconv.ParseUint(strings.TrimPrefix(hex, "0x"), 16, 32); err == nil {
		name = status.NTStatus(n).String()
	}
	q.facts[q.what+" "+name]++
}

// smb2 handles the SMB2 messages of a frame. It returns, for each request that may carry an RPC message, the preceding
// open in the same compound, if any.
func (s *sharkReader) smb2(f frame) (carriers [][2]string) {
	const write, ioctl = "9", "11"
	commands := f["smb2.cmd"]
	all, responses, creates := len(commands), 0, 0
	for i, c := range commands {
		if f.nth("smb2.flags.response", i, all) != "0" {
			responses++
		} else if c == "5" {
			creates++
		}
	}
	response, create := 0, 0
	for i, c := range commands {
		id := [2]string{f.nth("tcp.stream", 0, 1), f.nth("smb2.msg_id", i, all)}
		if f.nth("smb2.flags.response", i, all) != "0" {
			hex := f.nth("smb2.nt_status", response, responses)
			response++
			if q, ok := s.open[id]; ok && q.command == c && hex != "0x00000103" { // STATUS_PENDING: another one follows
				delete(s.open, id)
				s.answered(q, hex)
			}
			if hex != "0x00000103" {
				if hex == "0x00000000" {
					s.bound(s.held[id])
				}
				delete(s.held, id)
			}
			continue
		}
		if c == write || c == ioctl {
			var opens [2]string
			if i > 0 && commands[i-1] == "5" {
				opens = [2]string{id[0], f.nth("smb2.msg_id", i-1, all)}
			}
			carriers = append(carriers, opens)
		}
		tree := f.nth("smb2.tree", i, all)
		if trees := f["smb2.tree"]; all == 1 && len(trees) > 1 { // that of the header as well, if it was known before
			tree = trees[len(trees)-1]
		}
		switch {
		case c == "1" && slices.Contains(f["ntlmssp.messagetype"], "0x00000003"):
			s.open[id] = question{c, "session" + f.who(), s.Sure}
		case c == "3" && isIPC(tree):
			s.open[id] = question{c, "tree", s.Sure}
		case c == "5":
			name := f.nth("smb2.filename", create, creates)
			create++
			if facts := s.of(tree); facts != nil {
				s.open[id] = question{c, "open " + pipe(name), facts}
			}
		}
	}
	return carriers
}

func isIPC(tree string) bool { return strings.HasSuffix(strings.ToUpper(tree), "IPC$") }

func pipe(name string) string { return strings.ToLower(strings.TrimPrefix(name, `\`)) }

// of returns the facts of an open's tree: nil for a disk's.
func (s *sharkReader) of(tree string) Facts {
	switch {
	case tree == "":
		return s.Unsure
	case isIPC(tree):
		return s.Sure
	}
	return nil
}

// who returns empty, or the word for a null session: no name and no response, for which tshark shows its offset.
func (f frame) who() string {
	const smallest = 2 * 24 // digits of an LM response
	if name := f.nth("ntlmssp.auth.username", 0, 1); (name == "" || name == "NULL") && len(f.nth("ntlmssp.auth.ntresponse", 0, 1)) < smallest {
		return ", anonymous"
	}
	return ""
}

// smb1 handles SMB1 requests.
func (s *sharkReader) smb1(f frame) {
	if f.nth("smb.flags.response", 0, 1) != "0" {
		return
	}
	tree := ""
	if paths := f["smb.path"]; len(paths) > 0 {
		tree = paths[len(paths)-1]
	}
	// the end of a chain
	commands := slices.DeleteFunc(slices.Clone(f["smb.cmd"]), func(c string) bool { return c == "0xff" })
	for i, c := range commands {
		switch words := f.nth("smb.wct", i, len(commands)); {
		case c == "0x73" && (words == "13" || slices.Contains(f["ntlmssp.messagetype"], "0x00000003")): // the older form has no NTLMSSP
			s.Sure["session of SMB1"]++
		case c == "0x75" && isIPC(tree):
			s.Sure["tree of SMB1"]++
		case c == "0xa2" || c == "0x2d":
			if facts := s.of(tree); facts != nil {
				facts["open "+pipe(f.nth("smb.file", 0, 1))+" of SMB1"]++
			}
		}
	}
}

// rpc handles what pipes carry. Some servers' answers repeat the request: it counts only in its own direction.
func (s *sharkReader) rpc(f frame, carriers [][2]string) {
	const request, fault, bind, alter = "0", "3", "11", "14"
	kinds, contexts, uuids := f["dcerpc.pkt_type"], f["dcerpc.cn_num_ctx_items"], f["dcerpc.cn_bind_to_uuid"]
	calls := 0
	for i, kind := range kinds {
		flags, _ := strconv.ParseUint(strings.TrimPrefix(f.nth("dcerpc.cn_flags", i, len(kinds)), "0x"), 16, 8)
		first := flags&1 != 0
		switch {
		case kind == request && f.up():
			if opnums := f["dcerpc.opnum"]; first && calls < len(opnums) {
				s.Sure["call "+opnums[calls]]++
			}
			calls++
		case kind == fault && !f.up():
			s.Sure["fault"]++
		case (kind == bind || kind == alter) && f.up():
			var mine []string // a client with several pipes may send the binds of two in one segment
			if len(contexts) > 0 {
				n, _ := strconv.Atoi(contexts[0])
				n = min(n, len(uuids)) // fewer if the capture cut the packet
				mine, uuids, contexts = slices.Clone(uuids[:n]), uuids[n:], contexts[1:]
			}
			slices.Sort(mine)
			mine = slices.Compact(mine)
			if len(carriers) == len(kinds) && carriers[i] != [2]string{} {
				s.held[carriers[i]] = mine
				continue
			}
			s.bound(mine)
		}
	}
}

func (s *sharkReader) bound(uuids []string) {
	for _, u := range uuids {
		s.Sure["bind "+u]++
	}
}
