package api

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"ipcguard/internal/store"
)

// A list that names nothing is refused where none at all would mean everything: a script whose list came out empty does
// not except every finding, plan for the fleet or scan it.
func TestEmptyLists(t *testing.T) {
	c := newScene(t)
	type obj map[string]any
	none := []int64{}
	until := time.Now().Add(time.Hour)
	finding := catalogFindings(t)[0]
	for path, body := range map[string]obj{
		"/exceptions": {"finding": finding, "host_ids": none, "reason": "x", "owner": "y", "until": until},
		"/rollouts":   {"name": "x", "hosts": none},
		"/runs":       {"kind": "scan", "selector": obj{"hosts": none}},
		"/schedules":  {"name": "x", "kind": "scan", "cron": "@daily", "selector": obj{"targets": none}},
	} {
		c.ask(store.RoleAdmin, http.MethodPost, path, body, http.StatusUnprocessableEntity)
	}
	c.ask(store.RoleAdmin, http.MethodPost, "/exceptions",
		obj{"finding": finding, "host_id": 0, "reason": "x", "owner": "y", "until": until}, http.StatusUnprocessableEntity)
}

// A refused upload is read to its end: a connection that ends before does not carry the reason.
func TestRefusedUploadIsRead(t *testing.T) {
	c := newScene(t)
	rest := strings.NewReader(strings.Repeat("[", 4<<20))
	r := c.request(http.MethodPost, "/results?kind=scan", nil)
	r.Header.Set("Authorization", "Bearer "+c.tokens[store.RoleAdmin])
	r.Body = io.NopCloser(rest)
	w := httptest.NewRecorder()
	c.api.ServeHTTP(w, r)
	if w.Code/100 != 4 || rest.Len() > 0 {
		t.Errorf("%d %s, and %d bytes were not read", w.Code, w.Body, rest.Len())
	}
}
