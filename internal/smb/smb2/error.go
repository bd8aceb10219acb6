package smb2

import "fmt"

const errorSize = 9

// The ids of error contexts. See [MS-SMB2] 2.2.2.1.
const (
	ErrorIDDefault       = 0x00000000
	ErrorIDShareRedirect = 0x72645253
)

// ErrorResponse is the body of a response that failed, and of an interim response.
// See [MS-SMB2] 2.2.2.
type ErrorResponse struct {
	ErrorContextCount byte
	Reserved          byte
	ErrorData         []byte
}

// Unmarshal implements Body.
func (r *ErrorResponse) Unmarshal(msg []byte) (int, error) {
	f, err := open(msg, errorSize, 8)
	if err != nil {
		return 0, err
	}
	r.ErrorContextCount, r.Reserved = f.u8(), f.u8()
	end := HeaderLen + 8
	r.ErrorData, err = span(msg, 8, HeaderLen+8, f.u32(), &end)
	return end, err
}

// AppendBody implements Body.
func (r *ErrorResponse) AppendBody(dst []byte, _ int) []byte {
	dst = le.AppendUint16(dst, errorSize)
	dst = append(dst, r.ErrorContextCount, r.Reserved)
	dst = le.AppendUint32(dst, uint32(len(r.ErrorData)))
	return append(dst, r.ErrorData...)
}

// ErrorContext is one entry of ErrorData in 3.1.1.
// See [MS-SMB2] 2.2.2.1.
type ErrorContext struct {
	ID   uint32
	Data []byte
}

// Contexts reads ErrorData as the list of contexts that ErrorContextCount promises.
func (r *ErrorResponse) Contexts() ([]ErrorContext, error) {
	list := make([]ErrorContext, 0, r.ErrorContextCount)
	b, at := r.ErrorData, 0
	for i := range int(r.ErrorContextCount) {
		if i > 0 {
			at = (at + 7) &^ 7 // the body starts at 64 + 8, so alignment in it is alignment here
		}
		if at+8 > len(b) {
			return nil, fmt.Errorf("smb2: error context %d: %w", i, ErrShort)
		}
		n := le.Uint32(b[at:])
		if uint64(n) > uint64(len(b)-at-8) {
			return nil, fmt.Errorf("smb2: error context %d: %w", i, ErrBounds)
		}
		end := at + 8 + int(n)
		list = append(list, ErrorContext{le.Uint32(b[at+4:]), b[at+8 : end : end]})
		at = end
	}
	return list, nil
}

// SetContexts fills ErrorData and ErrorContextCount, which holds at most 255 contexts.
func (r *ErrorResponse) SetContexts(list []ErrorContext) {
	list = list[:min(len(list), 255)]
	r.ErrorContextCount = byte(len(list))
	r.ErrorData = nil
	for i, c := range list {
		for i > 0 && len(r.ErrorData)%8 != 0 {
			r.ErrorData = append(r.ErrorData, 0)
		}
		r.ErrorData = le.AppendUint32(r.ErrorData, uint32(len(c.Data)))
		r.ErrorData = le.AppendUint32(r.ErrorData, c.ID)
		r.ErrorData = append(r.ErrorData, c.Data...)
	}
}
