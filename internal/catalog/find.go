package catalog

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"ipcguard/internal/model"
	"ipcguard/internal/status"
)

// asking is one question as a person typed it.
type asking struct {
	c    *Catalog
	all  []entry
	text string   // case folded, without quotes and a question mark
	said []string // its words without small ones
}

// find tries certain matches before likely ones: the name of an entry, a name with a value, a number, a control, a name
// among other words, and finally the entry that matches most of the words.
func (a *asking) find() (Topic, bool) {
	for _, step := range []func() (Topic, bool){
		a.byName, a.byControl, a.byValue, a.byNumber, a.byClaim, a.byPart,
		a.byWords, a.byPattern, a.byIPC,
	} {
		if t, ok := step(); ok {
			return t, true
		}
	}
	return Topic{}, false
}

func (a *asking) byName() (Topic, bool) {
	hits := named(a.all, a.text, fold)
	if len(hits) == 0 {
		hits = named(a.all, bare(a.text), bare)
	}
	if len(hits) == 0 {
		return Topic{}, false
	}
	return a.c.topic(a.all, hits), true
}

// byControl takes an ID with or without the name of its benchmark before it: 2.3.10.7, CIS 2.3.10.7, STIG V-254467.
func (a *asking) byControl() (Topic, bool) {
	id := a.text
	for _, before := range []string{"cis ", "stig ", "disa ", "control ", "rule ", "id "} {
		id = strings.TrimSpace(strings.TrimPrefix(id, before))
	}
	rows := a.c.controlsByID(id)
	if len(rows) == 0 {
		return Topic{}, false
	}
	t := Topic{Name: strings.ToUpper(id), Control: rows}
	for _, r := range rows {
		t.Related = append(t.Related, a.c.ref(r.Setting))
	}
	return t, true
}

// byValue takes NAME = VALUE, NAME VALUE and NAME set to VALUE.
func (a *asking) byValue() (Topic, bool) {
	for _, sign := range []string{":=", "=", " set to ", " is "} {
		name, value, ok := strings.Cut(a.text, sign)
		if !ok {
			continue
		}
		if s := a.setting(name); s != nil {
			return a.valued(s, strings.TrimSpace(value))
		}
	}
	fields := strings.Fields(a.text)
	for n := len(fields) - 1; n > 0; n-- {
		s := a.setting(strings.Join(fields[:n], " "))
		if s == nil {
			continue
		}
		if v := strings.Join(fields[n:], " "); s.meaning(v) != nil {
			return a.valued(s, v)
		}
		return Topic{}, false
	}
	return Topic{}, false
}

// valued returns a setting with a value. Words after a documented value are a further question, which a claim may
// answer.
func (a *asking) valued(s *Setting, value string) (Topic, bool) {
	rest := ""
	if s.meaning(value) == nil {
		fields := strings.Fields(value)
		for n := len(fields) - 1; n > 0; n-- {
			if v := strings.Join(fields[:n], " "); s.meaning(v) != nil {
				value, rest = v, strings.Join(fields[n:], " ")
				break
			}
		}
	}
	if rest != "" {
		if t, ok := a.byWords(); ok && t.Claim != nil {
			return t, true
		}
	}
	t := a.of(s.ID)
	t.Value, t.Focus = value, rest
	return t, true
}

func (a *asking) setting(name string) *Setting {
	name = strings.Trim(strings.TrimSpace(name), `"'`)
	if s := a.c.Setting(name); s != nil {
		return s
	}
	if bare(name) == "" {
		return nil
	}
	for _, h := range named(a.all, bare(name), bare) {
		if h.Kind == "setting" {
			return a.c.setting[h.ID]
		}
	}
	return nil
}

// of returns an entry by its ID.
func (a *asking) of(id string) Topic {
	hits := named(a.all, fold(id), fold)
	if i := slices.IndexFunc(hits, func(e entry) bool { return e.ID == id && e.Kind == "setting" }); i > 0 {
		hits[0], hits[i] = hits[i], hits[0]
	}
	return a.c.topic(a.all, hits)
}

// meaning returns what the catalog says about a value of this setting, or nil.
func (s *Setting) meaning(value string) *Meaning {
	for i := range s.Values {
		if same(s.Values[i].Value, value) {
			return &s.Values[i]
		}
	}
	return nil
}

// meanings returns everything that the catalog says about a value, each with its products.
func (s *Setting) meanings(value string) (out []Meaning) {
	for _, m := range s.Values {
		if same(m.Value, value) {
			out = append(out, m)
		}
	}
	return out
}

func same(value any, typed string) bool {
	if b, ok := value.(bool); ok {
		said, known := map[string]bool{
			"yes": true, "true": true, "1": true, "on": true, "no": false, "false": false,
			"0": false, "off": false,
		}[fold(typed)]
		return known && said == b
	}
	if n, ok := model.Whole(typed); ok {
		if want, isNumber := model.Whole(value); isNumber {
			return n == want
		}
	}
	return squeeze(model.Text(value)) == squeeze(typed)
}

var (
	// prefixed matches a word that says what the number after it is.
	prefixed = regexp.MustCompile(
		`\b(system error|win32|winerror|werr|error|errno|code|event id|eventid|event|id|tcp port|udp port|port|tcp|udp|ntstatus|status|kb)[ :=/#-]*(0x[0-9a-f]+|-?\d+)\b`)
	loneHex   = regexp.MustCompile(`\b0x[0-9a-f]{1,8}\b`)
	loneLong  = regexp.MustCompile(`(^|\s)(-?\d{9,10})\b`)
	statusish = regexp.MustCompile(`\b(?:nt_)?(status_[a-z0-9_]+)\b|\b((?:werr|error|rpc_s|ept_s)_[a-z0-9_]+)\b`)
)

// byNumber finds a status or error by name or number in any notation, an event by its ID, and a port.
func (a *asking) byNumber() (Topic, bool) {
	for _, m := range statusish.FindAllStringSubmatch(a.text, -1) {
		name := strings.ToUpper(m[1] + m[2])
		if t, ok := a.status(name); ok {
			return t, true
		}
		if v, known := status.ParseNTStatus(name); known {
			return plain(v.String(), hex(uint32(v))), true
		}
	}
	for _, m := range prefixed.FindAllStringSubmatch(a.text, -1) {
		n, err := strconv.ParseInt(m[2], 0, 64)
		if err != nil {
			continue
		}
		switch kind := m[1]; {
		case strings.HasPrefix(kind, "event") || kind == "id":
			if hits := named(a.all, strconv.FormatInt(n, 10), fold); len(hits) > 0 &&
				strings.HasPrefix(hits[0].ID, "event ") {
				return a.c.topic(a.all, hits), true
			}
			if kind != "id" {
				return Topic{Name: m[0], Note: &Note{
					ID: m[0], Title: "no event that is known here",
					Text: []string{
						"The catalog knows of no tie between it and access to IPC$.",
						"Who came through IPC$ the Security log tells with 4624, 5140 and 5145, and SMBServer with " +
							"its own logs.",
					},
					Sources: []string{"K ours"}, Related: []string{"event 5145", "event 4624"},
				}}, true
			}
		case strings.HasSuffix(kind, "port") || kind == "tcp" || kind == "udp":
			if hits := named(a.all, "port "+strconv.FormatInt(n, 10), fold); len(hits) > 0 {
				return a.c.topic(a.all, hits), true
			}
		case kind == "kb":
		default:
			if t, ok := a.code(n); ok {
				return t, true
			}
		}
	}
	lone := loneHex.FindString(a.text)
	if m := loneLong.FindStringSubmatch(a.text); lone == "" && m != nil {
		lone = m[2]
	}
	if lone == "" {
		return Topic{}, false
	}
	n, err := strconv.ParseInt(lone, 0, 64)
	if err != nil {
		return Topic{}, false
	}
	return a.code(n)
}

// code finds a number as an NTSTATUS, an HRESULT that wraps a Win32 error (0x8007xxxx), or a Win32 error. A negative
// number is the signed form of the same bits.
func (a *asking) code(n int64) (Topic, bool) {
	v := uint32(n)
	if v&0xffff0000 == 0x80070000 {
		v &= 0xffff
	}
	if v > 0xffff {
		s := status.NTStatus(v)
		if t, ok := a.status(s.String()); ok {
			return t, true
		}
		if s.String() != hex(v) {
			return plain(s.String(), hex(v)), true
		}
		return Topic{}, false
	}
	if hits := named(a.all, "error "+strconv.Itoa(int(v)), fold); len(hits) > 0 {
		return a.c.topic(a.all, hits), true
	}
	w := status.WError(v)
	if t, ok := a.status(w.String()); ok {
		return t, true
	}
	if w.String() != hex(v) {
		return plain(w.String(), "error "+strconv.Itoa(int(v))), true
	}
	return Topic{}, false
}

func hex(v uint32) string { return "0x" + strings.ToUpper(zeros(strconv.FormatUint(uint64(v), 16))) }

func zeros(digits string) string { return strings.Repeat("0", max(0, 8-len(digits))) + digits }

// status finds an entry by a status name; ERROR_ and WERR_ are two prefixes of the same name.
func (a *asking) status(name string) (Topic, bool) {
	for _, n := range []string{
		name, "WERR_" + strings.TrimPrefix(name, "ERROR_"),
		"ERROR_" + strings.TrimPrefix(name, "WERR_"),
	} {
		if hits := named(a.all, fold(n), fold); len(hits) > 0 {
			return a.c.topic(a.all, hits), true
		}
	}
	return Topic{}, false
}

// plain returns a topic for a number about which the catalog has nothing else.
func plain(name, number string) Topic {
	return Topic{Name: name, Note: &Note{
		ID: name, Title: number, Text: []string{
			"A result code that the protocols' documents name. The catalog knows of no tie between it and access to " +
				"IPC$.",
			"The code that refuses a stranger is STATUS_ACCESS_DENIED.",
		}, Sources: []string{"D MS-ERREF 2.3"}, Related: []string{"STATUS_ACCESS_DENIED"},
	}}
}

// kinds are words that say which kind of entry is meant.
var kinds = map[string]string{
	"pipe": "pipe", "service": "service", "interface": "interface", "setting": "setting", "parameter": "setting",
	"policy":  "setting",
	"finding": "finding", "product": "product",
}

// byPart finds the longest name of an entry among other words. A word for a kind chooses between entries of the same
// name; the rest of the question selects the sentence that answers it.
func (a *asking) byPart() (Topic, bool) {
	tokens := split(a.text)
	if len(tokens) < 2 {
		return Topic{}, false
	}
	want := ""
	for _, t := range tokens {
		if k := kinds[t]; k != "" {
			want = k
		}
	}
	best, from, to := a.longest(tokens, func(e entry) bool { return e.Kind != "product" })
	if best == nil { // a product among the words is the scope; it is the topic only if nothing else is named
		best, from, to = a.longest(tokens, func(entry) bool { return true })
	}
	if best == nil {
		return Topic{}, false
	}
	if i := slices.IndexFunc(best, func(e entry) bool { return e.Kind == want }); i > 0 {
		best[0], best[i] = best[i], best[0]
	}
	t := a.c.topic(a.all, best)
	t.Focus = strings.Join(slices.Concat(tokens[:from], tokens[to:]), " ")
	return t, true
}

// longest returns the entries with the longest name among the words, and its position.
func (a *asking) longest(tokens []string, ofKind func(entry) bool) (best []entry, from, to int) {
	length := 0
	for _, e := range a.all {
		if !ofKind(e) {
			continue
		}
		for _, n := range e.names {
			part := split(fold(n))
			at := within(tokens, part)
			letters := len(strings.Join(part, ""))
			if at < 0 || letters < 4 && !strings.Contains(n, "$") || len(part) == 1 && slices.Contains(vague, part[0]) {
				continue
			}
			switch {
			case letters > length:
				best, length, from, to = []entry{e}, letters, at, at+len(part)
			case letters == length && !slices.ContainsFunc(best, func(o entry) bool { return o.Ref == e.Ref }):
				best = append(best, e)
			}
		}
	}
	// A short name among many words is a weak match.
	if length*3 < len(strings.Join(tokens, "")) && length < 8 {
		return nil, 0, 0
	}
	return best, from, to
}

// vague are names of entries that are everyday words in a question.
var vague = []string{
	"guest", "public", "cluster", "protocol", "server", "messenger", "path", "anonymous", "relay",
	"cert", "exchange", "browser",
}

// split cuts a text into words; pipe names, registry paths and numbers stay whole.
func split(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || strings.ContainsRune(`$_\.:-`, r))
	})
}

// within returns the index of a sequence of words in another, or -1.
func within(all, part []string) int {
	for i := 0; len(part) > 0 && i+len(part) <= len(all); i++ {
		if slices.Equal(all[i:i+len(part)], part) {
			return i
		}
	}
	return -1
}

// byClaim finds a claim or a topic that contains nearly every word of a sentence, before names among the words are
// looked for.
func (a *asking) byClaim() (Topic, bool) {
	if len(a.said) < 3 {
		return Topic{}, false
	}
	sayings := slices.DeleteFunc(slices.Clone(a.all), func(e entry) bool {
		return e.Kind != "claim" && e.Kind != "topic"
	})
	return a.among(sayings, 0.95)
}

// byWords finds the entry that contains most of the words, if it contains nearly all. A single word is a name.
func (a *asking) byWords() (Topic, bool) {
	if len(a.said) < 2 || !strings.Contains(a.text, " ") {
		return Topic{}, false
	}
	return a.among(a.all, 0.75)
}

func (a *asking) among(all []entry, least float64) (Topic, bool) {
	ranked := rank(all, a.text)
	if len(ranked) == 0 || ranked[0].score < least {
		return Topic{}, false
	}
	top := slices.DeleteFunc(slices.Clone(ranked), func(s scored) bool { return s.score < ranked[0].score-0.02 })
	slices.SortStableFunc(top, func(x, y scored) int { return weight(x.Kind) - weight(y.Kind) })
	t := a.c.topic(a.all, []entry{top[0].entry})
	t.Focus = a.text
	return t, true
}

// weight orders kinds by how directly they answer a sentence.
func weight(kind string) int {
	return slices.Index([]string{"claim", "topic", "setting", "service", "finding", "pipe", "interface", "product"},
		kind)
}

// byIPC answers a sentence about IPC$ that matches nothing else with what IPC$ is.
func (a *asking) byIPC() (Topic, bool) {
	if !slices.Contains(a.said, "ipc$") {
		return Topic{}, false
	}
	return a.c.topic(a.all, named(a.all, "ipc$", fold)), true
}

var (
	stigID = regexp.MustCompile(`^s?v-?\d{4,6}(r\d+)?(_rule)?$`)
	cisID  = regexp.MustCompile(`^\d+(\.\d+){2,}$`)
)

// byPattern answers for a benchmark ID that the catalog does not have, with those that it has.
func (a *asking) byPattern() (Topic, bool) {
	id := a.text
	for _, before := range []string{"cis ", "stig ", "disa ", "control ", "rule "} {
		id = strings.TrimSpace(strings.TrimPrefix(id, before))
	}
	about := ""
	switch {
	case stigID.MatchString(id):
		about = "A DISA STIG id that is not about a setting of this catalog, or one from before the renumbering of " +
			"2020."
	case cisID.MatchString(id):
		about = "A number of a CIS benchmark that is not about a setting of this catalog, or of an edition that it " +
			"does not have."
	default:
		return Topic{}, false
	}
	var have []string
	for _, b := range a.c.Benchmarks {
		if name := strings.TrimSpace(b.Title + " " + b.Version); (b.Family == "stig") == stigID.MatchString(id) &&
			(b.Family == "stig" || b.Family == "cis") && !slices.Contains(have, name) {
			have = append(have, name)
		}
	}
	return Topic{Name: strings.ToUpper(id), Note: &Note{
		ID: strings.ToUpper(id), Title: "no control that is known here",
		Text:    []string{about, "Known are: " + strings.Join(have, ", ") + "."},
		Sources: []string{"M powerstig", "M HK"},
	}}, true
}
