package audit

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"unsafe"

	"golang.org/x/sys/windows"
	winregistry "golang.org/x/sys/windows/registry"
	"golang.org/x/sys/windows/svc"
	"golang.org/x/sys/windows/svc/mgr"

	"ipcguard/internal/format/registry"
	"ipcguard/internal/format/sddl"
	"ipcguard/internal/model"
)

// localRegistry audits this Windows machine: its registry, running services, shares, and pipes with their descriptors.
func (o *Options) localRegistry() (*facts, error) {
	f := newFacts("registry", "local", "windows")
	w := &windowsReader{facts: f, catalog: o.Catalog, in: liveRegistry{}, covers: func(key string) bool {
		return strings.HasPrefix(registry.Canonical(key), "HKLM")
	}}
	w.all()
	f.liveAccounts(o)
	f.running(o)
	f.liveShares()
	f.livePipes()
	if f.host == "" {
		f.host, _ = os.Hostname()
	}
	return f, nil
}

// liveRegistry reads the machine's own registry. The 64-bit view is asked for, which is the one that the server reads.
type liveRegistry struct{}

var _ registry.Reader = liveRegistry{}

// maxLive bounds one value: settings are small, lists have a few KiB.
const maxLive = 1 << 20

func open(key string) (winregistry.Key, error) {
	path, ok := strings.CutPrefix(registry.Canonical(key), `HKLM\`)
	if !ok {
		return 0, fmt.Errorf("%s: %w", key, registry.ErrNotExist)
	}
	k, err := winregistry.OpenKey(winregistry.LOCAL_MACHINE, path, winregistry.READ|winregistry.WOW64_64KEY)
	if errors.Is(err, winregistry.ErrNotExist) {
		return 0, fmt.Errorf("%s: %w", key, registry.ErrNotExist)
	}
	return k, err
}

// Value implements registry.Reader.
func (liveRegistry) Value(key, name string) (registry.Value, error) {
	k, err := open(key)
	if err != nil {
		return registry.Value{}, err
	}
	defer k.Close()
	return read(k, key, name)
}

func read(k winregistry.Key, key, name string) (registry.Value, error) {
	size, _, err := k.GetValue(name, nil)
	for range 3 { // the value may grow between two calls
		if errors.Is(err, winregistry.ErrNotExist) {
			return registry.Value{}, fmt.Errorf("%s\\%s: %w", key, name, registry.ErrNotExist)
		}
		if err != nil && !errors.Is(err, winregistry.ErrShortBuffer) {
			return registry.Value{}, err
		}
		if size > maxLive {
			return registry.Value{}, fmt.Errorf("%s\\%s: %d bytes, more than any setting has", key, name, size)
		}
		b := make([]byte, size)
		var n int
		var typ uint32
		if n, typ, err = k.GetValue(name, b); err == nil {
			return registry.Value{Key: key, Name: name, Type: registry.Type(typ), Data: b[:n]}, nil
		}
		size = n
	}
	return registry.Value{}, err
}

// Values implements registry.Reader.
func (liveRegistry) Values(key string) ([]registry.Value, error) {
	k, err := open(key)
	if err != nil {
		return nil, err
	}
	defer k.Close()
	names, err := k.ReadValueNames(-1)
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	var out []registry.Value
	var all error
	for _, n := range names {
		v, err := read(k, key, n)
		if err != nil {
			all = errors.Join(all, err)
			continue
		}
		out = append(out, v)
	}
	return out, all
}

// Subkeys implements registry.Reader.
func (liveRegistry) Subkeys(key string) ([]string, error) {
	k, err := open(key)
	if err != nil {
		return nil, err
	}
	defer k.Close()
	names, err := k.ReadSubKeyNames(-1)
	slices.Sort(names)
	return names, err
}

// running asks the service manager which of the found services run.
func (f *facts) running(o *Options) {
	manager, err := windows.OpenSCManager(nil, nil, windows.SC_MANAGER_CONNECT)
	if err != nil {
		f.problem("the service manager: %v", err)
		return
	}
	m := &mgr.Mgr{Handle: manager}
	defer func() { _ = m.Disconnect() }() // it was only queried
	for i := range f.services {
		s := &f.services[i]
		c := o.Catalog.Service(s.ID)
		if c == nil {
			continue
		}
		_, rest, _ := strings.Cut(s.Evidence, "the service ")
		name, _, _ := strings.Cut(rest, " is installed")
		if name == "" {
			continue
		}
		text, err := windows.UTF16PtrFromString(name)
		if err != nil {
			continue
		}
		h, err := windows.OpenService(manager, text, windows.SERVICE_QUERY_STATUS)
		if err != nil {
			continue // Running stays unknown
		}
		service := &mgr.Service{Name: name, Handle: h}
		if status, err := service.Query(); err == nil {
			switch {
			case status.State == svc.Running:
				s.Running = "yes"
			case s.Running != "disabled":
				s.Running = "no"
			}
		}
		_ = service.Close() // it was only queried
	}
}

var (
	netapi32      = windows.NewLazySystemDLL("netapi32.dll")
	netShareEnum  = netapi32.NewProc("NetShareEnum")
	netBufferFree = netapi32.NewProc("NetApiBufferFree")
)

// shareInfo is SHARE_INFO_2. See [MS-SRVS] 2.2.4.24.
type shareInfo struct {
	name        *uint16
	kind        uint32
	remark      *uint16
	permissions uint32
	maxUses     uint32
	currentUses uint32
	path        *uint16
	password    *uint16
}

// special marks a default share: STYPE_SPECIAL, [MS-SRVS] 2.2.2.4.
const special = 0x80000000

// liveShares replaces the shares of the registry with the current shares.
func (f *facts) liveShares() {
	var buffer *shareInfo
	var read, total uint32
	const all = 0xFFFFFFFF
	r, _, _ := netShareEnum.Call(0, 2, uintptr(unsafe.Pointer(&buffer)), all, uintptr(unsafe.Pointer(&read)),
		uintptr(unsafe.Pointer(&total)), 0)
	if r != 0 {
		f.problem("the list of shares: %v", windows.Errno(r))
		return
	}
	defer func() { _, _, _ = netBufferFree.Call(uintptr(unsafe.Pointer(buffer))) }()
	guest := map[string]bool{}
	for _, s := range f.shares {
		guest[strings.ToLower(s.Name)] = s.Guest
	}
	f.shares = []model.Share{}
	for _, s := range unsafe.Slice(buffer, read) {
		name := windows.UTF16PtrToString(s.name)
		f.shares = append(f.shares, model.Share{
			Name: name, Path: windows.UTF16PtrToString(s.path), Guest: guest[strings.ToLower(name)],
			Default: s.kind&special != 0 || slices.ContainsFunc([]string{"SYSVOL", "NETLOGON", "print$"},
				func(n string) bool { return strings.EqualFold(n, name) }),
		})
	}
}

// maxPipes bounds the pipes that are examined: a busy server has some 500.
const maxPipes = 4096

// livePipes lists the pipes of this machine and reads the descriptor of each if the system allows it: a descriptor that
// grants strangers access matters once the pipe is on the anonymous list. Opening a pipe with only READ_CONTROL makes
// no connection to its server.
func (f *facts) livePipes() {
	pattern, err := windows.UTF16PtrFromString(`\\.\pipe\*`)
	if err != nil {
		return
	}
	var data windows.Win32finddata
	h, err := windows.FindFirstFile(pattern, &data)
	if err != nil {
		f.problem("the list of pipes: %v", err)
		return
	}
	defer func() { _ = windows.FindClose(h) }()
	listed, _ := f.values["NullSessionPipes"].Data.([]string)
	for n := 0; n < maxPipes; n++ {
		name := windows.UTF16ToString(data.FileName[:])
		if slices.ContainsFunc(listed, func(l string) bool { return strings.EqualFold(l, name) }) {
			f.pipe(name)
		}
		if err := windows.FindNextFile(h, &data); err != nil {
			return
		}
	}
}

// pipe reads the descriptor of a pipe on the anonymous list.
func (f *facts) pipe(name string) {
	d, err := windows.GetNamedSecurityInfo(`\\.\pipe\`+name, windows.SE_FILE_OBJECT, windows.DACL_SECURITY_INFORMATION)
	if err != nil {
		f.hints["NullSessionPipes"] += fmt.Sprintf("pipe %s listens here; its descriptor cannot be read: %v. ", name,
			err)
		return
	}
	parsed, err := sddl.Parse(d.String())
	if err != nil {
		f.problem("the descriptor of pipe %s: %v", name, err)
		return
	}
	const readData = 1
	answer := "depends"
	switch parsed.Check(sddl.AnonymousToken(false), readData, sddl.FileRights) {
	case sddl.Refused:
		answer = "refused"
	case sddl.Granted:
		answer = "granted"
	}
	f.hints["NullSessionPipes"] += fmt.Sprintf("pipe %s listens here; its own descriptor says %s to strangers. ", name,
		answer)
}
