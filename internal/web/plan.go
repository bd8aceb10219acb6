package web

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"time"

	"ipcguard/internal/fleet/acts"
	"ipcguard/internal/model"
	"ipcguard/internal/plan"
	"ipcguard/internal/store"
)

// planView is the latest plan for a host, and the command lines that apply it.
type planView struct {
	*model.Plan
	At      time.Time
	Old     bool          // the host has a newer scan or audit than the plan
	Export  bool          // there are changes that apply never makes
	Command []commandList // none if there is nothing to apply
	File    string
}

// plan returns the document; nil if there is none.
func (p *planView) plan() *model.Plan {
	if p == nil {
		return nil
	}
	return p.Plan
}

func (v *visit) planOf(h store.Host, audit *auditView) (*planView, error) {
	var p model.Plan
	at, err := v.document(v.ctx(), h.ID, "plan", &p)
	if err != nil || at.IsZero() {
		return nil, err
	}
	d := &planView{Plan: &p, At: at, Old: h.LastAudit.After(at) || h.LastChanged.After(at), File: planFile(h)}
	for _, c := range p.Changes {
		d.Export = d.Export || c.ExportOnly
	}
	if len(p.Changes) > 0 && p.Question == "" && p.Refused == "" && !d.Export {
		d.Command = commands(&p, h, audit, d.File)
	}
	return d, nil
}

var unsafeInFile = regexp.MustCompile(`[^A-Za-z0-9.-]+`)

// planFile returns the file name of a plan. It keeps only the characters of a host's name that are safe in a shell and
// a file system.
func planFile(h store.Host) string {
	name := strings.Trim(unsafeInFile.ReplaceAllString(clipTo(60, h.Name), "-"), "-.")
	if name == "" {
		name = "host"
	}
	return "plan-" + name + ".json"
}

// commandList is where to work, and the lines to type there.
type commandList struct {
	From  string
	Lines []string
}

// The characters of a path and an address that a command may contain: they are untrusted, and none of these is special
// to a shell.
var (
	plainPath    = regexp.MustCompile(`^/[A-Za-z0-9._/+-]+$`)
	plainAddress = regexp.MustCompile(`^[][A-Za-z0-9.:-]+$`)
)

// commands returns the lines that make a plan's changes: for Samba on the host itself, for Windows there or from
// another machine. Each names its target, so that it means the same everywhere, and sets a rollback. There are none for
// a system that apply does not support.
func commands(p *model.Plan, h store.Host, audit *auditView, file string) []commandList {
	list := func(from, target, more string) commandList {
		apply := "ipcguard apply " + file + " --target " + target + more
		return commandList{from, []string{apply + " --dry-run", apply + " --confirm-within 10m", "ipcguard confirm ID"}}
	}
	switch p.Platform.System {
	case "samba":
		config := "/etc/samba/smb.conf"
		if audit != nil && audit.Source.Kind == "smbconf" && len(audit.Source.Parts) > 0 &&
			plainPath.MatchString(audit.Source.Parts[0]) {
			config = audit.Source.Parts[0]
		}
		return []commandList{list("On the host itself, as root", "samba:"+config, "")}
	case "windows":
		out := []commandList{list("On the host itself, as an administrator", "windows:", "")}
		if address, port, err := net.SplitHostPort(h.Address); err == nil && plainAddress.MatchString(h.Address) {
			if strings.Contains(address, ":") {
				address = "[" + address + "]"
			}
			if port != "445" {
				address += ":" + port
			}
			out = append(out, list("Or from another machine", "winreg://"+address, ` --user "DOMAIN\ADMINISTRATOR"`))
		}
		return out
	}
	return nil
}

// makePlan makes a plan from a host's stored documents.
func makePlan(v *visit) error {
	h, err := v.hostOf()
	if err != nil {
		return err
	}
	f := newForm(v.r.PostForm)
	_, err = v.acts.Plan(v.ctx(), v.who(), h.ID, acts.NewPlan{
		Strategy: f.Get("strategy"), Goal: f.Get("goal"),
		Accept: f.yes("accept"),
	})
	switch {
	case f.refused(err):
		f.Problem = "No plan: " + f.first()
		return v.showHost(h, f, statusOf(err))
	case err != nil:
		return err
	}
	return v.done(v.r.URL.Path[:len(v.r.URL.Path)-len("/plan")]+"#apply", "The plan is made.")
}

// planDownload sends the plan as apply reads it.
func planDownload(v *visit) error {
	h, err := v.hostOf()
	if err != nil {
		return err
	}
	b, _, err := v.store.Document(v.ctx(), h.ID, "plan")
	if err != nil {
		return err
	}
	if _, err := plan.Read(b); err != nil {
		return problem{http.StatusConflict, "The stored plan is not whole. Plan again."}
	}
	return v.attach(planFile(h), "application/json", b)
}

// attach sends a file.
func (v *visit) attach(name, kind string, b []byte) error {
	v.w.Header().Set("Content-Type", kind)
	v.w.Header().Set("Content-Disposition", `attachment; filename="`+unsafeInFile.ReplaceAllString(name, "-")+`"`)
	w := io.Writer(v.w)
	if kind == "application/json" {
		w = model.JSONWriter{Writer: w}
	}
	_, _ = w.Write(b) // the client is gone
	return nil
}

// hostDocument sends a stored document unchanged.
func hostDocument(v *visit) error {
	h, err := v.hostOf()
	if err != nil {
		return err
	}
	kind := v.r.PathValue("kind")
	switch kind {
	case "scan", "audit", "observe", "journal":
	default:
		return errNotFound
	}
	if kind == "journal" && !v.may(store.RoleOperator) { // it contains whole configuration files
		return errForbidden
	}
	b, _, err := v.store.Document(v.ctx(), h.ID, kind)
	if err != nil {
		return err
	}
	if !json.Valid(b) {
		return errNotFound
	}
	return v.attach(kind+strings.TrimPrefix(planFile(h), "plan"), "application/json", b)
}
