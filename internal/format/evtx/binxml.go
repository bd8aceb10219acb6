package evtx

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// The tokens of BinXML; 0x40 set means that more of the same list follows. See [MS-EVEN6] 2.2.12.
const (
	tokenEOF          = 0x00
	tokenOpenElement  = 0x01
	tokenCloseStart   = 0x02
	tokenCloseEmpty   = 0x03
	tokenEndElement   = 0x04
	tokenValue        = 0x05
	tokenAttribute    = 0x06
	tokenCDATA        = 0x07
	tokenCharRef      = 0x08
	tokenEntityRef    = 0x09
	tokenPITarget     = 0x0a
	tokenPIData       = 0x0b
	tokenTemplate     = 0x0c
	tokenSubst        = 0x0d
	tokenOptionalSub  = 0x0e
	tokenFragment     = 0x0f
	tokenMore         = 0x40
	noDependency      = 0xffff
	templateHeader    = 24 // next u32, GUID, size u32
	valueSpecSize     = 4  // size u16, type u8, zero u8
	fragmentTokenSize = 4
)

var (
	errShort = errors.New("evtx: BinXML ends too early")
	errToken = errors.New("evtx: unexpected BinXML token")
	errDepth = errors.New("evtx: elements nest too deep")
	errSteps = errors.New("evtx: event is too large")
)

// element is one element of a template, or of a fragment without one.
type element struct {
	name    string
	depends int // index of the value that must not be null, -1 for none
	attrs   []attr
	content []part
}

type attr struct {
	name  string
	parts []part
}

type partKind byte

const (
	partText partKind = iota
	partSubst
	partElement
	partPI
)

// part is a piece of content: text, a value, an element, or a processing instruction, which is skipped.
type part struct {
	kind    partKind
	binxml  bool // partSubst: the value is expected to be elements
	index   int  // partSubst
	text    string
	element *element
}

// template is a compiled template definition, or a fragment that needs no values.
type template struct {
	root  *element
	slots []slot
}

// parser reads BinXML tokens at chunk offsets pos to end.
type parser struct {
	c   *chunk
	pos int
	end int
	dep bool // elements have a dependency ID, as in template definitions
}

func (p *parser) take(n int) ([]byte, error) {
	if n < 0 || n > p.end-p.pos {
		return nil, errShort
	}
	b := p.c.data[p.pos : p.pos+n]
	p.pos += n
	return b, nil
}

func (p *parser) u8() (byte, error) {
	b, err := p.take(1)
	if err != nil {
		return 0, err
	}
	return b[0], nil
}

func (p *parser) u16() (int, error) {
	b, err := p.take(2)
	if err != nil {
		return 0, err
	}
	return int(binary.LittleEndian.Uint16(b)), nil
}

func (p *parser) u32() (uint32, error) {
	b, err := p.take(4)
	if err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint32(b), nil
}

// peek returns the next token without its more flag; EOF at the end.
func (p *parser) peek() byte {
	if p.pos >= p.end {
		return tokenEOF
	}
	return p.c.data[p.pos] &^ tokenMore
}

// name reads a name's offset, and skips the name itself if it is stored here.
func (p *parser) name() (string, error) {
	off, err := p.u32()
	if err != nil {
		return "", err
	}
	s, size, err := p.c.name(off)
	if err != nil {
		return "", err
	}
	if int64(off) == int64(p.pos) {
		if _, err := p.take(size); err != nil {
			return "", err
		}
	}
	return s, nil
}

// text reads a length-prefixed string.
func (p *parser) text() (string, error) {
	n, err := p.u16()
	if err != nil {
		return "", err
	}
	b, err := p.take(2 * n)
	if err != nil {
		return "", err
	}
	return string(appendUTF16(nil, trimNUL(b, 2))), nil
}

// fragmentHeaders skips any fragment headers.
func (p *parser) fragmentHeaders() error {
	for p.peek() == tokenFragment {
		if _, err := p.take(fragmentTokenSize); err != nil {
			return err
		}
	}
	return nil
}

// fragment reads a fragment: a template instance, whose values are appended to vals, or a plain element.
func (p *parser) fragment(vals []Value) (*template, []Value, error) {
	if err := p.fragmentHeaders(); err != nil {
		return nil, vals, err
	}
	switch p.peek() {
	case tokenTemplate:
		return p.instance(vals)
	case tokenOpenElement:
		// By the specification an element outside a template has no dependency ID, but some writers add one: the
		// element's own length settles it.
		p.dep = !p.plainElement()
		root, err := p.element(0)
		if err != nil {
			return nil, vals, err
		}
		t := &template{root: root}
		t.compileSlots()
		return t, vals, nil
	}
	return nil, vals, fmt.Errorf("%w 0x%02x at the start of a fragment", errToken, p.peek())
}

// plainElement reports whether the element here, read without a dependency ID, ends where its fragment does.
func (p *parser) plainElement() bool {
	if p.pos+5 > p.end {
		return false
	}
	size := int64(binary.LittleEndian.Uint32(p.c.data[p.pos+1:]))
	return size <= int64(p.end-p.pos-5)
}

// instance reads a template instance: version u8, ID u32, definition offset u32, the definition if it is stored here,
// then the number of values, their sizes and types, and the values.
func (p *parser) instance(vals []Value) (*template, []Value, error) {
	if _, err := p.take(1 + 1 + 4); err != nil {
		return nil, vals, err
	}
	off, err := p.u32()
	if err != nil {
		return nil, vals, err
	}
	t, size, err := p.c.template(off)
	if int64(off) == int64(p.pos) && size > 0 {
		if _, err := p.take(size); err != nil {
			return nil, vals, err
		}
	}
	if err != nil {
		return nil, vals, err
	}
	n, err := p.u32()
	if err != nil {
		return nil, vals, err
	}
	if uint64(n)*valueSpecSize > uint64(p.end-p.pos) {
		return nil, vals, errShort
	}
	specs, err := p.take(int(n) * valueSpecSize)
	if err != nil {
		return nil, vals, err
	}
	for ; len(specs) > 0; specs = specs[valueSpecSize:] {
		at := p.pos
		data, err := p.take(int(binary.LittleEndian.Uint16(specs)))
		if err != nil {
			return nil, vals, err
		}
		vals = append(vals, Value{Type: Type(specs[2]), Data: data, at: at})
	}
	return t, vals, nil
}

// template returns the compiled definition at a chunk offset, and the number of bytes that it takes in a record.
func (c *chunk) template(off uint32) (*template, int, error) {
	if uint64(off)+templateHeader > uint64(len(c.data)) {
		return nil, 0, fmt.Errorf("evtx: template definition at %d is outside its chunk", off)
	}
	at := int(off)
	length := int64(binary.LittleEndian.Uint32(c.data[at+20:]))
	if length > int64(len(c.data)-at-templateHeader) {
		return nil, 0, fmt.Errorf("evtx: template definition at %d is longer than its chunk", off)
	}
	size := templateHeader + int(length)
	t, ok := c.templates[off]
	if !ok {
		t = c.compile(at+templateHeader, at+size)
		c.templates[off] = t
	}
	if t == nil {
		return nil, size, fmt.Errorf("evtx: template definition at %d is damaged", off)
	}
	return t, size, nil
}

// compile reads a template definition; nil means that it is damaged.
func (c *chunk) compile(pos, end int) *template {
	if c.compiled += end - pos; c.compiled > maxCompiled {
		return nil
	}
	p := parser{c: c, pos: pos, end: end, dep: true}
	if p.fragmentHeaders() != nil || p.peek() != tokenOpenElement {
		return nil
	}
	root, err := p.element(0)
	if err != nil {
		return nil
	}
	t := &template{root: root}
	t.compileSlots()
	return t
}

// element reads one element, from its open token to its end token.
func (p *parser) element(depth int) (*element, error) {
	if depth >= maxDepth {
		return nil, errDepth
	}
	token, err := p.u8()
	if err != nil {
		return nil, err
	}
	e := &element{depends: -1}
	if p.dep {
		d, err := p.u16()
		if err != nil {
			return nil, err
		}
		if d != noDependency {
			e.depends = d
		}
	}
	if _, err := p.take(4); err != nil { // the element's length: its tokens say the same
		return nil, err
	}
	if e.name, err = p.name(); err != nil {
		return nil, err
	}
	if token&tokenMore != 0 {
		if _, err := p.take(4); err != nil { // the attributes' length
			return nil, err
		}
		for p.peek() == tokenAttribute {
			a, err := p.attribute()
			if err != nil {
				return nil, err
			}
			e.attrs = append(e.attrs, a)
		}
	}
	token, err = p.u8()
	switch {
	case err != nil:
		return nil, err
	case token == tokenCloseEmpty:
		return e, nil
	case token != tokenCloseStart:
		return nil, fmt.Errorf("%w 0x%02x in a start tag", errToken, token)
	}
	for p.peek() != tokenEndElement {
		part, err := p.part(depth)
		if err != nil {
			return nil, err
		}
		e.content = append(e.content, part)
	}
	_, err = p.take(1)
	return e, err
}

func (p *parser) attribute() (attr, error) {
	if _, err := p.take(1); err != nil {
		return attr{}, err
	}
	name, err := p.name()
	if err != nil {
		return attr{}, err
	}
	a := attr{name: name}
	for {
		switch p.peek() {
		case tokenValue, tokenSubst, tokenOptionalSub, tokenCharRef, tokenEntityRef:
			part, err := p.part(maxDepth)
			if err != nil {
				return attr{}, err
			}
			a.parts = append(a.parts, part)
		default:
			return a, nil
		}
	}
}

// part reads one piece of content.
func (p *parser) part(depth int) (part, error) {
	token := p.peek()
	if token == tokenOpenElement {
		e, err := p.element(depth + 1)
		return part{kind: partElement, element: e}, err
	}
	if _, err := p.take(1); err != nil {
		return part{}, err
	}
	switch token {
	case tokenValue:
		if kind, err := p.u8(); err != nil || Type(kind) != TypeString {
			return part{}, errors.Join(err, fmt.Errorf("%w: text of type 0x%02x", errToken, kind))
		}
		s, err := p.text()
		return part{text: s}, err
	case tokenCDATA:
		s, err := p.text()
		return part{text: s}, err
	case tokenCharRef:
		u, err := p.u16()
		return part{text: string(appendUTF16(nil, []byte{byte(u), byte(u >> 8)}))}, err
	case tokenEntityRef:
		s, err := p.name()
		if err != nil {
			return part{}, err
		}
		text, ok := entities[s]
		if !ok {
			return part{}, fmt.Errorf("evtx: unknown entity %q", s)
		}
		return part{text: text}, nil
	case tokenPITarget:
		_, err := p.name()
		return part{kind: partPI}, err
	case tokenPIData:
		_, err := p.text()
		return part{kind: partPI}, err
	case tokenSubst, tokenOptionalSub:
		i, err := p.u16()
		if err != nil {
			return part{}, err
		}
		expected, err := p.u8() // the value has its own type
		return part{kind: partSubst, index: i, binxml: Type(expected) == TypeBinXML}, err
	}
	return part{}, fmt.Errorf("%w 0x%02x in content", errToken, token)
}

// entities are the ones XML itself defines.
var entities = map[string]string{"amp": "&", "lt": "<", "gt": ">", "quot": `"`, "apos": "'"}
