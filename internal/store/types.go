package store

import (
	"time"

	"ipcguard/internal/model"
)

// Site is a part of the network that one server or its workers can reach. Targets belong to sites.
type Site struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
	// Connections a second of all workers of the site together; 0 is no limit.
	Rate        float64 `json:"rate"`
	Concurrency int     `json:"concurrency"` // hosts at a time for each worker; 0 is the scanner's default
	// When scanning is allowed, such as "Mon-Fri 22:00-06:00"; empty is always.
	Window  string    `json:"window"`
	Zone    string    `json:"zone"` // time zone of the window and of the site's schedules; empty is UTC
	Created time.Time `json:"created"`
}

// TargetKind distinguishes a host from a range of addresses.
type TargetKind string

// The kinds of target. A range itself is never scanned: a discovery creates host targets for the addresses that answer.
const (
	TargetHost  TargetKind = "host"
	TargetRange TargetKind = "range"
)

// Criticality is how important a target is to its owner.
type Criticality string

// The criticalities, least first.
const (
	CriticalityLow    Criticality = "low"
	CriticalityNormal Criticality = "normal"
	CriticalityHigh   Criticality = "high"
)

// Target is what an administrator named. Site and spec are unique together.
type Target struct {
	ID          int64       `json:"id"`
	SiteID      int64       `json:"site_id"`
	Site        string      `json:"site"` // read only: the site's name
	Spec        string      `json:"spec"` // host[:port], CIDR or range, as for scan
	Kind        TargetKind  `json:"kind"`
	Tags        []string    `json:"tags"` // lower case, sorted, distinct
	Owner       string      `json:"owner"`
	Criticality Criticality `json:"criticality"`
	Credential  int64       `json:"credential,omitempty"` // for authenticated checks; 0 is none
	AuditSource string      `json:"audit_source,omitempty"`
	Enabled     bool        `json:"enabled"`
	FoundBy     int64       `json:"found_by,omitempty"` // the range target whose sweep found it
	HostID      int64       `json:"host_id,omitempty"`  // the host that last answered here
	Note        string      `json:"note,omitempty"`
	Created     time.Time   `json:"created"`
}

// Host is one machine as last seen, under any number of targets. Site and address are unique together.
type Host struct {
	ID          int64          `json:"id"`
	SiteID      int64          `json:"site_id"`
	Site        string         `json:"site"`
	Address     string         `json:"address"` // IP:port
	Name        string         `json:"name"`    // its own name, else the target's
	Identity    string         `json:"identity,omitempty"`
	SameAs      int64          `json:"same_as,omitempty"` // a host at another address that looks like the same machine
	Tags        []string       `json:"tags"`
	Owner       string         `json:"owner"`
	Criticality Criticality    `json:"criticality"`
	System      string         `json:"system"` // windows, samba or unknown
	OS          string         `json:"os"`
	Verdict     model.Verdict  `json:"verdict"`
	Cells       Cells          `json:"cells"`
	SMB1        bool           `json:"smb1"`
	Signing     string         `json:"signing"`
	Severity    model.Severity `json:"severity"` // the worst open finding; empty is none
	Findings    int            `json:"findings"` // open ones, including excepted ones
	Excepted    int            `json:"excepted"` // open ones that an exception covers
	FirstSeen   time.Time      `json:"first_seen"`
	LastSeen    time.Time      `json:"last_seen"` // the last result, whatever its verdict
	LastChanged time.Time      `json:"last_changed"`
	LastAudit   time.Time      `json:"last_audit,omitzero"`
	// The weakest successful logon, as last observed; empty is none known.
	Logon   model.Strength `json:"logon"`
	Retired time.Time      `json:"retired,omitzero"` // since when it is no longer in the fleet
}

// Cells is what strangers get from a host: one letter for each of model.Disclosures(), in that order. 'a' allowed, 'd'
// denied, 'n' absent, '?' inconclusive, '-' not tested. Of several unauthenticated identities the one that gets most
// counts. It is empty for a host that never answered.
type Cells string

// HostName is one name or address of a host.
type HostName struct {
	Name      string    `json:"name"`
	Kind      string    `json:"kind"` // target, dns, netbios or address
	FirstSeen time.Time `json:"first_seen"`
	LastSeen  time.Time `json:"last_seen"` // within an hour
}

// RunKind is what a run does.
type RunKind string

// The kinds of run.
const (
	RunScan     RunKind = "scan"
	RunAudit    RunKind = "audit"
	RunDiscover RunKind = "discover"
)

// RunState is the state of a run.
type RunState string

// The states of a run.
const (
	RunWaiting   RunState = "waiting" // for its window, or for a worker
	RunRunning   RunState = "running"
	RunDone      RunState = "done"
	RunCancelled RunState = "cancelled"
)

// Run is one pass over a selection of targets. RecordResult maintains its counters, which are the live progress.
type Run struct {
	ID         int64     `json:"id"`
	Kind       RunKind   `json:"kind"`
	State      RunState  `json:"state"`
	Schedule   int64     `json:"schedule,omitempty"` // 0 is a manual run
	Due        time.Time `json:"due,omitzero"`       // of the schedule; unique with it
	Selector   Selector  `json:"selector"`
	Quick      bool      `json:"quick,omitempty"`
	By         string    `json:"by"`
	Created    time.Time `json:"created"`
	Started    time.Time `json:"started,omitzero"`
	Ended      time.Time `json:"ended,omitzero"`
	Total      int       `json:"total"`
	Done       int       `json:"done"` // units that have ended in any way
	Exposed    int       `json:"exposed"`
	Limited    int       `json:"limited"`
	Closed     int       `json:"closed"`
	Unknown    int       `json:"unknown"` // inconclusive and unreachable
	Failed     int       `json:"failed"`  // units that ended without a result
	Reason     string    `json:"reason,omitempty"`
	LastResult time.Time `json:"last_result,omitzero"`
}

// Selector selects targets. The empty one selects all enabled targets; all set fields must match.
type Selector struct {
	Site    string  `json:"site,omitempty"`
	Tag     string  `json:"tag,omitempty"`
	Owner   string  `json:"owner,omitempty"`
	Targets []int64 `json:"targets,omitempty"`
	Hosts   []int64 `json:"hosts,omitempty"`
}

// UnitState is the state of one target of a run.
type UnitState string

// The states of a unit.
const (
	UnitWaiting UnitState = "waiting"
	UnitRunning UnitState = "running"
	UnitDone    UnitState = "done"
	UnitFailed  UnitState = "failed"
	UnitSkipped UnitState = "skipped" // the run was cancelled, or the host was scanned under another name
)

// Unit is one target of one run, unique by both.
type Unit struct {
	RunID    int64     `json:"run_id"`
	TargetID int64     `json:"target_id"`
	Spec     string    `json:"spec"`
	SiteID   int64     `json:"site_id"`
	State    UnitState `json:"state"`
	Worker   string    `json:"worker,omitempty"`
	Attempt  int       `json:"attempt"`
	Started  time.Time `json:"started,omitzero"`
	Ended    time.Time `json:"ended,omitzero"`
	Reason   string    `json:"reason,omitempty"`
}

// Result is the result of one unit. Equal snapshots and documents are stored once.
type Result struct {
	ID         int64         `json:"id"`
	RunID      int64         `json:"run_id"`
	TargetID   int64         `json:"target_id"`
	HostID     int64         `json:"host_id"`
	Kind       RunKind       `json:"kind"`
	At         time.Time     `json:"at"`
	Verdict    model.Verdict `json:"verdict"`
	Reason     string        `json:"reason,omitempty"`
	Partial    bool          `json:"partial,omitempty"`
	DurationMS int64         `json:"duration_ms"`
	Requests   int           `json:"requests"`
	Worker     string        `json:"worker,omitempty"` // stored as long as the run's units
	Snapshot   Snapshot      `json:"snapshot"`
	// The whole scan or audit as JSON; a host's last two are stored.
	Document []byte        `json:"-"`
	Host     Host          `json:"-"` // the host's new state; found or created by site and address
	Names    []HostName    `json:"-"`
	Findings []HostFinding `json:"-"` // all open findings of this result's kind
	Events   []Event       `json:"-"` // written in the same transaction; HostID and RunID are filled in
}

// Snapshot is what drift compares and history keeps: what strangers get and which settings are weak, without names,
// counts or times, so that hosts that look alike share one row.
type Snapshot struct {
	Verdict  model.Verdict     `json:"verdict"`
	Cells    Cells             `json:"cells,omitempty"`
	SMB1     bool              `json:"smb1,omitempty"`
	Signing  string            `json:"signing,omitempty"`
	Pipes    map[string]string `json:"pipes,omitempty"`    // identity/pipe → outcome of the open
	Calls    map[string]string `json:"calls,omitempty"`    // identity/pipe/call → outcome
	Settings map[string]string `json:"settings,omitempty"` // setting → effective value as text (audit)
	Findings []string          `json:"findings,omitempty"` // ids, sorted
}

// Span is a period in which a host's snapshot of a kind stayed the same. Until is zero for the last one.
type Span struct {
	HostID   int64     `json:"host_id"`
	Kind     RunKind   `json:"kind"`
	From     time.Time `json:"from"`
	Until    time.Time `json:"until,omitzero"`
	Last     time.Time `json:"last"` // the last result that showed it
	Results  int       `json:"results"`
	Snapshot Snapshot  `json:"snapshot"`
}

// HostFinding is one finding of one host, open or ended.
type HostFinding struct {
	HostID    int64          `json:"host_id"`
	Host      string         `json:"host,omitempty"`
	Kind      RunKind        `json:"kind"` // the check that found it
	Finding   string         `json:"finding"`
	Severity  model.Severity `json:"severity"`
	Identity  model.Identity `json:"identity,omitempty"`
	Pipe      string         `json:"pipe,omitempty"`
	Evidence  string         `json:"evidence"`
	Settings  []string       `json:"settings,omitempty"`
	FirstSeen time.Time      `json:"first_seen"`
	LastSeen  time.Time      `json:"last_seen"`
	Ended     time.Time      `json:"ended,omitzero"`
	Exception int64          `json:"exception,omitempty"` // the active one that covers it
}

// SettingCount is the number of hosts with open findings that one setting would close.
type SettingCount struct {
	Setting  string         `json:"setting"`
	Hosts    int            `json:"hosts"`
	Findings int            `json:"findings"`
	Excepted int            `json:"excepted"`
	Severity model.Severity `json:"severity"`
}

// FindingCount is the number of hosts with one open finding.
type FindingCount struct {
	Finding  string         `json:"finding"`
	Hosts    int            `json:"hosts"`
	Findings int            `json:"findings"`
	Excepted int            `json:"excepted"`
	Severity model.Severity `json:"severity"`
}

// EventKind is one kind of drift.
type EventKind string

// The kinds of event.
const (
	EventNewHost         EventKind = "new-host"
	EventBecameExposed   EventKind = "became-exposed"
	EventBecameClosed    EventKind = "became-closed"
	EventPipeOpened      EventKind = "pipe-opened"
	EventPipeClosed      EventKind = "pipe-closed"
	EventNullPipeGained  EventKind = "null-session-pipe-gained"
	EventSettingChanged  EventKind = "setting-changed"
	EventSettingReverted EventKind = "setting-reverted" // back to the value before it was fixed
	EventSMB1Returned    EventKind = "smb1-returned"
	EventVanished        EventKind = "host-vanished"
	EventReturned        EventKind = "host-returned"
	EventInconclusive    EventKind = "verdict-inconclusive"
	EventNewFinding      EventKind = "new-finding"
	EventFindingEnded    EventKind = "finding-ended"
	EventExceptionEnded  EventKind = "exception-ended"
	EventWeakLogon       EventKind = "new-weak-logon" // a client with NTLMv1 or worse that was not observed before
	EventRetired         EventKind = "host-retired"

	// Events of the server itself; a run's has the run, the others no host.
	EventWorkerSilent   EventKind = "worker-silent"
	EventChannelFailing EventKind = "channel-failing"
	EventRunFailed      EventKind = "run-failed"
	EventDiskFull       EventKind = "disk-nearly-full"
	EventCertificateEnd EventKind = "certificate-ending"
	EventProblemEnded   EventKind = "problem-ended"
)

// Event is one change that may interest a person.
type Event struct {
	ID        int64          `json:"id"`
	At        time.Time      `json:"at"`
	Kind      EventKind      `json:"kind"`
	HostID    int64          `json:"host_id,omitempty"`
	Host      string         `json:"host"`
	Site      string         `json:"site"`
	RunID     int64          `json:"run_id,omitempty"`
	Severity  model.Severity `json:"severity"`
	Subject   string         `json:"subject,omitempty"` // the pipe, setting or finding
	Before    string         `json:"before,omitempty"`
	After     string         `json:"after,omitempty"`
	Text      string         `json:"text"` // one plain sentence
	Excepted  bool           `json:"excepted,omitempty"`
	Exception int64          `json:"exception,omitempty"`
}

// Exception accepts one finding for a while. It hides no other finding.
type Exception struct {
	ID         int64     `json:"id"`
	Finding    string    `json:"finding"`           // the id of a finding, never empty
	HostID     int64     `json:"host_id,omitempty"` // 0: hosts by Tag
	Tag        string    `json:"tag,omitempty"`     // hosts with this tag; empty with HostID 0 is all hosts
	Reason     string    `json:"reason"`
	Owner      string    `json:"owner"`
	Until      time.Time `json:"until"`
	Created    time.Time `json:"created"`
	By         string    `json:"by"`
	Withdrew   time.Time `json:"withdrew,omitzero"`
	WithdrewBy string    `json:"withdrew_by,omitempty"`
}

// Schedule starts runs.
type Schedule struct {
	ID       int64     `json:"id"`
	Name     string    `json:"name"`
	Kind     RunKind   `json:"kind"`
	Cron     string    `json:"cron"` // five fields, or @daily and the like, in the zone
	Zone     string    `json:"zone"`
	Window   string    `json:"window"`
	Selector Selector  `json:"selector"`
	Quick    bool      `json:"quick,omitempty"`
	Enabled  bool      `json:"enabled"`
	Next     time.Time `json:"next,omitzero"`
	Last     time.Time `json:"last,omitzero"`
	Created  time.Time `json:"created"`
}

// Worker is a process that scans for a site.
type Worker struct {
	Name     string    `json:"name"` // host name, process id and a random part
	Site     string    `json:"site"`
	Version  string    `json:"version"`
	Protocol int       `json:"protocol"` // of the jobs it supports
	Started  time.Time `json:"started"`
	Seen     time.Time `json:"seen"`
	Busy     int       `json:"busy"`
	Done     int64     `json:"done"`
}

// Credential is for authenticated checks. Sealed is an age file; only workers get it.
type Credential struct {
	ID      int64     `json:"id"`
	Name    string    `json:"name"`
	Kind    string    `json:"kind"` // password, hash or keytab
	Account string    `json:"account"`
	Sealed  []byte    `json:"-"`
	Created time.Time `json:"created"`
	Used    time.Time `json:"used,omitzero"`
}

// Channel is a destination of notifications. Sealed contains its secrets (URL, key, password) as an age file.
type Channel struct {
	ID       int64          `json:"id"`
	Name     string         `json:"name"`
	Kind     string         `json:"kind"`   // webhook, email or syslog
	Config   string         `json:"config"` // JSON without secrets
	Sealed   []byte         `json:"-"`
	Kinds    []EventKind    `json:"kinds"` // empty is all
	Least    model.Severity `json:"least"` // events below are not sent
	Acts     TellActs       `json:"acts"`
	Digest   string         `json:"digest"` // a cron line; empty sends at once
	Quiet    string         `json:"quiet"`  // when changes are held back: a window like a site's; empty is never
	Zone     string         `json:"zone"`   // of Digest, Quiet and the times in messages; empty is UTC
	Enabled  bool           `json:"enabled"`
	Created  time.Time      `json:"created"`
	LastOK   time.Time      `json:"last_ok,omitzero"`
	LastFail string         `json:"last_fail,omitempty"`
}

// TellActs says whether a channel gets acts: the entries of the audit log, including every login.
type TellActs string

// What a channel gets.
const (
	TellNoActs   TellActs = ""     // only events
	TellActsToo  TellActs = "also" // acts and events
	TellActsOnly TellActs = "only" // acts and no events
)

// OfEvents reports whether the channel gets events now.
func (c *Channel) OfEvents() bool { return c.Enabled && c.Acts != TellActsOnly }

// OfActs reports whether the channel gets acts now.
func (c *Channel) OfActs() bool { return c.Enabled && c.Acts != TellNoActs }

// Delivery is one message to one channel, of events or of acts. Channel and key are unique together, so that nothing is
// sent twice.
type Delivery struct {
	ID      int64     `json:"id"`
	Channel int64     `json:"channel"`
	Key     string    `json:"key"` // event:ID, digest:TIME or act:ID
	Events  []int64   `json:"events"`
	Acts    []int64   `json:"acts"`
	Due     time.Time `json:"due"`
	Sent    time.Time `json:"sent,omitzero"`
	Tries   int       `json:"tries"`
	Error   string    `json:"error,omitempty"`
}

// Role is what an account may do; each includes the lower ones.
type Role string

// The roles, lowest first.
const (
	RoleViewer   Role = "viewer"   // read
	RoleOperator Role = "operator" // start runs, edit targets, schedules and exceptions, plan
	// For the whole fleet: accounts, credentials, channels, sites. At a site: its settings and workers.
	RoleAdmin Role = "admin"
)

// User is an account: a local one, or that of a user of an identity provider.
type User struct {
	ID        int64      `json:"id"`
	Name      string     `json:"name"`
	Role      Role       `json:"role"`              // for the whole fleet; empty is none
	Sites     []SiteRole `json:"sites,omitempty"`   // at single sites, if higher; read only: see SetSiteRoles
	Password  string     `json:"-"`                 // argon2id, encoded with its parameters; empty is none
	Subject   string     `json:"subject,omitempty"` // issuer and subject at the provider; empty is a local account
	Epoch     int64      `json:"-"`                 // changing it ends all sessions
	TOTP      []byte     `json:"-"`                 // sealed; empty is none
	TOTPStep  int64      `json:"-"`                 // of the last accepted code: each is accepted once
	Disabled  bool       `json:"disabled"`
	Created   time.Time  `json:"created"`
	LastLogin time.Time  `json:"last_login,omitzero"`
	LastVisit time.Time  `json:"last_visit,omitzero"` // start of "since your last visit"
}

// SiteRole is what an account may do at one site.
type SiteRole struct {
	SiteID int64  `json:"site_id"`
	Site   string `json:"site"`
	Role   Role   `json:"role"`
}

// Scope limits what a token may do. It never gives more than the account's roles.
type Scope string

// The scopes, narrowest first.
const (
	ScopeRead       Scope = "read"       // what a viewer sees
	ScopeUpload     Scope = "upload"     // only upload results
	ScopeOperate    Scope = "operate"    // what an operator does
	ScopeAdminister Scope = "administer" // sites, workers, channels and credentials; never accounts or tokens
)

// Token is a credential for programs. Hash is SHA-256 of a secret with 256 random bits, which was shown once.
type Token struct {
	ID      int64     `json:"id"`
	Name    string    `json:"name"`
	UserID  int64     `json:"user_id"`
	Scope   Scope     `json:"scope"`
	Hash    []byte    `json:"-"`
	Until   time.Time `json:"until"`
	Created time.Time `json:"created"`
	Used    time.Time `json:"used,omitzero"`
}

// Passkey is a WebAuthn credential of an account. Body is the library's data as JSON; it contains no secret.
type Passkey struct {
	ID         int64     `json:"id"`
	UserID     int64     `json:"user_id"`
	Name       string    `json:"name"`
	Credential []byte    `json:"-"`
	Body       string    `json:"-"`
	Created    time.Time `json:"created"`
	Used       time.Time `json:"used,omitzero"`
}

// Act is one entry of the audit log: who did what, when, from where.
type Act struct {
	ID      int64     `json:"id"`
	At      time.Time `json:"at"`
	Who     string    `json:"who"` // account, token:NAME or system
	From    string    `json:"from,omitempty"`
	Action  string    `json:"action"` // such as target.add, run.start, login.failed
	Subject string    `json:"subject,omitempty"`
	Detail  string    `json:"detail,omitempty"` // never a secret
	// The entry's place in the chain; empty for entries of versions without a chain.
	Hash []byte `json:"-"`
}

// Acts that several rooms know by name.
const (
	ActLogin       = "login"
	ActLoginFailed = "login.failed"
)

// TrendPoint is the number of hosts with each verdict at the end of a day.
type TrendPoint struct {
	Day     time.Time `json:"day"`
	Exposed int       `json:"exposed"`
	Limited int       `json:"limited"`
	Closed  int       `json:"closed"`
	Unknown int       `json:"unknown"`
}

// Difference is one host that differs between two dates.
type Difference struct {
	HostID int64    `json:"host_id"`
	Host   string   `json:"host"`
	Site   string   `json:"site"`
	Kind   RunKind  `json:"kind"` // of the differing results: scan or audit
	Before Snapshot `json:"before"`
	After  Snapshot `json:"after"`
}

// Page selects a part of a list. Size is bounded by MaxPage.
type Page struct {
	Offset int
	Size   int
	Sort   string // the name of a column; a leading "-" reverses the order

	Uncounted bool // of hosts: do not count them, and return a total of 0
}

// MaxPage bounds one page: what a browser can still show, and what a program may request in one call.
const MaxPage = 1000

// Sites limits a query to some sites, by id; nil is all, and an empty list none.
type Sites []int64

// The filters by audit.
const (
	AuditOld  = "old"  // hosts that changed since their last audit
	AuditNone = "none" // hosts that were never audited
)

// HostFilter selects hosts; empty fields match all.
type HostFilter struct {
	Within      Sites
	Site        string
	Tag         string
	Owner       string
	Criticality Criticality
	Verdict     model.Verdict
	Discloses   model.Disclosure // strangers get it
	Finding     string
	Setting     string         // with an open finding that this setting would close
	Least       model.Severity // the minimum severity of the worst open finding
	Unchanged   time.Time      // hosts that have not changed since then
	Unseen      time.Time      // hosts without a result since then
	Text        string         // part of a name or address
	Called      string         // a name, with or without its domain
	SMB1        bool
	// The weakest successful logon or, with Client, one of the client's ways.
	Logon    model.Strength
	Client   string // a client that logged on
	Audit    string // [AuditOld] or [AuditNone]
	Excepted bool   // only hosts with an active exception
	Retired  bool   // hosts that have left the fleet, instead of those in it
	IDs      []int64
}

// TargetFilter selects targets; empty fields match all.
type TargetFilter struct {
	Within                 Sites
	Site, Tag, Owner, Text string
	Kind                   TargetKind
	HostID                 int64
	OnlyEnabled            bool
}

// EventFilter selects events; empty fields match all.
type EventFilter struct {
	Within       Sites
	Site         string
	HostID       int64
	RunID        int64
	Kinds        []EventKind
	Least        model.Severity
	Since, Until time.Time
	AfterID      int64
	NotExcepted  bool
}

// Counts is the first line of the overview.
type Counts struct {
	Hosts   int `json:"hosts"`
	Exposed int `json:"exposed"`
	Limited int `json:"limited"`
	Closed  int `json:"closed"`
	Unknown int `json:"unknown"`
}
