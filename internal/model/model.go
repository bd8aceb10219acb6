// Package model holds the shared types as plain structs: what scan, audit, observe and plan pass to one another and
// write as JSON. Its methods are small, pure questions about their own values. It imports only the standard
// library and golang.org/x/text.
//
// The JSON field names are a contract: fields may be added, never renamed. Times are RFC 3339; statuses are the
// protocol's own names (STATUS_ACCESS_DENIED, WERR_ACCESS_DENIED, nca_s_fault_access_denied) or hexadecimal.
package model

// Schemas, one for each kind of document.
const (
	SchemaScan  = "ipcguard.scan/1"
	SchemaAudit = "ipcguard.audit/1"
	SchemaUse   = "ipcguard.use/1"
	SchemaPlan  = "ipcguard.plan/1"
)

// Layer is the layer that answered.
type Layer string

// The layers, outermost first.
const (
	LayerConnect   Layer = "connect"
	LayerNegotiate Layer = "negotiate"
	LayerSession   Layer = "session"
	LayerTree      Layer = "tree"
	LayerOpen      Layer = "open"
	LayerBind      Layer = "bind"
	LayerCall      Layer = "call"
)

// Outcome is the result of one request. An error is never Denied and never an empty result.
type Outcome string

// The outcomes.
const (
	Allowed      Outcome = "allowed"
	Denied       Outcome = "denied"
	Absent       Outcome = "absent"       // no such pipe, interface or call
	Inconclusive Outcome = "inconclusive" // time-out, dropped, malformed
	NotTested    Outcome = "not-tested"
)

// Verdict is the result for one host.
type Verdict string

// The verdicts. Exposed: data was given to an unauthenticated identity. Limited: an identity gets in and learns only
// its own name and what a server gives every client.
const (
	Exposed             Verdict = "exposed"
	Limited             Verdict = "limited"
	Closed              Verdict = "closed"
	VerdictInconclusive Verdict = "inconclusive"
	Unreachable         Verdict = "unreachable"
	// VerdictNotTested means that the host was not scanned.
	VerdictNotTested Verdict = "not-tested"
)

// Severity ranks findings.
type Severity string

// The severities, highest first.
const (
	Critical Severity = "critical"
	High     Severity = "high"
	Medium   Severity = "medium"
	Low      Severity = "low"
	Info     Severity = "info"
)

// Rank returns 0 for Info up to 4 for Critical.
func (s Severity) Rank() int {
	switch s {
	case Critical:
		return 4
	case High:
		return 3
	case Medium:
		return 2
	case Low:
		return 1
	}
	return 0
}

// Control is one requirement of a published benchmark. Source names the publisher of the mapping.
type Control struct {
	Benchmark string `json:"benchmark"`
	Version   string `json:"version,omitempty"`
	ID        string `json:"id"`
	Source    string `json:"source,omitempty"`
}

// Finding is one result that needs an administrator's attention, with its evidence.
type Finding struct {
	ID       string    `json:"id"` // catalog ID
	Severity Severity  `json:"severity"`
	Title    string    `json:"title,omitempty"`
	Identity Identity  `json:"identity,omitempty"`
	Pipe     string    `json:"pipe,omitempty"`
	Setting  string    `json:"setting,omitempty"`
	Evidence string    `json:"evidence"`
	Fix      string    `json:"fix,omitempty"`
	Settings []string  `json:"settings,omitempty"`
	Controls []Control `json:"controls,omitempty"`
	Sources  []string  `json:"sources,omitempty"`
	Looks    []Look    `json:"looks,omitempty"` // the evidence
}
