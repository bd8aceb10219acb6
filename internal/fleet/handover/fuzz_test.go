package handover

import (
	"encoding/csv"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"ipcguard/internal/model"
)

// FuzzNames: the room reads no outside bytes itself, but the names in its store came from outside. Whatever they are,
// the inventory is YAML with one entry for each remaining host, and no cell of a table hides text or is a formula.
func FuzzNames(f *testing.F) {
	f.Add("srv1", "10.0.0.1:445", "Anna")
	f.Add(hostile, "[fe80::1]:445", hostile)
	f.Add("a: b", "\"", "'=1+1")
	f.Add("host-2", "10.0.0.1:445", "Bo") // the name that another host of the group gets
	f.Add("\xff\u2028", "", "\r\n|x")
	base := left(f)
	f.Fuzz(func(t *testing.T, host, address, owner string) {
		r := *base
		r.Groups = []Group{base.Groups[0]}
		r.Groups[0].Left = append(r.Groups[0].Left[:0:0], base.Groups[0].Left...)
		h := &r.Groups[0].Left[0]
		h.Host, h.Address, h.Owner = host, address, owner
		readInventory(t, r.inventory(), r.Groups[0].Name, len(r.Groups[0].Left))
		for _, shape := range Shapes() {
			var b strings.Builder
			if err := r.WriteTickets(&b, shape); err != nil {
				t.Fatal(err)
			}
			safeTable(t, shape, b.String())
		}
	})
}

func safeTable(t *testing.T, name, text string) {
	t.Helper()
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	for _, row := range rows {
		for _, cell := range row {
			plain := model.UnescapeCell(cell)
			if model.EscapeCell(plain) != cell || strings.ContainsFunc(cell, func(r rune) bool {
				return r != '\n' && model.Hidden(r)
			}) {
				t.Errorf("%s has the cell %q", name, cell)
			}
		}
	}
}

func readInventory(t *testing.T, text, group string, hosts int) {
	t.Helper()
	var y struct {
		All struct {
			Children map[string]struct {
				Hosts map[string]struct {
					Address string `yaml:"ansible_host"`
					ID      int64  `yaml:"ipcguard_host"`
				} `yaml:"hosts"`
			} `yaml:"children"`
		} `yaml:"all"`
	}
	if err := yaml.Unmarshal([]byte(text), &y); err != nil {
		t.Fatalf("the inventory: %v\n%s", err, text)
	}
	if n := len(y.All.Children[group].Hosts); n != hosts || len(y.All.Children) != 1 {
		t.Errorf("%d of %d hosts in\n%s", n, hosts, text)
	}
}
