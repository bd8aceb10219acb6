package cli

import (
	"context"
	"strings"
	"sync"

	"ipcguard/internal/kerberos"
	"ipcguard/internal/ntlm"
	"ipcguard/internal/scan/targets"
	"ipcguard/internal/smb"
)

// credentialHelp is part of the help of every command that logs on.
const credentialHelp = `
ipcguard sends credentials only to servers that you name one by one. It tries Kerberos first if the account names its
realm (NAME@REALM) and the target is a name. It answers in NTLM only if the server speaks SMB 2 or later, requires
signing, and calls itself by the name that you gave. The answer carries that name and a MIC over the whole logon, and
ipcguard ends the session if the server's first reply is not signed with the session key.
Two risks remain. The NTLM answer leaves before the server has proved anything, so an impostor can try passwords against
it offline. And an impostor can relay it to a host that neither requires signing nor checks the name.
--allow-unsigned-ntlm lifts these rules for NTLM.
`

// giveUnsigned is the hint where credentials were not given.
const giveUnsigned = "--allow-unsigned-ntlm gives them to a server that you name and that does not require signing, too"

// notGiven reports whether a result says that credentials were not given.
func notGiven(says string) bool { return strings.HasPrefix(says, ntlm.NotGiven) }

// logonMaker makes one logon at one target.
type logonMaker func(targets.Target) (smb.Authenticator, error)

// logonsOf makes logons with an NT hash. unsigned permits NTLM to servers that do not require signing.
func logonsOf(user, domain string, hash ntlm.Hash, unsigned bool) logonMaker {
	return func(t targets.Target) (smb.Authenticator, error) {
		return ntlm.NewHash(user, domain, hash, ntlmOptions(t, unsigned)), nil
	}
}

func ntlmOptions(t targets.Target, unsigned bool) ntlm.Options {
	if unsigned {
		return ntlm.Options{}
	}
	return ntlm.Options{Bound: true, TargetName: "cifs/" + t.Host(), ServerName: t.HostName()}
}

// logons makes logons with the password: with a Kerberos ticket if the account has a realm and the target a name, else
// with NTLM.
func (c account) logons(unsigned bool) logonMaker {
	plain := logonsOf(c.user, c.domain, ntlm.NTHash(c.password), unsigned)
	user, realm := c.principal()
	if realm == "" {
		return plain
	}
	tickets := sync.OnceValues(func() (*kerberos.Credentials, error) {
		return kerberos.FromPassword(user, realm, c.password)
	})
	return func(t targets.Target) (smb.Authenticator, error) {
		if t.HostName() == "" {
			return plain(t)
		}
		ticket := func(context.Context) (*kerberos.Client, error) {
			credentials, err := tickets()
			if err != nil {
				return nil, err
			}
			return credentials.Client("cifs/" + t.Host()), nil
		}
		second := ntlm.NewUser(c.user, c.domain, c.password, ntlmOptions(t, unsigned))
		return kerberos.NewFirst(ticket, second), nil
	}
}

// principal returns the account's realm, if it has one: NAME@REALM, or a domain that is not a NetBIOS name.
func (c account) principal() (user, realm string) {
	if user, realm, ok := strings.Cut(c.user, "@"); ok && c.domain == "" && strings.Contains(realm, ".") {
		return user, realm
	}
	if strings.Contains(c.domain, ".") {
		return c.user, c.domain
	}
	return "", ""
}
