// Package measured holds what real servers of several releases gave to strangers, configuration by configuration, as a
// scan saw it. scripts/measure.sh makes the scans; docs/measured keeps them, and tests hold the access model to it.
//
// A cell is an outcome of one question for one identity: "session", "tree" (IPC$), "pipe:NAME" or "discloses:KIND".
package measured

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
)

// Schema names the form of the document.
const Schema = "ipcguard.measured/1"

// Table is everything that was measured.
type Table struct {
	Schema         string          `json:"schema"`
	Servers        []Server        `json:"servers"`
	Configurations []Configuration `json:"configurations"`
	Rows           []Row           `json:"rows"`
	Parameters     []Parameter     `json:"parameters"`
}

// Server is one release that was measured.
type Server struct {
	Release string `json:"release"` // such as 4.17.12, or of ksmbd the kernel's
	System  string `json:"system"`  // samba or ksmbd
	Version string `json:"version"` // what the server's own programs or packages say
	Date    string `json:"date"`
}

// Configuration is one file that servers were started with.
type Configuration struct {
	Name   string `json:"name"`
	System string `json:"system"`
	Text   string `json:"text"` // of smb.conf or ksmbd.conf, without the places of the measurement itself
}

// Row is what one identity got of the releases that agree on every cell.
type Row struct {
	Configuration string                   `json:"configuration"`
	System        string                   `json:"system"`
	Releases      []string                 `json:"releases"`
	Identity      model.Identity           `json:"identity"`
	Cells         map[string]model.Outcome `json:"cells"`
}

// Parameter is one parameter of smb.conf that not every release has, or not with the same default.
type Parameter struct {
	Name     string            `json:"name"`
	Defaults map[string]string `json:"defaults"` // by release; a release that does not know the parameter is not there
}

// Read reads a table.
func Read(r io.Reader) (*Table, error) {
	t := &Table{}
	d := json.NewDecoder(r)
	d.DisallowUnknownFields()
	if err := d.Decode(t); err != nil {
		return nil, fmt.Errorf("measured: %w", err)
	}
	if t.Schema != Schema {
		return nil, fmt.Errorf("measured: schema %q, want %q", t.Schema, Schema)
	}
	return t, nil
}

// Cells are the answers of a scan. What got none is left out, and behind a closed door nothing was asked.
func Cells(c *catalog.Catalog, s *model.Scan, r *model.IdentityResult) map[string]model.Outcome {
	out := map[string]model.Outcome{}
	add := func(what string, o model.Outcome) {
		switch o {
		case model.Allowed, model.Denied, model.Absent, model.Inconclusive:
			out[what] = o
		}
	}
	add("session", r.Session.Outcome)
	add("tree", r.Tree.Outcome)
	for _, p := range r.Pipes {
		if k := c.Pipe(p.Pipe); k != nil && len(k.Interfaces) > 0 {
			add("pipe:"+p.Pipe, p.Open.Outcome)
		}
	}
	if r.Session.Outcome != model.Allowed || r.Tree.Outcome != model.Allowed {
		return out
	}
	for _, d := range model.Disclosures() {
		add("discloses:"+string(d), c.Seen(s, r, d).Outcome)
	}
	return out
}

// Add puts a scan of one release into the table.
func (t *Table) Add(c *catalog.Catalog, configuration string, of *Server, s *model.Scan) {
	for i := range s.Identities {
		r := &s.Identities[i]
		cells := Cells(c, s, r)
		at := slices.IndexFunc(t.Rows, func(o Row) bool {
			return o.Configuration == configuration && o.System == of.System && o.Identity == r.Identity &&
				maps.Equal(o.Cells, cells)
		})
		if at < 0 {
			at = len(t.Rows)
			t.Rows = append(t.Rows, Row{
				Configuration: configuration, System: of.System, Identity: r.Identity,
				Cells: cells,
			})
		}
		t.Rows[at].Releases = append(t.Rows[at].Releases, of.Release)
	}
}

// Given lists what a row's identity was given, and who refused where it was not.
func (r *Row) Given() string {
	for _, door := range []string{"session", "tree"} {
		if o := r.Cells[door]; o != model.Allowed {
			return map[string]string{"session": "logon", "tree": "IPC$"}[door] + " " + string(o)
		}
	}
	var given []string
	for _, d := range model.Disclosures() {
		if r.Cells["discloses:"+string(d)] == model.Allowed && d.IsExposure() {
			given = append(given, string(d))
		}
	}
	open := 0
	for what, o := range r.Cells {
		if strings.HasPrefix(what, "pipe:") && o == model.Allowed {
			open++
		}
	}
	if len(given) == 0 {
		return fmt.Sprintf("%d pipes, nothing given", open)
	}
	return fmt.Sprintf("%d pipes: %s", open, strings.Join(given, ", "))
}
