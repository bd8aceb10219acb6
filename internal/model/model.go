// Package model holds the product's nouns as plain structs: what scan, audit, observe and plan hand to one
// another and to the user as JSON. It has no behaviour beyond small, pure questions about its own values, and
// imports the standard library alone.
//
// The JSON field names are a contract: fields may be added, never renamed. Times are RFC 3339; statuses are the
// field's own names (STATUS_ACCESS_DENIED, WERR_ACCESS_DENIED, nca_s_fault_access_denied) or hexadecimal.
package model

// Schema names, one for each kind of document.
const (
	SchemaScan  = "ipcguard.scan/1"
	SchemaAudit = "ipcguard.audit/1"
	SchemaUse   = "ipcguard.use/1"
	SchemaPlan  = "ipcguard.plan/1"
)

// Layer is where an answer came from.
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

// Outcome is the closed list of answers. An error is never Denied and never "empty".
type Outcome string

// The outcomes.
const (
	Allowed      Outcome = "allowed"
	Denied       Outcome = "denied"
	Absent       Outcome = "absent"       // no such pipe, interface or call
	Inconclusive Outcome = "inconclusive" // time-out, dropped, malformed
	NotTested    Outcome = "not-tested"
)

// Verdict sums up one host.
type Verdict string

// The verdicts. Exposed needs data given to an unauthenticated identity; Limited is let in but given no more
// than its own name and what a server tells every client.
const (
	Exposed             Verdict = "exposed"
	Limited             Verdict = "limited"
	Closed              Verdict = "closed"
	VerdictInconclusive Verdict = "inconclusive"
	Unreachable         Verdict = "unreachable"
	// VerdictNotTested is no verdict: the address was not asked.
	VerdictNotTested Verdict = "not-tested"
)

// Severity orders findings.
type Severity string

// The severities, highest first.
const (
	Critical Severity = "critical"
	High     Severity = "high"
	Medium   Severity = "medium"
	Low      Severity = "low"
	Info     Severity = "info"
)

// Rank is 0 for Info up to 4 for Critical.
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

// Control is one requirement of a published benchmark. Source says who published the mapping.
type Control struct {
	Benchmark string `json:"benchmark"`
	Version   string `json:"version,omitempty"`
	ID        string `json:"id"`
	Source    string `json:"source,omitempty"`
}

// Finding is one thing worth an administrator's attention, with the evidence for it.
type Finding struct {
	ID       string    `json:"id"` // a catalog finding
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
	Looks    []Look    `json:"looks,omitempty"` // what earned it
}
