package scan

import (
	"context"
	"errors"
	"fmt"

	"ipcguard/internal/dcerpc"
	"ipcguard/internal/model"
	"ipcguard/internal/status"
)

// listBuffer is the buffer size that a question offers, in bytes. The answer is as long as the offer: one RPC fragment
// (5840 bytes) costs one round trip, and the whole list of a large server ten. The first service or printer proves that
// the list is available.
const listBuffer = 5 << 10

// probeSpooler asks for the printers.
func probeSpooler(ctx context.Context, t *talk) {
	spl := dcerpc.SpoolssClient{Client: t.client}
	r, err := spl.EnumPrinters(ctx, t.unc(), listBuffer)
	if tooSmall(err) && r != nil {
		r, err = spl.EnumPrinters(ctx, t.unc(), r.Needed)
	}
	a := t.win("RpcEnumPrinters", err)
	if a.ok() {
		a.gave(int(r.Returned))
		return
	}
	if t.lost != nil || a.denied() {
		return
	}
	h, err := spl.OpenPrinterEx(ctx, t.unc(), 0)
	if a := t.win("RpcOpenPrinterEx", err); a.ok() {
		a.gave(1)
		_, _ = spl.ClosePrinter(ctx, h.Handle)
	}
}

// tooSmall reports whether a server asked for a larger buffer.
func tooSmall(err error) bool {
	var w status.WError
	return errors.As(err, &w) && w == status.WerrInsufficientBuf
}

// probeServices asks the service control manager for the list of services.
func probeServices(ctx context.Context, t *talk) {
	scm := dcerpc.SVCCTLClient{Client: t.client}
	h, err := scm.OpenSCManager(ctx, t.unc(), dcerpc.ScManagerConnect|dcerpc.ScManagerEnumerate)
	a := t.win("ROpenSCManagerW", err)
	if a.denied() {
		a.ends()
		_, err = scm.OpenSCManager(ctx, t.unc(), dcerpc.ScManagerConnect)
		a = t.win("ROpenSCManagerW", err)
		a.Detail = "to connect alone"
		a.gave(1)
		return
	}
	if !a.ok() {
		return
	}
	a.gave(1)
	list, err := scm.EnumServices(ctx, h.Handle, listBuffer, 0)
	if err == nil && list.Returned == 0 && list.Needed > 0 { // all or nothing, in Samba
		list, err = scm.EnumServices(ctx, h.Handle, min(list.Needed, maxList), 0)
	}
	if a := t.win("REnumServicesStatusW", err); a.ok() {
		var names []string
		for _, s := range list.Services() {
			names = append(names, s.Name)
		}
		a.gave(int(list.Returned), names...).more(list.More())
	}
}

// maxList bounds the buffer that a server asks for: the call's own limit, [MS-SCMR] 3.1.4.11.
const maxList = 256 << 10

// probeRegistry opens HKEY_LOCAL_MACHINE and queries it: a handle alone proves nothing.
func probeRegistry(ctx context.Context, t *talk) {
	reg := dcerpc.WinregClient{Client: t.client}
	key, err := reg.OpenLocalMachine(ctx, dcerpc.KeyRead)
	a := t.win("OpenLocalMachine", err)
	if !a.ok() {
		return
	}
	a.gaveKind(model.DisclosesNothing, 1)
	info, err := reg.QueryInfoKey(ctx, key.Handle)
	if a := t.win("BaseRegQueryInfoKey", err); a.ok() {
		a.gaveKind(model.DisclosesRegistry, int(info.SubKeys))
	}
	if t.lost != nil {
		return
	}
	version, err := reg.GetVersion(ctx, key.Handle)
	if a := t.win("BaseRegGetVersion", err); a.ok() {
		a.gaveKind(model.DisclosesHostInfo, 1, fmt.Sprintf("version %d", version.Version))
	}
}

// probeEventlog opens the System log and counts its events.
func probeEventlog(ctx context.Context, t *talk) {
	ev := dcerpc.EventlogClient{Client: t.client}
	log, err := ev.OpenELW(ctx, "System")
	a := t.nt("ElfrOpenELW", err)
	if !a.ok() {
		return
	}
	a.gaveKind(model.DisclosesNothing, 1)
	n, err := ev.NumberOfRecords(ctx, log.Handle)
	if a := t.nt("ElfrNumberOfRecords", err); a.ok() {
		a.gaveKind(model.DisclosesLogs, int(n.Records))
	}
}

// probeJobs asks for the jobs of the older task scheduler.
func probeJobs(ctx context.Context, t *talk) {
	at := dcerpc.ATSVCClient{Client: t.client}
	sum, err := pages(func(resume uint32) (page, error) {
		r, err := at.JobEnum(ctx, t.unc(), resume)
		if err != nil {
			return page{}, err
		}
		return page{more: r.More(), resume: value(r.Resume), count: len(r.Entries)}, nil
	})
	t.win("NetrJobEnum", err).gave(sum.count).more(sum.more)
}
