// Command manpages writes a manual page for every verb to a directory: manpages DIRECTORY VERSION.
//
// The pages carry the date of SOURCE_DATE_EPOCH, in seconds since 1970, so that the same commit gives the same bytes.
package main

import (
	"fmt"
	"os"
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
	header := &doc.GenManHeader{Section: "1", Date: &date, Source: "ipcguard " + args[1], Manual: "ipcguard"}
	return doc.GenManTree(commands, header, args[0])
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
