package report

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"ipcguard/internal/model"
)

// The numbers of the Open Cybersecurity Schema Framework for a compliance finding. See schema.ocsf.io, class 2003.
const (
	ocsfVersion  = "1.3.0"
	ocsfCategory = 2 // Findings
	ocsfClass    = 2003
	ocsfCreate   = 1
	ocsfNew      = 1
	ocsfWarning  = 2
	ocsfFail     = 3
)

type (
	ocsfEvent struct {
		ActivityID   int            `json:"activity_id"`
		ActivityName string         `json:"activity_name"`
		CategoryUID  int            `json:"category_uid"`
		CategoryName string         `json:"category_name"`
		ClassUID     int            `json:"class_uid"`
		ClassName    string         `json:"class_name"`
		TypeUID      int            `json:"type_uid"`
		Time         int64          `json:"time"` // milliseconds
		SeverityID   int            `json:"severity_id"`
		Severity     string         `json:"severity"`
		StatusID     int            `json:"status_id"`
		Status       string         `json:"status"`
		Message      string         `json:"message"`
		Metadata     ocsfMetadata   `json:"metadata"`
		FindingInfo  ocsfFinding    `json:"finding_info"`
		Compliance   ocsfCompliance `json:"compliance"`
		Resources    []ocsfResource `json:"resources"`
		Remediation  *ocsfFix       `json:"remediation,omitempty"`
		Unmapped     map[string]any `json:"unmapped,omitempty"`
	}
	ocsfMetadata struct {
		Version string      `json:"version"`
		Product ocsfProduct `json:"product"`
	}
	ocsfProduct struct {
		Name   string `json:"name"`
		Vendor string `json:"vendor_name"`
	}
	ocsfFinding struct {
		UID         string   `json:"uid"`
		Title       string   `json:"title"`
		Description string   `json:"desc,omitempty"`
		Types       []string `json:"types,omitempty"`
		CreatedTime int64    `json:"created_time"`
	}
	ocsfCompliance struct {
		Control      string   `json:"control"`
		Standards    []string `json:"standards"`
		Requirements []string `json:"requirements,omitempty"`
		StatusID     int      `json:"status_id"`
		Status       string   `json:"status"`
		StatusDetail string   `json:"status_detail,omitempty"`
	}
	ocsfResource struct {
		UID  string `json:"uid"`
		Name string `json:"name"`
		Type string `json:"type"`
	}
	ocsfFix struct {
		Description string `json:"desc"`
	}
)

// ocsf writes one compliance finding a line, as collectors take them in.
func (d *Document) ocsf() error {
	w := model.JSONWriter{Writer: d.w}
	for _, h := range d.hosts {
		for i := range h.Findings {
			b, err := json.Marshal(d.ocsfEvent(h, &h.Findings[i]))
			if err != nil {
				return fmt.Errorf("report: %w", err)
			}
			if _, err := w.Write(append(b, '\n')); err != nil {
				return err
			}
		}
	}
	return nil
}

func (d *Document) ocsfEvent(h *subject, f *model.Finding) ocsfEvent {
	title, meaning := orText(f.Title, f.ID), ""
	if c := d.catalog.Finding(f.ID); c != nil {
		title, meaning = c.Title, c.Meaning
	}
	sum := sha256.Sum256([]byte(strings.Join([]string{h.Kind, h.Name, f.ID, string(f.Identity), f.Pipe, f.Setting},
		"\x00")))
	severity, word := ocsfSeverity(f.Severity)
	e := ocsfEvent{
		ActivityID: ocsfCreate, ActivityName: "Create", CategoryUID: ocsfCategory, CategoryName: "Findings",
		ClassUID: ocsfClass, ClassName: "Compliance Finding", TypeUID: ocsfClass*100 + ocsfCreate,
		Time: h.Time.UnixMilli(), SeverityID: severity, Severity: word, StatusID: ocsfNew, Status: "New",
		Message:  f.Evidence,
		Metadata: ocsfMetadata{ocsfVersion, ocsfProduct{"ipcguard", "ipcguard"}},
		FindingInfo: ocsfFinding{
			UID: hex.EncodeToString(sum[:16]), Title: title, Description: meaning,
			Types: []string{f.ID}, CreatedTime: h.Time.UnixMilli(),
		},
		Compliance: ocsfCompliance{Control: f.ID, StatusID: ocsfFail, Status: "Fail", StatusDetail: f.Evidence},
		Resources:  []ocsfResource{{UID: h.Name, Name: orText(h.Host, h.Name), Type: "SMB server"}},
		Unmapped:   map[string]any{"source": h.Kind},
	}
	if f.Severity == model.Info {
		e.Compliance.StatusID, e.Compliance.Status = ocsfWarning, "Warning"
	}
	for _, c := range f.Controls {
		standard := strings.TrimSpace(c.Benchmark + " " + c.Version)
		if !slices.Contains(e.Compliance.Standards, standard) {
			e.Compliance.Standards = append(e.Compliance.Standards, standard)
		}
		e.Compliance.Requirements = append(e.Compliance.Requirements, controlText(c))
	}
	if e.Compliance.Standards == nil {
		e.Compliance.Standards = []string{"ipcguard"} // the schema wants one: where no benchmark asks, the rule is ours
	}
	if f.Fix != "" {
		e.Remediation = &ocsfFix{f.Fix}
	}
	for key, value := range map[string]string{"identity": string(f.Identity), "pipe": f.Pipe, "setting": f.Setting} {
		if value != "" {
			e.Unmapped[key] = value
		}
	}
	return e
}

func ocsfSeverity(s model.Severity) (id int, word string) {
	switch s {
	case model.Critical:
		return 5, "Critical"
	case model.High:
		return 4, "High"
	case model.Medium:
		return 3, "Medium"
	case model.Low:
		return 2, "Low"
	case model.Info:
		return 1, "Informational"
	}
	return 0, "Unknown"
}
