package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"ipcguard/internal/fleet/access"
	"ipcguard/internal/fleet/acts"
	"ipcguard/internal/model"
	"ipcguard/internal/store"
	"ipcguard/internal/web/limit"
)

// problem is an error in the form of RFC 9457.
type problem struct {
	Type   string         `json:"type"`
	Title  string         `json:"title"`
	Status int            `json:"status"`
	Detail string         `json:"detail,omitempty"`
	Fields []fieldProblem `json:"fields,omitempty"`

	wait time.Duration
}

// fieldProblem is an error in one field or parameter.
type fieldProblem struct {
	Field  string `json:"field"`
	Detail string `json:"detail"`
}

// Error implements error.
func (p *problem) Error() string { return strings.TrimSpace(fmt.Sprintf("%d %s", p.Status, p.Detail)) }

// wrong returns the error for one invalid field.
func wrong(field, format string, args ...any) error {
	return &problem{
		Status: http.StatusUnprocessableEntity, Detail: "What was sent cannot be taken.",
		Fields: []fieldProblem{{field, plain(fmt.Sprintf(format, args...))}},
	}
}

// plain makes a text of the request safe for an answer.
func plain(s string) string { return acts.Words(errors.New(s)) }

// refused is an act that was refused because of its input.
func refused(r *acts.Refusal) *problem {
	p := &problem{Status: http.StatusUnprocessableEntity, Detail: r.Text}
	switch r.Kind {
	case acts.Conflict:
		p.Status = http.StatusConflict
	case acts.Forbidden:
		p.Status = http.StatusForbidden
	}
	for _, f := range r.Fields {
		p.Fields = append(p.Fields, fieldProblem{f.Name, f.Text})
	}
	if p.Detail == "" {
		p.Detail = "What was sent cannot be taken."
	}
	return p
}

// explain returns the problem for an error. Our own faults are logged.
func (a *API) explain(req *http.Request, err error) *problem {
	var (
		p     *problem
		r     *acts.Refusal
		large *http.MaxBytesError
		slow  *access.ThrottledError
		rule  *access.RuleError
	)
	switch {
	case errors.As(err, &p):
		return p
	case errors.As(err, &r):
		return refused(r)
	case errors.As(err, &large):
		return &problem{
			Status: http.StatusRequestEntityTooLarge,
			Detail: fmt.Sprintf("More than %d bytes are not taken here.", large.Limit),
		}
	case errors.Is(err, limit.ErrSlow):
		return &problem{Status: http.StatusRequestTimeout, Detail: "What was sent came too slowly, and was not taken."}
	case errors.As(err, &slow):
		return &problem{Status: http.StatusTooManyRequests, Detail: acts.Words(err), wait: slow.Wait}
	case errors.As(err, &rule):
		p = wrong(rule.Field, "%s", rule.Text).(*problem)
		if errors.Is(err, store.ErrConflict) {
			p.Status = http.StatusConflict
		}
		return p
	case errors.Is(err, access.ErrToken):
		return &problem{
			Status: http.StatusUnauthorized,
			Detail: "A valid token is needed: Authorization: Bearer ipcg_…",
		}
	case errors.Is(err, access.ErrForbidden):
		return &problem{Status: http.StatusForbidden, Detail: "The role of this account or token does not allow it."}
	case errors.Is(err, access.ErrCredentials):
		return wrong("old", "this is not the present password").(*problem)
	case errors.Is(err, access.ErrLastAdmin):
		return &problem{Status: http.StatusConflict, Detail: acts.Words(err)}
	case errors.Is(err, access.ErrBusy):
		return &problem{Status: http.StatusServiceUnavailable, Detail: acts.Words(err), wait: 5 * time.Second}
	case errors.Is(err, acts.ErrUploads):
		return &problem{Status: http.StatusServiceUnavailable, Detail: acts.Words(err), wait: time.Minute}
	case errors.Is(err, store.ErrAsked):
		return &problem{Status: http.StatusUnprocessableEntity, Detail: acts.Words(err)}
	case errors.Is(err, context.Canceled), errors.Is(err, io.ErrUnexpectedEOF):
		return &problem{Status: http.StatusBadRequest, Detail: "The request ended before it was whole."}
	case errors.Is(err, store.ErrNotFound):
		return &problem{Status: http.StatusNotFound}
	case errors.Is(err, store.ErrConflict):
		return &problem{
			Status: http.StatusConflict,
			Detail: "There is one like this already, or something else still refers to it.",
		}
	case errors.Is(err, store.ErrUnavailable):
		return &problem{
			Status: http.StatusServiceUnavailable, Detail: "The database does not answer.",
			wait: 5 * time.Second,
		}
	case errors.Is(err, store.ErrFull):
		return &problem{Status: http.StatusInsufficientStorage, Detail: "The disk of the database is full."}
	case errors.Is(err, acts.ErrNoTest):
		return &problem{Status: http.StatusServiceUnavailable, Detail: acts.Words(err)}
	case errors.Is(err, acts.ErrKey):
		a.Log.Error("the API failed", "method", req.Method, "path", req.URL.Path, "error", err)
		return &problem{Status: http.StatusServiceUnavailable, Detail: acts.Words(acts.ErrKey)}
	}
	if req.Context().Err() == nil { // a client that is gone has caused it
		a.Log.Error("the API failed", "method", req.Method, "path", req.URL.Path, "error", err)
	}
	return &problem{
		Status: http.StatusInternalServerError,
		Detail: "Something went wrong on this server. Its log says more.",
	}
}

func writeProblem(w http.ResponseWriter, p *problem) {
	h := w.Header()
	out := *p
	if out.Type == "" {
		out.Type = "about:blank"
	}
	out.Title = http.StatusText(out.Status)
	switch {
	case out.Status == http.StatusUnauthorized:
		h.Set("WWW-Authenticate", `Bearer realm="ipcguard"`)
	case out.wait > 0:
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(out.wait.Seconds()))))
	}
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	h.Del("ETag")
	w.WriteHeader(out.Status)
	_ = json.NewEncoder(model.JSONWriter{Writer: w}).Encode(out)
}
