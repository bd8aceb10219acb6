package store

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"ipcguard/internal/model"
)

// The words that are stored as small numbers: 0 is none, and a larger number is worse or later, so that sorting by the
// column sorts by meaning. Words may only be added at the end.
var (
	verdicts = []model.Verdict{
		"", model.Closed, model.Unreachable, model.VerdictInconclusive, model.Limited, model.Exposed,
	}
	severities = []model.Severity{"", model.Info, model.Low, model.Medium, model.High, model.Critical}
	strengths  = []model.Strength{
		"", model.StrengthStrong, model.StrengthNTLM, model.StrengthUnsigned, model.StrengthUnknown, model.StrengthOld,
		model.StrengthNone, model.StrengthBroken,
	}
	criticalities = []Criticality{"", CriticalityLow, CriticalityNormal, CriticalityHigh}
	runKinds      = []RunKind{"", RunScan, RunAudit, RunDiscover}
	unitStates    = []UnitState{UnitWaiting, UnitRunning, UnitDone, UnitFailed, UnitSkipped}
	rolloutStates = []RolloutState{
		RolloutWaiting, RolloutOpen, RolloutClosed, RolloutGone, RolloutUnwatched, RolloutUnaudited, RolloutNothing,
		RolloutQuestion, RolloutRefused, RolloutFailed,
	}
)

func code[T ~string](words []T, word T) (any, error) {
	if i := slices.Index(words, word); i >= 0 {
		return int64(i), nil
	}
	return nil, fmt.Errorf("no word of the store: %q", word)
}

// encode converts a Go value to what both databases store: times to Unix microseconds with 0 for the zero time,
// booleans to 0 and 1, words of a fixed list to small numbers, lists and selectors to JSON. Text becomes valid UTF-8
// without NUL, which PostgreSQL refuses: names come from hosts and may contain anything.
func encode(v any) (any, error) {
	switch v := v.(type) {
	case nil, int64, []byte, float64:
		return v, nil
	case int:
		return int64(v), nil
	case string:
		return clean(v), nil
	case bool:
		if v {
			return int64(1), nil
		}
		return int64(0), nil
	case time.Time:
		return micros(v), nil
	case model.Verdict:
		return code(verdicts, v)
	case model.Severity:
		return code(severities, v)
	case model.Strength:
		return code(strengths, v)
	case Criticality:
		return code(criticalities, v)
	case RunKind:
		return code(runKinds, v)
	case UnitState:
		return code(unitStates, v)
	case RolloutState:
		return code(rolloutStates, v)
	case ids:
		return v.encoded()
	case array:
		return v.of, nil
	case []string, []int64, []EventKind, Selector:
		b, err := json.Marshal(v)
		return string(b), err
	}
	if r := reflect.ValueOf(v); r.Kind() == reflect.String {
		return clean(r.String()), nil
	}
	return nil, fmt.Errorf("no value of the store: %T", v)
}

func encodeAll(args []any) ([]any, error) {
	out := make([]any, len(args))
	for i, arg := range args {
		var err error
		if out[i], err = encode(arg); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func clean(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\ufffd"), "\x00", "\ufffd")
}

func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func fromMicros(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.UnixMicro(n).UTC()
}

// decode wraps a destination whose type the databases do not have; it is the inverse of encode.
func decode(dest any) any {
	switch p := dest.(type) {
	case *time.Time:
		return scanner(func(v any) error { return number(v, func(n int64) { *p = fromMicros(n) }) })
	case *bool:
		return scanner(func(v any) error { return number(v, func(n int64) { *p = n != 0 }) })
	case *model.Verdict:
		return word(p, verdicts)
	case *model.Severity:
		return word(p, severities)
	case *model.Strength:
		return word(p, strengths)
	case *Criticality:
		return word(p, criticalities)
	case *RunKind:
		return word(p, runKinds)
	case *UnitState:
		return word(p, unitStates)
	case *RolloutState:
		return word(p, rolloutStates)
	case *[]string, *[]int64, *[]EventKind, *Selector:
		return scanner(func(v any) error { return fromJSON(v, p) })
	case *RunState, *TargetKind, *Cells, *EventKind, *Role, *model.Identity:
		return scanner(func(v any) error {
			switch v := v.(type) {
			case string:
				reflect.ValueOf(p).Elem().SetString(v)
			case []byte:
				reflect.ValueOf(p).Elem().SetString(string(v))
			default:
				return fmt.Errorf("%T where text should be", v)
			}
			return nil
		})
	}
	return dest
}

func decodeAll(dests []any) []any {
	for i, dest := range dests {
		dests[i] = decode(dest)
	}
	return dests
}

// scanner is a function that implements [sql.Scanner].
type scanner func(any) error

// Scan implements [sql.Scanner].
func (s scanner) Scan(v any) error { return s(v) }

// number passes on a stored number; NULL (from an outer join) is 0.
func number(v any, set func(int64)) error {
	switch v := v.(type) {
	case nil:
		set(0)
	case int64:
		set(v)
	default:
		return fmt.Errorf("%T where a number should be", v)
	}
	return nil
}

func word[T ~string](p *T, words []T) scanner {
	return func(v any) error {
		var bad error
		err := number(v, func(n int64) {
			if n < 0 || n >= int64(len(words)) {
				bad = fmt.Errorf("no word has the number %d", n)
				return
			}
			*p = words[n]
		})
		if err != nil {
			return err
		}
		return bad
	}
}

func fromJSON(v, p any) error {
	switch v := v.(type) {
	case string:
		return json.Unmarshal([]byte(v), p)
	case []byte:
		return json.Unmarshal(v, p)
	}
	return fmt.Errorf("%T where JSON should be", v)
}
