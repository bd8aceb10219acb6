package smb1

// decoder is a body that reads itself.
type decoder interface {
	Body
	decode(r *reader)
}

// Decode turns block i of a message into the struct of its command.
func (m *Message) Decode(i int) (Body, error) {
	b := &m.Blocks[i]
	body := empty(b, m.Reply())
	if body == nil {
		g := &Generic{Code: b.Command, Link: b.Command.AndX() && len(b.Words) >= 4, Words: b.Words, Bytes: b.Bytes}
		if g.Link {
			g.Words = g.Words[4:]
		}
		return g, nil
	}
	r := &reader{m: m.Raw, words: b.Words, pos: b.begin(), end: b.begin() + len(b.Bytes), uni: m.Unicode()}
	body.decode(r)
	return body, r.err
}

// empty is the struct for a block, nil when there is none.
func empty(b *Block, reply bool) decoder {
	n := len(b.Words) / 2
	if reply {
		return emptyReply(b.Command, n)
	}
	switch b.Command {
	case Negotiate:
		return new(NegotiateRequest)
	case SessionSetupAndX:
		if n == SetupLANMAN || n == SetupExtended || n == SetupNT {
			return new(SessionSetupRequest)
		}
	case LogoffAndX:
		if n == 2 {
			return new(Logoff)
		}
	case TreeConnectAndX:
		return new(TreeConnectRequest)
	case TreeConnect:
		return new(TreeConnectCore)
	case TreeDisconnect:
		return new(TreeDisconnectMessage)
	case NTCreateAndX:
		return new(NTCreateRequest)
	case OpenAndX:
		return new(OpenRequest)
	case Close:
		return new(CloseRequest)
	case ReadAndX:
		return new(ReadRequest)
	case WriteAndX:
		return new(WriteRequest)
	case Transaction, Transaction2, NTTransact:
		return &TransRequest{Code: b.Command}
	case TransactionSecondary, Transaction2Secondary, NTTransactSecondary:
		return &TransSecondary{Code: b.Command}
	case Echo:
		return new(EchoMessage)
	case NTCancel:
		return new(Cancel)
	}
	return nil
}

func emptyReply(c Command, words int) decoder {
	switch {
	case c == TreeDisconnect && words == 0:
		return new(TreeDisconnectMessage)
	case c == Negotiate && words == 17:
		return new(NegotiateResponse)
	case c == Negotiate && words == 13:
		return new(NegotiateLANMAN)
	case c == Negotiate && words == 1:
		return new(NegotiateCore)
	case c == SessionSetupAndX && (words == 3 || words == 4):
		return new(SessionSetupResponse)
	case c == LogoffAndX && words == 2:
		return new(Logoff)
	case c == TreeConnectAndX && (words == 2 || words == 3 || words == 7):
		return new(TreeConnectResponse)
	case c == TreeConnect && words == 2:
		return new(TreeConnectCoreResponse)
	case c == NTCreateAndX && words >= 34:
		return new(NTCreateResponse)
	case c == OpenAndX && words >= 15:
		return new(OpenResponse)
	case c == ReadAndX && words == 12:
		return new(ReadResponse)
	case c == WriteAndX && words == 6:
		return new(WriteResponse)
	case (c == Transaction || c == Transaction2) && words >= 10, c == NTTransact && words >= 18:
		return &TransResponse{Code: c}
	case c == Echo && words == 1:
		return new(EchoMessage)
	}
	return nil
}
