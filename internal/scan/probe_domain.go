package scan

import (
	"context"

	"ipcguard/internal/dcerpc"
	"ipcguard/internal/model"
)

// trustPrimary marks the server's own domain in a list of trusts. See [MS-NRPC] 2.2.1.6.2.
const trustPrimary = 0x00000008

// probeNetlogon asks the domain logon service for the domain and its trusts. The call that starts a secure channel is
// never sent.
func probeNetlogon(ctx context.Context, t *talk) {
	server := t.unc()
	t.beside(ctx,
		func(t *talk) {
			dc, err := dcerpc.NetlogonClient{Client: t.client}.GetDcNameEx2(ctx, server)
			if a := t.win("DsrGetDcNameEx2", err); a.ok() && dc.Controller != nil {
				a.gave(1, text(dc.Controller.Name)+" of "+text(dc.Controller.Domain))
			}
		},
		func(t *talk) {
			site, err := dcerpc.NetlogonClient{Client: t.client}.GetSiteName(ctx, server)
			if a := t.win("DsrGetSiteName", err); a.ok() {
				a.gave(1, text(site.Site))
			}
		},
		func(t *talk) {
			trusts, err := dcerpc.NetlogonClient{Client: t.client}.EnumerateDomainTrusts(ctx, server,
				dcerpc.TrustInForest|dcerpc.TrustDirectOutbound|dcerpc.TrustDirectInbound)
			if a := t.win("DsrEnumerateDomainTrusts", err); a.ok() {
				var names []string
				for _, d := range trusts.Domains {
					if d.Flags&trustPrimary == 0 {
						names = append(names, text(d.Name))
					}
				}
				a.gave(len(names), names...)
			}
		})
}

// probeDSSetup asks for the machine's role in its domain.
func probeDSSetup(ctx context.Context, t *talk) {
	ds := dcerpc.DSSetupClient{Client: t.client}
	r, err := ds.GetPrimaryDomainInformation(ctx)
	if a := t.win("DsRolerGetPrimaryDomainInformation", err); a.ok() && r.Info != nil {
		a.gave(1, text(r.Info.Flat)+" "+text(r.Info.DNS))
		t.host.lock.Lock()
		t.host.hearing.role = roleOf(r.Info.Role)
		t.host.lock.Unlock()
	}
}

// roleOf reads DSROLE_MACHINE_ROLE. See [MS-DSSP] 2.2.2.
func roleOf(machine uint16) model.Role {
	switch machine {
	case 0:
		return model.Workstation
	case 1, 3:
		return model.Member
	case 2:
		return model.Standalone
	case 4, 5:
		return model.DomainController
	}
	return ""
}
