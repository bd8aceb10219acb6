package report

import (
	"bytes"
	"encoding/json"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode"

	"ipcguard/internal/model"
)

// nasty is a name that a server or a file may have: an escape, C1's control sequence introducer, DEL, line ends, a
// direction mark, a zero-width character, and invalid UTF-8.
const nasty = "a\x1b[2J\u009b1m\x7f\r\n\u202eb\u200b\u2028\U000e0041\xff" + forged

// forged would start a line of its own.
const forged = "\nFORGED"

// fill puts nasty into every text of a value, lists of two, and everything else that has a value.
func fill(v reflect.Value, depth int) {
	if depth > 12 {
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(nasty)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), depth+1)
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)))
			return
		}
		for i := range v.NumField() {
			if f := v.Field(i); f.CanSet() {
				fill(f, depth+1)
			}
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(v.Index(0), depth+1)
		fill(v.Index(1), depth+1)
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key, depth+1)
		fill(value, depth+1)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case reflect.Interface:
		if v.NumMethod() == 0 {
			v.Set(reflect.ValueOf(nasty))
		}
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int32, reflect.Int64:
		v.SetInt(3)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(3)
	}
}

// filled returns a value whose texts are all nasty.
func filled[T any]() *T {
	v := new(T)
	fill(reflect.ValueOf(v).Elem(), 0)
	return v
}

// TestOwnColors: only the palette's own sequences pass.
func TestOwnColors(t *testing.T) {
	p := newPalette(true)
	for _, paint := range []func(string) string{p.bad, p.warn, p.good, p.dim, p.bold} {
		var b bytes.Buffer
		if err := p.write(&b, paint("word")+"\n"); err != nil || b.String() != paint("word")+"\n" ||
			!strings.Contains(b.String(), "\x1b[") {
			t.Errorf("%q, %v", b.String(), err)
		}
	}
	var b bytes.Buffer
	if err := p.write(&b, nasty+"\x1b[8mhidden\x1b[1;31"); err != nil || strings.Contains(b.String(), "\x1b") {
		t.Errorf("%q, %v", b.String(), err)
	}
}

// TestNothingHidden writes results whose every text is nasty in every format: no character that affects the text around
// it reaches the reader. JSON preserves the text.
func TestNothingHidden(t *testing.T) {
	style := Style{Verbose: true, Now: time.Date(2026, 1, 3, 0, 0, 0, 0, time.UTC)}
	s, a, o, p, w := filled[model.Scan](), filled[model.Audit](), filled[model.Observation](), filled[model.Plan](),
		filled[WhatIf]()
	verdicts := []model.Scan{*s, *s}
	verdicts[1].Verdict = model.Exposed // a whole report, not only the reason
	writers := map[string]func(io.Writer) error{
		"coverage":     func(out io.Writer) error { return WriteCoverage(out, &o.Coverage, style) },
		"what-if text": func(out io.Writer) error { return WriteWhatIf(out, w, style, 80) },
		"what-if json": func(out io.Writer) error { return WriteJSON(out, w) },
	}
	for _, format := range ScanFormats() {
		writers["scan "+format] = func(out io.Writer) error {
			x, err := NewScanWriter(out, format, style)
			if err != nil {
				return err
			}
			for i := range verdicts {
				if err := x.Write(&verdicts[i]); err != nil {
					return err
				}
			}
			return x.Close()
		}
	}
	for _, format := range AuditFormats() {
		writers["audit "+format] = func(out io.Writer) error {
			x, err := NewAuditWriter(out, format, style)
			if err != nil {
				return err
			}
			if err := x.Write(a); err != nil {
				return err
			}
			return x.Close()
		}
	}
	for _, format := range UseFormats() {
		writers["observe "+format] = func(out io.Writer) error { return WriteObservation(out, format, o, style) }
	}
	writers["logons text"] = func(out io.Writer) error { return WriteLogons(out, "text", o, style) }
	for _, format := range []string{"text", "json", "html"} {
		writers["plan "+format] = func(out io.Writer) error { return WritePlan(out, format, p, style, 80) }
	}
	for name, write := range writers {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			if err := write(&b); err != nil || b.Len() == 0 {
				t.Fatalf("%v, %d bytes", err, b.Len())
			}
			i := strings.IndexFunc(b.String(), func(r rune) bool {
				return r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r) ||
					unicode.Is(unicode.Zl, r))
			})
			if i >= 0 {
				t.Fatalf("%q", around(b.String(), i))
			}
			if (strings.HasSuffix(name, " text") || strings.HasSuffix(name, " jsonl") || name == "coverage") &&
				strings.Contains(b.String(), forged) {
				t.Errorf("a text begins a line of its own: %q", around(b.String(), strings.Index(b.String(), forged)))
			}
			if strings.HasSuffix(name, " json") && !json.Valid(b.Bytes()) {
				t.Error("no JSON")
			}
		})
	}
}

func around(s string, i int) string { return s[max(0, i-60):min(len(s), i+60)] }
