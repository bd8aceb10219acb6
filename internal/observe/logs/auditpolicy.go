package logs

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"ipcguard/internal/model"
	"ipcguard/internal/observe"
)

// A Windows host's audit policy decides which events it writes. If the policy is known, it either explains why a kind
// of event is missing, which then proves nothing, or its absence means something.
//
//	Machine Name,Policy Target,Subcategory,Subcategory GUID,Inclusion Setting,Exclusion Setting,Setting Value
//
// is what auditpol /get /category:* /r prints, auditpol /backup writes, and a group policy has as audit.csv. See
// [MS-GPAC] 2.2.1.

// The sub-categories with events about IPC$. See [MS-GPAC] 2.2.1.2.
const (
	auditLogon    = "{0CCE9215-69AE-11D9-BED3-505054503030}"
	auditShare    = "{0CCE9224-69AE-11D9-BED3-505054503030}"
	auditDetailed = "{0CCE9244-69AE-11D9-BED3-505054503030}"
)

// audited says which events of a sub-category are written.
type audited struct{ known, success, failure bool }

// policyOf is what is known of one host's auditing. An empty host means every host: a group policy names none.
type policyOf struct {
	host  string
	set   map[string]audited
	guest *model.Setting // AuditInsecureGuestLogon, from an audit
}

// ErrNotPolicy means that bytes are neither an audit policy nor an audit's result.
var ErrNotPolicy = errors.New("neither an audit policy (auditpol /get /category:* /r, audit.csv) nor a result of " +
	"ipcguard audit")

// maxPolicy bounds a policy in bytes: sixty sub-categories, or an audit's result for a host.
const maxPolicy = 16 << 20

// Audit adds a host's audit policy, or what an audit of the host has found. It must be called before Close.
func (l *Reader) Audit(r io.Reader) error {
	b, err := io.ReadAll(io.LimitReader(r, maxPolicy+1))
	if err != nil {
		return err
	}
	if len(b) > maxPolicy {
		return fmt.Errorf("%w: more than %d bytes", ErrNotPolicy, maxPolicy)
	}
	b = model.UTF8Text(b)
	var found []policyOf
	if text := bytes.TrimSpace(b); len(text) > 0 && (text[0] == '{' || text[0] == '[') {
		found, err = auditResult(text)
	} else {
		found, err = auditPolicy(b)
	}
	if err != nil {
		return err
	}
	l.windows.policies = append(l.windows.policies, found...)
	return nil
}

func auditPolicy(b []byte) (out []policyOf, err error) {
	r := csv.NewReader(bytes.NewReader(b))
	r.FieldsPerRecord, r.LazyQuotes = -1, true
	head := true
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrNotPolicy, err)
		}
		if head { // its names are in the system's language; their number and order are fixed
			if len(row) < 6 {
				return nil, ErrNotPolicy
			}
			head = false
			continue
		}
		if len(row) < 6 || !strings.EqualFold(row[1], "System") && row[1] != "" { // a user's exceptions
			continue
		}
		id := strings.ToUpper(strings.TrimSpace(row[3]))
		if id != auditLogon && id != auditShare && id != auditDetailed {
			continue
		}
		value := ""
		if len(row) > 6 {
			value = strings.TrimSpace(row[6])
		}
		host := observe.Clip(strings.TrimSpace(row[0]))
		i := slices.IndexFunc(out, func(p policyOf) bool { return p.host == host })
		if i < 0 {
			if len(out) >= maxHosts {
				continue
			}
			i = len(out)
			out = append(out, policyOf{host: host, set: map[string]audited{}})
		}
		out[i].set[id] = auditedBy(row[4], value)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%w: no line about logons and file shares", ErrNotPolicy)
	}
	return out, nil
}

// auditedBy parses a setting. 0 means unchanged in a group policy, and no auditing beside the words for that; words in
// other languages are not interpreted.
func auditedBy(words, value string) audited {
	switch value {
	case "1":
		return audited{known: true, success: true}
	case "2":
		return audited{known: true, failure: true}
	case "3":
		return audited{known: true, success: true, failure: true}
	case "4":
		return audited{known: true}
	}
	switch strings.ToLower(strings.TrimSpace(words)) {
	case "success":
		return audited{known: true, success: true}
	case "failure":
		return audited{known: true, failure: true}
	case "success and failure":
		return audited{known: true, success: true, failure: true}
	case "no auditing":
		return audited{known: true}
	}
	return audited{}
}

// auditResult reads the settings of an audit that decide about events.
func auditResult(b []byte) (out []policyOf, err error) {
	take := func(a *model.Audit) error {
		if a.Schema != model.SchemaAudit {
			return fmt.Errorf("%w: schema %q", ErrNotPolicy, a.Schema)
		}
		p := policyOf{host: observe.Clip(a.Host)}
		for i := range a.Settings {
			if a.Settings[i].ID == "AuditInsecureGuestLogon" {
				p.guest = &a.Settings[i]
			}
		}
		out = append(out, p)
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(b))
	for {
		var raw json.RawMessage
		if err := d.Decode(&raw); errors.Is(err, io.EOF) {
			return out, nil
		} else if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrNotPolicy, err)
		}
		list := []*model.Audit{}
		if raw[0] != '[' {
			raw = append(append([]byte("["), raw...), ']')
		}
		if err := json.Unmarshal(raw, &list); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrNotPolicy, err)
		}
		for _, a := range list {
			if a == nil {
				return nil, ErrNotPolicy
			}
			if err := take(a); err != nil {
				return nil, err
			}
		}
	}
}

// sameHost compares names, one of which may lack its domain.
func sameHost(a, b string) bool {
	if strings.EqualFold(a, b) {
		return true
	}
	x, _, long := strings.Cut(a, ".")
	y, _, other := strings.Cut(b, ".")
	return long != other && strings.EqualFold(x, y)
}

// policy returns what is known of a host's auditing of a sub-category; a later one takes precedence, and one for the
// host over one for all.
func (w *windowsLog) policy(host, id string) (a audited) {
	own := false
	for _, p := range w.policies {
		one, ok := p.set[id]
		switch {
		case !ok:
		case p.host != "" && sameHost(p.host, host):
			a, own = one, true
		case p.host == "" && !own:
			a = one
		}
	}
	return a
}

// missing notes what it means that a host's log has no event of a kind.
func (w *windowsLog) missing(host, id, name, event, hidden string) string {
	a := w.policy(host, id)
	switch {
	case !a.known:
		return fmt.Sprintf("%s: no event %s, so %s and silence proves nothing: turn on %s (success and failure)", host,
			event, hidden, name)
	case a.success && a.failure:
		return fmt.Sprintf("%s: no event %s although %s is on by its audit policy: as long as the policy was that "+
			"and the log reaches, there was none", host, event, name)
	case a.success:
		return fmt.Sprintf("%s: no event %s; by its audit policy %s writes successes alone, so what was refused is "+
			"not seen", host, event, name)
	case a.failure:
		return fmt.Sprintf("%s: no event %s; by its audit policy %s writes failures alone, so %s and silence proves "+
			"nothing", host, event, name, hidden)
	}
	return fmt.Sprintf("%s: no event %s because %s is off by its audit policy, so %s and silence proves nothing: "+
		"turn it on (success and failure)", host, event, name, hidden)
}

// partly notes that only successes, or only failures, of a kind are written.
func (w *windowsLog) partly(host, id, name string) {
	switch a := w.policy(host, id); {
	case !a.known || a.success && a.failure:
	case a.success:
		w.cov.Note(fmt.Sprintf("%s: by its audit policy %s writes successes alone: what was refused is not seen", host,
			name))
	case a.failure:
		w.cov.Note(fmt.Sprintf("%s: by its audit policy %s writes failures alone: what was let in is not seen", host,
			name))
	default:
		w.cov.Note(fmt.Sprintf("%s: by its audit policy %s is off now, and its log has such events: the policy was "+
			"another before", host, name))
	}
}

// guests notes whether logons as guest are written, which is a setting of the SMB server.
func (w *windowsLog) guests(host string) {
	for _, p := range w.policies {
		if s := p.guest; s != nil && sameHost(p.host, host) && s.Basis != model.BasisUnknown && fmt.Sprint(s.Effective) == "0" {
			w.cov.Note(host + ": AuditInsecureGuestLogon is off by the audit given, so logons as guest write no " +
				"event 3023")
		}
	}
}
