package dcerpc

import (
	"context"
	"unicode/utf16"
)

func units(s string) []uint16 { return append(utf16.Encode([]rune(s)), 0) }

// RegData is the buffer of a value as the reading calls pass it in and out: four consistent pointers.
//
// See [MS-RRP] 3.1.5.17.
type RegData struct {
	Type *uint32
	Data []byte  // nil for no buffer
	Size *uint32 // bytes of the buffer; in a response, bytes of the value
	Len  *uint32 // bytes on the wire
}

func (d *RegData) code(c *coder) {
	c.optU32(&d.Type)
	present := c.pointerIf(d.Data != nil)
	if c.dec {
		d.Data = nil
	}
	if present {
		room := len(d.Data)
		if d.Size != nil {
			room = max(room, int(*d.Size))
		}
		n := c.varying(room, len(d.Data), 1)
		if c.dec {
			d.Data = make([]byte, n)
		}
		c.raw(d.Data)
	}
	c.optU32(&d.Size)
	c.optU32(&d.Len)
}

// BaseRegQueryValueRequest asks for a value by name.
//
// See [MS-RRP] 3.1.5.17.
type BaseRegQueryValueRequest struct {
	Key   Handle
	Name  RegString
	Value RegData
}

func (r *BaseRegQueryValueRequest) ndr(c *coder) {
	c.handle(&r.Key)
	c.reg(&r.Name)
	r.Value.code(c)
}

// BaseRegQueryValueResponse is the response. With ERROR_MORE_DATA, Size is the necessary size of the buffer.
type BaseRegQueryValueResponse struct {
	Value RegData
	WResult
}

func (r *BaseRegQueryValueResponse) ndr(c *coder) {
	r.Value.code(c)
	r.result(c)
}

func buffer(size uint32) RegData {
	return RegData{Type: new(uint32), Data: []byte{}, Size: &size, Len: new(uint32)}
}

// QueryValue returns a value by name into size bytes.
func (w WinregClient) QueryValue(ctx context.Context, key Handle, name string, size uint32) (*BaseRegQueryValueResponse,
	error,
) {
	request := &BaseRegQueryValueRequest{key, Reg(name), buffer(size)}
	return invoke[BaseRegQueryValueResponse](ctx, w.Client, WINREG, OpBaseRegQueryValue, request)
}

// BaseRegEnumValueRequest asks for one value by index.
//
// See [MS-RRP] 3.1.5.11.
type BaseRegEnumValueRequest struct {
	Key   Handle
	Index uint32
	Name  RegString
	Value RegData
}

func (r *BaseRegEnumValueRequest) ndr(c *coder) {
	c.handle(&r.Key)
	c.u32(&r.Index)
	c.reg(&r.Name)
	r.Value.code(c)
}

// BaseRegEnumValueResponse returns it; ERROR_NO_MORE_ITEMS ends the list.
type BaseRegEnumValueResponse struct {
	Name  RegString
	Value RegData
	WResult
}

func (r *BaseRegEnumValueResponse) ndr(c *coder) {
	c.reg(&r.Name)
	r.Value.code(c)
	r.result(c)
}

// EnumValue returns the value at an index into size bytes.
func (w WinregClient) EnumValue(ctx context.Context, key Handle, index, size uint32) (*BaseRegEnumValueResponse,
	error,
) {
	request := &BaseRegEnumValueRequest{key, index, RegString{Ptr(""), 2*maxValueName - 2}, buffer(size)}
	return invoke[BaseRegEnumValueResponse](ctx, w.Client, WINREG, OpBaseRegEnumValue, request)
}
