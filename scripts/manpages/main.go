// Command manpages writes a manual page for every verb to a directory: manpages DIRECTORY VERSION.
//
// The pages carry the date of SOURCE_DATE_EPOCH, in seconds since 1970, so that the same commit gives the same bytes.
package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"ipcguard/internal/cli"
)

func main() {
	if err := run(os.Args[1:], os.Getenv("SOURCE_DATE_EPOCH")); err != nil {
		fmt.Fprintln(os.Stderr, "manpages:", err)
		os.Exit(1)
	}
}

func run(args []string, epoch string) error {
	if len(args) != 2 {
		return fmt.Errorf("use: manpages DIRECTORY VERSION")
	}
	seconds, err := strconv.ParseInt(epoch, 10, 64)
	if err != nil {
		return fmt.Errorf("SOURCE_DATE_EPOCH is %q, want seconds since 1970", epoch)
	}
	date := time.Unix(seconds, 0).UTC()
	if err := os.MkdirAll(args[0], 0o755); err != nil {
		return err
	}
	commands := cli.Commands()
	commands.DisableAutoGenTag = true // the header has the date
	indent(commands)
	header := doc.GenManHeader{Section: "1", Date: &date, Source: "ipcguard " + args[1], Manual: "ipcguard"}
	return write(commands, header, args[0])
}

// write writes the page of a command and those of its verbs.
func write(c *cobra.Command, header doc.GenManHeader, dir string) error {
	for _, verb := range c.Commands() {
		if !verb.IsAvailableCommand() || verb.IsAdditionalHelpTopicCommand() {
			continue
		}
		if err := write(verb, header, dir); err != nil {
			return err
		}
	}
	name := strings.ReplaceAll(c.CommandPath(), " ", "-")
	header.Title = strings.ToUpper(name)
	var b bytes.Buffer
	if err := doc.GenMan(c, &header, &b); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, name+".1"), []byte(forPeople(c, b.String())), 0o644)
}

var (
	valued    = regexp.MustCompile(`(?m)^(\\fB.*\\fP)=(.+)\n\t(.*)$`)
	documents = regexp.MustCompile(`\bdocs/[a-z-]+\.md\b`)
)

// forPeople changes what cobra writes for those who know its notation: a flag without a value has none in brackets, and
// one with a value has its default behind its meaning. The page of a command with verbs lists them, and documents are
// where the packages put them.
func forPeople(c *cobra.Command, page string) string {
	page = strings.ReplaceAll(page, `\fP[=false]`, `\fP`)
	page = valued.ReplaceAllStringFunc(page, func(flag string) string {
		part := valued.FindStringSubmatch(flag)
		name, standard, means := part[1], strings.Trim(part[2], `"[]`), part[3]
		if standard != "" && !strings.Contains(means, "(default") {
			means += " (default " + standard + ")"
		}
		return name + `=\fIVALUE\fP` + "\n\t" + means
	})
	page = documents.ReplaceAllString(page, "/usr/share/doc/ipcguard/$0")
	var verbs strings.Builder
	for _, verb := range c.Commands() {
		if verb.IsAvailableCommand() && !verb.IsAdditionalHelpTopicCommand() {
			fmt.Fprintf(&verbs, ".TP 12\n\\fB%s\\fP\n%s\n", verb.Name(), verb.Short)
		}
	}
	if verbs.Len() > 0 {
		page = strings.Replace(page, ".SH OPTIONS\n", ".SH COMMANDS\n"+verbs.String()+"\n.SH OPTIONS\n", 1)
	}
	if !c.HasParent() {
		page = strings.Replace(page, "ipcguard [flags]", "ipcguard COMMAND [flags]", 1)
	}
	return page
}

// indent turns the tables of the help texts, which begin with two spaces, into Markdown blocks that keep their lines,
// which are indented by four spaces.
func indent(c *cobra.Command) {
	var b strings.Builder
	inside := false
	for line := range strings.Lines(c.Long) {
		table := strings.HasPrefix(line, "  ")
		if table != inside {
			b.WriteByte('\n')
		}
		if inside = table; table {
			b.WriteString("  ")
		}
		b.WriteString(line)
	}
	c.Long = b.String()
	for _, verb := range c.Commands() {
		indent(verb)
	}
}
