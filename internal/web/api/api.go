// Package api offers programs what the pages do: /api/v1, JSON over HTTP, described by an OpenAPI 3.1 document.
//
//	request ─► who? (bearer token, or the page's session and the same origin) ─► role ─► query, body ─► handler ─► JSON
//
// The rules of this package:
//
//   - routes.go is one table: every path with its role, its query, its body and its answer. Routing, access control and
//     the OpenAPI document all use it.
//   - Strangers get no answer. What a caller may not do is refused before anything is read.
//   - Input is bounded and parsed strictly: a mistyped parameter or field is an error, never a default.
//   - Errors follow RFC 9457 and contain no secret; our own faults are logged and not disclosed.
//   - It decodes and encodes. Changes are acts of fleet/acts, or of fleet/access for accounts.
//   - Secrets are accepted and never returned, except a new token, once.
package api

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"reflect"
	"runtime/debug"
	"strings"
	"time"

	"ipcguard/internal/catalog"
	"ipcguard/internal/fleet/access"
	"ipcguard/internal/fleet/acts"
	"ipcguard/internal/model"
	"ipcguard/internal/store"
	"ipcguard/internal/web/limit"
	"ipcguard/internal/web/view"
)

// Prefix is the path of the API.
const Prefix = "/api/v1"

// Options of the API.
type Options struct {
	Version string // of this program
	// returns who has a session of the page; nil is nobody
	Identify func(r *http.Request) (who access.Who, session bool)
	Poll     time.Duration // between two reads of a followed run; 0 is a second
	// between two keep-alives of a stream; 0 is aliveEvery
	Alive time.Duration
	Clock func() time.Time
	Log   *slog.Logger
}

// API serves the paths below [Prefix].
type API struct {
	Options
	acts    *acts.Acts
	store   store.Reader
	access  *access.Access
	catalog *catalog.Catalog
	streams chan struct{}
	doc     []byte
}

// New returns the handler of the paths below [Prefix].
func New(does *acts.Acts, st store.Reader, a *access.Access, o Options) (http.Handler, error) {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Poll <= 0 {
		o.Poll = time.Second
	}
	if o.Alive <= 0 {
		o.Alive = aliveEvery
	}
	c, err := catalog.Load()
	if err != nil {
		return nil, err
	}
	api := &API{Options: o, acts: does, store: st, access: a, catalog: c, streams: make(chan struct{}, maxStreams)}
	table := routes()
	if api.doc, err = Document(); err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	for _, r := range table {
		mux.Handle(r.method+" "+Prefix+r.path, api.handle(r))
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { api.unknown(w, r, table) })
	return api.guard(mux), nil
}

// guard sets headers, bounds the body, and answers a panic with an error.
func (a *API) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Content-Security-Policy",
			"default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; sandbox")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		defer func() {
			if p := recover(); p != nil {
				if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
					panic(p)
				}
				a.Log.Error("the API failed", "path", r.URL.Path, "panic", fmt.Sprint(p), "stack",
					string(debug.Stack()))
				writeProblem(w, &problem{Status: http.StatusInternalServerError})
			}
		}()
		next.ServeHTTP(w, r)
	})
}

// unknown answers paths and methods that are not in the table; strangers get the same answer as for every other path.
func (a *API) unknown(w http.ResponseWriter, r *http.Request, table []route) {
	if _, err := a.who(r); err != nil {
		writeProblem(w, a.explain(r, err))
		return
	}
	var allowed []string
	path := strings.TrimPrefix(r.URL.Path, Prefix)
	for _, t := range table {
		if t.matches(path) {
			allowed = append(allowed, t.method)
		}
	}
	if len(allowed) > 0 {
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		writeProblem(w, &problem{Status: http.StatusMethodNotAllowed})
		return
	}
	writeProblem(w, &problem{Status: http.StatusNotFound})
}

// who returns the caller: by its bearer token, else by the page's session, which counts only for requests from the
// page's own origin.
func (a *API) who(r *http.Request) (access.Who, error) {
	from := r.RemoteAddr
	if host, _, err := net.SplitHostPort(from); err == nil {
		from = host
	}
	if h := r.Header.Get("Authorization"); h != "" {
		kind, token, _ := strings.Cut(h, " ")
		if !strings.EqualFold(kind, "Bearer") {
			return access.Who{}, access.ErrToken
		}
		return a.access.TokenAuth(r.Context(), strings.TrimSpace(token), from)
	}
	if a.Identify == nil {
		return access.Who{}, access.ErrToken
	}
	who, ok := a.Identify(r)
	if !ok || who.User.ID == 0 {
		return access.Who{}, access.ErrToken
	}
	if err := http.NewCrossOriginProtection().Check(r); err != nil {
		return access.Who{},
			&problem{Status: http.StatusForbidden, Detail: "This was sent by a page of another site, and was not done."}
	}
	who.From = from
	return who, nil
}

// handle serves one route.
func (a *API) handle(t route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := &call{API: a, w: w, r: r, route: &t}
		if err := c.serve(); err != nil {
			if c.streaming { // a partial answer must not look complete
				a.Log.Error("an answer ended early", "path", r.URL.Path, "error", err)
				panic(http.ErrAbortHandler)
			}
			writeProblem(w, a.explain(r, err))
		}
	})
}

func (c *call) serve() error {
	who, err := c.API.who(c.r)
	if err != nil {
		return err
	}
	if !c.route.lets(who) {
		return access.ErrForbidden
	}
	c.who, c.store = who, access.Sight(c.API.store, who)
	limit.Come(c.ctx())
	if err := c.readQuery(); err != nil {
		return err
	}
	limit := int64(maxBody)
	if c.route.limit > 0 {
		limit = c.route.limit
	}
	c.r.Body = http.MaxBytesReader(c.w, c.r.Body, limit)
	if c.route.stream != nil {
		return c.route.stream(c)
	}
	out, err := c.route.do(c)
	if err != nil {
		return err
	}
	return c.answer(out)
}

// maxBody bounds a body in bytes: the largest, a channel with certificates, has 100 KiB.
const maxBody = 1 << 20

// answer sends a value as JSON, with an ETag for programs that have it already.
func (c *call) answer(out any) error {
	if c.route.out == nil {
		c.w.WriteHeader(http.StatusNoContent)
		return nil
	}
	var body []byte
	switch x := out.(type) {
	case json.RawMessage:
		body = x
	default:
		v := reflect.New(reflect.TypeOf(out)).Elem()
		v.Set(reflect.ValueOf(out))
		view.Fill(v)
		var err error
		if body, err = json.Marshal(v.Interface()); err != nil {
			return err
		}
	}
	status := c.route.status
	if status == 0 {
		status = http.StatusOK
	}
	h := c.w.Header()
	h.Set("Content-Type", "application/json")
	if c.r.Method == http.MethodGet {
		sum := sha256.Sum256(body)
		tag := `"` + hex.EncodeToString(sum[:12]) + `"`
		h.Set("ETag", tag)
		h.Set("Cache-Control", "private, no-cache")
		h.Set("Vary", "Authorization, Cookie")
		for _, known := range strings.Split(c.r.Header.Get("If-None-Match"), ",") {
			if known = strings.TrimSpace(known); known == tag || known == "W/"+tag {
				c.w.WriteHeader(http.StatusNotModified)
				return nil
			}
		}
	}
	c.w.WriteHeader(status)
	_, _ = model.JSONWriter{Writer: c.w}.Write(body) // a client that is gone gets no answer
	return nil
}
