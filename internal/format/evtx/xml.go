package evtx

import "unicode/utf8"

// AppendXML appends the event as XML text, on one line. Processing instructions, which carry no value, are omitted.
func (e *Event) AppendXML(dst []byte) ([]byte, error) {
	w := xmlWriter{e: e, out: dst, limit: len(dst) + maxText, nested: e.nested[:0]}
	err := w.element(e.root.root, e.vals, nil, 0)
	e.nested = w.nested
	if err != nil {
		e.err = err
	}
	return w.out, err
}

type xmlWriter struct {
	e      *Event
	out    []byte
	limit  int
	steps  int
	nested []Value
	text   []byte
}

func (w *xmlWriter) step() error {
	if w.steps++; w.steps > maxSteps || len(w.out) > w.limit {
		return errSteps
	}
	return nil
}

// subst returns the value of a substitution.
func subst(p *part, vals []Value) Value {
	if p.index < len(vals) {
		return vals[p.index]
	}
	return Value{}
}

// element writes an element; item, if given, replaces its array value. See [MS-EVEN6] 2.2.12.1.
func (w *xmlWriter) element(e *element, vals []Value, item *Value, level int) error {
	if err := w.step(); err != nil {
		return err
	}
	if e.depends >= 0 && (e.depends >= len(vals) || vals[e.depends].IsNull()) {
		return nil
	}
	if item == nil {
		for i := range e.content {
			p := &e.content[i]
			if p.kind != partSubst {
				continue
			}
			if v := subst(p, vals); v.Type&TypeArray != 0 {
				return w.repeat(e, v, vals, level)
			}
		}
	}
	w.out = append(append(w.out, '<'), e.name...)
	for i := range e.attrs {
		if err := w.attribute(&e.attrs[i], vals); err != nil {
			return err
		}
	}
	start := len(w.out)
	w.out = append(w.out, '>')
	for i := range e.content {
		p := &e.content[i]
		if err := w.step(); err != nil {
			return err
		}
		switch p.kind {
		case partText:
			w.out = appendEscaped(w.out, []byte(p.text))
		case partElement:
			if err := w.element(p.element, vals, nil, level); err != nil {
				return err
			}
		case partSubst:
			v := subst(p, vals)
			if item != nil && v.Type&TypeArray != 0 {
				v = *item
			}
			if err := w.value(v, level); err != nil {
				return err
			}
		}
	}
	if len(w.out) == start+1 {
		w.out = append(w.out[:start], "/>"...)
		return nil
	}
	w.out = append(append(append(w.out, "</"...), e.name...), '>')
	return nil
}

// repeat writes an element once for each item of an array. See [MS-EVEN6] 3.1.4.7.5.
func (w *xmlWriter) repeat(e *element, array Value, vals []Value, level int) error {
	n := 0
	for item := range array.Items {
		n++
		if err := w.element(e, vals, &item, level); err != nil {
			return err
		}
	}
	if n == 0 {
		return w.element(e, vals, &Value{}, level)
	}
	return nil
}

// attribute writes an attribute, or nothing if it has no text. See [MS-EVEN6] 2.2.12.2.
func (w *xmlWriter) attribute(a *attr, vals []Value) error {
	w.text = w.text[:0]
	for i := range a.parts {
		if err := w.step(); err != nil {
			return err
		}
		if p := &a.parts[i]; p.kind == partText {
			w.text = append(w.text, p.text...)
		} else {
			w.text = subst(p, vals).AppendText(w.text)
		}
		if len(w.text) > maxText {
			return errSteps
		}
	}
	if len(w.text) == 0 {
		return nil
	}
	w.out = append(append(append(w.out, ' '), a.name...), `="`...)
	w.out = append(appendEscaped(w.out, w.text), '"')
	return nil
}

// value writes a value as content; BinXML becomes its own elements.
func (w *xmlWriter) value(v Value, level int) error {
	if v.Type != TypeBinXML {
		w.text = v.AppendText(w.text[:0])
		w.out = appendEscaped(w.out, w.text)
		return nil
	}
	if len(v.Data) == 0 {
		return nil
	}
	if level >= maxNested {
		return errDepth
	}
	if w.steps += len(v.Data) / bytesPerStep; w.steps > maxSteps {
		return errSteps
	}
	p := parser{c: w.e.chunk, pos: v.at, end: v.at + len(v.Data)}
	base := len(w.nested)
	t, nested, err := p.fragment(w.nested)
	w.nested = nested
	if err != nil {
		return err
	}
	err = w.element(t.root, w.nested[base:], nil, level+1)
	w.nested = w.nested[:base]
	return err
}

// appendEscaped appends text so that an XML parser reads the same text. What XML 1.0 cannot contain becomes U+FFFD.
func appendEscaped(dst, text []byte) []byte {
	for len(text) > 0 {
		b := text[0]
		if b >= utf8.RuneSelf {
			r, n := utf8.DecodeRune(text)
			if r == 0xfffe || r == 0xffff {
				r = utf8.RuneError
			}
			dst = utf8.AppendRune(dst, r)
			text = text[n:]
			continue
		}
		text = text[1:]
		switch b {
		case '<':
			dst = append(dst, "&lt;"...)
		case '>':
			dst = append(dst, "&gt;"...)
		case '&':
			dst = append(dst, "&amp;"...)
		case '"':
			dst = append(dst, "&quot;"...)
		case '\r':
			dst = append(dst, "&#13;"...)
		case '\t', '\n':
			dst = append(dst, b)
		default:
			if b < ' ' {
				dst = utf8.AppendRune(dst, utf8.RuneError)
			} else {
				dst = append(dst, b)
			}
		}
	}
	return dst
}
