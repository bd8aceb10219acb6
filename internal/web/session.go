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

// Sessions end twelve hours after the login whatever happens, and one hour after the last page that somebody looked at.
// What a page asks for by itself does not count as looking.
const (
	sessionLife = 12 * time.Hour
	sessionIdle = time.Hour
	touchEvery  = time.Minute // how exactly the last page is remembered: each costs a write
	visitEvery  = 10 * time.Minute
)

// What a session holds.
const (
	keyUser   = "user"   // the account's id
	keyStamp  = "stamp"  // of the password: another one ends all sessions
	keySeen   = "seen"   // Unix seconds of the last page
	keySince  = "since"  // Unix seconds: what "since your last visit" counts from
	keyNotice = "notice" // told on the next page
	keyFresh  = "fresh"  // Unix seconds: when a provider was asked who it is
	keySecond = "second" // the account whose password fitted, and that has to show a second factor
	keyAsked  = "asked"  // Unix seconds: since when
	keyTo     = "to"     // where the login leads to
)

// newSessions keeps sessions in the store, by a cookie that goes over nothing but HTTPS where the outside is HTTPS.
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

// visit is one request, by an account or, where user is zero, by nobody known.
type visit struct {
	*Server
	w    http.ResponseWriter
	r    *http.Request
	user store.User
	whom access.Who // the account with its roles; nobody until it is known
	// store is what the account may see. It hides the server's own, which sees all.
	store    store.Reader
	sessions *scs.SessionManager
	secure   bool   // the outside is HTTPS
	site     int64  // of the host, target or site that the page is about; 0 is several
	here     string // which entry of the menu is marked
}

func (v *visit) ctx() context.Context { return v.r.Context() }

// may tells whether the account's role holds another: at the site that the page is about, or else at any.
func (v *visit) may(needs store.Role) bool {
	if v.site != 0 {
		return v.whom.At(v.site, needs)
	}
	return v.whom.Somewhere(needs)
}

// from is the address that the request comes from.
func (v *visit) from() string {
	host, _, err := net.SplitHostPort(v.r.RemoteAddr)
	if err != nil {
		return v.r.RemoteAddr
	}
	return host
}

// know finds who a session belongs to, and ends it where it may not go on. It leaves the user zero where there is none.
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

// known is whose visit it is from now on.
func (v *visit) known(who access.Who) {
	v.user, v.whom = who.User, who
	v.store = access.Sight(v.Server.store, who)
}

// who is the account as access knows it.
func (v *visit) who() access.Who { return v.whom }

// enter begins a session: a new token, so that one from before the login is worth nothing. fresh is when a provider was asked
// who it is, zero for other logins.
func (v *visit) enter(u *store.User, fresh time.Time) error {
	ctx, now := v.ctx(), v.now()
	v.sessions.Remove(ctx, keySecond)
	if err := v.sessions.RenewToken(ctx); err != nil {
		return err
	}
	since := u.LastVisit
	if since.IsZero() {
		since = now.AddDate(0, 0, -7) // a newcomer is shown the last week
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

// since is when the account was here before this session.
func (v *visit) since() time.Time { return time.Unix(v.sessions.GetInt64(v.ctx(), keySince), 0).UTC() }

// done answers an act that was done: a word on the page that the reader returns to.
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

// cookieName is what a cookie is called. The prefix has browsers keep it to this host, to HTTPS and to the whole site, so that
// neither another host of the domain nor somebody on the wire can set it.
func cookieName(name string, secure bool) string {
	if secure {
		return "__Host-" + name
	}
	return name
}

// cookie reads one of ours, setCookie writes one; a life of 0 ends it.
func (v *visit) cookie(name string) string {
	c, err := v.r.Cookie(cookieName(name, v.secure))
	if err != nil {
		return ""
	}
	return c.Value
}

func (v *visit) setCookie(name, value string, life time.Duration) {
	c := &http.Cookie{
		Name: cookieName(name, v.secure), Value: value, Path: "/", MaxAge: int(life.Seconds()), HttpOnly: true, Secure: v.secure, SameSite: http.SameSiteLaxMode,
	}
	if life <= 0 {
		c.Value, c.MaxAge = "", -1
	}
	http.SetCookie(v.w, c)
}

// theme is light, dark or, where nothing was chosen, empty.
func (v *visit) theme() string {
	if c := v.cookie("theme"); c == "light" || c == "dark" {
		return c
	}
	return ""
}

// chooseTheme keeps the choice for a year.
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
