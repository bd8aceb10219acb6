package report

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"ipcguard/internal/model"
)

// hostile is a name that a server or a file may have: markup, a formula, control characters, a script.
const hostile = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>\x1b[31m=cmd|' /C calc'!A0\u202e{{.}}"

func someAudit() *model.Audit {
	return &model.Audit{
		Schema: model.SchemaAudit, Source: model.Source{
			Kind: "smbconf", Name: "/etc/" + hostile,
			Parts: []string{"/etc/samba/smb.conf"},
		}, Host: hostile,
		Platform: model.Platform{
			System: "samba", Product: "samba", Name: hostile, Role: model.Standalone,
			Why: []string{hostile},
		},
		Partial: true, Problems: []string{hostile},
		Settings: []model.Setting{
			{
				ID: "restrict anonymous", Where: "[global] restrict anonymous", Type: "int", Present: true,
				Configured: 0,
				Effective:  0, Basis: model.BasisConfigured, State: model.StateWeak, Why: hostile,
				Origin: "/etc/samba/smb.conf:7",
			},
			{
				ID: "guest account", Type: "string", Present: true, Configured: hostile, Effective: hostile,
				Basis: model.BasisConfigured, State: model.StateOK,
			},
			{ID: "hosts allow", Type: "list", Effective: []string{}, Basis: model.BasisDefault, State: model.StateOK},
			{
				ID: "config backend", Type: "enum", NotRead: true, Basis: model.BasisUnknown, State: model.StateUnknown,
				Why: "not read",
			},
		},
		Access: map[model.Identity]model.Access{
			model.Anonymous: {
				Session: model.Allowed, Tree: model.Allowed,
				Discloses: map[model.Disclosure]model.Outcome{
					model.DisclosesAccounts: model.Allowed,
					model.DisclosesShares:   model.Denied, model.DisclosesJobs: model.Absent,
					model.DisclosesDFS: model.OutcomeUnknown,
				},
				Why: map[string][]string{"discloses:accounts": {hostile}},
			},
		},
		Findings: []model.Finding{
			{
				ID: "anonymous-lists-accounts", Severity: model.High, Title: "A stranger lists accounts",
				Identity: model.Anonymous, Pipe: "samr", Setting: "restrict anonymous", Evidence: hostile, Fix: hostile,
				Settings: []string{"restrict anonymous"},
				Controls: []model.Control{{Benchmark: hostile, Version: "1", ID: "2.3"}},
				Sources:  []string{"S samba", "D KB3034016 place", hostile},
			},
			{ID: "setting-unknown", Severity: model.Info, Evidence: ""},
		},
		Services: []model.Service{{ID: "spoolss", Evidence: hostile}},
		Shares:   []model.Share{{Name: hostile, Path: hostile, Guest: true}},
	}
}

func someScan() *model.Scan {
	allowed := model.Step{Outcome: model.Allowed}
	return &model.Scan{
		Schema: model.SchemaScan, Target: hostile, Address: "192.0.2.1:445", Verdict: model.Exposed, Reason: hostile,
		Started: time.Unix(1e9, 0),
		Server:  model.Server{Name: hostile, OS: hostile, System: "samba"},
		Identities: []model.IdentityResult{{
			Identity: model.Anonymous, Session: allowed, Tree: allowed,
			Pipes: []model.PipeResult{{
				Pipe: "samr", Open: allowed,
				Interfaces: []model.InterfaceResult{{Interface: "samr", Bind: allowed, Calls: []model.CallResult{
					{
						Call: "SamrEnumerateUsersInDomain", Outcome: model.Allowed, Discloses: model.DisclosesAccounts,
						Count: 3,
						Names: []string{hostile},
					},
				}}},
			}},
		}},
		Findings: []model.Finding{{
			ID: "anonymous-lists-accounts", Severity: model.High, Identity: model.Anonymous,
			Pipe: "samr", Evidence: hostile,
		}},
	}
}

// written returns a scan and an audit together in a format.
func written(t *testing.T, format string) string {
	t.Helper()
	var b bytes.Buffer
	d, err := NewDocument(&b, format, Style{Now: time.Unix(1.7e9, 0)})
	if err != nil {
		t.Fatal(err)
	}
	d.AddScan(someScan())
	d.AddAudit(someAudit())
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// The page is one file that loads nothing, every value in it is text, and its elements are closed.
func TestPage(t *testing.T) {
	page := written(t, "html")
	for _, bad := range []string{
		"<script", "<img", "onerror=alert(2)>", "javascript:", "http-equiv=\"refresh\"",
		"@import", "url(",
	} {
		if strings.Contains(page, bad) {
			t.Errorf("the page has %q", bad)
		}
	}
	if m := regexp.MustCompile(`src="`).FindString(page); m != "" {
		t.Errorf("the page loads something")
	}
	for _, m := range regexp.MustCompile(`href="([^#"][^"]*)"`).FindAllStringSubmatch(page, -1) {
		if !strings.HasPrefix(m[1], "https://") || strings.Contains(m[1], "alert") {
			t.Errorf("the page leads to %q", m[1])
		}
	}
	for _, want := range []string{
		"&lt;script&gt;alert(1)", "prefers-color-scheme: dark", "@media print", "Evidence",
		"Fix", "Controls", "Sources", "accounts", "partial: not everything",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	d := xml.NewDecoder(strings.NewReader(regexp.MustCompile(`<(meta|br)([^>]*)>`).ReplaceAllString(
		strings.TrimPrefix(page, "<!DOCTYPE html>\n"), "<$1$2/>")))
	d.Strict, d.Entity = true, xml.HTMLEntity
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("not well formed: %v", err)
		}
	}
	if n := strings.Count(page, `<td class="allowed"`); n < 2 {
		t.Errorf("%d open cells", n)
	}
}

// The structure that SARIF 2.1.0 requires of a log.
func TestSARIF(t *testing.T) {
	var log struct {
		Schema  string `json:"$schema"`
		Version string
		Runs    []struct {
			Tool struct {
				Driver struct {
					Name  string
					Rules []struct {
						ID               string
						ShortDescription struct{ Text string }
					}
				}
			}
			Invocations []struct {
				ExecutionSuccessful        *bool
				ToolExecutionNotifications []struct{ Message struct{ Text string } }
			}
			Results []struct {
				RuleID              string
				RuleIndex           int
				Level               string
				Message             struct{ Text string }
				PartialFingerprints map[string]string
				Locations           []struct {
					PhysicalLocation *struct {
						ArtifactLocation struct{ URI string }
						Region           *struct{ StartLine int }
					}
					LogicalLocations []struct{ FullyQualifiedName string }
				}
			}
		}
	}
	if err := json.Unmarshal([]byte(written(t, "sarif")), &log); err != nil {
		t.Fatal(err)
	}
	run := log.Runs[0]
	if log.Version != "2.1.0" || !strings.Contains(log.Schema, "sarif-schema-2.1.0") ||
		run.Tool.Driver.Name != "ipcguard" || run.Invocations[0].ExecutionSuccessful == nil {
		t.Errorf("%+v", log)
	}
	if len(run.Results) != 3 || len(run.Tool.Driver.Rules) != 2 ||
		len(run.Invocations[0].ToolExecutionNotifications) != 1 {
		t.Fatalf("%d results, %d rules", len(run.Results), len(run.Tool.Driver.Rules))
	}
	prints := map[string]bool{}
	for _, r := range run.Results {
		if run.Tool.Driver.Rules[r.RuleIndex].ID != r.RuleID || r.Message.Text == "" ||
			!slices.Contains([]string{"error", "warning", "note"}, r.Level) || len(r.Locations) != 1 ||
			len(r.Locations[0].LogicalLocations) != 1 {
			t.Errorf("%+v", r)
		}
		prints[r.PartialFingerprints["ipcguard/1"]] = true
	}
	if len(prints) != 3 {
		t.Errorf("fingerprints %v", prints)
	}
	p := run.Results[1].Locations[0].PhysicalLocation
	if p == nil || p.ArtifactLocation.URI != "file:///etc/samba/smb.conf" || p.Region == nil ||
		p.Region.StartLine != 7 {
		t.Errorf("the place of a setting: %+v", p)
	}
}

// TestSARIFBounds: a host without results is not taken for a clean one. A consumer closes what is no longer reported,
// so the log says which hosts gave no answer, or only a part of it.
func TestSARIFBounds(t *testing.T) {
	closed := model.Scan{Target: "closed", Verdict: model.Closed, Reason: "refused at logon"}
	limited := closed
	limited.Limits = []model.Limit{{Limit: model.LimitPipes, Why: "29 pipes were not opened", Identity: model.Anonymous}}
	partial := model.Scan{Target: "part", Verdict: model.Limited, Partial: true}
	for want, s := range map[string]model.Scan{
		"":        closed,
		"note":    limited,
		"warning": partial,
		"warning: unreachable: timed out": {
			Target: "away", Verdict: model.Unreachable, Reason: "timed out",
		},
		"warning: inconclusive: cut": {Target: "cut", Verdict: model.VerdictInconclusive, Reason: "cut"},
		"warning: not-tested: a net that accepts everything": {
			Target: "net", Verdict: model.VerdictNotTested, Reason: "a net that accepts everything",
		},
	} {
		var log struct {
			Runs []struct {
				Invocations []struct {
					ToolExecutionNotifications []struct {
						Level   string
						Message struct{ Text string }
					}
				}
			}
		}
		if err := json.Unmarshal([]byte(render(t, "sarif", Style{}, &s)), &log); err != nil {
			t.Fatal(err)
		}
		said := log.Runs[0].Invocations[0].ToolExecutionNotifications
		level, text, _ := strings.Cut(want, ": ")
		switch {
		case want == "":
			if len(said) != 0 {
				t.Errorf("%s: %v", s.Target, said)
			}
		case len(said) != 1 || said[0].Level != level || !strings.Contains(said[0].Message.Text, s.Target+": ") ||
			!strings.Contains(said[0].Message.Text, text):
			t.Errorf("%s: %v, want one of %q", s.Target, said, want)
		}
	}
}

// What class 2003 of OCSF requires, one event a line.
func TestOCSF(t *testing.T) {
	lines := strings.Split(strings.TrimSpace(written(t, "ocsf")), "\n")
	if len(lines) != 3 {
		t.Fatalf("%d events", len(lines))
	}
	for _, line := range lines {
		var e map[string]any
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		for key, want := range map[string]float64{
			"class_uid": 2003, "category_uid": 2, "activity_id": 1,
			"type_uid": 200301,
		} {
			if e[key] != want {
				t.Errorf("%s is %v", key, e[key])
			}
		}
		for _, key := range []string{"time", "severity_id", "metadata", "finding_info", "compliance", "resources"} {
			if e[key] == nil {
				t.Errorf("no %s", key)
			}
		}
		metadata, info, compliance := e["metadata"].(map[string]any), e["finding_info"].(map[string]any),
			e["compliance"].(map[string]any)
		if metadata["version"] == "" || metadata["product"] == nil || info["uid"] == "" || info["title"] == "" ||
			len(compliance["standards"].([]any)) == 0 || compliance["control"] == "" {
			t.Errorf("%v", e)
		}
	}
}

// Every format preserves hostile names.
func TestAuditFormats(t *testing.T) {
	for _, format := range AuditFormats() {
		var b bytes.Buffer
		w, err := NewAuditWriter(&b, format, Style{Verbose: true, Now: time.Unix(1.7e9, 0)})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := w.Write(someAudit()); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		switch format {
		case "text":
			if strings.ContainsAny(b.String(), "\x1b\u202e") || !strings.Contains(b.String(), "EXPOSED") ||
				!strings.Contains(b.String(), "2 configurations: 2 exposed") {
				t.Errorf("%q", b.String())
			}
			for _, want := range []string{
				"what each identity may do", "restrict anonymous", "configured",
				"gets accounts", "unknown: dfs", "partial",
			} {
				if !strings.Contains(b.String(), want) {
					t.Errorf("no %q in\n%s", want, b.String())
				}
			}
		case "json":
			var list []model.Audit
			if err := json.Unmarshal(b.Bytes(), &list); err != nil || len(list) != 2 || list[1].Host != hostile {
				t.Errorf("%v %d", err, len(list))
			}
		case "jsonl":
			if n := strings.Count(b.String(), "\n"); n != 2 {
				t.Errorf("%d lines", n)
			}
		case "csv":
			rows, err := csv.NewReader(&b).ReadAll()
			if err != nil || len(rows) != 1+2*(2+4+1) {
				t.Errorf("%d rows, %v", len(rows), err)
			}
			for _, r := range rows {
				for _, c := range r {
					if strings.ContainsAny(c, "\x1b") || strings.HasPrefix(c, "=") {
						t.Errorf("cell %q", c)
					}
				}
			}
		}
	}
	if _, err := NewAuditWriter(io.Discard, "pdf", Style{}); err == nil {
		t.Error("an unknown format is taken")
	}
}

// Scans can be written in the same documents.
func TestScanDocuments(t *testing.T) {
	for _, format := range DocumentFormats() {
		var b bytes.Buffer
		w, err := NewScanWriter(&b, format, Style{})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Write(someScan()); err != nil {
			t.Fatal(err)
		}
		if b.Len() > 0 {
			t.Errorf("%s is written before all results are there", format)
		}
		if err := w.Close(); err != nil || b.Len() == 0 {
			t.Errorf("%s: %d bytes, %v", format, b.Len(), err)
		}
	}
}
