package fleet

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"ipcguard/internal/model"
	"ipcguard/internal/store"
)

// TestNewWeakClients imports observations of one host: a client with NTLMv1 is reported once, and one with NTLMv2, or
// one that was refused, is not.
func TestNewWeakClients(t *testing.T) {
	st, _ := sqlite(t)
	o, _ := quickOptions(t)
	f := newFleet(t, st, o)
	take := func(kind string, result any) {
		t.Helper()
		b, err := json.Marshal(result)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := f.Import(t.Context(), kind, strings.NewReader(string(b)), nil, nil); err != nil ||
			got.Taken != 1 {
			t.Fatalf("%+v, %v", got, err)
		}
	}
	at := time.Now().Add(-time.Hour).UTC().Truncate(time.Second)
	take("scan", &model.Scan{
		Schema:  model.SchemaScan,
		Target:  "10.0.0.1:445",
		Address: "10.0.0.1:445",
		Started: at,
		Verdict: model.Closed,
	})
	use := func(client, pkg string, o model.Outcome) model.Use {
		return model.Use{
			Schema: model.SchemaUse, Client: client, Server: "10.0.0.1", Identity: model.User,
			Package: pkg, Layer: model.LayerSession, Outcome: o,
			Count: 1, First: at, Last: at,
		}
	}
	told := func() (out []string) {
		t.Helper()
		events, _, err := st.Events(t.Context(), store.EventFilter{Kinds: []store.EventKind{store.EventWeakLogon}},
			store.Page{Size: 1000})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			if e.HostID == 0 || e.Severity != model.Medium || !strings.Contains(e.Text, e.Subject) {
				t.Errorf("%+v", e)
			}
			out = append(out, e.Subject+" "+e.After)
		}
		slices.Sort(out)
		return out
	}
	observe := func(uses ...model.Use) []string {
		t.Helper()
		take("observe", &model.Observation{
			Schema:   model.SchemaObserve,
			Coverage: model.Coverage{From: at, To: at},
			Uses:     uses,
		})
		return told()
	}
	printer := use("10.0.0.7", model.PackageNTLMv1, model.Allowed)
	if got := observe(use("10.0.0.6", model.PackageNTLMv2, model.Allowed),
		use("10.0.0.8", model.PackageNTLMv1, model.Denied)); got != nil {
		t.Errorf("told of %v", got)
	}
	for range 2 {
		if got := observe(printer,
			use("10.0.0.7", model.PackageNTLMv1ESS, model.Allowed)); !slices.Equal(got, []string{"10.0.0.7 NTLMv1"}) {
			t.Errorf("told of %v", got)
		}
	}
	if got := observe(printer, use("10.0.0.9", model.PackageLM, model.Allowed)); !slices.Equal(got, []string{
		"10.0.0.7 NTLMv1", "10.0.0.9 LM",
	}) {
		t.Errorf("told of %v", got)
	}
	audited := use("10.0.0.5", model.PackageNTLMv1, model.Inconclusive)
	captured := use("10.0.0.4", model.PackageNTLMv1, model.Inconclusive)
	audited.Log = true
	if got := observe(printer, audited, captured); len(got) != 3 || got[0] != "10.0.0.5 NTLMv1" {
		t.Errorf("told of %v", got)
	}
	events, _, err := st.Events(t.Context(), store.EventFilter{Kinds: []store.EventKind{store.EventWeakLogon}},
		store.Page{Size: 1000})
	if err != nil || !slices.ContainsFunc(events, func(e store.Event) bool {
		return strings.Contains(e.Text, "was asked by 10.0.0.5 with NTLMv1") && strings.Contains(e.Text, "is not told")
	}) {
		t.Errorf("an audit is told as if it let in: %v, %+v", err, events)
	}
	many := make([]model.Use, 0, 2*maxWeakEvents)
	for i := range cap(many) {
		many = append(many,
			use("10.0.1."+string(rune('a'+i/26))+string(rune('a'+i%26)), model.PackageNTLMv1, model.Allowed))
	}
	if got := observe(many...); len(got) != 3+maxWeakEvents+1 {
		t.Errorf("told of %d", len(got))
	}
}
