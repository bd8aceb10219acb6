package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ipcguard/internal/peer"
)

// onServer is the program on the machine of a real server, with a folder for its files.
type onServer struct {
	server       *peer.Samba
	program, dir string
}

func programOn(t *testing.T, server *peer.Samba) *onServer {
	t.Helper()
	o := &onServer{server, buildProgram(t, server.Dir), filepath.Join(server.Dir, "work")}
	if err := os.Mkdir(o.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return o
}

// at is a file in the folder.
func (o *onServer) at(name string) string { return filepath.Join(o.dir, name) }

// credentials writes a user's credentials into a file of his name.
func (o *onServer) credentials(t *testing.T, user string) string {
	t.Helper()
	text := "username = " + user + "\npassword = " + peer.Password + "\n"
	if err := os.WriteFile(o.at(user), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return o.at(user)
}

// run runs the program, which must end with a code and never tell the password.
func (o *onServer) run(t *testing.T, want int, args ...string) string {
	t.Helper()
	cmd := o.server.Command(t.Context(), o.program, args...)
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != want {
		t.Fatalf("ipcguard %s: %v, want %d\n%s", strings.Join(args, " "), err, want, out)
	}
	if strings.Contains(string(out), peer.Password) {
		t.Errorf("the password is told:\n%s", out)
	}
	return string(out)
}
