package smb2

import "fmt"

// Body is the part after a header: one of the request and response types of this package.
type Body interface {
	// AppendBody appends the body to dst, in which the message's header starts at base and has been appended already.
	AppendBody(dst []byte, base int) []byte
	// Unmarshal reads the body from a whole message, header included, and returns where the last byte that it
	// accounts for ends. Slices it keeps lie in msg.
	Unmarshal(msg []byte) (end int, err error)
}

// Message is a header and its body.
type Message struct {
	Header Header
	Body   Body
	// Tail is what lay behind the body: the padding of a chain, or the one byte that a StructureSize promises for an
	// empty buffer. In a message to be built it is nil, and AppendMarshal adds that byte itself.
	Tail []byte
}

// Parse reads one message, as Chain cuts them, with all its bytes.
func Parse(msg []byte) (*Message, error) {
	m := new(Message)
	if err := m.Header.Unmarshal(msg); err != nil {
		return nil, err
	}
	m.Body = newBody(&m.Header, msg)
	if m.Body == nil {
		return nil, fmt.Errorf("smb2: %w %v", ErrCommand, m.Header.Command)
	}
	end, err := m.Body.Unmarshal(msg)
	if err != nil {
		return nil, fmt.Errorf("smb2: %v %s: %w", m.Header.Command, direction(&m.Header), err)
	}
	m.Tail = msg[end:len(msg):len(msg)]
	return m, nil
}

func direction(h *Header) string {
	if h.IsResponse() {
		return "response"
	}
	return "request"
}

// AppendMarshal appends the message. NextCommand and Signature are the header's own: a chain and a signer patch them.
func (m *Message) AppendMarshal(dst []byte) []byte {
	base := len(dst)
	dst = m.Header.AppendMarshal(dst)
	dst = m.Body.AppendBody(dst, base)
	if m.Tail != nil {
		return append(dst, m.Tail...)
	}
	if promised := base + HeaderLen + int(le.Uint16(dst[base+HeaderLen:])); len(dst) < promised {
		dst = append(dst, 0)
	}
	return dst
}

// IsError reports whether a response has the error layout instead of its command's own: any other status than success,
// but for the answers that carry data with it. See [MS-SMB2] 3.3.4.4.
func IsError(h *Header, msg []byte) bool {
	if h.Status == statusSuccess || len(msg) < HeaderLen+2 || le.Uint16(msg[HeaderLen:]) != errorSize {
		return false
	}
	switch h.Command {
	case SessionSetup:
		return h.Status != statusMoreProcessingRequired
	case QueryInfo:
		return h.Status != statusBufferOverflow
	case ChangeNotify:
		return h.Status != statusNotifyEnumDir
	}
	return true
}

// newBody makes the struct that a message decodes into; nil for an unknown command.
func newBody(h *Header, msg []byte) Body {
	if h.IsResponse() {
		if IsError(h, msg) {
			return new(ErrorResponse)
		}
		return newResponse(h.Command, msg)
	}
	return newRequest(h.Command, msg)
}

func newRequest(c Command, msg []byte) Body {
	switch c {
	case Negotiate:
		return new(NegotiateRequest)
	case SessionSetup:
		return new(SessionSetupRequest)
	case Logoff, TreeDisconnect, Echo, Cancel:
		return new(Empty)
	case TreeConnect:
		return new(TreeConnectRequest)
	case Create:
		return new(CreateRequest)
	case Close:
		return new(CloseRequest)
	case Flush:
		return new(FlushRequest)
	case Read:
		return new(ReadRequest)
	case Write:
		return new(WriteRequest)
	case Lock:
		return new(LockRequest)
	case IOCTL:
		return new(IOCTLRequest)
	case QueryDirectory:
		return new(QueryDirectoryRequest)
	case ChangeNotify:
		return new(ChangeNotifyRequest)
	case QueryInfo:
		return new(QueryInfoRequest)
	case SetInfo:
		return new(SetInfoRequest)
	case OplockBreak:
		return newBreak(msg)
	}
	return nil
}

func newResponse(c Command, msg []byte) Body {
	switch c {
	case Negotiate:
		return new(NegotiateResponse)
	case SessionSetup:
		return new(SessionSetupResponse)
	case Logoff, TreeDisconnect, Echo, Flush, Lock, Cancel:
		return new(Empty)
	case TreeConnect:
		return new(TreeConnectResponse)
	case Create:
		return new(CreateResponse)
	case Close:
		return new(CloseResponse)
	case Read:
		return new(ReadResponse)
	case Write:
		return new(WriteResponse)
	case IOCTL:
		return new(IOCTLResponse)
	case QueryDirectory, ChangeNotify, QueryInfo:
		return new(BufferResponse)
	case SetInfo:
		return new(SetInfoResponse)
	case OplockBreak:
		return newBreak(msg)
	case ServerNotify:
		return new(ServerNotification)
	}
	return nil
}
