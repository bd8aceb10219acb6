package logs

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"ipcguard/internal/model"
	"ipcguard/internal/observe"
	"ipcguard/internal/status"
)

// winEvent is a Windows event, whatever its source's format.
type winEvent interface {
	ID() int
	Provider() string
	Channel() string
	Computer() string
	Time() time.Time
	UserID() string
	failed() bool                    // an audit failure
	Text(name string) string         // the first value with the name
	values(yield func(v datum) bool) // all data in order
}

// datum is one named value; events from before Vista have no names.
type datum struct{ name, value string }

// Providers and event sources.
const (
	providerAudit     = "Microsoft-Windows-Security-Auditing"
	providerOldAudit  = "Security"                             // before Vista
	providerShown     = "Microsoft Windows security auditing." // its display name, which Splunk writes
	providerSAM       = "Microsoft-Windows-Directory-Services-SAM"
	providerSMBServer = "Microsoft-Windows-SMBServer"
	providerSMBClient = "Microsoft-Windows-SMBClient"
	providerNTLM      = "Microsoft-Windows-NTLM"
	providerNetlogon  = "Microsoft-Windows-Security-Netlogon"
	providerLSA       = "LsaSrv"
	providerSysmon    = "Microsoft-Windows-Sysmon"
	providerEventlog  = "Microsoft-Windows-Eventlog"
)

// maxHosts bounds the hosts for which missing kinds of events are noted.
const maxHosts = 4096

// hostSeen is the kinds of events in a host's Security log.
type hostSeen struct {
	logons, tree, open, anyAudit bool

	checks int // of NTLM, event 4776
}

// windowsLog turns events into uses. The meaning of events and their fields is from Microsoft's documentation of each
// event; what is not documented is omitted or unknown.
type windowsLog struct {
	add    func(model.Use)
	cov    *observe.Coverage
	join   *logonJoin
	hosts  map[string]*hostSeen
	source string

	numbered  map[logName]*numbering // what the current file contains of its logs
	now       *numbering             // of the last event
	nowName   logName
	stretches []stretch

	policies []policyOf // the hosts' audit policies, if known
}

func newWindowsLog(add func(model.Use), cov *observe.Coverage) *windowsLog {
	return &windowsLog{add: add, cov: cov, join: newLogonJoin(add), hosts: make(map[string]*hostSeen)}
}

// event handles one event. Most of a log is skipped by number alone.
func (w *windowsLog) event(e winEvent) {
	id := e.ID()
	if x, ok := e.(numberedEvent); ok {
		w.number(e, x.EventRecordID())
	}
	switch provider := e.Provider(); {
	case provider == "" && counted[id]:
		w.cov.Saw(e.Time())
		w.cov.CountUnreadable(fmt.Sprintf("events %d that do not say who wrote them", id), 1)
	case provider == providerAudit || provider == providerOldAudit || strings.EqualFold(provider, providerShown):
		w.saw(e, "Security")
		w.security(e, id)
	case provider == providerSAM || strings.EqualFold(provider, "Directory-Services-SAM"):
		w.saw(e, "SAM")
		w.sam(e, id)
	case provider == providerSMBServer:
		w.saw(e, observe.Clip(strings.TrimPrefix(e.Channel(), "Microsoft-Windows-")))
		w.smbServer(e, id)
	case provider == providerSMBClient:
		w.saw(e, observe.Clip(strings.TrimPrefix(e.Channel(), "Microsoft-Windows-")))
		w.smbClientEvent(e, id)
	case provider == providerNTLM || provider == providerNetlogon:
		w.saw(e, "NTLM")
		w.ntlmEvent(e, id)
	case strings.EqualFold(provider, providerLSA):
		w.saw(e, "LsaSrv")
		w.lsa(e, id)
	case provider == providerSysmon:
		w.cov.Saw(e.Time())
		w.registry(e, id)
	case provider == providerEventlog && (id == 1102 || id == 104):
		w.cov.Saw(e.Time())
		w.notice(e, "log-cleared", "", "the log "+e.Channel()+" was cleared: what it held before is gone",
			fmt.Sprintf("event %d by %s", id, e.Text("SubjectUserName")))
	default:
		w.cov.Saw(e.Time())
	}
}

// counted are the events that are counted by number; others of the same logs are counted together.
var counted = map[int]bool{
	528: true, 540: true, 4624: true, 4625: true, 4657: true, 5140: true, 5145: true, 5712: true,
	16962: true, 16963: true, 16964: true, 16965: true, 16966: true, 16967: true, 16968: true, 16969: true,
	551: true, 1001: true, 1003: true, 1004: true, 1005: true, 1006: true, 1007: true, 1009: true, 1015: true,
	3000: true, 3002: true, 3003: true, 3021: true, 3022: true, 3023: true, 3024: true, 3025: true, 3026: true,
	3027: true, 4000: true,
	4001: true, 4002: true, 4003: true, 4004: true, 4005: true, 4006: true, 4010: true, 4011: true, 4013: true,
	4015: true,
	4020: true, 4021: true, 4022: true, 4023: true, 4024: true, 4025: true, 4030: true, 4031: true, 4032: true,
	4033: true, 4776: true,
	6033: true, 6038: true, 8001: true, 8002: true, 8003: true, 8004: true, 8005: true, 8006: true,
	31017: true, 31018: true, 31022: true, 31998: true, 31999: true, 32000: true, 32002: true,
}

func (w *windowsLog) saw(e winEvent, log string) {
	w.cov.Saw(e.Time())
	if id := e.ID(); counted[id] {
		w.cov.CountRead(fmt.Sprintf("%s event %d", log, id), 1)
	} else {
		w.cov.CountRead(log+" events of other kinds", 1)
	}
}

func (w *windowsLog) host(e winEvent) *hostSeen {
	name := observe.Clip(e.Computer())
	h, ok := w.hosts[name]
	if !ok {
		if h = new(hostSeen); len(w.hosts) < maxHosts {
			w.hosts[name] = h
		}
	}
	return h
}

// row returns a use with what every event says.
func (w *windowsLog) row(e winEvent, layer model.Layer) model.Use {
	t := e.Time()
	u := model.Use{
		Server: e.Computer(), Layer: layer, Outcome: model.Allowed, Opnum: -1, Count: 1, First: t, Last: t,
		Source: w.source,
	}
	if e.failed() {
		u.Outcome = model.Denied
	}
	return u
}

// needed are the data without which an event says nothing.
var needed = map[int]string{4624: "LogonType", 4625: "LogonType", 5140: "ShareName", 5145: "ShareName"}

// datumOf returns the first value with one of the names, and whether there is one: a field may be there and empty.
func datumOf(e winEvent, names ...string) (value string, told bool) {
	for d := range e.values {
		if slices.Contains(names, d.name) {
			return d.value, true
		}
	}
	return "", false
}

// saysNoAddress reports whether a logon's event says that there is no address, with an empty field or a dash.
// Winlogbeat and Wazuh leave such fields out. That theirs is whole is told by ProcessId, a number, after which only the
// program and the address come.
func saysNoAddress(e winEvent) bool {
	address, told := datumOf(e, "IpAddress")
	j, ok := e.(*jsonEvent)
	return told && undash(address) == "" || !told && ok && isObject(j.top, "winlog") && e.Text("ProcessId") != ""
}

// dataless reports whether an event has lost its data, or keeps them in an unknown place.
func dataless(e winEvent) bool {
	name := needed[e.ID()]
	return name != "" && e.Text(name) == ""
}

// security handles the audit events of the Security log.
func (w *windowsLog) security(e winEvent, id int) {
	h := w.host(e)
	h.anyAudit = true
	if dataless(e) {
		w.cov.CountUnreadable(fmt.Sprintf("events %d whose data could not be found", id), 1)
		return
	}
	switch id {
	case 4624:
		h.logons = true
		w.cov.Hear(e.Computer(), model.LayerSession, "event 4624", e.Time())
		w.logon(e)
	case 4625:
		h.logons = true
		w.cov.Hear(e.Computer(), model.LayerSession, "event 4625", e.Time())
		w.failedLogon(e)
	case 528, 540:
		h.logons = true
		w.cov.Hear(e.Computer(), model.LayerSession, fmt.Sprintf("event %d", id), e.Time())
		w.oldLogon(e, id)
	case 5140:
		h.tree = true
		w.cov.Hear(e.Computer(), model.LayerTree, "event 5140", e.Time())
		w.share(e, id)
	case 5145:
		h.open = true
		w.cov.Hear(e.Computer(), model.LayerOpen, "event 5145", e.Time())
		w.share(e, id)
	case 5712:
		w.rpc(e)
	case 4657:
		w.registry(e, id)
	case 4776:
		h.checks++
		w.named(e, e.Text("TargetUserName"), e.Text("Workstation"))
	}
}

// logon handles 4624, a successful logon. Only network logons can use IPC$.
func (w *windowsLog) logon(e winEvent) {
	if !w.fromNetwork(4624, e.Text("LogonType")) {
		return
	}
	u := w.row(e, model.LayerSession)
	var basis string
	u.Identity, basis = sidIdentity(e.Text("TargetUserSid"), undash(e.Text("TargetUserName")))
	u.Basis = "event 4624: " + basis
	if p := undash(e.Text("LmPackageName")); p != "" {
		u.Basis += ", " + p
	}
	u.Package = packageOf(u.Identity, e.Text("LmPackageName"), e.Text("AuthenticationPackageName"))
	u.Account = accountName(u.Identity, e.Text("TargetDomainName"), e.Text("TargetUserName"))
	u.Client = w.address(e, "IpAddress")
	if port, err := strconv.ParseUint(e.Text("IpPort"), 10, 16); err == nil && port != 0 {
		if addr, err := netip.ParseAddr(u.Client); err == nil {
			w.cov.LogonInLog(e.Computer(), w.source, netip.AddrPortFrom(addr.WithZone(""), uint16(port)), e.Time())
		}
	}
	w.named(e, e.Text("TargetUserName"), e.Text("WorkstationName"))
	noAddress := u.Client == "" && saysNoAddress(e)
	w.joinLogon(e, u, e.Text("TargetLogonId"), cleanAddress(e.Text("WorkstationName")), noAddress)
}

// fromNetwork reports whether a logon is of type 3: only network logons can use IPC$. A type that is no number is
// counted.
func (w *windowsLog) fromNetwork(id int, logonType string) bool {
	n, err := strconv.ParseUint(strings.TrimSpace(logonType), 10, 32)
	if err != nil {
		w.cov.CountUnreadable(fmt.Sprintf("events %d whose logon type is not a number", id), 1)
	}
	return n == 3
}

// address returns the client's address as a field gives it. What can be neither an address nor a host's name is counted
// and unknown.
func (w *windowsLog) address(e winEvent, name string) string {
	s := cleanAddress(e.Text(name))
	if !isAddress(s) && !canBeHost(s) {
		w.cov.CountUnreadable(fmt.Sprintf("events %d whose %s is not an address", e.ID(), name), 1)
		return ""
	}
	return s
}

// named records a logon with NTLM under the names that other hosts' logs use, so that their clocks can be compared.
func (w *windowsLog) named(e winEvent, account, computer string) {
	w.cov.LogonNamed(e.Computer(), w.source, undash(account), undash(computer), e.Time())
}

// joinLogon emits the row of a stranger's logon always, and of one with LM or NTLMv1; that of another account only if
// it used IPC$, because a network logon may be for any service. noAddress means that the event says that there is no
// address.
func (w *windowsLog) joinLogon(e winEvent, u model.Use, id, workstation string, noAddress bool) {
	stranger := u.Identity.IsStranger()
	switch {
	case !stranger || u.Client != "" || workstation != "":
	case noAddress:
		w.cov.CountRead("anonymous or guest logons from the host itself", 1)
		stranger = false // made on the host by a local service
	default:
		if e.Text("IpAddress") == "" { // else it was counted
			w.cov.CountUnreadable(fmt.Sprintf("events %d of strangers that do not name the client", e.ID()), 1)
		}
		u.Basis += "; the client is not told"
	}
	if u.Client == "" && stranger {
		u.Client = workstation
	}
	n, ok := logonID(id)
	if !ok {
		if stranger {
			w.add(u)
		}
		return
	}
	weak := u.Package == model.PackageNTLMv1 || u.Package == model.PackageLM
	if weak {
		u.Basis += ", a network logon for any service"
		u.Client = cmp.Or(u.Client, workstation)
	}
	w.join.logon(logonKey{observe.Clip(e.Computer()), n}, u, workstation, stranger || weak)
}

// oldLogon handles 540, and 528 for other types than network, of Windows before Vista: their data have no names.
func (w *windowsLog) oldLogon(e winEvent, id int) {
	var v []string
	for d := range e.values {
		if v = append(v, d.value); len(v) == 15 {
			break
		}
	}
	if len(v) < 4 {
		w.cov.CountUnreadable(fmt.Sprintf("events %d whose data could not be found", id), 1)
		return
	}
	if !w.fromNetwork(id, v[3]) {
		return
	}
	noAddress := len(v) > 13 && undash(v[13]) == ""
	v = append(v, make([]string, 15)...)
	u := w.row(e, model.LayerSession)
	var basis string
	u.Identity, basis = sidIdentity(e.UserID(), undash(v[0]))
	u.Basis = fmt.Sprintf("event %d: %s", id, basis)
	u.Account = accountName(u.Identity, v[1], v[0])
	u.Client = cleanAddress(v[13])
	w.joinLogon(e, u, v[2], cleanAddress(v[6]), noAddress)
}

// failedLogon handles 4625. The event does not say which service was asked.
func (w *windowsLog) failedLogon(e winEvent) {
	if !w.fromNetwork(4625, e.Text("LogonType")) {
		return
	}
	u := w.row(e, model.LayerSession)
	u.Outcome = model.Denied
	u.Client = w.address(e, "IpAddress")
	if u.Client == "" {
		u.Client = cleanAddress(e.Text("WorkstationName"))
	}
	code, _ := logonID(e.Text("SubStatus"))
	if code == 0 {
		code, _ = logonID(e.Text("Status"))
	}
	if code != 0 && code < 1<<32 {
		u.Status = status.NTStatus(uint32(code)).String()
	}
	name := undash(e.Text("TargetUserName"))
	var basis string
	u.Identity, basis = sidIdentity(sidNobody, name)
	if u.Identity == model.User && u.Status == "STATUS_NO_SUCH_USER" {
		u.Identity, basis = model.UnknownUser, "no such account"
	}
	u.Basis = "event 4625, a network logon for any service: " + basis
	u.Account = accountName(u.Identity, e.Text("TargetDomainName"), name)
	if u.Package = packageOf(u.Identity, e.Text("LmPackageName"), e.Text("AuthenticationPackageName")); u.Identity == model.Anonymous || u.Identity == model.Unknown {
		u.Package = ""
	}
	w.add(u)
}

// share handles 5140, a tree connect, and 5145, the share's own check of an open.
func (w *windowsLog) share(e winEvent, id int) {
	if cleanShare(e.Text("ShareName")) != "IPC$" {
		w.cov.CountRead("accesses to shares other than IPC$", 1)
		return
	}
	u := w.row(e, model.LayerTree)
	u.Share = "IPC$"
	if id == 5145 {
		if u.Pipe = cleanPipe(e.Text("RelativeTargetName")); u.Pipe != "" {
			u.Layer = model.LayerOpen
		} else if _, told := datumOf(e, "RelativeTargetName"); !told {
			w.cov.CountUnreadable("events 5145 that do not name what was opened", 1)
			u.Layer = model.LayerOpen
		} else if u.Outcome == model.Allowed {
			return // the share's root, which 5140 reports
		}
	}
	if u.Outcome == model.Denied {
		u.Status = "STATUS_ACCESS_DENIED"
	}
	u.Client = w.address(e, "IpAddress")
	identity, basis := sidIdentity(e.Text("SubjectUserSid"), undash(e.Text("SubjectUserName")))
	u.Basis = fmt.Sprintf("event %d: %s", id, basis)
	if identity != model.Unknown {
		u.Identity = identity
		u.Account = accountName(identity, e.Text("SubjectDomainName"), e.Text("SubjectUserName"))
	}
	n, ok := logonID(e.Text("SubjectLogonId"))
	if !ok {
		if u.Identity == "" {
			u.Identity = model.Unknown
		}
		w.add(u)
		return
	}
	w.join.use(logonKey{observe.Clip(e.Computer()), n}, u)
}

// rpc handles 5712, which reports an attempted call and not its outcome.
func (w *windowsLog) rpc(e winEvent) {
	switch p := e.Text("ProtocolSequence"); {
	case p == "":
		w.cov.CountUnreadable("events 5712 that do not name the transport", 1)
		return
	case !strings.Contains(strings.ToLower(p), "ncacn_np"):
		w.cov.CountRead("RPC calls that do not use a pipe", 1)
		return
	}
	u := w.row(e, model.LayerBind)
	u.Outcome = model.Inconclusive
	u.Share = "IPC$"
	u.UUID = strings.ToLower(strings.Trim(e.Text("InterfaceUuid"), "{}"))
	u.Interface = interfaceName(u.UUID)
	u.Client = w.address(e, "RemoteIpAddress")
	var basis string
	u.Identity, basis = sidIdentity(e.Text("SubjectUserSid"), undash(e.Text("SubjectUserName")))
	u.Basis = "event 5712, an attempt: " + basis
	u.Account = accountName(u.Identity, e.Text("SubjectDomainName"), e.Text("SubjectUserName"))
	w.add(u)
}

// sam handles the events of the restriction of remote SAM calls, all in the System log.
func (w *windowsLog) sam(e winEvent, id int) {
	switch id {
	case 16962:
		w.notice(e, "sam-restriction", "", "remote SAM calls are checked against the built-in default descriptor",
			"event 16962")
	case 16963:
		w.notice(e, "sam-restriction", "", "remote SAM calls are checked against the descriptor in the registry",
			"event 16963")
	case 16964:
		w.notice(e, "sam-restriction-malformed", "", "the registry's descriptor for remote SAM calls is malformed",
			"event 16964")
	case 16966:
		w.notice(e, "sam-audit-only", "",
			"audit only mode is on: remote SAM calls that would be denied are let through", "event 16966")
	case 16967:
		w.notice(e, "sam-audit-off", "", "audit only mode is off: remote SAM calls are denied by the descriptor",
			"event 16967")
	case 16965, 16968:
		u := w.row(e, model.LayerCall)
		u.Share, u.Pipe, u.Interface = "IPC$", "samr", "samr"
		u.UUID = samrUUID
		var sid string
		for d := range e.values {
			switch {
			case sid == "" && strings.HasPrefix(d.value, "S-1-"):
				sid = d.value
			case u.Client == "" && isAddress(d.value):
				u.Client = cleanAddress(d.value)
			}
		}
		var basis string
		u.Identity, basis = sidIdentity(sid, "")
		if u.Identity == model.User || u.Identity == model.Machine {
			u.Account = sid
		}
		if u.Outcome, u.Basis = model.Denied, "event 16965: "+basis; id == 16968 {
			u.Outcome, u.Basis = model.Allowed, "event 16968, would be denied but for audit only mode: "+basis
		} else {
			u.Status = "STATUS_ACCESS_DENIED"
		}
		w.add(u)
	case 16969:
		n := int64(1)
		for d := range e.values {
			if v, ok := logonID(d.value); ok && v < 1<<31 {
				n = int64(v)
				break
			}
		}
		w.cov.CountUnreadable("remote SAM calls that the server denied and did not log one by one (event 16969)", n)
	}
}

func (w *windowsLog) notice(e winEvent, id, client, what, evidence string) {
	w.cov.Notice(model.Notice{
		ID: id, Time: e.Time(), Host: observe.Clip(e.Computer()), Client: observe.Clip(client),
		What: what, Evidence: evidence, Source: w.source,
	})
}

// close emits what still waits and notes what the logs could not show.
func (w *windowsLog) close() {
	w.join.close()
	w.fileEnds()
	w.gaps()
	if w.join.unjoined > 0 {
		w.cov.Note(fmt.Sprintf("%d uses name a logon whose event is not in the logs: turn on Audit Logon, or give "+
			"the log of an earlier time", w.join.unjoined))
	}
	for name, h := range w.hosts {
		if !h.anyAudit {
			continue
		}
		if h.checks > 0 {
			w.cov.Note(fmt.Sprintf("%s: %d times event 4776 tells that NTLM was checked here; its version, the "+
				"server that the client came to and the service are not told, and the workstation is what the client says: "+
				"event 8004 of a domain controller names the server, 4624 of the server the version", name, h.checks))
		}
		const detailed, share, logon = "Audit Detailed File Share", "Audit File Share", "Audit Logon"
		if !h.open {
			w.cov.Note(w.missing(name, auditDetailed, detailed, "5145", "which pipes were opened is not seen"))
		} else {
			w.cov.Note(name + ": event 5145 tells that the share let a pipe be opened, not whether the pipe itself " +
				"did nor what was called: only a capture shows that")
			w.partly(name, auditDetailed, detailed)
		}
		if !h.tree {
			w.cov.Note(w.missing(name, auditShare, share, "5140", "connections to IPC$ are not seen"))
		} else {
			w.partly(name, auditShare, share)
		}
		if !h.logons {
			w.cov.Note(w.missing(name, auditLogon, logon, "4624 or 4625",
				"null sessions that opened nothing and refused logons are not seen"))
		} else {
			w.partly(name, auditLogon, logon)
		}
		w.guests(name)
	}
}
