package cli

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/pflag"

	"ipcguard/internal/apply/verify"
	"ipcguard/internal/ntlm"
	"ipcguard/internal/scan"
	"ipcguard/internal/scan/targets"
	"ipcguard/internal/smb"
)

// Flags that several commands share come in groups, which the commands' flags embed. The group of the state directory
// is in state.go.

// credentialFlags are the credentials for hosts.
type credentialFlags struct {
	user, credentialsFile string
	kerberos, unsigned    bool
}

// register adds the flags. does and where complete their help texts: "log on", " to winreg:// hosts".
func (f *credentialFlags) register(s *pflag.FlagSet, does, where string) {
	s.StringVar(&f.user, "user", "", does+" as this user"+where+", [DOMAIN\\]NAME; the password is prompted for")
	s.Var((*fileName)(&f.credentialsFile), "credentials-file", does+" as the user of this file"+where)
	s.BoolVar(&f.kerberos, "kerberos", false,
		does+" with the tickets of the credential cache"+where+" (KRB5CCNAME); targets by name")
	registerUnsigned(s, &f.unsigned)
}

// registerUnsigned adds the flag that permits NTLM without signing.
func registerUnsigned(s *pflag.FlagSet, unsigned *bool) {
	s.BoolVar(unsigned, "allow-unsigned-ntlm", false,
		"also answer in NTLM to servers that do not require signing, speak SMB1, or call themselves by another name")
}

// weakFlags select the probes for weak ways to log on.
type weakFlags struct {
	probe     bool
	threshold int
}

// askServer means that the server is asked for its lockout threshold.
const askServer = -1

func (f *weakFlags) register(s *pflag.FlagSet) {
	s.BoolVar(&f.probe, "probe-weak-logons", false,
		"test weak logons with the given account, NTLMv1 among them; use an account made for this, see "+
			"docs/weak-logons.md")
	s.IntVar(&f.threshold, "lockout-threshold", askServer,
		"number of wrong passwords that lock the account, 0 for never; by default scan asks the server")
}

// options returns the probes for the given account; nil if none are wanted.
func (f *weakFlags) options(who *secret) (*scan.WeakLogons, error) {
	switch {
	case f.threshold < askServer:
		return nil, usage("--lockout-threshold: out of range")
	case !f.probe && f.threshold != askServer:
		return nil, usage("--lockout-threshold is for --probe-weak-logons")
	case !f.probe:
		return nil, nil
	}
	w := &scan.WeakLogons{}
	if f.threshold != askServer {
		w.Threshold = &f.threshold
	}
	if who == nil || who.kerberos {
		return w, nil
	}
	c := who.account
	w.Domain = c.domain
	if user, realm := c.principal(); realm != "" {
		c.user, w.Domain = user, realm
	}
	w.NTLMv1 = func() smb.Authenticator {
		return ntlm.NewUser(who.account.user, who.account.domain, c.password, ntlm.Options{V1: true})
	}
	return w, nil
}

// outputFlags are the format and the file of a result.
type outputFlags struct {
	format, output string
	formats        []string
}

// register adds the flags. The first format is the default; what names the result.
func (f *outputFlags) register(s *pflag.FlagSet, what string, formats []string) {
	f.formats = formats
	s.StringVar(&f.format, "format", "text", strings.Join(formats, ", "))
	s.StringVarP(&f.output, "output", "o", "", "write "+what+" to this file")
}

// check refuses a format that the command does not have.
func (f *outputFlags) check() error { return oneOf("--format", f.format, f.formats) }

// targetFiles are files with targets, in addition to the arguments.
type targetFiles struct{ files []string }

func (f *targetFiles) register(s *pflag.FlagSet) {
	s.StringArrayVar(&f.files, "targets", nil,
		"a file of targets, one a line, as @FILE (which PowerShell needs in quotes)")
}

// all returns every target that was named.
func (f *targetFiles) all(args []string) []string {
	for _, file := range f.files {
		if file != "-" {
			file = "@" + file
		}
		args = append(args, file)
	}
	return args
}

// targetFlags say how to interpret the targets of the arguments.
type targetFlags struct {
	targetFiles
	exclude []string
	port    int
}

func (f *targetFlags) register(s *pflag.FlagSet) {
	f.targetFiles.register(s)
	s.IntVar(&f.port, "port", 445, "port of targets that name none; at 139 scan opens a NetBIOS session first")
	s.StringSliceVar(&f.exclude, "exclude", nil, "targets to skip: names, addresses, prefixes, ranges, @FILE")
}

// check refuses an invalid port.
func (f *targetFlags) check() error {
	if f.port < 1 || f.port > 65535 {
		return usage("--port: out of range")
	}
	return nil
}

// parse parses the targets of the arguments, without those that an earlier run finished.
func (f *targetFlags) parse(ctx context.Context, args []string, stdin io.Reader, done *earlier) (*targets.List, error) {
	list, err := targets.Parse(ctx, f.all(args), targets.Options{
		Port: uint16(f.port), Exclude: f.exclude, Stdin: stdin, Done: done.addresses, DoneNames: done.names,
	})
	switch {
	case err == nil:
		return list, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	}
	return nil, usageError{err}
}

// probeFlags say how hosts are scanned, by scan or by the fleet.
type probeFlags struct {
	timeout               []string
	concurrency, retries  int
	noUnknown, noGuest    bool
	oneConnection, gentle bool
}

func (f *probeFlags) register(s *pflag.FlagSet) {
	s.BoolVar(&f.noUnknown, "no-unknown-user", false, "do not log on as the made-up user")
	s.BoolVar(&f.noGuest, "no-guest", false, "do not log on as guest")
	s.BoolVar(&f.oneConnection, "one-connection", false,
		"use one connection to a host at a time, and one request at a time; scan does this by itself for a host "+
			"that was cut off")
	s.BoolVar(&f.gentle, "gentle", false,
		"--one-connection with a pause before every pipe, for very small servers")
	s.IntVar(&f.concurrency, "concurrency", scan.DefaultConcurrency,
		"hosts at a time; the site of a fleet may set less")
	s.StringSliceVar(&f.timeout, "timeout", nil,
		"waits as LAYER=DURATION: connect, negotiate, session, tree, open, call, host; a bare duration bounds them "+
			"all (host is 2m0s by default)")
	s.IntVar(&f.retries, "retries", 1,
		"retries for a host that was cut off; a silent address is tried once")
}

// options checks the flags.
func (f *probeFlags) options() (scan.Options, error) {
	o := scan.Options{
		NoUnknownUser: f.noUnknown, NoGuest: f.noGuest, OneConnection: f.oneConnection, Gentle: f.gentle,
		Concurrency: f.concurrency, Retries: f.retries,
	}
	switch {
	case f.concurrency < 1:
		return o, usage("--concurrency: out of range")
	case f.retries < 0 || f.retries > 10:
		return o, usage("--retries: out of range")
	}
	var err error
	o.Timeouts, o.Host, err = timeouts(f.timeout)
	return o, err
}

func timeouts(list []string) (t smb.Timeouts, host time.Duration, err error) {
	fields := map[string]*time.Duration{
		"connect": &t.Connect, "negotiate": &t.Negotiate, "session": &t.Session, "tree": &t.Tree, "open": &t.Open,
		"call": &t.Call, "host": &host,
	}
	named := map[*time.Duration]time.Duration{}
	for _, item := range list {
		layer, value, one := strings.Cut(item, "=")
		if !one {
			value = item
		}
		d, err := time.ParseDuration(value)
		switch {
		case one && fields[layer] == nil:
			return t, host, usage("--timeout %q: no such layer", item)
		case err != nil || d <= 0 || d > time.Hour:
			return t, host, usage("--timeout %q: want a duration such as 500ms or 3s", item)
		case one:
			named[fields[layer]] = d
		default:
			for _, field := range fields {
				*field = d
			}
		}
	}
	for field, d := range named { // a layer's own timeout takes precedence, in any order of flags
		*field = d
	}
	return t, host, nil
}

// shareFlags name disk shares, because strangers may be unable to list them.
type shareFlags struct {
	shares []string
	flag   *pflag.Flag
}

func (f *shareFlags) register(s *pflag.FlagSet) {
	s.StringSliceVar(&f.shares, "share", nil, "also try this disk share, even if the server does not list it")
	f.flag = s.Lookup("share")
}

// longestShare bounds the name of a share, in characters. See [MS-FSCC] 2.1.6.
const longestShare = 80

// check refuses names that no share can have, and IPC$, which is not a disk share. Samba accepts some of the characters
// that [MS-FSCC] 2.1.6 forbids.
func (f *shareFlags) check() error {
	if f.flag.Changed && len(f.shares) == 0 {
		return usage("--share: a share has a name")
	}
	for _, name := range f.shares {
		switch {
		case strings.TrimSpace(name) == "":
			return usage("--share: a share has a name")
		case strings.EqualFold(name, "IPC$"):
			return hinted{usage("--share: IPC$ is no disk share"), "every scan asks for it"}
		case utf8.RuneCountInString(name) > longestShare || strings.ContainsAny(name, `/\`) ||
			strings.ContainsFunc(name, func(r rune) bool {
				return r < ' '
			}):
			return hinted{usage("--share: no share is called %q", name), "the name alone, as in --share public"}
		}
	}
	return nil
}

// checkFlags name what must work on a host.
type checkFlags struct {
	checks   []string
	commands bool
	patience time.Duration
}

// register adds the flags. when completes their help texts.
func (f *checkFlags) register(s *pflag.FlagSet, when string, patience time.Duration) {
	s.StringSliceVar(&f.checks, "check", nil,
		"what must work"+when+": tcp:HOST:PORT, pipe:NAME, share:NAME, print:NAME, logon:, command:…")
	s.BoolVar(&f.commands, "allow-commands", false, "run the plan's own command: checks")
	s.DurationVar(&f.patience, "patience", patience, "how long to ask again for what is still open")
}

// check refuses unknown checks.
func (f *checkFlags) check() error {
	for _, check := range f.checks {
		if _, _, err := verify.ParseCheck(check); err != nil {
			return usageError{err}
		}
	}
	return nil
}

// checkUser refuses checks that need a user if there are no credentials.
func (f *checkFlags) checkUser(logon logonMaker) error {
	i := slices.IndexFunc(f.checks, verify.NeedsUser)
	if i < 0 || logon != nil {
		return nil
	}
	return hinted{
		usage("--check %s is made as a user, and no credentials were given", f.checks[i]),
		"--user, --credentials-file, --kerberos, or the environment",
	}
}

func oneOf(what, value string, list []string) error {
	if slices.Contains(list, value) {
		return nil
	}
	return usage("%s %q: want one of %s", what, value, strings.Join(list, ", "))
}

// fileName is a flag that names a file. An empty name, such as an unset variable in a script, is wrong usage; it must
// not count as an absent flag.
type fileName string

// String implements pflag.Value.
func (f *fileName) String() string { return string(*f) }

// Set implements pflag.Value.
func (f *fileName) Set(s string) error {
	if s == "" {
		return errors.New("want the name of a file")
	}
	*f = fileName(s)
	return nil
}

// Type implements pflag.Value.
func (f *fileName) Type() string { return "string" }
