package catalog

import (
	"fmt"
	"net/netip"
	"path"
	"slices"
	"strings"

	"ipcguard/internal/model"
)

// samba holds the rules of smbd and of the AD domain controller, measured on 4.17.12. What each interface gives away is
// the table in data/rules.yaml. Anonymous sessions and guest sessions are treated alike. [M]
type samba struct {
	*facts
	dc fit
}

func (s *samba) on(f *facts) rules { return &samba{f, s.dc} }

func (s *samba) session(id model.Identity) cell {
	gates := []cell{s.spoken(), s.address("hosts allow", "hosts deny")}
	switch id {
	case model.User:
		gates = append(gates, allowed("the credentials are valid"), s.hashed())
	case model.Guest, model.UnknownUser:
		gates = append(gates, s.mapped(), s.hashed())
		fallthrough
	default:
		gates = append(gates, s.unencrypted("server smb encrypt"))
	}
	return all(gates...)
}

// spoken: smbd accepts a maximum dialect below the minimum, and then answers no client. Releases before 4.11 have NT1
// as the default minimum, so for an unknown release the result is unknown. [M]
func (s *samba) spoken() cell {
	low, ok1 := s.text("server min protocol")
	high, ok2 := s.text("server max protocol")
	switch {
	case !ok1, !ok2, fold(low) == "default", fold(high) == "default", Dialect(high) >= Dialect(low):
		return allowed()
	case !s.get("server min protocol").present && s.p.Version == "":
		return unknown(s.why("server max protocol") +
			": from Samba 4.11 on nothing is spoken that low unless server min protocol says so, and every client " +
			"is refused; which release it is is not known")
	}
	return denied(s.why("server max protocol") + ", which lies below server min protocol, " + low +
		": no dialect is left, and every client is refused")
}

// Dialect orders smb.conf's names of dialects: those of SMB1 come first, and a family's bare name is its newest
// dialect. [S] samba, smb.conf(5)
func Dialect(name any) int {
	text := fold(model.Text(name))
	if family, bare := map[string]string{"smb2": "smb2_10", "smb3": "smb3_11"}[text]; bare {
		text = family
	}
	return slices.Index([]string{"smb2_02", "smb2_10", "smb3_00", "smb3_02", "smb3_11"}, text)
}

// mapped: a made-up name becomes guest under Bad User and Bad Password, except on a domain controller. [M]
func (s *samba) mapped() cell {
	v, ok := s.text("map to guest")
	switch squeeze(v) {
	case "never", "baduid":
		return denied("map to guest is " + v + ", so a failed logon fails")
	case "baduser", "badpassword":
		// the AD domain controller refuses a failed logon whatever map to guest says [M]
		switch s.dc {
		case yes:
			return denied("a domain controller makes nobody a guest, although map to guest is " + v)
		case maybe:
			return unknown("map to guest is " + v +
				"; a domain controller would make nobody a guest, and the role is not known")
		}
		return allowed("map to guest is " + v + ", so a made-up name becomes guest")
	}
	if !ok {
		return unknown(s.why("map to guest"))
	}
	return unknown("map to guest has a value that is not known: " + v)
}

// hashed: without encrypt passwords smbd does not support NTLM, so no named user can log on; over SMB1 a client may
// send its password in clear text. [M] samba-4.17.12 over SMB2 and later
func (s *samba) hashed() cell {
	on, ok := s.flag("encrypt passwords")
	low, known := s.text("server min protocol")
	switch {
	case !ok:
		return unknown(s.why("encrypt passwords"))
	case on:
		return allowed()
	case known && strings.HasPrefix(fold(low), "smb"):
		return denied("encrypt passwords is off, so every logon with a name fails")
	}
	return unknown("encrypt passwords is off, so every logon with a name fails, except perhaps over SMB1")
}

// demanded are the values that make encryption mandatory.
var demanded = []string{"required", "mandatory", "force", "forced", "enforced", "require"}

// unencrypted: a session without a key is refused if encryption is required, by the server or only by [IPC$]. [S]
// smb2_sesssetup.c, [M]
func (s *samba) unencrypted(id string) cell {
	v, ok := s.text(id)
	switch {
	case !ok:
		return unknown(s.why(id))
	case slices.Contains(demanded, fold(v)):
		return denied(id + " is " + v + ", which a session without a key cannot meet")
	}
	return allowed()
}

func (s *samba) tree(id model.Identity) cell {
	lists, ok := s.ipcLists()
	if !ok {
		ids := []string{"IPC$:hosts allow", "IPC$:hosts deny", "IPC$:valid users", "IPC$:invalid users"}
		ids = slices.DeleteFunc(ids, func(id string) bool { _, ok := s.names(id); return ok })
		return all(s.restricted(id), unknown(s.why(ids[0])))
	}
	gates := []cell{s.restricted(id), s.hosts(lists), s.users(id, lists)}
	if id.IsStranger() {
		gates = append(gates, s.unencrypted("IPC$:server smb encrypt"))
	}
	return all(gates...)
}

// ipcLists returns the lists of [IPC$] as those of a share; ok is false if one of them is unknown.
func (s *samba) ipcLists() (sh *model.Share, ok bool) {
	sh, ok = &model.Share{Name: "IPC$"}, true
	for id, to := range map[string]*[]string{
		"IPC$:hosts allow": &sh.HostsAllow, "IPC$:hosts deny": &sh.HostsDeny,
		"IPC$:valid users": &sh.ValidUsers, "IPC$:invalid users": &sh.InvalidUsers,
	} {
		names, known := s.names(id)
		*to, ok = names, ok && known
	}
	return sh, ok
}

// restricted: restrict anonymous 2 removes guest ok from IPC$, whatever the section says. [S] loadparm.c, [M]
func (s *samba) restricted(id model.Identity) cell {
	if !id.IsStranger() {
		return allowed()
	}
	n, ok := s.number("restrict anonymous")
	switch {
	case !ok:
		return unknown(s.why("restrict anonymous"))
	case n >= 2:
		return denied(s.why("restrict anonymous") + ", which closes IPC$ to strangers")
	}
	return allowed(s.why("restrict anonymous"))
}

// users: valid users and invalid users of a share, including [IPC$], are compared with the identity that logged on,
// whatever guest only and force user turn it into later. [M] The guest account's name applies to strangers, unless
// Samba's password database also has that account: then it does not.
func (s *samba) users(id model.Identity, sh *model.Share) cell {
	if len(sh.InvalidUsers) == 0 && len(sh.ValidUsers) == 0 {
		return allowed()
	}
	if !id.IsStranger() {
		return unknown("[" + sh.Name + "] has lists of users, so it depends on who the user is")
	}
	account, ok := s.text("guest account")
	if !ok {
		return unknown(s.why("guest account"))
	}
	inInvalid, openInvalid := listedUser(sh.InvalidUsers, account)
	inValid, openValid := listedUser(sh.ValidUsers, account)
	usual := fold(account) == "nobody" && s.dc == no
	unusual := unknown("the guest account is " + account +
		"; whether the list meets strangers depends on whether Samba's password database has the account too")
	const notKnown = " names groups, domains or macros; whom it means is not known"
	switch {
	case inInvalid && fold(account) == "nobody" && s.dc == yes: // whose database knows nobody [M]
		return allowed("[" + sh.Name +
			"] invalid users names the guest account, which a domain controller knows as a user, so that it does " +
			"not meet strangers")
	case inInvalid && usual:
		return denied("[" + sh.Name + "] invalid users names the guest account")
	case inInvalid:
		return unusual
	case openInvalid && len(sh.ValidUsers) > 0 && !inValid && !openValid:
		return denied("[" + sh.Name + "] valid users does not name the guest account")
	case openInvalid:
		return unknown("[" + sh.Name + "] invalid users" + notKnown)
	case len(sh.ValidUsers) == 0:
		return allowed()
	case inValid && usual:
		return allowed("[" + sh.Name + "] valid users names the guest account")
	case inValid:
		return unusual
	case openValid:
		return unknown("[" + sh.Name + "] valid users" + notKnown)
	}
	return denied("[" + sh.Name + "] valid users does not name the guest account")
}

// listedUser reports whether a list names an account by itself, and whether it has entries that may mean it: groups,
// security identifiers, macros, and names with a domain, which smbd does not take for the bare one. [M]
func listedUser(names []string, account string) (named, open bool) {
	for _, n := range names {
		switch {
		case n == "":
		case strings.ContainsAny(n[:1], "@+&"), strings.ContainsAny(n, `%\/`),
			len(n) > 2 && strings.EqualFold(n[:2], "S-"):
			open = true
		case strings.EqualFold(n, account):
			named = true
		}
	}
	return named, open
}

// address is the first gate: hosts allow and hosts deny of the whole server.
func (s *samba) address(allowID, denyID string) cell {
	allow, ok1 := s.names(allowID)
	deny, ok2 := s.names(denyID)
	if !ok1 || !ok2 {
		return unknown(s.why(allowID), s.why(denyID))
	}
	return s.from(allow, deny, "")
}

// hosts checks the same lists of a share.
func (s *samba) hosts(sh *model.Share) cell {
	return s.from(sh.HostsAllow, sh.HostsDeny, "["+sh.Name+"] ")
}

// from: a client in allow is admitted, a client in deny is refused; a client in neither is admitted unless there is
// only an allow list. 127.0.0.1 is admitted unless denied. [S] lib/util/access.c, [M] from loopback.
func (s *samba) from(allow, deny []string, where string) cell {
	if len(allow) == 0 && len(deny) == 0 {
		return allowed()
	}
	if len(allow) == 0 && len(deny) == 1 && fold(deny[0]) == "all" {
		return denied(where + "hosts deny is ALL")
	}
	if !s.cfg.Client.IsValid() {
		return unknown("it depends on the caller's address: " + where + "hosts allow is " + model.Text(allow) +
			", hosts deny is " + model.Text(deny))
	}
	inAllow, sure1 := matches(allow, s.cfg.Client)
	inDeny, sure2 := matches(deny, s.cfg.Client)
	if !sure1 || !inAllow && !sure2 {
		return unknown("the lists of hosts hold names or forms that are not judged here")
	}
	switch {
	case inAllow:
		return allowed("the caller's address is in " + where + "hosts allow")
	case inDeny:
		return denied("the caller's address is in " + where + "hosts deny")
	case len(deny) > 0 || len(allow) == 0 || slices.Contains([]string{"127.0.0.1", "::1"}, s.cfg.Client.String()):
		return allowed("the caller's address is not denied")
	}
	return denied("the caller's address is not in " + where + "hosts allow")
}

// matches understands addresses, networks as 10.0.0.0/8 and 10.0.0.0/255.0.0.0, prefixes as 10.1., patterns with * and
// ?, and ALL. sure is false if a host name, a netgroup or EXCEPT leaves it open.
func matches(entries []string, client netip.Addr) (in, sure bool) {
	sure = true
	for _, e := range entries {
		switch {
		case fold(e) == "all":
			in = true
		case strings.HasSuffix(e, "."):
			in = in || strings.HasPrefix(client.String(), e)
		case strings.ContainsAny(e, "*?") && !strings.ContainsAny(e, `[\/`):
			hit, err := path.Match(e, client.String())
			in, sure = in || hit, sure && err == nil
		case strings.Contains(e, "/"):
			p, ok := network(e)
			sure = sure && ok
			in = in || ok && p.Contains(client)
		default:
			a, err := netip.ParseAddr(e)
			sure = sure && err == nil
			in = in || a == client
		}
	}
	return in, sure
}

func network(e string) (netip.Prefix, bool) {
	if p, err := netip.ParsePrefix(e); err == nil {
		return p, true
	}
	host, mask, _ := strings.Cut(e, "/")
	a, err1 := netip.ParseAddr(host)
	m, err2 := netip.ParseAddr(mask)
	if err1 != nil || err2 != nil || !a.Is4() || !m.Is4() {
		return netip.Prefix{}, false
	}
	bits, b := 0, m.As4()
	v := uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
	for v&0x80000000 != 0 {
		bits, v = bits+1, v<<1
	}
	return netip.PrefixFrom(a, bits), v == 0
}

func (s *samba) pipe(id model.Identity, p *Pipe) cell {
	if on, ok := s.flag("nt pipe support"); !ok {
		return unknown(s.why("nt pipe support"))
	} else if !on {
		return denied("nt pipe support is off, which refuses every pipe to everybody")
	}
	gates := []cell{s.exists(p)}
	if on, ok := s.flag("rpc start on demand helpers"); !ok {
		gates = append(gates, unknown(s.why("rpc start on demand helpers")))
	} else if !on {
		gates = append(gates,
			absent("rpc start on demand helpers is off, so no pipe exists unless samba-dcerpcd runs by itself"))
	}
	return all(gates...)
}

func (s *samba) exists(p *Pipe) cell {
	var answers []cell
	for _, t := range s.c.Presence {
		if t.System != "samba" || s.is(Scope{Roles: t.Roles}) == no {
			continue
		}
		if has(t.Pipes, p.Name) {
			answers = append(answers, all(s.came(&t, p), s.configuredIn(p)))
		} else {
			answers = append(answers, absent("this kind of Samba server has no such pipe"))
		}
	}
	if len(answers) == 0 {
		return unknown("which pipes this server has is not known")
	}
	return agree(answers...)
}

// Lacks reports whether no server of a system was seen to have a pipe in a role, or in any if the role is not known. It
// is false if nothing is known of such servers.
func (c *Catalog) Lacks(system string, role model.Role, pipe string) bool {
	seen := false
	for i := range c.Presence {
		t := &c.Presence[i]
		switch {
		case t.System != system, role != model.UnknownRole && !slices.Contains(t.Roles, role):
		case has(t.Pipes, pipe):
			return false
		default:
			seen = true
		}
	}
	return seen
}

// came handles pipes that older releases lack. An unknown release is treated as a current one.
func (s *samba) came(t *Presence, p *Pipe) cell {
	version := s.p.Version
	for _, l := range t.Later {
		switch {
		case version == "" || !has(l.Pipes, p.Name) || !olderRelease(version, l.With):
		case !olderRelease(l.Without, version):
			return absent("Samba " + version + " has no such pipe")
		default:
			return unknown("Samba " + l.Without + " has no such pipe and " + l.With +
				" has it; which of the two holds for " + version + " was not measured")
		}
	}
	return allowed()
}

// configuredIn handles parameters that remove single pipes.
func (s *samba) configuredIn(p *Pipe) cell {
	if p.Name == "spoolss" {
		if off, ok := s.flag("disable spoolss"); !ok {
			return unknown(s.why("disable spoolss"))
		} else if off {
			return unknown("disable spoolss is on; what the pipe then answers was not measured")
		}
	}
	return s.endpoint(p.Interfaces)
}

// endpoint: on a domain controller the list of endpoint servers can remove interfaces. What a pipe without its
// interface answers was not measured, so a shortened list makes the pipe unknown.
func (s *samba) endpoint(bound []Bound) cell {
	r := s.get("dcerpc endpoint servers")
	if s.dc == no || !r.present {
		return allowed()
	}
	names, ok := s.names("dcerpc endpoint servers")
	if !ok {
		return unknown(s.why("dcerpc endpoint servers"))
	}
	def, _ := list(r.Defaults[0].Value)
	for _, b := range bound {
		if has(def, b.ID) && !has(names, b.ID) {
			return unknown("dcerpc endpoint servers does not list " + b.ID +
				"; what the pipe then answers was not measured")
		}
	}
	return allowed()
}

// discloses evaluates the table in data/rules.yaml.
func (s *samba) discloses(id model.Identity, d model.Disclosure, at func(string) cell) cell {
	if d == model.DisclosesFiles {
		return s.files(id)
	}
	var buf [4]cell // no kind of data has more ways
	ways := buf[:0]
	for i := range s.c.Rules {
		r := &s.c.Rules[i]
		if r.Discloses != d || r.Call != "" || !slices.Contains(r.Systems, "samba") {
			continue
		}
		c := at(r.Pipe)
		if !c.shut() {
			c = all(c, s.row(id, r), s.endpoint([]Bound{{ID: r.Interface}}))
		}
		ways = append(ways, c)
	}
	return anyOf(ways...)
}

// row returns the entry of a table row for the host's role.
func (s *samba) row(id model.Identity, r *Rule) cell {
	who := s.given(id, r.Standalone, r.Why)
	switch s.dc {
	case yes:
		return s.given(id, r.DC, r.Why)
	case maybe:
		return agree(who, s.given(id, r.DC, r.Why))
	}
	return who
}

// call answers for a call that has its own row in the table.
func (s *samba) call(id model.Identity, iface, call string) (cell, bool) {
	for i := range s.c.Rules {
		if r := &s.c.Rules[i]; r.Call != "" && r.Call == call && r.Interface == iface &&
			slices.Contains(r.Systems, "samba") {
			return s.row(id, r), true
		}
	}
	return cell{}, false
}

// given evaluates one word of the table.
func (s *samba) given(id model.Identity, who, why string) cell {
	switch who {
	case "anyone":
		return allowed(why)
	case "absent":
		return absent(why)
	case "administrator":
		return denied(why)
	case "user":
		if id.IsStranger() {
			return denied(why)
		}
		return allowed(why)
	case "unrestricted":
		if !id.IsStranger() {
			return allowed(why)
		}
		n, ok := s.number("restrict anonymous")
		switch {
		case !ok:
			return unknown(s.why("restrict anonymous"))
		case n > 0:
			return denied(why, s.why("restrict anonymous"))
		}
		return allowed(why, s.why("restrict anonymous"))
	}
	return unknown(why)
}

// files are disclosed by any disk share that admits the identity.
func (s *samba) files(id model.Identity) cell {
	if s.cfg.Shares == nil {
		return unknown("the shares are not known")
	}
	best, open := denied("no share lets strangers in"), 0
	for i := range s.cfg.Shares {
		sh := &s.cfg.Shares[i]
		if strings.EqualFold(sh.Name, "IPC$") {
			continue
		}
		switch c := s.share(id, sh); {
		case c.outcome == model.Allowed:
			if open++; open == 1 {
				best = c
			}
		case c.outcome == model.OutcomeUnknown && best.outcome == model.Denied:
			best = c
		}
	}
	if open > 1 {
		best.why = append(best.why, fmt.Sprintf("%d shares in all", open))
	}
	if best.outcome != model.Denied {
		return best
	}
	if hidden := s.hidden(); hidden != "" {
		return unknown(hidden)
	}
	if !id.IsStranger() {
		return denied("no share lets users in")
	}
	return best
}

// share reports whether an identity with a session can connect to a disk share. The folder's permissions decide about
// its contents. A share with guest ok or guest only admits strangers at every value of restrict anonymous. [M]
func (s *samba) share(id model.Identity, sh *model.Share) cell {
	c := s.asRead(id, sh)
	if sh.Unread != "" && c.outcome != model.Allowed {
		return unknown("share " + sh.Name + ": " + sh.Unread)
	}
	return c
}

// asRead is share by the lines that are known.
func (s *samba) asRead(id model.Identity, sh *model.Share) cell {
	if sh.Off != "" {
		return absent("share " + sh.Name + ": " + sh.Off)
	}
	var gates [5]cell
	gates[0], gates[1] = s.hosts(sh), s.users(id, sh)
	switch gates[4] = allowed(); {
	case sh.Unsure != "":
		gates[4] = unknown("share " + sh.Name + ": " + sh.Unsure)
	case sh.Program != "": // [M]
		gates[4] = unknown("share " + sh.Name + " has " + sh.Program + " close, so it depends on what the program says")
	}
	gates[2], gates[3] = s.forUsers(sh), allowed()
	if id.IsStranger() {
		gates[2], gates[3] = s.guests(sh), s.forStrangers(sh)
	}
	c := all(gates[:]...)
	if sh.Printer && c.outcome == model.Allowed {
		return absent("share " + sh.Name + " takes print jobs, and gives no files")
	}
	return c
}

// guests: the lines that let strangers in. What a usershare says of them counts while usershare allow guests does; else
// it has what [global] gives. [M]
func (s *samba) guests(sh *model.Share) cell {
	line := "guest ok"
	switch {
	case sh.UserShare && !sh.GuestOnly:
		on, ok := s.flag("usershare allow guests")
		d := s.cfg.Defaults
		switch {
		case !ok:
			return unknown(s.why("usershare allow guests"))
		case on && sh.Guest:
			return allowed("the usershare " + sh.Name + " takes guests; " + s.decides(sh))
		case !on && d != nil && d.Guest:
			return allowed("[global] has guest ok, which the usershare " + sh.Name + " begins with")
		}
		return denied("the usershare " + sh.Name + " takes no guests: " + s.why("usershare allow guests"))
	case !sh.Guest && !sh.GuestOnly:
		return denied("share " + sh.Name + " has neither guest ok nor guest only")
	case !sh.Guest:
		line = "guest only"
	}
	return allowed("share " + sh.Name + " has " + line + "; " + s.decides(sh))
}

// decides says what decides about the single files of a share that admits strangers.
func (s *samba) decides(sh *model.Share) string {
	account, _ := s.text("guest account")
	switch {
	case fold(sh.ForceUser) == "root":
		return "force user makes root of them, whom no permissions of a file stop"
	case sh.ForceUser == "" && fold(account) == "root":
		return "guest account makes root of them, whom no permissions of a file stop"
	}
	return "the permissions of its folder decide about single files"
}

// forStrangers: a share that requires encryption refuses callers without a key. [M]
func (s *samba) forStrangers(sh *model.Share) cell {
	if slices.Contains(demanded, sh.Encrypt) {
		return denied("share " + sh.Name + " wants encryption, which a session without a key cannot meet")
	}
	return allowed()
}

// forUsers: a share that requires encryption refuses everyone if the server does not support it. [M]
func (s *samba) forUsers(sh *model.Share) cell {
	if !slices.Contains(demanded, sh.Encrypt) {
		return allowed("share " + sh.Name + " takes users")
	}
	v, ok := s.text("server smb encrypt")
	switch {
	case !ok:
		return unknown(s.why("server smb encrypt"))
	case s.encryptsNothing():
		return denied("share " + sh.Name + " wants encryption, and server smb encrypt is " + v)
	}
	return allowed("share " + sh.Name + " takes users who encrypt")
}

// encryptsNothing reports whether the server is known to offer no encryption, whatever a share asks for. [M]
func (s *samba) encryptsNothing() bool {
	v, ok := s.text("server smb encrypt")
	return ok && slices.Contains([]string{"no", "false", "0", "off", "disabled"}, fold(v))
}

// hidden says why there may be shares that the configuration does not show.
func (s *samba) hidden() string {
	if s.cfg.Unread != "" {
		return "not everything of the configuration was read: " + s.cfg.Unread
	}
	if s.cfg.EveryShare {
		return ""
	}
	if on, ok := s.flag("registry shares"); ok && on {
		return s.why("registry shares") + ": shares of the registry are not shown here (net conf list shows them)"
	}
	if w, ok := s.text("config backend"); ok && fold(w) == "registry" {
		return s.why("config backend") + ": shares of the registry are not shown here (net conf list shows them)"
	}
	if most, ok := s.number("usershare max shares"); ok && most <= 0 {
		return ""
	}
	const notShown = ": users may make shares that take strangers, which are not shown here (net usershare list " +
		"shows them)"
	if guests, sure := s.flag("usershare allow guests"); sure && guests {
		return s.why("usershare allow guests") + notShown
	}
	if d := s.cfg.Defaults; d != nil && (d.Guest || d.GuestOnly) && !s.share(model.Anonymous, d).shut() {
		return "[global] lets every new share take guests" + notShown
	}
	return ""
}

// squeeze removes blanks, as Samba does when it compares words.
func squeeze(s string) string { return strings.ReplaceAll(fold(s), " ", "") }
