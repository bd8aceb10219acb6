package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"ipcguard/internal/apply"
	"ipcguard/internal/apply/engine"
	"ipcguard/internal/apply/target"
	"ipcguard/internal/format/smbconf"
	"ipcguard/internal/model"
	"ipcguard/internal/smbtest"
)

const demoHelp = `Show the whole loop on a practice server: scan, audit, plan, apply with a dead-man guard, confirm, verify, scan, roll
back. The practice server is an SMB server inside this process, on a loopback address, with made-up names. It reads an
smb.conf in a temporary directory, as Samba does, and answers as Samba 4.17 was measured to answer with that setting.
Every step is a command of this program and shows its real output. The guard runs in this process.

A practice server does not run Samba's own programs (testparm, smbcontrol, its helpers), and proves nothing about a real
server. "make demo" does the same with a real Samba server.

The demo touches nothing outside this process and its temporary directory, and leaves nothing behind.
`

func (a *app) demo() *cobra.Command {
	return &cobra.Command{
		Use:   "demo",
		Short: "Show the whole loop on a practice server inside this process",
		Long:  demoHelp,
		Args:  noArguments,
		RunE:  func(c *cobra.Command, _ []string) error { return a.runDemo(c.Context()) },
	}
}

// practice is the server of the demo: its configuration, and the guard of its changes.
type practice struct {
	dir, config string
	watching    chan struct{} // closed when the guard has ended; nil if there is none
	dismiss     context.CancelFunc
}

// host returns the practice server with its current configuration. It is called for each connection, so a change
// affects the next one.
func (p *practice) host(netip.Addr) *smbtest.Host {
	c, err := smbconf.Load(p.config, smbconf.Options{})
	if err != nil {
		return nil // the connection is closed, as by a server without a configuration
	}
	profile := "samba"
	if v, ok := c.Global.Get("restrict anonymous"); ok {
		switch n, _ := v.Int(); {
		case n == 1:
			profile = "samba-1"
		case n >= 2:
			profile = "samba-2"
		}
	}
	h, err := smbtest.NewHost(profile, "PRACTICE1")
	if err != nil {
		return nil
	}
	return h
}

// open returns the practice server if the spec names it.
func (p *practice) open(spec string) (apply.Target, error) {
	if p == nil || spec != "samba:"+p.config {
		return nil, nil
	}
	return target.OpenPractice(p.config, func() error { return nil })
}

// guard watches an apply in this process, because the practice server does not outlive it.
func (p *practice) guard(ctx context.Context, e *engine.Engine, id string) string {
	ctx, p.dismiss = context.WithCancel(context.WithoutCancel(ctx))
	p.watching = make(chan struct{})
	own := *e
	own.Who, own.Log = "the guard of "+id, nil
	go func() {
		defer close(p.watching)
		_ = own.Watch(ctx, id) // the directory is removed, with whatever could not be undone
	}()
	return "this process, as long as the demo runs"
}

func (p *practice) close() error {
	if p.watching != nil {
		p.dismiss()
		<-p.watching
	}
	if os.RemoveAll(p.dir) == nil {
		return nil
	}
	// RemoveAll does not work on every system that runs Windows programs: under Wine, files are removed one by one.
	var all []string
	err := filepath.WalkDir(p.dir, func(path string, _ fs.DirEntry, err error) error {
		all = append(all, path)
		return err
	})
	for _, path := range slices.Backward(all) {
		err = errors.Join(err, os.Remove(path))
	}
	return err
}

const practiceConf = `# The configuration of a practice server
[global]
	netbios name = PRACTICE1
	interfaces = %s/8
	bind interfaces only = yes
	smb ports = %d
	lock directory = %s

; nothing here says who may come in: that is left to the defaults
[finance]
	path = %s
	read only = no
`

// newPractice creates the directory of a practice server.
func newPractice() (*practice, error) {
	dir, err := os.MkdirTemp("", "ipcguard-demo-")
	if err != nil {
		return nil, err
	}
	p := &practice{dir: dir, config: filepath.Join(dir, "smb.conf")}
	if err := os.MkdirAll(filepath.Join(dir, "lock", "msg.lock"), 0o700); err != nil {
		return nil, errors.Join(err, p.close())
	}
	return p, nil
}

func (a *app) runDemo(ctx context.Context) (err error) {
	p, err := newPractice()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	server, err := smbtest.StartMany("127.0.0.1:0", p.host)
	if err != nil {
		return err
	}
	defer server.Close()
	at := func(name string) string { return filepath.Join(p.dir, name) }
	original := fmt.Appendf(nil, practiceConf, "127.0.0.1", server.Port(), at("lock"), at("finance"))
	if err := os.WriteFile(p.config, original, 0o600); err != nil {
		return err
	}
	if err := os.WriteFile(at("anna"), []byte("username = anna\npassword = Passw0rd!\n"), 0o600); err != nil {
		return err
	}
	inside := &app{stdin: strings.NewReader(""), stdout: a.stdout, stderr: a.stderr, screen: a.screen, practice: p}
	address, state := server.Address(), at("journal")
	fmt.Fprintf(a.stdout,
		"A practice server that behaves as Samba with its defaults, on %s. It is no Samba: make demo shows a real "+
			"one.\n", address)
	for _, s := range demoSteps(address, p.config, at) {
		if s.says != "" {
			fmt.Fprintf(a.stdout, "\n%s\n", s.says)
		}
		if err := inside.demoStep(ctx, s.want, state, s.args); err != nil {
			return err
		}
	}
	now, err := os.ReadFile(p.config)
	if err == nil && !bytes.Equal(now, original) {
		err = errors.New("smb.conf is not as it was")
	}
	if err == nil {
		fmt.Fprintln(a.stdout, "\nsmb.conf is byte for byte as it was.")
	}
	return err
}

// demoCommand is a command of the demo, with a sentence before it and the exit code that it must have.
type demoCommand struct {
	says string
	want int
	args []string
}

// demoSteps returns the commands of the demo. at returns the path of a file in the practice server's directory.
func demoSteps(address, config string, at func(string) string) []demoCommand {
	state := at("journal")
	return []demoCommand{
		{"What a stranger is given:", exitExposed, []string{"scan", address}},
		{
			"The same as files, with what the configuration says, for a plan:", exitExposed,
			[]string{"scan", address, "--format", "json", "-o", at("scan.json")},
		},
		{"", exitExposed, []string{"audit", config, "--format", "json", "-o", at("audit.json")}},
		{
			"What to change, what that stops, and what stays open:", exitOK,
			[]string{"plan", "--audit", at("audit.json"), "--scan", at("scan.json")},
		},
		{
			"", exitOK, []string{
				"plan", "--audit", at("audit.json"), "--scan", at("scan.json"), "--format", "json", "-o",
				at("plan.json"),
			},
		},
		{
			"The change, with a way back, a proof from outside, and a guard that takes it back unless it is confirmed:",
			exitOK,
			[]string{
				"apply", at("plan.json"), "--yes", "--target", "samba:" + config, "--state", state,
				"--confirm-within", "2m", "--credentials-file", at("anna"), "--allow-unsigned-ntlm",
				"--check", "share:finance", "--check", "pipe:srvsvc",
			},
		},
		{"", exitOK, []string{"confirm", "ID", "--state", state}},
		{"What a stranger is given now, and whether anna still works:", exitOK, []string{"scan", address}},
		{
			"", exitOK, []string{
				"verify", address, "--plan", at("plan.json"), "--credentials-file", at("anna"), "--allow-unsigned-ntlm",
				"--check", "pipe:srvsvc",
			},
		},
		{"And back:", exitOK, []string{"rollback", "ID", "--state", state}},
		{"", exitExposed, []string{"scan", address}},
	}
}

// demoStep prints and runs one command of this program, with the ID of the last apply in place of ID. It fails unless
// the exit code is the expected one.
func (a *app) demoStep(ctx context.Context, want int, state string, args []string) error {
	for i, arg := range args {
		if arg != "ID" {
			continue
		}
		e, err := a.engine(&stateFlags{state: state}, nil)
		if err != nil {
			return err
		}
		all, err := e.History()
		if err != nil || len(all) == 0 {
			return fmt.Errorf("the demo finds no apply: %w", err)
		}
		args[i] = all[len(all)-1].ID
	}
	short := func(s string) string { return strings.ReplaceAll(s, a.practice.dir+string(filepath.Separator), "") }
	fmt.Fprintf(a.stdout, "$ ipcguard %s\n", short(strings.Join(args, " ")))
	var out bytes.Buffer
	step := *a
	step.stdout, step.stderr, step.screen = &out, model.VisibleWriter{Writer: &out}, &out
	root := step.root()
	root.SetArgs(args)
	code := exitCode(root.ExecuteContext(ctx), &out)
	fmt.Fprint(a.stdout, short(out.String()))
	if err := ctx.Err(); err != nil {
		return err
	}
	if code != want {
		return fmt.Errorf("ipcguard %s ended with exit status %d, the demo expects %d", args[0], code, want)
	}
	return nil
}
