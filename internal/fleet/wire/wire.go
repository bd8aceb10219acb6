// Package wire defines the protocol between worker and server, as described in docs/fleet-worker-protocol.md: the
// bodies of requests and responses, and the bounds that both apply.
//
//	worker                                        server
//	  │ POST /worker/v1/join     code, request ─►    │ once, without a certificate
//	  │ POST /worker/v1/renew    request ─►          │
//	  │ POST /worker/v1/alive    busy, jobs ─►       │ every few seconds; ◄─ rate, jobs to drop
//	  │ POST /worker/v1/job      most ─►             │ ◄─ a job with its targets and their secrets
//	  │ POST /worker/v1/results  job, results ─►     │ ◄─ what was taken, what was refused
//	  │ POST /worker/v1/return   job ─►              │
//
// It contains only types and constants.
package wire

import (
	"encoding/json"
	"time"

	"ipcguard/internal/model"
	"ipcguard/internal/store"
)

// Protocol is the version that this program speaks. A server accepts its own and the previous one.
const Protocol = 1

// Header is the header with the protocol version of a request.
const Header = "Ipcguard-Protocol"

// The paths of the requests.
const (
	PathJoin    = "/worker/v1/join"
	PathRenew   = "/worker/v1/renew"
	PathAlive   = "/worker/v1/alive"
	PathJob     = "/worker/v1/job"
	PathResults = "/worker/v1/results"
	PathReturn  = "/worker/v1/return"
)

// Bounds. The document gives their reasons.
const (
	MaxResults = 64 << 20 // bytes of a body of results
	MaxResult  = 16 << 20 // bytes of one of them
	MaxOther   = 64 << 10 // bytes of another request's body
	MaxAnswer  = 128 << 20
	MaxJobs    = 16 // of a worker at a time
	MaxTargets = 64 // of a job
	JobWait    = 20 * time.Second
	Beat       = store.Beat
)

// CodePrefix is the prefix of a join code: ipcw1-SECRET-FINGERPRINT.
const CodePrefix = "ipcw1-"

// Join is the request to enrol a worker.
type Join struct {
	Protocol int    `json:"protocol"`
	Code     string `json:"code"` // the secret part
	Request  []byte `json:"csr"`  // PKCS #10
	Name     string `json:"name,omitempty"`
	Version  string `json:"version"`
}

// Joined is a worker's identity.
type Joined struct {
	Worker      int64  `json:"worker"`
	Name        string `json:"name"`
	Site        string `json:"site"`
	Certificate string `json:"certificate"` // PEM
	Authorities string `json:"authorities"` // PEM, those to trust
}

// Renew is the request for a new certificate.
type Renew struct {
	Request []byte `json:"csr"`
}

// Alive is a worker's heartbeat.
type Alive struct {
	Version string   `json:"version"`
	Busy    int      `json:"busy"`
	Done    int64    `json:"done"`
	Jobs    []string `json:"jobs"`
}

// State is the response to a heartbeat.
type State struct {
	Rate        float64  `json:"rate"`        // its share, in connections a second; 0 is no limit
	Concurrency int      `json:"concurrency"` // hosts at a time; 0 is the worker's own setting
	Ended       []string `json:"ended"`       // jobs to drop
}

// Ask is the request for a job.
type Ask struct {
	Most int `json:"most"` // targets
}

// Job is work for one worker.
type Job struct {
	ID          string        `json:"id"`
	Kind        store.RunKind `json:"kind"`
	Quick       bool          `json:"quick,omitempty"`
	OpenMS      int64         `json:"open_ms"` // how long hosts may start
	Targets     []Target      `json:"targets"`
	Credentials []Credential  `json:"credentials,omitempty"`
}

// Target is a target of a job.
type Target struct {
	ID          int64           `json:"id"`
	Spec        string          `json:"spec"`
	Credential  int64           `json:"credential,omitempty"`
	AuditSource string          `json:"audit_source,omitempty"`
	Scan        json.RawMessage `json:"scan,omitempty"` // of an audit: the host's last scan
	Next        string          `json:"next,omitempty"` // of a search: where it continues
}

// Credential is the opened secret of a job's target.
type Credential struct {
	ID      int64  `json:"id"`
	Name    string `json:"name"`
	Kind    string `json:"kind"`
	Account string `json:"account"`
	Secret  []byte `json:"secret"`
}

// Results are some results of a job.
type Results struct {
	Job     string   `json:"job"`
	Results []Result `json:"results"`
}

// Result is the result of one target, or of a part of a search.
type Result struct {
	Target int64         `json:"target"`
	AgeMS  int64         `json:"age_ms"`          // since the host was scanned
	Found  []string      `json:"found,omitempty"` // addresses with ports
	Scans  []*model.Scan `json:"scans,omitempty"`
	Audit  *model.Audit  `json:"audit,omitempty"`
	From   string        `json:"from,omitempty"` // of a search: where this part began; empty for the first
	Asked  int           `json:"asked,omitempty"`
	Next   string        `json:"next,omitempty"` // of a search: what comes after this part; empty for the last
	Error  string        `json:"error,omitempty"`
}

// Taken is the response to results.
type Taken struct {
	Taken   int       `json:"taken"`
	Refused []Refused `json:"refused,omitempty"`
}

// ToldBefore is why a result is refused that the server has already, from this worker or from another. The worker takes
// it as handed in.
const ToldBefore = "told before"

// Refused is a result that was refused.
type Refused struct {
	Target int64  `json:"target"`
	Why    string `json:"why"`
}

// Problem is the body of an error response.
type Problem struct {
	Detail string `json:"detail"`
}
