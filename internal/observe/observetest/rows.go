package observetest

import (
	"fmt"
	"slices"
	"strings"

	"ipcguard/internal/model"
)

// Short formats rows as one line each, without times, basis and source.
func Short(rows []model.Use) []string {
	var out []string
	for _, u := range rows {
		if u.Schema != model.SchemaUse || u.Basis == "" || u.Source == "" || u.Last.Before(u.First) {
			out = append(out, fmt.Sprintf("BAD ROW %+v", u))
		}
		what := strings.Join(slices.DeleteFunc([]string{u.Share, u.Pipe, u.Interface, u.Call},
			func(s string) bool { return s == "" }), "/")
		line := fmt.Sprintf("%s > %s %s [%s] %s %s %s %s x%d", u.Client, u.Server, u.Identity, u.Account, u.Layer, what,
			u.Outcome, u.Status, u.Count)
		out = append(out, strings.Join(strings.Fields(line), " "))
	}
	return out
}
