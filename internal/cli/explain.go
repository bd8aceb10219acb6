package cli

import (
	"encoding/json"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
	"ipcguard/internal/report"
)

const explainHelp = `Explain a setting (also with a value), service, pipe, interface, finding, product, event ID, status code or error
number, port, CIS or STIG ID, attack, or common claim. Type it as you would in a search. The answer is three lines; -v
adds the effect on each release, what breaks, and the sources.
`

const explainExamples = `  ipcguard explain RestrictAnonymous
  ipcguard explain samr -v
  ipcguard explain "map to guest = bad user"
  ipcguard explain 0x80070035
  ipcguard explain event 5145
  ipcguard explain "AutoShareServer removes IPC$"
  ipcguard explain V-254467`

func (a *app) explain() *cobra.Command {
	format, verbose := "text", false
	c := &cobra.Command{
		Use:     "explain TOPIC",
		Short:   "Explain a setting, service, pipe, finding or common claim, with sources",
		Long:    explainHelp,
		Example: explainExamples,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return hinted{usage("no topic named"), "ipcguard explain IPC$"}
			}
			return oneOf("--format", format, []string{"text", "json"})
		},
		RunE: func(_ *cobra.Command, args []string) error {
			return a.runExplain(strings.Join(args, " "), format, verbose)
		},
	}
	c.Flags().StringVar(&format, "format", format, "text, json")
	c.Flags().BoolVarP(&verbose, "verbose", "v", false, "show everything that is known, with the sources")
	return c
}

func (a *app) runExplain(topic, format string, verbose bool) error {
	c, err := catalog.Load()
	if err != nil {
		return err
	}
	found, near, ok := c.Topic(topic)
	if !ok {
		err := usage("nothing is known by the name %q", topic)
		if len(near) > 0 {
			var names []string
			for _, n := range near {
				names = append(names, n.ID)
			}
			return hinted{err, "did you mean " + strings.Join(names, ", ") + "?"}
		}
		return hinted{err, "ipcguard explain IPC$ is a place to start"}
	}
	if format == "json" {
		return json.NewEncoder(model.JSONWriter{Writer: a.stdout}).Encode(found)
	}
	if !verbose {
		return report.Brief(a.stdout, c, found, report.Style{Color: colorful(a.stdout)}, a.width())
	}
	return report.Explain(a.stdout, c, found, report.Style{Color: colorful(a.stdout)}, a.width())
}

// width returns the number of columns of the terminal; 0 if there is none.
func (a *app) width() int {
	f, ok := a.stdout.(*os.File)
	if !ok {
		return 0
	}
	columns, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return columns
}
