package smbtest

import (
	"fmt"
	"time"

	"ipcguard/internal/dcerpc"
)

// World is the data of a made-up server.
type World struct {
	Name, Domain       string // NetBIOS names; Domain is the workgroup of a standalone server
	DNSName, DNSDomain string
	InDomain           bool
	Comment            string // of the server; practice if empty
	Accounts           []Account
	Groups, Aliases    []RIDName
	Shares             []Share
	Services           []Service
	Printers           []string
	Sessions           []string // clients with a session, as \\name
	Trusts             []Trust
	Values             map[string]map[string]RegistryValue // registry: key below HKLM, then value name
	MinPasswordLength  uint16
	LockoutThreshold   uint16
	MachineSID         dcerpc.SID
	Boot               time.Time
	Passwords          map[string]string // accounts that may log on, lower case
	DomainSID          *dcerpc.SID       // of a member
}

// Account is a user or computer of the account database.
type Account struct {
	RID      uint32
	Name     string
	FullName string
	Comment  string
	Disabled bool
	Machine  bool
}

// RIDName is a group or alias.
type RIDName struct {
	RID  uint32
	Name string
}

// Share is a shared resource. Type is STYPE_*, [MS-SRVS] 2.2.2.4.
type Share struct {
	Name, Comment, Path string
	Type                uint32
	Guest               bool // anonymous and guest may open it
	Files               []string
}

// The share types. See [MS-SRVS] 2.2.2.4.
const (
	shareDisk    = 0
	shareIPC     = 3
	shareSpecial = 0x80000000
)

// Service is a service of the service manager.
type Service struct {
	Name, Display string
	Running       bool
}

// Trust is a trusted domain.
type Trust struct {
	Name, Flat string
	SID        dcerpc.SID
}

// RegistryValue is a value of the registry, as bytes of its type.
type RegistryValue struct {
	Type uint32
	Data []byte
}

// NewWorld creates a small server: four accounts, three shares, a few services. The names are the practice server's
// own.
func NewWorld(name string) *World {
	sid := dcerpc.NTSID(21, 1000000001, 2000000002, 3000000003)
	w := &World{
		Name: name, Domain: "PRACTICE", DNSName: name, MachineSID: sid,
		Accounts: []Account{
			{500, "Administrator", "", "Built-in account for administering the computer", false, false},
			{501, "Guest", "", "Built-in account for guest access", true, false},
			{1001, "anna", "Anna Practice", "", false, false},
			{1002, "otto", "Otto Practice", "", false, false},
		},
		Groups:  []RIDName{{513, "None"}},
		Aliases: []RIDName{{1010, "PracticeOperators"}},
		Shares: []Share{
			{Name: "IPC$", Comment: "Remote IPC", Type: shareIPC | shareSpecial},
			{Name: "ADMIN$", Comment: "Remote Admin", Path: `C:\Windows`, Type: shareDisk | shareSpecial},
			{Name: "C$", Comment: "Default share", Path: `C:\`, Type: shareDisk | shareSpecial},
			{Name: "finance", Path: `C:\finance`, Type: shareDisk},
		},
		Services: []Service{
			{"LanmanServer", "Server", true},
			{"LanmanWorkstation", "Workstation", true},
			{"RemoteRegistry", "Remote Registry", true},
			{"Spooler", "Print Spooler", true},
		},
		Printers: []string{"practice-printer"}, Sessions: []string{`\\127.0.0.1`},
		Values: map[string]map[string]RegistryValue{
			`SOFTWARE\Microsoft\Windows NT\CurrentVersion`: {"ProductName": text("Practice server")},
			`SYSTEM\CurrentControlSet\Control\Lsa`:         {"RestrictAnonymous": dword(0)},
			`SYSTEM\CurrentControlSet\Services\LanmanServer\Parameters`: {
				"NullSessionPipes": {7, []byte{0, 0}},
			},
		},
		LockoutThreshold: 0, MinPasswordLength: 0, Boot: time.Now().Add(-72 * time.Hour),
		Passwords: map[string]string{"anna": "Passw0rd!", "administrator": "Passw0rd!Adm1n"},
	}
	return w
}

// Populate adds n made-up accounts, for enumerations that need more than one response.
func (w *World) Populate(n int) {
	for i := range n {
		w.Accounts = append(w.Accounts, Account{
			RID: uint32(2000 + i), Name: fmt.Sprintf("user%05d", i),
			FullName: "Made Up",
		})
	}
}

func dword(v uint32) RegistryValue {
	return RegistryValue{4, []byte{byte(v), byte(v >> 8), byte(v >> 16), byte(v >> 24)}}
}

func text(s string) RegistryValue {
	var b []byte
	for _, r := range s {
		b = append(b, byte(r), byte(r>>8))
	}
	return RegistryValue{1, append(b, 0, 0)}
}

// lookup returns what a SID of this server stands for: its name and SID_NAME_USE ([MS-SAMR] 2.2.2.3).
func (w *World) lookup(rid uint32) (name string, use uint16, ok bool) {
	for _, a := range w.Accounts {
		if a.RID == rid {
			return a.Name, 1, true
		}
	}
	for _, g := range w.Groups {
		if g.RID == rid {
			return g.Name, 2, true
		}
	}
	for _, g := range w.Aliases {
		if g.RID == rid {
			return g.Name, 4, true
		}
	}
	return "", dcerpc.SIDUnknown, false
}

// share finds a share by name.
func (w *World) share(name string) *Share {
	for i := range w.Shares {
		if equalFold(w.Shares[i].Name, name) {
			return &w.Shares[i]
		}
	}
	return nil
}
