//go:build !windows

package cli

import "github.com/spf13/cobra"

// verbsOfSystem returns the commands of this system only. Systems without them run serve and worker with the units in
// docs.
func (a *app) verbsOfSystem() []*cobra.Command { return nil }
