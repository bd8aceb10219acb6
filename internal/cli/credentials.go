package cli

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"strings"

	"golang.org/x/term"

	"ipcguard/internal/kerberos"
	"ipcguard/internal/model"
	"ipcguard/internal/scan/targets"
	"ipcguard/internal/smb"
)

// The environment's way to give an account.
const (
	userVariable     = "IPCGUARD_USER"
	passwordVariable = "IPCGUARD_PASSWORD"
)

// account is a name with its secret. It prints only the name.
type account struct{ user, domain, password string }

// String omits the secret.
func (c account) String() string { return c.user }

// GoString omits the secret.
func (c account) GoString() string { return c.user }

// credentials returns how to log on, or nil without credentials: from a named file, from a name with a prompt for the
// password, or from the environment.
func (a *app) credentials(f *credentialFlags) (logonMaker, error) {
	logon, _, err := a.logonAndSecret(f)
	return logon, err
}

// logonAndSecret is credentials with what a guard in another process needs to log on by itself.
func (a *app) logonAndSecret(f *credentialFlags) (logonMaker, *secret, error) {
	a.unsigned = f.unsigned
	given := 0
	for _, set := range []bool{f.user != "", f.credentialsFile != "", f.kerberos} {
		if set {
			given++
		}
	}
	if given > 1 {
		return nil, nil, usage("--user, --credentials-file and --kerberos exclude one another")
	}
	if f.kerberos {
		logon, err := tickets()
		return logon, &secret{kerberos: true}, err
	}
	var c account
	var err error
	switch {
	case f.credentialsFile != "":
		c, err = readAccount(f.credentialsFile)
	case f.user != "":
		c, err = a.prompt(f.user)
	default:
		name, ok := os.LookupEnv(userVariable)
		if !ok || name == "" {
			return nil, nil, nil
		}
		password, ok := os.LookupEnv(passwordVariable)
		if !ok {
			return nil, nil, hinted{usage("%s is set and %s is not", userVariable, passwordVariable), "set both, or neither"}
		}
		c = split(name)
		c.password = password
	}
	if err != nil {
		return nil, nil, err
	}
	return c.logons(f.unsigned), &secret{account: c, unsigned: f.unsigned}, nil
}

// tickets logs on as a client of cifs/NAME with the credential cache of the environment.
func tickets() (logonMaker, error) {
	credentials, err := kerberos.FromCache(kerberos.CacheName())
	if err != nil {
		return nil, hinted{err, "kinit gets tickets; KRB5CCNAME names their cache, FILE:PATH"}
	}
	return ticketsOf(credentials), nil
}

// ticketsOf logs on as a client of cifs/NAME with tickets.
func ticketsOf(credentials *kerberos.Credentials) logonMaker {
	return func(t targets.Target) (smb.Authenticator, error) {
		host := t.Host()
		if _, err := netip.ParseAddr(host); err == nil {
			return nil, fmt.Errorf("kerberos: a ticket is for a name, and %s is an address", host)
		}
		return credentials.Client("cifs/" + host), nil
	}
}

// split parses DOMAIN\NAME or NAME. NAME@REALM is kept, because servers accept it as it is.
func split(name string) account {
	if domain, user, ok := strings.Cut(name, `\`); ok {
		return account{user: user, domain: domain}
	}
	return account{user: name}
}

// prompt asks for the password on the terminal.
func (a *app) prompt(name string) (account, error) {
	c := split(name)
	f, ok := a.stdin.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return c, hinted{
			usage("--user asks for the password, and there is no terminal"),
			"use --credentials-file, or IPCGUARD_USER and IPCGUARD_PASSWORD",
		}
	}
	fmt.Fprintf(a.stderr, "Password of %s: ", name)
	password, err := term.ReadPassword(int(f.Fd()))
	fmt.Fprintln(a.stderr)
	if err != nil {
		return c, fmt.Errorf("reading the password: %w", err)
	}
	c.password = string(password)
	return c, nil
}

// maxAccountFile bounds a credentials file, in bytes: it has three short lines.
const maxAccountFile = 64 << 10

// readAccount reads a file in smbclient's form: username, password and domain, one a line. Others must not be able to
// read it.
func readAccount(name string) (account, error) {
	var c account
	f, err := os.Open(name)
	if err != nil {
		return c, fmt.Errorf("credentials file: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return c, fmt.Errorf("credentials file: %w", err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return c, hinted{
			fmt.Errorf("credentials file %s: others may read it (mode %04o)", name, info.Mode().Perm()),
			"chmod 600 " + name,
		}
	}
	if !info.Mode().IsRegular() || info.Size() > maxAccountFile {
		return c, fmt.Errorf("credentials file %s: not a small regular file", name)
	}
	b := make([]byte, info.Size())
	if _, err := f.ReadAt(b, 0); err != nil && len(b) > 0 {
		return c, fmt.Errorf("credentials file: %w", err)
	}
	found := false
	for n, line := range strings.Split(string(model.UTF8Text(b)), "\n") {
		line = strings.TrimRight(line, "\r")
		if t := strings.TrimSpace(line); t == "" || strings.HasPrefix(t, "#") {
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		value = strings.TrimPrefix(value, " ")
		switch strings.ToLower(strings.TrimSpace(key)) {
		case "username":
			who := split(strings.TrimSpace(value))
			c.user, found = who.user, true
			if who.domain != "" {
				c.domain = who.domain
			}
		case "password":
			c.password = value
		case "domain":
			c.domain = strings.TrimSpace(value)
		default:
			ok = false
		}
		if !ok { // the line may contain the password
			return c, fmt.Errorf("credentials file %s:%d: want username = …, password = … or domain = …", name, n+1)
		}
	}
	if !found || c.user == "" {
		return c, errors.New("credentials file: no username")
	}
	return c, nil
}
