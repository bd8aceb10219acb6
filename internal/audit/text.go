package audit

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"ipcguard/internal/catalog"
	"ipcguard/internal/format/auditpol"
	"ipcguard/internal/format/gpo"
	"ipcguard/internal/format/inf"
	"ipcguard/internal/format/lgpo"
	"ipcguard/internal/format/registry"
	"ipcguard/internal/format/regpol"
	"ipcguard/internal/format/regquery"
	"ipcguard/internal/format/rsop"
	"ipcguard/internal/model"
)

// tool is a Windows program whose saved output can be audited.
type tool struct {
	name string // its name, for messages
	kind string // of the source
	is   func(head string) bool
	read func(f *facts, c *catalog.Catalog, text string) error
}

// tools lists the programs in the order in which their output is recognized.
func tools(c *catalog.Catalog) []tool {
	return []tool{
		{"reg query", "reg", regquery.Is, regQuery},
		{"gpresult /x or Get-GPOReport", "gpo", rsop.Is, policyReport},
		{"LGPO /parse", "gpo", lgpo.Is, lgpoText},
		{"auditpol", "auditpol", auditpol.Is, auditPolicy},
		{
			"Get-SmbServerConfiguration or Get-SmbShare", "powershell",
			func(head string) bool { return smbObjects(c, head) }, serverObjects,
		},
	}
}

// toolOf returns the program that printed a text, or nil.
func toolOf(c *catalog.Catalog, head string) *tool {
	for _, t := range tools(c) {
		if t.is(head) {
			return &t
		}
	}
	return nil
}

// maxText bounds the output of a program: reg query of a service's keys, a report of a machine with very many policies.
const maxText = 64 << 20

// readText reads a text in any encoding that Windows programs or consoles write.
func readText(path string) (string, error) {
	if err := regular(path, maxText); err != nil {
		return "", err
	}
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	return registry.ReadText(file, maxText)
}

// textSource audits the output of a Windows program.
func (o *Options) textSource(path string) (*facts, error) {
	text, err := readText(path)
	if err != nil && !errors.Is(err, registry.ErrCut) {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	t := toolOf(o.Catalog, text[:min(len(text), sniffed)])
	if t == nil {
		return nil, notAudited(path, text)
	}
	f := newFacts(t.kind, path, "windows")
	f.source.Parts = []string{path}
	f.why("the output of %s", t.name)
	for _, p := range located(path, err) {
		f.problem("%s", p)
	}
	if err := t.read(f, o.Catalog, text); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return f, nil
}

// regQuery takes the values that reg query printed. A value that it did not print may not have been queried.
func regQuery(f *facts, c *catalog.Catalog, text string) error {
	values, err := regquery.Parse(text)
	path := f.source.Name
	for _, p := range located(path, err) {
		f.problem("%s", p)
	}
	matters := auditedKeys(c)
	var changes []change
	for i := range values {
		if at := spotOf(values[i].Key); matters(at.key, false) {
			changes = append(changes, change{spot: at, name: values[i].Name, value: &values[i], origin: path})
		}
	}
	tree := &registry.Tree{}
	f.force(c, tree, path, changes)
	f.dump(c, tree)
	return nil
}

// lgpoText takes a policy that LGPO parsed.
func lgpoText(f *facts, c *catalog.Catalog, text string) error {
	ins, user, err := lgpo.Parse(text)
	g := &gpo.GPO{Name: filepath.Base(f.source.Name), Policy: ins, Problems: located(f.source.Name, err)}
	f.policy(c, g)
	f.giveWay()
	if user > 0 {
		f.why("%d instructions are for users and say nothing of the computer", user)
	}
	f.why("a policy does not say which product or role it is applied to; --product and --role do")
	return nil
}

// policyReport takes a report of one machine's policies, or of one policy.
func policyReport(f *facts, c *catalog.Catalog, text string) error {
	r, err := rsop.Parse(text)
	if errors.Is(err, rsop.ErrNone) {
		return err
	}
	g := &gpo.GPO{Name: strings.Join(r.Policies, ", "), Template: inf.New(), Problems: located(f.source.Name, err)}
	if g.Name == "" {
		g.Name = filepath.Base(f.source.Name)
	}
	for _, v := range r.Values {
		g.Policy = append(g.Policy, regpol.Set(v))
	}
	for section, lines := range r.Security {
		for key, value := range lines {
			g.Template.Set(section, key, value)
		}
	}
	f.policy(c, g)
	f.host = r.Host
	for id := range f.origin {
		f.origin[id] = "group policy, by " + f.source.Name
	}
	if r.Unshown > 0 {
		f.problem("%s: %d administrative templates are applied whose values such a report does not show; "+
			"registry.pol, reg query or the registry itself does", f.source.Name, r.Unshown)
	}
	f.why("a report of group policy tells what policies set; what they do not set is unknown, and so are product and " +
		"role: --product and --role tell them")
	return nil
}

// auditPolicy takes the audit policy of a host.
func auditPolicy(f *facts, c *catalog.Catalog, text string) error {
	p, err := auditpol.Parse(text)
	if err != nil {
		return err
	}
	f.host = p.Host
	f.auditSettings(c, p, f.source.Name)
	return nil
}

// auditSettings takes an audit policy, a host's or a group policy's.
func (f *facts) auditSettings(c *catalog.Catalog, p *auditpol.Policy, from string) {
	for i := range c.Settings {
		s := &c.Settings[i]
		if set, ok := p.Settings[s.AuditPolicy]; ok && s.AuditPolicy != "" {
			f.values[s.ID], f.origin[s.ID] = model.Value{Present: true, Type: s.Type, Data: int(set)}, from
		}
	}
	for _, line := range p.Unknown {
		f.problem("%s: not understood, as words are known in English and German alone (auditpol /backup writes "+
			"numbers): %.200q", from, line)
	}
}
