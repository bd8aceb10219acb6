package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

func (a *app) version() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Say which build this is",
		Long:  "Say which build this is: the version, the commit, and the Go release that built it.\n",
		Args:  noArguments,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintln(a.stdout, buildLine(debug.ReadBuildInfo()))
			return err
		},
	}
}

func buildLine(info *debug.BuildInfo, ok bool) string {
	return fmt.Sprintf("ipcguard %s %s %s/%s", buildName(info, ok), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// buildName identifies a build: the version, the commit, and whether it was modified.
func buildName(info *debug.BuildInfo, ok bool) string {
	version, commit, dirty := "unknown", "", ""
	if ok {
		if version = info.Main.Version; version == "" || version == "(devel)" {
			version = "development build"
		}
		for _, s := range info.Settings {
			switch {
			case s.Key == "vcs.revision":
				commit = " " + s.Value
			case s.Key == "vcs.modified" && s.Value == "true":
				dirty = " with local changes"
			}
		}
	}
	return version + commit + dirty
}

func noArguments(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usage("unexpected argument %q", args[0])
	}
	return nil
}
