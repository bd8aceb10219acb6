package dcerpc

import (
	"context"

	"ipcguard/internal/status"
)

// EpmapperClient calls the endpoint mapper on a Client that is bound to EPMAPPER: which interfaces answer at which
// endpoint.
type EpmapperClient struct{ *Client }

// OpEptLookup is the only supported call; ept_insert and ept_delete change the map.
const OpEptLookup = 2

// InterfaceID is RPC_IF_ID: an interface with the version as two 16-bit numbers.
//
// See [C706] appendix N.
type InterfaceID struct {
	UUID         UUID
	Major, Minor uint16
}

func (i *InterfaceID) code(c *coder) {
	c.uuid(&i.UUID)
	c.u16(&i.Major)
	c.u16(&i.Minor)
}

// EptLookupRequest requests the map, or the part of it that matches Interface or Object.
//
// See [C706] appendix O and [MS-RPCE] 2.2.1.2.4.
type EptLookupRequest struct {
	Inquiry       uint32 // 0 everything
	Object        *UUID
	Interface     *InterfaceID
	VersionOption uint32 // 1 all versions
	Entry         Handle // zero at first, then from the last response
	MaxEntries    uint32
}

func (r *EptLookupRequest) ndr(c *coder) {
	c.u32(&r.Inquiry)
	c.optUUID(&r.Object)
	if pointer(c, &r.Interface) {
		r.Interface.code(c)
	}
	c.u32(&r.VersionOption)
	c.handle(&r.Entry)
	c.u32(&r.MaxEntries)
}

// EptEntry is one entry of the map. The layout of the tower is in [C706] appendix L.
//
// See [MS-RPCE] 2.2.1.2.3.
type EptEntry struct {
	Object     UUID
	HasTower   bool
	Tower      []byte
	Annotation string // at most 63 bytes
}

// maxEptEntries is the range that [MS-RPCE] 2.2.1.2.4 gives max_ents.
const maxEptEntries = 500

// annotationSize is ept_max_annotation_size.
const annotationSize = 64

// EptLookupResponse holds entries; the map is complete when the status is not zero or the entry handle is.
type EptLookupResponse struct {
	Entry   Handle
	Count   uint32
	Max     uint32 // as in the request; precedes the entries on the wire
	Entries []EptEntry
	Return  status.Fault
}

func (r *EptLookupResponse) refused() error {
	if r.Return != 0 {
		return r.Return
	}
	return nil
}

func (r *EptLookupResponse) ndr(c *coder) {
	c.handle(&r.Entry)
	c.u32(&r.Count)
	c.u32(&r.Max)
	var offset uint32
	c.u32(&offset)
	n := c.count(len(r.Entries), 28)
	if c.dec {
		if c.err == nil && (offset != 0 || uint32(n) > r.Max || n > maxEptEntries) {
			c.malformed("%d entries of %d at offset %d", n, r.Max, offset)
		}
		if c.err != nil {
			return
		}
		r.Entries = make([]EptEntry, n)
	}
	elements(r.Entries, func(e *EptEntry) {
		c.uuid(&e.Object)
		e.HasTower = c.pointerIf(e.HasTower)
		c.annotation(&e.Annotation)
	}, func(e *EptEntry) {
		if e.HasTower {
			c.tower(&e.Tower)
		}
	})
	num(c, &r.Return)
}

// annotation codes a varying string in a fixed array: offset, actual count, characters.
func (c *coder) annotation(s *string) {
	var offset uint32
	c.u32(&offset)
	n := c.count(len(*s)+1, 1)
	if c.dec {
		if c.err == nil && (offset != 0 || n > annotationSize) {
			c.malformed("annotation of %d bytes at offset %d", n, offset)
		}
		*s = trimZero(string(c.take(n)))
		return
	}
	c.buf = append(append(c.buf, *s...), 0)
}

// tower codes twr_t, a conformant structure: the count precedes it, and is repeated inside.
func (c *coder) tower(t *[]byte) {
	n := c.count(len(*t), 1)
	again := uint32(n)
	c.u32(&again)
	if c.dec {
		if c.err == nil && again != uint32(n) {
			c.malformed("tower of %d and %d bytes", n, again)
		}
		*t = make([]byte, n)
	}
	c.raw(*t)
}

// Lookup returns the map, at most maximum entries of it, from an entry handle on.
func (e EpmapperClient) Lookup(ctx context.Context, entry Handle, maximum uint32) (*EptLookupResponse, error) {
	request := &EptLookupRequest{VersionOption: 1, Entry: entry, MaxEntries: min(maximum, maxEptEntries)}
	return invoke[EptLookupResponse](ctx, e.Client, EPMAPPER, OpEptLookup, request)
}

// MgmtClient calls the management interface of every RPC server, on a Client that is bound to MGMT.
type MgmtClient struct{ *Client }

// OpInqIfIDs is the only supported call.
const OpInqIfIDs = 0

// InqIfIDsResponse lists the interfaces behind a pipe; nil when refused.
//
// See [C706] appendix Q and [MS-RPCE] 2.2.1.3.1.
type InqIfIDsResponse struct {
	Vector *InterfaceVector
	Return status.Fault
}

// InterfaceVector is rpc_if_id_vector_t.
type InterfaceVector struct{ IDs []*InterfaceID }

func (r *InqIfIDsResponse) refused() error {
	if r.Return != 0 {
		return r.Return
	}
	return nil
}

func (r *InqIfIDsResponse) ndr(c *coder) {
	if pointer(c, &r.Vector) {
		v := r.Vector
		n := c.count(len(v.IDs), 4)
		again := uint32(n)
		c.u32(&again)
		if c.dec {
			if c.err == nil && again != uint32(n) {
				c.malformed("vector of %d and %d interfaces", n, again)
			}
			if c.err != nil || c.fits(n, 4) != n {
				return
			}
			v.IDs = make([]*InterfaceID, n)
		}
		elements(v.IDs, func(i **InterfaceID) { pointer(c, i) }, func(i **InterfaceID) {
			if *i != nil {
				(*i).code(c)
			}
		})
	}
	num(c, &r.Return)
}

// InqIfIDs lists the interfaces behind a pipe.
func (m MgmtClient) InqIfIDs(ctx context.Context) (*InqIfIDsResponse, error) {
	return invoke[InqIfIDsResponse](ctx, m.Client, MGMT, OpInqIfIDs, &NoArguments{})
}
