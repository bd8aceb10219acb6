package dcerpc

import "context"

// SpoolssClient calls [MS-RPRN] on a Client that is bound to SPOOLSS: printers. There is no encoder for the calls that
// register for change notifications: they make the server connect to another host.
type SpoolssClient struct{ *Client }

// The opnums of the calls below.
const (
	OpRpcEnumPrinters  = 0
	OpRpcClosePrinter  = 29
	OpRpcOpenPrinterEx = 69
)

// EnumPrinters flags. See [MS-RPRN] 2.2.3.7.
const (
	PrinterEnumLocal = 0x02
	PrinterEnumName  = 0x08
)

// RpcEnumPrintersRequest asks for printers into a buffer of Size bytes.
//
// See [MS-RPRN] 3.1.4.2.1.
type RpcEnumPrintersRequest struct {
	Flags  uint32
	Name   *string
	Level  uint32
	Buffer []byte // as long as Size, or nil
	Size   uint32
}

func (c *coder) optOctets(b *[]byte) {
	present := c.pointerIf(*b != nil)
	if c.dec {
		*b = nil
	}
	if present {
		c.octets(b)
	}
}

func (r *RpcEnumPrintersRequest) ndr(c *coder) {
	c.u32(&r.Flags)
	c.optStr(&r.Name)
	c.u32(&r.Level)
	c.optOctets(&r.Buffer)
	c.u32(&r.Size)
}

// RpcEnumPrintersResponse holds the printers in the buffer, with the layout of [MS-RPRN] 2.2.2, and their number; or
// the necessary number of bytes, with ERROR_INSUFFICIENT_BUFFER.
type RpcEnumPrintersResponse struct {
	Buffer   []byte
	Needed   uint32
	Returned uint32
	WResult
}

func (r *RpcEnumPrintersResponse) ndr(c *coder) {
	c.optOctets(&r.Buffer)
	c.u32(&r.Needed)
	c.u32(&r.Returned)
	r.result(c)
}

// maxPrinterBuffer bounds the buffer whose size the server requests: it is sent in both directions.
const maxPrinterBuffer = 1 << 20

// EnumPrinters lists the server's own printers at level 1. An ERROR_INSUFFICIENT_BUFFER with Needed is returned as the
// error; call again with a buffer of that size.
func (s SpoolssClient) EnumPrinters(ctx context.Context, server string, size uint32) (*RpcEnumPrintersResponse, error) {
	request := &RpcEnumPrintersRequest{Flags: PrinterEnumLocal, Name: &server, Level: 1}
	if size > 0 {
		request.Size = min(size, maxPrinterBuffer)
		request.Buffer = make([]byte, request.Size)
	}
	return invoke[RpcEnumPrintersResponse](ctx, s.Client, SPOOLSS, OpRpcEnumPrinters, request)
}

// SplClient is SPLCLIENT_INFO_1: who prints.
//
// See [MS-RPRN] 2.2.1.3.1.
type SplClient struct {
	Size                uint32
	Machine, User       *string
	Build, Major, Minor uint32
	Architecture        uint16
}

// RpcOpenPrinterExRequest opens the print server (name \\server) or a printer.
//
// See [MS-RPRN] 3.1.4.2.15.
type RpcOpenPrinterExRequest struct {
	Name          *string
	Datatype      *string
	DevMode       []byte
	DesiredAccess uint32
	Client        *SplClient
}

func (r *RpcOpenPrinterExRequest) ndr(c *coder) {
	c.optStr(&r.Name)
	c.optStr(&r.Datatype)
	c.countedBytes(&r.DevMode)
	c.u32(&r.DesiredAccess)
	level, arm := uint32(1), uint32(1)
	c.u32(&level)
	c.u32(&arm)
	if level != 1 || arm != 1 {
		c.malformed("SPLCLIENT_CONTAINER level %d, arm %d", level, arm)
		return
	}
	if !pointer(c, &r.Client) {
		return
	}
	i := r.Client
	c.u32(&i.Size)
	pointer(c, &i.Machine)
	pointer(c, &i.User)
	c.u32(&i.Build)
	c.u32(&i.Major)
	c.u32(&i.Minor)
	c.u16(&i.Architecture)
	c.strBody(i.Machine)
	c.strBody(i.User)
}

// OpenPrinterEx opens the print server with the least access.
func (s SpoolssClient) OpenPrinterEx(ctx context.Context, server string, access uint32) (*WHandleResponse, error) {
	request := &RpcOpenPrinterExRequest{
		Name: &server, DesiredAccess: access,
		Client: &SplClient{Size: 28, Machine: Ptr(""), User: Ptr("")},
	}
	return invoke[WHandleResponse](ctx, s.Client, SPOOLSS, OpRpcOpenPrinterEx, request)
}

// ClosePrinter closes a handle.
func (s SpoolssClient) ClosePrinter(ctx context.Context, h Handle) (*WHandleResponse, error) {
	return invoke[WHandleResponse](ctx, s.Client, SPOOLSS, OpRpcClosePrinter, &HandleRequest{h})
}
