package view

import (
	"encoding/csv"
	"encoding/json"
	"io"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"ipcguard/internal/model"
	"ipcguard/internal/report"
	"ipcguard/internal/store"
)

// writeJSON writes a list, one value a line.
func writeJSON(w io.Writer, each func(put func(any) error) error) error {
	w = model.JSONWriter{Writer: w}
	lead := "[\n"
	err := each(func(x any) error {
		row := reflect.New(reflect.TypeOf(x)).Elem()
		row.Set(reflect.ValueOf(x))
		Fill(row)
		b, err := json.Marshal(row.Interface())
		if err != nil {
			return err
		}
		_, err = w.Write(append([]byte(lead), b...))
		lead = ",\n"
		return err
	})
	if err != nil {
		return err
	}
	end := "\n]\n"
	if lead == "[\n" {
		end = "[]\n"
	}
	_, err = io.WriteString(w, end)
	return err
}

const modelPath = "ipcguard/internal/model"

var (
	timeType  = reflect.TypeFor[time.Time]()
	cellsType = reflect.TypeFor[store.Cells]()
)

// Fill replaces nil lists by empty ones, so that a program finds a list where the document promises one. The documents
// of scan, audit and plan stay unchanged.
func Fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			Fill(v.Elem())
		}
	case reflect.Struct:
		if v.Type().PkgPath() == modelPath || v.Type() == timeType {
			return
		}
		for i := range v.NumField() {
			if f := v.Field(i); f.CanSet() {
				Fill(f)
			}
		}
	case reflect.Slice:
		if v.IsNil() && v.CanSet() {
			v.Set(reflect.MakeSlice(v.Type(), 0, 0))
		}
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return
		}
		for i := range v.Len() {
			Fill(v.Index(i))
		}
	case reflect.Map:
		if v.IsNil() && v.CanSet() {
			v.Set(reflect.MakeMap(v.Type()))
		}
	}
}

// Column is one field of a struct, by its JSON name.
type Column struct {
	reflect.StructField
	Name     string
	Optional bool
}

// Columns returns the fields of a struct, including those of embedded ones.
func Columns(t reflect.Type) []Column {
	var out []Column
	for _, f := range reflect.VisibleFields(t) {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous && name == "" || name == "-" || !f.IsExported() {
			continue
		}
		if name == "" {
			name = f.Name
		}
		out = append(out, Column{f, name, strings.Contains(options, "omitempty") || strings.Contains(options,
			"omitzero")})
	}
	return out
}

// writeCSV writes a table whose columns are the fields of a row.
func writeCSV(w io.Writer, row any, each func(put func(any) error) error) error {
	out := csv.NewWriter(w)
	if err := out.Write(heads(reflect.TypeOf(row))); err != nil {
		return err
	}
	err := each(func(x any) error {
		cells := cellsOf(reflect.ValueOf(x))
		for i := range cells {
			cells[i] = report.Cell(cells[i]) // no spreadsheet interprets it as a formula
		}
		return out.Write(cells)
	})
	out.Flush()
	if err != nil {
		return err
	}
	return out.Error()
}

// heads returns the names of a row's fields. What strangers get has one for each kind of data; a kind with the name of
// another field, such as identity, has the name that sorts lists.
func heads(t reflect.Type) []string {
	var out []string
	columns := Columns(t)
	for _, f := range columns {
		if f.Type != cellsType {
			out = append(out, f.Name)
			continue
		}
		for _, d := range model.Disclosures() {
			name := string(d)
			if slices.ContainsFunc(columns, func(c Column) bool { return c.Name == name }) {
				name = store.GivesSort(d)
			}
			out = append(out, name)
		}
	}
	return out
}

// cellsOf returns a row's fields as texts.
func cellsOf(v reflect.Value) []string {
	var out []string
	for _, f := range Columns(v.Type()) {
		x := v.FieldByIndex(f.Index)
		switch y := x.Interface().(type) {
		case store.Cells:
			for i := range model.Disclosures() {
				word := ""
				if i < len(y) {
					word = map[byte]string{
						'a': "allowed", 'd': "denied", 'n': "absent", '?': "inconclusive",
						'-': "not tested",
					}[y[i]]
				}
				out = append(out, word)
			}
		case time.Time:
			if y.IsZero() {
				out = append(out, "")
			} else {
				out = append(out, y.UTC().Format(time.RFC3339))
			}
		case []string:
			out = append(out, strings.Join(y, " "))
		default:
			out = append(out, textOf(x))
		}
	}
	return out
}

func textOf(x reflect.Value) string {
	switch x.Kind() {
	case reflect.String:
		return x.String()
	case reflect.Bool:
		return strconv.FormatBool(x.Bool())
	case reflect.Int, reflect.Int64:
		return strconv.FormatInt(x.Int(), 10)
	}
	b, err := json.Marshal(x.Interface())
	if err != nil {
		return ""
	}
	return string(b)
}

// document writes scans in a format of package report.
func document(w io.Writer, format string, now time.Time, each func(put func(*model.Scan) error) error) error {
	d, err := report.NewScanWriter(w, format, report.Style{Now: now})
	if err != nil {
		return err
	}
	if err := each(d.Write); err != nil {
		return err
	}
	return d.Close()
}

// scans yields each host of a filter with its open findings, in the form of a scan.
func scans(src Source, f store.HostFilter, put func(*model.Scan) error) error {
	return src.Store.EachHost(src.Ctx, f, func(h store.Host) error {
		s := &model.Scan{
			Schema: model.SchemaScan, Target: h.Name, Address: h.Address, Started: h.LastSeen, Verdict: h.Verdict,
			Server: model.Server{Name: h.Name, System: h.System, OS: h.OS, SMB1: h.SMB1, Signing: h.Signing},
		}
		findings, err := src.Store.HostFindings(src.Ctx, h.ID)
		if err != nil {
			return err
		}
		for _, x := range findings {
			if !x.Ended.IsZero() || f.Finding != "" && x.Finding != f.Finding {
				continue
			}
			found := model.Finding{
				ID: x.Finding, Severity: x.Severity, Identity: x.Identity, Pipe: x.Pipe,
				Evidence: x.Evidence, Settings: x.Settings,
			}
			if known := src.Catalog.Finding(x.Finding); known != nil {
				found.Title, found.Fix = known.Title, src.Catalog.Fix(known, model.Platform{System: h.System})
			}
			for _, setting := range x.Settings {
				found.Controls = append(found.Controls, src.Catalog.ControlsFor(model.Platform{}, setting)...)
			}
			s.Findings = append(s.Findings, found)
		}
		return put(s)
	})
}
