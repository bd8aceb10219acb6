package api

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"time"

	"ipcguard/internal/model"
	"ipcguard/internal/store"
	"ipcguard/internal/web/view"
)

const modelPath = "ipcguard/internal/model"

var (
	timeType = reflect.TypeFor[time.Time]()
	rawType  = reflect.TypeFor[json.RawMessage]()
)

// words are the values of the types that are enumerations.
var words = map[reflect.Type][]string{
	reflect.TypeFor[store.TargetKind]():   {"host", "range"},
	reflect.TypeFor[store.TellActs]():     {"", "also", "only"},
	reflect.TypeFor[store.Criticality]():  {"low", "normal", "high"},
	reflect.TypeFor[store.RunKind]():      {"scan", "audit", "discover"},
	reflect.TypeFor[store.RunState]():     {"waiting", "running", "done", "cancelled"},
	reflect.TypeFor[store.UnitState]():    {"waiting", "running", "done", "failed", "skipped"},
	reflect.TypeFor[store.EventKind]():    view.EventKinds,
	reflect.TypeFor[store.RolloutState](): view.RolloutStates,
	reflect.TypeFor[store.Role]():         {"viewer", "operator", "admin", ""},
	reflect.TypeFor[store.Scope]():        {"read", "upload", "operate", "administer"},
	reflect.TypeFor[model.Severity]():     append(slices.Clone(view.Severities), ""),
	reflect.TypeFor[model.Verdict](): {
		"exposed", "limited", "closed", "inconclusive", "unreachable", "not-tested",
		"",
	},
}

// schema returns the JSON Schema (draft 2020-12, as OpenAPI 3.1 has it) of a Go type. Structs become components.
type schema = map[string]any

// components collects the named schemas.
type components map[string]schema

// named returns a struct's name in the document: those of the command line's documents have a prefix.
func named(t reflect.Type) string {
	name := t.Name()
	if of, element, ok := strings.Cut(strings.TrimSuffix(name, "]"), "["); ok {
		element = element[strings.LastIndexAny(element, "./")+1:]
		return strings.ToUpper(element[:1]) + element[1:] + strings.ToUpper(of[:1]) + of[1:]
	}
	if t.PkgPath() == modelPath {
		return "Document" + name
	}
	return strings.ToUpper(name[:1]) + name[1:]
}

func (c components) of(t reflect.Type) schema {
	switch t {
	case timeType:
		return schema{"type": "string", "format": "date-time"}
	case rawType:
		return schema{"type": "object"}
	case reflect.TypeFor[model.Hex]():
		return schema{"type": "string", "contentEncoding": "base16"}
	case reflect.TypeFor[anyDocument]():
		kinds := []any{}
		for _, d := range []any{model.Scan{}, model.Audit{}, model.Observation{}, model.Plan{}} {
			kinds = append(kinds, c.of(reflect.TypeOf(d)))
		}
		return schema{"anyOf": append(kinds, schema{"type": "object", "description": "a journal, as apply keeps it"},
			schema{"type": "array", "description": "a journal's entries"})}
	}
	if all, ok := words[t]; ok {
		return schema{"type": "string", "enum": all}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return c.of(t.Elem())
	case reflect.String:
		return schema{"type": "string"}
	case reflect.Bool:
		return schema{"type": "boolean"}
	case reflect.Int, reflect.Int64, reflect.Uint16:
		return schema{"type": "integer"}
	case reflect.Float64:
		return schema{"type": "number"}
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return schema{"type": "string", "contentEncoding": "base64"}
		}
		return schema{"type": "array", "items": c.of(t.Elem())}
	case reflect.Array:
		return schema{"type": "array", "items": c.of(t.Elem())}
	case reflect.Map:
		return schema{"type": "object", "additionalProperties": c.of(t.Elem())}
	case reflect.Struct:
		return c.component(t)
	}
	return schema{} // any value
}

func (c components) component(t reflect.Type) schema {
	name := named(t)
	ref := schema{"$ref": "#/components/schemas/" + name}
	if _, known := c[name]; known {
		return ref
	}
	s := schema{"type": "object"}
	c[name] = s // before its fields, which may refer to it
	properties, required := schema{}, []string{}
	for _, f := range view.Columns(t) {
		p := c.of(f.Type)
		if f.Tag.Get("enum") != "" {
			p["enum"] = strings.Split(f.Tag.Get("enum"), ",")
		}
		if k := p["type"]; (k == "array" || k == "object" && p["additionalProperties"] != nil) && t.PkgPath() == modelPath && !f.Optional {
			p["type"] = []any{k, "null"} // empty, as the command line writes it
		}
		properties[f.Name] = p
		if !f.Optional {
			required = append(required, f.Name)
		}
	}
	s["properties"] = properties
	if len(required) > 0 {
		s["required"] = required
	}
	return ref
}
