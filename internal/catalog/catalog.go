// Package catalog is the knowledge base: facts about settings, services, pipes, interfaces, findings, controls and
// claims, as data, and the access model that follows from them.
//
// The rules of the package:
//
//   - Knowledge is in data/*.yaml. A new setting or service is one entry there, with a source, and no Go code. `go
//     generate` turns the files into a Go table, so that nothing is parsed when the program starts; a test fails if the
//     two differ.
//   - Every statement has sources, written "TAG KEY place": the tag is the quality (D document, S source code, M
//     measured, 3 third party, I inference, U unverified), the key is an entry of sources.yaml.
//   - What no source settles is `unknown`, with what would settle it. The model never guesses.
//
// The model has two pure steps: Resolve determines the effective value of each setting and its basis; Evaluate
// determines what each identity may do because of it.
package catalog

import (
	"sync"

	"ipcguard/internal/model"
)

// Catalog is the whole knowledge base. It is shared and must not be modified; it is safe for concurrent use.
type Catalog struct {
	Products   []Product    `json:"products"`
	Settings   []Setting    `json:"settings"`
	Pipes      []Pipe       `json:"pipes"`
	PipeTables []PipeTable  `json:"pipe_tables"`
	Interfaces []Interface  `json:"interfaces"`
	Services   []Service    `json:"services"`
	Needs      []Need       `json:"needs"`
	Benchmarks []Benchmark  `json:"benchmarks"`
	CCI        []CCI        `json:"cci"`
	Controls   []ControlRow `json:"controls"`
	Findings   []Finding    `json:"findings"`
	Claims     []Claim      `json:"claims"`
	Topics     []Note       `json:"topics"`
	Rules      []Rule       `json:"rules"`
	Presence   []Presence   `json:"presence"`
	Ways       []Way        `json:"ways"`
	Clients    []Client     `json:"clients"`
	Servers    []Kind       `json:"servers"`
	Sources    []Source     `json:"sources"`

	index
}

// Product is one release with known defaults of its own. Products are listed in the order of their release.
type Product struct {
	ID       string       `json:"id"`
	Title    string       `json:"title"`
	System   string       `json:"system"` // windows, samba or ksmbd
	Family   string       `json:"family"` // client, server, or both
	Builds   [2]int       `json:"builds"` // first and last build number, both included; 0 if there is none
	Roles    []model.Role `json:"roles,omitempty"`
	Aliases  []string     `json:"aliases,omitempty"`
	Notes    string       `json:"notes,omitempty"`
	Measured []string     `json:"measured,omitempty"` // its releases that were measured, oldest first
	Sources  []string     `json:"sources"`
	position int
}

// Scope says where a statement applies. An empty field does not narrow it.
type Scope struct {
	Products []string     `json:"products,omitempty"`
	Since    string       `json:"since,omitempty"` // a product, this one and later
	Until    string       `json:"until,omitempty"` // a product, this one and earlier
	Family   string       `json:"family,omitempty"`
	Roles    []model.Role `json:"roles,omitempty"`
}

// Setting is one configuration value that governs access.
type Setting struct {
	ID          string `json:"id"`
	Title       string `json:"title"`
	System      string `json:"system"`
	Where       string `json:"where"`            // registry path with the value's name, or a section and parameter
	Policy      string `json:"policy,omitempty"` // the name in the group policy editor
	GptTmpl     string `json:"gpttmpl,omitempty"`
	PowerShell  string `json:"powershell,omitempty"`   // the property of Get-SmbServerConfiguration that shows it
	AuditPolicy string `json:"audit_policy,omitempty"` // the GUID of the subcategory of the audit policy that it is
	// Other names of the same value: synonyms, registry and policy names.
	Aliases []string `json:"aliases,omitempty"`
	// Values is complete; the effect of any other value is undocumented.
	Closed bool `json:"closed,omitempty"`
	// REG_DWORD, REG_MULTI_SZ, REG_SZ, REG_BINARY, bool, int, enum, string, list, members, policy
	Type        string     `json:"type"`
	Since       string     `json:"since,omitempty"`  // the first release of Samba that knows it by this name
	Before      string     `json:"before,omitempty"` // the name by which releases before Since know the same
	Applies     Scope      `json:"applies,omitzero"`
	Summary     string     `json:"summary"`
	Values      []Meaning  `json:"values,omitempty"`
	Defaults    []Default  `json:"defaults"`
	Wanted      []Wanted   `json:"wanted,omitempty"`
	TakesEffect []Effect   `json:"takes_effect"`
	Breaks      []Breakage `json:"breaks,omitempty"`
	Ends        []End      `json:"ends,omitempty"`
	Audits      []Listen   `json:"audits,omitempty"` // what logs the clients that a stricter value would refuse
	Governs     Governs    `json:"governs,omitzero"`
	Side        string     `json:"side,omitempty"`       // server (default) or client
	Reach       string     `json:"reach,omitempty"`      // who is affected: anonymous, everyone
	CoveredBy   []Cover    `json:"covered_by,omitempty"` // other settings that do what the wanted value is for
	Finding     string     `json:"finding,omitempty"`    // the finding of a weak value, if it has its own
	Unsuited    string     `json:"unsuited,omitempty"`   // why it is the wrong setting to use against strangers
	Afar        *Afar      `json:"afar,omitempty"`       // whether it may be changed over the network; nil: never
	// Of ksmbd: a value counts by how it begins, and what begins as none of the values is this one.
	Otherwise any `json:"otherwise,omitempty"`
	// Of Samba: only smbd uses it, also on a domain controller, and rereads it on request.
	SmbdAlone bool `json:"smbd_alone,omitempty"`
	// Of Samba: a disk share may have the line, too. These are the values with a meaning there.
	InShares []Meaning `json:"in_shares,omitempty"`
	Notes    []string  `json:"notes,omitempty"`
	Unknown  []string  `json:"unknown,omitempty"` // what no source settles
	Related  []string  `json:"related,omitempty"`
	Sources  []string  `json:"sources"`

	position int
}

// Meaning is the effect of one value.
type Meaning struct {
	Scope
	Value any    `json:"value"`
	Means string `json:"means"`

	NotHere   bool   `json:"not_here,omitempty"`   // its effect equals that of another value here, so no plan sets it
	OnRequest string `json:"on_request,omitempty"` // why a plan sets it only on request
}

// Default is the effective value if nothing is configured. The first entry whose scope fits counts.
type Default struct {
	Scope
	Value   any      `json:"value"`
	Before  string   `json:"before,omitempty"`  // of Samba's releases before this one
	From    string   `json:"from,omitempty"`    // of Samba's releases from this one on
	Unknown string   `json:"unknown,omitempty"` // what would settle it; then Value has no meaning
	Sources []string `json:"sources"`
}

// Wanted is the value that closes the exposure, and how to compare with it.
type Wanted struct {
	Scope
	Value   any    `json:"value"`
	Compare string `json:"compare"` // equal, one-of, at-least, at-most, subset, sddl, no-filter, not-root, any
	Why     string `json:"why"`
}

// Text describes the wanted values.
func (w *Wanted) Text() string {
	v := model.Text(w.Value)
	switch w.Compare {
	case "at-least":
		return v + " or more"
	case "at-most":
		return v + " or less"
	case "subset":
		if v != "empty" {
			return "nothing but " + v
		}
	case "one-of":
		return "one of " + v
	case "no-filter":
		return "no filter"
	case "not-root":
		return "any account but root"
	}
	return v
}

// Cover is another setting, with the values at which this one need not have its wanted value, and why.
type Cover struct {
	Setting string `json:"setting"`
	Values  []any  `json:"values"`
	Why     string `json:"why"`
}

// Effect says when a change takes effect.
type Effect struct {
	Scope
	When    string   `json:"when"` // now, new-connections, service-restart, reboot, unknown
	How     string   `json:"how"`
	Sources []string `json:"sources,omitempty"`
}

// Breakage is something that stops working at a value.
type Breakage struct {
	Scope
	Value     any      `json:"value,omitempty"`
	Who       string   `json:"who"`
	What      string   `json:"what"`
	Services  []string `json:"services,omitempty"`
	Certainty string   `json:"certainty"` // documented or possible
	Sources   []string `json:"sources"`
}

// Listen is a setting that makes a host log the clients that another setting would refuse.
type Listen struct {
	Setting string `json:"setting"`
	Value   any    `json:"value"`
	Tells   string `json:"tells"`
}

// End is a kind of logon that a setting's value disables. All given conditions must hold.
type End struct {
	Scope
	Values  []any `json:"values,omitempty"`   // the values that do
	AtLeast int   `json:"at_least,omitempty"` // of a number: this value and above
	Bits    int   `json:"bits,omitempty"`     // of a number: all of these bits set

	Who         []model.Identity `json:"who,omitempty"`         // empty: any user
	Packages    []string         `json:"packages,omitempty"`    // the logon uses one of these protocols
	Raw         bool             `json:"raw,omitempty"`         // and comes without NTLMSSP
	Older       string           `json:"older,omitempty"`       // the newest dialect of the client is older than this
	NotOlder    string           `json:"not_older,omitempty"`   // and is not older than this
	NoName      bool             `json:"no_name,omitempty"`     // the client does not name the service
	Named       bool             `json:"named,omitempty"`       // the client names the service
	IPC         bool             `json:"ipc,omitempty"`         // at IPC$, not at the logon
	Interface   string           `json:"interface,omitempty"`   // at this RPC interface, not at the logon
	Unsigned    bool             `json:"unsigned,omitempty"`    // the client does not offer signing
	Unencrypted bool             `json:"unencrypted,omitempty"` // the client does not offer encryption
	SMB2        bool             `json:"smb2,omitempty"`        // the client speaks SMB2 or later
	Global      bool             `json:"global,omitempty"`      // not as the line of one share
	Encrypts    bool             `json:"encrypts,omitempty"`    // the client offers encryption, and its dialect has it

	Except        string   `json:"except,omitempty"`         // the setting that lists the exempt servers
	ExceptLine    string   `json:"except_line,omitempty"`    // the setting with one line for each exempt account
	Domain        bool     `json:"domain,omitempty"`         // at every server of the domain, not only at this host
	While         []Cover  `json:"while,omitempty"`          // only while these settings have one of these values
	Maybe         string   `json:"maybe,omitempty"`          // why it is not certain
	Logged        []Doubt  `json:"logged,omitempty"`         // where a log has such logons that may be none
	WrongPassword bool     `json:"wrong_password,omitempty"` // the refusal is that of a wrong password
	Why           string   `json:"why"`
	Sources       []string `json:"sources"`
}

// Doubt says on which hosts a log writes a logon of one kind although it may have been of another kind.
type Doubt struct {
	Scope
	Why     string   `json:"why"`
	Sources []string `json:"sources"`
}

// Governs links a setting to what it controls.
type Governs struct {
	Session   bool               `json:"session,omitempty"`
	Tree      bool               `json:"tree,omitempty"`
	Pipes     []string           `json:"pipes,omitempty"` // "*" for every pipe
	Discloses []model.Disclosure `json:"discloses,omitempty"`
}

// Pipe is one named pipe behind IPC$.
type Pipe struct {
	Name       string   `json:"name"`
	Title      string   `json:"title"`
	Aliases    []string `json:"aliases,omitempty"`    // other names that reach the same server process
	Interfaces []Bound  `json:"interfaces,omitempty"` // what to probe behind it, in order
	Probe      string   `json:"probe"`                // call, bind-only, open-only, never
	Systems    []string `json:"systems,omitempty"`
	// Always there, or the setting that starts its service; empty is not known.
	Windows string   `json:"windows,omitempty"`
	Notes   string   `json:"notes,omitempty"`
	Sources []string `json:"sources"`
}

// Bound is an interface behind a pipe with the pipe's own probe policy.
type Bound struct {
	ID    string `json:"id"`
	Probe string `json:"probe"` // call, bind-only or never
}

// PipeTable lists what anonymous may open by default on some products. See [MS-SRVS] 3.1.3.
type PipeTable struct {
	ID          string   `json:"id"`
	Scope       Scope    `json:"scope"`
	Builtin     []string `json:"builtin"`                // what the release opens by default, hard-coded names included
	Registry    []string `json:"registry"`               // what its NullSessionPipes value holds by default
	Unsure      []string `json:"unsure,omitempty"`       // names about which the documents disagree
	UnsureBuild int      `json:"unsure_build,omitempty"` // the last build about which they disagree; 0 is all
	Known       bool     `json:"known"`                  // whether Registry is documented
	Hard        []string `json:"hard"`                   // open even when the registry value is emptied
	Notes       string   `json:"notes,omitempty"`
	Sources     []string `json:"sources"`
}

// Interface is one RPC interface.
type Interface struct {
	ID      string   `json:"id"`
	Title   string   `json:"title"`
	UUID    string   `json:"uuid"`
	Version string   `json:"version"`
	Doc     string   `json:"doc"`
	Probe   string   `json:"probe"` // call, bind-only or never
	Why     string   `json:"why,omitempty"`
	Coerces bool     `json:"coerces,omitempty"` // its calls make a server authenticate to another host
	Calls   []Call   `json:"calls,omitempty"`
	Aliases []string `json:"aliases,omitempty"`
	Sources []string `json:"sources"`
}

// Call is one operation of an interface that the probes use, or must never use.
type Call struct {
	Name      string           `json:"name"`
	Opnum     int              `json:"opnum"`
	Discloses model.Disclosure `json:"discloses,omitempty"`
	Avoid     string           `json:"avoid,omitempty"` // why it is never called
	// Needs no handle of an earlier call, so a refusal of that call does not settle this one.
	Free bool `json:"free,omitempty"`
	// Never called by the probes, because another call requests the same.
	Spare bool `json:"spare,omitempty"`
}

// Service is something that uses pipes.
type Service struct {
	ID         string       `json:"id"`
	Title      string       `json:"title"`
	Aliases    []string     `json:"aliases,omitempty"`
	Pipes      []string     `json:"pipes,omitempty"`
	Names      []string     `json:"names,omitempty"` // pipe names with a variable part, <instance> style
	Interfaces []string     `json:"interfaces,omitempty"`
	Anonymous  string       `json:"anonymous"` // who needs anonymous access: the ID of a Need
	Detect     Detect       `json:"detect,omitzero"`
	Breaks     ServiceBreak `json:"breaks,omitzero"`
	Needs      string       `json:"needs"` // what it needs, in one sentence
	Unknown    []string     `json:"unknown,omitempty"`
	Applies    Scope        `json:"applies,omitzero"`
	Sources    []string     `json:"sources"`
}

// Need says who needs a service's pipes without credentials.
type Need struct {
	ID          string   `json:"id"`                    // none, legacy, dc or unknown
	Means       string   `json:"means"`                 // a phrase beside the service
	Brief       string   `json:"brief"`                 // a sentence of its own
	On          *Scope   `json:"on,omitempty"`          // on these hosts; nil: on none because of its release
	Controllers bool     `json:"controllers,omitempty"` // on domain controllers of every release
	Sources     []string `json:"sources,omitempty"`
}

// Detect says how to recognize a service.
type Detect struct {
	Services []string `json:"services,omitempty"` // Windows service names; a trailing * matches any rest
	Shares   []string `json:"shares,omitempty"`
	Ports    []int    `json:"ports,omitempty"`
}

// ServiceBreak says what breaks a service. Empty means that nothing is documented.
type ServiceBreak struct {
	Restrict string `json:"restrict,omitempty"` // anonymous restricted
	Block    string `json:"block,omitempty"`    // IPC$ or the Server service blocked
	Firewall string `json:"firewall,omitempty"` // the pipe firewall, unless listed
	NoSMB1   string `json:"no_smb1,omitempty"`  // SMB1 switched off
}

// Benchmark is one published list of requirements.
type Benchmark struct {
	ID       string       `json:"id"`
	Title    string       `json:"title"`
	Version  string       `json:"version"`
	Products []string     `json:"products,omitempty"`
	Roles    []model.Role `json:"roles,omitempty"`
	Family   string       `json:"family"` // cis, stig, msft, nist, attack
	Source   string       `json:"source"`
}

// CCI is one of DISA's identifiers and its meaning in NIST SP 800-53.
type CCI struct {
	ID   string `json:"id"`
	NIST string `json:"nist"`
}

// ControlRow is one setting in every benchmark that contains it.
type ControlRow struct {
	Setting string                  `json:"setting"`
	Value   string                  `json:"value"`
	Roles   map[string][]model.Role `json:"roles,omitempty"` // benchmark family: the roles to which it is limited
	IDs     map[string]string       `json:"ids"`             // benchmark: id
	CCI     []string                `json:"cci,omitempty"`
	Attack  []string                `json:"attack,omitempty"`
	Level   string                  `json:"level,omitempty"` // DISA's severity
	Notes   string                  `json:"notes,omitempty"`
	Sources []string                `json:"sources"`
}

// Finding is one result that needs an administrator's attention.
type Finding struct {
	ID        string           `json:"id"`
	Title     string           `json:"title"`
	Kind      string           `json:"kind"` // scan, audit or joined
	Identity  model.Identity   `json:"identity,omitempty"`
	Discloses model.Disclosure `json:"discloses,omitempty"`
	Severity  []Grade          `json:"severity"` // the first that fits counts
	Meaning   string           `json:"meaning"`
	Fix       Advice           `json:"fix"`
	Settings  []string         `json:"settings,omitempty"`
	Pipes     []string         `json:"pipes,omitempty"`
	Refs      []string         `json:"refs,omitempty"` // CVE, Nessus, ATT&CK
	Sources   []string         `json:"sources"`
}

// Grade is a severity and its scope.
type Grade struct {
	Scope
	Level model.Severity `json:"level"`
}

// Claim is a common claim, checked.
type Claim struct {
	ID       string   `json:"id"`
	Claim    string   `json:"claim"`
	Verdict  string   `json:"verdict"` // true, false, partly or unknown
	Why      string   `json:"why"`
	Against  string   `json:"against,omitempty"` // a source that contradicts it
	Settings []string `json:"settings,omitempty"`
	Services []string `json:"services,omitempty"`
	Aliases  []string `json:"aliases,omitempty"`
	Sources  []string `json:"sources"`
}

// Note explains a term that is not a setting, pipe or service.
type Note struct {
	ID      string   `json:"id"`
	Title   string   `json:"title"`
	Aliases []string `json:"aliases,omitempty"`
	Text    []string `json:"text"`
	Related []string `json:"related,omitempty"`
	Sources []string `json:"sources"`
}

// Rule says who gets one kind of disclosure from one interface of a Samba or ksmbd server.
type Rule struct {
	Discloses model.Disclosure `json:"discloses"`
	Pipe      string           `json:"pipe"`
	Interface string           `json:"interface"`
	// If one call is answered differently than the rest of its kind; empty: the kind.
	Call       string   `json:"call"`
	Systems    []string `json:"systems"`
	Standalone string   `json:"standalone"` // anyone, unrestricted, user, administrator, absent or unknown
	DC         string   `json:"dc"`
	Why        string   `json:"why"`
	Sources    []string `json:"sources"`
}

// Presence lists the pipes that exist on this kind of server.
type Presence struct {
	System  string       `json:"system"`
	Roles   []model.Role `json:"roles"`
	Pipes   []string     `json:"pipes"`
	Later   []Later      `json:"later,omitempty"` // pipes that older releases lack
	Sources []string     `json:"sources"`
}

// Later says when pipes were added: the last release that was seen without them, and the first that was seen with them.
type Later struct {
	Pipes   []string `json:"pipes"`
	Without string   `json:"without"`
	With    string   `json:"with"`
}

// Client is a kind of client, recognized by what it says of itself.
type Client struct {
	Says    string   `json:"says"` // contained in it
	Kind    string   `json:"kind"`
	Sources []string `json:"sources"`
}

// Source is a document, a repository or a measurement.
type Source struct {
	ID    string `json:"id"`
	Title string `json:"title"`
	Where string `json:"where,omitempty"`
	// URL template of one page; {key}, {lower}, {section} and {thousand} are replaced.
	Page  string            `json:"page,omitempty"`
	Pages map[string]string `json:"pages,omitempty"` // URLs of pages that no template gives, by "KEY place"
}

//go:generate go test . -tags generating -run TestGeneratedIsCurrent -update

var load = sync.OnceValue(func() *Catalog {
	c := &generated
	c.build()
	return c
})

// Load returns the catalog. The first call builds the indexes; nothing is parsed, so it takes under a millisecond. The
// error is reserved for external catalogs; the built-in one never fails.
func Load() (*Catalog, error) { return load(), nil }
