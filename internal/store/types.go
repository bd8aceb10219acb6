package store

import (
	"time"

	"ipcguard/internal/model"
)

// Site is a part of the network that one server or its workers can reach. Targets belong to sites.
type Site struct {
	ID          int64     `json:"id"`
	Name        string    `json:"name"`
	Rate        float64   `json:"rate"`        // connections a second, all workers of the site together; 0 is no limit
	Concurrency int       `json:"concurrency"` // hosts at a time for each worker; 0 is the scanner's own default
	Window      string    `json:"window"`      // when scanning is allowed, such as "Mon-Fri 22:00-06:00"; empty is always
	Zone        string    `json:"zone"`        // time zone of the window and of the site's schedules; empty is UTC
	Created     time.Time `json:"created"`
}

// TargetKind tells a host from a range of addresses.
type TargetKind string

// The kinds of target. A range is never scanned itself: a discovery sweep makes host targets of what answers in it.
const (
	TargetHost  TargetKind = "host"
	TargetRange TargetKind = "range"
)

// Criticality is how much an owner minds.
type Criticality string

// The criticalities, least first.
const (
	CriticalityLow    Criticality = "low"
	CriticalityNormal Criticality = "normal"
	CriticalityHigh   Criticality = "high"
)

// Target is what an administrator named. It is unique by site and spec.
type Target struct {
	ID          int64       `json:"id"`
	SiteID      int64       `json:"site_id"`
	Site        string      `json:"site"` // read only: the site's name
	Spec        string      `json:"spec"` // host[:port], CIDR or range, as scan takes it
	Kind        TargetKind  `json:"kind"`
	Tags        []string    `json:"tags"` // lower case, sorted, once each
	Owner       string      `json:"owner"`
	Criticality Criticality `json:"criticality"`
	Credential  int64       `json:"credential,omitempty"` // for authenticated checks; 0 is none
	AuditSource string      `json:"audit_source,omitempty"`
	Enabled     bool        `json:"enabled"`
	FoundBy     int64       `json:"found_by,omitempty"` // the range target whose sweep found it
	HostID      int64       `json:"host_id,omitempty"`  // the host that answered here last
	Note        string      `json:"note,omitempty"`
	Created     time.Time   `json:"created"`
}

// Host is one machine as last seen, under however many targets. It is unique by site and address.
type Host struct {
	ID          int64          `json:"id"`
	SiteID      int64          `json:"site_id"`
	Site        string         `json:"site"`
	Address     string         `json:"address"` // IP:port
	Name        string         `json:"name"`    // what it calls itself, else what the target calls it
	Identity    string         `json:"identity,omitempty"`
	SameAs      int64          `json:"same_as,omitempty"` // another address of what looks like the same machine
	Tags        []string       `json:"tags"`
	Owner       string         `json:"owner"`
	Criticality Criticality    `json:"criticality"`
	System      string         `json:"system"` // windows, samba or unknown
	OS          string         `json:"os"`
	Verdict     model.Verdict  `json:"verdict"`
	Cells       Cells          `json:"cells"`
	SMB1        bool           `json:"smb1"`
	Signing     string         `json:"signing"`
	Severity    model.Severity `json:"severity"` // the worst finding that is open; empty is none
	Findings    int            `json:"findings"` // how many are open, exceptions included
	Excepted    int            `json:"excepted"` // how many of them an exception covers
	FirstSeen   time.Time      `json:"first_seen"`
	LastSeen    time.Time      `json:"last_seen"` // the last result of any verdict
	LastChanged time.Time      `json:"last_changed"`
	LastAudit   time.Time      `json:"last_audit,omitzero"`
	Logon       model.Strength `json:"logon"`            // the weakest way in which somebody was let in, as last observed; empty is none that is known
	Retired     time.Time      `json:"retired,omitzero"` // since when it is not in the fleet any more
}

// Cells is what strangers get from a host: one letter for each of model.Disclosures(), in that order.
// 'a' allowed, 'd' denied, 'n' absent, '?' inconclusive, '-' not tested. Of several unauthenticated identities the
// one that gets most counts. It is empty for a host that was never answered by.
type Cells string

// HostName is one name or address under which a host is known.
type HostName struct {
	Name      string    `json:"name"`
	Kind      string    `json:"kind"` // target, dns, netbios or address
	FirstSeen time.Time `json:"first_seen"`
	LastSeen  time.Time `json:"last_seen"`
}

// RunKind is what a run does.
type RunKind string

// The kinds of run.
const (
	RunScan     RunKind = "scan"
	RunAudit    RunKind = "audit"
	RunDiscover RunKind = "discover"
)

// RunState is where a run stands.
type RunState string

// The states of a run.
const (
	RunWaiting   RunState = "waiting" // for its window, or for a worker
	RunRunning   RunState = "running"
	RunDone      RunState = "done"
	RunCancelled RunState = "cancelled"
)

// Run is one pass over a selection of targets. Its counters are kept by RecordResult and are the live progress.
type Run struct {
	ID         int64     `json:"id"`
	Kind       RunKind   `json:"kind"`
	State      RunState  `json:"state"`
	Schedule   int64     `json:"schedule,omitempty"` // 0 is by hand
	Due        time.Time `json:"due,omitzero"`       // of the schedule; unique with it
	Selector   Selector  `json:"selector"`
	Quick      bool      `json:"quick,omitempty"`
	By         string    `json:"by"`
	Created    time.Time `json:"created"`
	Started    time.Time `json:"started,omitzero"`
	Ended      time.Time `json:"ended,omitzero"`
	Total      int       `json:"total"`
	Done       int       `json:"done"` // units that have ended, however they did
	Exposed    int       `json:"exposed"`
	Limited    int       `json:"limited"`
	Closed     int       `json:"closed"`
	Unknown    int       `json:"unknown"` // inconclusive and unreachable
	Failed     int       `json:"failed"`  // units that ended without a result
	Reason     string    `json:"reason,omitempty"`
	LastResult time.Time `json:"last_result,omitzero"`
}

// Selector chooses targets. The empty one chooses all that are enabled; several fields must all hold.
type Selector struct {
	Site    string  `json:"site,omitempty"`
	Tag     string  `json:"tag,omitempty"`
	Owner   string  `json:"owner,omitempty"`
	Targets []int64 `json:"targets,omitempty"`
	Hosts   []int64 `json:"hosts,omitempty"`
}

// UnitState is where one target of a run stands.
type UnitState string

// The states of a unit.
const (
	UnitWaiting UnitState = "waiting"
	UnitRunning UnitState = "running"
	UnitDone    UnitState = "done"
	UnitFailed  UnitState = "failed"
	UnitSkipped UnitState = "skipped" // the run was cancelled, or the host was done under another name
)

// Unit is one target of one run: unique by both.
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

// Result is the answer of one unit. Snapshot and Document are stored once for equal contents.
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
	Worker     string        `json:"worker,omitempty"` // kept as long as the run's units
	Snapshot   Snapshot      `json:"snapshot"`
	Document   []byte        `json:"-"` // the whole scan or audit as JSON; the last and the one before are kept for a host
	Host       Host          `json:"-"` // the host's new state, found or made by site and address
	Names      []HostName    `json:"-"`
	Findings   []HostFinding `json:"-"` // all that are open now, of this result's kind
	Events     []Event       `json:"-"` // written in the same transaction; HostID and RunID are filled in
}

// Snapshot is what drift compares and history keeps: what strangers get and which settings are weak, with no
// names, counts or times, so that hosts that look alike share one row.
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

// Span is a stretch of time in which a host's snapshot of a kind stayed the same. Until is zero for the last.
type Span struct {
	HostID   int64     `json:"host_id"`
	Kind     RunKind   `json:"kind"`
	From     time.Time `json:"from"`
	Until    time.Time `json:"until,omitzero"`
	Results  int       `json:"results"`
	Snapshot Snapshot  `json:"snapshot"`
}

// HostFinding is one finding of one host, open or ended.
type HostFinding struct {
	HostID    int64          `json:"host_id"`
	Host      string         `json:"host,omitempty"`
	Kind      RunKind        `json:"kind"` // which check found it
	Finding   string         `json:"finding"`
	Severity  model.Severity `json:"severity"`
	Identity  model.Identity `json:"identity,omitempty"`
	Pipe      string         `json:"pipe,omitempty"`
	Evidence  string         `json:"evidence"`
	Settings  []string       `json:"settings,omitempty"`
	FirstSeen time.Time      `json:"first_seen"`
	LastSeen  time.Time      `json:"last_seen"`
	Ended     time.Time      `json:"ended,omitzero"`
	Exception int64          `json:"exception,omitempty"` // the one in force that covers it
}

// SettingCount says how many hosts have open findings that one setting would close.
type SettingCount struct {
	Setting  string         `json:"setting"`
	Hosts    int            `json:"hosts"`
	Findings int            `json:"findings"`
	Excepted int            `json:"excepted"`
	Severity model.Severity `json:"severity"`
}

// FindingCount says how many hosts have one finding open.
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
	EventSettingReverted EventKind = "setting-reverted" // changed back to what it was before it was mended
	EventSMB1Returned    EventKind = "smb1-returned"
	EventVanished        EventKind = "host-vanished"
	EventReturned        EventKind = "host-returned"
	EventInconclusive    EventKind = "verdict-inconclusive"
	EventNewFinding      EventKind = "new-finding"
	EventFindingEnded    EventKind = "finding-ended"
	EventExceptionEnded  EventKind = "exception-ended"
	EventWeakLogon       EventKind = "new-weak-logon" // a client with NTLMv1 or worse that was not observed before
	EventRetired         EventKind = "host-retired"

	// Of the server itself; a run's has the run, the others no host.
	EventWorkerSilent   EventKind = "worker-silent"
	EventChannelFailing EventKind = "channel-failing"
	EventRunFailed      EventKind = "run-failed"
	EventDiskFull       EventKind = "disk-nearly-full"
	EventCertificateEnd EventKind = "certificate-ending"
	EventProblemEnded   EventKind = "problem-ended"
)

// Event is one change that a person may want to know of.
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

// Exception accepts one finding for a while. It hides nothing of another kind.
type Exception struct {
	ID         int64     `json:"id"`
	Finding    string    `json:"finding"`           // a finding's id, never empty
	HostID     int64     `json:"host_id,omitempty"` // 0: every host that Selector takes
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
	Protocol int       `json:"protocol"` // of the jobs it understands
	Started  time.Time `json:"started"`
	Seen     time.Time `json:"seen"`
	Busy     int       `json:"busy"`
	Done     int64     `json:"done"`
}

// Credential is for authenticated checks. Sealed is an age file; it leaves the store for workers alone.
type Credential struct {
	ID      int64     `json:"id"`
	Name    string    `json:"name"`
	Kind    string    `json:"kind"` // password, hash or keytab
	Account string    `json:"account"`
	Sealed  []byte    `json:"-"`
	Created time.Time `json:"created"`
	Used    time.Time `json:"used,omitzero"`
}

// Channel is where notifications go. Sealed holds its secrets (URL, key, password) as an age file.
type Channel struct {
	ID       int64          `json:"id"`
	Name     string         `json:"name"`
	Kind     string         `json:"kind"`   // webhook, email or syslog
	Config   string         `json:"config"` // JSON without secrets
	Sealed   []byte         `json:"-"`
	Kinds    []EventKind    `json:"kinds"` // empty is all
	Least    model.Severity `json:"least"` // events below are not sent
	Acts     TellActs       `json:"acts"`
	Digest   string         `json:"digest"` // a cron line; empty is at once
	Quiet    string         `json:"quiet"`  // when changes are held back: a window as a site's; empty is never
	Zone     string         `json:"zone"`   // of Digest, Quiet and the times in messages; empty is UTC
	Enabled  bool           `json:"enabled"`
	Created  time.Time      `json:"created"`
	LastOK   time.Time      `json:"last_ok,omitzero"`
	LastFail string         `json:"last_fail,omitempty"`
}

// TellActs says whether a channel is told of acts: the lines of the audit log, every login among them.
type TellActs string

// What a channel is told of.
const (
	TellNoActs   TellActs = ""     // events alone
	TellActsToo  TellActs = "also" // acts and events
	TellActsOnly TellActs = "only" // acts and no events
)

// OfEvents tells whether the channel is told of events now.
func (c *Channel) OfEvents() bool { return c.Enabled && c.Acts != TellActsOnly }

// OfActs tells whether the channel is told of acts now.
func (c *Channel) OfActs() bool { return c.Enabled && c.Acts != TellNoActs }

// Delivery is one message to one channel, of events or of acts: unique by channel and key, so that nothing is sent twice.
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

// Role is what an account may do; each holds what is below it.
type Role string

// The roles, least first.
const (
	RoleViewer   Role = "viewer"   // read
	RoleOperator Role = "operator" // start runs, edit targets, schedules and exceptions, plan
	RoleAdmin    Role = "admin"    // everywhere: accounts, credentials, channels, sites. At a site: its settings and workers
)

// User is an account: a local one, or of somebody whom a provider of identities knows.
type User struct {
	ID        int64      `json:"id"`
	Name      string     `json:"name"`
	Role      Role       `json:"role"`              // everywhere; empty is none
	Sites     []SiteRole `json:"sites,omitempty"`   // at single sites, where that is more; read only: see SetSiteRoles
	Password  string     `json:"-"`                 // argon2id, encoded with its parameters; empty where there is none
	Subject   string     `json:"subject,omitempty"` // issuer and name of the provider; empty is a local account
	Epoch     int64      `json:"-"`                 // another one ends all sessions
	TOTP      []byte     `json:"-"`                 // sealed; empty is none
	TOTPStep  int64      `json:"-"`                 // of the last code that was taken: each is taken once
	Disabled  bool       `json:"disabled"`
	Created   time.Time  `json:"created"`
	LastLogin time.Time  `json:"last_login,omitzero"`
	LastVisit time.Time  `json:"last_visit,omitzero"` // what "since your last visit" counts from
}

// SiteRole is what an account may do at one site.
type SiteRole struct {
	SiteID int64  `json:"site_id"`
	Site   string `json:"site"`
	Role   Role   `json:"role"`
}

// Scope is what a token is for. It never gives more than the account's roles.
type Scope string

// The scopes, narrowest first.
const (
	ScopeRead       Scope = "read"       // what a viewer sees
	ScopeUpload     Scope = "upload"     // hand in results, and nothing else
	ScopeOperate    Scope = "operate"    // what an operator does
	ScopeAdminister Scope = "administer" // sites, workers, channels and credentials; never accounts or tokens
)

// Token is for programs. Hash is SHA-256 of a secret that has 256 random bits, and was shown once.
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

// Passkey is a WebAuthn credential of an account. Body is what the library keeps of it, as JSON; it holds no secret.
type Passkey struct {
	ID         int64     `json:"id"`
	UserID     int64     `json:"user_id"`
	Name       string    `json:"name"`
	Credential []byte    `json:"-"`
	Body       string    `json:"-"`
	Created    time.Time `json:"created"`
	Used       time.Time `json:"used,omitzero"`
}

// Act is one line of the audit log: who did what, when, from where.
type Act struct {
	ID      int64     `json:"id"`
	At      time.Time `json:"at"`
	Who     string    `json:"who"` // account, token:NAME or system
	From    string    `json:"from,omitempty"`
	Action  string    `json:"action"` // such as target.add, run.start, login.failed
	Subject string    `json:"subject,omitempty"`
	Detail  string    `json:"detail,omitempty"` // never a secret
	Hash    []byte    `json:"-"`                // the line's place in the chain; empty for lines of versions that had none
}

// Acts that more than one room knows by name.
const (
	ActLogin       = "login"
	ActLoginFailed = "login.failed"
)

// TrendPoint is how many hosts had each verdict at the end of a day.
type TrendPoint struct {
	Day     time.Time `json:"day"`
	Exposed int       `json:"exposed"`
	Limited int       `json:"limited"`
	Closed  int       `json:"closed"`
	Unknown int       `json:"unknown"`
}

// Difference is one host that is not the same at two dates.
type Difference struct {
	HostID int64    `json:"host_id"`
	Host   string   `json:"host"`
	Site   string   `json:"site"`
	Kind   RunKind  `json:"kind"` // of the results that differ: a scan's or an audit's
	Before Snapshot `json:"before"`
	After  Snapshot `json:"after"`
}

// Page asks for a part of a list. Size is bounded by MaxPage.
type Page struct {
	Offset int
	Size   int
	Sort   string // a column's name; "-" before it turns the order round

	Uncounted bool // of hosts: nobody asks how many there are, and 0 is said
}

// MaxPage bounds one page: what a browser still shows at once, and what a program may ask for in one call.
const MaxPage = 1000

// Sites bounds what is asked for to some sites, by number; nil is all of them, and an empty list none.
type Sites []int64

// HostFilter chooses hosts; empty fields choose all.
type HostFilter struct {
	Within      Sites
	Site        string
	Tag         string
	Owner       string
	Criticality Criticality
	Verdict     model.Verdict
	Discloses   model.Disclosure // strangers are given it
	Finding     string
	Setting     string         // an open finding that this setting would close
	Least       model.Severity // the worst open finding is at least as bad
	Unchanged   time.Time      // they have not changed since then
	Unseen      time.Time      // they had no result since then
	Text        string         // part of a name or address
	SMB1        bool
	Logon       model.Strength // it is the weakest way in which somebody was let in, or, with Client, one of the client's ways
	Client      string         // it was let in
	Excepted    bool           // only hosts with an exception in force
	Retired     bool           // those that have left the fleet, instead of those in it
	IDs         []int64
}

// TargetFilter chooses targets; empty fields choose all.
type TargetFilter struct {
	Within                 Sites
	Site, Tag, Owner, Text string
	Kind                   TargetKind
	HostID                 int64
	OnlyEnabled            bool
}

// EventFilter chooses events; empty fields choose all.
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

// Counts is the overview's first line.
type Counts struct {
	Hosts   int `json:"hosts"`
	Exposed int `json:"exposed"`
	Limited int `json:"limited"`
	Closed  int `json:"closed"`
	Unknown int `json:"unknown"`
}
