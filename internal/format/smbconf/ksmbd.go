package smbconf

import "strings"

// ofKsmbd are the parameters that the Linux kernel's server has and Samba has not. See ksmbd.conf(5).
var ofKsmbd = func() map[string]Parameter {
	out := map[string]Parameter{}
	for _, p := range []Parameter{
		{Name: "ipc timeout", Type: "integer"},
		{Name: "kerberos keytab file", Type: "string"},
		{Name: "kerberos service name", Type: "string"},
		{Name: "max active sessions", Type: "integer"},
		{Name: "smb3 encryption", Type: "string"}, // no, yes, or mandatory
		{Name: "smbd max io size", Type: "bytes"},
		{Name: "tcp port", Type: "integer"},
	} {
		out[fold(p.Name)] = p
	}
	return out
}()

// The kernel's server reads a file otherwise than Samba: of several lines for one parameter it takes the first, a # or
// ; ends a value, no value is refused, and it has neither copy nor include. See tools/config_parser.c of ksmbd-tools.

// ksmbdValue returns a value without the comment behind it.
func ksmbdValue(s string) string {
	if i := strings.IndexAny(s, "#;"); i >= 0 {
		s = s[:i]
	}
	return strings.TrimRight(s, " \t")
}

// server names the program that reads the configuration.
func (o *Options) server() string {
	if o.Ksmbd {
		return "ksmbd"
	}
	return "Samba"
}

// lookup is Lookup for the server that the configuration is of.
func (o *Options) lookup(name string) (Parameter, bool) {
	p, ok := Lookup(name)
	if !ok && o.Ksmbd {
		p, ok = ofKsmbd[fold(name)]
	}
	return p, ok
}
