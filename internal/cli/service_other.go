//go:build !windows

package cli

import "github.com/spf13/cobra"

// verbsOfSystem are the verbs that this system alone has: elsewhere the units in docs run serve and worker.
func (a *app) verbsOfSystem() []*cobra.Command { return nil }
