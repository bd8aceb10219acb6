package logs

import (
	"bytes"
	"cmp"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"ipcguard/internal/model"
	"ipcguard/internal/observe"
	"ipcguard/internal/status"
)

// sambaLog turns Samba's own records into uses: the authentication audit (as JSON, log class auth_json_audit, and in
// words), the lines of full_audit, and the output of smbstatus --json. None of them names a pipe or a call.
type sambaLog struct {
	add    func(model.Use)
	cov    *observe.Coverage
	source string
	server string // of records without the server's address

	// At a log level that has both, a successful logon has two records, Authentication and Authorization. The first
	// kind waits until it is known, for each server and identity, whether the second is there: level 3 has no
	// Authorization, and level 4 none of null sessions, whose Authentication a file server still writes.
	authenticated *observe.Aggregator
	authorized    map[authorizedKey]bool
	vouched       vouched
	twice         twice
	authEvents    int64
	anonymous     int64
	fullAudit     int64
	snapshots     int64
}

type authorizedKey struct {
	server   string
	identity model.Identity
}

func newSambaLog(add func(model.Use), cov *observe.Coverage) *sambaLog {
	return &sambaLog{
		add: add, cov: cov, authenticated: observe.NewAggregator(0), authorized: make(map[authorizedKey]bool),
	}
}

// sambaAuth reports whether a JSON record is one of the authentication audit.
func sambaAuth(m map[string]any) bool {
	t := jsonText(m["type"])
	return (t == "Authentication" || t == "Authorization") && isObject(m, t)
}

func sambaTime(s string) time.Time {
	for _, layout := range []string{"2006-01-02T15:04:05.999999-0700", time.RFC3339Nano} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC()
		}
	}
	return time.Time{}
}

// auth reads one record of the authentication audit, in one of its forms.
func (s *sambaLog) auth(m map[string]any, form int) {
	kind := jsonText(m["type"])
	r := object(m, kind)
	text := func(name string) string { return jsonText(r[name]) }
	t := sambaTime(jsonText(m["timestamp"]))
	s.cov.Saw(t)
	short := func(name string) string { return observe.Clip(text(name)) }
	key := twiceKey{
		kind, short("remoteAddress"), short("localAddress"), short("clientAccount") + short("account"), short("status"),
	}
	if s.twice.again(key, form, t) {
		s.cov.CountRead("Samba "+kind+" records in words and as JSON, taken once", 1)
		return
	}
	s.cov.CountRead("Samba "+kind+" records", 1)
	s.authEvents++
	service := text("serviceDescription")
	if kind == "Authentication" { // also a controller's for its members
		s.cov.LogonNamed(cmp.Or(cleanAddress(text("localAddress")), s.server, s.source), s.source,
			text("clientAccount"), text("workstation"), t)
	}
	if !strings.HasPrefix(service, "SMB") {
		s.cov.CountRead("Samba logons for services other than SMB", 1)
		return
	}
	u := model.Use{
		Client: cleanAddress(text("remoteAddress")), Server: cleanAddress(text("localAddress")),
		Layer: model.LayerSession, Outcome: model.Allowed, Status: "STATUS_SUCCESS", Opnum: -1, Count: 1, First: t,
		Last: t, Source: s.source,
	}
	s.cov.Hear(u.Server, model.LayerSession, "Samba "+kind+" records", t)
	if service == "SMB" { // "SMB2" is every newer dialect
		u.Dialect = dialectSMB1
	}
	if kind == "Authorization" {
		s.authorization(u, text)
	} else {
		s.authentication(u, text)
	}
}

// authorization adds the use of an Authorization record, which names the account that a session got. text returns a
// field of the record.
func (s *sambaLog) authorization(u model.Use, text func(string) string) {
	var basis string
	u.Identity, basis = sidIdentity(text("sid"), text("account"))
	u.Account = accountName(u.Identity, text("domain"), text("account"))
	u.Basis = "Samba authorization: " + basis
	u.Package = s.authorizedBy(u.Identity, text("authType"), text("remoteAddress")+" "+text("localAddress"))
	s.countAnonymous(u)
	if len(s.authorized) < maxHosts {
		s.authorized[authorizedKey{u.Server, u.Identity}] = true
	}
	s.add(u)
}

// authentication adds the use of an Authentication record, which says what became of one logon. text returns a field of
// the record.
func (s *sambaLog) authentication(u model.Use, text func(string) string) {
	if client, ok := sambaPeer(text("remoteAddress")); ok {
		s.cov.LogonInLog(u.Server, s.source, client, u.First)
	}
	name, basis := text("clientAccount"), ""
	u.Status = strings.TrimPrefix(text("status"), "NT_")
	if u.Status == "STATUS_OK" {
		u.Status = "STATUS_SUCCESS"
	}
	switch {
	case name == "":
		u.Identity, basis = model.Anonymous, "no account name"
	case u.Status == "STATUS_NO_SUCH_USER":
		u.Identity, basis = model.UnknownUser, "no such account"
	default:
		u.Identity, basis = sidIdentity(text("becameSid"), name)
		if u.Identity == model.User {
			basis = "account name"
		}
	}
	u.Basis = "Samba authentication: " + basis
	u.Account = accountName(u.Identity, text("clientDomain"), name)
	u.Package = passwordPackage(text("passwordType"), name)
	s.vouched.put(text("remoteAddress")+" "+text("localAddress"), u.Package)
	s.countAnonymous(u)
	if u.Status == "STATUS_SUCCESS" {
		s.authenticated.Add(u)
		return
	}
	u.Outcome = model.Inconclusive // the fault may be the server's: it may have found no controller to ask
	if st, ok := status.ParseNTStatus(u.Status); ok && st.Answer() == status.No {
		u.Outcome = model.Denied
	}
	s.add(u)
}

// sambaPeer reads an address with its port as Samba writes it: ipv4:192.0.2.1:49152.
func sambaPeer(s string) (netip.AddrPort, bool) {
	_, rest, _ := strings.Cut(s, ":")
	i := strings.LastIndexByte(rest, ':')
	if i < 0 {
		return netip.AddrPort{}, false
	}
	addr, err := netip.ParseAddr(rest[:i])
	port, perr := strconv.ParseUint(rest[i+1:], 10, 16)
	return netip.AddrPortFrom(addr.WithZone(""), uint16(port)), err == nil && perr == nil
}

func (s *sambaLog) countAnonymous(u model.Use) {
	if u.Identity == model.Anonymous {
		s.anonymous++
	}
}

// line reads one line of a Samba log or of syslog: an audit record, a full_audit line, or anything else. host wrote it,
// if that is known.
func (s *sambaLog) line(l *Reader, line []byte, at time.Time, host string) {
	if i := bytes.IndexByte(line, '{'); i >= 0 && bytes.Contains(line[i:], []byte(`"type"`)) {
		if l.jsonRecord(line[i:]) != nil {
			s.cov.CountUnreadable("damaged JSON records in a text log", 1)
		}
		return
	}
	text := string(line)
	switch {
	case isSambaText(text):
		if m := sambaText(text); m != nil {
			s.auth(m, inWords)
		} else {
			s.cov.CountUnreadable("lines of Samba's audit in words that are not understood", 1)
		}
	case strings.Contains(text, "CVE-20"):
		s.schannel(text, at, host)
	case strings.Contains(text, "|"):
		s.fullAuditLine(text, at, host)
	}
}

// schannelText is what Samba's controllers log about an account whose Netlogon has no secure channel (CVE-2020-1472),
// does not encrypt on it, or has an old cipher (CVE-2022-38023), with the line of smb.conf that allows it. [S]
// librpc/rpc/server/netlogon/schannel_util.c, source4/rpc_server/netlogon/dcerpc_netlogon.c
var schannelText = regexp.MustCompile(
	`^\s*CVE-20(?:22-38023|20-1472\(ZeroLogon\)): (?:Check if option|Please use|Option) ` +
		`'((?:(server (?:require schannel|schannel require seal|reject md5 schannel)):([^' ]{1,64}) = no)|` +
		`(?:(allow nt4 crypto):([^' ]{1,64}) = yes))' ` +
		`(might be needed|for|still needed)\b`)

// schannel reads a domain controller's line about Netlogon that is too weak.
func (s *sambaLog) schannel(line string, at time.Time, host string) {
	m := schannelText.FindStringSubmatch(line)
	if m == nil {
		return
	}
	exception, setting, account := m[1], cmp.Or(m[2], m[4]), strings.Clone(cmp.Or(m[3], m[5]))
	n := model.Notice{
		ID: model.NoticeSchannel, Time: at, Host: observe.Clip(cmp.Or(s.server, host)), Client: account,
		Setting: strings.Clone(setting), Source: s.source, Evidence: "Samba's log: " + strings.TrimSpace(line),
	}
	switch m[6] {
	case "still needed":
		n.What = "its Netlogon goes on by the exception '" + exception + "' alone"
	case "for":
		n.What = "its Netlogon would be refused without '" + exception + "'"
	default:
		n.What = "its Netlogon is refused; '" + exception + "' would let it go on"
		if strings.Contains(setting, "md5") || strings.Contains(setting, "crypto") { // [M] said of those let in, too
			n.What = "its Netlogon has an old cipher; where that is refused, '" + exception + "' lets it go on"
		}
	}
	s.cov.Notice(n)
}

// fullAuditLine reads PREFIX|operation|result|arguments. The administrator chooses the prefix: by default it is
// user|address, and others have names, as in USER=ann | IP=10.0.0.1. Only connections to IPC$ matter here: operations
// on pipes do not pass this module.
func (s *sambaLog) fullAuditLine(line string, at time.Time, host string) {
	f := strings.Split(strings.TrimSpace(line), "|")
	i := slices.Index(f, "connect")
	if i < 0 || i+2 >= len(f) {
		if len(f) >= 3 && slices.ContainsFunc(f, isResult) {
			s.fullAudit++
			s.cov.CountRead("full_audit lines", 1)
			s.cov.Saw(at)
		}
		return
	}
	result, share := f[i+1], f[len(f)-1]
	if result != "ok" && !strings.HasPrefix(result, "fail") {
		return
	}
	s.fullAudit++
	s.cov.CountRead("full_audit lines", 1)
	s.cov.Saw(at)
	server := cmp.Or(s.server, strings.Clone(host))
	s.cov.Hear(server, model.LayerTree, "full_audit connect lines", at)
	if !strings.EqualFold(share, "IPC$") {
		return
	}
	u := model.Use{
		Server: server, Share: "IPC$", Layer: model.LayerTree, Outcome: model.Allowed, Opnum: -1, Count: 1, First: at,
		Last: at, Source: s.source,
	}
	if result != "ok" {
		u.Outcome = model.Denied
	}
	var name string
	name, u.Client = auditPrefix(f[:i])
	u.Identity, u.Account, u.Basis = unixIdentity(name, "full_audit")
	s.add(u)
}

// isResult reports whether a field of full_audit is a result.
func isResult(s string) bool { return s == "ok" || strings.HasPrefix(s, "fail (") }

// auditPrefix finds the account and the client's address in full_audit's prefix: by their names, else the first word is
// the account and the first address is the client's. It copies both, so that the line can be freed.
func auditPrefix(fields []string) (account, client string) {
	first := ""
	for n, v := range fields {
		key, value, named := strings.Cut(v, "=")
		key = strings.ToUpper(strings.TrimSpace(key))
		if value = strings.TrimSpace(value); !named {
			key, value = "", strings.TrimSpace(v)
		}
		switch {
		case key == "USER" || key == "USERNAME" || key == "ACCOUNT":
			account = strings.Clone(value)
		case isAddress(value):
			if client == "" {
				client = strings.Clone(cleanAddress(value))
			}
		case n == 0 && !named:
			first = strings.Clone(value)
		}
	}
	return cmp.Or(account, first), client
}

// unixIdentity returns the identity behind a Unix account. Samba uses its guest account for null sessions and guests.
func unixIdentity(name, from string) (model.Identity, string, string) {
	switch {
	case name == "nobody" || name == "":
		return model.Unknown, name, from + ": the guest account, by which Samba runs null sessions and guests alike"
	case strings.HasSuffix(name, "$"):
		return model.Machine, name, from + ": account name ends in $"
	}
	return model.User, name, from + ": account name"
}

// status reads the output of smbstatus --json: the connections to IPC$ at that moment.
func (s *sambaLog) status(m map[string]any) {
	t := sambaTime(jsonText(m["timestamp"]))
	s.cov.Saw(t)
	s.cov.CountRead("smbstatus snapshots", 1)
	s.snapshots++
	sessions := object(m, "sessions")
	for _, v := range object(m, "tcons") {
		c, _ := v.(map[string]any)
		if !strings.EqualFold(jsonText(c["service"]), "IPC$") {
			continue
		}
		from := t
		until := t
		if at := sambaTime(jsonText(c["connected_at"])); !at.IsZero() {
			from = at
			if at.After(t) { // it was made after smbstatus had written the snapshot's time
				until = at
			}
		}
		u := model.Use{
			Client: cleanAddress(jsonText(c["machine"])), Server: s.server, Share: "IPC$", Layer: model.LayerTree,
			Outcome: model.Allowed, Opnum: -1, Count: 1, First: from, Last: until, Source: s.source,
		}
		session := object(sessions, jsonText(c["session_id"]))
		if session == nil {
			u.Identity, u.Basis = model.Unknown, "smbstatus: the session is not listed"
		} else {
			u.Identity, u.Account, u.Basis = unixIdentity(jsonText(session["username"]), "smbstatus")
			if host := cleanAddress(jsonText(session["hostname"])); isAddress(host) {
				u.Client = host
			}
		}
		s.add(u)
	}
}

// close adds the logons that have only one record, and notes what the logs could not show.
func (s *sambaLog) close() {
	for _, u := range s.authenticated.Rows() {
		if !s.authorized[authorizedKey{u.Server, u.Identity}] {
			s.add(u)
		}
	}
	if n := s.twice.doubtful; n > 0 {
		s.cov.Note(fmt.Sprintf("Samba: up to %d logons may be counted twice, in words and as JSON: the two are too "+
			"far apart in what was read to be matched", n))
	}
	if s.authEvents > 0 && len(s.authorized) == 0 {
		s.cov.Note("Samba: there are no Authorization records, so logons turned into guests are not seen: log level " +
			"4 of auth_json_audit adds them")
	}
	if s.authEvents > 0 && s.anonymous == 0 {
		s.cov.Note("Samba: no anonymous logon in the log, which proves something only if auth_json_audit was at 5: a " +
			"lower level may leave null sessions out")
	}
	if s.authEvents > 0 || s.fullAudit > 0 || s.snapshots > 0 {
		s.cov.Note("Samba: no log names pipes or calls: a capture or the gateway shows them")
	}
	if s.authEvents == 0 && (s.fullAudit > 0 || s.snapshots > 0) {
		s.cov.Note(fmt.Sprintf("Samba: no authentication audit was read (%d full_audit lines, %d smbstatus "+
			"snapshots), so null sessions cannot be told from guests: set log level = 1 auth_json_audit:5",
			s.fullAudit, s.snapshots))
	}
}
