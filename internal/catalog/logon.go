package catalog

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"ipcguard/internal/model"
)

// dialects are the dialects from oldest to newest, as model.Use names them.
var dialects = []string{"NT LM 0.12", "2.0.2", "2.1", "3.0", "3.0.2", "3.1.1"}

// SignIn reports whether a client may still log on as it was seen to: with that protocol and dialect, and the signing
// and encryption that it offers. It presupposes that the logon succeeded, and returns allowed if no setting disables
// it; if settings is given, it checks only those, by their IDs.
func (v *View) SignIn(u *model.Use, settings []string) (model.Outcome, []string) {
	var gates []cell
	for i := range v.c.Settings {
		s := &v.c.Settings[i]
		if len(s.Ends) == 0 || s.System != v.facts.p.System || (s.Side == "client") != u.Outgoing() ||
			settings != nil && !slices.Contains(settings, s.ID) {
			continue
		}
		for j := range s.Ends {
			if u.Elsewhere() && !s.Ends[j].Domain {
				continue
			}
			if g := v.end(s, &s.Ends[j], u); g.outcome != model.Allowed {
				gates = append(gates, g)
			}
		}
	}
	c := all(gates...)
	return c.outcome, c.why
}

// Changed returns the IDs of the settings that disable a kind of logon and have another effect than in the view before.
func (v *View) Changed(before *View) []string {
	out := []string{}
	for i := range v.c.Settings {
		s := &v.c.Settings[i]
		if len(s.Ends) == 0 || s.System != v.facts.p.System {
			continue
		}
		was, is := before.facts.get(s.ID), v.facts.get(s.ID)
		if was.known != is.known || was.known && !equal(was.value, is.value) {
			out = append(out, s.ID)
		}
	}
	return out
}

// end checks one kind of logon that a setting may disable.
func (v *View) end(s *Setting, e *End, u *model.Use) cell {
	who, way := e.who(u.Identity), e.way(u)
	meets := least(who, way)
	if meets == no {
		return allowed()
	}
	r := v.facts.get(s.ID)
	if r.applies == no || e.Global && v.line {
		return allowed()
	}
	if !r.known {
		return unknown(v.facts.why(s.ID))
	}
	if !e.At(s, r.value) {
		return allowed()
	}
	meets = least(meets, v.facts.is(e.Scope), v.while(e))
	why := s.ID + " is " + model.Text(r.value) + ": " + e.Why
	spared, doubt := v.spared(e, u)
	switch {
	case meets == no || spared == yes:
		return allowed()
	case spared == maybe:
		return unknown(why + "; " + doubt)
	case e.Maybe != "":
		return unknown(why + "; " + e.Maybe)
	case meets == maybe && way == yes && who == maybe:
		return unknown(why + "; this client comes so, and as whom was not seen")
	case meets == maybe:
		return unknown(why + "; whether that meets this client was not seen")
	case e.WrongPassword && v.Session(model.UnknownUser) != model.Denied && v.takesWrongPasswords():
		return unknown(why + "; map to guest then lets it in as guest")
	}
	return denied(why)
}

// spared reports whether an account has a line that exempts it, or a server is on the list of exceptions, and why that
// is in doubt. The list has names as clients use them, so an address, or a name of which only the first label matches,
// may be on it or not. [D] SPS network-security-restrict-ntlm-add-server-exceptions-in-this-domain
func (v *View) spared(e *End, u *model.Use) (f fit, doubt string) {
	if s := v.c.setting[e.ExceptLine]; s != nil {
		account := u.Account[strings.LastIndexByte(u.Account, '\\')+1:]
		if slices.ContainsFunc(v.facts.cfg.AccountLines,
			func(l model.AccountLine) bool { return s.Excepts(&l, account) }) {
			return yes, ""
		}
	}
	if e.Except == "" {
		return no, ""
	}
	server := u.Server
	list, known := v.facts.names(e.Except)
	if !known {
		return maybe, "which servers are excepted is not known: " + v.facts.why(e.Except)
	}
	f = no
	for _, pattern := range list {
		f = max(f, fitsServer(pattern, server))
	}
	if f == maybe {
		doubt = fmt.Sprintf("whether %s, which has exceptions, means this server is not known", e.Except)
	}
	return f, doubt
}

// fitsServer reports whether an entry of a list of exceptions matches a server: a star at its beginning or end matches
// any characters.
func fitsServer(pattern, server string) fit {
	pattern, server = strings.ToLower(strings.TrimSpace(pattern)), strings.ToLower(server)
	core, ahead := strings.CutPrefix(pattern, "*")
	core, behind := strings.CutSuffix(core, "*")
	same := core == server
	switch {
	case ahead && behind:
		same = strings.Contains(server, core)
	case ahead:
		same = strings.HasSuffix(server, core)
	case behind:
		same = strings.HasPrefix(server, core)
	}
	if same && server != "" {
		return yes
	}
	if _, err := netip.ParseAddr(server); err == nil || server == "" || ahead || behind {
		return maybe
	}
	name := func(s string) string { first, _, _ := strings.Cut(s, "."); return first }
	if name(core) == name(server) {
		return maybe // one is a full name, the other a short one
	}
	return no
}

// while reports whether the other settings have the required values.
func (v *View) while(e *End) fit {
	meets := yes
	for _, x := range e.While {
		r := v.facts.get(x.Setting)
		switch {
		case !r.known:
			meets = least(meets, maybe)
		case !slices.ContainsFunc(x.Values, func(want any) bool { return equal(r.value, want) }):
			return no
		}
	}
	return meets
}

// takesWrongPasswords reports whether a Samba server may map a logon with a wrong password to guest.
func (v *View) takesWrongPasswords() bool {
	if v.facts.p.System != "samba" {
		return false
	}
	word, ok := v.facts.text("map to guest")
	return !ok || squeeze(word) == "badpassword"
}

// At reports whether a value disables the kind of logon.
func (e *End) At(s *Setting, value any) bool {
	if n, ok := model.Whole(value); ok && (e.AtLeast > 0 || e.Bits > 0) {
		return e.AtLeast > 0 && n >= e.AtLeast || e.Bits > 0 && n&e.Bits == e.Bits
	}
	return slices.ContainsFunc(e.Values, func(x any) bool {
		want, ok := s.Value(model.Value{Present: true, Data: x})
		return ok && s.Same(want, value)
	})
}

// who reports whether the end is about an identity. A machine account logs on like a user, and so does an identity that
// encrypts, because it has a key.
func (e *End) who(id model.Identity) fit {
	if len(e.Who) > 0 {
		if slices.Contains(e.Who, id) {
			return yes
		}
		return unseen(id)
	}
	switch id {
	case model.User, model.Machine, model.Opaque:
		return yes
	}
	return unseen(id)
}

// unseen returns no, except for an identity whose logon was not seen.
func unseen(id model.Identity) fit {
	if id == model.Unknown {
		return maybe
	}
	return no
}

// way reports whether the client used the logon that is disabled, and could use no other.
func (e *End) way(u *model.Use) fit {
	if e.IPC && (u.Layer == model.LayerSession || u.Layer == model.LayerNegotiate) {
		return no
	}
	meets := yes
	if e.Interface != "" {
		switch {
		case strings.EqualFold(u.Interface, e.Interface):
		case u.Interface == "" && strings.EqualFold(u.Pipe, e.Interface):
			meets = maybe // the pipe may carry other interfaces
		default:
			return no
		}
	}
	if len(e.Packages) > 0 {
		switch {
		case u.Package == "" || u.Package == model.PackageUnknown:
			meets = maybe
		case u.Package == model.PackageNTLM:
			meets = someNTLM(e.Packages)
		case !slices.Contains(e.Packages, u.Package):
			return no
		}
	}
	if e.Raw {
		meets = least(meets, fitOf(u.Raw))
	}
	if e.Older != "" {
		meets = least(meets, olderThan(u, e.Older))
	}
	if e.NotOlder != "" {
		meets = least(meets, yes-olderThan(u, e.NotOlder))
	}
	if e.NoName {
		meets = least(meets, yes-asksByName(u))
	}
	if e.Named {
		meets = least(meets, asksByName(u))
	}
	if e.Unsigned {
		meets = least(meets, cannotSign(u))
	}
	if e.Unencrypted {
		meets = least(meets, cannotEncrypt(u))
	}
	if e.SMB2 {
		meets = least(meets, overSMB2(u))
	}
	if e.Encrypts {
		meets = least(meets, mayEncrypt(u))
	}
	return meets
}

// someNTLM reports whether packages include NTLM of an unknown version.
func someNTLM(packages []string) fit {
	all := []string{model.PackageLM, model.PackageNTLMv1, model.PackageNTLMv1ESS, model.PackageNTLMv2}
	has := func(p string) bool { return slices.Contains(packages, p) }
	switch {
	case !slices.ContainsFunc(all, has):
		return no
	case slices.ContainsFunc(all, func(p string) bool { return !has(p) }):
		return maybe
	}
	return yes
}

func least(fits ...fit) fit { return slices.Min(fits) }

func fitOf(t model.Tristate) fit {
	switch t {
	case model.True:
		return yes
	case model.False:
		return no
	}
	return maybe
}

// olderThan reports whether a client supports only dialects older than the given one. A newer negotiated dialect
// settles it; an older one does not, because the server may have chosen it.
func olderThan(u *model.Use, dialect string) fit {
	want := slices.Index(dialects, dialect)
	if u.Offers != "" {
		if slices.Index(dialects, u.Offers) < want {
			return yes
		}
		return no
	}
	if at := slices.Index(dialects, u.Dialect); at >= want {
		return no
	}
	return maybe
}

// asksByName reports whether a client names the service. NTLM before version 2 has no field for it, and logs do not
// contain it.
func asksByName(u *model.Use) fit {
	switch {
	case u.SPN != "":
		return yes
	case u.Package == model.PackageLM || u.Package == model.PackageNTLMv1 || u.Package == model.PackageNTLMv1ESS:
		return no
	case u.Package == model.PackageNTLMv2 && !u.Log:
		return no
	}
	return maybe
}

func cannotSign(u *model.Use) fit {
	switch {
	case u.Signing == model.SigningNone:
		return yes
	case u.Signing != "" || u.Signed == model.True:
		return no
	}
	return maybe
}

func cannotEncrypt(u *model.Use) fit {
	if u.Encrypted == model.True {
		return no
	}
	switch u.CanEncrypt {
	case model.True:
		return no
	case model.False:
		return yes
	}
	return maybe
}

func overSMB2(u *model.Use) fit {
	switch at := slices.Index(dialects, u.Dialect); {
	case at > 0:
		return yes
	case at == 0:
		return no
	}
	return maybe
}

// mayEncrypt reports whether a server can ask a client to encrypt: it offers that, in a dialect that has it.
func mayEncrypt(u *model.Use) fit {
	if at := slices.Index(dialects, u.Dialect); at >= 0 && at < slices.Index(dialects, "3.0") {
		return no
	}
	return yes - cannotEncrypt(u)
}

// WeakWay is a weak way in that a setting's value closes, named as in model.WeakWay.
type WeakWay struct {
	Way string
	// Maybe says why the way in may still work.
	Maybe string
}

// WeakWays returns the weak ways in that a setting's value closes on a platform.
func (c *Catalog) WeakWays(s *Setting, value any, p model.Platform) (out []WeakWay) {
	add := func(way, maybe string) {
		if i := slices.IndexFunc(out, func(w WeakWay) bool { return w.Way == way }); i < 0 {
			out = append(out, WeakWay{way, maybe})
		} else if maybe == "" {
			out[i].Maybe = ""
		}
	}
	for i := range s.Ends {
		e := &s.Ends[i]
		certain, possible := c.Fit(e.Scope, p)
		if !possible || s.Side == "client" || !e.At(s, value) ||
			len(e.Who) > 0 && !slices.Contains(e.Who, model.User) || e.NoName || e.Named || e.Raw {
			continue
		}
		maybe := e.Maybe
		if !certain && maybe == "" {
			maybe = "whether it meets this host is not known: " + e.Why
		}
		if e.Except != "" {
			maybe = cmp.Or(maybe, "the servers of "+e.Except+" are excepted")
		}
		for _, x := range e.While {
			maybe = cmp.Or(maybe, "it counts only with "+x.Setting)
		}
		if slices.Contains(e.Packages, model.PackageNTLMv1ESS) {
			add(model.WayNTLMv1, maybe)
		}
		if e.Older != "" && e.NotOlder == "" {
			add(model.WaySMB1, maybe)
		}
		if e.Unsigned && !e.IPC {
			add(model.WayUnsigned, maybe)
		}
		if e.Unencrypted && !e.SMB2 { // what is asked of SMB2 clients alone is to encrypt if they can: no one is refused
			add(model.WayClear, maybe)
		}
	}
	return out
}
