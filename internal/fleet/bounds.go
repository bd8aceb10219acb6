package fleet

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"ipcguard/internal/model"
)

// Bounds of the lists in a result from elsewhere. Before it is decoded, model.CheckDocument has bounded how many values
// it has in all. Each list also has a bound of its own, far above what this program writes and small enough for the
// database: a list that is stored row by row, such as the settings of a finding, costs a thousand times its bytes.
const (
	// Lists that the catalog decides: identities, dialects, controls, sources. The longest has 17.
	few = 256
	// Pipes, calls, looks, settings, reasons: a scan opens 1,024 pipes that it is told of, and an audit of a running
	// Windows lists 4,096. The catalog has 157 settings.
	many = 8192
	// Shares, users, files, lines: an audit stops at 20,000 sections of smb.conf and 20,000 usershares.
	most = 1 << 16
	// Findings: the most that any known result has are 26. Each name in NullSessionPipes adds one.
	mostFindings = 1024
	// Settings of a finding: the catalog's longest list has fourteen.
	mostSettings = 32
	// The settings of a finding as JSON, in bytes: PostgreSQL has no index row of more than 2,704. The longest has 340.
	longestSettings = 2000
)

// Bounds of texts that lists and pages of the whole fleet contain, in bytes: longer than the longest name of a finding,
// a setting or a share's setting in a catalog, and than a reason that a person reads.
const (
	longestName   = 256
	longestReason = 4096
)

// longestKey bounds the key of a map or the name of a pipe or call, which become keys of a snapshot, in bytes: a pipe's
// name has 256 characters of three bytes at most.
const longestKey = 1024

// odd reports whether a text is no name that the program gives.
func odd(name string) bool {
	return len(name) > longestName || !utf8.ValidString(name) || strings.ContainsFunc(name, model.Hidden)
}

// bounds collects the first bound that a result exceeds.
type bounds struct{ why string }

// list checks the length of a list.
func (b *bounds) list(n, at int, what string) {
	if n > at && b.why == "" {
		b.why = fmt.Sprintf("%d %s, and at most %d are taken", n, what, at)
	}
}

// key checks a text by which something is stored.
func (b *bounds) key(text, what string) {
	if len(text) > longestKey && b.why == "" {
		b.why = fmt.Sprintf("a %s of %d bytes, and at most %d are taken", what, len(text), longestKey)
	}
}

// name checks a name that the catalog gives.
func (b *bounds) name(text, what string) {
	if odd(text) && b.why == "" {
		b.why = "a " + what + " with a name that none has"
	}
}

// unfit returns why a scan from elsewhere cannot be stored, or an empty string: it has words, numbers or lists that no
// scan of this program has.
func unfit(s *model.Scan) string {
	// The number of days, and more requests than pipes times identities: the bound of the store's columns.
	const most = math.MaxInt32
	switch s.Verdict {
	case model.Exposed, model.Limited, model.Closed, model.VerdictInconclusive, model.Unreachable:
	default:
		return fmt.Sprintf("%.40q is no verdict of a scan", s.Verdict)
	}
	if s.DurationMS < 0 || s.DurationMS > most || s.Stats.Requests < 0 || s.Stats.Requests > most {
		return fmt.Sprintf("no scan takes %d ms and %d requests", s.DurationMS, s.Stats.Requests)
	}
	if odd(s.Server.System) || odd(s.Server.Signing) || len(s.Reason) > longestReason {
		return "no scan has such a system, signing mode or reason"
	}
	var b bounds
	b.scan(s)
	b.findings(s.Findings)
	return b.why
}

// unfitAudit returns why an audit from elsewhere cannot be stored, or an empty string.
func unfitAudit(a *model.Audit) string {
	if odd(a.Platform.System) {
		return "no audit has such a system"
	}
	var b bounds
	b.audit(a)
	b.findings(a.Findings)
	return b.why
}

func (b *bounds) scan(s *model.Scan) {
	b.list(len(s.Contradictions), few, "contradictions")
	b.list(len(s.Limits), many, "limits")
	b.list(len(s.Aliases), most, "other names") // a hoster's address has tens of thousands
	b.list(len(s.Server.Dialects), few, "dialects")
	b.list(len(s.Server.Undecided), few, "dialects")
	b.list(len(s.Server.Ciphers), few, "ciphers")
	b.list(len(s.Server.Basis), few, "reasons")
	b.list(len(s.WeakWays), few, "weak ways")
	for i := range s.WeakWays {
		b.list(len(s.WeakWays[i].Looks), many, "looks")
	}
	b.list(len(s.Identities), few, "identities")
	for i := range s.Identities {
		x := &s.Identities[i]
		b.name(string(x.Identity), "identity")
		b.list(len(x.Shares), many, "shares") // a scan tries 256
		b.list(len(x.Pipes), many, "pipes")
		for k := range x.Pipes {
			b.pipe(&x.Pipes[k])
		}
	}
}

func (b *bounds) pipe(p *model.PipeResult) {
	b.key(p.Pipe, "pipe")
	b.list(len(p.Interfaces), few, "interfaces of a pipe")
	for i := range p.Interfaces {
		x := &p.Interfaces[i]
		b.list(len(x.Calls), few, "calls of an interface") // the longest has ten
		for k := range x.Calls {
			b.key(x.Calls[k].Call, "call")
			b.list(len(x.Calls[k].Names), most, "names") // sixteen pages of an answer
		}
	}
}

// findings checks what is stored row by row.
func (b *bounds) findings(all []model.Finding) {
	b.list(len(all), mostFindings, "findings")
	if b.why != "" {
		return
	}
	for i := range all {
		x := &all[i]
		switch x.Severity {
		case model.Info, model.Low, model.Medium, model.High, model.Critical:
		default:
			b.why = fmt.Sprintf("%.40q is no severity", x.Severity)
			return
		}
		b.list(len(x.Settings), mostSettings, "settings of a finding")
		b.list(len(x.Controls), few, "controls of a finding")
		b.list(len(x.Sources), few, "sources of a finding")
		b.list(len(x.Looks), many, "looks of a finding")
		if b.why != "" {
			return
		}
		if x.ID == "" || odd(x.ID) || odd(string(x.Identity)) || odd(x.Pipe) || slices.ContainsFunc(x.Settings, odd) {
			b.why = "a finding with a name that none has"
			return
		}
		if text, err := json.Marshal(x.Settings); err != nil || len(text) > longestSettings {
			b.why = fmt.Sprintf("the settings of a finding have %d bytes, and at most %d are taken", len(text),
				longestSettings)
		}
	}
}

func (b *bounds) audit(a *model.Audit) {
	b.list(len(a.Source.Parts), most, "files")
	b.list(len(a.Platform.Why), few, "reasons")
	b.list(len(a.Problems), most, "problems")
	b.list(len(a.Settings), many, "settings")
	for i := range a.Settings {
		b.name(a.Settings[i].ID, "setting")
		b.value(a.Settings[i].Configured)
		b.value(a.Settings[i].Effective)
	}
	b.list(len(a.Access), few, "identities")
	for who, x := range a.Access {
		b.name(string(who), "identity")
		b.access(&x)
	}
	b.list(len(a.Services), most, "services") // an audit stops at 10,000
	for i := range a.Services {
		b.list(len(a.Services[i].Pipes), many, "pipes of a service")
	}
	b.list(len(a.Shares), most, "shares")
	for i := range a.Shares {
		b.share(&a.Shares[i])
	}
	if a.Defaults != nil {
		b.share(a.Defaults)
	}
	b.list(len(a.AccountLines), most, "lines of accounts")
	for i := range a.AccountLines {
		b.value(a.AccountLines[i].Value.Data)
	}
}

func (b *bounds) access(x *model.Access) {
	b.list(len(x.Pipes), many, "pipes")
	for pipe := range x.Pipes {
		b.key(pipe, "pipe")
	}
	b.list(len(x.Discloses), few, "kinds of data")
	for kind := range x.Discloses {
		b.key(string(kind), "kind of data")
	}
	b.list(len(x.Why), many, "reasons")
	for of, why := range x.Why {
		b.key(of, "reason")
		b.list(len(why), few, "reasons for one answer")
	}
}

func (b *bounds) share(s *model.Share) {
	for _, list := range [][]string{s.ValidUsers, s.InvalidUsers, s.HostsAllow, s.HostsDeny} {
		b.list(len(list), most, "users or hosts of a share")
	}
}

// value checks the meaning of a setting, which may be a list: the names of pipes, lines of a policy.
func (b *bounds) value(v any) {
	if list, ok := v.([]string); ok {
		b.list(len(list), most, "texts in a setting")
	}
}
