package smb2_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"reflect"
	"testing"
	"time"

	"ipcguard/internal/smb/smb2"
)

// bodies are one of each body, as a client or server builds it.
func bodies() []struct {
	command  smb2.Command
	response bool
	status   uint32
	body     smb2.Body
} {
	id := smb2.FileID{1, 2, 3}
	ctx := smb2.EncodeCreateContexts(smb2.CreateContext{Name: []byte("MxAc")},
		smb2.CreateContext{Name: []byte("QFid"), Data: []byte("12345678")})
	preauth := smb2.PreauthCapabilities{HashAlgorithms: []uint16{smb2.HashSHA512}, Salt: []byte("salt!")}
	signing := smb2.SigningCapabilities{Algorithms: []uint16{2, 1, 0}}
	contexts := []smb2.NegotiateContext{
		preauth.Context(), signing.Context(), smb2.NetName("srv"),
		{Type: 0x0100, Data: []byte("raw")},
	}
	failed := new(smb2.ErrorResponse)
	failed.SetContexts([]smb2.ErrorContext{
		{ID: smb2.ErrorIDDefault, Data: []byte{1, 2, 3}},
		{ID: smb2.ErrorIDShareRedirect, Data: []byte{4}},
	})
	return []struct {
		command  smb2.Command
		response bool
		status   uint32
		body     smb2.Body
	}{
		{smb2.Negotiate, false, 0, &smb2.NegotiateRequest{
			SecurityMode: 1, Capabilities: 0x7F, ClientGUID: id,
			Dialects: []uint16{0x0202, 0x0210},
		}},
		{smb2.Negotiate, false, 0, &smb2.NegotiateRequest{
			SecurityMode: 1, Dialects: []uint16{0x0202, 0x0210, 0x0311},
			Contexts: contexts,
		}},
		{smb2.Negotiate, true, 0, &smb2.NegotiateResponse{
			Dialect: 0x0210, MaxRead: 1 << 20,
			SecurityBuffer: []byte("blob"),
		}},
		{smb2.Negotiate, true, 0, &smb2.NegotiateResponse{
			Dialect: 0x0311, SecurityBuffer: []byte("blob"),
			Contexts: contexts,
		}},
		{smb2.SessionSetup, false, 0, &smb2.SessionSetupRequest{
			SecurityMode: 1, SecurityBuffer: []byte("token"),
			PreviousSessionID: 9,
		}},
		{smb2.SessionSetup, true, 0xC0000016, &smb2.SessionSetupResponse{SecurityBuffer: []byte("token")}},
		{smb2.SessionSetup, true, 0, &smb2.SessionSetupResponse{SessionFlags: smb2.SessionIsNull}},
		{smb2.Logoff, false, 0, &smb2.Empty{}},
		{smb2.Echo, true, 0, &smb2.Empty{}},
		{smb2.TreeConnect, false, 0, &smb2.TreeConnectRequest{Path: smb2.EncodeText(`\\srv\IPC$`)}},
		{smb2.TreeConnect, true, 0, &smb2.TreeConnectResponse{ShareType: smb2.SharePipe, MaximalAccess: 0x1F01FF}},
		{smb2.TreeConnect, true, 0xC0000022, &smb2.ErrorResponse{}},
		{smb2.Create, true, 0xC0000034, failed},
		{smb2.Create, false, 0, &smb2.CreateRequest{DesiredAccess: smb2.PipeAccess, Name: smb2.EncodeText("lsarpc")}},
		{smb2.Create, false, 0, &smb2.CreateRequest{}},
		{smb2.Create, false, 0, &smb2.CreateRequest{Name: smb2.EncodeText("a"), Contexts: ctx}},
		{smb2.Create, true, 0, &smb2.CreateResponse{FileID: id, CreationTime: 5, Contexts: ctx}},
		{smb2.Close, false, 0, &smb2.CloseRequest{FileID: id}},
		{smb2.Close, true, 0, &smb2.CloseResponse{Flags: 1, EndOfFile: 7, FileAttributes: 0x80}},
		{smb2.Flush, false, 0, &smb2.FlushRequest{FileID: id}},
		{smb2.Flush, true, 0, &smb2.Empty{}},
		{smb2.Read, false, 0, &smb2.ReadRequest{FileID: id, Length: 4096}},
		{smb2.Read, true, 0, &smb2.ReadResponse{Data: []byte("data")}},
		{smb2.Read, true, 0x80000005, &smb2.ReadResponse{Data: []byte("data")}},
		{smb2.Write, false, 0, &smb2.WriteRequest{FileID: id, Data: []byte("data")}},
		{smb2.Write, true, 0, &smb2.WriteResponse{Count: 4}},
		{smb2.Lock, false, 0, &smb2.LockRequest{
			FileID: id,
			Locks:  []smb2.LockElement{{Offset: 1, Length: 2, Flags: 1}, {Flags: 4}},
		}},
		{smb2.Lock, true, 0, &smb2.Empty{}},
		{smb2.IOCTL, false, 0, &smb2.IOCTLRequest{
			CtlCode: smb2.FSCTLPipeTransceive, FileID: id, Input: []byte("in"),
			MaxOutputResponse: 4096, Flags: smb2.IsFSCTL,
		}},
		{smb2.IOCTL, true, 0, &smb2.IOCTLResponse{
			CtlCode: smb2.FSCTLPipeTransceive, FileID: id,
			Output: []byte("out"),
		}},
		{smb2.IOCTL, true, 0x80000005, &smb2.IOCTLResponse{
			CtlCode: smb2.FSCTLPipeTransceive, FileID: id,
			Input: []byte("in"), Output: []byte("out"),
		}},
		{smb2.Cancel, false, 0, &smb2.Empty{}},
		{smb2.QueryDirectory, false, 0, &smb2.QueryDirectoryRequest{
			FileID: id, Pattern: smb2.EncodeText("*"),
			MaxOutput: 4096,
		}},
		{smb2.QueryDirectory, true, 0, &smb2.BufferResponse{Output: []byte("entries")}},
		{smb2.ChangeNotify, false, 0, &smb2.ChangeNotifyRequest{FileID: id, MaxOutput: 8, CompletionFilter: 3}},
		{smb2.QueryInfo, false, 0, &smb2.QueryInfoRequest{
			InfoType: 1, InfoClass: 5, MaxOutput: 24, FileID: id,
			Input: []byte("ea"),
		}},
		{smb2.QueryInfo, true, 0x80000005, &smb2.BufferResponse{Output: []byte("some")}},
		{smb2.SetInfo, false, 0, &smb2.SetInfoRequest{
			InfoType: 1, InfoClass: 20, Buffer: []byte("12345678"),
			FileID: id,
		}},
		{smb2.SetInfo, true, 0, &smb2.SetInfoResponse{}},
		{smb2.OplockBreak, true, 0, &smb2.OplockBreakBody{OplockLevel: 1, FileID: id}},
		{smb2.OplockBreak, false, 0, &smb2.LeaseBreak{LeaseKey: id, LeaseState: 1}},
		{smb2.OplockBreak, true, 0, &smb2.LeaseBreakNotification{LeaseKey: id, NewLeaseState: 1}},
		{smb2.ServerNotify, true, 0, &smb2.ServerNotification{StructureSize: 12, Notification: []byte{0, 0, 0, 0}}},
	}
}

func TestBuiltMessagesDecode(t *testing.T) {
	var messages []*smb2.Message
	for _, b := range bodies() {
		h := smb2.Header{Command: b.command, Status: b.status, MessageID: 7, SessionID: 8, TreeID: 9, Credits: 1}
		if b.response {
			h.Flags = smb2.FlagResponse
		}
		m := &smb2.Message{Header: h, Body: b.body}
		messages = append(messages, m)
		raw := m.AppendMarshal([]byte("xyz"))[3:]
		got, err := smb2.Parse(raw)
		if err != nil {
			t.Errorf("%v %T: %v", b.command, b.body, err)
			continue
		}
		if reflect.TypeOf(got.Body) != reflect.TypeOf(b.body) {
			t.Errorf("%v %T decodes as %T", b.command, b.body, got.Body)
		}
		if size := int(binary.LittleEndian.Uint16(raw[64:])); len(raw) < 64+size && b.command != smb2.Lock &&
			b.command != smb2.ServerNotify {
			t.Errorf("%v %T: %d bytes, StructureSize %d promises more", b.command, b.body, len(raw), size)
		}
		if again := got.AppendMarshal(nil); !bytes.Equal(again, raw) {
			t.Errorf("%v %T: encodes to\n% x, was\n% x", b.command, b.body, again, raw)
		}
		// Cut anywhere, it must fail or decode to something shorter, and never panic.
		for n := range raw {
			if m, err := smb2.Parse(raw[:n:n]); err == nil {
				m.AppendMarshal(nil)
			}
		}
	}
	// All of them in one chain.
	frame, starts := smb2.AppendChain(nil, messages...)
	n := 0
	c := smb2.NewChain(frame)
	for ; c.Next(); n++ {
		m, err := smb2.Parse(c.Message)
		if err != nil {
			t.Fatal(err)
		}
		if cap(c.Message) != len(c.Message) {
			t.Errorf("message %d can be appended to over its neighbour", n)
		}
		if m.Header.Command != messages[n].Header.Command {
			t.Errorf("message %d of the chain is %v", n, m.Header.Command)
		}
	}
	if c.Err() != nil || n != len(messages) || len(starts) != n {
		t.Errorf("%d messages of %d, %v", n, len(messages), c.Err())
	}
}

func TestAsyncHeader(t *testing.T) {
	h := smb2.Header{
		Command: smb2.Read, Flags: smb2.FlagResponse | smb2.FlagAsync, AsyncID: 0x1122334455667788,
		SessionID: 5,
	}
	var got smb2.Header
	if err := got.Unmarshal(h.AppendMarshal(nil)); err != nil || got != h {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestHostileChains(t *testing.T) {
	m := smb2.Message{Header: smb2.Header{Command: smb2.Echo}, Body: new(smb2.Empty)}
	one := m.AppendMarshal(nil)
	for len(one)%8 != 0 {
		one = append(one, 0)
	}
	with := func(next uint32) []byte {
		b := append(bytes.Clone(one), one...)
		binary.LittleEndian.PutUint32(b[smb2.OffsetNext:], next)
		return b
	}
	for name, frame := range map[string][]byte{
		"on itself":      with(8),
		"not aligned":    with(uint32(len(one)) + 1),
		"behind the end": with(1 << 20),
		"just too far":   with(uint32(2*len(one) - 56)),
		"empty":          {},
		"short":          one[:63],
		"no mark":        bytes.Repeat([]byte{0}, 80),
	} {
		c := smb2.NewChain(frame)
		for c.Next() {
		}
		if c.Err() == nil {
			t.Errorf("%s: no error", name)
		}
	}
	long := bytes.Repeat(with(uint32(len(one)))[:len(one)], smb2.MaxChain+1)
	c := smb2.NewChain(long)
	n := 0
	for c.Next() {
		n++
	}
	if n != smb2.MaxChain || !errors.Is(c.Err(), smb2.ErrChain) {
		t.Errorf("an endless chain: %d messages, %v", n, c.Err())
	}
}

func TestCreateContexts(t *testing.T) {
	want := []smb2.CreateContext{
		{Name: []byte("MxAc")},
		{Name: []byte("DHnQ"), Data: make([]byte, 16)},
		{Name: []byte("RqLs"), Data: []byte("abc")},
	}
	got, err := smb2.EncodeCreateContexts(want...).List()
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v, %v", got, err)
	}
	loop := smb2.EncodeCreateContexts(want...)
	loop[0] = 0x10
	binary.LittleEndian.PutUint16(loop[4:], 200)
	if _, err := loop.List(); err == nil {
		t.Error("a name beyond its context is taken")
	}
}

func TestDecompress(t *testing.T) {
	plain := []byte("\xFESMB and more")
	frame := []byte("\xFCSMB")
	frame = binary.LittleEndian.AppendUint32(frame, uint32(len(plain)+100))
	payload := func(algorithm, flags uint16, data []byte) {
		frame = binary.LittleEndian.AppendUint16(frame, algorithm)
		frame = binary.LittleEndian.AppendUint16(frame, flags)
		frame = binary.LittleEndian.AppendUint32(frame, uint32(len(data)))
		frame = append(frame, data...)
	}
	payload(smb2.CompressNone, smb2.CompressionChained, plain)
	payload(smb2.CompressPatternV1, 0, append([]byte{'x', 0, 0, 0}, 100, 0, 0, 0))
	none := func(uint16, []byte, int) ([]byte, error) { return nil, smb2.ErrCompressed }
	want := append(bytes.Clone(plain), bytes.Repeat([]byte("x"), 100)...)
	got, size, err := smb2.Decompress(frame, 1000, none)
	if err != nil || !bytes.Equal(got, want) || size != len(want) {
		t.Errorf("%q, %d, %v", got, size, err)
	}
	for n := range want { // the beginning alone
		if got, size, err := smb2.Decompress(frame, n, none); err != nil || !bytes.Equal(got, want[:n]) ||
			size != len(want) {
			t.Errorf("%d bytes: %q, %d, %v", n, got, size, err)
		}
	}
	for n := range frame {
		if _, _, err := smb2.Decompress(frame[:n], 1000, none); err == nil {
			t.Errorf("cut at %d it decompresses", n)
		}
	}
	if got, _, err := smb2.Decompress(frame[:30], 10, none); err != nil || !bytes.Equal(got, want[:10]) {
		t.Errorf("the beginning of a cut frame: %q, %v", got, err)
	}
	bomb := bytes.Clone(frame)
	binary.LittleEndian.PutUint32(bomb[4:], 1<<31)
	if _, _, err := smb2.Decompress(bomb, 1000, none); !errors.Is(err, smb2.ErrBounds) {
		t.Errorf("a bomb: %v", err)
	}
	bomb = bytes.Clone(frame)
	binary.LittleEndian.PutUint32(bomb[len(bomb)-4:], 1<<31)
	if got, _, err := smb2.Decompress(bomb, 1000, none); err != nil || len(got) != len(want) {
		t.Errorf("a pattern beyond its frame: %d bytes, %v", len(got), err)
	}
	frame[8] = smb2.CompressLZ77
	if _, _, err := smb2.Decompress(frame, 1000, none); !errors.Is(err, smb2.ErrCompressed) {
		t.Errorf("LZ77: %v", err)
	}

	// The other form: plain bytes, then one segment.
	double := func(algorithm uint16, src []byte, size int) ([]byte, error) {
		if algorithm != smb2.CompressLZNT1 {
			return nil, smb2.ErrCompressed
		}
		return bytes.Repeat(src, 2)[:size], nil
	}
	frame = (&smb2.CompressionHeader{OriginalSize: 6, Algorithm: smb2.CompressLZNT1, Length: 4}).AppendMarshal(nil)
	frame = append(frame, "\xFESMBabc"...)
	for n, want := range map[int]string{1000: "\xFESMBabcabc", 4: "\xFESMB", 2: "\xFES", 6: "\xFESMBab"} {
		if got, size, err := smb2.Decompress(frame, n, double); err != nil || string(got) != want || size != 10 {
			t.Errorf("%d bytes: %q, %d, %v", n, got, size, err)
		}
	}
	binary.LittleEndian.PutUint32(frame[12:], 1<<32-1) // as CVE-2020-0796 has it
	if _, _, err := smb2.Decompress(frame, 1000, double); !errors.Is(err, smb2.ErrBounds) {
		t.Errorf("an offset beyond the frame: %v", err)
	}
}

func TestTextAndTime(t *testing.T) {
	for _, s := range []string{"", "lsarpc", "grüße", "日本", "😀x"} {
		if got := smb2.EncodeText(s).String(); got != s {
			t.Errorf("%q became %q", s, got)
		}
	}
	if got := smb2.Text("a\x00b").String(); got != "a" {
		t.Errorf("an odd text became %q", got)
	}
	when := time.Date(2026, 11, 22, 10, 0, 0, 123456700, time.UTC)
	if got := smb2.FileTime(smb2.FileTimeOf(when)); !got.Equal(when) {
		t.Errorf("%v became %v", when, got)
	}
	if !smb2.FileTime(0).IsZero() || smb2.FileTimeOf(time.Time{}) != 0 {
		t.Error("zero is not zero")
	}
	// [MS-DTYP] 2.3.3 counts from 1601: this is the first second of 1970.
	if got := smb2.FileTime(116444736000000000); got.Unix() != 0 {
		t.Errorf("1970 became %v", got)
	}
}

func BenchmarkParse(b *testing.B) {
	m := smb2.Message{Header: smb2.Header{Command: smb2.IOCTL}, Body: &smb2.IOCTLRequest{Input: make([]byte, 100)}}
	raw := m.AppendMarshal(nil)
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := smb2.Parse(raw); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkUnmarshalKept(b *testing.B) {
	m := smb2.Message{Header: smb2.Header{Command: smb2.IOCTL}, Body: &smb2.IOCTLRequest{Input: make([]byte, 100)}}
	raw := m.AppendMarshal(nil)
	var h smb2.Header
	var r smb2.IOCTLRequest
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if err := h.Unmarshal(raw); err != nil {
			b.Fatal(err)
		}
		if _, err := r.Unmarshal(raw); err != nil {
			b.Fatal(err)
		}
	}
}
