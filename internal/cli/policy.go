package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/token"

	"ipcguard/internal/plan"
)

// Bounds of a policy, which is a page of lists. Parsing takes about 100 bytes for each byte.
const (
	maxPolicy      = 64 << 10 // bytes
	maxPolicyDepth = 8        // nested levels; a policy has two
)

func readPolicy(name string) (plan.Policy, error) {
	b, err := readBounded(name, maxPolicy)
	if err != nil {
		return plan.Policy{}, err
	}
	p, err := parsePolicy(b)
	if err != nil {
		return p, usage("%s: %w", name, err)
	}
	return p, nil
}

// parsePolicy parses a policy in YAML.
func parsePolicy(b []byte) (p plan.Policy, err error) {
	err = decodeYAML(b, &p)
	return p, err
}

// decodeYAML parses a policy by the JSON names of its fields. Aliases are refused: a few lines of them can expand to
// more than the memory holds.
func decodeYAML(b []byte, into any) error {
	if len(bytes.TrimSpace(b)) == 0 {
		return nil
	}
	tokens := lexer.Tokenize(string(b))
	if err := plainYAML(tokens); err != nil {
		return err
	}
	var written any
	if err := yaml.Unmarshal(b, &written); err != nil {
		return errors.New(yaml.FormatError(err, false, false))
	}
	if key := twiceIn(written); key != "" {
		return usage("%skey %q twice, with other capitals", lineOf(tokens, key), key)
	}
	j, err := json.Marshal(written)
	if err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(j))
	d.DisallowUnknownFields()
	return inYAML(d.Decode(into), tokens)
}

// twiceIn returns a key that differs from another of the same mapping by case alone. The JSON decoder takes both for
// one, and one value is lost.
func twiceIn(v any) string {
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			if key := twiceIn(item); key != "" {
				return key
			}
		}
	case map[string]any:
		seen := map[string]bool{}
		for _, key := range slices.Sorted(maps.Keys(v)) {
			small := strings.ToLower(strings.ToUpper(key))
			if seen[small] {
				return key
			}
			seen[small] = true
			if key := twiceIn(v[key]); key != "" {
				return key
			}
		}
	}
	return ""
}

// inYAML translates an error of the JSON decoder to the terms and lines of the YAML file.
func inYAML(err error, tokens token.Tokens) error {
	if err == nil {
		return nil
	}
	if quoted, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		if name, e := strconv.Unquote(quoted); e == nil {
			return usage("%sunknown key %q", lineOf(tokens, name), name)
		}
	}
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		key := wrong.Field[strings.LastIndexByte(wrong.Field, '.')+1:]
		if key == "" {
			return usage("a policy has keys, such as \"strangers:\", not %s", writtenAs(wrong.Value))
		}
		return usage("%s%s: want %s, not %s", lineOf(tokens, key), key, kindOf(wrong.Type), writtenAs(wrong.Value))
	}
	return err
}

// lineOf names the line of the first key with that name.
func lineOf(tokens token.Tokens, key string) string {
	for _, t := range tokens {
		if t.Value == key && t.Next != nil && t.Next.Type == token.MappingValueType {
			return fmt.Sprintf("line %d: ", t.Position.Line)
		}
	}
	return ""
}

// writtenAs returns YAML's word for a JSON type.
func writtenAs(kind string) string {
	switch kind {
	case "array":
		return "a list"
	case "object":
		return "keys"
	case "bool":
		return "true or false"
	case "string":
		return "text"
	}
	return "a number"
}

func kindOf(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Slice, reflect.Array:
		return "a list"
	case reflect.Struct, reflect.Map:
		return "keys"
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "text"
	}
	return "a number"
}

// plainYAML refuses what a policy does not need, and what costs more than its length.
func plainYAML(tokens token.Tokens) error {
	brackets, dashes, line := 0, 0, 0
	var columns []int // of the enclosing keys
	began, ended := false, false
	for _, t := range tokens {
		if t.Type == token.CommentType {
			continue
		}
		if ended || began && t.Type == token.DocumentHeaderType {
			return usage("line %d: a second document, which is not read", t.Position.Line)
		}
		began, ended = true, t.Type == token.DocumentEndType
		switch t.Type {
		case token.AnchorType, token.AliasType, token.MergeKeyType:
			return usage("line %d: anchors and aliases are not read: write the value out", t.Position.Line)
		case token.SequenceStartType, token.MappingStartType:
			brackets++
		case token.SequenceEndType, token.MappingEndType:
			brackets = max(0, brackets-1)
		case token.SequenceEntryType, token.MappingKeyType, token.MappingValueType:
			if t.Position.Line != line {
				line, dashes = t.Position.Line, 0
			}
			dashes++
			for len(columns) > 0 && columns[len(columns)-1] >= t.Position.IndentNum {
				columns = columns[:len(columns)-1]
			}
			columns = append(columns, t.Position.IndentNum)
		}
		if brackets > maxPolicyDepth || dashes > 8*maxPolicyDepth || len(columns) > maxPolicyDepth {
			return usage("line %d: more than %d levels within one another", t.Position.Line, maxPolicyDepth)
		}
	}
	return nil
}
