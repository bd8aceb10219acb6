package handover

import (
	"archive/zip"
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"ipcguard/internal/export"
	"ipcguard/internal/model"
	"ipcguard/internal/store"
)

// maxArchive bounds the total size of an archive's files before compression, in bytes: five hundred groups take about
// 50 MiB.
const maxArchive = 256 << 20

// archive is a zip that is written while its content is generated.
type archive struct {
	z    *zip.Writer
	r    *Rollout
	left int64    // bytes that may still be written
	said []string // lines for the README: what was left out, and notes
}

// errFull says that the bound of an archive is reached.
var errFull = errors.New("handover: the archive is full")

// WriteArchive writes everything that is handed over as one zip.
func (r *Rollout) WriteArchive(w io.Writer) error {
	a := &archive{zip.NewWriter(w), r, maxArchive, nil}
	for _, step := range []func() error{a.hosts, a.stops, a.tickets, a.inventory} {
		if err := step(); err != nil {
			return err
		}
	}
	var plays [2]strings.Builder // apply and undo
	for i := range r.Groups {
		err := a.group(&r.Groups[i], &plays)
		if errors.Is(err, errFull) {
			a.say("The archive is full: the files of %s are not in it. Plan for fewer hosts at once.",
				model.Count(len(r.Groups)-i, "group", "groups"))
			break
		}
		if err != nil {
			return err
		}
	}
	if r.MoreGroups > 0 {
		a.say("There are %d more groups than the %d that have files here: plan for fewer hosts at once.",
			r.MoreGroups, mostGroups)
	}
	for i, name := range []string{"ansible/apply.yml", "ansible/undo.yml"} {
		if plays[i].Len() > 0 {
			if err := a.file(name, []byte("---\n"+plays[i].String())); err != nil {
				return err
			}
		}
	}
	a.left = maxArchive // the README is always written
	if err := a.file("README.txt", a.readme()); err != nil {
		return err
	}
	return a.z.Close()
}

func (a *archive) say(format string, args ...any) {
	a.said = append(a.said, fmt.Sprintf(format, args...))
}

func (a *archive) file(name string, data []byte) error {
	if a.left -= int64(len(data)); a.left < 0 {
		return errFull
	}
	f, err := a.z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: a.r.Created.UTC()})
	if err == nil {
		_, err = f.Write(data)
	}
	return err
}

// tableFile writes a file of rows.
func (a *archive) tableFile(name string, heads []string, rows func(row func(cells ...string) error) error) error {
	var b strings.Builder
	out := table{csv.NewWriter(&b)}
	if err := out.row(heads...); err != nil {
		return err
	}
	shownRow := func(cells ...string) error {
		for i, c := range cells {
			cells[i] = shown(c)
		}
		return out.row(cells...)
	}
	if err := rows(shownRow); err != nil {
		return err
	}
	out.Flush()
	return a.file(name, []byte(b.String()))
}

func (a *archive) hosts() error {
	names := map[int64]string{}
	for _, g := range a.r.Groups {
		names[g.ID] = g.Name
	}
	return a.tableFile("hosts.csv",
		[]string{"host", "address", "site", "owner", "group", "state", "since", "before", "now", "why"},
		func(row func(...string) error) error {
			for _, h := range a.r.Hosts {
				if err := row(h.Host, h.Address, h.Site, h.Owner, names[h.Group], string(h.State),
					h.Since.UTC().Format("2006-01-02T15:04:05Z"), string(h.Before), string(h.Verdict),
					h.Why); err != nil {
					return err
				}
			}
			return nil
		})
}

func (a *archive) stops() error {
	if a.r.MoreStops > 0 {
		a.say("stops.csv has the first %d of %d lines.", len(a.r.Stops), len(a.r.Stops)+a.r.MoreStops)
	}
	return a.tableFile("stops.csv", []string{"known from", "who", "what", "hosts", "because"},
		func(row func(...string) error) error {
			for _, s := range a.r.Stops {
				if err := row(s.Certainty, s.Who, s.What, strconv.Itoa(s.Hosts), s.Because); err != nil {
					return err
				}
			}
			return nil
		})
}

func (a *archive) tickets() error {
	all, more := a.r.tickets()
	if more > 0 {
		a.say("%d more tickets than the %d of each file were not written: plan for fewer hosts at once.",
			more, mostTickets)
	}
	for _, shape := range Shapes() {
		var b strings.Builder
		if err := a.r.writeTickets(&b, shape, all); err != nil {
			return err
		}
		if err := a.file("tickets/"+shape+".csv", []byte(b.String())); err != nil {
			return err
		}
	}
	return nil
}

// plainName matches names that Ansible takes literally; in others it sees ranges and patterns.
var plainName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]{0,252}[A-Za-z0-9])?$`)

// madeName matches the names that the inventory makes for other hosts, by their numbers.
var madeName = regexp.MustCompile(`^host-[0-9]+$`)

func (a *archive) inventory() error {
	text := a.r.inventory()
	if text == "" {
		return nil
	}
	return a.file("ansible/inventory.yml", []byte(text))
}

// inventory lists the remaining hosts by group; empty if there are none. Each has the address at which it answered.
func (r *Rollout) inventory() string {
	var b strings.Builder
	b.WriteString("---\n# The hosts that are left, by group. How to log on is yours to say: ansible_connection, " +
		"ansible_user and the like.\nall:\n  children:\n")
	known, n := map[string]bool{}, 0
	for _, g := range r.Groups {
		if len(g.Left) == 0 {
			continue
		}
		n++
		b.WriteString("    " + g.Name + ":\n      hosts:\n")
		for _, h := range g.Left {
			name := strings.ToLower(h.Host)
			if !plainName.MatchString(name) || madeName.MatchString(name) || known[name] {
				name = "host-" + strconv.FormatInt(h.HostID, 10)
			}
			known[name] = true
			b.WriteString("        " + export.YAMLText(name) + ":\n          ansible_host: " +
				export.YAMLText(addressOf(h.Address)) + "\n          ipcguard_host: " +
				strconv.FormatInt(h.HostID, 10) + "\n")
		}
	}
	if n == 0 {
		return ""
	}
	return b.String()
}

// addressOf returns an address without its port.
func addressOf(s string) string {
	i := strings.LastIndexByte(s, ':')
	if i < 0 {
		return s
	}
	return strings.Trim(s[:i], "[]")
}

// group writes the files of one group in every form that can express its changes.
func (a *archive) group(g *Group, plays *[2]strings.Builder) error {
	if len(g.Left) == 0 {
		return nil
	}
	folder := "groups/" + g.Name + "/"
	var names strings.Builder
	for _, h := range g.Left {
		names.WriteString(shown(h.Host) + "\t" + shown(h.Address) + "\n")
	}
	if err := a.file(folder+"hosts.txt", []byte(names.String())); err != nil {
		return err
	}
	forms := []string{"ansible"}
	if g.System == "windows" {
		forms = []string{"gpo", "powershell", "ansible", "reg"}
	}
	a.say("%s: %s, %s", g.Name, a.r.platform(g), model.Count(len(g.Left), "host", "hosts"))
	for _, line := range g.does() {
		a.say("    %s", line)
	}
	for _, form := range forms {
		out, err := export.Export(g.Plan, form, export.Options{Time: a.r.Created})
		if err != nil {
			a.say("    %s: %s", form, shown(strings.TrimPrefix(err.Error(), "export: ")))
			continue
		}
		for _, f := range out.Files {
			if err := a.file(folder+form+"/"+f.Name, f.Data); err != nil {
				return err
			}
		}
		for _, s := range append(out.LeftOut, out.Notes...) {
			a.say("    %s: %s", form, shown(s))
		}
		if form == "ansible" {
			for i, file := range []string{"apply.yml", "undo.yml"} {
				fmt.Fprintf(&plays[i],
					"\n- name: %s\n  hosts: %s\n  gather_facts: false\n  become: %t\n  tasks:\n    - name: %s\n      ansible.builtin.include_tasks: %s\n",
					export.YAMLText(a.r.platform(g)), g.Name, g.System != "windows",
					export.YAMLText(strings.TrimSuffix(file, ".yml")),
					"../"+folder+"ansible/"+file)
			}
		}
	}
	return nil
}

func (a *archive) readme() []byte {
	o := a.r.Rollout
	var b strings.Builder
	fmt.Fprintf(&b, "Rollout %q, planned by ipcguard for %s on %s.\n\n",
		shown(o.Name), shown(o.By), o.Created.UTC().Format("2006-01-02 15:04 UTC"))
	fmt.Fprintf(&b, "%s: %d to change, %d closed, %d never audited, %d without changes, %d that nobody looks at any more.\n\n",
		model.Count(o.Hosts, "host",
			"hosts"),
		o.States[store.RolloutOpen]+o.States[store.RolloutUnwatched], o.States[store.RolloutClosed],
		o.States[store.RolloutUnaudited],
		o.States[store.RolloutNothing]+o.States[store.RolloutQuestion]+o.States[store.RolloutRefused]+
			o.States[store.RolloutFailed], o.States[store.RolloutGone])
	b.WriteString(strings.Join([]string{
		"hosts.csv     every host, where it stands, and why it gets no changes",
		"stops.csv     what the changes would stop, what was observed first",
		"tickets/      the work that is left, a ticket for each owner of each group: csv, for Jira, for ServiceNow (change_request)",
		"ansible/      inventory.yml with the hosts that are left; ansible-playbook -i ansible/inventory.yml ansible/apply.yml --check",
		"groups/       the changes of each group with their undo: gpo (import the backup into a new policy), powershell, ansible, reg",
		"",
		"The hosts of a group have exactly the same values before, so that the undo of the group fits each of them. Apply to one host of each group",
		"first, and scan it again. A group policy holds as long as it is linked; its values stay when it is unlinked: link the undo then.",
		"", "",
	}, "\n"))
	b.WriteString(cmp.Or(strings.Join(a.said, "\n"), "No host is left that gets changes.") + "\n")
	return []byte(b.String())
}
