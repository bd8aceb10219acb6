package cli

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/pflag"

	"ipcguard/internal/fleet/access"
)

// providerVariable holds the client's secret, unless a file does.
const providerVariable = "IPCGUARD_OIDC_SECRET"

// providerFlags describe the provider through which people log in, in addition to local accounts.
type providerFlags struct {
	issuer, client, secretFile, name, claim, ca string
	scopes, grants                              []string
}

func (f *providerFlags) register(s *pflag.FlagSet) {
	s.StringVar(&f.issuer, "oidc-issuer", "",
		"also log in through this OpenID provider, such as https://login.example/realms/it")
	s.StringVar(&f.client, "oidc-client", "",
		"the server's client ID at the provider; its redirect address is URL/login/provider/back")
	s.StringVar(&f.secretFile, "oidc-secret-file", "",
		"file with the client's secret; also from "+providerVariable+"; without a secret it is a public client")
	s.StringArrayVar(&f.grants, "oidc-role", nil,
		"role of a group's members: GROUP=ROLE everywhere, GROUP=ROLE@SITE at a site; may be repeated")
	s.StringVar(&f.claim, "oidc-groups-claim", "groups", "the claim that holds a user's groups")
	s.StringSliceVar(&f.scopes, "oidc-scopes", nil, "scopes to request besides openid and profile, such as groups")
	s.StringVar(&f.name, "oidc-name", "", "the provider's name on the button (default: its host)")
	s.StringVar(&f.ca, "oidc-ca", "",
		"file with the certificate authorities (PEM) of the provider, instead of the system's")
}

// maxProviderFile bounds a secret, and a chain of certificates, in bytes.
const maxProviderFile = 64 << 10

// open returns the provider, or nil without one. base is the page's own address.
func (f *providerFlags) open(base string) (*access.Provider, error) {
	if f.issuer == "" {
		if f.client != "" || len(f.grants) > 0 || f.secretFile != "" {
			return nil, usage("--oidc-issuer is missing: the other --oidc flags say how people log in there")
		}
		return nil, nil
	}
	base = strings.TrimSuffix(base, "/")
	o := access.ProviderOptions{
		Name: f.name, Issuer: f.issuer, Client: f.client, Secret: os.Getenv(providerVariable), Claim: f.claim,
		Scopes:   f.scopes,
		Redirect: base + "/login/provider/back", After: base + "/login",
	}
	for _, s := range f.grants {
		g, err := access.ParseGrant(s)
		if err != nil {
			return nil, usage("--oidc-role %s", strings.TrimPrefix(err.Error(), "access: "))
		}
		o.Grants = append(o.Grants, g)
	}
	if f.secretFile != "" {
		b, err := readBounded(f.secretFile, maxProviderFile)
		if err != nil {
			return nil, fmt.Errorf("--oidc-secret-file: %w", err)
		}
		o.Secret = strings.TrimSpace(string(b))
	}
	if f.ca != "" {
		b, err := readBounded(f.ca, maxProviderFile)
		if err != nil {
			return nil, fmt.Errorf("--oidc-ca: %w", err)
		}
		o.CA = b
	}
	p, err := access.NewProvider(o)
	if err != nil {
		return nil, usage("--oidc: %s", strings.TrimPrefix(err.Error(), "access: "))
	}
	return p, nil
}
