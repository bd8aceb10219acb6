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

// credentialHelp stands in the help of every verb that logs on.
const credentialHelp = `
Credentials go only to servers that were named one by one. Kerberos comes first, where the account names its realm
(NAME@REALM) and the target is a name. An NTLM answer goes only to a server that speaks SMB 2 or later, says that it
requires signing, and calls itself by the name that it was given. It carries that name and a code over the whole logon
(MIC), and the session is left when the server's first answer is not signed with the logon's key.
What this cannot stop: the NTLM answer leaves before the server can prove anything, so who sits there instead can try
passwords against it at leisure. And whether it can be relayed to another host is up to that host alone: one that
requires signing, or checks the name, refuses it. --allow-unsigned-ntlm lifts these rules for NTLM.
`

// logonMaker makes one logon at one target.
type logonMaker func(targets.Target) (smb.Authenticator, error)

// logonsOf makes logons with an NT hash. Unsigned, NTLM answers go to servers that cannot be held to them.
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

// logons makes logons with the password: with a Kerberos ticket where the account names its realm and the target is
// named, else in NTLM.
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

// principal is the account in its realm, where it names one: NAME@REALM, or a domain that is no NetBIOS name.
func (c account) principal() (user, realm string) {
	if user, realm, ok := strings.Cut(c.user, "@"); ok && c.domain == "" && strings.Contains(realm, ".") {
		return user, realm
	}
	if strings.Contains(c.domain, ".") {
		return c.user, c.domain
	}
	return "", ""
}
