package model

import "time"

// Scan is what one target gave away: one object a target.
type Scan struct {
	Schema     string    `json:"schema"`
	Target     string    `json:"target"`  // as the user named it
	Address    string    `json:"address"` // host:port that was dialled
	Started    time.Time `json:"started"`
	DurationMS int64     `json:"duration_ms"`
	Verdict    Verdict   `json:"verdict"`
	Reason     string    `json:"reason,omitempty"` // plain words, where the verdict is not the findings' own
	Partial    bool      `json:"partial,omitempty"`
	// Banned says that the server shut this address out after a refused logon: what was not asked then, was not asked.
	Banned string `json:"banned,omitempty"`
	// Contradictions are answers that no one server gives: somebody on the way changes them, or several servers share the
	// address.
	Contradictions []string         `json:"contradictions,omitempty"`
	Limits         []Limit          `json:"limits_reached,omitempty"` // what was not asked, although it was there to ask
	Aliases        []string         `json:"aliases,omitempty"`        // other names of the same address in this run
	Server         Server           `json:"server"`
	Identities     []IdentityResult `json:"identities"`
	WeakWays       []WeakWay        `json:"weak_ways,omitempty"` // where they were asked for
	Findings       []Finding        `json:"findings"`
	Stats          Stats            `json:"stats"`
}

// Server is the posture a server shows to any client before and during logon.
type Server struct {
	Name       string   `json:"name,omitempty"`
	Domain     string   `json:"domain,omitempty"`
	DNSName    string   `json:"dns_name,omitempty"`
	DNSDomain  string   `json:"dns_domain,omitempty"`
	Forest     string   `json:"forest,omitempty"`
	GUID       string   `json:"guid,omitempty"`
	Dialects   []string `json:"dialects"` // every dialect the server accepted when offered alone
	Undecided  []string `json:"dialects_inconclusive,omitempty"`
	SMB1       bool     `json:"smb1"`
	Signing    string   `json:"signing,omitempty"` // required, enabled or disabled
	Encryption bool     `json:"encryption"`        // the server can encrypt
	Ciphers    []string `json:"ciphers,omitempty"`

	EncryptionRequired bool `json:"encryption_required,omitempty"` // it takes nothing else, as far as can be seen
	// System is whose settings the server has: windows, samba, ksmbd, or unknown, also where it is not what it claims.
	System  string   `json:"system,omitempty"`
	OS      string   `json:"os,omitempty"`      // the product with what speaks most for it, in one phrase
	Product string   `json:"product,omitempty"` // what it is taken for
	Basis   []string `json:"basis,omitempty"`   // what speaks for that, the deciding first, and what speaks against it
	Decoy   string   `json:"decoy,omitempty"`   // why there is nothing to advise: it pretends to be a server
	Build   int      `json:"build,omitempty"`   // Windows build from the NTLM challenge; 0 where not told
	Role    Role     `json:"role,omitempty"`    // as far as it tells: its answer about its domain, or no domain in its challenge
	Time    string   `json:"time,omitempty"`
}

// Step is the answer of one layer.
type Step struct {
	Outcome Outcome `json:"outcome"`
	Status  string  `json:"status,omitempty"`
	Detail  string  `json:"detail,omitempty"` // plain words where the status does not say it
}

// IdentityResult is the ladder of layers for one identity.
type IdentityResult struct {
	Identity  Identity      `json:"identity"`
	Dialect   string        `json:"dialect,omitempty"`
	SeenAs    string        `json:"seen_as,omitempty"` // LsarGetUserName's answer: who the server thinks the caller is
	GuestFlag bool          `json:"guest_flag,omitempty"`
	NullFlag  bool          `json:"null_flag,omitempty"`
	Signed    bool          `json:"signed,omitempty"`
	Encrypted bool          `json:"encrypted,omitempty"`
	Session   Step          `json:"session"`
	Tree      Step          `json:"tree"`
	ClosedBy  string        `json:"closed_by,omitempty"` // how the server refuses where no status tells it
	Pipes     []PipeResult  `json:"pipes"`
	Shares    []ShareResult `json:"shares,omitempty"`

	SharesLeft int `json:"shares_not_tried,omitempty"` // disk shares that were listed or named, and not tried
}

// The weak ways in that a scan tries on request.
const (
	WaySMB1     = "smb1"     // SMB1 offered alone
	WayUnsigned = "unsigned" // a request of a user's session without a signature
	WayClear    = "clear"    // a request in clear text where the server says that it wants encryption
	WayNTLMv1   = "ntlmv1"   // a logon with an NTLMv1 answer
)

// WeakWay is one weak way in, and whether the server took it.
type WeakWay struct {
	Way string `json:"way"`
	Step
	Looks []Look `json:"looks,omitempty"`
}

// Way is what became of one weak way in; one that was not asked for is not-tested.
func (s *Scan) Way(name string) WeakWay {
	for _, w := range s.WeakWays {
		if w.Way == name {
			return w
		}
	}
	return WeakWay{Way: name, Step: Step{Outcome: NotTested, Detail: "weak logons were not probed"}}
}

// PipeResult is one named pipe: opened or not, and what lies behind it.
type PipeResult struct {
	Pipe       string            `json:"pipe"`
	Open       Step              `json:"open"`
	Interfaces []InterfaceResult `json:"interfaces,omitempty"`
}

// InterfaceResult is one RPC interface behind a pipe.
type InterfaceResult struct {
	Interface string       `json:"interface"`
	UUID      string       `json:"uuid"`
	Version   string       `json:"version"`
	Bind      Step         `json:"bind"`
	Calls     []CallResult `json:"calls,omitempty"`
}

// CallResult is one RPC call. Count is how many things were disclosed, never what they were.
type CallResult struct {
	Call      string     `json:"call"`
	Opnum     uint16     `json:"opnum"`
	Outcome   Outcome    `json:"outcome"`
	Status    string     `json:"status,omitempty"`
	Detail    string     `json:"detail,omitempty"`
	Discloses Disclosure `json:"discloses,omitempty"`
	Count     int        `json:"count,omitempty"`
	More      bool       `json:"more,omitempty"`  // there was more; enough was read to prove the point
	Ends      bool       `json:"ends,omitempty"`  // refused, and with it every call behind it
	Names     []string   `json:"names,omitempty"` // with --show-names alone
}

// ShareResult is one disk share that the identity tried to open. Name is shown with --show-names alone, or where the user
// named the share.
type ShareResult struct {
	Name  string `json:"name,omitempty"`
	Named bool   `json:"named,omitempty"` // the user named it, so nobody had to list it
	Type  string `json:"type,omitempty"`
	Tree  Step   `json:"tree"`
	Open  Step   `json:"open"` // its root folder, for reading
}

// Of is what was asked as an identity; one of whom nothing was asked has nothing in it.
func (s *Scan) Of(id Identity) *IdentityResult {
	for i := range s.Identities {
		if s.Identities[i].Identity == id {
			return &s.Identities[i]
		}
	}
	return &IdentityResult{Identity: id}
}

// DiskShares counts the disk shares that strangers tried, and those that were there to try and were not. asked is false
// where no stranger has a session, so that no share could be asked for.
func (s *Scan) DiskShares() (tried, left int, asked bool) {
	for i := range s.Identities {
		r := &s.Identities[i]
		if !r.Identity.IsStranger() || r.Session.Outcome != Allowed {
			continue
		}
		asked = true
		tried, left = max(tried, len(r.Shares)), max(left, r.SharesLeft)
	}
	return tried, left, asked
}

// Stats is what the scan of one target cost.
type Stats struct {
	Connections   int   `json:"connections"`
	Requests      int   `json:"requests"`
	RoundTrips    int   `json:"round_trips"`
	BytesSent     int64 `json:"bytes_sent"`
	BytesReceived int64 `json:"bytes_received"`
}
