package scan

import (
	"context"
	"fmt"

	"ipcguard/internal/dcerpc"
	"ipcguard/internal/model"
)

// endpointsPage is the number of endpoint map entries requested at a time; most servers have fewer.
const endpointsPage = 500

// probeEndpoints asks the endpoint mapper for the endpoints of interfaces. Every client may ask that.
func probeEndpoints(ctx context.Context, t *talk) {
	ept := dcerpc.EpmapperClient{Client: t.client}
	var entry dcerpc.Handle
	count, more := 0, false
	for n := range maxPages {
		r, err := ept.Lookup(ctx, entry, endpointsPage)
		if r != nil && err != nil && len(r.Entries) > 0 {
			count += len(r.Entries) // Samba says "no more" with the last ones
			break
		}
		if err != nil {
			if n == 0 {
				t.note("ept_lookup", "0", err)
				return
			}
			break // ept_s_not_registered ends the map
		}
		count += len(r.Entries)
		if more = r.Entry != (dcerpc.Handle{}) && len(r.Entries) > 0; !more {
			break
		}
		entry = r.Entry
	}
	t.note("ept_lookup", "0", nil).gave(count).more(more)
}

// probeManagement asks for the interfaces of this pipe. Every client may ask that.
func probeManagement(ctx context.Context, t *talk) {
	r, err := dcerpc.MgmtClient{Client: t.client}.InqIfIDs(ctx)
	a := t.note("rpc__mgmt_inq_if_ids", "0", err)
	if !a.ok() || r.Vector == nil {
		return
	}
	var names []string
	for _, id := range r.Vector.IDs {
		if id != nil {
			names = append(names, fmt.Sprintf("%s %d.%d", id.UUID, id.Major, id.Minor))
		}
	}
	a.gave(len(names), names...)
}

// The probes below only prove that the interface answers: every client is told a version.

func probeDFS(ctx context.Context, t *talk) {
	r, err := dcerpc.NetDFSClient{Client: t.client}.ManagerGetVersion(ctx)
	if a := t.win("NetrDfsManagerGetVersion", err); a.ok() {
		a.gaveKind(model.DisclosesHostInfo, 1, fmt.Sprintf("version %d", r.Version))
	}
}

func probeTasks(ctx context.Context, t *talk) {
	r, err := dcerpc.TaskSchedulerClient{Client: t.client}.HighestVersion(ctx)
	if a := t.note("SchRpcHighestVersion", "S_OK", err); a.ok() {
		a.gaveKind(model.DisclosesHostInfo, 1, fmt.Sprintf("version %d.%d", r.Version>>16, r.Version&0xFFFF))
	}
}

func probePlugPlay(ctx context.Context, t *talk) {
	r, err := dcerpc.PlugPlayClient{Client: t.client}.GetVersion(ctx)
	if a := t.win("PNP_GetVersion", err); a.ok() {
		a.gaveKind(model.DisclosesHostInfo, 1, fmt.Sprintf("version %#x", r.Version))
	}
}

func probeShadowCopies(ctx context.Context, t *talk) {
	r, err := dcerpc.FSRVPClient{Client: t.client}.GetSupportedVersion(ctx)
	if a := t.win("GetSupportedVersion", err); a.ok() {
		a.gaveKind(model.DisclosesHostInfo, 1, fmt.Sprintf("versions %d to %d", r.Min, r.Max))
	}
}
