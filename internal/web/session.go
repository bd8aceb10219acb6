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
)

func (s *Server) newSessions(kept scs.CtxStore) *scs.SessionManager {
	m := scs.New()
	m.Store = kept
	m.Lifetime = sessionLife
	m.HashTokenInStore = true
	m.Cookie.Name = "ipcguard"
	m.Cookie.HttpOnly = true
	m.Cookie.SameSite = http.SameSiteLaxMode
	m.Cookie.Secure = s.options.Secure
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
	here string // which entry of the menu is marked
}

func (v *visit) ctx() context.Context { return v.r.Context() }

// may tells whether the account's role holds another.
func (v *visit) may(needs store.Role) bool { return v.user.ID != 0 && allows(v.user.Role, needs) }

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
	v.user = who.User
	limit.Come(ctx)
	if touches && now.Sub(seen) > touchEvery {
		v.sessions.Put(ctx, keySeen, now.Unix())
		if now.Sub(v.user.LastVisit) > visitEvery {
			return v.access.Visited(ctx, id, now)
		}
	}
	return nil
}

// who is the account as access knows it.
func (v *visit) who() access.Who {
	return access.Who{User: v.user, Role: v.user.Role, Via: "session", From: v.from()}
}

// enter begins a session: a new token, so that one from before the login is worth nothing.
func (v *visit) enter(u *store.User) error {
	ctx, now := v.ctx(), v.now()
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
	v.user = *u
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

// theme is light, dark or, where nothing was chosen, empty.
func theme(r *http.Request) string {
	if c, err := r.Cookie("theme"); err == nil && (c.Value == "light" || c.Value == "dark") {
		return c.Value
	}
	return ""
}

// chooseTheme keeps the choice for a year.
func chooseTheme(v *visit) error {
	c := &http.Cookie{
		Name: "theme", Value: v.r.PostFormValue("theme"), Path: "/", MaxAge: 365 * 24 * 3600, HttpOnly: true, Secure: v.options.Secure, SameSite: http.SameSiteLaxMode,
	}
	if c.Value != "light" && c.Value != "dark" {
		c.Value, c.MaxAge = "", -1
	}
	http.SetCookie(v.w, c)
	http.Redirect(v.w, v.r, local(v.r.PostFormValue("back")), http.StatusSeeOther)
	return nil
}
