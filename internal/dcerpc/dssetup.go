package dcerpc

import "context"

// DSSetupClient calls [MS-DSSP] on a Client that is bound to DSSETUP: the computer's role in its domain.
type DSSetupClient struct{ *Client }

// OpDsRolerGetPrimaryDomainInformation is the only call of the interface.
const OpDsRolerGetPrimaryDomainInformation = 0

// DsRoleBasic is the only supported level. See [MS-DSSP] 2.2.2.
const DsRoleBasic = 1

// DsRolerRequest requests the role.
//
// See [MS-DSSP] 3.2.5.1.
type DsRolerRequest struct{ Level uint16 }

func (r *DsRolerRequest) ndr(c *coder) { c.u16(&r.Level) }

// DsRole is DSROLER_PRIMARY_DOMAIN_INFO_BASIC.
//
// See [MS-DSSP] 2.2.3.
type DsRole struct {
	// 0 workstation, 1 member workstation, 2 server, 3 member server, 4 backup DC, 5 primary DC.
	Role              uint16
	Flags             uint32
	Flat, DNS, Forest *string
	GUID              UUID
}

// DsRolerResponse is the response; nil when refused.
type DsRolerResponse struct {
	Info *DsRole
	WResult
}

func (r *DsRolerResponse) ndr(c *coder) {
	if pointer(c, &r.Info) {
		level := uint16(DsRoleBasic)
		c.u16(&level)
		if level != DsRoleBasic {
			c.malformed("DSROLER_PRIMARY_DOMAIN_INFORMATION level %d", level)
			return
		}
		i := r.Info
		c.align(4)
		c.u16(&i.Role)
		c.u32(&i.Flags)
		pointer(c, &i.Flat)
		pointer(c, &i.DNS)
		pointer(c, &i.Forest)
		c.uuid(&i.GUID)
		c.strBody(i.Flat)
		c.strBody(i.DNS)
		c.strBody(i.Forest)
	}
	r.result(c)
}

// GetPrimaryDomainInformation returns the computer's role.
func (d DSSetupClient) GetPrimaryDomainInformation(ctx context.Context) (*DsRolerResponse, error) {
	return invoke[DsRolerResponse](ctx, d.Client, DSSETUP, OpDsRolerGetPrimaryDomainInformation,
		&DsRolerRequest{DsRoleBasic})
}
