package store

import (
	"context"
	"time"

	"ipcguard/internal/model"
)

// Reader is every query of pages and programs, and no write: code that has only a Reader cannot write. [Store] and [Tx]
// implement it.
type Reader interface {
	Acts(ctx context.Context, text string, p Page) ([]Act, int, error)
	CellCounts(ctx context.Context, f HostFilter) (map[model.Disclosure]int, error)
	Channel(ctx context.Context, id int64) (Channel, error)
	Channels(ctx context.Context) ([]Channel, error)
	ClientLogons(ctx context.Context, f HostFilter, p Page) ([]ClientLogon, int, error)
	Compare(ctx context.Context, from, to time.Time, f HostFilter, p Page) ([]Difference, int, error)
	Counts(ctx context.Context, f HostFilter) (Counts, error)
	Credential(ctx context.Context, id int64) (Credential, error)
	Credentials(ctx context.Context) ([]Credential, error)
	Deliveries(ctx context.Context, channel int64, p Page) ([]Delivery, int, error)
	Document(ctx context.Context, hostID int64, kind string) ([]byte, time.Time, error)
	EachHost(ctx context.Context, f HostFilter, do func(Host) error) error
	EachTarget(ctx context.Context, f TargetFilter, do func(Target) error) error
	EnrolledWorkers(ctx context.Context) ([]Enrolled, error)
	Events(ctx context.Context, f EventFilter, p Page) ([]Event, int, error)
	Exceptions(ctx context.Context, all bool) ([]Exception, error)
	FindingCounts(ctx context.Context, f HostFilter) ([]FindingCount, error)
	Findings(ctx context.Context, f HostFilter, p Page) ([]HostFinding, int, error)
	Host(ctx context.Context, id int64) (Host, error)
	HostFindings(ctx context.Context, hostID int64) ([]HostFinding, error)
	HostNames(ctx context.Context, hostID int64) ([]HostName, error)
	Hosts(ctx context.Context, f HostFilter, p Page) ([]Host, int, error)
	Meta(ctx context.Context, key string) (string, error)
	OpenRuns(ctx context.Context) ([]Run, error)
	OpenSince(ctx context.Context, f HostFilter) (map[int64]time.Time, error)
	Owners(ctx context.Context, within Sites) ([]string, error)
	Passkeys(ctx context.Context, userID int64) ([]Passkey, error)
	Ping(ctx context.Context) error
	PreviousDocument(ctx context.Context, hostID int64, kind string) ([]byte, time.Time, error)
	RecoveryCodes(ctx context.Context, userID int64) (int, error)
	Results(ctx context.Context, hostID int64, p Page) ([]Result, int, error)
	Rollout(ctx context.Context, id int64, within Sites) (Rollout, error)
	RolloutGroups(ctx context.Context, id int64, within Sites, p Page) ([]RolloutGroup, int, error)
	RolloutHosts(ctx context.Context, id int64, f RolloutFilter, p Page) ([]RolloutHost, int, error)
	Rollouts(ctx context.Context, within Sites, p Page) ([]Rollout, int, error)
	RolloutStops(ctx context.Context, id int64, within Sites, p Page) ([]RolloutStop, int, error)
	Run(ctx context.Context, id int64) (Run, error)
	Runs(ctx context.Context, p Page) ([]Run, int, error)
	RunsOf(ctx context.Context, sites []string, p Page) ([]Run, int, error)
	Schedule(ctx context.Context, id int64) (Schedule, error)
	Schedules(ctx context.Context) ([]Schedule, error)
	SettingCounts(ctx context.Context, f HostFilter) ([]SettingCount, error)
	Site(ctx context.Context, id int64) (Site, error)
	SiteByName(ctx context.Context, name string) (Site, error)
	Sites(ctx context.Context) ([]Site, error)
	Spans(ctx context.Context, hostID int64, kind RunKind) ([]Span, error)
	Standings(ctx context.Context, f HostFilter) ([]Standing, error)
	Tags(ctx context.Context, within Sites) ([]string, error)
	Target(ctx context.Context, id int64) (Target, error)
	Targets(ctx context.Context, f TargetFilter, p Page) ([]Target, int, error)
	Tokens(ctx context.Context, userID int64) ([]Token, error)
	Trend(ctx context.Context, from, to time.Time, site string) ([]TrendPoint, error)
	Units(ctx context.Context, runID int64, state UnitState, p Page) ([]Unit, int, error)
	User(ctx context.Context, id int64) (User, error)
	Users(ctx context.Context) ([]User, error)
	View(ctx context.Context, userID, id int64) (SavedView, error)
	Views(ctx context.Context, userID int64) ([]SavedView, error)
	Workers(ctx context.Context) ([]Worker, error)
}

var (
	_ Reader = (*Store)(nil)
	_ Reader = (*Tx)(nil)
)
