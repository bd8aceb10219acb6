package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"github.com/spf13/pflag"

	"ipcguard/internal/apply/private"
)

// stateFlags name the directory of the journals.
type stateFlags struct{ state string }

func (f *stateFlags) register(s *pflag.FlagSet) {
	s.StringVar(&f.state, "state", "",
		"the directory of journals and keys (default: /var/lib/ipcguard as root, else below XDG_STATE_HOME; "+
			"%ProgramData%\\ipcguard)")
}

// dir returns the state directory.
func (f *stateFlags) dir() (string, error) {
	if f.state != "" {
		return filepath.Abs(f.state)
	}
	if runtime.GOOS == "windows" {
		if data := os.Getenv("ProgramData"); data != "" {
			return filepath.Join(data, "ipcguard"), nil
		}
		return "", hinted{usage("%%ProgramData%% is not set"), "name a directory with --state"}
	}
	if os.Geteuid() == 0 {
		return "/var/lib/ipcguard", nil
	}
	if state := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(state) {
		return filepath.Join(state, "ipcguard"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", hinted{usageError{err}, "name a directory with --state"}
	}
	return filepath.Join(home, ".local", "state", "ipcguard"), nil
}

// inState returns the flag that a command needs to find a state directory; it is empty for the default directory.
func inState(dir string) string {
	if usual, err := (&stateFlags{}).dir(); err == nil && usual == dir {
		return ""
	}
	return " --state " + private.Quoted(dir)
}

// serverHome is the directory of the fleet's server that runs as a service.
const serverHome = "/var/lib/ipcguard-serve"

// homeFlags name the directory of the fleet's server.
type homeFlags struct{ stateFlags }

func (f *homeFlags) register(s *pflag.FlagSet) {
	s.StringVar(&f.state, "state", "",
		"the directory of the database, the key and the certificate (default: "+serverHome+" as root or as the "+
			"account that it belongs to, else below XDG_STATE_HOME; %ProgramData%\\ipcguard-serve)")
}

// dir returns the directory of the fleet's server, and creates it if needed. Apply does not trust it: the server is
// reachable from the network and runs as an account of its own if possible. A directory of an earlier version is used
// as before.
func (f *homeFlags) dir() (string, error) {
	if f.state == "" && os.Geteuid() > 0 && ownedHere(serverHome) {
		return serverHome, home(serverHome, "ipcguard-serve")
	}
	dir, err := f.stateFlags.dir()
	if err != nil {
		return "", err
	}
	if f.state == "" {
		earlier := filepath.Join(dir, "fleet")
		dir += "-serve"
		if _, err := os.Stat(filepath.Join(earlier, keyFile)); err == nil {
			dir = earlier
		}
	}
	return dir, home(dir, "ipcguard-serve")
}

// worker returns the directory of a worker of the fleet, and creates it if needed. Apply does not trust it either.
func (f *homeFlags) worker() (string, error) {
	dir, err := f.stateFlags.dir()
	if err != nil {
		return "", err
	}
	if f.state == "" {
		dir += "-worker"
	}
	return dir, home(dir, "ipcguard-worker")
}

// home creates one of these directories, or checks an existing one and says how to correct it.
func home(dir, service string) error {
	err := makeHome(dir, service)
	if err == nil {
		return nil
	}
	err = fmt.Errorf("state directory: %w", err)
	var open *private.Error
	if errors.As(err, &open) && open.Mend != "" {
		return hinted{err, "once you know how that came about: " + open.Mend}
	}
	return err
}
