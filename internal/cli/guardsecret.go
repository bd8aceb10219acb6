package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// secret is what a guard needs to log on to a remote host. It goes through a pipe to the guard's process, which keeps
// it only in memory: after a reboot the guard of such a host is gone, as apply says.
type secret struct {
	account
	kerberos, unsigned bool
}

// String omits the secret.
func (s *secret) String() string { return "a secret" }

// forGuard returns what goes through the pipe; nil if the target is this machine.
func (s *secret) forGuard(spec string) []byte {
	if !strings.HasPrefix(spec, "winreg://") || s == nil {
		return nil
	}
	b, err := json.Marshal(map[string]any{
		"user": s.user, "domain": s.domain, "password": s.password, "kerberos": s.kerberos, "unsigned": s.unsigned,
	})
	if err != nil {
		return nil // strings and a boolean always encode
	}
	return b
}

// readSecret reads the guard's end of the pipe.
func readSecret(in io.Reader) (logonMaker, error) {
	b, err := io.ReadAll(io.LimitReader(in, maxAccountFile))
	if err != nil {
		return nil, fmt.Errorf("reading the guard's credentials: %w", err)
	}
	var s struct {
		User, Domain, Password string
		Kerberos, Unsigned     bool
	}
	if json.Unmarshal(b, &s) != nil {
		return nil, errors.New("reading the guard's credentials: not in the form that apply writes")
	}
	if s.Kerberos {
		return tickets()
	}
	return account{s.User, s.Domain, s.Password}.logons(s.Unsigned), nil
}
