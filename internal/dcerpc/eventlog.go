package dcerpc

import "context"

// EventlogClient calls [MS-EVEN] on a Client that is bound to EVENTLOG. There is no encoder for ElfrOpenBELW: it makes
// the server open a file on another host.
type EventlogClient struct{ *Client }

// The opnums of the calls below.
const (
	OpElfrCloseEL         = 2
	OpElfrNumberOfRecords = 4
	OpElfrOpenELW         = 7
)

// ElfrOpenELWRequest opens a log.
//
// See [MS-EVEN] 3.1.4.3.
type ElfrOpenELWRequest struct {
	Server       *uint16 // the first character of a name that servers ignore
	Module       *string
	RegModule    *string
	Major, Minor uint32
}

func (r *ElfrOpenELWRequest) ndr(c *coder) {
	if pointer(c, &r.Server) {
		c.u16(r.Server)
	}
	c.ustr(&r.Module)
	c.ustr(&r.RegModule)
	c.u32(&r.Major)
	c.u32(&r.Minor)
}

// OpenELW opens a log such as System.
func (e EventlogClient) OpenELW(ctx context.Context, log string) (*NTHandleResponse, error) {
	request := &ElfrOpenELWRequest{Module: &log, RegModule: Ptr(""), Major: 1, Minor: 1}
	return invoke[NTHandleResponse](ctx, e.Client, EVENTLOG, OpElfrOpenELW, request)
}

// ElfrNumberOfRecordsResponse counts the events of a log.
//
// See [MS-EVEN] 3.1.4.13.
type ElfrNumberOfRecordsResponse struct {
	Records uint32
	NTResult
}

func (r *ElfrNumberOfRecordsResponse) ndr(c *coder) {
	c.u32(&r.Records)
	r.result(c)
}

// NumberOfRecords counts the events of a log.
func (e EventlogClient) NumberOfRecords(ctx context.Context, h Handle) (*ElfrNumberOfRecordsResponse, error) {
	return invoke[ElfrNumberOfRecordsResponse](ctx, e.Client, EVENTLOG, OpElfrNumberOfRecords, &HandleRequest{h})
}
