package report

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"ipcguard/internal/model"
)

func sample() []*model.Scan {
	return []*model.Scan{
		{
			Schema: model.SchemaScan, Target: "srv1", Address: "10.0.0.1:445", Verdict: model.Exposed,
			Server: model.Server{
				Name: "=cmd|' /C calc'!A0", Domain: "LAB\x1b[31m\u202e", Dialects: []string{"3.1.1"},
				Signing: "enabled",
			},
			Identities: []model.IdentityResult{{
				Identity: model.Anonymous, Dialect: "3.1.1", Session: model.Step{Outcome: model.Allowed},
				Tree: model.Step{Outcome: model.Allowed},
				Pipes: []model.PipeResult{{
					Pipe: "samr", Open: model.Step{Outcome: model.Allowed},
					Interfaces: []model.InterfaceResult{{
						Interface: "samr", Bind: model.Step{Outcome: model.Allowed, Status: "accepted"},
						Calls: []model.CallResult{{
							Call: "SamrEnumerateUsersInDomain", Opnum: 13,
							Outcome:   model.Allowed,
							Discloses: model.DisclosesAccounts, Count: 3,
						}},
					}},
				}},
			}},
			Findings: []model.Finding{
				{
					ID: "anonymous-lists-accounts", Severity: model.High, Identity: model.Anonymous, Pipe: "samr",
					Evidence: "anonymous read 3 accounts", Fix: "restrict anonymous = 2",
				},
				{
					ID: "anonymous-lists-accounts", Severity: model.High, Identity: model.Guest, Pipe: "samr",
					Evidence: "guest read 3 accounts",
				},
			},
		},
		{
			Schema: model.SchemaScan, Target: "10.0.0.2", Address: "10.0.0.2:445", Verdict: model.Unreachable,
			Reason: "port 445: timed out", Findings: []model.Finding{},
		},
	}
}

func render(t *testing.T, format string, style Style, scans ...*model.Scan) string {
	t.Helper()
	var b bytes.Buffer
	w, err := NewScanWriter(&b, format, style)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range scans {
		if err := w.Write(s); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestText(t *testing.T) {
	got := render(t, "text", Style{}, sample()...)
	for _, want := range []string{
		"srv1 (10.0.0.1:445)  EXPOSED  strangers (anonymous, guest) are given 3 accounts; no disk share was tried: none is known by name (--share NAME)\n",
		"high     anonymous read 3 accounts; so did guest\n",
		"next: restrict anonymous = 2\n",
		"UNREACHABLE  port 445: timed out\n",
		"2 hosts: 1 exposed, 1 unreachable\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("missing %q in\n%s", want, got)
		}
	}
	if strings.ContainsAny(got, "\x1b\u202e") {
		t.Errorf("a server's control characters reach the terminal: %q", got)
	}
	if quiet := render(t, "text", Style{HideUnreachable: true}, sample()...); strings.Contains(quiet, "10.0.0.2") {
		t.Errorf("unreachable hosts are not hidden:\n%s", quiet)
	}
	if colored := render(t, "text", Style{Color: true, Verbose: true}, sample()...); !strings.Contains(colored,
		"\x1b[") ||
		!strings.Contains(colored, "SamrEnumerateUsersInDomain") {
		t.Errorf("no colour, or no ladder:\n%q", colored)
	}
}

func TestJSON(t *testing.T) {
	for n := range 3 {
		var back []model.Scan
		text := render(t, "json", Style{}, sample()[:n]...)
		if err := json.Unmarshal([]byte(text), &back); err != nil || len(back) != n {
			t.Errorf("%d results: %v in %s", n, err, text)
		}
	}
	lines := strings.Split(strings.TrimSpace(render(t, "jsonl", Style{}, sample()...)), "\n")
	if len(lines) != 2 {
		t.Errorf("%d lines", len(lines))
	}
	for _, line := range lines {
		if !json.Valid([]byte(line)) {
			t.Errorf("not JSON: %s", line)
		}
	}
}

func TestCSV(t *testing.T) {
	scans := sample()
	scans[0].WeakWays = []model.WeakWay{
		{Way: model.WaySMB1, Step: model.Step{Outcome: model.Denied}},
		{Way: model.WayNTLMv1, Step: model.Step{Outcome: model.Allowed}},
	}
	rows, err := csv.NewReader(strings.NewReader(render(t, "csv", Style{}, scans...))).ReadAll()
	if err != nil || len(rows) != 4 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	if rows[1][4] != `'=cmd|' /C calc'!A0` {
		t.Errorf("a formula gets through: %q", rows[1][4])
	}
	if n := len(rows[0]) - 1; rows[0][n] != "weak_ways" ||
		rows[1][n] != "SMB1 alone: refused; an NTLMv1 logon: accepted" {
		t.Errorf("weak ways: %q %q", rows[0][n], rows[1][n])
	}
}

// Whatever the name of a server, no cell starts a formula and no cell has a control character.
func TestCellsAreSafe(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cell := Cell(rapid.String().Draw(t, "text"))
		if trimmed := strings.TrimSpace(cell); trimmed != "" && strings.ContainsRune("=+-@|%", rune(trimmed[0])) {
			t.Errorf("%q starts a formula", cell)
		}
		if strings.ContainsFunc(cell, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			t.Errorf("%q has control characters", cell)
		}
	})
}

func TestUnknownFormat(t *testing.T) {
	if _, err := NewScanWriter(nil, "xml", Style{}); err == nil {
		t.Error("xml is taken")
	}
}
