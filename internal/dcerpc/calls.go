package dcerpc

import (
	"context"
	"fmt"

	"ipcguard/internal/status"
)

// NTResult ends the response of an interface that returns NTSTATUS. Warnings such as STATUS_MORE_ENTRIES are stored
// here and are not errors.
type NTResult struct{ Return status.NTStatus }

func (r *NTResult) result(c *coder) { num(c, &r.Return) }

func (r *NTResult) refused() error {
	if r.Return.IsError() {
		return r.Return
	}
	return nil
}

// More reports whether an enumeration continues at the resume handle of the same response.
func (r *NTResult) More() bool { return r.Return == status.MoreEntries }

// WResult ends the response of an interface that returns a Win32 error code.
type WResult struct{ Return status.WError }

func (r *WResult) result(c *coder) { num(c, &r.Return) }

func (r *WResult) refused() error {
	if r.Return != status.WerrOK && r.Return != status.WerrMoreData {
		return r.Return
	}
	return nil
}

// More reports whether there was more than fitted.
func (r *WResult) More() bool { return r.Return == status.WerrMoreData }

// answer is a response that ends with a status.
type answer interface {
	Message
	refused() error
}

// invoke executes one call. A failing status is returned as an error that wraps status.NTStatus or status.WError,
// together with the response; any other error is returned with nil.
func invoke[R any, P interface {
	*R
	answer
}](ctx context.Context, c *Client, iface SyntaxID, opnum uint16, request Message,
) (*R, error) {
	stub, err := c.Call(ctx, iface, opnum, AppendNDR(nil, request))
	if err != nil {
		return nil, err
	}
	response := new(R)
	if err := UnmarshalNDR(stub, false, P(response)); err != nil {
		return nil, err
	}
	if err := P(response).refused(); err != nil {
		_, name := CallName(iface, opnum)
		return response, fmt.Errorf("%s: %w", name, err)
	}
	return response, nil
}

// array codes a conformant array: the count, the fixed part of each element, then what the elements point to. Either
// function may be nil.
func array[T any](c *coder, s *[]T, size int, head, body func(*T)) {
	conformant(c, s, size)
	elements(*s, head, body)
}

func elements[T any](s []T, head, body func(*T)) {
	for i := range s {
		head(&s[i])
	}
	if body != nil {
		for i := range s {
			body(&s[i])
		}
	}
}

// counted codes the common structure {count, pointer to an array of so many}. A nil slice is a null pointer.
func counted[T any](c *coder, s *[]T, size int, head, body func(*T)) {
	n, present := countedHead(c, *s)
	countedBody(c, s, n, present, size, head, body)
}

func countedHead[T any](c *coder, s []T) (n uint32, present bool) {
	n = uint32(len(s))
	c.u32(&n)
	return n, c.pointerIf(s != nil)
}

func countedBody[T any](c *coder, s *[]T, n uint32, present bool, size int, head, body func(*T)) {
	if c.dec {
		*s = nil
	}
	if !present {
		return
	}
	conformant(c, s, size)
	if c.dec && c.err == nil && n != uint32(len(*s)) {
		c.malformed("array of %d elements is said to have %d", len(*s), n)
		*s = nil
	}
	elements(*s, head, body)
}

// sidPtr codes the SID that a pointer in the fixed part refers to.
func (c *coder) sidBody(s *SID) {
	if s != nil {
		c.sid(s)
	}
}

// optU32 codes a unique pointer to a number if nothing is deferred in between.
func (c *coder) optU32(v **uint32) {
	if pointer(c, v) {
		c.u32(*v)
	}
}

// HandleRequest is the argument list of every call that takes only a handle.
type HandleRequest struct{ Handle Handle }

func (r *HandleRequest) ndr(c *coder) { c.handle(&r.Handle) }

// NTHandleResponse returns a handle: opened, or zero after a close.
type NTHandleResponse struct {
	Handle Handle
	NTResult
}

func (r *NTHandleResponse) ndr(c *coder) {
	c.handle(&r.Handle)
	r.result(c)
}

// WHandleResponse returns a handle: opened, or zero after a close.
type WHandleResponse struct {
	Handle Handle
	WResult
}

func (r *WHandleResponse) ndr(c *coder) {
	c.handle(&r.Handle)
	r.result(c)
}

// The access mask that requests everything that the caller is allowed. See [MS-DTYP] 2.4.3.
const MaximumAllowed = 0x02000000
