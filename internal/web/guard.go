package web

import (
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"strings"
)

// policy is the content security policy: only this origin's own files, no inline script or style, no frames, no
// plug-ins.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// Bounds of a request's body.
const (
	maxForm   = 1 << 20   // a form with a thousand checked hosts has 30 KiB, a note 10
	maxUpload = 256 << 20 // a CSV file with a million targets has about 100 MiB
)

// uploads reports whether a path accepts large files, up to maxUpload; all others accept up to maxForm.
func uploads(path string) bool {
	return path == "/targets/import" || path == "/import" || strings.HasPrefix(path, "/hosts/") &&
		strings.HasSuffix(path, "/journal")
}

// guard precedes every handler: it sets the headers, refuses requests of other sites' pages, bounds the body, and
// answers and logs a panic.
func (s *Server) guard(next http.Handler) http.Handler {
	same := http.NewCrossOriginProtection()
	same.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.plainProblem(w, r, http.StatusForbidden, "This was sent by a page of another site, and was not done.")
	}))
	next = same.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "same-origin") // with no-referrer a browser would send a form's origin as null
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
		h.Set("Cache-Control", "no-store")
		if s.outsideHTTPS(r) { // only this host: other hosts of its domain are not ours
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		limit := int64(maxForm)
		if uploads(r.URL.Path) {
			limit = maxUpload
		}
		r.Body = http.MaxBytesReader(w, r.Body, limit)
		defer func() {
			if p := recover(); p != nil {
				if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
					panic(p)
				}
				s.log.Error("a page failed", "path", r.URL.Path, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
				s.plainProblem(w, r, http.StatusInternalServerError,
					"Something went wrong on this server. Its log says more.")
			}
		}()
		next.ServeHTTP(w, r)
	})
}
