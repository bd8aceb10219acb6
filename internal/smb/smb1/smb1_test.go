package smb1

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"ipcguard/internal/status"
)

// bodies is one of each struct, with what tells its forms apart.
func bodies(reply bool) []Body {
	if reply {
		return []Body{
			&NegotiateResponse{
				DialectIndex: 1, SecurityMode: 3, MaxMpxCount: 50, MaxBufferSize: 16644,
				Capabilities: CapExtendedSecurity | CapUnicode, TimeZone: -60, ServerGUID: [16]byte{1},
				SecurityBlob: []byte("blob"),
			},
			&NegotiateResponse{
				Capabilities: CapUnicode, Challenge: []byte("12345678"), DomainName: "LAB",
				ServerName: "SRV",
			},
			&NegotiateResponse{
				Capabilities: CapUnicode, Challenge: []byte("12345678"), DomainName: "LAB",
				NoServer: true,
			},
			&NegotiateLANMAN{
				DialectIndex: 2, SecurityMode: 1, TimeZone: 5, Challenge: []byte("12345678"),
				HasDomain: true, PrimaryDomain: "LAB",
			},
			&NegotiateCore{DialectIndex: NoDialect},
			&SessionSetupResponse{
				Extended: true, Action: SetupGuest, SecurityBlob: []byte("odd"), NativeOS: "Unix",
				NativeLanMan: "Samba", HasDomain: true, PrimaryDomain: "LAB", Extra: []byte{},
			},
			&SessionSetupResponse{NativeOS: "Windows", NativeLanMan: "NT", Extra: []byte{}},
			&TreeConnectResponse{
				Words: 7, OptionalSupport: 1, MaximalAccess: 0x1FF, GuestAccess: 3,
				Service: ServicePipe, HasFileSystem: true, NativeFileSystem: "IPC", Extra: []byte{},
			},
			&TreeConnectResponse{Words: 2, Service: "A:", Extra: []byte{}},
			&TreeConnectCoreResponse{MaxBufferSize: 1, TID: 2},
			&TreeDisconnectMessage{}, &Logoff{},
			&NTCreateResponse{
				FID: 5, Times: [4]uint64{1, 2, 3, 4}, ResourceType: ResourceMessagePipe,
				NMPipeStatus: 0x5FF, More: []byte{}, Extra: []byte{},
			},
			&NTCreateResponse{FID: 5, More: bytes.Repeat([]byte{3}, 32), Extra: []byte{}},
			&OpenResponse{FID: 6, ResourceType: 2, More: make([]byte, 6), Extra: []byte{}},
			&ReadResponse{Available: 9, DataOffset: 60, Data: []byte("data")},
			&WriteResponse{Count: 0x12345, Available: 2},
			&TransResponse{
				Code: Transaction, TotalDataCount: 5, ParameterOffset: 56, DataOffset: 56,
				Data: []byte("reply"),
			},
			&TransResponse{
				Code: NTTransact, TotalDataCount: 5, ParameterOffset: 76, DataOffset: 80,
				Parameters: []byte("p"), Data: []byte("reply"), Setup: []uint16{1},
			},
			&EchoMessage{SequenceNumber: 1, Data: []byte("x")},
			&Generic{Code: 0x10, Words: []byte{}, Bytes: []byte{}},
			&Generic{Code: SessionSetupAndX, Words: []byte{}, Bytes: []byte{}},
		}
	}
	return []Body{
		&NegotiateRequest{Dialects: []string{"PC NETWORK PROGRAM 1.0", DialectNTLM012}},
		&SessionSetupRequest{
			Form: SetupExtended, MaxBufferSize: 4356, MaxMpxCount: 10, VcNumber: 1,
			Capabilities: CapStatus32, SecurityBlob: []byte("blob!"), NativeOS: "Unix", NativeLanMan: "ipcguard",
			Extra: []byte{},
		},
		&SessionSetupRequest{
			Form: SetupNT, Capabilities: CapStatus32, OEMPassword: []byte("lm"),
			UnicodePassword: []byte("nt!"), AccountName: "alice", PrimaryDomain: "LAB", NativeOS: "a",
			NativeLanMan: "b", Extra: []byte{},
		},
		&SessionSetupRequest{
			Form: SetupLANMAN, OEMPassword: []byte{}, UnicodePassword: []byte{}, NativeOS: "a",
			NativeLanMan: "b", Extra: []byte{},
		},
		&TreeConnectRequest{
			Flags: TreeExtendedResponse, Password: []byte{0}, Path: `\\SRV\IPC$`, Service: ServiceAny,
			Extra: []byte{},
		},
		&TreeConnectCore{Path: `\\SRV\IPC$`, Service: "IPC"},
		&TreeDisconnectMessage{}, &Logoff{},
		&NTCreateRequest{DesiredAccess: 0x2019F, Name: `\samr`, Terminated: true, Extra: []byte{}},
		&NTCreateRequest{Name: `\srvsvc`, Extra: []byte{}},
		&OpenRequest{AccessMode: 2, Name: `\PIPE\samr`, Extra: []byte{}},
		&CloseRequest{FID: 3, LastWriteTime: 0xFFFFFFFF},
		&ReadRequest{FID: 3, Offset: 1 << 33, MaxCount: 1024, MinCount: 1024, Timeout: 0xFFFFFFFF},
		&ReadRequest{FID: 3, Short: true},
		&WriteRequest{FID: 3, Offset: 1 << 40, WriteMode: WriteMessageStart, DataOffset: 64, Data: []byte("bind")},
		&WriteRequest{FID: 3, Short: true, DataOffset: 60, Data: []byte("bind")},
		&TransRequest{
			Code: Transaction, TotalDataCount: 4, MaxDataCount: 1024, Setup: []uint16{TransTransactNmPipe, 3},
			Name: `\PIPE\`, DataOffset: 84, Data: []byte("call"),
		},
		&TransRequest{
			Code: Transaction2, TotalParameterCount: 4, Setup: []uint16{5}, ParameterOffset: 68,
			Parameters: []byte("parm"),
		},
		&TransRequest{
			Code: NTTransact, Function: 4, TotalParameterCount: 4, ParameterOffset: 76,
			Parameters: []byte("parm"),
		},
		&TransSecondary{
			Code: TransactionSecondary, TotalDataCount: 9, DataOffset: 52, DataDisplacement: 4,
			Data: []byte("5678"),
		},
		&TransSecondary{Code: Transaction2Secondary, FID: 9, DataOffset: 56, Data: []byte("5678")},
		&TransSecondary{
			Code: NTTransactSecondary, TotalDataCount: 9, DataOffset: 72, DataDisplacement: 4,
			Data: []byte("5678"),
		},
		&EchoMessage{SequenceNumber: 1, Data: []byte("x")},
		&Cancel{},
		&Generic{Code: 0x10, Words: []byte{}, Bytes: []byte("\x04path\x00")},
		&Generic{Code: 0x24, Link: true, Words: []byte{1, 2}, Bytes: []byte{}},
	}
}

func TestBodies(t *testing.T) {
	for _, reply := range []bool{false, true} {
		for _, flags2 := range []uint16{0, Flags2Unicode | Flags2NTStatus} {
			for _, body := range bodies(reply) {
				h := Header{Command: body.Command(), Flags2: flags2, MID: 7}
				if reply {
					h.Flags = FlagsReply
				}
				b, err := Append([]byte("before"), &h, body)
				if err != nil {
					t.Errorf("%#v: %v", body, err)
					continue
				}
				b = b[len("before"):]
				m, err := Parse(b)
				if err != nil {
					t.Errorf("%#v: %v\n%x", body, err, b)
					continue
				}
				got, err := m.Decode(0)
				if err != nil {
					t.Errorf("%#v: %v\n%x", body, err, b)
					continue
				}
				again, err := Append(nil, &m.Header, got)
				if err != nil || !bytes.Equal(again, b) {
					t.Errorf("%#v: written again %v\n%x\n%x", body, err, again, b)
				}
				if flags2 != 0 && !same(got, body) {
					t.Errorf("read as\n%#v, want\n%#v", got, body)
				}
				for n := range b {
					if m, err := Parse(b[:n]); err == nil {
						if _, err := m.Decode(0); err == nil && body.Command() != NTCancel {
							t.Errorf("%v cut to %d of %d bytes and still read", body.Command(), n, len(b))
						}
					}
				}
			}
		}
	}
}

// same compares what was sent with what was read; an offset of zero was chosen on the way, and a nil slice is as good
// as an empty one.
func same(got, want Body) bool {
	if reflect.DeepEqual(got, want) {
		return true
	}
	g, w := reflect.ValueOf(got).Elem(), reflect.ValueOf(want).Elem()
	if g.Type() != w.Type() {
		return false
	}
	for i := range g.NumField() {
		gf, wf := g.Field(i), w.Field(i)
		switch {
		case strings.HasSuffix(g.Type().Field(i).Name, "Offset") && wf.CanUint() && wf.Uint() == 0:
		case gf.Kind() == reflect.Slice && gf.Len() == 0 && wf.Len() == 0:
		case !reflect.DeepEqual(gf.Interface(), wf.Interface()):
			return false
		}
	}
	return true
}

func TestChain(t *testing.T) {
	h := Header{Flags2: Flags2Unicode}
	b, err := Append(nil, &h,
		&SessionSetupRequest{Form: SetupNT, NativeOS: "x", NativeLanMan: "y"},
		&TreeConnectRequest{Path: `\\S\IPC$`, Service: ServiceAny},
		&OpenRequest{Name: `\PIPE\samr`})
	if err != nil {
		t.Fatal(err)
	}
	m, err := Parse(b)
	if err != nil || len(m.Blocks) != 3 {
		t.Fatalf("%d blocks, %v", len(m.Blocks), err)
	}
	for i, want := range []Command{SessionSetupAndX, TreeConnectAndX, OpenAndX} {
		if m.Blocks[i].Command != want {
			t.Errorf("block %d is %v", i, m.Blocks[i].Command)
		}
	}
	body, err := m.Decode(1)
	if err != nil || body.(*TreeConnectRequest).Path != `\\S\IPC$` {
		t.Errorf("%+v %v", body, err)
	}
	setup, err := m.Decode(0)
	if err != nil || !setup.(*SessionSetupRequest).Anonymous() {
		t.Errorf("%+v %v: a null session", setup, err)
	}
	if _, err := Append(nil, &h, &CloseRequest{}, &CloseRequest{}); err == nil {
		t.Error("a chain behind CLOSE")
	}
	if _, err := Append(nil, &h); err == nil {
		t.Error("a message without commands")
	}
	loop := bytes.Clone(b)
	loop[HeaderLen+3], loop[HeaderLen+4] = HeaderLen, 0
	if _, err := Parse(loop); err == nil {
		t.Error("a chain that loops")
	}
	logoffs := make([]Body, MaxChain)
	for i := range logoffs {
		logoffs[i] = &Logoff{}
	}
	if b, err = Append(nil, &h, logoffs...); err != nil {
		t.Fatal(err)
	}
	if m, err = Parse(b); err != nil || len(m.Blocks) != MaxChain {
		t.Errorf("%d blocks, %v", len(m.Blocks), err)
	}
}

func TestDOSErrors(t *testing.T) {
	for line := range strings.Lines(dosErrorText) {
		var class, code, nt uint32
		if _, err := fmt.Sscanf(line, "%d %d 0x%X", &class, &code, &nt); err != nil && !strings.HasPrefix(line, "#") {
			t.Errorf("%q does not parse: %v", line, err)
			continue
		}
		if _, ok := dosTable().toDOS[status.NTStatus(nt)]; !ok && nt != 0 {
			t.Errorf("%q is not in the table", line)
		}
	}
	for _, tc := range []struct {
		class byte
		code  uint16
		want  status.NTStatus
	}{
		{0, 0, status.Success},
		{ErrDOS, 5, status.AccessDenied},
		{ErrDOS, 234, status.BufferOverflow},
		{ErrServer, 2, status.LogonFailure},
		{ErrServer, 6, status.BadNetworkName},
		{ErrDOS, 2, status.ObjectNameNotFound},
	} {
		if got := FromDOS(tc.class, tc.code); got != tc.want {
			t.Errorf("%d/%d is %v, want %v", tc.class, tc.code, got, tc.want)
		}
		if class, code := ToDOS(tc.want); class != tc.class || code != tc.code {
			t.Errorf("%v is %d/%d, want %d/%d", tc.want, class, code, tc.class, tc.code)
		}
	}
	unknown := FromDOS(ErrHard, 999)
	if class, code := ToDOS(unknown); !unknown.IsError() || class != ErrHard || code != 999 {
		t.Errorf("an unknown error becomes %v and then %d/%d", unknown, class, code)
	}
	h := Header{}
	h.SetStatus(status.AccessDenied)
	if h.Status != 0x00050001 || h.NTStatus() != status.AccessDenied {
		t.Errorf("DOS form %08x", h.Status)
	}
	h.Flags2 = Flags2NTStatus
	if h.SetStatus(status.AccessDenied); h.Status != 0xC0000022 {
		t.Errorf("NT form %08x", h.Status)
	}
}

func FuzzParse(f *testing.F) {
	for _, reply := range []bool{false, true} {
		for _, body := range bodies(reply) {
			h := Header{Flags2: Flags2Unicode}
			if reply {
				h.Flags = FlagsReply
			}
			b, err := Append(nil, &h, body)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Parse(b)
		if err != nil {
			return
		}
		var got []Body
		for i := range m.Blocks {
			body, err := m.Decode(i)
			if err != nil {
				return
			}
			got = append(got, body)
		}
		once, err := Append(nil, &m.Header, got...)
		if err != nil {
			return // a message of the wire may be longer than one of ours
		}
		again, err := Parse(once)
		if err != nil {
			t.Fatalf("what was written cannot be read: %v\n%x", err, once)
		}
		if len(again.Blocks) != len(got) {
			t.Fatalf("%d commands of %d are left\n%x", len(again.Blocks), len(got), once)
		}
		m.NTStatus()
	})
}

// FuzzCaptures mutates real messages, where there are some.
func FuzzCaptures(f *testing.F) {
	seeds := 0
	for _, name := range captureFiles(f) {
		frames(f, name, func(b []byte) {
			if b[0] == 0xFF && seeds < 300 {
				seeds++
				f.Add(bytes.Clone(b))
			}
		})
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Parse(b)
		if err != nil {
			return
		}
		for i := range m.Blocks {
			body, err := m.Decode(i)
			if err == nil && body.Command() != m.Blocks[i].Command {
				t.Fatalf("%v is read as %v", m.Blocks[i].Command, body.Command())
			}
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	h := Header{Flags2: Flags2Unicode}
	msg, err := Append(nil, &h, &TransRequest{
		Code: Transaction, Setup: []uint16{TransTransactNmPipe, 3},
		Name: `\PIPE\`, Data: make([]byte, 200),
	})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		m, err := Parse(msg)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := m.Decode(0); err != nil {
			b.Fatal(err)
		}
	}
}
