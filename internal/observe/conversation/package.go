package conversation

import (
	"bytes"
	"cmp"
	"strings"

	"ipcguard/internal/model"
	"ipcguard/internal/ntlm"
	"ipcguard/internal/observe/clip"
	"ipcguard/internal/smb/smb1"
)

// The lengths of a logon's responses show how it was made, [MS-NLMP] 3.3.1 and 3.3.2:
//
//	LM response  NT response
//	24           0              LM
//	any          24             NTLMv1, with extended session security if that flag is set
//	any          more than 24   NTLMv2
//
// An LM field of 24 bytes alone does not mean LM: an NTLMv2 client sends 24 zeros or an LMv2 response there, and an
// NTLMv1 client that withholds the LM response sends the NT response twice (NoLMResponseNTLMv1).

const responseV1 = 24

// made returns how the logon was made.
func (l *logon) made() made {
	switch {
	case l.plain != nil:
		return made{with: l.plain.with, raw: model.True, agent: l.plain.agent}
	case l.auth != nil:
		m := l.auth.who.logon
		m.agent = cmp.Or(l.agent, m.agent)
		return m
	case l.mechanism != "":
		return made{with: model.PackageUnknown}
	case l.kerberos:
		return made{with: model.PackageKerberos, spn: l.spn, agent: l.agent}
	case l.seen:
		return made{with: model.PackageUnknown}
	}
	return made{}
}

// agentOf returns the version of the client's system, which NTLMSSP has for debugging. Zeros mean none, and the last
// byte must be a revision of NTLMSSP. See [MS-NLMP] 2.2.2.10.
func agentOf(a *ntlm.Authenticate) string {
	if a.Version.Major == 0 || a.Version.Revision == 0 {
		return ""
	}
	return "NTLMSSP " + a.Version.String()
}

// maxAgent is longer than what systems and programs say about themselves in SMB1.
const maxAgent = 80

// systemOf returns what an SMB1 client says about its system and program. See [MS-CIFS] 2.2.4.53.1.
func systemOf(system, program string) string {
	if len(system) > maxAgent || len(program) > maxAgent {
		return ""
	}
	return strings.Trim(strings.TrimSpace(system)+" / "+strings.TrimSpace(program), " /")
}

func ntlmMade(a *ntlm.Authenticate) made {
	m := responseMade(a)
	m.raw, m.agent = model.False, agentOf(a)
	return m
}

func responseMade(a *ntlm.Authenticate) made {
	nt, lm := len(a.NtChallengeResponse), len(a.LmChallengeResponse)
	switch {
	case ntlm.Classify(a) == ntlm.ClassAnonymous:
		return made{with: model.PackageAnonymous}
	case lm == responseV1 && nt == 0:
		return made{with: model.PackageLM}
	case nt == responseV1 && a.Flags&ntlm.NegotiateExtendedSecurity != 0:
		return made{with: model.PackageNTLMv1ESS}
	case nt == responseV1:
		return made{with: model.PackageNTLMv1}
	case nt > responseV1:
		// a flag without a message integrity code, or with a code of zeros, protects nothing
		m := made{with: model.PackageNTLMv2, mic: model.TristateOf(a.HasMIC() && a.MIC != [16]byte{})}
		if r, ok := a.Response(); ok {
			m.spn = clip.Text(r.Pairs.Text(ntlm.AvTargetName))
			m.binding = model.TristateOf(bytes.ContainsFunc(r.Pairs.Get(ntlm.AvChannelBindings),
				func(c rune) bool { return c != 0 }))
		}
		return m
	}
	return made{with: model.PackageUnknown}
}

// plainPackage returns the package of an SMB1 logon without extended security. See [MS-CIFS] 2.2.4.53.1.
func plainPackage(r *smb1.SessionSetupRequest) string {
	lm, nt := len(r.OEMPassword), len(r.UnicodePassword)
	switch {
	case r.Anonymous():
		return model.PackageAnonymous
	case lm == responseV1 && nt == 0:
		return model.PackageLM
	case nt == responseV1:
		return model.PackageNTLMv1
	case nt > responseV1 && lm >= responseV1:
		return model.PackageNTLMv2
	case lm+nt > 1:
		return model.PackagePlaintext // responses have at least 24 bytes
	}
	return model.PackageUnknown
}
