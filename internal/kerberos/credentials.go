package kerberos

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"

	"github.com/jcmturner/gokrb5/v8/client"
	"github.com/jcmturner/gokrb5/v8/config"
	"github.com/jcmturner/gokrb5/v8/credentials"
	"github.com/jcmturner/gokrb5/v8/keytab"
)

// Credentials are the tickets or the key of a principal. They can be used for any number of logons at once.
type Credentials struct {
	client *client.Client
	name   string
}

// String returns the principal.
func (c *Credentials) String() string { return c.name }

// GoString returns String, so that no format verb shows a key.
func (c *Credentials) GoString() string { return c.name }

// CacheName returns the credential cache named by the environment, or the default one. See krb5.conf(5).
func CacheName() string {
	if name := os.Getenv("KRB5CCNAME"); name != "" {
		return name
	}
	return "/tmp/krb5cc_" + strconv.Itoa(os.Getuid())
}

// configuration reads krb5.conf; without one, DNS gives the realm's servers.
func configuration() (*config.Config, error) {
	name := os.Getenv("KRB5_CONFIG")
	if name == "" && runtime.GOOS != "windows" {
		name = "/etc/krb5.conf"
	}
	cfg, err := config.Load(name)
	var unsupported config.UnsupportedDirective
	if errors.As(err, &unsupported) {
		err = nil // a directive that this library does not support, such as an include
	}
	if errors.Is(err, os.ErrNotExist) || name == "" {
		cfg, err = config.New(), nil
		cfg.LibDefaults.DNSLookupKDC = true
	}
	if err != nil {
		return nil, fmt.Errorf("kerberos: %s: %w", name, err)
	}
	return cfg, nil
}

// FromCache reads a credential cache, given as a path or as FILE: and a path.
func FromCache(name string) (_ *Credentials, err error) {
	defer guard(&err)
	path, _ := strings.CutPrefix(name, "FILE:")
	if kind, _, ok := strings.Cut(path, ":"); ok && len(kind) > 1 {
		return nil, fmt.Errorf("kerberos: a credential cache of kind %s cannot be read, only FILE", kind)
	}
	b, err := readCache(path)
	if err != nil {
		return nil, fmt.Errorf("kerberos: credential cache: %w", err)
	}
	cfg, err := configuration()
	if err != nil {
		return nil, err
	}
	return fromCache(b, cfg)
}

// maxCache bounds a credential cache: a ticket has at most 64 KiB, and a user some dozens.
const maxCache = 16 << 20

func readCache(path string) ([]byte, error) {
	st, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case !st.Mode().IsRegular() || st.Size() > maxCache:
		return nil, fmt.Errorf("%s: not a regular file of at most %d MiB", path, maxCache>>20)
	}
	return os.ReadFile(path)
}

func fromCache(b []byte, cfg *config.Config) (_ *Credentials, err error) {
	defer guard(&err)
	if b, err = checkedCache(b); err != nil {
		return nil, fmt.Errorf("kerberos: credential cache: %w", err)
	}
	cache := &credentials.CCache{}
	if err := cache.Unmarshal(b); err != nil {
		return nil, fmt.Errorf("kerberos: credential cache: %w", err)
	}
	cl, err := client.NewFromCCache(cache, cfg, client.DisablePAFXFAST(true))
	if err != nil {
		return nil, fmt.Errorf("kerberos: credential cache: %w", err)
	}
	return &Credentials{cl, cache.GetClientPrincipalName().PrincipalNameString() + "@" + cache.GetClientRealm()}, nil
}

// maxKeytab bounds a keytab: one with thousands of entries fits.
const maxKeytab = 1 << 20

// FromKeytab reads the key of a principal, user@REALM, from the contents of a keytab file, and gets its first ticket.
func FromKeytab(b []byte, principal string) (_ *Credentials, err error) {
	defer guard(&err)
	if len(b) > maxKeytab {
		return nil, fmt.Errorf("kerberos: keytab: more than %d bytes", maxKeytab)
	}
	user, realm, ok := strings.Cut(principal, "@")
	if !ok || user == "" || realm == "" {
		return nil, fmt.Errorf("kerberos: %q is no principal, user@REALM is one", principal)
	}
	kt, err := readKeytab(b)
	if err != nil {
		return nil, err
	}
	cfg, err := configuration()
	if err != nil {
		return nil, err
	}
	cl := client.NewWithKeytab(user, realm, kt, cfg, client.DisablePAFXFAST(true))
	if err := cl.Login(); err != nil {
		return nil, fmt.Errorf("kerberos: %w", err)
	}
	return &Credentials{cl, principal}, nil
}

func readKeytab(b []byte) (_ *keytab.Keytab, err error) {
	defer guard(&err)
	kt := keytab.New()
	if err := kt.Unmarshal(b); err != nil {
		return nil, fmt.Errorf("kerberos: keytab: %w", err)
	}
	return kt, nil
}

// FromPassword gets the first ticket of a principal, user@REALM, with its password.
func FromPassword(user, realm, password string) (_ *Credentials, err error) {
	defer guard(&err)
	cfg, err := configuration()
	if err != nil {
		return nil, err
	}
	cl := client.NewWithPassword(user, strings.ToUpper(realm), password, cfg, client.DisablePAFXFAST(true))
	if err := cl.Login(); err != nil {
		return nil, fmt.Errorf("kerberos: %w", err)
	}
	return &Credentials{cl, user + "@" + strings.ToUpper(realm)}, nil
}

// Close discards tickets and keys.
func (c *Credentials) Close() { c.client.Destroy() }

// guard turns a panic of the library on malformed bytes into an error.
func guard(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("kerberos: malformed data: %v", p)
	}
}
