package cli

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"

	"ipcguard/internal/store"
)

// visitor looks at the page as a browser without scripts does.
type visitor struct {
	base string
	http http.Client
}

// newVisitor has a browser at the page's address.
func newVisitor(t *testing.T, base string) *visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &visitor{base, http.Client{Jar: jar, Timeout: time.Minute, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, // it was made for this test
	}}}
}

func (v *visitor) do(t *testing.T, r *http.Request, err error) (string, *url.URL) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	answer, err := v.http.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	if answer.StatusCode/100 != 2 {
		t.Fatalf("%s %s: %s\n%s", r.Method, r.URL.Path, answer.Status, b)
	}
	return string(b), answer.Request.URL
}

func (v *visitor) get(t *testing.T, path string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, v.base+path, nil)
	body, _ := v.do(t, r, err)
	return body
}

// post sends a form and returns where it led.
func (v *visitor) post(t *testing.T, path string, form url.Values) string {
	t.Helper()
	_, at := v.form(t, path, form)
	return at.Path
}

// submit sends a form and gives the page that answers.
func (v *visitor) submit(t *testing.T, path string, form url.Values) string {
	t.Helper()
	text, _ := v.form(t, path, form)
	return text
}

func (v *visitor) form(t *testing.T, path string, form url.Values) (string, *url.URL) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, v.base+path, strings.NewReader(form.Encode()))
	if err == nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return v.do(t, r, err)
}

func (v *visitor) upload(t *testing.T, path, name, content string) {
	t.Helper()
	v.parts(t, path, func(form *multipart.Writer) error {
		part, err := form.CreateFormFile("file", name)
		if err == nil {
			_, err = io.WriteString(part, content)
		}
		return err
	})
}

// fields sends a form without a file as one that may have one is sent.
func (v *visitor) fields(t *testing.T, path string, fields map[string]string) {
	t.Helper()
	v.parts(t, path, func(form *multipart.Writer) error {
		for name, value := range fields {
			if err := form.WriteField(name, value); err != nil {
				return err
			}
		}
		return nil
	})
}

func (v *visitor) parts(t *testing.T, path string, write func(*multipart.Writer) error) {
	t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	if err := errors.Join(write(form), form.Close()); err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, v.base+path, &body)
	if err == nil {
		r.Header.Set("Content-Type", form.FormDataContentType())
	}
	v.do(t, r, err)
}

// setUp makes the first administrator.
func (v *visitor) setUp(t *testing.T, token string) {
	t.Helper()
	v.post(t, "/setup", url.Values{
		"token": {token}, "name": {"ada"}, "new": {"correct horse battery"}, "again": {"correct horse battery"},
	})
}

// runEnded tells whether a run's page says so.
func runEnded(page string) bool { return strings.Contains(page, "<p class=\"dim\">Ended ") }

// run starts a run and returns its page.
func (v *visitor) run(t *testing.T, form url.Values) string {
	t.Helper()
	return v.post(t, "/runs", form)
}

// joinCode makes a code for a worker of a site.
func (v *visitor) joinCode(t *testing.T, site, name string) string {
	t.Helper()
	_, rest, _ := strings.Cut(v.submit(t, "/workers", url.Values{"site": {site}, "name": {name}}), `id="secret">`)
	code, _, _ := strings.Cut(rest, "<")
	return code
}

func (v *visitor) hosts(t *testing.T, query string) (out []store.Host) {
	t.Helper()
	if err := json.Unmarshal([]byte(v.get(t, "/export/hosts.json"+query)), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func (v *visitor) events(t *testing.T) map[store.EventKind]bool {
	t.Helper()
	var list []store.Event
	if err := json.Unmarshal([]byte(v.get(t, "/export/events.json")), &list); err != nil {
		t.Fatal(err)
	}
	out := map[store.EventKind]bool{}
	for _, e := range list {
		out[e.Kind] = true
	}
	return out
}

// until asks again until something holds; a loaded machine takes its time.
func (v *visitor) until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 6*time.Minute)
	defer cancel()
	for !holds() {
		select {
		case <-ctx.Done():
			t.Fatalf("%s: not in time", what)
		case <-time.After(300 * time.Millisecond):
		}
	}
}
