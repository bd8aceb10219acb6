package smb

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"ipcguard/internal/smb/nbss"
	"ipcguard/internal/smb/smb1"
	"ipcguard/internal/smb/smb2"
	"ipcguard/internal/smb/smbcrypt"
	"ipcguard/internal/status"
)

const (
	// buffer1 is the longest message that this side takes: the largest value that the field holds.
	buffer1 = 0xFFFF
	// room1 is taken off a buffer for headers and padding; the longest are those of TRANSACTION, below 100 bytes.
	room1 = 512
	// maxParts bounds the answers to one TRANSACTION. The whole has 64 KiB at most, and servers fill 4 KiB and more.
	maxParts = 64
	// maxFlight bounds the requests in flight, however many MaxMpxCount allows; Windows allows 50.
	maxFlight = 50
	// pid1 is the process id of every request.
	pid1 = 0xFEFF
)

// client1 is the backend for SMB1.
type client1 struct {
	c     *Conn
	neg   smb1.NegotiateResponse
	slots chan struct{} // as many requests in flight as the server takes

	mu       sync.Mutex // held from the choice of a number to the end of the write: the order is part of signing
	mid      uint16
	calls    map[uint16]*call1
	signer   *smbcrypt.Signer1 // nil until a logon with a secret begins to sign; then for every session
	sequence uint32            // of the next request
}

// call1 is a request in flight, and what came for it so far.
type call1 struct {
	*call
	command smb1.Command
	signer  *smbcrypt.Signer1
	number  uint32 // of its answers
	parts   int
	whole   *smb1.TransResponse // of a TRANSACTION in several answers
	got     int                 // bytes of its data
}

// request1 says who sends a message.
type request1 struct {
	layer    string
	deadline time.Time
	uid, tid uint16
}

// answer1 is a response: its message, and of a TRANSACTION the whole of its data.
type answer1 struct {
	*smb1.Message
	trans *smb1.TransResponse
}

// flags1 are the Flags2 that the options ask for.
func flags1(o *Options) uint16 {
	flags2 := smb1.Flags2LongNames | smb1.Flags2NTStatus
	if !o.OEM {
		flags2 |= smb1.Flags2Unicode
	}
	if !o.NoExtendedSecurity {
		flags2 |= smb1.Flags2ExtendedSecurity
	}
	return flags2
}

// appendNegotiate1 appends the SMB1 NEGOTIATE request that a server may answer in either family.
// See [MS-SMB2] 3.2.4.2.2.1 and [MS-CIFS] 2.2.4.52.1.
func appendNegotiate1(dst []byte, o *Options) []byte {
	h := smb1.Header{
		Flags: smb1.FlagsCaseInsensitive | smb1.FlagsCanonicalPaths, Flags2: flags1(o),
		TID: 0xFFFF, PIDLow: pid1,
	}
	dst, err := smb1.Append(dst, &h, &smb1.NegotiateRequest{Dialects: dialects1(o)})
	if err != nil {
		panic(err) // three short names fit
	}
	return dst
}

func dialects1(o *Options) []string {
	var names []string
	if slices.Contains(o.Dialects, SMB1) {
		names = append(names, smb1.DialectNTLM012)
	}
	if slices.Contains(o.Dialects, SMB202) {
		names = append(names, smb1.DialectSMB2002)
	}
	if slices.ContainsFunc(o.Dialects, func(d Dialect) bool { return d >= SMB210 }) {
		names = append(names, smb1.DialectSMB2)
	}
	return names
}

// newClient1 takes the connection over when the server answered in SMB1.
func newClient1(c *Conn, answer []byte) (backend, error) {
	m, body, err := parse1(answer)
	if err != nil {
		return nil, err.at(layerNegotiate)
	}
	if m.Command != smb1.Negotiate || !m.Reply() {
		return nil, broken("%v where the answer to NEGOTIATE belongs", m.Command).at(layerNegotiate)
	}
	if s := m.NTStatus(); s != status.Success {
		return nil, statusError(layerNegotiate, uint32(s))
	}
	neg, ok := body.(*smb1.NegotiateResponse)
	if core, none := body.(*smb1.NegotiateCore); none && core.DialectIndex == smb1.NoDialect {
		return nil, statusError(layerNegotiate, uint32(status.NotSupported))
	}
	names := dialects1(&c.o)
	if !ok || int(neg.DialectIndex) >= len(names) || names[neg.DialectIndex] != smb1.DialectNTLM012 {
		return nil, broken("the server chose a dialect that was not offered").at(layerNegotiate)
	}
	b := &client1{c: c, neg: *neg, calls: map[uint16]*call1{}, sequence: 0}
	b.slots = make(chan struct{}, min(max(1, int(neg.MaxMpxCount)), maxFlight))
	c.neg = Negotiated{
		Dialect: SMB1, ServerGUID: neg.ServerGUID, Capabilities: neg.Capabilities,
		SigningEnabled:  neg.SecurityMode&smb1.SecuritySignEnabled != 0,
		SigningRequired: neg.SecurityMode&smb1.SecuritySignRequired != 0,
		SecurityBlob:    neg.SecurityBlob, Signing: "MD5",
		MaxTransact: neg.MaxBufferSize, MaxRead: neg.MaxBufferSize, MaxWrite: neg.MaxBufferSize,
		SystemTime: smb2.FileTime(neg.SystemTime),
		Challenge:  neg.Challenge, DomainName: neg.DomainName, ServerName: neg.ServerName,
		UserLevel: neg.SecurityMode&smb1.SecurityUserLevel != 0, TimeZone: neg.TimeZone,
	}
	c.neg.mechanisms()
	return b, nil
}

// parse1 reads a message and its first command.
func parse1(frame []byte) (*smb1.Message, smb1.Body, *TransportError) {
	m, err := smb1.Parse(frame)
	if err == nil {
		var body smb1.Body
		if body, err = m.Decode(0); err == nil {
			return m, body, nil
		}
	}
	return nil, nil, &TransportError{Reason: "malformed answer: " + err.Error(), Err: err}
}

// extended tells whether the server takes SPNEGO tokens.
func (b *client1) extended() bool { return b.neg.Capabilities&smb1.CapExtendedSecurity != 0 }

// header is what every request of this connection begins with.
func (b *client1) header(r request1) smb1.Header {
	flags2 := flags1(&b.c.o)
	if b.neg.Capabilities&smb1.CapUnicode == 0 {
		flags2 &^= smb1.Flags2Unicode
	}
	if b.neg.Capabilities&smb1.CapStatus32 == 0 {
		flags2 &^= smb1.Flags2NTStatus
	}
	if !b.extended() {
		flags2 &^= smb1.Flags2ExtendedSecurity
	}
	if b.c.neg.SigningEnabled || b.c.neg.SigningRequired {
		flags2 |= smb1.Flags2SecuritySignature
	}
	return smb1.Header{
		Flags: smb1.FlagsCaseInsensitive | smb1.FlagsCanonicalPaths, Flags2: flags2,
		TID: r.tid, PIDLow: pid1, UID: r.uid,
	}
}

// exchange sends one message and waits for its whole answer.
func (b *client1) exchange(ctx context.Context, r request1, bodies ...smb1.Body) (answer1, error) {
	timer := time.NewTimer(time.Until(r.deadline))
	defer timer.Stop()
	select {
	case b.slots <- struct{}{}:
		defer func() { <-b.slots }()
	case <-b.c.down:
		return answer1{}, b.c.err(r.layer)
	case <-ctx.Done():
		return answer1{}, netError(r.layer, ctx.Err())
	case <-timer.C:
		return answer1{}, netError(r.layer, context.DeadlineExceeded)
	}
	call, err := b.send(r, bodies)
	if err != nil {
		return answer1{}, err
	}
	got, err := b.c.wait(ctx, call.call, r.layer, r.deadline)
	b.mu.Lock()
	delete(b.calls, uint16(call.id))
	b.mu.Unlock()
	if err != nil {
		return answer1{}, err
	}
	m, perr := smb1.Parse(got.msg)
	if perr != nil {
		return answer1{}, (&TransportError{Reason: "malformed answer: " + perr.Error(), Err: perr}).at(r.layer)
	}
	return answer1{m, call.whole}, nil
}

// send numbers, signs and writes a message.
func (b *client1) send(r request1, bodies []smb1.Body) (*call1, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	h := b.header(r)
	h.MID = b.nextMID()
	frame, err := smb1.Append(make([]byte, nbss.HeaderLen, 512), &h, bodies...)
	if err != nil {
		return nil, fmt.Errorf("smb: %s: %w", r.layer, err)
	}
	depth := b.c.depthNow()
	c, err := b.c.open(uint64(h.MID), 1, depth)
	if err != nil {
		return nil, b.c.err(r.layer)
	}
	call := &call1{call: c, command: bodies[0].Command()}
	if b.signer != nil {
		b.signer.Sign(frame[nbss.HeaderLen:], b.sequence)
		call.signer, call.number = b.signer, b.sequence+1
		b.sequence += 2
	}
	b.calls[h.MID] = call
	if err := b.c.write(frame, 1, depth, r.deadline); err != nil {
		// Half a frame may be out: nothing more can be sent. What the reading side saw first tells more.
		b.c.fail(netError("", err))
		b.c.nc.Close()
		delete(b.calls, h.MID)
		return nil, b.c.err(r.layer)
	}
	return call, nil
}

// nextMID is a number that no request in flight has, and no late answer may still come for. 0xFFFF is the server's own.
func (b *client1) nextMID() uint16 {
	for range maxFlight + maxAbandoned + 2 {
		b.mid++
		if call, late := b.c.find(uint64(b.mid)); b.mid != 0 && b.mid != 0xFFFF && call == nil && !late {
			break
		}
	}
	return b.mid
}

// receive implements backend: it matches an answer with its request, checks its signature and puts the answers of a
// TRANSACTION together.
func (b *client1) receive(frame []byte) error {
	h, err := smb1.ParseHeader(frame)
	if err != nil {
		return broken("an SMB2 answer in an SMB1 conversation")
	}
	if !h.Reply() {
		return broken("the server sent a request")
	}
	id := uint64(h.MID)
	b.mu.Lock()
	call := b.calls[h.MID]
	b.mu.Unlock()
	inFlight, late := b.c.find(id)
	switch {
	case inFlight == nil && late:
		return nil // and not forgotten: further parts may come, and nextMID leaves the number alone
	case inFlight == nil || call == nil || call.call != inFlight:
		return broken("an answer to a question that was not asked (MID %d)", h.MID)
	case h.Command != call.command:
		return broken("an answer to %v where %v was asked", h.Command, call.command)
	}
	if call.signer != nil && !call.signer.Verify(frame, call.number) {
		return broken("an answer with a wrong signature")
	}
	done := true
	if call.command == smb1.Transaction {
		if done, err = call.assemble(frame); err != nil {
			return err
		}
	}
	if done {
		b.c.wire.answered(call.depth)
		b.c.deliver(call.call, reply{msg: frame}, true)
	}
	return nil
}

// assemble adds one answer of a TRANSACTION and tells whether it was the last.
func (c *call1) assemble(frame []byte) (done bool, err error) {
	m, body, terr := parse1(frame)
	if terr != nil {
		return false, terr
	}
	part, ok := body.(*smb1.TransResponse)
	if !ok {
		if m.NTStatus() == status.Success {
			return false, broken("TRANSACTION answered with neither data nor an error")
		}
		return true, nil
	}
	if c.parts++; c.parts > maxParts {
		return false, broken("TRANSACTION answered in more than %d parts", maxParts)
	}
	if c.whole == nil {
		c.whole = &smb1.TransResponse{Code: part.Code, TotalDataCount: part.TotalDataCount, Setup: part.Setup}
		if len(part.Data) == int(part.TotalDataCount) && part.DataDisplacement == 0 {
			c.whole.Data = part.Data
			return true, nil
		}
		c.whole.Data = make([]byte, part.TotalDataCount) // 16 bits
	}
	// The total may shrink while the parts come, never grow. See [MS-CIFS] 2.2.4.33.2.
	total := part.TotalDataCount
	end := part.DataDisplacement + uint32(len(part.Data))
	if total > c.whole.TotalDataCount || end > total || c.parts > 1 && len(part.Data) == 0 {
		return false, broken("TRANSACTION answered with %d bytes up to %d of %d", len(part.Data), end, total)
	}
	c.whole.TotalDataCount = total
	copy(c.whole.Data[part.DataDisplacement:], part.Data)
	if c.got += len(part.Data); c.got > int(total) {
		return false, broken("TRANSACTION answered with more than it has")
	}
	c.whole.Data = c.whole.Data[:total]
	return c.got == int(total), nil
}

// decode1 reads the body of an answer; one of another form is a failure of the transport.
func decode1[B smb1.Body](a answer1, block int, layer string) (body B, err error) {
	got := errors.New("a command is missing")
	if block < len(a.Blocks) {
		var b smb1.Body
		if b, got = a.Decode(block); got == nil {
			if body, ok := b.(B); ok {
				return body, nil
			}
			got = fmt.Errorf("%v in a form that says nothing", b.Command())
		}
	}
	return body, (&TransportError{Reason: "malformed answer: " + got.Error(), Err: got}).at(layer)
}
