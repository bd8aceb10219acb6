package web

import (
	"context"
	"html/template"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/alexedwards/scs/v2"

	"ipcguard/internal/catalog"
	"ipcguard/internal/fleet"
	"ipcguard/internal/fleet/access"
	"ipcguard/internal/fleet/acts"
	"ipcguard/internal/store"
	"ipcguard/internal/web/proxy"
)

// Options of the pages.
type Options struct {
	Version  string
	Secure   bool             // clients use HTTPS; a proxy may say so for a request, see proxy.HTTPS
	Provider *access.Provider // a provider for logins; nil is none
	WrongKey func() bool      // the key file does not open what is sealed, for /readyz; nil is no
	Full     func() bool      // the database's disk has no space left, for /readyz; nil is no
	Clock    func() time.Time
	Log      *slog.Logger
}

// Server serves every request of the pages.
type Server struct {
	acts          *acts.Acts
	store         store.Reader
	access        *access.Access
	options       Options
	log           *slog.Logger
	catalog       *catalog.Catalog
	plain, secure *scs.SessionManager
	pages         map[string]*template.Template
}

// New returns the handler of all pages.
func New(does *acts.Acts, st store.Reader, sessions scs.CtxStore, a *access.Access, o Options) (http.Handler, error) {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{acts: does, store: st, access: a, options: o, log: o.Log, catalog: catalogOf()}
	s.plain, s.secure = s.newSessions(sessions, false), s.newSessions(sessions, true)
	if err := s.parse(); err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	for _, r := range routes() {
		mux.Handle(r.method+" "+r.path, s.handle(r))
	}
	mux.Handle("GET /static/", s.static())
	mux.HandleFunc("GET /healthz", healthy)
	mux.HandleFunc("GET /readyz", s.ready)
	mux.Handle("/", s.handle(route{path: "/", needs: store.RoleViewer, do: func(*visit) error { return errNotFound }}))
	return s.guard(mux), nil
}

func (s *Server) now() time.Time { return s.options.Clock() }

// handle serves one route: it identifies the caller and checks the role.
func (s *Server) handle(r route) http.Handler {
	page := http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		v := &visit{
			Server: s, store: s.store, w: w, r: req, here: r.here(), sessions: s.plain,
			secure: s.outsideHTTPS(req),
		}
		if v.secure {
			v.sessions = s.secure
		}
		if err := v.serve(r); err != nil {
			v.fail(err)
		}
	})
	plain, secure := s.plain.LoadAndSave(page), s.secure.LoadAndSave(page)
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if s.outsideHTTPS(req) {
			secure.ServeHTTP(w, req)
			return
		}
		plain.ServeHTTP(w, req)
	})
}

// outsideHTTPS reports whether the client used HTTPS, to this server or to a proxy.
func (s *Server) outsideHTTPS(r *http.Request) bool { return s.options.Secure || proxy.HTTPS(r) }

func (v *visit) serve(r route) error {
	if err := v.know(!r.polled); err != nil {
		return err
	}
	if v.r.Method != http.MethodGet && v.r.Method != http.MethodHead && !r.upload {
		if err := v.r.ParseForm(); err != nil {
			return explainForm(err)
		}
	}
	switch {
	case r.needs == "":
	case v.user.ID == 0:
		return v.toLogin(r)
	case !v.may(r.needs), r.whole && !v.whom.Can(r.needs):
		return errForbidden
	}
	return r.do(v)
}

// toLogin redirects a stranger to the login, and from there back to the requested page.
func (v *visit) toLogin(r route) error {
	if r.polled || v.r.Method != http.MethodGet && v.r.Method != http.MethodHead {
		return problem{http.StatusUnauthorized, "Log in first. Nothing was done."}
	}
	to := "/login"
	if v.r.URL.Path != "/" {
		to += "?to=" + url.QueryEscape(v.r.URL.RequestURI())
	}
	http.Redirect(v.w, v.r, to, http.StatusSeeOther)
	return nil
}

func explainForm(err error) error {
	if s := explain(err).status; s == http.StatusRequestEntityTooLarge || s == http.StatusRequestTimeout {
		return err
	}
	return problem{http.StatusBadRequest, "This form is not whole."}
}

// static serves the pages' own files. They change only with the program.
func (s *Server) static() http.Handler {
	files := http.FileServerFS(staticFiles)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/") {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Cache-Control", "public, max-age=600")
		files.ServeHTTP(w, r)
	})
}

// healthy reports that the process answers, ready that its database does too, and what kinds of problem the fleet has,
// with which it still serves. Neither says more to strangers.
func healthy(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok\n") }

// readyWithin bounds how long a load balancer waits for the answer.
const readyWithin = 3 * time.Second

func (s *Server) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), readyWithin)
	defer cancel()
	if err := s.store.Ping(ctx); err != nil {
		s.log.Warn("not ready", "error", err)
		http.Error(w, "not ready", http.StatusServiceUnavailable)
		return
	}
	var kinds []string // and not whose: nobody logged in
	if problems, err := fleet.Problems(ctx, s.store); err == nil {
		for _, p := range problems {
			kinds = append(kinds, string(p.Kind))
		}
	}
	if s.options.WrongKey != nil && s.options.WrongKey() {
		kinds = append(kinds, "wrong-key")
	}
	if s.options.Full != nil && s.options.Full() {
		kinds = append(kinds, "disk-full")
	}
	if len(kinds) == 0 {
		_, _ = io.WriteString(w, "ok\n")
		return
	}
	slices.Sort(kinds)
	_, _ = io.WriteString(w, "ok, but "+strings.Join(slices.Compact(kinds), ", ")+"\n")
}
