package fleet

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"ipcguard/internal/fleet/wire"
	"ipcguard/internal/model"
)

// TestEveryListIsBounded: every list and map of a scan and of an audit has a bound. A new one has to get one too.
func TestEveryListIsBounded(t *testing.T) {
	for name, unfit := range map[reflect.Type]func(v any) string{
		reflect.TypeFor[model.Scan](): func(v any) string {
			s := v.(*model.Scan)
			s.Verdict = model.Limited
			return unfit(s)
		},
		reflect.TypeFor[model.Audit](): func(v any) string { return unfitAudit(v.(*model.Audit)) },
	} {
		found := 0
		eachList(name, nil, func(path []int, steps string) {
			found++
			for n, want := range map[int]bool{1: true, most + 1: false} {
				v := reflect.New(name)
				fillList(v.Elem(), path, n)
				why := unfit(v.Interface())
				if want != (why == "" || !strings.Contains(why, "at most")) {
					t.Errorf("%d in %s%s: %q", n, name, steps, why)
				}
			}
		})
		if found < 14 {
			t.Errorf("%s has %d lists", name, found)
		}
	}
}

// eachList calls do with the path to every list and map below a struct: -1 is an element of one.
func eachList(t reflect.Type, path []int, do func(path []int, steps string)) {
	path = path[:len(path):len(path)]
	switch t.Kind() {
	case reflect.Pointer:
		eachList(t.Elem(), append(path, -1), do)
	case reflect.Slice, reflect.Map:
		if t.Elem().Kind() != reflect.Uint8 { // bytes, which the document's size bounds
			do(path, fmt.Sprint(path))
			eachList(t.Elem(), append(path, -1), do)
		}
	case reflect.Interface:
		do(path, fmt.Sprint(path)) // a value's meaning, which may be a list of texts
	case reflect.Struct:
		for i := range t.NumField() {
			if t.Field(i).IsExported() {
				eachList(t.Field(i).Type, append(path, i), do)
			}
		}
	}
}

// fillList puts n elements into the list at a path, and one into each list on the way.
func fillList(v reflect.Value, path []int, n int) {
	if len(path) == 0 {
		elements(v, n)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		fillList(v.Field(path[0]), path[1:], n)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fillList(v.Elem(), path[1:], n)
	case reflect.Slice:
		elements(v, 1)
		fillList(v.Index(0), path[1:], n)
		if f, ok := v.Index(0).Addr().Interface().(*model.Finding); ok {
			f.ID, f.Severity = "x", model.Low
		}
	case reflect.Map:
		one := reflect.New(v.Type().Elem()).Elem()
		fillList(one, path[1:], n)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.Zero(v.Type().Key()), one)
	}
}

func elements(v reflect.Value, n int) {
	switch v.Kind() {
	case reflect.Interface:
		v.Set(reflect.ValueOf(make([]string, n)))
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for i := range n {
			v.SetMapIndex(reflect.ValueOf(fmt.Sprint(i)).Convert(v.Type().Key()), reflect.Zero(v.Type().Elem()))
		}
	default:
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		if all, ok := v.Addr().Interface().(*[]model.Finding); ok {
			for i := range *all {
				(*all)[i].ID, (*all)[i].Severity = "x", model.Low
			}
		}
	}
}

// TestRealResultsFit: nothing that this program writes comes near a bound: its stored documents, and the audit of
// as many shares as it reads.
func TestRealResultsFit(t *testing.T) {
	many := &model.Audit{Schema: model.SchemaAudit}
	for i := range 40_000 {
		many.Shares = append(many.Shares, model.Share{
			Name: fmt.Sprintf("share%05d", i), Guest: true, Path: fmt.Sprintf("/srv/data/departments/share%05d", i),
			ValidUsers: []string{"@group1", "user1", "user2", "user3"}, HostsAllow: []string{"10.0.1.", "192.168.1."},
			Strangers: model.Denied,
		})
	}
	b, err := json.Marshal(many)
	if err != nil {
		t.Fatal(err)
	}
	documents := [][]byte{b}
	files, err := filepath.Glob("../cli/testdata/frozen/*.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(files, "../store/dictionary-1.jsonl") {
		f, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := model.ReadDocuments(f, model.DocumentLimits{}, func(b []byte) error {
			documents = append(documents, b)
			return nil
		}); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		f.Close()
	}
	taken := 0
	for _, b := range documents {
		var why string
		switch {
		case len(b) > wire.MaxResult:
			why = "too large"
		case strings.Contains(string(b), model.SchemaScan):
			s := &model.Scan{}
			if json.Unmarshal(b, s) != nil || s.Schema != model.SchemaScan {
				continue
			}
			why = unfit(s)
		case strings.Contains(string(b), model.SchemaAudit):
			a := &model.Audit{}
			if json.Unmarshal(b, a) != nil || a.Schema != model.SchemaAudit {
				continue
			}
			why = unfitAudit(a)
		default:
			continue
		}
		if taken++; why != "" || model.CheckDocument(b) != nil {
			t.Errorf("%.60s… of %d bytes: %q, %v", b, len(b), why, model.CheckDocument(b))
		}
	}
	if taken < 9 {
		t.Errorf("%d results were looked at", taken)
	}
}

// TestUnfitKeys: what is stored by a text is stored by a short one. PostgreSQL has no index row of more than
// 2,704 bytes.
func TestUnfitKeys(t *testing.T) {
	long := strings.Repeat("x", 3000)
	for name, s := range map[string]*model.Scan{
		"identity": {Identities: []model.IdentityResult{{Identity: model.Identity(long)}}},
		"pipe":     {Identities: []model.IdentityResult{{Pipes: []model.PipeResult{{Pipe: long}}}}},
		"call": {Identities: []model.IdentityResult{{Pipes: []model.PipeResult{{Interfaces: []model.InterfaceResult{
			{Calls: []model.CallResult{{Call: long}}},
		}}}}}},
		"finding":        {Findings: []model.Finding{{ID: long, Severity: model.Low}}},
		"finding's pipe": {Findings: []model.Finding{{ID: "x", Pipe: long, Severity: model.Low}}},
		"settings": {Findings: []model.Finding{{
			ID: "x", Severity: model.Low, Settings: []string{long[:250], long[:251], long[:252], long[:253], long[:254], long[:255], long[:256], long[:249], "\"" + long[:200]},
		}}},
	} {
		s.Verdict = model.Limited
		if why := unfit(s); why == "" {
			t.Errorf("a long %s is stored", name)
		}
	}
	for name, a := range map[string]*model.Audit{
		"system":  {Platform: model.Platform{System: long}},
		"setting": {Settings: []model.Setting{{ID: long}}},
		"pipe":    {Access: map[model.Identity]model.Access{"x": {Pipes: map[string]model.Outcome{long: "denied"}}}},
		"reason":  {Access: map[model.Identity]model.Access{"x": {Why: map[string][]string{long: nil}}}},
		"kind of data": {Access: map[model.Identity]model.Access{"x": {
			Discloses: map[model.Disclosure]model.Outcome{model.Disclosure(long): "denied"},
		}}},
	} {
		if why := unfitAudit(a); why == "" {
			t.Errorf("a long %s is stored", name)
		}
	}
}

// TestNamesOfMany: a result with a million other names costs no more than one with a hundred.
func TestNamesOfMany(t *testing.T) {
	names := make([]string, 1_000_000)
	for i := range names {
		names[i] = fmt.Sprintf("name%d.example", i)
	}
	got := namesOf(&model.Scan{Address: "10.0.0.1:445", Server: model.Server{DNSName: "own.example"}}, names)
	if len(got) != mostTargetNames+2 {
		t.Errorf("%d names", len(got))
	}
}
