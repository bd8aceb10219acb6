package catalog

import (
	"slices"
	"strings"
)

// Topic is what the catalog has for one word or phrase: the entry itself, in exactly one of the pointers or lists, and
// related entries.
type Topic struct {
	Name      string
	Setting   *Setting
	Pipe      *Pipe
	Interface *Interface
	Service   *Service
	Finding   *Finding
	Claim     *Claim
	Product   *Product
	Note      *Note
	Control   []ControlRow // every setting of a control ID
	Value     string       // of the setting, if one was asked for
	Focus     string       // the rest of the question
	Related   []Ref        // other entries, those of the same name first
}

// Ref names another entry.
type Ref struct {
	Kind  string // setting, pipe, interface, service, finding, claim, product, topic or control
	ID    string
	Title string
}

// entry is one thing that a name may mean.
type entry struct {
	Ref
	names []string // id first
	words []string // for phrases: the words of the title and the claim
	open  func(*Topic)
}

// entries lists everything that can be explained, in order of precedence for ambiguous names.
func (c *Catalog) entries() []entry {
	var out []entry
	add := func(kind, id, title, prose string, open func(*Topic), names ...string) {
		out = append(out, entry{
			Ref{kind, id, title},
			append([]string{id}, names...),
			words(strings.Join(append(names, id, title, prose), " ")), open,
		})
	}
	for i := range c.Topics {
		v := &c.Topics[i]
		add("topic", v.ID, v.Title, "", func(t *Topic) { t.Note = v }, v.Aliases...)
	}
	for i := range c.Settings {
		v := &c.Settings[i]
		names := append([]string{v.Policy, v.Where}, v.Aliases...)
		add("setting", v.ID, v.Title, "", func(t *Topic) { t.Setting = v }, names...)
	}
	for i := range c.Services {
		v := &c.Services[i]
		add("service", v.ID, v.Title, "", func(t *Topic) { t.Service = v }, append([]string{v.Title}, v.Aliases...)...)
	}
	for i := range c.Pipes {
		v := &c.Pipes[i]
		add("pipe", v.Name, v.Title, "", func(t *Topic) { t.Pipe = v }, `\pipe\`+v.Name)
	}
	for i := range c.Interfaces {
		v := &c.Interfaces[i]
		names := []string{v.UUID, strings.Trim(v.Doc, "[]")}
		for _, k := range v.Calls {
			names = append(names, k.Name)
		}
		add("interface", v.ID, v.Title, "", func(t *Topic) { t.Interface = v }, names...)
	}
	for i := range c.Findings {
		v := &c.Findings[i]
		add("finding", v.ID, v.Title, "", func(t *Topic) { t.Finding = v }, append([]string{v.Title}, v.Refs...)...)
	}
	for i := range c.Claims {
		v := &c.Claims[i]
		add("claim", v.ID, v.Claim, v.Claim, func(t *Topic) { t.Claim = v }, append([]string{v.Claim}, v.Aliases...)...)
	}
	for i := range c.Products {
		v := &c.Products[i]
		add("product", v.ID, v.Title, "", func(t *Topic) { t.Product = v }, append([]string{v.Title}, v.Aliases...)...)
	}
	return out
}

// Topic finds what a person asks for: a setting, service, pipe, interface (also by UUID), finding, product, control ID,
// or a claim in free words. Without a match it returns suggestions, the likeliest first.
func (c *Catalog) Topic(name string) (t Topic, suggestions []Ref, ok bool) {
	key := strings.TrimSpace(strings.Trim(fold(name), "{}\"'?! \t"))
	if key == "" || len(key) > maxAsked {
		return Topic{}, nil, false
	}
	a := &asking{c: c, all: c.entries(), text: key, said: words(key)}
	if t, ok := a.find(); ok {
		return t, nil, true
	}
	for _, r := range rank(a.all, key) {
		if len(suggestions) == mostSuggested {
			break
		}
		if !slices.ContainsFunc(suggestions, func(s Ref) bool { return fold(s.ID) == fold(r.ID) }) {
			suggestions = append(suggestions, r.Ref)
		}
	}
	return Topic{}, suggestions, false
}

const (
	mostSuggested = 5
	// maxAsked bounds a question: the longest message that people paste has some 130 letters.
	maxAsked = 400
)

func named(all []entry, key string, norm func(string) string) []entry {
	var first, rest []entry
	for _, e := range all {
		switch {
		case norm(e.names[0]) == key:
			first = append(first, e)
		case slices.ContainsFunc(e.names[1:], func(n string) bool { return n != "" && norm(n) == key }):
			rest = append(rest, e)
		}
	}
	return append(first, rest...)
}

// bare keeps only letters, digits and $, so that RestrictAnonymous and "restrict anonymous" match.
func bare(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '$' {
			return r
		}
		return -1
	}, fold(s))
}

// topic returns the first match, with the others and the entries that it refers to as related.
func (c *Catalog) topic(all, hits []entry) Topic {
	t := Topic{Name: hits[0].ID}
	hits[0].open(&t)
	add := func(r Ref) {
		if r.ID != "" && (r.Kind != hits[0].Kind || r.ID != hits[0].ID) && !slices.Contains(t.Related, r) {
			t.Related = append(t.Related, r)
		}
	}
	for _, h := range hits[1:] {
		add(h.Ref)
	}
	for _, e := range named(all, bare(hits[0].ID), bare) { // the pipe and the interface of a service of the same name
		add(e.Ref)
	}
	for _, id := range t.names() {
		add(c.ref(id))
	}
	for i := range c.Claims {
		k := &c.Claims[i]
		if t.Setting != nil && slices.Contains(k.Settings, t.Setting.ID) ||
			t.Service != nil && slices.Contains(k.Services, t.Service.ID) {
			add(Ref{"claim", k.ID, k.Claim})
		}
	}
	for i := range c.Findings {
		f := &c.Findings[i]
		if t.Setting != nil && slices.Contains(f.Settings, t.Setting.ID) ||
			t.Pipe != nil && slices.Contains(f.Pipes, t.Pipe.Name) {
			add(Ref{"finding", f.ID, f.Title})
		}
	}
	if t.Pipe != nil {
		for i := range c.Services {
			if s := &c.Services[i]; has(s.Pipes, t.Pipe.Name) {
				add(Ref{"service", s.ID, s.Title})
			}
		}
	}
	return t
}

// names lists the entries that the topic refers to.
func (t *Topic) names() []string {
	switch {
	case t.Note != nil:
		return t.Note.Related
	case t.Setting != nil:
		return t.Setting.Related
	case t.Service != nil:
		return append(slices.Clone(t.Service.Pipes), t.Service.Interfaces...)
	case t.Finding != nil:
		return append(slices.Clone(t.Finding.Settings), t.Finding.Pipes...)
	case t.Claim != nil:
		return append(slices.Clone(t.Claim.Settings), t.Claim.Services...)
	case t.Pipe != nil:
		var out []string
		for _, i := range t.Pipe.Interfaces {
			out = append(out, i.ID)
		}
		return out
	}
	return nil
}

// ref returns an entry's reference by its ID.
func (c *Catalog) ref(id string) Ref {
	if s := c.Setting(id); s != nil && s.ID == id {
		return Ref{"setting", s.ID, s.Title}
	}
	for i := range c.Topics {
		if c.Topics[i].ID == id {
			return Ref{"topic", id, c.Topics[i].Title}
		}
	}
	for i := range c.Claims {
		if c.Claims[i].ID == id {
			return Ref{"claim", id, c.Claims[i].Claim}
		}
	}
	if f := c.Finding(id); f != nil {
		return Ref{"finding", f.ID, f.Title}
	}
	if p := c.Pipe(id); p != nil {
		return Ref{"pipe", p.Name, p.Title}
	}
	if i := c.Interface(id); i != nil {
		return Ref{"interface", i.ID, i.Title}
	}
	if s := c.Service(id); s != nil {
		return Ref{"service", s.ID, s.Title}
	}
	return Ref{}
}

// controlsByID finds the settings of a control ID such as 2.3.10.7 or V-254467.
func (c *Catalog) controlsByID(key string) []ControlRow {
	var out []ControlRow
	for _, r := range c.Controls {
		for _, id := range r.IDs {
			if fold(id) == key || fold(id) == "v-"+key {
				out = append(out, r)
				break
			}
		}
	}
	return out
}
