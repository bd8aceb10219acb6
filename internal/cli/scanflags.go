package cli

import (
	"strings"

	"github.com/spf13/pflag"

	"ipcguard/internal/report"
	"ipcguard/internal/scan"
	"ipcguard/internal/smb"
)

// scanFlags are the flags of scan.
type scanFlags struct {
	probeFlags
	targetFlags
	shareFlags
	credentialFlags
	weakFlags
	outputFlags
	dialect            []string
	rate               float64
	quick, allPipes    bool
	inRanges           bool
	showNames, verbose bool
	netbios            bool
	resume             string
}

func (f *scanFlags) register(s *pflag.FlagSet) {
	s.SortFlags = false
	s.BoolVar(&f.quick, "quick", false, "ask only the null-session question: session, IPC$, who am I?")
	s.BoolVar(&f.showNames, "show-names", false, "keep the names that could be read, instead of only counting them")
	f.shareFlags.register(s)
	s.BoolVar(&f.allPipes, "all-pipes", false, "also ask for pipes that a server of this kind is not known to have")
	f.targetFlags.register(s)
	s.BoolVar(&f.netbios, "netbios", false, "open a NetBIOS session first on any port")
	s.StringSliceVar(&f.dialect, "dialect", nil, "speak only these dialects: smb1, 2.0.2, 2.1, 3.0, 3.0.2, 3.1.1")
	f.probeFlags.register(s)
	s.Float64Var(&f.rate, "rate", 0, "connections a second, all hosts together; 0 is no limit")
	f.credentialFlags.register(s, "also log on", "")
	f.weakFlags.register(s)
	s.BoolVar(&f.inRanges, "credentials-in-ranges", false,
		"also log on as the user at addresses of prefixes and ranges, which nobody named one by one")
	f.outputFlags.register(s, "results", report.ScanFormats())
	s.StringVar(&f.resume, "resume", "",
		"skip hosts that are in this jsonl file of an earlier run; with the same -o, continue the file")
	s.BoolVarP(&f.verbose, "verbose", "v", false, "show every layer and every answer")
}

// options checks the flags.
func (f *scanFlags) options() (scan.Options, error) {
	if err := f.outputFlags.check(); err != nil {
		return scan.Options{}, err
	}
	if err := f.targetFlags.check(); err != nil {
		return scan.Options{}, err
	}
	if err := f.shareFlags.check(); err != nil {
		return scan.Options{}, err
	}
	o, err := f.probeFlags.options()
	if err != nil {
		return o, err
	}
	o.Quick, o.ShowNames, o.AllPipes, o.NetBIOS, o.Rate = f.quick, f.showNames, f.allPipes, f.netbios, f.rate
	o.Shares, o.UserInRanges = f.shares, f.inRanges
	if f.quick && f.probe {
		return o, usage("--quick asks the null-session question alone, without --probe-weak-logons")
	}
	if f.rate < 0 {
		return o, usage("--rate: out of range")
	}
	if f.resume != "" && f.resume == f.output && f.format != "jsonl" {
		return o, usage("--resume and -o name the same file: only --format jsonl can be gone on with")
	}
	o.Dialects, err = dialects(f.dialect)
	return o, err
}

// open opens the output. A resumed run continues the file of the earlier run.
func (f *scanFlags) open(a *app, e *earlier) (*output, error) {
	if f.resume != "" && f.resume == f.output {
		return goOn(f.output, e)
	}
	return a.create(f.output)
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
