package logs

import (
	"regexp"
	"strings"
	"time"
)

// Samba words its authentication audit for people too, log classes auth_audit and auth_audit's authorization:
//
//	Auth: [SMB2,NTLMSSP] user [DOM]\[ann] at [Wed, 08 Apr 2020 10:30:19.565919 EAT] with [NTLMv2] status [NT_STATUS_OK]
//	      workstation [PC] remote host [ipv4:10.0.0.1:50256] became [DOM]\[ann] [S-1-5-21-…]. local host [ipv4:10.0.0.2:445]
//	Successful AuthZ: [SMB2,NTLMSSP] user [NT AUTHORITY]\[ANONYMOUS LOGON] [S-1-5-7] at […] Remote host […] local host […]
//
// See auth/auth_log.c. Names may hold anything but the marks around them.
var (
	authText  = regexp.MustCompile(`\bAuth: \[([^,\]]*),([^\]]*)\] user \[(.*?)\]\\\[(.*?)\] at \[([^\]]*)\] with \[([^\]]*)\] status \[([^\]]*)\] workstation \[(.*?)\] remote host \[([^\]]*)\](?: became \[(.*?)\]\\\[(.*?)\] \[([^\]]*)\])?.*? local host \[([^\]]*)\]`)
	authzText = regexp.MustCompile(`\bSuccessful AuthZ: \[([^,\]]*),([^\]]*)\] user \[(.*?)\]\\\[(.*?)\] \[([^\]]*)\] at \[([^\]]*)\] Remote host \[([^\]]*)\] local host \[([^\]]*)\]`)
)

// sambaText turns a line into the record that auth_json_audit would have written of it; nil where it is none.
func sambaText(line string) map[string]any {
	if m := authText.FindStringSubmatch(line); m != nil {
		return map[string]any{"type": "Authentication", "timestamp": textTime(m[5]), "Authentication": map[string]any{
			"serviceDescription": m[1], "authDescription": m[2], "clientDomain": m[3], "clientAccount": m[4], "passwordType": m[6], "status": m[7],
			"workstation": m[8], "remoteAddress": m[9], "becameDomain": m[10], "becameAccount": m[11], "becameSid": m[12], "localAddress": m[13],
		}}
	}
	if m := authzText.FindStringSubmatch(line); m != nil {
		return map[string]any{"type": "Authorization", "timestamp": textTime(m[6]), "Authorization": map[string]any{
			"serviceDescription": m[1], "authType": m[2], "domain": m[3], "account": m[4], "sid": m[5], "remoteAddress": m[7], "localAddress": m[8],
		}}
	}
	return nil
}

// textTime reads Wed, 08 Apr 2020 10:30:19.565919 EAT. A zone by its letters is known where it is ours or UTC; another is taken
// for ours, as the times of Samba's other lines are.
func textTime(s string) string {
	t, err := time.ParseInLocation("Mon, 02 Jan 2006 15:04:05.999999 MST", s, time.Local)
	if err != nil {
		return ""
	}
	if name, offset := t.Zone(); offset == 0 && name != "UTC" && name != "GMT" {
		t = time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.Local)
	}
	return t.Format(time.RFC3339Nano)
}

// isSambaText tells whether a line is one of the audit in words, be it of a form that is not known.
func isSambaText(line string) bool {
	return strings.Contains(line, "Auth: [") || strings.Contains(line, "AuthZ: [")
}

// twice remembers the audit's records that may come once more in the other form: a server that has both auth_audit and
// auth_json_audit in its log level writes each in words and as JSON, one right after the other or in two files.
type twice map[twiceKey]twiceTold

type twiceKey struct{ kind, remote, local, account, status string }

type twiceTold struct {
	inWords bool
	at      time.Time
}

const (
	// maxTwice bounds what is remembered, some 5 MB: the records of two files beyond the first are counted twice.
	maxTwice = 1 << 14

	// sameRecord is how far apart the times of the two may be. They are taken one after the other.
	sameRecord = 2 * time.Second
)

// again tells whether a record is the other form of one that came before, which is then forgotten.
func (w *twice) again(k twiceKey, inWords bool, at time.Time) bool {
	had, ok := (*w)[k]
	switch {
	case k.remote == "" || at.IsZero():
		return false
	case ok && had.inWords != inWords && at.Sub(had.at).Abs() <= sameRecord:
		delete(*w, k)
		return true
	case !ok && len(*w) >= maxTwice:
		return false
	}
	if *w == nil {
		*w = make(twice)
	}
	(*w)[k] = twiceTold{inWords, at}
	return false
}
