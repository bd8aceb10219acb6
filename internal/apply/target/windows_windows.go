package target

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
	winreg "golang.org/x/sys/windows/registry"

	"ipcguard/internal/apply"
	"ipcguard/internal/apply/private"
	"ipcguard/internal/change"
	"ipcguard/internal/format/registry"
	"ipcguard/internal/model"
)

// Windows is the registry and the services of this Windows machine. Each value is one place and one call: the system
// writes it atomically, and its log protects it from a power cut once the key is flushed. Keys keep their security
// descriptors, because only values are written.
type Windows struct {
	// Fault is called at every point at which a process may be killed. Tests end the process, or unwind, there.
	Fault func(point string)
	// Places says which values may be written; nil is those of the catalog. Tests use their own key.
	Places func(apply.Place) error
}

// OpenWindows opens this machine.
func OpenWindows() (apply.Target, error) { return &Windows{}, nil }

func (w *Windows) at(point string) {
	if w.Fault != nil {
		w.Fault(point)
	}
}

// Spec implements Target.
func (w *Windows) Spec() string { return "windows:" }

// System implements Target.
func (w *Windows) System() string { return "windows" }

// Close implements Target.
func (w *Windows) Close() error { return nil }

// Host implements Target.
func (w *Windows) Host(context.Context) (apply.Host, error) {
	name, err := windows.ComputerName()
	if err != nil {
		return apply.Host{}, fmt.Errorf("apply: %w", err)
	}
	k, err := winreg.OpenKey(winreg.LOCAL_MACHINE, `SOFTWARE\Microsoft\Cryptography`,
		winreg.QUERY_VALUE|winreg.WOW64_64KEY)
	if err != nil {
		return apply.Host{Name: name}, nil // then the name must do
	}
	defer k.Close()
	id, _, _ := k.GetStringValue("MachineGuid")
	return apply.Host{Name: name, ID: id}, nil
}

// Resolve implements Target.
func (w *Windows) Resolve(ctx context.Context, changes []*change.Change) ([]apply.Write, error) {
	return ResolveValues(ctx, w.Read, changes)
}

// StillTrue implements Target.
func (w *Windows) StillTrue(ctx context.Context, facts ...model.Fact) error {
	return valuesStillTrue(ctx, w.Read, facts)
}

// Address implements Target.
func (w *Windows) Address(context.Context) (string, error) { return "127.0.0.1", nil }

// Lock implements Target.
func (w *Windows) Lock() (unlock func(), err error) { return private.LockNamed(w.Spec()) }

// Owns implements Target.
func (w *Windows) Owns(p apply.Place) error {
	if w.Places != nil {
		return w.Places(p)
	}
	return ownsValue(p)
}

func subkey(key string) string { return strings.TrimPrefix(key, `HKLM\`) }

func openKey(key string, access uint32) (winreg.Key, error) {
	return winreg.OpenKey(winreg.LOCAL_MACHINE, subkey(key), access|winreg.WOW64_64KEY)
}

func keyExists(key string) bool {
	if key == "HKLM" {
		return true
	}
	k, err := openKey(key, winreg.QUERY_VALUE)
	if err == nil {
		_ = k.Close()
	}
	return !errors.Is(err, winreg.ErrNotExist)
}

// maxValue bounds a value that is read: the lists of pipes and shares have a few hundred bytes; 1 MiB is the system's
// recommended maximum.
const maxValue = 1 << 20

// Read implements Target.
func (w *Windows) Read(_ context.Context, p apply.Place) (apply.State, error) {
	if p.Kind != apply.RegistryValue {
		return apply.State{}, fmt.Errorf("apply: a Windows machine has no %s", p.Kind)
	}
	k, err := openKey(p.Path, winreg.QUERY_VALUE)
	if errors.Is(err, winreg.ErrNotExist) {
		return apply.State{Missing: apply.MissingKey(p.Path, keyExists)}, nil
	}
	if err != nil {
		return apply.State{}, fmt.Errorf("apply: %s: %w", p.Path, err)
	}
	defer k.Close()
	s := apply.State{Security: keySecurity(k)}
	n, kind, err := k.GetValue(p.Name, nil)
	if errors.Is(err, winreg.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return apply.State{}, fmt.Errorf("apply: %s: %w", p, err)
	}
	if n > maxValue {
		return apply.State{}, fmt.Errorf("apply: %s: larger than %d bytes", p, maxValue)
	}
	s.Present, s.Data = true, make([]byte, n)
	if n > 0 {
		if n, kind, err = k.GetValue(p.Name, s.Data); err != nil {
			return apply.State{}, fmt.Errorf("apply: %s: %w", p, err)
		}
		s.Data = s.Data[:n]
	}
	s.Type = registry.Type(kind)
	return s, nil
}

// keySecurity returns a key's descriptor with owner, group and access list; nil if it may not be read.
func keySecurity(k winreg.Key) []byte {
	const parts = windows.OWNER_SECURITY_INFORMATION | windows.GROUP_SECURITY_INFORMATION | windows.DACL_SECURITY_INFORMATION
	sd, err := windows.GetSecurityInfo(windows.Handle(k), windows.SE_REGISTRY_KEY, parts)
	if err != nil || sd == nil {
		return nil
	}
	n := sd.Length()
	if n == 0 || n > maxValue {
		return nil
	}
	return append([]byte{}, unsafe.Slice((*byte)(unsafe.Pointer(sd)), n)...)
}

var (
	advapi32       = windows.NewLazySystemDLL("advapi32.dll")
	regSetValueEx  = advapi32.NewProc("RegSetValueExW")
	regFlushKey    = advapi32.NewProc("RegFlushKey")
	errRegistryWas = errors.New("the registry answers")
)

func setValue(k winreg.Key, name string, kind registry.Type, data []byte) error {
	n, err := windows.UTF16PtrFromString(name)
	if err != nil {
		return err
	}
	// If a string has no terminator, the system takes a zero that follows it in memory for one. What is restored must
	// be what was there, so no zero may follow.
	guarded := append(append(make([]byte, 0, len(data)+4), data...), 0xFF, 0xFF, 0xFF, 0xFF)
	r, _, _ := regSetValueEx.Call(uintptr(k), uintptr(unsafe.Pointer(n)), 0, uintptr(kind),
		uintptr(unsafe.Pointer(&guarded[0])), uintptr(len(data)))
	return winError(r)
}

func winError(code uintptr) error {
	if code == 0 {
		return nil
	}
	return fmt.Errorf("%w: %w", errRegistryWas, windows.Errno(code))
}

// flush returns when what was written to a key is on disk.
func flush(k winreg.Key) error {
	r, _, _ := regFlushKey.Call(uintptr(k))
	return winError(r)
}

// Write implements Target.
func (w *Windows) Write(_ context.Context, p apply.Place, to, _ apply.State) error {
	if done, err := w.writeStart(p, to); done {
		return err
	}
	if to.Present {
		k, _, err := winreg.CreateKey(winreg.LOCAL_MACHINE, subkey(p.Path),
			winreg.SET_VALUE|winreg.QUERY_VALUE|winreg.WOW64_64KEY)
		if err != nil {
			return err
		}
		defer k.Close()
		w.at("windows:key")
		if err := setValue(k, p.Name, to.Type, to.Data); err != nil {
			return err
		}
		w.at("windows:value")
		return flush(k)
	}
	k, err := openKey(p.Path, winreg.SET_VALUE|winreg.QUERY_VALUE)
	if errors.Is(err, winreg.ErrNotExist) {
		return w.removeKeys(p.Path, to.Missing)
	}
	if err != nil {
		return err
	}
	err = k.DeleteValue(p.Name)
	if errors.Is(err, winreg.ErrNotExist) {
		err = nil
	}
	if err == nil {
		w.at("windows:deleted")
		err = flush(k)
	}
	if cerr := k.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	return w.removeKeys(p.Path, to.Missing)
}

// removeKeys removes the keys that a write created, unless they hold anything else.
func (w *Windows) removeKeys(key, missing string) error {
	for _, name := range apply.MadeKeys(key, missing) {
		k, err := openKey(name, winreg.QUERY_VALUE|winreg.ENUMERATE_SUB_KEYS)
		if errors.Is(err, winreg.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		info, err := k.Stat()
		if cerr := k.Close(); err == nil {
			err = cerr
		}
		if err != nil {
			return err
		}
		if info.SubKeyCount > 0 || info.ValueCount > 0 {
			return nil
		}
		if err := winreg.DeleteKey(winreg.LOCAL_MACHINE, subkey(name)); err != nil &&
			!errors.Is(err, winreg.ErrNotExist) {
			return err
		}
		w.at("windows:key-deleted")
	}
	return nil
}

// serviceOf returns the service whose start type a place is.
func serviceOf(p apply.Place) (string, bool) {
	const services = `HKLM\SYSTEM\CurrentControlSet\Services\`
	if !strings.EqualFold(p.Name, "Start") || len(p.Path) <= len(services) ||
		!strings.EqualFold(p.Path[:len(services)], services) {
		return "", false
	}
	name := p.Path[len(services):]
	return name, !strings.Contains(name, `\`)
}

// writeStart changes the start type of a service through the service manager, which caches it in memory and writes the
// registry itself. If the manager does not know the service, done is false and the registry has to be written.
func (w *Windows) writeStart(p apply.Place, to apply.State) (done bool, err error) {
	name, ok := serviceOf(p)
	if !ok || !to.Present || to.Type != registry.DWord {
		return false, nil
	}
	start, err := registry.Value{Type: to.Type, Data: to.Data}.DWord()
	if err != nil {
		return true, err
	}
	manager, err := windows.OpenSCManager(nil, nil, windows.SC_MANAGER_CONNECT)
	if err != nil {
		return true, fmt.Errorf("service manager: %w", err)
	}
	defer windows.CloseServiceHandle(manager)
	n, err := windows.UTF16PtrFromString(name)
	if err != nil {
		return true, err
	}
	h, err := windows.OpenService(manager, n, windows.SERVICE_CHANGE_CONFIG)
	if errors.Is(err, windows.ERROR_SERVICE_DOES_NOT_EXIST) {
		return false, nil
	}
	if err != nil {
		return true, fmt.Errorf("service %s: %w", name, err)
	}
	defer windows.CloseServiceHandle(h)
	const same = windows.SERVICE_NO_CHANGE
	if err := windows.ChangeServiceConfig(h, same, start, same, nil, nil, nil, nil, nil, nil, nil); err != nil {
		return true, fmt.Errorf("service %s: %w", name, err)
	}
	w.at("windows:service")
	return true, nil
}

// Settle implements Target. What Windows reads at once needs nothing. A necessary restart is reported, not done: it
// would close all connections.
func (w *Windows) Settle(_ context.Context, writes []apply.Write) ([]string, error) {
	return restartNotes(writes, time.Now()), nil
}

// Started implements Services.
func (w *Windows) Started(_ context.Context, service string) (apply.Started, error) {
	manager, err := windows.OpenSCManager(nil, nil, windows.SC_MANAGER_CONNECT|windows.SC_MANAGER_ENUMERATE_SERVICE)
	if err != nil {
		return apply.Started{}, fmt.Errorf("service manager: %w", err)
	}
	defer windows.CloseServiceHandle(manager)
	n, err := windows.UTF16PtrFromString(service)
	if err != nil {
		return apply.Started{}, err
	}
	h, err := windows.OpenService(manager, n, windows.SERVICE_QUERY_STATUS)
	if err != nil {
		return apply.Started{}, fmt.Errorf("service %s: %w", service, err)
	}
	defer windows.CloseServiceHandle(h)
	var status windows.SERVICE_STATUS_PROCESS
	var needed uint32
	err = windows.QueryServiceStatusEx(h, windows.SC_STATUS_PROCESS_INFO, (*byte)(unsafe.Pointer(&status)),
		uint32(unsafe.Sizeof(status)), &needed)
	if err != nil {
		return apply.Started{}, fmt.Errorf("service %s: %w", service, err)
	}
	if status.CurrentState == windows.SERVICE_STOPPED || status.ProcessId == 0 {
		return apply.Started{}, nil
	}
	process, err := windows.OpenProcess(windows.PROCESS_QUERY_LIMITED_INFORMATION, false, status.ProcessId)
	if err != nil {
		return apply.Started{}, fmt.Errorf("service %s: its process: %w", service, err)
	}
	defer windows.CloseHandle(process)
	var made, ended, kernel, user windows.Filetime
	if err := windows.GetProcessTimes(process, &made, &ended, &kernel, &user); err != nil {
		return apply.Started{}, fmt.Errorf("service %s: its process: %w", service, err)
	}
	return apply.Started{
		At: time.Unix(0, made.Nanoseconds()), Running: true,
		Shared: status.ServiceType&windows.SERVICE_WIN32_SHARE_PROCESS != 0 && sharesProcess(manager, status.ProcessId),
	}, nil
}

// sharesProcess reports whether more than one service runs in a process. If the list is unavailable, they may.
func sharesProcess(manager windows.Handle, pid uint32) bool {
	var needed, count uint32
	buf := make([]byte, 256<<10) // the limit of the call; a few hundred services have 100 bytes each and their names
	err := windows.EnumServicesStatusEx(manager, windows.SC_ENUM_PROCESS_INFO, windows.SERVICE_WIN32,
		windows.SERVICE_ACTIVE, &buf[0], uint32(len(buf)), &needed, &count, nil, nil)
	if err != nil {
		return true
	}
	in := 0
	for _, s := range unsafe.Slice((*windows.ENUM_SERVICE_STATUS_PROCESS)(unsafe.Pointer(&buf[0])), count) {
		if s.ServiceStatusProcess.ProcessId == pid {
			in++
		}
	}
	return in != 1
}
