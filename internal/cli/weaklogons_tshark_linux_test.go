package cli

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"ipcguard/internal/model"
	"ipcguard/internal/peer"
)

// cells are what is compared of a client: each line is a fact.
type cells map[string]map[string]bool

func (c cells) add(client, format string, a ...any) {
	if c[client] == nil {
		c[client] = map[string]bool{}
	}
	c[client][fmt.Sprintf(format, a...)] = true
}

func (c cells) lines() map[string][]string {
	out := map[string][]string{}
	for client, facts := range c {
		out[client] = slices.Sorted(maps.Keys(facts))
	}
	return out
}

// oursOf puts uses into cells.
func oursOf(uses []model.Use) cells {
	c := cells{}
	for _, u := range uses {
		switch u.Layer {
		case model.LayerSession:
			if u.Identity == model.Opaque {
				continue
			}
			name := u.Account[strings.IndexByte(u.Account, '\\')+1:]
			c.add(u.Client, "logon %q %s, raw %v, spn %q, mic %v, binding %v, agent %q", name, u.Package, yes(u.Raw),
				u.SPN, yes(u.MIC), yes(u.Binding), u.Agent)
			c.add(u.Client, "offers %s, signing %s, encryption %v", u.Offers, u.Signing, yes(u.CanEncrypt))
		case model.LayerTree:
			c.add(u.Client, "connect, signed %v", yes(u.Signed))
		}
	}
	return c
}

func yes(t model.Tristate) bool { return t == model.True }

// tsharkOf puts what tshark reads of the same capture into the same cells.
func tsharkOf(t *testing.T, capture string) cells {
	t.Helper()
	c := cells{}
	logonsByTshark(t, capture, c)
	names := map[string]string{
		"0x0202": "2.0.2", "0x0210": "2.1", "0x0300": "3.0", "0x0302": "3.0.2", "0x0311": "3.1.1",
	}
	for _, f := range peer.Fields(t, capture, "smb2.cmd==0 && smb2.flags.response==0", "ip.src", "smb2.dialect",
		"smb2.sec_mode", "smb2.capabilities.encryption", "smb2.negotiate_context.cipher_id") {
		newest := slices.Max(strings.Split(f[1], ","))
		mode, _ := strconv.ParseUint(f[2], 0, 8)
		signing := model.SigningNone
		if mode&1 != 0 {
			signing = model.SigningOffered
		}
		if mode&2 != 0 {
			signing = model.SigningRequired
		}
		c.add(f[0], "offers %s, signing %s, encryption %v", names[newest], signing,
			newest >= "0x0300" && (f[3] == "1" || f[4] != ""))
	}
	for _, f := range peer.Fields(t, capture, `smb.cmd==0x73 && smb.flags.response==0`, "ip.src",
		"smb.flags2.sec_sig") {
		signing := ""
		if strings.Contains(f[1], "1") {
			signing = model.SigningOffered
		}
		c.add(f[0], "offers NT LM 0.12, signing %s, encryption false", signing)
	}
	for _, f := range peer.Fields(t, capture, `smb2.cmd==3 && smb2.flags.response==0 && smb2.tree contains "IPC$"`,
		"ip.src", "smb2.flags.signature") {
		c.add(f[0], "connect, signed %v", f[1] == "1")
	}
	for _, f := range peer.Fields(t, capture, `smb.cmd==0x75 && smb.flags.response==0 && smb.path contains "IPC$"`,
		"ip.src", "smb.flags2.sec_sig") {
		c.add(f[0], "connect, signed %v", f[1] == "1")
	}
	return c
}

func logonsByTshark(t *testing.T, capture string, c cells) {
	t.Helper()
	size := func(text string) int {
		b, err := hex.DecodeString(strings.ReplaceAll(text, ":", ""))
		if err != nil || len(b) == 8 && b[0]|b[1] == 0 { // of an empty answer tshark shows its descriptor
			return 0
		}
		return len(b)
	}
	for _, f := range peer.Fields(
		t, capture, "ntlmssp.messagetype==3 && (smb2.cmd==1 || smb.cmd==0x73)", "ip.src", "ntlmssp.auth.username",
		"ntlmssp.auth.lmresponse",
		"ntlmssp.auth.ntresponse", "ntlmssp.negotiateflags", "ntlmssp.ntlmv2_response.flags",
		"ntlmssp.ntlmv2_response.target_name",
		"ntlmssp.ntlmv2_response.channel_bindings", "ntlmssp.version.major", "ntlmssp.version.minor",
		"ntlmssp.version.build_number",
		"ntlmssp.version.ntlm_current_revision", "smb.native_os", "smb.native_lanman",
	) {
		flags, _ := strconv.ParseUint(f[4], 0, 32)
		av, _ := strconv.ParseUint(f[5], 0, 32)
		lm, nt := size(f[2]), size(f[3])
		user := f[1]
		if user == "NULL" {
			user = ""
		}
		agent := strings.Trim(f[12]+" / "+f[13], " /")
		if f[8] != "" && f[8] != "0" && f[11] != "0" {
			agent = cmp.Or(agent, fmt.Sprintf("NTLMSSP %s.%s build %s", f[8], f[9], f[10]))
		}
		binding := strings.Trim(f[7], "0:") != ""
		c.add(f[0], "logon %q %s, raw false, spn %q, mic %v, binding %v, agent %q", user,
			packageBy(user, lm, nt, flags&0x80000 != 0), f[6], av&2 != 0, binding, agent)
	}
	for _, f := range peer.Fields(t, capture, "smb.cmd==0x73 && smb.flags.response==0 && smb.ansi_pwlen", "ip.src",
		"smb.account", "smb.ansi_pwlen", "smb.unicode_pwlen", "smb.native_os", "smb.native_lanman") {
		lm, _ := strconv.Atoi(f[2])
		nt, _ := strconv.Atoi(f[3])
		c.add(f[0], "logon %q %s, raw true, spn %q, mic false, binding false, agent %q", f[1],
			packageBy(f[1], lm, nt, false), "", strings.Trim(f[4]+" / "+f[5], " /"))
	}
}

func packageBy(user string, lm, nt int, extended bool) string {
	switch {
	case user == "" && nt == 0 && lm <= 1:
		return model.PackageAnonymous
	case nt > 24:
		return model.PackageNTLMv2
	case nt == 24 && extended:
		return model.PackageNTLMv1ESS
	case nt == 24:
		return model.PackageNTLMv1
	}
	return model.PackageLM
}
