package dcerpc

import "context"

// WinregWriter has the calls that change the registry. It is a separate type, so that code that only reads cannot call
// them.
type WinregWriter struct{ *Client }

// BaseRegCreateKeyRequest opens a key and creates it if necessary.
//
// See [MS-RRP] 3.1.5.7.
type BaseRegCreateKeyRequest struct {
	Key           Handle
	SubKey, Class RegString
	Options       uint32
	DesiredAccess uint32
	Security      *RegSecurity
	Disposition   *uint32
}

// RegSecurity is RPC_SECURITY_ATTRIBUTES.
//
// See [MS-RRP] 2.2.7.
type RegSecurity struct {
	Length     uint32
	Descriptor RegDescriptor
	Inherit    uint8
}

func (r *BaseRegCreateKeyRequest) ndr(c *coder) {
	c.handle(&r.Key)
	c.reg(&r.SubKey)
	c.reg(&r.Class)
	c.u32(&r.Options)
	c.u32(&r.DesiredAccess)
	if pointer(c, &r.Security) {
		c.u32(&r.Security.Length)
		present := c.regDescriptorHead(&r.Security.Descriptor)
		c.u8(&r.Security.Inherit)
		c.regDescriptorBody(&r.Security.Descriptor, present)
	}
	c.optU32(&r.Disposition)
}

// The dispositions of a created key. See [MS-RRP] 3.1.5.7.
const (
	RegCreatedNewKey     = 1
	RegOpenedExistingKey = 2
)

// BaseRegCreateKeyResponse returns the key.
type BaseRegCreateKeyResponse struct {
	Key         Handle
	Disposition *uint32
	WResult
}

func (r *BaseRegCreateKeyResponse) ndr(c *coder) {
	c.handle(&r.Key)
	c.optU32(&r.Disposition)
	r.result(c)
}

// CreateKey opens a key below another and creates it if necessary.
func (w WinregWriter) CreateKey(ctx context.Context, key Handle, path string, access uint32) (*BaseRegCreateKeyResponse,
	error,
) {
	request := &BaseRegCreateKeyRequest{
		Key: key, SubKey: Reg(path), Class: Reg(""), DesiredAccess: access,
		Disposition: new(uint32),
	}
	return invoke[BaseRegCreateKeyResponse](ctx, w.Client, WINREG, OpBaseRegCreateKey, request)
}

// BaseRegSetValueRequest writes a value.
//
// See [MS-RRP] 3.1.5.22.
type BaseRegSetValueRequest struct {
	Key  Handle
	Name RegString
	Type uint32
	Data []byte
}

func (r *BaseRegSetValueRequest) ndr(c *coder) {
	c.handle(&r.Key)
	c.reg(&r.Name)
	c.u32(&r.Type)
	c.octets(&r.Data)
	n := uint32(len(r.Data))
	c.u32(&n)
	if c.dec && c.err == nil && int(n) != len(r.Data) {
		c.malformed("%d bytes are said to be %d", len(r.Data), n)
	}
}

// WStatusResponse is the response of calls that return only a Win32 error code.
type WStatusResponse struct{ WResult }

func (r *WStatusResponse) ndr(c *coder) { r.result(c) }

// SetValue writes a value. The types are those of [MS-RRP] 3.1.1.5: 1 REG_SZ, 3 REG_BINARY, 4 REG_DWORD, 7
// REG_MULTI_SZ.
func (w WinregWriter) SetValue(ctx context.Context, key Handle, name string, kind uint32, data []byte) error {
	_, err := invoke[WStatusResponse](ctx, w.Client, WINREG, OpBaseRegSetValue,
		&BaseRegSetValueRequest{key, Reg(name), kind, data})
	return err
}

// BaseRegNameRequest names a value to delete, or a key.
//
// See [MS-RRP] 3.1.5.8 and 3.1.5.9.
type BaseRegNameRequest struct {
	Key  Handle
	Name RegString
}

func (r *BaseRegNameRequest) ndr(c *coder) {
	c.handle(&r.Key)
	c.reg(&r.Name)
}

// DeleteValue deletes a value.
func (w WinregWriter) DeleteValue(ctx context.Context, key Handle, name string) error {
	_, err := invoke[WStatusResponse](ctx, w.Client, WINREG, OpBaseRegDeleteValue, &BaseRegNameRequest{key, Reg(name)})
	return err
}

// DeleteKey deletes a key that has no subkeys.
func (w WinregWriter) DeleteKey(ctx context.Context, key Handle, path string) error {
	_, err := invoke[WStatusResponse](ctx, w.Client, WINREG, OpBaseRegDeleteKey, &BaseRegNameRequest{key, Reg(path)})
	return err
}

// FlushKey asks the server to write the key to disk and returns when that is done.
func (w WinregWriter) FlushKey(ctx context.Context, key Handle) error {
	_, err := invoke[WStatusResponse](ctx, w.Client, WINREG, OpBaseRegFlushKey, &HandleRequest{key})
	return err
}
