package web

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/alexedwards/scs/v2"

	"ipcguard/internal/fleet/access"
	"ipcguard/internal/store"
	"ipcguard/internal/web/limit"
)

// Sessions end twelve hours after the login, and one hour after the last page that somebody viewed. Requests by the
// page itself do not count.
const (
	sessionLife = 12 * time.Hour
	sessionIdle = time.Hour
	touchEvery  = time.Minute // the precision of the last page's time: each update is a write
	visitEvery  = 10 * time.Minute
)

// The keys of a session's values.
const (
	keyUser   = "user"   // the account's id
	keyStamp  = "stamp"  // of the password: a new one ends all sessions
	keySeen   = "seen"   // Unix seconds of the last page
	keySince  = "since"  // Unix seconds: what "since your last visit" counts from
	keyNotice = "notice" // shown on the next page
	keyFresh  = "fresh"  // Unix seconds: when a provider was asked for the identity
	keySecond = "second" // the account whose password was correct, and that must show a second factor
	keyAsked  = "asked"  // Unix seconds: since when
	keyTo     = "to"     // the destination after the login
)

// newSessions stores sessions in the store, with a cookie that is sent only over HTTPS if clients use it.
func (s *Server) newSessions(kept scs.CtxStore, secure bool) *scs.SessionManager {
	m := scs.New()
	m.Store = kept
	m.Lifetime = sessionLife
	m.HashTokenInStore = true
	m.Cookie.Name = cookieName("ipcguard", secure)
	m.Cookie.HttpOnly = true
	m.Cookie.SameSite = http.SameSiteLaxMode
	m.Cookie.Secure = secure
	m.Cookie.Persist = false
	m.ErrorFunc = func(w http.ResponseWriter, r *http.Request, err error) {
		p := explain(err)
		s.log.Error("sessions cannot be read or kept", "error", err)
		s.plainProblem(w, r, p.status, p.text)
	}
	return m
}

// visit is one request, by an account or, if user is zero, by an unknown caller.
type visit struct {
	*Server
	w    http.ResponseWriter
	r    *http.Request
	user store.User
	whom access.Who // the account with its roles; nobody until it is known
	// store is what the account may see. It hides the server's own, which sees everything.
	store    store.Reader
	sessions *scs.SessionManager
	secure   bool   // the outside is HTTPS
	site     int64  // of the host, target or site of the page; 0 is several
	here     string // the marked menu entry
}

func (v *visit) ctx() context.Context { return v.r.Context() }

// may reports whether the account has a role or a higher one: at the page's site, or else at any.
func (v *visit) may(needs store.Role) bool {
	if v.site != 0 {
		return v.whom.At(v.site, needs)
	}
	return v.whom.Somewhere(needs)
}

// from returns the client's address.
func (v *visit) from() string {
	host, _, err := net.SplitHostPort(v.r.RemoteAddr)
	if err != nil {
		return v.r.RemoteAddr
	}
	return host
}

// know finds the account of a session, and ends a session that is no longer valid. It leaves the user zero if there is
// none.
func (v *visit) know(touches bool) error {
	ctx, now := v.ctx(), v.now()
	id := v.sessions.GetInt64(ctx, keyUser)
	if id == 0 {
		return nil
	}
	seen := time.Unix(v.sessions.GetInt64(ctx, keySeen), 0)
	who, err := v.access.Resume(ctx, id, v.sessions.GetString(ctx, keyStamp), v.from())
	switch {
	case errors.Is(err, access.ErrCredentials):
		return v.sessions.Destroy(ctx)
	case err != nil:
		return err
	case now.Sub(seen) > sessionIdle:
		return v.sessions.Destroy(ctx)
	}
	who.Fresh = time.Unix(v.sessions.GetInt64(ctx, keyFresh), 0)
	v.known(who)
	limit.Come(ctx)
	if touches && now.Sub(seen) > touchEvery {
		v.sessions.Put(ctx, keySeen, now.Unix())
		if now.Sub(v.user.LastVisit) > visitEvery {
			return v.access.Visited(ctx, id, now)
		}
	}
	return nil
}

// known sets the account of the visit.
func (v *visit) known(who access.Who) {
	v.user, v.whom = who.User, who
	v.store = access.Sight(v.Server.store, who)
}

// who returns the account for package access.
func (v *visit) who() access.Who { return v.whom }

// enter begins a session with a new token, so that an earlier one is worthless. fresh is when a provider was asked for
// the identity, zero for other logins.
func (v *visit) enter(u *store.User, fresh time.Time) error {
	ctx, now := v.ctx(), v.now()
	v.sessions.Remove(ctx, keySecond)
	if err := v.sessions.RenewToken(ctx); err != nil {
		return err
	}
	since := u.LastVisit
	if since.IsZero() {
		since = now.AddDate(0, 0, -7) // a new account sees the last week
	}
	v.sessions.Put(ctx, keyUser, u.ID)
	v.sessions.Put(ctx, keyStamp, access.Stamp(u))
	v.sessions.Put(ctx, keySeen, now.Unix())
	v.sessions.Put(ctx, keySince, since.Unix())
	v.sessions.Put(ctx, keyFresh, fresh.Unix())
	who, err := v.access.Resume(ctx, u.ID, access.Stamp(u), v.from())
	if err != nil {
		return err
	}
	who.Fresh = fresh
	v.known(who)
	return v.access.Visited(ctx, u.ID, now)
}

// since returns the time of the account's previous visit.
func (v *visit) since() time.Time { return time.Unix(v.sessions.GetInt64(v.ctx(), keySince), 0).UTC() }

// done answers a completed act: a message on the page that the reader returns to.
func (v *visit) done(to, notice string) error {
	if notice != "" {
		v.sessions.Put(v.ctx(), keyNotice, notice)
	}
	http.Redirect(v.w, v.r, local(to), http.StatusSeeOther)
	return nil
}

// local keeps redirects on this server.
func local(path string) string {
	if !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || strings.ContainsAny(path, "\\\r\n\t") {
		return "/"
	}
	return path
}

// cookieName returns the name of a cookie. Its prefix makes browsers restrict it to this host, to HTTPS and to the
// whole site, so that neither another host of the domain nor an attacker on the network can set it.
func cookieName(name string, secure bool) string {
	if secure {
		return "__Host-" + name
	}
	return name
}

// cookie reads one of ours, setCookie writes one; a lifetime of 0 deletes it.
func (v *visit) cookie(name string) string {
	c, err := v.r.Cookie(cookieName(name, v.secure))
	if err != nil {
		return ""
	}
	return c.Value
}

func (v *visit) setCookie(name, value string, life time.Duration) {
	c := &http.Cookie{
		Name: cookieName(name, v.secure), Value: value, Path: "/", MaxAge: int(life.Seconds()), HttpOnly: true,
		Secure: v.secure, SameSite: http.SameSiteLaxMode,
	}
	if life <= 0 {
		c.Value, c.MaxAge = "", -1
	}
	http.SetCookie(v.w, c)
}

// theme returns light, dark or, by default, empty.
func (v *visit) theme() string {
	if c := v.cookie("theme"); c == "light" || c == "dark" {
		return c
	}
	return ""
}

// chooseTheme stores the choice for a year.
func chooseTheme(v *visit) error {
	life := 365 * 24 * time.Hour
	chosen := v.r.PostFormValue("theme")
	if chosen != "light" && chosen != "dark" {
		life = 0
	}
	v.setCookie("theme", chosen, life)
	http.Redirect(v.w, v.r, local(v.r.PostFormValue("back")), http.StatusSeeOther)
	return nil
}
