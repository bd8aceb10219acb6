package logs

import (
	"fmt"
	"strings"

	"ipcguard/internal/model"
)

// NTLM has a channel of its own. Events 4001 to 4006 report what was refused, 8001 to 8006 what would be refused: 1
// with this host as a client, 2 and 3 as a server, 4 to 6 as a domain controller. None has the version of NTLM. Those
// of 24H2 and Server 2025, 4020 to 4033, have it; their fields have no public names, so they are read by their values.
// Only 4001 to 4006 say what came of a logon: an audit reports that NTLM was used before anybody looks at the password.

// packageOf returns the package of a logon, as 4624 and 4625 name it. "NTLM V1" of an anonymous logon is no NTLMv1:
// there is no key. A refused NTLMv1 has the name "-", which says nothing. Negotiate with a name of LM is NTLM too.
func packageOf(identity model.Identity, lm, authentication string) string {
	if identity == model.Anonymous {
		return model.PackageAnonymous
	}
	switch strings.ToUpper(strings.ReplaceAll(undash(lm), " ", "")) {
	case "NTLMV1":
		return model.PackageNTLMv1
	case "NTLMV2":
		return model.PackageNTLMv2
	case "LM":
		return model.PackageLM
	}
	switch strings.ToLower(undash(authentication)) {
	case "kerberos":
		return model.PackageKerberos
	case "ntlm":
		return model.PackageNTLM
	}
	return ""
}

// ntlmEvent reads an event of NTLM's channel.
func (w *windowsLog) ntlmEvent(e winEvent, id int) {
	basis := fmt.Sprintf("NTLM event %d: ", id)
	u := w.row(e, model.LayerSession)
	u.Package = model.PackageNTLM
	if u.Outcome = model.Denied; id >= 8000 {
		u.Outcome = model.Inconclusive
	}
	switch id {
	case 8001, 4001: // outgoing
		u.Client, u.Server, u.SPN = e.Computer(), hostOfSPN(e.Text("TargetName")), undash(e.Text("TargetName"))
		u.ToldBy = u.Client
		w.named(e, e.Text("UserName"), e.Computer())
		w.ntlmUser(e, &u, basis+"this host as a client")
	case 8002, 4002: // incoming, from an account of this host or an unnamed one
		u.Client, u.Identity = cleanAddress(e.Text("Workstation")), model.Unknown
		u.Basis = basis + "who came is not told"
	case 8003, 4003: // incoming, an account of the domain
		w.named(e, e.Text("UserName"), e.Text("Workstation"))
		u.Client = cleanAddress(e.Text("Workstation"))
		w.ntlmUser(e, &u, basis+"an account of the domain; the workstation is what the client says")
	case 8004, 4004, 8005, 4005, 8006, 4006:
		u.Client = cleanAddress(first(e, "Workstation", "WorkstationName"))
		u.Server = strings.TrimSuffix(undash(first(e, "SChannelName", "SecureChannelName")), "$")
		u.ToldBy = e.Computer()
		w.named(e, first(e, "User", "UserName"), first(e, "Workstation", "WorkstationName"))
		w.ntlmUser(e, &u, basis+"told by the domain controller")
	case 4020, 4021, 4022, 4023, 4030, 4031, 4032, 4033:
		w.enhanced(e, id, &u)
		return
	case 4010, 4011:
		w.notice(e, "ntlm-session-security-refused", "",
			"less session security was offered than is required (NtlmMinClientSec, NtlmMinServerSec)",
			fmt.Sprintf("NTLM event %d", id))
		return
	case 4013:
		w.notice(e, "ntlmv1-failed", "", "this host tried NTLMv1, which is not there any more", "NTLM event 4013")
		return
	case 4015:
		w.notice(e, "ntlm-blocked-as-client", "", "this host's NTLM to a server was blocked (BlockNTLM)",
			"NTLM event 4015")
		return
	case 4024, 4025:
		what := "credentials derived by NTLMv1 were used for single sign-on (MS-CHAPv2)"
		if id == 4025 {
			what = "credentials derived by NTLMv1 were refused for single sign-on (MS-CHAPv2)"
		}
		w.notice(e, "ntlmv1-sso", "", what, fmt.Sprintf("NTLM event %d", id))
		return
	default:
		return
	}
	switch {
	case id == 8001:
		u.Basis += "; it was considered, and whether it ran is not told"
	case id > 8001:
		u.Basis += "; NTLM was let through, and whether the logon succeeded is not told"
	}
	w.add(u)
}

// ntlmUser sets the identity and account of a logon. Null credentials have the name "(NULL)" or an empty one; without a
// field for the name the identity is unknown, and the event counts as not understood.
func (w *windowsLog) ntlmUser(e winEvent, u *model.Use, basis string) {
	name, told := datumOf(e, "User", "UserName")
	name = strings.TrimSpace(name)
	switch {
	case !told:
		w.cov.CountUnreadable(fmt.Sprintf("NTLM events %d whose fields are not understood", e.ID()), 1)
		u.Identity, u.Basis = model.Unknown, basis+", no field names the account"
	case name == "" || strings.EqualFold(name, "(NULL)"):
		u.Identity, u.Package, u.Basis = model.Anonymous, model.PackageAnonymous, basis+", null credentials"
	default:
		var who string
		u.Identity, who = sidIdentity("", undash(name))
		u.Account, u.Basis = accountName(u.Identity, first(e, "Domain", "DomainName"), name), basis+", "+who
	}
}

// enhanced reads the events of 24H2 and Server 2025: even ones inform, odd ones warn. It recognizes a version and an
// address by their form, and ignores the other fields. An event without a version counts as not understood.
func (w *windowsLog) enhanced(e winEvent, id int, u *model.Use) {
	u.Package, u.Identity, u.Client, u.Outcome = "", model.Unknown, "", model.Inconclusive
	for d := range e.values {
		v := strings.ToUpper(strings.ReplaceAll(strings.TrimSpace(d.value), " ", ""))
		switch {
		case v == "NTLMV1":
			u.Package = model.PackageNTLMv1
		case v == "NTLMV2":
			u.Package = model.PackageNTLMv2
		case u.Client == "" && isAddress(d.value):
			u.Client = cleanAddress(d.value)
		}
	}
	if u.Package == "" {
		w.cov.CountUnreadable(fmt.Sprintf("NTLM events %d whose fields are not understood", id), 1)
		return
	}
	u.Basis = fmt.Sprintf("NTLM event %d: version and address by their form; the other fields are not understood, so "+
		"whether the logon succeeded is not told", id)
	switch id {
	case 4020, 4021:
		u.Client, u.Server, u.ToldBy = e.Computer(), u.Client, e.Computer()
	case 4030, 4031, 4032, 4033: // a domain controller's; the server's name is among the fields that are not understood
		u.Server, u.ToldBy = "", e.Computer()
	}
	w.add(*u)
}

// lsa reads the events of the local security authority in the System log.
func (w *windowsLog) lsa(e winEvent, id int) {
	switch id {
	case 6033:
		u := w.row(e, model.LayerCall)
		for d := range e.values {
			u.Client = cleanAddress(d.value)
			break
		}
		u.Share, u.Pipe, u.Interface, u.UUID, u.Opnum = "IPC$", "lsarpc", "lsarpc", lsarpcUUID, -1
		u.Identity, u.Outcome, u.Status = model.Anonymous, model.Denied, "STATUS_ACCESS_DENIED"
		u.Basis = "LsaSrv event 6033: an anonymous caller asked for the policy; by which call is not told"
		w.add(u)
	case 6038:
		w.notice(e, "ntlm-in-use", "", "NTLM is in use on this host, of whichever version; told once after each start",
			"LsaSrv event 6038")
	}
}

// lsarpcUUID is the interface of the local security authority.
const lsarpcUUID = "12345778-1234-abcd-ef00-0123456789ab"

// first returns the first datum that is present of these names.
func first(e winEvent, names ...string) string {
	for _, n := range names {
		if s := e.Text(n); s != "" {
			return s
		}
	}
	return ""
}

// hostOfSPN returns the host of a name such as cifs/fs1.
func hostOfSPN(spn string) string {
	_, host, ok := strings.Cut(undash(spn), "/")
	if !ok {
		return ""
	}
	host, _, _ = strings.Cut(host, "/")
	return host
}
