package web

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"ipcguard/internal/catalog"
	"ipcguard/internal/fleet/access"
	"ipcguard/internal/fleet/acts"
	"ipcguard/internal/model"
	"ipcguard/internal/report"
	"ipcguard/internal/store"
	"ipcguard/internal/web/limit"
	"ipcguard/internal/web/view"
)

//go:embed templates/*.html
var templateFiles embed.FS

//go:embed static
var staticFiles embed.FS

// frame is the layout's data of every page.
type frame struct {
	Title   string
	Here    string // the path whose entry in the menu is marked
	Menu    []menuGroup
	User    *store.User
	Operate bool // may act
	Admin   bool
	Whole   bool   // administers the whole fleet
	Roles   string // the account's, in words
	Theme   string // light, dark or empty for the system's own
	Back    string // where the theme switch returns to
	Text    string // the search text
	Notice  string // of the last act
	Views   views  // of a list
	Version string
	Now     time.Time
	Data    any
}

// parse parses the layout with each page into one set a page.
func (s *Server) parse() error {
	base, err := template.New("layout.html").Funcs(s.funcs()).ParseFS(templateFiles, "templates/layout.html",
		"templates/parts.html")
	if err != nil {
		return fmt.Errorf("web: %w", err)
	}
	files, err := templateFiles.ReadDir("templates")
	if err != nil {
		return fmt.Errorf("web: %w", err)
	}
	s.pages = map[string]*template.Template{}
	for _, f := range files {
		name := strings.TrimSuffix(f.Name(), path.Ext(f.Name()))
		if name == "layout" || name == "parts" {
			continue
		}
		t, err := base.Clone()
		if err == nil {
			t, err = t.ParseFS(templateFiles, "templates/"+f.Name())
		}
		if err != nil {
			return fmt.Errorf("web: %w", err)
		}
		s.pages[name] = t
	}
	return nil
}

func (s *Server) funcs() template.FuncMap {
	return template.FuncMap{
		"ago":      func(t time.Time) string { return ago(s.now(), t) },
		"logonWay": func(l model.Logon) string { return report.LogonWay(&l) },
		"brief":    func(v any) string { return brief(fmt.Sprint(v)) },
		"class":    class,
		"clip":     func(v any) string { return clip(fmt.Sprint(v)) },
		"day":      day,
		"list":     func(v ...any) []any { return v },
		"join":     joined,
		"moment":   moment,
		"number":   number,
		"short":    short,
		"plural":   plural,
		"noneOpen": noneOpen,
		"shown":    model.Text,
		"value":    valueText,
		"bare":     bareText,
		"section":  section,
		"words":    words,
		"source":   s.source,
		"finding":  s.findingTitle,
		"setting":  s.settingTitle,
		"topic":    topicPath,
		"query":    url.QueryEscape,
		"sentence": sentence,
		"pathed":   url.PathEscape,
	}
}

// joined joins a list of any string type.
func joined(v any, between string) string {
	var out []string
	switch l := v.(type) {
	case []string:
		out = l
	case []store.EventKind:
		for _, k := range l {
			out = append(out, words(k))
		}
	case []model.Disclosure:
		for _, k := range l {
			out = append(out, words(k))
		}
	}
	return clip(strings.Join(out, between))
}

func valueText(v model.Value) string { return clip(v.String()) }

// bareText returns a value without its type.
func bareText(v model.Value) string {
	if !v.Present {
		return "absent"
	}
	return brief(model.Text(v.Data))
}

// section returns the section of a setting in a configuration file, if it is not the global one.
func section(where string) string {
	if end := strings.IndexByte(where, ']'); strings.HasPrefix(where, "[") && end > 0 && !strings.EqualFold(where[:end+1], "[global]") {
		return where[:end+1]
	}
	return ""
}

// sentence begins with a capital and ends with a full stop.
func sentence(s string) string {
	if s == "" {
		return s
	}
	s = strings.ToUpper(s[:1]) + s[1:]
	if !strings.ContainsAny(s[len(s)-1:], ".!?") {
		s += "."
	}
	return s
}

// source formats a citation of the catalog: "D KB3034016 section" with the document's title.
func (s *Server) source(cited string) string {
	tag, rest, _ := strings.Cut(cited, " ")
	key, place, _ := strings.Cut(rest, " ")
	kind := map[string]string{
		"D": "document", "S": "source code", "M": "measured", "3": "third party", "K": "common knowledge",
		"I": "inference", "U": "unverified",
	}[tag]
	name := rest
	if src := s.catalog.Source(key); src != nil {
		name = strings.TrimSpace(src.Title + " " + place)
		if src.ID != key {
			name = strings.TrimSpace(src.Title + " " + rest)
		}
	}
	if kind == "" {
		return cited
	}
	return name + " (" + kind + ")"
}

func (s *Server) findingTitle(id string) string {
	if f := s.catalog.Finding(id); f != nil {
		return f.Title
	}
	return id
}

func (s *Server) settingTitle(id string) string {
	if c := s.catalog.Setting(id); c != nil {
		return c.Title
	}
	return ""
}

// topicPath returns the catalog's page of an entry.
func topicPath(kind, id string) string { return view.TopicPath(kind, id) }

// render writes a page.
func (v *visit) render(name, title string, data any) error {
	return v.renderStatus(http.StatusOK, name, title, data)
}

func (v *visit) renderStatus(status int, name, title string, data any) error {
	f := frame{
		Title: title, Here: v.here, Theme: v.theme(), Back: v.r.URL.RequestURI(), Text: v.searched(),
		Version: v.options.Version, Now: v.now().UTC(), Data: data,
	}
	if v.r.Method != http.MethodGet {
		f.Back = "/"
	}
	if v.user.ID != 0 {
		f.User, f.Operate, f.Admin = &v.user, v.may(store.RoleOperator), v.may(store.RoleAdmin)
		f.Whole, f.Roles = v.whom.Can(store.RoleAdmin), rolesOf(&v.user)
		f.Menu = menuFor(v.whom, v.here)
		f.Notice = v.sessions.PopString(v.r.Context(), keyNotice)
		if status == http.StatusOK && slices.Contains(acts.Lists(), v.r.URL.Path) {
			var err error
			if f.Views, err = v.views(); err != nil {
				return err
			}
		}
	}
	return v.write(status, name, "layout.html", f)
}

// fragment renders one named part of a page's template, for htmx.
func (v *visit) fragment(status int, name, part string, data any) error {
	return v.write(status, name, part, frame{
		Operate: v.may(store.RoleOperator), Admin: v.may(store.RoleAdmin),
		Now: v.now().UTC(), Data: data,
	})
}

func (v *visit) write(status int, name, part string, f frame) error {
	t := v.pages[name]
	if t == nil {
		return fmt.Errorf("web: there is no page %q", name)
	}
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, part, f); err != nil {
		return fmt.Errorf("web: %w", err)
	}
	v.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	v.w.WriteHeader(status)
	_, _ = v.w.Write(clean(b.Bytes())) // the client is gone
	return nil
}

// problem is an error with a message for people, and its status.
type problem struct {
	status int
	text   string
}

func (p problem) Error() string { return p.text }

var (
	errNotFound  = problem{http.StatusNotFound, "There is no such page, or what it was about is gone."}
	errForbidden = problem{http.StatusForbidden, "Your role does not allow this."}
)

// explain returns the page's problem for an error.
func explain(err error) problem {
	var p problem
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &p):
		return p
	case errors.As(err, &tooLarge):
		return problem{http.StatusRequestEntityTooLarge, "This is more than the server takes at once."}
	case errors.Is(err, limit.ErrSlow):
		return problem{http.StatusRequestTimeout, "What was sent came too slowly, and was not taken."}
	case errors.Is(err, acts.ErrUploads):
		return problem{http.StatusServiceUnavailable, "Too many large files are being taken. Send this one again in a minute."}
	case errors.Is(err, store.ErrAsked):
		return problem{http.StatusUnprocessableEntity, "This cannot be answered: " + acts.Words(err) + "."}
	case errors.Is(err, access.ErrForbidden):
		return errForbidden
	case errors.Is(err, store.ErrNotFound):
		return errNotFound
	case errors.Is(err, store.ErrConflict):
		return problem{http.StatusConflict, "There is one like this already, or somebody changed it at the same time."}
	case errors.Is(err, store.ErrUnavailable):
		return problem{http.StatusServiceUnavailable, "The database does not answer. Try again in a moment."}
	case errors.Is(err, store.ErrFull):
		return problem{http.StatusInsufficientStorage, "The disk of the database is full. Nothing was changed."}
	case errors.Is(err, acts.ErrKey):
		return problem{
			http.StatusServiceUnavailable,
			"The key file of this server does not open what is sealed in its database. Put back the one that sealed it, " +
				"and start the server again.",
		}
	}
	return problem{http.StatusInternalServerError, "Something went wrong on this server. Its log says more."}
}

// fail answers with the error page.
func (v *visit) fail(err error) {
	p := explain(err)
	if p.status >= http.StatusInternalServerError {
		v.log.Error("a page failed", "path", v.r.URL.Path, "error", err)
	}
	v.here = ""
	if renderErr := v.renderStatus(p.status, "problem", http.StatusText(p.status), p.text); renderErr != nil {
		v.log.Error("the page of an error failed", "error", renderErr)
		http.Error(v.w, p.text, p.status)
	}
}

// plainProblem is fail without a session.
func (s *Server) plainProblem(w http.ResponseWriter, _ *http.Request, status int, text string) {
	http.Error(w, text, status)
}

// catalogOf loads the catalog.
func catalogOf() *catalog.Catalog {
	c, _ := catalog.Load() // the built-in catalog never fails
	return c
}
