package dcerpc

import "context"

// WinregClient calls [MS-RRP] on a Client that is bound to WINREG: the remote registry, reading.
type WinregClient struct{ *Client }

// The opnums of the calls below.
const (
	OpOpenLocalMachine      = 2
	OpBaseRegCloseKey       = 5
	OpBaseRegCreateKey      = 6
	OpBaseRegDeleteKey      = 7
	OpBaseRegDeleteValue    = 8
	OpBaseRegEnumKey        = 9
	OpBaseRegEnumValue      = 10
	OpBaseRegFlushKey       = 11
	OpBaseRegGetKeySecurity = 12
	OpBaseRegOpenKey        = 15
	OpBaseRegQueryInfoKey   = 16
	OpBaseRegQueryValue     = 17
	OpBaseRegSetValue       = 22
	OpBaseRegGetVersion     = 26
)

// RegString is RRP_UNICODE_STRING, whose text counts its terminating zero. An empty text in a buffer with Room is sent
// without one: this is how a client offers the buffer.
//
// See [MS-RRP] 2.2.4.
type RegString struct {
	Value *string
	Room  uint16 // bytes of the buffer if that is more than the text, else 0
}

func (r *RegString) units() []uint16 {
	if r.Value == nil || *r.Value == "" && r.Room > 0 {
		return nil
	}
	return units(*r.Value)
}

func (c *coder) regHead(r *RegString) {
	var length, maximum uint16
	if !c.dec {
		length = uint16(2 * len(r.units()))
		maximum = max(r.Room, length)
	}
	c.align(4)
	c.u16(&length)
	c.u16(&maximum)
	pointer(c, &r.Value)
	if c.dec {
		r.Room = 0
		if maximum > length {
			r.Room = maximum
		}
	}
}

func (c *coder) regBody(r *RegString) {
	if r.Value == nil {
		return
	}
	if c.dec {
		*r.Value = trimZero(c.chars(c.varying(0, 0, 2)))
		return
	}
	u := r.units()
	c.varying(max(int(r.Room)/2, len(u)), len(u), 2)
	c.putChars(u)
}

func (c *coder) reg(r *RegString) {
	c.regHead(r)
	c.regBody(r)
}

// Reg returns the argument for a text.
func Reg(s string) RegString { return RegString{Value: &s} }

// maxKeyName and maxValueName are the longest names in characters, with the zero. See [MS-RRP] 3.1.1.
const (
	maxKeyName   = 256
	maxValueName = 16384
)

// OpenRootRequest opens a predefined key. The server's name has one character, as the call was declared.
//
// See [MS-RRP] 3.1.5.3.
type OpenRootRequest struct {
	ServerName    *uint16
	DesiredAccess uint32
}

func (r *OpenRootRequest) ndr(c *coder) {
	if pointer(c, &r.ServerName) {
		c.u16(r.ServerName)
	}
	c.u32(&r.DesiredAccess)
}

// The rights of keys. See [MS-RRP] 2.2.3.
const (
	KeyQueryValue     = 0x00000001
	KeySetValue       = 0x00000002
	KeyCreateSubKey   = 0x00000004
	KeyEnumerate      = 0x00000008
	KeyRead           = 0x00020019
	KeyWrite          = 0x00020006
	Key64             = 0x00000100
	ReadControl       = 0x00020000
	StandardDeleteKey = 0x00010000
)

// OpenLocalMachine opens HKEY_LOCAL_MACHINE.
func (w WinregClient) OpenLocalMachine(ctx context.Context, access uint32) (*WHandleResponse, error) {
	return invoke[WHandleResponse](ctx, w.Client, WINREG, OpOpenLocalMachine, &OpenRootRequest{nil, access})
}

// CloseKey closes a key.
func (w WinregClient) CloseKey(ctx context.Context, key Handle) (*WHandleResponse, error) {
	return invoke[WHandleResponse](ctx, w.Client, WINREG, OpBaseRegCloseKey, &HandleRequest{key})
}

// BaseRegOpenKeyRequest opens a key below another.
//
// See [MS-RRP] 3.1.5.15.
type BaseRegOpenKeyRequest struct {
	Key           Handle
	SubKey        RegString
	Options       uint32
	DesiredAccess uint32
}

func (r *BaseRegOpenKeyRequest) ndr(c *coder) {
	c.handle(&r.Key)
	c.reg(&r.SubKey)
	c.u32(&r.Options)
	c.u32(&r.DesiredAccess)
}

// OpenKey opens a key below another.
func (w WinregClient) OpenKey(ctx context.Context, key Handle, path string, access uint32) (*WHandleResponse, error) {
	return invoke[WHandleResponse](ctx, w.Client, WINREG, OpBaseRegOpenKey,
		&BaseRegOpenKeyRequest{key, Reg(path), 0, access})
}

// BaseRegEnumKeyRequest asks for the name of one subkey.
//
// See [MS-RRP] 3.1.5.10.
type BaseRegEnumKeyRequest struct {
	Key       Handle
	Index     uint32
	Name      RegString
	Class     *RegString
	LastWrite *uint64 // FILETIME
}

func (c *coder) optReg(r **RegString) {
	if pointer(c, r) {
		c.reg(*r)
	}
}

func (c *coder) optTime(t **uint64) {
	if pointer(c, t) {
		c.hyper32(*t)
	}
}

func (r *BaseRegEnumKeyRequest) ndr(c *coder) {
	c.handle(&r.Key)
	c.u32(&r.Index)
	c.reg(&r.Name)
	c.optReg(&r.Class)
	c.optTime(&r.LastWrite)
}

// BaseRegEnumKeyResponse returns it; ERROR_NO_MORE_ITEMS ends the list.
type BaseRegEnumKeyResponse struct {
	Name      RegString
	Class     *RegString
	LastWrite *uint64
	WResult
}

func (r *BaseRegEnumKeyResponse) ndr(c *coder) {
	c.reg(&r.Name)
	c.optReg(&r.Class)
	c.optTime(&r.LastWrite)
	r.result(c)
}

// EnumKey returns the name of the subkey at an index.
func (w WinregClient) EnumKey(ctx context.Context, key Handle, index uint32) (*BaseRegEnumKeyResponse, error) {
	request := &BaseRegEnumKeyRequest{
		Key: key, Index: index, Name: RegString{Ptr(""), 2 * maxKeyName},
		Class: &RegString{Ptr(""), 2 * maxKeyName}, LastWrite: new(uint64),
	}
	return invoke[BaseRegEnumKeyResponse](ctx, w.Client, WINREG, OpBaseRegEnumKey, request)
}

// BaseRegQueryInfoKeyRequest requests the number and sizes of a key's contents.
//
// See [MS-RRP] 3.1.5.16.
type BaseRegQueryInfoKeyRequest struct {
	Key   Handle
	Class RegString
}

func (r *BaseRegQueryInfoKeyRequest) ndr(c *coder) {
	c.handle(&r.Key)
	c.reg(&r.Class)
}

// BaseRegQueryInfoKeyResponse is the response; lengths are in bytes.
type BaseRegQueryInfoKeyResponse struct {
	Class                              RegString
	SubKeys, MaxSubKey, MaxClass       uint32
	Values, MaxValueName, MaxValueData uint32
	DescriptorSize                     uint32
	LastWrite                          uint64
	WResult
}

func (r *BaseRegQueryInfoKeyResponse) ndr(c *coder) {
	c.reg(&r.Class)
	for _, v := range []*uint32{
		&r.SubKeys, &r.MaxSubKey, &r.MaxClass, &r.Values, &r.MaxValueName, &r.MaxValueData,
		&r.DescriptorSize,
	} {
		c.u32(v)
	}
	c.hyper32(&r.LastWrite)
	r.result(c)
}

// QueryInfoKey returns the number and sizes of a key's contents.
func (w WinregClient) QueryInfoKey(ctx context.Context, key Handle) (*BaseRegQueryInfoKeyResponse, error) {
	return invoke[BaseRegQueryInfoKeyResponse](ctx, w.Client, WINREG, OpBaseRegQueryInfoKey,
		&BaseRegQueryInfoKeyRequest{key, RegString{Ptr(""), 0}})
}

// BaseRegGetVersionResponse returns the version of the remote registry.
//
// See [MS-RRP] 3.1.5.24.
type BaseRegGetVersionResponse struct {
	Version uint32
	WResult
}

func (r *BaseRegGetVersionResponse) ndr(c *coder) {
	c.u32(&r.Version)
	r.result(c)
}

// GetVersion returns the version of the remote registry.
func (w WinregClient) GetVersion(ctx context.Context, key Handle) (*BaseRegGetVersionResponse, error) {
	return invoke[BaseRegGetVersionResponse](ctx, w.Client, WINREG, OpBaseRegGetVersion, &HandleRequest{key})
}

// RegDescriptor is RPC_SECURITY_DESCRIPTOR: a buffer of Room bytes with the descriptor in it.
//
// See [MS-RRP] 2.2.8.
type RegDescriptor struct {
	Bytes []byte // nil for no buffer
	Room  uint32
}

func (c *coder) regDescriptor(d *RegDescriptor) {
	c.regDescriptorBody(d, c.regDescriptorHead(d))
}

func (c *coder) regDescriptorHead(d *RegDescriptor) bool {
	present := c.pointerIf(d.Bytes != nil)
	c.u32(&d.Room)
	length := uint32(len(d.Bytes))
	c.u32(&length)
	return present
}

func (c *coder) regDescriptorBody(d *RegDescriptor, present bool) {
	if c.dec {
		d.Bytes = nil
	}
	if !present {
		return
	}
	n := c.varying(max(int(d.Room), len(d.Bytes)), len(d.Bytes), 1)
	if c.dec {
		d.Bytes = make([]byte, n)
	}
	c.raw(d.Bytes)
}

// BaseRegGetKeySecurityRequest asks for a key's security descriptor.
//
// See [MS-RRP] 3.1.5.13.
type BaseRegGetKeySecurityRequest struct {
	Key         Handle
	Information uint32
	Descriptor  RegDescriptor
}

func (r *BaseRegGetKeySecurityRequest) ndr(c *coder) {
	c.handle(&r.Key)
	c.u32(&r.Information)
	c.regDescriptor(&r.Descriptor)
}

// BaseRegGetKeySecurityResponse is the response.
type BaseRegGetKeySecurityResponse struct {
	Descriptor RegDescriptor
	WResult
}

func (r *BaseRegGetKeySecurityResponse) ndr(c *coder) {
	c.regDescriptor(&r.Descriptor)
	r.result(c)
}

// GetKeySecurity returns a key's security descriptor, of at most size bytes.
func (w WinregClient) GetKeySecurity(ctx context.Context, key Handle, information,
	size uint32,
) (*BaseRegGetKeySecurityResponse, error) {
	request := &BaseRegGetKeySecurityRequest{key, information, RegDescriptor{[]byte{}, size}}
	return invoke[BaseRegGetKeySecurityResponse](ctx, w.Client, WINREG, OpBaseRegGetKeySecurity, request)
}
