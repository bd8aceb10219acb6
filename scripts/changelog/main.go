// Changelog joins the user-visible changes into CHANGELOG.md at a release. Each is a separate file below
// changelog/unreleased, so that concurrent changes do not conflict:
//
//	Fixed
//
//	One to three sentences for the user. They may go on
//	over several lines.
//
// The first line is one of the kinds below, the second is blank.
//
//	changelog check            every file has the form
//	changelog release VERSION  join them into CHANGELOG.md, and remove them
package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

const (
	document = "CHANGELOG.md"
	folder   = "changelog/unreleased"
)

// kinds lists the kinds in the order of a release's sections.
var kinds = []string{"Added", "Changed", "Fixed", "Removed", "Security"}

// change is one file.
type change struct{ kind, text string }

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "changelog:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	list, names, err := read(folder)
	switch {
	case err != nil:
		return err
	case len(args) == 1 && args[0] == "check":
		return nil
	case len(args) != 2 || args[0] != "release":
		return errors.New("usage: changelog check | changelog release VERSION")
	case len(list) == 0:
		return errors.New("there is nothing to release")
	}
	old, err := os.ReadFile(document)
	if err != nil {
		return err
	}
	text, err := join(string(old), args[1], time.Now(), list)
	if err != nil {
		return err
	}
	if err := os.WriteFile(document, []byte(text), 0o644); err != nil {
		return err
	}
	for _, name := range names {
		if err := os.Remove(name); err != nil {
			return err
		}
	}
	return nil
}

// read reads every change of a folder, in the order of the files' names.
func read(dir string) (list []change, names []string, err error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil // git keeps no empty folder
	}
	if err != nil {
		return nil, nil, err
	}
	for _, e := range entries {
		name := filepath.Join(dir, e.Name())
		if e.IsDir() || filepath.Ext(name) != ".md" {
			return nil, nil, fmt.Errorf("%s: want files SLUG.md alone", name)
		}
		b, err := os.ReadFile(name)
		if err != nil {
			return nil, nil, err
		}
		c, err := parse(string(b))
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", name, err)
		}
		list, names = append(list, c), append(names, name)
	}
	return list, names, nil
}

// sentence matches the end of a sentence: a full stop, exclamation mark or question mark before a space and a capital,
// or at the end.
var sentence = regexp.MustCompile("[.!?][`)\"]?(?: [A-Z`\"]|$)")

// parse parses one file.
func parse(text string) (change, error) {
	text = strings.TrimRight(text, "\n")
	kind, rest, _ := strings.Cut(text, "\n")
	body, blank := strings.CutPrefix(rest, "\n")
	switch {
	case !slices.Contains(kinds, kind):
		return change{}, fmt.Errorf("the first line is %q: want one of %s", kind, strings.Join(kinds, ", "))
	case !blank:
		return change{}, errors.New("the second line is not blank")
	}
	body = strings.Join(strings.Fields(body), " ")
	switch n := len(sentence.FindAllString(body, -1)); {
	case strings.Contains(rest[1:], "\n\n") || strings.HasPrefix(body, "- ") || strings.HasPrefix(body, "#"):
		return change{}, errors.New("want one paragraph, without a list or a heading")
	case n == 0 || !strings.HasSuffix(strings.TrimRight(body, "`)\""), "."):
		return change{}, errors.New("want sentences, with a full stop at the end")
	case n > 3:
		return change{}, fmt.Errorf("it has %d sentences: want one to three", n)
	}
	return change{kind, body}, nil
}

// version matches a semantic version.
var version = regexp.MustCompile(`^[0-9]+\.[0-9]+\.[0-9]+(?:-[0-9A-Za-z.-]+)?$`)

// join inserts a release's section before the previous one. Text that is already below "## Unreleased" becomes part of
// it.
func join(old, name string, now time.Time, list []change) (string, error) {
	if !version.MatchString(name) {
		return "", fmt.Errorf("%q is no version such as 1.2.0", name)
	}
	if strings.Contains(old, "\n## "+name+" ") {
		return "", fmt.Errorf("%s was released before", name)
	}
	head, rest := old, ""
	if i := strings.Index(old, "\n## "); i >= 0 {
		head, rest = old[:i+1], old[i+1:]
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n## %s (%s)\n", strings.TrimRight(head, "\n"), name, now.UTC().Format(time.DateOnly))
	if waiting, ok := strings.CutPrefix(rest, "## Unreleased\n"); ok {
		waiting, rest = cutSection(waiting)
		if waiting = strings.TrimSpace(waiting); waiting != "" {
			fmt.Fprintf(&b, "\n%s\n", waiting)
		}
	}
	for _, kind := range kinds {
		for i, c := range ofKind(list, kind) {
			if i == 0 {
				fmt.Fprintf(&b, "\n### %s\n\n", kind)
			}
			fmt.Fprintf(&b, "- %s\n", c.text)
		}
	}
	if rest != "" {
		fmt.Fprintf(&b, "\n%s", rest)
	}
	return b.String(), nil
}

// cutSection cuts a text before its next section.
func cutSection(s string) (section, rest string) {
	if i := strings.Index("\n"+s, "\n## "); i >= 0 {
		return s[:i], s[i:]
	}
	return s, ""
}

func ofKind(list []change, kind string) []change {
	return slices.DeleteFunc(slices.Clone(list), func(c change) bool { return c.kind != kind })
}
