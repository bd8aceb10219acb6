package cli

import (
	"strings"
	"time"

	"github.com/spf13/pflag"

	"ipcguard/internal/report"
	"ipcguard/internal/scan"
	"ipcguard/internal/smb"
)

// scanFlags are the flags of scan.
type scanFlags struct {
	exclude, dialect, timeout []string
	port, concurrency         int
	retries                   int
	rate                      float64
	quick, noUnknown, noGuest bool
	showNames, verbose        bool
	netbios                   bool
	format, output, resume    string

	user, credentialsFile string
	kerberos              bool
	allPipes              bool
}

func (f *scanFlags) register(s *pflag.FlagSet) {
	s.SortFlags = false
	s.BoolVar(&f.quick, "quick", false, "ask the null-session question alone: session, IPC$, who am I?")
	s.BoolVar(&f.noUnknown, "no-unknown-user", false, "leave out the one made-up user")
	s.BoolVar(&f.noGuest, "no-guest", false, "leave out the guest account")
	s.BoolVar(&f.showNames, "show-names", false, "keep the names that could be read, instead of counting them")
	s.BoolVar(&f.allPipes, "all-pipes", false, "ask for pipes that a server of this kind does not have, too")
	s.IntVar(&f.port, "port", 445, "port where a target names none; 139 opens a NetBIOS session first")
	s.BoolVar(&f.netbios, "netbios", false, "open a NetBIOS session first on any port")
	s.StringSliceVar(&f.dialect, "dialect", nil, "speak only these dialects: smb1, 2.0.2, 2.1, 3.0, 3.0.2, 3.1.1")
	s.StringSliceVar(&f.exclude, "exclude", nil, "targets not to touch: names, addresses, prefixes, ranges, @FILE")
	s.IntVar(&f.concurrency, "concurrency", scan.DefaultConcurrency, "hosts at a time")
	s.Float64Var(&f.rate, "rate", 0, "connections a second, all hosts together; 0 is no limit")
	s.StringSliceVar(&f.timeout, "timeout", nil, "waits as LAYER=DURATION: connect, negotiate, session, tree, open, call, host; a bare duration is for connect")
	s.IntVar(&f.retries, "retries", 1, "further tries for a host whose answers were cut off; a silent address is tried once")
	s.StringVar(&f.user, "user", "", "ask as this user too, [DOMAIN\\]NAME; the password is prompted for")
	s.StringVar(&f.credentialsFile, "credentials-file", "", "ask as the user of this file too")
	s.BoolVar(&f.kerberos, "kerberos", false, "ask with the tickets of the credential cache too (KRB5CCNAME); targets by name")
	s.StringVar(&f.format, "format", "text", strings.Join(report.ScanFormats(), ", "))
	s.StringVarP(&f.output, "output", "o", "", "write results to this file")
	s.StringVar(&f.resume, "resume", "", "leave out what this jsonl file of an earlier run has; with the same -o, go on with it")
	s.BoolVarP(&f.verbose, "verbose", "v", false, "show the whole ladder of layers")
}

// options checks the flags.
func (f *scanFlags) options() (scan.Options, error) {
	o := scan.Options{
		Quick: f.quick, NoUnknownUser: f.noUnknown, NoGuest: f.noGuest, ShowNames: f.showNames, AllPipes: f.allPipes, NetBIOS: f.netbios,
		Concurrency: f.concurrency, Rate: f.rate, Retries: f.retries,
	}
	if err := oneOf("--format", f.format, report.ScanFormats()); err != nil {
		return o, err
	}
	for _, n := range []struct {
		flag string
		bad  bool
	}{
		{"--port", f.port < 1 || f.port > 65535},
		{"--concurrency", f.concurrency < 1},
		{"--rate", f.rate < 0},
		{"--retries", f.retries < 0 || f.retries > 10},
	} {
		if n.bad {
			return o, usage("%s: out of range", n.flag)
		}
	}
	if f.resume != "" && f.resume == f.output && f.format != "jsonl" {
		return o, usage("--resume and -o name the same file: only --format jsonl can be gone on with")
	}
	var err error
	if o.Dialects, err = dialects(f.dialect); err != nil {
		return o, err
	}
	o.Timeouts, o.Host, err = timeouts(f.timeout)
	return o, err
}

func dialects(names []string) ([]smb.Dialect, error) {
	var out []smb.Dialect
	known := map[string]smb.Dialect{"smb1": smb.SMB1, "nt1": smb.SMB1, "1": smb.SMB1, "nt lm 0.12": smb.SMB1}
	for _, d := range smb.AllDialects() {
		known[d.String()] = d
	}
	for _, name := range names {
		d, ok := known[strings.ToLower(strings.TrimSpace(name))]
		if !ok {
			return nil, usage("--dialect %q: want smb1, 2.0.2, 2.1, 3.0, 3.0.2 or 3.1.1", name)
		}
		out = append(out, d)
	}
	return out, nil
}

func timeouts(list []string) (t smb.Timeouts, host time.Duration, err error) {
	fields := map[string]*time.Duration{
		"connect": &t.Connect, "negotiate": &t.Negotiate, "session": &t.Session, "tree": &t.Tree, "open": &t.Open,
		"call": &t.Call, "host": &host,
	}
	for _, item := range list {
		layer, value, ok := strings.Cut(item, "=")
		if !ok {
			layer, value = "connect", item
		}
		field := fields[layer]
		if field == nil {
			return t, host, usage("--timeout %q: no such layer", item)
		}
		d, err := time.ParseDuration(value)
		if err != nil || d <= 0 || d > time.Hour {
			return t, host, usage("--timeout %q: want a duration such as 500ms or 3s", item)
		}
		*field = d
	}
	return t, host, nil
}
