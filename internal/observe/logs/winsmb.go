package logs

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strings"

	"ipcguard/internal/model"
	"ipcguard/internal/status"
)

// The channels of the SMB server and client. IDs and fields are those of the provider manifests of Windows 11 24H2;
// older releases have fewer fields, and a missing field is unknown.

// dialectSMB1 is how model.Use names SMB1.
const dialectSMB1 = "NT LM 0.12"

// sockaddr parses a ClientAddress: a SOCKADDR as hexadecimal digits. The family is little-endian, the port is not.
func sockaddr(s string) (string, bool) {
	b, err := hex.DecodeString(strings.TrimPrefix(strings.TrimSpace(s), "0x"))
	if err != nil || len(b) < 8 {
		return "", false
	}
	const inet, inet6 = 2, 23
	switch binary.LittleEndian.Uint16(b) {
	case inet:
		return netip.AddrFrom4([4]byte(b[4:8])).String(), true
	case inet6:
		if len(b) >= 24 {
			return netip.AddrFrom16([16]byte(b[8:24])).Unmap().String(), true
		}
	}
	return "", false
}

// smbClient returns the client of an SMB server's event: its address, or else its name.
func smbClient(e winEvent) string {
	if a, ok := sockaddr(e.Text("ClientAddress")); ok {
		return a
	}
	var name string
	for d := range e.values {
		switch {
		case isAddress(d.value):
			return cleanAddress(d.value)
		case name == "" && d.name != "ClientAddress" && strings.HasPrefix(strings.ToLower(d.name), "client"):
			name = cleanAddress(d.value)
		}
	}
	return name
}

// smbNotices are events that an administrator should know and that are not uses.
var smbNotices = map[string]struct{ id, what string }{
	"Operational 1003": {"smb-not-encrypted", "a client sent a message that should have been encrypted and was not"},
	"Operational 1004": {"smb-wrong-signature", "a message had a wrong signature"},
	"Operational 1005": {"smb-tampered", "the negotiation did not arrive as it was sent: something between changes it"},
	"Operational 1015": {"smb-not-decrypted", "a message could not be decrypted"},
	"Audit 3003":       {"smb1-removed", "SMB1 was removed, as it had not been used"},
	"Audit 3024":       {"client-without-spn", "a client does not say which service it means (SPN)"},
	"Audit 3025":       {"client-unknown-spn", "a client means a service (SPN) that is not this host"},
	"Audit 3026":       {"client-empty-spn", "a client leaves the service that it means (SPN) empty"},
	"Audit 3027": {
		"client-without-signing-or-encryption",
		"an SMB1 client may not sign; Microsoft says that this event may be wrong both ways",
	},
}

// smbServer handles the SMB server's channels.
func (w *windowsLog) smbServer(e winEvent, id int) {
	channel := e.Channel()
	channel = channel[strings.LastIndexByte(channel, '/')+1:]
	place := fmt.Sprintf("%s %d", channel, id)
	basis := "SMBServer/" + channel + fmt.Sprintf(" event %d: ", id)
	if n, ok := smbNotices[place]; ok {
		w.notice(e, n.id, smbClient(e), n.what, fmt.Sprintf("SMBServer/%s event %d", channel, id))
		return
	}
	u := w.row(e, model.LayerSession)
	u.Client, u.Identity, u.SPN = smbClient(e), model.Unknown, undash(e.Text("SPN"))
	switch place {
	case "Audit 3000", "Audit 3002":
		u.Layer, u.Dialect, u.Basis = model.LayerNegotiate, dialectSMB1, basis+"SMB1 was used; who is not told"
	case "Operational 1001":
		u.Layer, u.Dialect, u.Outcome, u.Basis = model.LayerNegotiate, dialectSMB1, model.Denied,
			basis+"SMB1 was asked for, and is off"
	case "Audit 3021":
		u.Layer, u.Signing, u.Basis = model.LayerNegotiate, model.SigningNone, basis+"the client cannot sign"
		w.notice(e, "client-without-signing-or-encryption", u.Client, "a client cannot sign",
			"SMBServer/Audit event 3021")
	case "Audit 3022":
		u.Layer, u.CanEncrypt, u.Basis = model.LayerNegotiate, model.False, basis+"the client cannot encrypt"
		w.notice(e, "client-without-signing-or-encryption", u.Client, "a client cannot encrypt",
			"SMBServer/Audit event 3022")
	case "Operational 3023", "Security 3023":
		u.Identity, u.Basis = model.Guest, basis+"logged on as Guest"
	case "Security 551":
		w.refusedSetup(e, &u, basis)
	case "Security 1006":
		u.Layer, u.Outcome, u.Status, u.Share = model.LayerTree, model.Denied, "STATUS_ACCESS_DENIED",
			cleanShare(e.Text("ShareName"))
		var who string
		u.Identity, who = sidIdentity(e.Text("UserSid"), undash(e.Text("UserName")))
		u.Account, u.Basis = accountName(u.Identity, "", e.Text("UserName")), basis+"the share refused the caller: "+who
	case "Security 1007":
		u.Layer, u.Outcome, u.Status, u.Share = model.LayerTree, model.Denied, "STATUS_ACCESS_DENIED",
			cleanShare(e.Text("ShareName"))
		u.Identity, u.Basis = model.Anonymous, basis+"the share refused an anonymous caller"
	case "Security 1009":
		u.Identity, u.Package, u.Outcome, u.Status = model.Anonymous, model.PackageAnonymous, model.Denied,
			"STATUS_ACCESS_DENIED"
		u.Basis = basis + "the server refused an anonymous caller"
	case "Connectivity 4000":
		u.Layer, u.Share, u.Basis = model.LayerTree, cleanShare(e.Text("ShareName")),
			basis+"a connection to a share; who is not told"
		// as the manifest spells it
		u.Signed, u.Encrypted = truthOf(e.Text("SigningUsed")), truthOf(e.Text("EncyptionUsed"))
	default:
		return
	}
	if u.Layer == model.LayerTree && u.Share == "" {
		w.cov.CountUnreadable(fmt.Sprintf("SMBServer events %d that do not name the share", id), 1)
		return
	}
	if u.Layer == model.LayerTree && u.Share != "IPC$" {
		w.cov.CountRead("accesses to shares other than IPC$", 1)
		return
	}
	w.add(u)
}

// refusedSetup handles 551, a session setup that failed.
func (w *windowsLog) refusedSetup(e winEvent, u *model.Use, basis string) {
	u.Outcome = model.Denied
	if code, ok := logonID(e.Text("Status")); ok && code < 1<<32 {
		u.Status = status.NTStatus(uint32(code)).String()
	}
	var who string
	u.Identity, who = sidIdentity("", undash(e.Text("UserName")))
	u.Account, u.Basis = accountName(u.Identity, "", e.Text("UserName")), basis+"the session setup failed: "+who
}

// truthOf parses a boolean of an event.
func truthOf(s string) model.Tristate {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "true", "1", "0x1":
		return model.True
	case "false", "0", "0x0":
		return model.False
	}
	return model.NotKnown
}

// smbClientNotices are events of this host as a client.
var smbClientNotices = map[int]struct{ id, what string }{
	31017: {"guest-refused-as-client", "this host refused to be made a guest by a server"},
	31018: {"guest-allowed-as-client", "this host lets servers make it a guest"},
	31022: {"guest-allowed-as-client", "this host was made a guest by a server"},
	31998: {"server-without-encryption", "a server that this host uses cannot encrypt"},
	31999: {"server-without-signing", "a server that this host uses cannot sign"},
	32000: {"smb1-as-client", "this host, as a client, met SMB1"},
	32002: {"smb1-as-client", "this host, as a client, met SMB1"},
}

// smbClientEvent handles the SMB client's channels.
func (w *windowsLog) smbClientEvent(e winEvent, id int) {
	if n, ok := smbClientNotices[id]; ok {
		w.notice(e, n.id, "", n.what, fmt.Sprintf("SMBClient event %d", id))
	}
}
