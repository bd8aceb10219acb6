package logs

import "ipcguard/internal/model"

// passwordPackage maps the passwordType of an Authentication record. Samba derives it from the lengths of the
// responses, and calls NTLMv1 with extended session security NTLMv1. "No-Password" with a name is an empty password and
// not a null session; it has no word for the LM response of one byte that Windows sends for a null session. See
// auth/auth_log.c.
func passwordPackage(typ, account string) string {
	switch typ {
	case "NTLMv2":
		return model.PackageNTLMv2
	case "NTLMv1":
		return model.PackageNTLMv1
	case "LANMan":
		return model.PackageLM
	case "Plaintext":
		return model.PackagePlaintext
	}
	if account == "" {
		return model.PackageAnonymous
	}
	return model.PackageUnknown
}

// authorizedBy returns the package of an Authorization record, which has the mechanism without the version: that is in
// the preceding Authentication record of the same connection.
func (s *sambaLog) authorizedBy(id model.Identity, authType, via string) string {
	switch {
	case id == model.Anonymous:
		return model.PackageAnonymous
	case authType == "krb5":
		return model.PackageKerberos
	}
	if p := s.vouched.get(via); p != "" {
		return p
	}
	if authType == "NTLMSSP" {
		return model.PackageNTLM
	}
	return model.PackageUnknown
}

// maxVouched bounds the connections whose last logon is remembered, to twice this number: an Authorization follows its
// Authentication within moments.
const maxVouched = 4096

// vouched remembers the package of each connection's last logon. When it is full, the older half is removed.
type vouched struct{ young, old map[string]string }

func (v *vouched) put(via, pkg string) {
	if len(v.young) >= maxVouched || v.young == nil {
		v.young, v.old = make(map[string]string), v.young
	}
	v.young[via] = pkg
}

func (v *vouched) get(via string) string {
	if p, ok := v.young[via]; ok {
		return p
	}
	return v.old[via]
}
