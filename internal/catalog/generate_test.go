package catalog

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"go/format"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"ipcguard/internal/model"

	"github.com/goccy/go-yaml"
)

var update = flag.Bool("update", false, "write catalog_gen.go from data/*.yaml")

// fromYAML reads every file of data strictly: a field that the schema does not know is an error.
func fromYAML(t *testing.T) *Catalog {
	t.Helper()
	files, err := filepath.Glob("data/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no data files: %v", err)
	}
	whole := &Catalog{}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		plain, err := yaml.YAMLToJSON(text)
		if err != nil {
			t.Fatalf("%s: %s", name, yaml.FormatError(err, false, true))
		}
		part, d := &Catalog{}, json.NewDecoder(bytes.NewReader(plain))
		d.DisallowUnknownFields()
		if err := d.Decode(part); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		to, from := reflect.ValueOf(whole).Elem(), reflect.ValueOf(part).Elem()
		for i := range to.NumField() {
			if f := to.Type().Field(i); f.IsExported() && f.Type.Kind() == reflect.Slice {
				to.Field(i).Set(reflect.AppendSlice(to.Field(i), from.Field(i)))
			}
		}
	}
	return whole
}

// literal writes a value as Go source without zero fields.
func literal(b *strings.Builder, v reflect.Value, typed bool) {
	name := func() {
		if typed {
			b.WriteString(strings.ReplaceAll(v.Type().String(), "catalog.", ""))
		}
	}
	switch v.Kind() {
	case reflect.Pointer:
		b.WriteString("&")
		literal(b, v.Elem(), true)
	case reflect.Struct:
		name()
		b.WriteString("{")
		for i := range v.NumField() {
			if f := v.Type().Field(i); !v.Field(i).IsZero() {
				fmt.Fprintf(b, "%s: ", f.Name)
				literal(b, v.Field(i), true)
				b.WriteString(", ")
			}
		}
		b.WriteString("}")
	case reflect.Slice, reflect.Array:
		name()
		b.WriteString("{")
		for i := range v.Len() {
			long := v.Type().Elem().Kind() == reflect.Struct
			if long {
				b.WriteString("\n")
			}
			literal(b, v.Index(i), false)
			b.WriteString(",")
			if long && i == v.Len()-1 {
				b.WriteString("\n")
			}
		}
		b.WriteString("}")
	case reflect.Map:
		name()
		b.WriteString("{")
		keys := v.MapKeys()
		slices.SortFunc(keys, func(x, y reflect.Value) int { return strings.Compare(x.String(), y.String()) })
		for _, k := range keys {
			fmt.Fprintf(b, "%q: ", k)
			literal(b, v.MapIndex(k), false)
			b.WriteString(", ")
		}
		b.WriteString("}")
	case reflect.Interface:
		if v.IsNil() {
			b.WriteString("nil")
			return
		}
		literal(b, v.Elem(), true)
	case reflect.String:
		fmt.Fprintf(b, "%q", v.String())
	case reflect.Float64: // a number inside an any; settings have only whole numbers
		fmt.Fprintf(b, "%d", int(v.Float()))
	default:
		fmt.Fprintf(b, "%v", v)
	}
}

func TestGeneratedIsCurrent(t *testing.T) {
	var b strings.Builder
	b.WriteString("// Code generated from data/*.yaml by go generate; DO NOT EDIT.\n\n//go:build " +
		"!generating\n\npackage catalog\n\nimport \"ipcguard/internal/model\"\n\n")
	c := reflect.ValueOf(fromYAML(t)).Elem()
	b.WriteString("var generated = Catalog{")
	for i := range c.NumField() {
		if f := c.Type().Field(i); f.IsExported() {
			fmt.Fprintf(&b, "\n%s: ", f.Name)
			literal(&b, c.Field(i), true)
			b.WriteString(",")
		}
	}
	b.WriteString("\n}\n")
	got, err := format.Source([]byte(b.String()))
	if err != nil {
		t.Fatalf("the generated source does not parse: %v", err)
	}
	if *update {
		if err := os.WriteFile("catalog_gen.go", got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	have, err := os.ReadFile("catalog_gen.go")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, have) {
		t.Fatal("catalog_gen.go differs from data/*.yaml: run go generate ./internal/catalog")
	}
}

func BenchmarkLoad(b *testing.B) {
	for b.Loop() {
		c := generated
		c.build()
	}
}

func BenchmarkEvaluate(b *testing.B) {
	c := mustLoad(b)
	for _, in := range []Config{
		host("windows", "win2019", model.Member, "NullSessionPipes", []string{"samr"}),
		host("windows", "", model.UnknownRole),
		host("samba", "samba", model.Standalone),
	} {
		b.Run(in.Platform.System+in.Platform.Product, func(b *testing.B) {
			for b.Loop() {
				c.Evaluate(in)
			}
		})
	}
}
