package plan

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
)

// Errors of a plan that cannot be used.
var (
	ErrNotAPlan = errors.New("plan: this is no plan")
	ErrNewer    = errors.New("plan: it was made by a newer version, which this one cannot judge")
	ErrEdited   = errors.New("plan: it was changed after it was made: its hash does not fit")
	ErrUnsealed = errors.New("plan: it has no hash, so nobody can tell whether it was changed")
)

// maxPlan bounds a plan's file, in bytes. A host has some dozens of settings; their plan takes some dozens of
// kilobytes.
const maxPlan = 8 << 20

// Facts returns the settings on which a plan is based, as the audit read them: every setting that was looked for and
// that governs access, sorted.
func Facts(c *catalog.Catalog, a *model.Audit) []model.Fact {
	out := []model.Fact{}
	for i := range a.Settings {
		s := &a.Settings[i]
		k := c.Setting(s.ID)
		if s.NotRead || k == nil || s.State == model.StateNotApplicable {
			continue
		}
		g := k.Governs
		if !g.Session && !g.Tree && len(g.Pipes) == 0 && len(g.Discloses) == 0 {
			continue
		}
		out = append(out, model.Fact{Setting: s.ID, Where: s.Where, Value: s.Value()})
	}
	for _, s := range a.Shares {
		for _, o := range openers(&s) {
			out = append(out, model.Fact{
				Setting: o.setting, Where: "[" + s.Name + "] " + o.setting,
				Value: model.Value{Present: true, Type: "bool", Data: true},
			})
		}
	}
	slices.SortStableFunc(out, func(x, y model.Fact) int {
		return cmp.Or(cmp.Compare(x.Setting, y.Setting), cmp.Compare(x.Where, y.Where))
	})
	return out
}

// Fingerprint returns the state of a host as one line: its platform and every setting on which the plan is based.
func Fingerprint(p model.Platform, facts []model.Fact) string {
	p.Why = nil // how the platform is known does not matter
	return digest(struct {
		Platform model.Platform `json:"platform"`
		Facts    []model.Fact   `json:"facts"`
	}{p, facts})
}

// seal sets a plan's hash.
func seal(p *model.Plan) error {
	var err error
	p.Hash, err = Hash(p)
	return err
}

// Hash returns the SHA-256 of a plan's canonical JSON without its hash and signature: the fields of the schema in its
// order, no white space, UTF-8. It does not depend on the layout of the file.
func Hash(p *model.Plan) (string, error) {
	bare := *p
	bare.Hash, bare.Signature = "", nil
	b, err := json.Marshal(&bare)
	if err != nil {
		return "", fmt.Errorf("plan: %w", err)
	}
	return sum(b), nil
}

func digest(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return "" // a plan whose values cannot be written has no hash either, which fails
	}
	return sum(b)
}

func sum(b []byte) string {
	s := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(s[:])
}

// Read reads a plan and checks its schema, its hash, and that it understands every change. A plan with unknown fields
// is from a newer version.
func Read(b []byte) (*model.Plan, error) {
	if len(b) > maxPlan {
		return nil, fmt.Errorf("%w: it is larger than %d bytes", ErrNotAPlan, maxPlan)
	}
	if err := model.CheckDocument(b); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotAPlan, err)
	}
	var head struct {
		Schema string `json:"schema"`
		Hash   string `json:"hash"`
	}
	if err := json.Unmarshal(b, &head); err != nil {
		kind := model.KindOf(b) // a scan's or audit's result is an array; jsonl has several values
		if strings.HasPrefix(kind, "a plan") {
			return nil, fmt.Errorf("%w that stands alone and whole: %w", ErrNotAPlan, err)
		}
		return nil, fmt.Errorf("%w: it is %s", ErrNotAPlan, kind)
	}
	switch {
	case head.Schema == model.SchemaPlan:
	case strings.HasPrefix(head.Schema, "ipcguard.plan/"):
		return nil, fmt.Errorf("%w (%s)", ErrNewer, head.Schema)
	default:
		return nil, fmt.Errorf("%w: it is %s", ErrNotAPlan, model.KindOf(b))
	}
	if head.Hash == "" {
		return nil, ErrUnsealed
	}
	if err := withoutDoubles(b); err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	p := &model.Plan{}
	if err := d.Decode(p); err != nil {
		if strings.Contains(err.Error(), "unknown field") {
			return nil, fmt.Errorf("%w: %w", ErrNewer, err)
		}
		return nil, fmt.Errorf("%w: %w", ErrNotAPlan, err)
	}
	if d.More() {
		return nil, fmt.Errorf("%w: there is more behind it", ErrNotAPlan)
	}
	if err := Verify(p); err != nil {
		return nil, err
	}
	return p, nil
}

// withoutDoubles refuses objects that have a field twice, also in different case, because readers differ on which one
// counts.
func withoutDoubles(b []byte) error {
	d := json.NewDecoder(bytes.NewReader(b))
	type frame struct {
		object bool
		key    bool // the next string is a key
		seen   map[string]bool
	}
	var stack []frame
	for {
		t, err := d.Token()
		if err != nil {
			return nil // reading the plan reports bad JSON; its end is an error here, too
		}
		top := len(stack) - 1
		if delim, ok := t.(json.Delim); ok {
			switch delim {
			case '{', '[':
				if top >= 0 && stack[top].object {
					stack[top].key = true
				}
				stack = append(stack, frame{object: delim == '{', key: delim == '{', seen: map[string]bool{}})
			default:
				stack = stack[:top]
			}
			continue
		}
		if top < 0 || !stack[top].object {
			continue
		}
		if !stack[top].key {
			stack[top].key = true
			continue
		}
		name, _ := t.(string)
		folded := strings.ToLower(name)
		if stack[top].seen[folded] {
			return fmt.Errorf("%w: it names %q twice", ErrEdited, name)
		}
		stack[top].seen[folded], stack[top].key = true, false
	}
}

// Verify checks a plan in memory: its hash, and that every change names a setting that this version knows, with a place
// and types that fit.
func Verify(p *model.Plan) error {
	want, err := Hash(p)
	switch {
	case err != nil:
		return err
	case p.Hash == "":
		return ErrUnsealed
	case p.Hash != want:
		return ErrEdited
	case p.Fingerprint != Fingerprint(p.Platform, p.BasedOn):
		return fmt.Errorf("%w: its fingerprint is not that of what it rests on", ErrEdited)
	}
	c, err := catalog.Load()
	if err != nil {
		return err
	}
	for i := range p.Changes {
		ch := &p.Changes[i]
		if ch.Setting == HostFirewall {
			continue
		}
		s := c.Setting(ch.Setting)
		if s == nil {
			return fmt.Errorf("%w: change %s is of %q, a setting that is not in the catalog", ErrNewer, ch.ID,
				ch.Setting)
		}
		if !ch.To.Present {
			continue
		}
		data, ok := s.Value(ch.To)
		if !ok {
			return fmt.Errorf("%w: change %s sets %s to a value of the wrong type", ErrNotAPlan, ch.ID, ch.Setting)
		}
		ch.To.Data = data // with the type that the setting has
	}
	return nil
}
