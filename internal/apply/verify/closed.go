package verify

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
	"ipcguard/internal/smb"
)

// doors judges what is to be closed, only from the scans of one run: it sends no requests, so that removing an
// observation from a scan also removes it from the claim.
type doors struct {
	catalog *catalog.Catalog
	scans   []*model.Scan
	opened  opened
	shares  []model.Share // of the plan
	left    int           // further shares that were open, which the plan does not name
}

// verdict is the result of one closed: check.
type verdict struct {
	result Result
	detail string
	looks  []model.Look
}

// worse orders the results that are not a pass: one thing that stays open outweighs many that are closed, and an
// unanswered request outweighs one that was not sent.
func worse(a, b verdict) int { return cmp.Compare(gravity(a.result), gravity(b.result)) }

func gravity(r Result) int {
	return slices.Index([]Result{Failed, Inconclusive, Unchecked, Waiting, Passed}, r)
}

// all returns the worst of several verdicts; without any, nothing was requested.
func all(list []verdict, passed string) verdict {
	if len(list) == 0 {
		return verdict{Unchecked, "no scan could ask it", nil}
	}
	worst := slices.MinFunc(list, worse)
	if worst.result == Passed {
		worst.detail = passed
		worst.looks = nil
		for _, v := range list {
			worst.looks = append(worst.looks, v.looks...)
		}
	}
	return worst
}

// of judges one name of a plan or a finding. A pass over some dialects is not a pass while other dialects were not
// tested.
func (c *doors) of(name string) verdict {
	v := c.overAll(name)
	if gap := c.gap(); v.result == Passed && gap != "" {
		return verdict{Unchecked, gap, v.looks}
	}
	return v
}

// gap says which family of dialects the server speaks, or may speak, and was not tested; it is empty if there is none.
func (c *doors) gap() string {
	if len(c.scans) == 0 {
		return ""
	}
	first := &c.scans[0].Server
	for _, family := range families() {
		may := slices.ContainsFunc(family, func(d smb.Dialect) bool {
			return slices.Contains(first.Dialects, d.String()) || slices.Contains(first.Undecided, d.String())
		})
		asked := slices.ContainsFunc(c.scans, func(s *model.Scan) bool { return askedOver(s, family, s != c.scans[0]) })
		if may && !asked {
			return fmt.Sprintf(
				"the server speaks SMB %s, or whether it does is not known, and nothing was asked over it", family[0])
		}
	}
	return ""
}

// askedOver reports whether a scan tested a family: an identity used it, or the scan offered nothing else.
func askedOver(s *model.Scan, family []smb.Dialect, alone bool) bool {
	within := func(d string) bool {
		return slices.ContainsFunc(family, func(f smb.Dialect) bool { return f.String() == d })
	}
	if slices.ContainsFunc(s.Identities, func(r model.IdentityResult) bool { return within(r.Dialect) }) {
		return true
	}
	return alone && len(s.Server.Dialects) > 0 &&
		!slices.ContainsFunc(s.Server.Dialects, func(d string) bool { return !within(d) })
}

// overAll judges one name over all scans.
func (c *doors) overAll(name string) verdict {
	if pipe, ok := strings.CutPrefix(name, "anonymous-pipe:"); ok {
		return c.pipe(pipe)
	}
	if share, ok := strings.CutPrefix(name, "anonymous-share:"); ok {
		return c.namedShare(model.Anonymous, share)
	}
	switch name {
	case "ipc":
		return c.ipc()
	case "default-shares":
		return c.defaultShares()
	case "smb1-enabled", "signing-not-required":
		return c.posture(name)
	}
	ids, kind := c.door(name)
	if kind == "" {
		return verdict{Unchecked, "this cannot be seen from outside", nil}
	}
	if kind == model.DisclosesFiles {
		return c.files(ids)
	}
	return c.data(ids, kind)
}

// leaves judges one thing that the plan does not close. If the plan says that it stays open, it is reported and does
// not count; if the plan does not know, a refused request settles it.
func (c *doors) leaves(o model.OpenDoor) Check {
	v := c.of(o.What)
	out := Check{Check: "left:" + o.What, Result: v.result, Detail: v.detail, Looks: v.looks}
	more := c.openBeside(o)
	switch {
	case v.result == Passed:
	case more > 0:
		out.Result, out.Detail = Open, fmt.Sprintf("%d disk share(s) open beside those that have to stay (%s)", more,
			strings.Join(o.Shares, ", "))
	case o.Known:
		out.Note, out.Detail = true, "the plan leaves it open: "+o.Why
		if out.Result = Unchecked; v.result == Failed {
			out.Result = Open
		}
	case v.result == Failed && len(o.Shares) == 0:
		out.Result, out.Detail = Open, v.detail+"; the plan does not close it: "+o.Why
	case v.result == Failed:
		out.Result, out.Detail = Unchecked, "what has to stay is open ("+strings.Join(o.Shares, ", ")+
			"); whether more is, is not known "+o.Why
	default:
		out.Result, out.Detail = Unchecked, v.detail+"; not known to the plan either: "+o.Why
	}
	return out
}

// openBeside counts the disk shares that a stranger opened and that do not have to stay open.
func (c *doors) openBeside(o model.OpenDoor) (most int) {
	ids, kind := c.door(o.What)
	if kind != model.DisclosesFiles || len(o.Shares) == 0 {
		return 0
	}
	for _, s := range c.scans {
		for i := range s.Identities {
			r := &s.Identities[i]
			n := 0
			for _, share := range r.Shares {
				if slices.Contains(ids, r.Identity) && share.Open.Outcome == model.Allowed &&
					!contains(o.Shares, share.Name) {
					n++
				}
			}
			most = max(most, n)
		}
	}
	return most
}

// posture judges what a server shows to every client.
func (c *doors) posture(name string) verdict {
	var list []verdict
	for _, s := range c.scans[:min(1, len(c.scans))] { // the other scans speak only one family
		v := &s.Server
		look := []model.Look{{
			Asked: "negotiate", Of: s.Address, Times: 1, First: s.Started, Last: s.Started,
			Answer: strings.Join(v.Dialects, ", ") + "; signing " + v.Signing,
		}}
		old := smb.SMB1.String()
		switch {
		case len(v.Dialects) == 0:
			list = append(list, verdict{Inconclusive, s.Reason, nil})
		case name == "smb1-enabled" && slices.Contains(v.Undecided, old):
			list = append(list, verdict{Inconclusive, "whether the server speaks SMB1 got no answer", look})
		case name != "smb1-enabled" && v.Signing != "required" && s.MayRequireEncryption():
			list = append(list, verdict{Inconclusive, "signing is " + v.Signing + ", and whether the server requires " +
				"encryption instead is not known: a null session is refused so by a gateway, too", look})
		case name == "smb1-enabled" && v.SMB1, name != "smb1-enabled" && v.Signing != "required" &&
			!v.EncryptionRequired:
			list = append(list, verdict{Failed, "the server speaks SMB " + look[0].Answer, look})
		default:
			list = append(list, verdict{Passed, "", look})
		}
	}
	return all(list, "the server no longer offers it to any client")
}

// seeable reports whether a name is visible from outside at all. A weak setting by itself is not.
func (c *doors) seeable(name string) bool {
	f := c.catalog.Finding(name)
	return f == nil || f.Discloses != "" || name == "smb1-enabled" || name == "signing-not-required"
}

// door returns the strangers and the data that a finding is about. A guest's finding is also about the made-up user who
// is let in as guest.
func (c *doors) door(name string) ([]model.Identity, model.Disclosure) {
	f := c.catalog.Finding(name)
	id, kind, reads := strings.Cut(name, "-reads-")
	switch {
	case f != nil && f.Discloses != "" && f.Identity == model.Guest:
		return []model.Identity{model.Guest, model.UnknownUser}, f.Discloses
	case f != nil && f.Discloses != "" && f.Identity != "":
		return []model.Identity{f.Identity}, f.Discloses
	case reads && model.Identity(id).IsStranger() && model.Disclosure(kind).IsExposure():
		return []model.Identity{model.Identity(id)}, model.Disclosure(kind)
	}
	return nil, ""
}

// each judges the results of the given strangers in every scan.
func (c *doors) each(ids []model.Identity, judge func(s *model.Scan, r *model.IdentityResult) verdict) []verdict {
	var out []verdict
	for _, s := range c.scans {
		for _, id := range ids {
			i := slices.IndexFunc(s.Identities, func(r model.IdentityResult) bool { return r.Identity == id })
			switch {
			case i >= 0:
				out = append(out, judge(s, &s.Identities[i]))
			case s.Verdict == model.Unreachable || s.Verdict == model.VerdictInconclusive:
				out = append(out, verdict{Inconclusive, s.Reason, nil})
			default:
				out = append(out, verdict{Unchecked, fmt.Sprintf("%s was not tried", id), nil})
			}
		}
	}
	return out
}

// over names the dialect of an answer.
func over(s *model.Scan, r *model.IdentityResult) string {
	if d := cmp.Or(r.Dialect, strings.TrimPrefix(spoke(s), "SMB ")); d != "" {
		return fmt.Sprintf("over SMB %s %s", d, r.Identity)
	}
	return string(r.Identity)
}

func (c *doors) data(ids []model.Identity, kind model.Disclosure) verdict {
	list := c.each(ids, func(s *model.Scan, r *model.IdentityResult) verdict {
		seen := c.catalog.Seen(s, r, kind)
		who := over(s, r)
		switch {
		case seen.Outcome == model.Allowed:
			return verdict{Failed, fmt.Sprintf("%s is still given it (%s)", who, seen.By), seen.Looks}
		case seen.Outcome == model.Denied, seen.Outcome == model.Absent:
			return verdict{Passed, seen.By, seen.Looks}
		case seen.Outcome == model.Inconclusive:
			return verdict{Inconclusive, fmt.Sprintf("%s: no answer that counts: %s", who, seen.By), seen.Looks}
		case seen.Empty:
			return verdict{Unchecked, fmt.Sprintf("%s was answered with nothing in it, and not refused: %s", who,
				seen.By), seen.Looks}
		}
		return verdict{Unchecked, fmt.Sprintf("%s was not asked: %s", who, seen.By), seen.Looks}
	})
	return all(list, fmt.Sprintf("asked again and refused in %d scans", len(c.scans)))
}

// files judges the disk shares that were open, each requested by name; any other share that opens is a failure too.
func (c *doors) files(ids []model.Identity) verdict {
	list := c.each(ids, func(s *model.Scan, r *model.IdentityResult) verdict {
		seen := c.catalog.Seen(s, r, model.DisclosesFiles)
		switch {
		case seen.Outcome == model.Allowed:
			return verdict{Failed, fmt.Sprintf("%s still opens a disk share", over(s, r)), seen.Looks}
		case r.Session.Outcome == model.Denied || r.ClosedBy != "":
			return verdict{Passed, seen.By, seen.Looks}
		case seen.Outcome == model.Inconclusive:
			return verdict{Inconclusive, fmt.Sprintf("%s: no answer that counts: %s", over(s, r), seen.By), seen.Looks}
		}
		return c.everyShare(s, r, seen)
	})
	passed := "every share that stood open was asked for by name and refused"
	if want, _ := c.wanted(); len(c.word(want)) > 0 {
		passed = "every share that was named was asked for and refused; that no other stood open is the word of who " +
			"named them"
	}
	return all(list, passed)
}

// everyShare compares the shares to be closed with those that were requested.
func (c *doors) everyShare(s *model.Scan, r *model.IdentityResult, seen catalog.Seen) verdict {
	want, enough := c.wanted()
	word := c.word(want)
	if len(want) == 0 {
		return verdict{
			Unchecked,
			"which share stood open is not known by name, so it could not be asked for: --share NAME does", nil,
		}
	}
	for _, name := range want {
		o := answerTo(r, name)
		if o == model.Absent && contains(word, name) {
			return verdict{
				Unchecked,
				fmt.Sprintf("%s was told that there is no share of a name that was given: it may be another that "+
					"stood open", over(s, r)), seen.Looks,
			}
		}
		if o != model.Denied && o != model.Absent {
			return verdict{
				Unchecked,
				fmt.Sprintf("%s did not ask for every share that was to be closed (%d of them are known by name)",
					over(s, r), len(want)), seen.Looks,
			}
		}
	}
	if seen.Outcome == model.NotTested {
		return verdict{
			Unchecked, fmt.Sprintf("%s did not try every share that is there: %s", over(s, r), seen.By),
			seen.Looks,
		}
	}
	if !enough {
		return verdict{
			Unchecked,
			fmt.Sprintf("%d shares stood open before, and %d are known by name: --share NAME names the others",
				max(c.opened.count, len(want)+c.left), len(want)), seen.Looks,
		}
	}
	return verdict{Passed, "", seen.Looks}
}

// wanted returns the names of the shares to be closed, and whether the list is complete.
func (c *doors) wanted() (names []string, enough bool) {
	add := func(n string) {
		if !slices.ContainsFunc(names, func(o string) bool { return strings.EqualFold(o, n) }) {
			names = append(names, n)
		}
	}
	for _, s := range c.shares {
		if s.Guest {
			add(s.Name)
		}
	}
	count := max(c.opened.count, len(names)+c.left)
	for _, n := range c.opened.names {
		add(n)
	}
	if len(names) < count || len(names) == 0 {
		for _, n := range c.opened.given {
			add(n)
		}
	}
	if len(names) == 0 { // the plan knows no share that is open by itself: then all its shares count
		for _, s := range c.shares {
			add(s.Name)
		}
	}
	return names, len(names) >= count
}

// word returns the names that only the user gave: neither the plan nor an earlier scan has them.
func (c *doors) word(names []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(n string) bool {
		return contains(c.opened.names, n) ||
			slices.ContainsFunc(c.shares, func(s model.Share) bool { return strings.EqualFold(s.Name, n) })
	})
}

// answerTo returns the answer to a stranger who requested a share by name.
func answerTo(r *model.IdentityResult, name string) model.Outcome {
	if r.Session.Outcome != model.Allowed {
		return model.NotTested
	}
	for _, s := range r.Shares {
		if !strings.EqualFold(s.Name, name) {
			continue
		}
		if s.Tree.Outcome != model.Allowed {
			return s.Tree.Outcome
		}
		return s.Open.Outcome
	}
	return model.NotTested
}

// namedShare judges one share that one stranger must not open.
func (c *doors) namedShare(id model.Identity, name string) verdict {
	list := c.each([]model.Identity{id}, func(s *model.Scan, r *model.IdentityResult) verdict {
		o := answerTo(r, name)
		look := []model.Look{catalog.LookOf(s, r, "open the share "+name, model.Step{Outcome: o})}
		switch {
		case r.Session.Outcome == model.Denied:
			return verdict{Passed, "refused at logon", []model.Look{catalog.LookOf(s, r, "log on", r.Session)}}
		case r.ClosedBy != "":
			return verdict{Passed, r.ClosedBy, look}
		case o == model.Allowed:
			return verdict{Failed, fmt.Sprintf("%s opens it", over(s, r)), look}
		case o == model.Denied, o == model.Absent:
			return verdict{Passed, "", look}
		case o == model.Inconclusive:
			return verdict{Inconclusive, fmt.Sprintf("%s: no answer that counts", over(s, r)), look}
		}
		return verdict{Unchecked, fmt.Sprintf("%s did not ask for it", over(s, r)), nil}
	})
	return all(list, "asked for by name and refused")
}

// defaultShares passes if the server has no shares of their names.
func (c *doors) defaultShares() verdict {
	list := c.each([]model.Identity{model.Anonymous}, func(s *model.Scan, r *model.IdentityResult) verdict {
		var looks []model.Look
		for _, name := range defaultShares() {
			o := answerTo(r, name)
			look := []model.Look{catalog.LookOf(s, r, "connect to "+name, model.Step{Outcome: o})}
			looks = append(looks, look...)
			switch o {
			case model.Allowed:
				return verdict{Failed, fmt.Sprintf("%s is there", name), look}
			case model.Absent:
			default:
				return verdict{Unchecked, "whether they are there is not told to a stranger", look}
			}
		}
		return verdict{Passed, "", looks}
	})
	return all(list, "the server knows no share of these names")
}

// defaultShares returns the shares that the Server service always creates.
func defaultShares() []string { return []string{"ADMIN$", "C$"} }

// ipc passes if every stranger is refused at logon, at IPC$ or at every pipe.
func (c *doors) ipc() verdict {
	list := c.each(model.Strangers(), func(s *model.Scan, r *model.IdentityResult) verdict {
		who := over(s, r)
		look := func(asked string, step model.Step) []model.Look {
			return []model.Look{catalog.LookOf(s, r, asked, step)}
		}
		switch {
		case r.ClosedBy != "":
			return verdict{Passed, r.ClosedBy, look("connect to IPC$", r.Tree)}
		case r.Session.Outcome != model.Allowed:
			return layer(who, "logon", r.Session, look("log on", r.Session))
		case r.Tree.Outcome != model.Allowed:
			return layer(who, "IPC$", r.Tree, look("connect to IPC$", r.Tree))
		}
		var pipes []verdict
		for i := range c.catalog.Pipes {
			p := &c.catalog.Pipes[i]
			if p.Probe != "never" && p.Probe != "open-only" {
				pipes = append(pipes, c.opens(s, r, p.Name))
			}
		}
		return all(pipes, "")
	})
	return all(list, "strangers are refused at logon, at IPC$ or at every pipe")
}

// layer judges one layer that every request passes through.
func layer(who, what string, s model.Step, looks []model.Look) verdict {
	switch s.Outcome {
	case model.Denied, model.Absent:
		return verdict{Passed, what + " " + s.Status, looks}
	case model.Inconclusive:
		return verdict{Inconclusive, fmt.Sprintf("%s: %s gave no answer that counts: %s", who, what,
			strings.TrimSpace(s.Status+" "+s.Detail)), looks}
	case model.Allowed:
		return verdict{Failed, who + ": " + what + " is allowed", looks}
	}
	return verdict{Unchecked, fmt.Sprintf("%s: %s was not tried", who, what), nil}
}

// pipe judges one pipe that anonymous must not open.
func (c *doors) pipe(name string) verdict {
	list := c.each([]model.Identity{model.Anonymous}, func(s *model.Scan, r *model.IdentityResult) verdict {
		who := over(s, r)
		switch {
		case r.ClosedBy != "":
			return verdict{Passed, r.ClosedBy, []model.Look{catalog.LookOf(s, r, "connect to IPC$", r.Tree)}}
		case r.Session.Outcome != model.Allowed:
			return layer(who, "logon", r.Session, []model.Look{catalog.LookOf(s, r, "log on", r.Session)})
		case r.Tree.Outcome != model.Allowed:
			return layer(who, "IPC$", r.Tree, []model.Look{catalog.LookOf(s, r, "connect to IPC$", r.Tree)})
		}
		return c.opens(s, r, name)
	})
	return all(list, fmt.Sprintf("asked for again and refused in %d scans", len(c.scans)))
}

// opens judges one pipe of one identity. A pipe that this kind of server does not have was not opened, and is absent.
func (c *doors) opens(s *model.Scan, r *model.IdentityResult, name string) verdict {
	for i := range r.Pipes {
		p := &r.Pipes[i]
		if catalog.PipeName(p.Pipe) == catalog.PipeName(name) {
			return layer(over(s, r), p.Pipe, p.Open, []model.Look{catalog.LookOf(s, r, "open "+p.Pipe, p.Open)})
		}
	}
	return verdict{Unchecked, "no probe knows this pipe", nil}
}
