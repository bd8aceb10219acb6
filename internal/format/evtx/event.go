package evtx

import "time"

// sysField names a field of an event's System element.
type sysField byte

const (
	sysNone sysField = iota
	sysProvider
	sysEventSource
	sysGUID
	sysEventID
	sysQualifiers
	sysVersion
	sysLevel
	sysTask
	sysOpcode
	sysKeywords
	sysTime
	sysRecordID
	sysActivity
	sysProcess
	sysThread
	sysChannel
	sysComputer
	sysUser
	sysCount
)

// sysPaths are the System element's children and their attributes, "" for the child's own text.
var sysPaths = map[[2]string]sysField{
	{"Provider", "Name"}: sysProvider, {"Provider", "EventSourceName"}: sysEventSource, {"Provider", "Guid"}: sysGUID,
	{"EventID", ""}: sysEventID, {"EventID", "Qualifiers"}: sysQualifiers, {"Version", ""}: sysVersion,
	{"Level", ""}: sysLevel, {"Task", ""}: sysTask, {"Opcode", ""}: sysOpcode, {"Keywords", ""}: sysKeywords,
	{"TimeCreated", "SystemTime"}: sysTime, {"EventRecordID", ""}: sysRecordID,
	{"Correlation", "ActivityID"}: sysActivity, {"Execution", "ProcessID"}: sysProcess,
	{"Execution", "ThreadID"}: sysThread, {"Channel", ""}: sysChannel, {"Computer", ""}: sysComputer,
	{"Security", "UserID"}: sysUser,
}

// slot is one position of a template that holds a field's value: either a field of System, or a named datum.
type slot struct {
	sys   sysField
	name  string
	parts []part // never elements
	deps  []int  // values that must not be null
}

// compileSlots lists the template's fields, so that reading one needs no walk.
func (t *template) compileSlots() { t.addSlots(t.root, "", false, nil) }

func (t *template) addSlots(e *element, parent string, system bool, deps []int) {
	if e.depends >= 0 {
		deps = append(deps[:len(deps):len(deps)], e.depends)
	}
	child := ""
	if system {
		child = e.name
	}
	var name string
	for _, a := range e.attrs {
		if sys := sysPaths[[2]string{child, a.name}]; system && sys != sysNone {
			t.slots = append(t.slots, slot{sys: sys, parts: a.parts, deps: deps})
		} else if a.name == "Name" && len(a.parts) == 1 && a.parts[0].kind == partText {
			name = a.parts[0].text
		}
	}
	if name == "" && e.name != "Data" {
		name = e.name
	}
	var text []part
	leaf := true
	for _, p := range e.content {
		switch p.kind {
		case partElement:
			leaf = false
			t.addSlots(p.element, e.name, system || (parent == "Event" || parent == "") && e.name == "System", deps)
		case partText, partSubst:
			text = append(text, p)
			leaf = leaf && !p.binxml
		}
	}
	switch {
	case system:
		if sys := sysPaths[[2]string{child, ""}]; sys != sysNone && len(text) > 0 {
			t.slots = append(t.slots, slot{sys: sys, parts: text, deps: deps})
		}
	case leaf && len(text) > 0:
		t.slots = append(t.slots, slot{name: name, parts: text, deps: deps})
	default: // values of BinXML between elements
		for _, p := range text {
			if p.kind == partSubst {
				t.slots = append(t.slots, slot{name: name, parts: []part{p}, deps: deps})
			}
		}
	}
}

// Field is one datum of an event, named by its Name attribute or else by its element. Older Windows events have unnamed
// data, which only their order distinguishes.
type Field struct {
	Name  string
	Value Value
}

// Event is one event record. It and everything it returns, except strings, is valid until the Reader's next event.
type Event struct {
	RecordID uint64 // of the record's frame
	chunk    *chunk
	rec      record
	root     *template
	vals     []Value // the root template's
	sys      [sysCount]Value
	fields   []Field
	pending  bool // nested BinXML has not been read yet
	steps    int
	err      error
	nested   []Value // scratch
}

// reset reads the record's System fields and defers its data.
func (e *Event) reset(c *chunk, rec record) error {
	*e = Event{
		RecordID: rec.id, chunk: c, rec: rec,
		vals: e.vals[:0], fields: e.fields[:0], nested: e.nested[:0],
	}
	p := parser{c: c, pos: rec.start, end: rec.end}
	var err error
	if e.root, e.vals, err = p.fragment(e.vals); err != nil {
		return err
	}
	e.pending = true
	for i := range e.root.slots {
		s := &e.root.slots[i]
		if s.sys == sysNone {
			continue
		}
		v, err := e.value(s, e.vals)
		if err != nil {
			return err
		}
		e.sys[s.sys] = v
	}
	return nil
}

// value returns the slot's value in an instance of its template.
func (e *Event) value(s *slot, vals []Value) (Value, error) {
	if e.steps++; e.steps > maxSteps {
		return Value{}, errSteps
	}
	for _, d := range s.deps {
		if d >= len(vals) || vals[d].IsNull() {
			return Value{}, nil
		}
	}
	if len(s.parts) == 1 {
		p := &s.parts[0]
		switch {
		case p.kind == partText:
			return Value{Type: TypeString, text: p.text}, nil
		case p.index < len(vals):
			return vals[p.index], nil
		}
		return Value{}, nil
	}
	var text []byte
	for _, p := range s.parts {
		if e.steps++; e.steps > maxSteps || len(text) > maxText {
			return Value{}, errSteps
		}
		switch {
		case p.kind == partText:
			text = append(text, p.text...)
		case p.index < len(vals):
			text = vals[p.index].AppendText(text)
		}
	}
	if s.parts == nil {
		return Value{}, nil
	}
	return Value{Type: TypeString, text: string(text)}, nil
}

// Fields returns the event's data in order, without System and null values. Err then reports damage inside the data.
func (e *Event) Fields() []Field {
	if e.pending {
		e.pending = false
		e.err = e.collect(e.root, e.vals, 0)
	}
	return e.fields
}

// Err returns the damage that Fields, Get or AppendXML found.
func (e *Event) Err() error { return e.err }

func (e *Event) collect(t *template, vals []Value, depth int) error {
	for i := range t.slots {
		s := &t.slots[i]
		if s.sys != sysNone && depth == 0 {
			continue
		}
		v, err := e.value(s, vals)
		switch {
		case err != nil:
			return err
		case v.IsNull() || s.sys != sysNone:
		case v.Type == TypeBinXML:
			if err := e.descend(v, depth); err != nil {
				return err
			}
		default:
			e.fields = append(e.fields, Field{Name: s.name, Value: v})
		}
	}
	return nil
}

func (e *Event) descend(v Value, depth int) error {
	if len(v.Data) == 0 {
		return nil
	}
	if depth >= maxNested {
		return errDepth
	}
	if e.steps += len(v.Data) / bytesPerStep; e.steps > maxSteps {
		return errSteps
	}
	p := parser{c: e.chunk, pos: v.at, end: v.at + len(v.Data)}
	base := len(e.nested)
	t, nested, err := p.fragment(e.nested)
	e.nested = nested
	if err != nil {
		return err
	}
	err = e.collect(t, e.nested[base:], depth+1)
	e.nested = e.nested[:base]
	return err
}

// Get returns the first datum of the name.
func (e *Event) Get(name string) (Value, bool) {
	for _, f := range e.Fields() {
		if f.Name == name {
			return f.Value, true
		}
	}
	return Value{}, false
}

// Text returns the first datum of the name as text, or an empty string.
func (e *Event) Text(name string) string {
	v, _ := e.Get(name)
	return v.String()
}

// ID returns the event's number, which has a meaning only with its provider; -1 if there is none.
func (e *Event) ID() int {
	if n, ok := e.sys[sysEventID].Uint(); ok && n < 1<<32 {
		return int(n)
	}
	return -1
}

// Version returns the version of the event's layout.
func (e *Event) Version() int {
	n, _ := e.sys[sysVersion].Uint()
	return int(n & 0xff)
}

// Provider returns who wrote the event. An older event source has its own name, not its manifest's.
func (e *Event) Provider() string { return e.sys[sysProvider].String() }

// EventSource returns the name of the older source that wrote the event, mostly "".
func (e *Event) EventSource() string { return e.sys[sysEventSource].String() }

// Channel returns the name of the log.
func (e *Event) Channel() string { return e.sys[sysChannel].String() }

// Computer returns the host that wrote the event.
func (e *Event) Computer() string { return e.sys[sysComputer].String() }

// UserID returns the SID of the account that wrote the event.
func (e *Event) UserID() string { return e.sys[sysUser].String() }

// Keywords returns the event's bit set.
func (e *Event) Keywords() uint64 {
	n, _ := e.sys[sysKeywords].Uint()
	return n
}

// EventRecordID returns the record's number in the event itself; an exported log may renumber its frames.
func (e *Event) EventRecordID() uint64 {
	if n, ok := e.sys[sysRecordID].Uint(); ok {
		return n
	}
	return e.RecordID
}

// Time returns when the event happened: TimeCreated, or else when its record was written.
func (e *Event) Time() time.Time {
	if t, ok := e.sys[sysTime].Time(); ok {
		return t
	}
	return fileTime(e.rec.written)
}
