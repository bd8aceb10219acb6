package audit

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"ipcguard/internal/catalog"
	"ipcguard/internal/format/gpo"
	"ipcguard/internal/format/registry"
	"ipcguard/internal/model"
)

// Result is the outcome of one source: its audits, or an error.
type Result struct {
	Source string
	Audits []*model.Audit
	Err    error
}

// Run audits every source, several in parallel, and emits the results in the order of the sources; what Options.Merge
// merges comes first, as one. When ctx ends, no further source is started. It returns the first error of emit, or that
// of ctx.
func (o Options) Run(ctx context.Context, sources []string, emit func(Result) error) error {
	if err := o.prepare(); err != nil {
		return err
	}
	sources, merged := o.split(sources)
	if len(merged) > 0 {
		a, err := o.merge(merged)
		r := Result{Source: strings.Join(merged, " + "), Err: err}
		if a != nil {
			r.Audits = []*model.Audit{a}
		}
		if err := emit(r); err != nil {
			return err
		}
	}
	jobs := o.Jobs
	if jobs <= 0 {
		jobs = runtime.GOMAXPROCS(0)
	}
	results := make([]chan Result, len(sources))
	for i := range results {
		results[i] = make(chan Result, 1)
	}
	next := make(chan int)
	var workers sync.WaitGroup
	defer workers.Wait()
	work, stop := context.WithCancel(ctx)
	defer stop()
	for range min(jobs, len(sources)) {
		workers.Go(func() {
			for i := range next {
				r := Result{Source: sources[i]}
				if r.Err = work.Err(); r.Err == nil {
					r.Audits, r.Err = o.source(work, sources[i])
				}
				results[i] <- r
			}
		})
	}
	workers.Go(func() {
		defer close(next)
		for i := range sources {
			select {
			case next <- i:
			case <-work.Done():
				return
			}
		}
	})
	for i := range sources {
		if err := ctx.Err(); err != nil {
			return err
		}
		select {
		case r := <-results[i]:
			if ctx.Err() != nil && r.Err != nil {
				return ctx.Err()
			}
			if err := emit(r); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// Source audits one source: local, winreg://HOST, a file or a folder.
func (o Options) Source(ctx context.Context, name string) ([]*model.Audit, error) {
	if err := o.prepare(); err != nil {
		return nil, err
	}
	return o.source(ctx, name)
}

// prepare checks the options and loads the catalog.
func (o *Options) prepare() error {
	if o.Catalog == nil {
		c, err := catalog.Load()
		if err != nil {
			return err
		}
		o.Catalog = c
	}
	if p, _ := o.Catalog.ProductRelease(o.Product); o.Product != "" && p == nil {
		return fmt.Errorf("product %q is not in the catalog", o.Product)
	}
	return nil
}

// split separates the sources that are merged from the others.
func (o *Options) split(sources []string) (rest, merged []string) {
	if !o.Merge {
		return sources, nil
	}
	for _, s := range sources {
		switch k, _ := o.sniff(s); k {
		case kindReg, kindPolicy, kindText:
			merged = append(merged, s)
		case kindFolder:
			if _, err := policies(s); err == nil { // a folder of policies, in the order of its manifest
				merged = append(merged, s)
				continue
			}
			rest = append(rest, s)
		default:
			rest = append(rest, s)
		}
	}
	return rest, merged
}

// merge applies policies, .reg files and the output of Windows programs in the order given.
func (o *Options) merge(names []string) (*model.Audit, error) {
	f := newFacts("gpo", strings.Join(names, " + "), "windows")
	tree, dumped := &registry.Tree{}, false
	for _, name := range names {
		switch k, _ := o.sniff(name); k {
		case kindReg:
			dumped = true
			if err := f.regFile(o.Catalog, tree, name); err != nil {
				return nil, err
			}
			continue
		case kindText:
			later, err := o.textSource(name)
			if err != nil {
				return nil, err
			}
			f.over(later)
			continue
		}
		list, err := policies(name)
		if err != nil {
			return nil, err
		}
		later := newFacts("gpo", name, "windows")
		later.policy(o.Catalog, list...)
		f.over(later)
	}
	f.giveWay()
	if dumped {
		f.dump(o.Catalog, tree)
	} else if f.platform.Role == model.UnknownRole && f.platform.Build == 0 {
		f.why("policies do not say which product or role they are applied to; --product and --role do")
	}
	f.why("what was given was applied in that order, the last one wins")
	return judge(o, f), nil
}

// giveWay drops what a policy sets unless there is a value already, if it is unknown whether there is one.
func (f *facts) giveWay() {
	for id, soft := range f.soft {
		if !soft {
			continue
		}
		f.hints[id] = fmt.Sprintf("a policy sets it to %s unless there is a value already (**soft.)",
			model.Text(f.values[id].Data))
		delete(f.values, id)
	}
}

// over applies later facts on top of these.
func (f *facts) over(later *facts) {
	for id, v := range later.values {
		have, read := f.values[id]
		if later.soft[id] && have.Present {
			continue
		}
		f.soft[id] = later.soft[id] && !read
		if old := f.origin[id]; old != "" {
			later.hints[id] = "it wins over " + old
		}
		f.values[id], f.origin[id], f.hints[id] = v, later.origin[id], later.hints[id]
	}
	for id, hint := range later.hints {
		if _, set := later.values[id]; !set && f.hints[id] == "" {
			f.hints[id] = hint
		}
	}
	if later.shares != nil {
		f.shares = later.shares
	}
	f.host = cmp.Or(f.host, later.host)
	if p, q := &f.platform, &later.platform; q.Role != model.UnknownRole {
		p.Role = q.Role
	}
	if p, q := &f.platform, &later.platform; q.Build != 0 {
		p.Product, p.Name, p.Version, p.Build = q.Product, q.Name, q.Version, q.Build
	}
	f.platform.Why = append(f.platform.Why, later.platform.Why...)
	f.source.Parts = append(f.source.Parts, later.source.Parts...)
	f.lints = append(f.lints, later.lints...)
	f.problems, f.partial = append(f.problems, later.problems...), f.partial || later.partial
}

// kind is the kind of a source.
type kind int

const (
	kindNone kind = iota
	kindHive
	kindReg
	kindPolicy // a GPO folder, GptTmpl.inf or registry.pol
	kindSamba
	kindText    // output of a Windows program
	kindWindows // a folder with hives
	kindFolder  // a folder that holds sources
)

// sniff identifies a file or folder by its first bytes, and by its name if these are ambiguous.
func (o *Options) sniff(name string) (kind, error) {
	st, err := os.Stat(name)
	if err != nil {
		return kindNone, err
	}
	if st.IsDir() {
		return sniffFolder(name)
	}
	if !st.Mode().IsRegular() {
		return kindNone, fmt.Errorf("%s: neither a file nor a folder", name)
	}
	head, err := headOf(name)
	if err != nil {
		return kindNone, err
	}
	return o.sniffBytes(name, head)
}

// headOf returns the beginning of a file.
func headOf(name string) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	head := make([]byte, sniffed)
	n, err := io.ReadFull(file, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return head[:n], nil
}

// isHive recognizes a hive, or a file that may be a packed one.
func isHive(head []byte) bool {
	return bytes.HasPrefix(head, []byte("regf")) || bytes.HasPrefix(head, []byte("\xfd7zXZ\x00")) ||
		bytes.HasPrefix(head, []byte{0x1f, 0x8b})
}

func (o *Options) sniffBytes(name string, head []byte) (kind, error) {
	switch {
	case isHive(head):
		return kindHive, nil
	case bytes.HasPrefix(head, []byte("PReg")):
		return kindPolicy, nil
	case len(head) > 0 && len(bytes.Trim(head, "\x00")) == 0:
		return kindNone,
			fmt.Errorf("%s: begins with nothing but zeros, which is no configuration: a hive starts with regf", name)
	}
	text, err := registry.ReadText(bytes.NewReader(head), sniffed)
	if err != nil && !errors.Is(err, registry.ErrCut) {
		return kindNone, fmt.Errorf("%s: %w", name, err)
	}
	return sniffText(name, o.Catalog, head, text)
}

// sniffFolder: Windows, Windows/System32/config, a policy object, or a folder of sources.
func sniffFolder(name string) (kind, error) {
	if hiveFolderOf(name) != "" {
		return kindWindows, nil
	}
	switch list, err := gpo.Read(os.DirFS(name), "."); {
	case err == nil && len(list) == 1 && list[0].Folder == ".":
		return kindPolicy, nil
	case err == nil, errors.Is(err, gpo.ErrNone):
		return kindFolder, nil
	default:
		return kindNone, fmt.Errorf("%s: %w", name, err)
	}
}

// hiveFolderOf returns the folder of the hives below a mounted volume, its Windows folder, or the folder itself.
func hiveFolderOf(name string) string {
	for _, below := range [][]string{
		{},
		{"System32", "config"},
		{"Windows", "System32", "config"},
		{"WINNT", "System32", "config"},
	} {
		dir := name
		for _, part := range below {
			if dir = childFolder(dir, part); dir == "" {
				break
			}
		}
		if dir == "" {
			continue
		}
		p := beside(dir, "SYSTEM")
		if p == "" {
			continue
		}
		if head, err := headOf(p); err == nil && isHive(head) {
			return dir
		}
		if len(below) > 0 {
			return dir // the folder is right, even if the file is not
		}
	}
	return ""
}

// childFolder finds a folder by its name in any case: a mounted Windows volume keeps the case with which it was
// written.
func childFolder(dir, name string) string {
	list, err := os.ReadDir(dir)
	if err != nil {
		return ""
	}
	for _, e := range list {
		if strings.EqualFold(e.Name(), name) {
			if st, err := os.Stat(filepath.Join(dir, e.Name())); err == nil && st.IsDir() {
				return filepath.Join(dir, e.Name())
			}
		}
	}
	return ""
}

// source audits one source.
func (o *Options) source(ctx context.Context, name string) ([]*model.Audit, error) {
	if host, ok := strings.CutPrefix(name, "winreg://"); ok {
		if host == "" || strings.ContainsAny(host, "/\\") {
			return nil, fmt.Errorf("%s: want winreg://HOST or winreg://HOST:PORT", name)
		}
		return o.one(o.remoteSource(ctx, name, host))
	}
	if name == "local" {
		return o.one(o.localSource(ctx))
	}
	k, err := o.sniff(name)
	if err != nil {
		return nil, err
	}
	switch k {
	case kindText:
		return o.one(o.textSource(name))
	case kindHive:
		return o.one(o.hiveFile(name))
	case kindWindows:
		return o.one(o.hiveFolder(name, hiveFolderOf(name)))
	case kindReg:
		return o.one(o.regSource(name))
	case kindSamba:
		return o.one(o.smbConf(name))
	case kindPolicy:
		list, err := policies(name)
		if err != nil {
			return nil, err
		}
		var out []*model.Audit
		for _, g := range list {
			source := name
			if len(list) > 1 {
				source = g.Folder
			}
			out = append(out, judge(o, o.policySource(source, g)))
		}
		return out, nil
	}
	return o.folder(ctx, name)
}

func (o *Options) one(f *facts, err error) ([]*model.Audit, error) {
	if err != nil {
		return nil, err
	}
	return []*model.Audit{judge(o, f)}, nil
}

// Bounds of a folder of sources: a backup of a large domain's policies has some 2,000 objects.
const (
	maxFound = 20_000
	maxDepth = 8
)

// folder audits every source in a folder, recursively.
func (o *Options) folder(ctx context.Context, name string) ([]*model.Audit, error) {
	found, err := o.find(name, 0)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%s: nothing in it can be audited: no hive, .reg file, group policy object or smb.conf",
			name)
	}
	slices.Sort(found)
	var out []*model.Audit
	inner := *o
	inner.Merge = false
	err = inner.Run(ctx, found, func(r Result) error {
		out = append(out, r.Audits...)
		if r.Err != nil {
			f := newFacts("", r.Source, "")
			f.problem("%s", message(r.Source, r.Err))
			out = append(out, judge(&inner, f))
		}
		return nil
	})
	return out, err
}

// message returns the text of an error with the name of its source, once.
func message(source string, err error) string {
	if strings.Contains(err.Error(), source) {
		return err.Error()
	}
	return source + ": " + err.Error()
}

// find lists what can be audited below a folder. It takes only text files with a configuration's name, because not
// every text is an smb.conf.
func (o *Options) find(dir string, depth int) ([]string, error) {
	list, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range list {
		if len(out) >= maxFound {
			return nil, fmt.Errorf("%s: more than %d sources", dir, maxFound)
		}
		path := filepath.Join(dir, e.Name())
		if e.Type()&fs.ModeSymlink != 0 {
			continue // may form a loop, or leave the folder
		}
		k, err := o.sniff(path)
		switch {
		case err != nil:
			continue
		case k == kindFolder && depth < maxDepth:
			below, err := o.find(path, depth+1)
			if err != nil {
				return nil, err
			}
			out = append(out, below...)
		case k == kindFolder:
		case k == kindSamba && (!strings.EqualFold(filepath.Ext(path), ".conf") || !isSamba(path)):
		case k == kindHive && !hasHiveName(e.Name()):
		default:
			out = append(out, path)
		}
	}
	return out, nil
}

// hasHiveName keeps other packed files and the logs of hives out of a folder's list.
func hasHiveName(name string) bool {
	upper := strings.ToUpper(name)
	for _, ext := range []string{".XZ", ".GZ"} {
		upper = strings.TrimSuffix(upper, ext)
	}
	return strings.HasPrefix(upper, "SYSTEM") && !strings.Contains(upper, ".LOG")
}
