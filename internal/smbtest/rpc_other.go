package smbtest

import (
	"encoding/binary"
	"slices"
	"strings"
	"unicode/utf16"

	"ipcguard/internal/dcerpc"
	"ipcguard/internal/model"
	"ipcguard/internal/status"
)

// dssetupOps return the role.
var dssetupOps = map[uint16]op{
	dcerpc.OpDsRolerGetPrimaryDomainInformation: on(func(c *caller, _ *dcerpc.DsRolerRequest) dcerpc.Message {
		if !c.may(model.DisclosesHostInfo) {
			return &dcerpc.DsRolerResponse{WResult: werr(status.WerrAccessDenied)}
		}
		w := c.host.World
		r := &dcerpc.DsRole{Role: 2, Flat: &w.Domain, DNS: &w.DNSDomain, Forest: &w.DNSDomain}
		if w.InDomain {
			r.Role = 5
		}
		return &dcerpc.DsRolerResponse{Info: r}
	}),
}

// netlogonOps locate a domain controller. Only domain controllers serve them.
var netlogonOps = map[uint16]op{
	dcerpc.OpDsrGetDcName: on(func(c *caller,
		_ *dcerpc.DsrGetDcNameRequest,
	) dcerpc.Message {
		return c.controller()
	}),
	dcerpc.OpDsrGetDcNameEx: on(func(c *caller,
		_ *dcerpc.DsrGetDcNameExRequest,
	) dcerpc.Message {
		return c.controller()
	}),
	dcerpc.OpDsrGetDcNameEx2: on(func(c *caller,
		_ *dcerpc.DsrGetDcNameEx2Request,
	) dcerpc.Message {
		return c.controller()
	}),
	dcerpc.OpDsrGetSiteName: on(func(c *caller, _ *dcerpc.ServerNameRequest) dcerpc.Message {
		if !c.host.World.InDomain {
			return &dcerpc.DsrGetSiteNameResponse{WResult: werr(1919)} // ERROR_NO_SITENAME
		}
		return &dcerpc.DsrGetSiteNameResponse{Site: dcerpc.Ptr("Default-First-Site-Name")}
	}),
	dcerpc.OpDsrEnumerateDomainTrusts: on(func(c *caller, _ *dcerpc.DsrEnumerateDomainTrustsRequest) dcerpc.Message {
		r := &dcerpc.DomainTrustsResponse{Domains: []dcerpc.DomainTrust{}}
		if !c.may(model.DisclosesTrusts) {
			r.WResult = werr(status.WerrAccessDenied)
			return r
		}
		for i := range c.host.World.Trusts {
			t := &c.host.World.Trusts[i]
			r.Domains = append(r.Domains, dcerpc.DomainTrust{Name: &t.Flat, DNSName: &t.Name, SID: &t.SID})
		}
		return r
	}),
}

func (c *caller) controller() dcerpc.Message {
	w := c.host.World
	if !w.InDomain {
		return &dcerpc.DsrGetDcNameResponse{WResult: werr(1355)} // ERROR_NO_SUCH_DOMAIN
	}
	return &dcerpc.DsrGetDcNameResponse{Controller: &dcerpc.DomainController{
		Name: dcerpc.Ptr(`\\` + w.DNSName), Address: dcerpc.Ptr(`\\127.0.0.1`), AddressType: 1, Domain: &w.DNSDomain,
		Forest: &w.DNSDomain,
		Flags:  0x31FD, Site: dcerpc.Ptr("Default-First-Site-Name"), ClientSite: dcerpc.Ptr("Default-First-Site-Name"),
	}}
}

// units returns a string as UTF-16LE with its terminating zero.
func units(s string) (b []byte) {
	for _, u := range append(utf16.Encode([]rune(s)), 0) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return b
}

// packed lays out entries of a fixed part with pointers to strings, which are at the end of the buffer, as in spoolss
// and svcctl. Each entry's fixed part comes with the offsets of its pointers.
type packed struct {
	fixed   int
	entries [][]byte
	strings [][]string // by entry, one for each of at
	at      []int
}

func (p *packed) size() (n int) {
	for i := range p.entries {
		n += p.fixed
		for _, s := range p.strings[i] {
			n += len(units(s))
		}
	}
	return n
}

func (p *packed) bytes(size int) []byte {
	b := make([]byte, size)
	end := size
	for i, e := range p.entries {
		copy(b[i*p.fixed:], e)
		for k, s := range p.strings[i] {
			u := units(s)
			end -= len(u)
			copy(b[end:], u)
			binary.LittleEndian.PutUint32(b[i*p.fixed+p.at[k]:], uint32(end))
		}
	}
	return b
}

// maxBuffer bounds the buffer that a caller may request.
const maxBuffer = 1 << 20

// spoolssOps list printers. PRINTER_INFO_1: flags, description, name, comment. See [MS-RPRN] 2.2.2.9.2.
var spoolssOps = map[uint16]op{
	dcerpc.OpRpcEnumPrinters: on(func(c *caller, q *dcerpc.RpcEnumPrintersRequest) dcerpc.Message {
		if !c.may(model.DisclosesPrinters) {
			return &dcerpc.RpcEnumPrintersResponse{WResult: werr(status.WerrAccessDenied)}
		}
		if q.Level != 1 {
			return &dcerpc.RpcEnumPrintersResponse{WResult: werr(status.WerrInvalidLevel)}
		}
		p := packed{fixed: 16, at: []int{4, 8, 12}}
		for _, name := range c.host.World.Printers {
			p.entries = append(p.entries, make([]byte, 16))
			p.strings = append(p.strings, []string{name, name, ""})
		}
		need := p.size()
		r := &dcerpc.RpcEnumPrintersResponse{Needed: uint32(need)}
		if q.Size > 0 && q.Size <= maxBuffer {
			r.Buffer = make([]byte, q.Size)
		}
		if int(q.Size) < need || q.Size > maxBuffer {
			r.WResult = werr(status.WerrInsufficientBuf)
			return r
		}
		if q.Size > 0 {
			r.Buffer = p.bytes(int(q.Size))
		}
		r.Returned = uint32(len(p.entries))
		return r
	}),
	dcerpc.OpRpcOpenPrinterEx: on(func(c *caller, _ *dcerpc.RpcOpenPrinterExRequest) dcerpc.Message {
		if !c.may(model.DisclosesPrinters) {
			return &dcerpc.WHandleResponse{WResult: werr(status.WerrAccessDenied)}
		}
		return &dcerpc.WHandleResponse{Handle: c.open(object{kind: "printer"})}
	}),
	dcerpc.OpRpcClosePrinter: on(wclose),
}

func wclose(c *caller, q *dcerpc.HandleRequest) dcerpc.Message {
	if _, ok := c.handles[q.Handle]; !ok {
		return &dcerpc.WHandleResponse{WResult: werr(6)} // ERROR_INVALID_HANDLE
	}
	delete(c.handles, q.Handle)
	return &dcerpc.WHandleResponse{}
}

// svcctlOps list services. ENUM_SERVICE_STATUSW: two names and seven numbers. See [MS-SCMR] 2.2.11.
var svcctlOps = map[uint16]op{
	dcerpc.OpROpenSCManagerW: on(func(c *caller, _ *dcerpc.ROpenSCManagerWRequest) dcerpc.Message {
		if !c.may(model.DisclosesServices) {
			return &dcerpc.WHandleResponse{WResult: werr(status.WerrAccessDenied)}
		}
		return &dcerpc.WHandleResponse{Handle: c.open(object{kind: "scm"})}
	}),
	dcerpc.OpRCloseServiceHandle: on(wclose),
	dcerpc.OpREnumServicesStatusW: on(func(c *caller, q *dcerpc.REnumServicesStatusWRequest) dcerpc.Message {
		r := &dcerpc.REnumServicesStatusWResponse{Resume: q.Resume, Buffer: []byte{}}
		if _, ok := c.get(q.Manager, "scm"); !ok {
			r.WResult = werr(6)
			return r
		}
		p := packed{fixed: 36, at: []int{0, 4}}
		for _, s := range c.host.World.Services {
			e := make([]byte, 36)
			binary.LittleEndian.PutUint32(e[8:], 0x20) // SERVICE_WIN32_SHARE_PROCESS
			binary.LittleEndian.PutUint32(e[12:], 1)   // SERVICE_STOPPED
			if s.Running {
				binary.LittleEndian.PutUint32(e[12:], 4)
			}
			p.entries = append(p.entries, e)
			p.strings = append(p.strings, []string{s.Name, s.Display})
		}
		need := p.size()
		size := min(int(q.Size), maxBuffer)
		r.Buffer = make([]byte, size)
		if size < need {
			r.Needed, r.WResult = uint32(need), werr(status.WerrMoreData)
			return r
		}
		r.Buffer, r.Returned = p.bytes(size), uint32(len(p.entries))
		return r
	}),
}

// winregOps read the registry. They cannot write.
var winregOps = map[uint16]op{
	dcerpc.OpOpenLocalMachine: on(func(c *caller, _ *dcerpc.OpenRootRequest) dcerpc.Message {
		if !c.may(model.DisclosesRegistry) {
			return &dcerpc.WHandleResponse{WResult: werr(status.WerrAccessDenied)}
		}
		return &dcerpc.WHandleResponse{Handle: c.open(object{kind: "key"})}
	}),
	dcerpc.OpBaseRegCloseKey: on(wclose),
	dcerpc.OpBaseRegOpenKey: on(func(c *caller, q *dcerpc.BaseRegOpenKeyRequest) dcerpc.Message {
		o, ok := c.get(q.Key, "key")
		if !ok {
			return &dcerpc.WHandleResponse{WResult: werr(6)}
		}
		path := strings.Trim(o.name+`\`+dcerpc.Text(q.SubKey.Value), `\`)
		for key := range c.host.World.Values {
			if equalFold(key, path) || len(key) > len(path) && equalFold(key[:len(path)], path) &&
				key[len(path)] == '\\' || path == "" {
				return &dcerpc.WHandleResponse{Handle: c.open(object{kind: "key", name: path})}
			}
		}
		return &dcerpc.WHandleResponse{WResult: werr(2)} // ERROR_FILE_NOT_FOUND
	}),
	dcerpc.OpBaseRegGetVersion: on(func(c *caller, q *dcerpc.HandleRequest) dcerpc.Message {
		if _, ok := c.get(q.Handle, "key"); !ok {
			return &dcerpc.BaseRegGetVersionResponse{WResult: werr(6)}
		}
		return &dcerpc.BaseRegGetVersionResponse{Version: 6}
	}),
	dcerpc.OpBaseRegEnumKey: on(func(c *caller, q *dcerpc.BaseRegEnumKeyRequest) dcerpc.Message {
		r := &dcerpc.BaseRegEnumKeyResponse{Name: q.Name, Class: q.Class, LastWrite: q.LastWrite}
		o, ok := c.get(q.Key, "key")
		if !ok {
			r.WResult = werr(6)
			return r
		}
		keys := c.host.World.below(o.name)
		if int(q.Index) >= len(keys) {
			r.WResult = werr(status.WerrNoMoreItems)
			return r
		}
		r.Name.Value = &keys[q.Index]
		return r
	}),
	dcerpc.OpBaseRegQueryInfoKey: on(func(c *caller, q *dcerpc.BaseRegQueryInfoKeyRequest) dcerpc.Message {
		o, ok := c.get(q.Key, "key")
		if !ok {
			return &dcerpc.BaseRegQueryInfoKeyResponse{WResult: werr(6)}
		}
		r := &dcerpc.BaseRegQueryInfoKeyResponse{SubKeys: uint32(len(c.host.World.below(o.name)))}
		for key, values := range c.host.World.Values {
			if equalFold(key, o.name) {
				r.Values = uint32(len(values))
			}
		}
		return r
	}),
	dcerpc.OpBaseRegQueryValue: on(func(c *caller, q *dcerpc.BaseRegQueryValueRequest) dcerpc.Message {
		r := &dcerpc.BaseRegQueryValueResponse{Value: q.Value}
		o, ok := c.get(q.Key, "key")
		if !ok {
			r.WResult = werr(6)
			return r
		}
		for key, values := range c.host.World.Values {
			if !equalFold(key, o.name) {
				continue
			}
			for name, v := range values {
				if equalFold(name, dcerpc.Text(q.Name.Value)) {
					return answerValue(r, v)
				}
			}
		}
		r.WResult = werr(2)
		return r
	}),
}

// below lists the direct subkeys of a key.
func (w *World) below(path string) (names []string) {
	for key := range w.Values {
		rest := key
		if path != "" {
			if len(key) <= len(path) || !equalFold(key[:len(path)], path) || key[len(path)] != '\\' {
				continue
			}
			rest = key[len(path)+1:]
		}
		name, _, _ := strings.Cut(rest, `\`)
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// atsvcOps list the jobs of the at command: none.
var atsvcOps = map[uint16]op{
	dcerpc.OpNetrJobEnum: on(func(c *caller, q *dcerpc.NetrJobEnumRequest) dcerpc.Message {
		r := &dcerpc.NetrJobEnumResponse{Resume: q.Resume, Entries: []dcerpc.Job{}}
		if !c.may(model.DisclosesJobs) {
			r.WResult = werr(status.WerrAccessDenied)
		}
		return r
	}),
}

// netdfsOps return the version of the DFS service.
var netdfsOps = map[uint16]op{
	dcerpc.OpNetrDfsManagerGetVersion: on(func(*caller, *dcerpc.NoArguments) dcerpc.Message {
		return &dcerpc.NetrDfsManagerGetVersionResponse{Version: 1}
	}),
}

// eventlogOps open a log, for callers that may.
var eventlogOps = map[uint16]op{
	dcerpc.OpElfrOpenELW: on(func(c *caller, _ *dcerpc.ElfrOpenELWRequest) dcerpc.Message {
		if !c.may(model.DisclosesLogs) {
			return &dcerpc.NTHandleResponse{NTResult: nt(status.AccessDenied)}
		}
		return &dcerpc.NTHandleResponse{Handle: c.open(object{kind: "log"})}
	}),
	dcerpc.OpElfrCloseEL: on(func(c *caller, q *dcerpc.HandleRequest) dcerpc.Message { return c.close(q.Handle) }),
	dcerpc.OpElfrNumberOfRecords: on(func(c *caller, q *dcerpc.HandleRequest) dcerpc.Message {
		if _, ok := c.get(q.Handle, "log"); !ok {
			return &dcerpc.ElfrNumberOfRecordsResponse{NTResult: nt(status.InvalidHandle)}
		}
		return &dcerpc.ElfrNumberOfRecordsResponse{Records: 42}
	}),
}

// epmapperOps return an empty endpoint map: nothing is served on other transports.
var epmapperOps = map[uint16]op{
	dcerpc.OpEptLookup: on(func(c *caller, q *dcerpc.EptLookupRequest) dcerpc.Message {
		r := &dcerpc.EptLookupResponse{Max: q.MaxEntries, Return: status.FaultNotRegistered}
		if !c.may(model.DisclosesEndpoints) {
			r.Return = status.FaultAccessDenied
		}
		return r
	}),
}

// plugplayOps return the version.
var plugplayOps = map[uint16]op{
	dcerpc.OpPNPGetVersion: on(func(c *caller, _ *dcerpc.NoArguments) dcerpc.Message {
		if !c.may(model.DisclosesHostInfo) {
			return &dcerpc.PNPGetVersionResponse{WResult: werr(status.WerrAccessDenied)}
		}
		return &dcerpc.PNPGetVersionResponse{Version: 0x400}
	}),
}

// answerValue fills in what the caller has room for. See [MS-RRP] 3.1.5.17.
func answerValue(r *dcerpc.BaseRegQueryValueResponse, v RegistryValue) dcerpc.Message {
	room := uint32(0)
	if r.Value.Size != nil {
		room = *r.Value.Size
	}
	size, length := uint32(len(v.Data)), uint32(len(v.Data))
	if r.Value.Type != nil {
		t := v.Type
		r.Value.Type = &t
	}
	switch {
	case r.Value.Data == nil:
		length = 0
	case room < size:
		r.WResult, length = werr(status.WerrMoreData), 0
		r.Value.Data = nil
	default:
		r.Value.Data = v.Data
	}
	r.Value.Size, r.Value.Len = &size, &length
	return r
}
