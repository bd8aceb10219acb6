package report

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"ipcguard/internal/model"
)

// The parts of SARIF 2.1.0 that a result needs. See the OASIS standard, section 3.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool        sarifTool         `json:"tool"`
		Invocations []sarifInvocation `json:"invocations"`
		Results     []sarifResult     `json:"results"`
		ColumnKind  string            `json:"columnKind"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name  string      `json:"name"`
		Rules []sarifRule `json:"rules"`
	}
	sarifText struct {
		Text string `json:"text"`
	}
	sarifRule struct {
		ID               string         `json:"id"`
		ShortDescription sarifText      `json:"shortDescription"`
		FullDescription  *sarifText     `json:"fullDescription,omitempty"`
		Help             *sarifText     `json:"help,omitempty"`
		Properties       map[string]any `json:"properties,omitempty"`
	}
	sarifInvocation struct {
		ExecutionSuccessful bool                `json:"executionSuccessful"`
		EndTimeUTC          string              `json:"endTimeUtc"`
		Notifications       []sarifNotification `json:"toolExecutionNotifications,omitempty"`
	}
	sarifNotification struct {
		Level   string    `json:"level"`
		Message sarifText `json:"message"`
	}
	sarifResult struct {
		RuleID       string            `json:"ruleId"`
		RuleIndex    int               `json:"ruleIndex"`
		Level        string            `json:"level"`
		Message      sarifText         `json:"message"`
		Locations    []sarifLocation   `json:"locations"`
		Fingerprints map[string]string `json:"partialFingerprints"`
		Properties   map[string]any    `json:"properties"`
	}
	sarifLocation struct {
		Physical *sarifPhysical `json:"physicalLocation,omitempty"`
		Logical  []sarifLogical `json:"logicalLocations,omitempty"`
	}
	sarifPhysical struct {
		Artifact sarifArtifact `json:"artifactLocation"`
		Region   *sarifRegion  `json:"region,omitempty"`
	}
	sarifArtifact struct {
		URI string `json:"uri"`
	}
	sarifRegion struct {
		StartLine int `json:"startLine"`
	}
	sarifLogical struct {
		FullyQualifiedName string `json:"fullyQualifiedName"`
		Kind               string `json:"kind"`
	}
)

// sarif writes one run with every result.
func (d *Document) sarif() error {
	run := sarifRun{
		Tool:        sarifTool{sarifDriver{Name: "ipcguard", Rules: []sarifRule{}}},
		Invocations: []sarifInvocation{{ExecutionSuccessful: true, EndTimeUTC: d.now.Format("2006-01-02T15:04:05Z")}},
		Results:     []sarifResult{}, ColumnKind: "utf16CodeUnits",
	}
	for _, h := range d.hosts {
		run.Invocations[0].Notifications = append(run.Invocations[0].Notifications, h.sarifNotifications()...)
		for _, f := range h.Findings {
			run.Results = append(run.Results, d.sarifResult(&run.Tool.Driver, h, &f))
		}
	}
	return d.encode(sarifLog{
		Schema:  "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
		Version: "2.1.0", Runs: []sarifRun{run},
	})
}

// sarifNotifications returns what bounds the results of a host, because consumers take a result that is missing for one
// that is fixed: that it gave no answer or only a part, what could not be read, and where the scan stopped.
func (h *subject) sarifNotifications() []sarifNotification {
	var out []sarifNotification
	add := func(level, text string) { out = append(out, sarifNotification{level, sarifText{text}}) }
	switch h.Verdict {
	case string(model.Unreachable), string(model.VerdictInconclusive), string(model.VerdictNotTested), "unknown":
		add("warning", h.Answer.String())
	default:
		if h.Partial && len(h.Problems) == 0 { // problems say it in detail
			add("warning", h.Answer.String())
		}
	}
	for _, p := range h.Problems {
		add("warning", h.Name+": "+p)
	}
	for _, l := range h.Limits {
		add("note", h.Name+": limit: "+l)
	}
	return out
}

func (d *Document) encode(v any) error {
	e := json.NewEncoder(model.JSONWriter{Writer: d.w})
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

func (d *Document) sarifResult(driver *sarifDriver, h *subject, f *model.Finding) sarifResult {
	index := slices.IndexFunc(driver.Rules, func(r sarifRule) bool { return r.ID == f.ID })
	if index < 0 {
		index = len(driver.Rules)
		driver.Rules = append(driver.Rules, d.sarifRule(f))
	}
	sum := sha256.Sum256([]byte(strings.Join([]string{h.Name, f.ID, string(f.Identity), f.Pipe, f.Setting}, "\x00")))
	properties := map[string]any{"severity": string(f.Severity), "source": h.Kind, "target": h.Name}
	for key, value := range map[string]string{
		"identity": string(f.Identity), "pipe": f.Pipe, "setting": f.Setting,
		"fix": f.Fix, "host": h.Host,
	} {
		if value != "" {
			properties[key] = value
		}
	}
	if len(f.Controls) > 0 {
		var controls []string
		for _, c := range f.Controls {
			controls = append(controls, controlText(c))
		}
		properties["controls"] = controls
	}
	text := f.Evidence
	if f.Fix != "" {
		text += ". Fix: " + f.Fix
	}
	if text == "" {
		text = f.ID
	}
	return sarifResult{
		RuleID: f.ID, RuleIndex: index, Level: sarifLevel(f.Severity), Message: sarifText{text},
		Locations: []sarifLocation{h.sarifLocation(f)}, Properties: properties,
		Fingerprints: map[string]string{"ipcguard/1": hex.EncodeToString(sum[:16])},
	}
}

func (d *Document) sarifRule(f *model.Finding) sarifRule {
	r := sarifRule{ID: f.ID, ShortDescription: sarifText{orText(f.Title, f.ID)}}
	c := d.catalog.Finding(f.ID)
	if c == nil {
		return r
	}
	r.ShortDescription = sarifText{c.Title}
	r.FullDescription, r.Help = &sarifText{orText(c.Meaning, c.Title)}, &sarifText{orText(c.Fix.Text(), c.Title)}
	// the scale that SARIF consumers use to sort security results
	score := map[model.Severity]string{
		model.Critical: "9.5", model.High: "8.0", model.Medium: "5.5", model.Low: "2.5",
		model.Info: "0.5",
	}
	r.Properties = map[string]any{"security-severity": score[f.Severity], "tags": []string{"security", "smb"}}
	return r
}

func orText(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func sarifLevel(s model.Severity) string {
	switch {
	case s.Rank() >= model.High.Rank():
		return "error"
	case s == model.Medium:
		return "warning"
	}
	return "note"
}

// sarifLocation returns the file and line of the setting if they are known, else the host with the pipe or setting.
func (h *subject) sarifLocation(f *model.Finding) sarifLocation {
	name := h.Name
	kind := "resource"
	switch {
	case f.Pipe != "":
		name += `\IPC$\` + f.Pipe
	case f.Setting != "":
		name += ": " + f.Setting
	}
	l := sarifLocation{Logical: []sarifLogical{{name, kind}}}
	if h.Kind != "audit" || len(h.Sources) == 0 {
		return l
	}
	file, line := h.Sources[0], 0
	for _, s := range h.Settings {
		if s.ID != f.Setting || s.Origin == "" {
			continue
		}
		place, _, _ := strings.Cut(s.Origin, " [")
		if at := strings.LastIndexByte(place, ':'); at > 0 {
			if n, err := strconv.Atoi(place[at+1:]); err == nil && n > 0 && slices.Contains(h.Sources, place[:at]) {
				file, line = place[:at], n
			}
		}
	}
	l.Physical = &sarifPhysical{Artifact: sarifArtifact{fileURI(file)}}
	if line > 0 {
		l.Physical.Region = &sarifRegion{line}
	}
	return l
}

// fileURI returns a path in SARIF's form: relative ones as they are, absolute ones with file://.
func fileURI(path string) string {
	slashed := filepath.ToSlash(path)
	u := url.URL{Path: slashed}
	if filepath.IsAbs(path) {
		u.Scheme = "file"
		if !strings.HasPrefix(slashed, "/") {
			u.Path = "/" + slashed
		}
	}
	return u.String()
}
