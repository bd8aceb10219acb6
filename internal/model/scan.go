package model

import "time"

// Scan is the result of scanning one target.
type Scan struct {
	Schema     string    `json:"schema"`
	Target     string    `json:"target"`  // as the user named it
	Address    string    `json:"address"` // host:port that was dialled
	Started    time.Time `json:"started"`
	DurationMS int64     `json:"duration_ms"`
	Verdict    Verdict   `json:"verdict"`
	Reason     string    `json:"reason,omitempty"` // explains a verdict that does not follow from the findings
	Partial    bool      `json:"partial,omitempty"`
	// Banned says that the server blocked this address after a failed logon. Later requests were not sent.
	Banned string `json:"banned,omitempty"`
	// Contradictions are answers that cannot come from one server: a middlebox changes them, or several servers share
	// the address.
	Contradictions []string         `json:"contradictions,omitempty"`
	Limits         []Limit          `json:"limits_reached,omitempty"` // requests that could have been sent and were not
	Aliases        []string         `json:"aliases,omitempty"`        // other names of the same address in this run
	Server         Server           `json:"server"`
	Identities     []IdentityResult `json:"identities"`
	WeakWays       []WeakWay        `json:"weak_ways,omitempty"` // if they were requested
	Findings       []Finding        `json:"findings"`
	Stats          Stats            `json:"stats"`
}

// Server describes what a server shows to any client before and during logon.
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

	EncryptionRequired bool `json:"encryption_required,omitempty"` // it accepts nothing else, as far as can be seen
	// System is windows, samba, ksmbd, or unknown. It decides which settings apply and may differ from what the server
	// claims.
	System  string `json:"system,omitempty"`
	OS      string `json:"os,omitempty"`      // the product and its best evidence, in one phrase
	Product string `json:"product,omitempty"` // the product that it is taken for
	// Evidence for the product, the deciding first, then evidence against it.
	Basis []string `json:"basis,omitempty"`
	Decoy string   `json:"decoy,omitempty"` // why no advice is given: it only pretends to be a server
	Build int      `json:"build,omitempty"` // Windows build from the NTLM challenge; 0 if unknown
	// As far as known: from its answer about its domain, or no domain in its challenge.
	Role Role   `json:"role,omitempty"`
	Time string `json:"time,omitempty"`
}

// Step is the answer of one layer.
type Step struct {
	Outcome Outcome `json:"outcome"`
	Status  string  `json:"status,omitempty"`
	Detail  string  `json:"detail,omitempty"` // plain words if the status does not say it
}

// IdentityResult holds the results of each layer for one identity.
type IdentityResult struct {
	Identity  Identity      `json:"identity"`
	Dialect   string        `json:"dialect,omitempty"`
	SeenAs    string        `json:"seen_as,omitempty"` // from LsarGetUserName: who the server thinks the caller is
	GuestFlag bool          `json:"guest_flag,omitempty"`
	NullFlag  bool          `json:"null_flag,omitempty"`
	Signed    bool          `json:"signed,omitempty"`
	Encrypted bool          `json:"encrypted,omitempty"`
	Session   Step          `json:"session"`
	Tree      Step          `json:"tree"`
	ClosedBy  string        `json:"closed_by,omitempty"` // how the server refuses if no status says it
	Pipes     []PipeResult  `json:"pipes"`
	Shares    []ShareResult `json:"shares,omitempty"`

	SharesLeft int `json:"shares_not_tried,omitempty"` // disk shares that were listed or named, and not tried
}

// The weak ways in that a scan tries on request.
const (
	WaySMB1     = "smb1"     // SMB1 offered as the only dialect
	WayUnsigned = "unsigned" // an unsigned request in a user's session
	WayClear    = "clear"    // an unencrypted request although the server requires encryption
	WayNTLMv1   = "ntlmv1"   // a logon with an NTLMv1 response
)

// WeakWay is one weak way in, and whether the server accepted it.
type WeakWay struct {
	Way string `json:"way"`
	Step
	Looks []Look `json:"looks,omitempty"`
}

// Way returns the result for one weak way in; not-tested if it was not requested.
func (s *Scan) Way(name string) WeakWay {
	for _, w := range s.WeakWays {
		if w.Way == name {
			return w
		}
	}
	return WeakWay{Way: name, Step: Step{Outcome: NotTested, Detail: "weak logons were not probed"}}
}

// PipeResult is one named pipe: whether it opened, and the interfaces behind it.
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

// CallResult is one RPC call. Count is the number of disclosed items, never the items.
type CallResult struct {
	Call      string     `json:"call"`
	Opnum     uint16     `json:"opnum"`
	Outcome   Outcome    `json:"outcome"`
	Status    string     `json:"status,omitempty"`
	Detail    string     `json:"detail,omitempty"`
	Discloses Disclosure `json:"discloses,omitempty"`
	Count     int        `json:"count,omitempty"`
	More      bool       `json:"more,omitempty"`  // there was more; the scan reads only enough to prove the finding
	Ends      bool       `json:"ends,omitempty"`  // refused, and with it every call after it
	Names     []string   `json:"names,omitempty"` // only with --show-names
}

// ShareResult is one disk share that the identity tried to open. Name is set only with --show-names or if the user
// named the share.
type ShareResult struct {
	Name  string `json:"name,omitempty"`
	Named bool   `json:"named,omitempty"` // the user named it, so it did not have to be listed
	Type  string `json:"type,omitempty"`
	Tree  Step   `json:"tree"`
	Open  Step   `json:"open"` // opening its root folder for reading
}

// Of returns the result for an identity; it is empty if nothing was requested as that identity.
func (s *Scan) Of(id Identity) *IdentityResult {
	for i := range s.Identities {
		if s.Identities[i].Identity == id {
			return &s.Identities[i]
		}
	}
	return &IdentityResult{Identity: id}
}

// MayRequireEncryption reports whether a server may accept nothing but encryption, which nothing proves: a Samba that
// requires it refuses the null session at the logon, and so does a gateway in front of one that does not. A user's
// session that is not encrypted settles it. [M] samba-4.17.12
func (s *Scan) MayRequireEncryption() bool {
	if s.Server.EncryptionRequired || s.Server.System != "samba" || !s.Server.Encryption ||
		s.Way(WayClear).Outcome == Allowed {
		return false
	}
	if u := s.Of(User); u.Session.Outcome == Allowed && !u.Encrypted {
		return false
	}
	null := s.Of(Anonymous).Session
	return null.Outcome == Denied && null.Status == "STATUS_ACCESS_DENIED"
}

// DiskShares counts the disk shares that strangers tried, and the known ones that they did not try. asked is false if
// no stranger has a session, so that no share could be requested.
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

// Stats is the cost of scanning one target.
type Stats struct {
	Connections   int   `json:"connections"`
	Requests      int   `json:"requests"`
	RoundTrips    int   `json:"round_trips"`
	BytesSent     int64 `json:"bytes_sent"`
	BytesReceived int64 `json:"bytes_received"`
}
