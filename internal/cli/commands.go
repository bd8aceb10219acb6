package cli

import (
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// Commands returns the commands with their help texts, for manual pages. They are not to be run.
func Commands() *cobra.Command {
	a := &app{stdin: strings.NewReader(""), stdout: io.Discard, stderr: io.Discard, screen: io.Discard}
	return a.root()
}
