package smb1

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/binary"
	"encoding/csv"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"ipcguard/internal/ntlm"
	"ipcguard/internal/ntlm/spnego"
	"ipcguard/internal/peer"
)

func captureFiles(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(peer.Shared(t, "captures"), "*", "*.pcap*"))
	files = slices.DeleteFunc(files, func(f string) bool { return filepath.Base(filepath.Dir(f)) == "expected" })
	if err != nil || len(files) < 40 {
		t.Fatalf("%d captures found, %v", len(files), err)
	}
	return files
}

// frames calls f with every SMB message of a capture, from the byte behind the NetBIOS header.
func frames(t testing.TB, name string, f func(message []byte)) {
	t.Helper()
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasSuffix(name, ".gz") {
		z, err := gzip.NewReader(bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		if raw, err = io.ReadAll(z); err != nil {
			t.Fatal(err)
		}
	}
	var source gopacket.PacketDataSource
	var link layers.LinkType
	if r, err := pcapgo.NewReader(bytes.NewReader(raw)); err == nil {
		source, link = r, r.LinkType()
	} else {
		r, err := pcapgo.NewNgReader(bytes.NewReader(raw), pcapgo.DefaultNgReaderOptions)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		source, link = r, r.LinkType()
	}
	type segment struct {
		seq  uint32
		data []byte
	}
	type direction struct{ net, tcp gopacket.Flow }
	var order []direction
	streams := map[direction][]segment{}
	for {
		data, _, err := source.ReadPacketData()
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			break
		}
		if err != nil {
			break // a capture that was cut off
		}
		p := gopacket.NewPacket(data, link, gopacket.DecodeOptions{Lazy: true, NoCopy: true})
		tcp, ok := p.TransportLayer().(*layers.TCP)
		if !ok || len(tcp.Payload) == 0 {
			continue
		}
		d := direction{p.NetworkLayer().NetworkFlow(), tcp.TransportFlow()}
		if _, ok := streams[d]; !ok {
			order = append(order, d)
		}
		streams[d] = append(streams[d], segment{tcp.Seq, bytes.Clone(tcp.Payload)})
	}
	for _, d := range order {
		segments := streams[d]
		base := segments[0].seq
		slices.SortStableFunc(segments, func(a, b segment) int {
			return cmp.Compare(int32(a.seq-base), int32(b.seq-base))
		})
		var stream []byte
		next := segments[0].seq
		flush := func() { stream = cut(stream, f) }
		for _, s := range segments {
			skip := int32(next - s.seq)
			switch {
			case skip < 0: // a gap: begin anew
				flush()
				stream = nil
				skip = 0
			case int(skip) >= len(s.data):
				continue
			}
			stream = append(stream, s.data[skip:]...)
			next = s.seq + uint32(len(s.data))
			flush()
		}
	}
}

// cut takes the whole frames off a stream. A stream that begins in the middle of a frame yields nothing until a
// segment begins with one.
func cut(stream []byte, f func([]byte)) []byte {
	for len(stream) >= 4 {
		n := int(binary.BigEndian.Uint32(stream) & 0xFFFFFF)
		if stream[0] != 0 || len(stream) >= 8 && string(stream[5:8]) != "SMB" {
			if stream[0] == 0x81 || stream[0] == 0x82 || stream[0] == 0x85 { // NetBIOS session service
				if len(stream) < 4+n {
					return stream
				}
				stream = stream[4+n:]
				continue
			}
			return nil
		}
		if len(stream) < 4+n {
			return stream
		}
		f(stream[4 : 4+n])
		stream = stream[4+n:]
	}
	return stream
}

// TestCaptures holds every SMB1 message of every capture: it decodes or fails for a reason that is named here, what was
// decoded is written to the same bytes unless the sender left the canonical form in a way that is named here, and the
// commands are as many as tshark found.
func TestCaptures(t *testing.T) {
	var messages, same int
	for _, name := range captureFiles(t) {
		base := filepath.Base(name)
		commands := map[Command]int{}
		frames(t, name, func(b []byte) {
			if b[0] != 0xFF {
				return
			}
			messages++
			m, err := Parse(b)
			if err != nil {
				if reason := damaged[base]; reason == "" || !strings.Contains(err.Error(), reason) {
					t.Errorf("%s: %v\n%x", base, err, b[:min(len(b), 80)])
				}
				commands[Command(b[4])]++
				return
			}
			var bodies []Body
			for i := range m.Blocks {
				commands[m.Blocks[i].Command]++
				body, err := m.Decode(i)
				if err != nil {
					if reason := damaged[base]; reason == "" || !strings.Contains(err.Error(), reason) {
						t.Errorf("%s: %v: %v\n%x", base, m.Blocks[i].Command, err, b[:min(len(b), 200)])
					}
					return
				}
				bodies = append(bodies, body)
			}
			again, err := Append(nil, &m.Header, bodies...)
			if err != nil {
				t.Errorf("%s: %v cannot be written again: %v", base, m.Command, err)
				return
			}
			b = b[:len(b)-len(m.Trailing)]
			if bytes.Equal(again, b) {
				same++
			} else if !knownForm(m, bodies, again) {
				t.Errorf("%s: %v (reply %v) comes out different:\n%x\n%x", base, m.Command, m.Reply(),
					b[:min(len(b), 400)], again[:min(len(again), 400)])
			}
		})
		compareCommands(t, name, commands)
	}
	t.Logf("%d messages, %d written to the same bytes", messages, same)
	if messages < 250 {
		t.Errorf("%d SMB1 messages in all captures: the reader is broken", messages)
	}
}

// damaged names the captures with broken messages, made so by fuzzing, and what is broken.
var damaged = map[string]string{
	"smb__smb1-OSS-fuzz-54883.pcap":         "malformed message", // random bytes behind a signature
	"smb__smb1-logoff-andx-advance.pcap":    "more than 10 commands",
	"smb__smb1-logoff-andx-no-advance.pcap": "AndX goes from 32 back to 0",
	// Two setup words that WordCount leaves out.
	"smb__smb1_transaction_request.pcap":            "TRANSACTION has 9728 bytes, 42",
	"smb__smb1_transaction_secondary_request.pcap":  "TRANSACTION has 9728 bytes, 42",
	"smb__smb1_transaction2_request.pcap":           "TRANSACTION2 has 18 bytes, 17",
	"smb__smb1_transaction2_secondary_request.pcap": "TRANSACTION2 has 18 bytes, 17",
}

// elsewhere names the captures in which tshark counts other commands, and why.
var elsewhere = map[string]string{
	"smb__smb1-OSS-fuzz-54883.pcap":            "tshark finds other frames in the random bytes",
	"smb__smb1-logoff-andx-advance.pcap":       "tshark follows a chain of twelve",
	"smb__smb1-logoff-andx-no-advance.pcap":    "tshark counts the link that goes back",
	"smb1-02__smb1_osx.pcap":                   "tshark leaves the first NEGOTIATE, in frame 9, alone",
	"smb__smb_v2_only_non_zero_reserved1.pcap": "tshark reads a mailslot in a UDP datagram as well",
}

// knownForm reports whether a message that came out different says the same: old Windows leaves garbage in padding, in
// reserved fields and in the link behind the last command.
func knownForm(m *Message, bodies []Body, again []byte) bool {
	if len(m.Raw)-len(m.Trailing) != len(again) {
		return false
	}
	m, err := Parse(again)
	if err != nil || len(m.Blocks) != len(bodies) {
		return false
	}
	for i := range bodies {
		body, err := m.Decode(i)
		if err != nil || !reflect.DeepEqual(body, bodies[i]) {
			return false
		}
	}
	return true
}

func compareCommands(t *testing.T, name string, got map[Command]int) {
	t.Helper()
	base := filepath.Base(name)
	expected := filepath.Join(peer.Shared(t, "captures"), "expected",
		filepath.Base(filepath.Dir(name))+"__"+base+".tshark.tsv.gz")
	f, err := os.Open(expected)
	if err != nil {
		return // the captures of our own have no expectation
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	r := csv.NewReader(z)
	r.Comma, r.LazyQuotes, r.FieldsPerRecord = '\t', true, -1
	rows, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	column := slices.Index(rows[0], "smb.cmd")
	want := map[Command]int{}
	for _, row := range rows[1:] {
		for c := range strings.SplitSeq(row[column], ",") {
			v, err := strconv.ParseUint(c, 0, 8)
			if err == nil && Command(v) != NoAndX {
				want[Command(v)]++
			}
		}
	}
	if why, ok := elsewhere[base]; ok {
		if maps.Equal(got, want) {
			t.Errorf("%s: the counts agree, although %s", base, why)
		}
		return
	}
	if !maps.Equal(got, want) {
		t.Errorf("%s: commands %v, tshark has %v", base, got, want)
	}
}

// TestCapturedTokens reads every logon token of every capture, of SMB1 and of SMB2, and writes it again.
func TestCapturedTokens(t *testing.T) {
	tokens, messages := 0, map[ntlm.MessageType]int{}
	for _, name := range captureFiles(t) {
		base := filepath.Base(name)
		frames(t, name, func(b []byte) {
			for _, token := range securityBlobs(b) {
				tokens++
				tok, err := spnego.Parse(token)
				if err != nil {
					t.Errorf("%s: %v\n%x", base, err, token)
					continue
				}
				var again []byte
				switch tok.Kind {
				case spnego.KindInit:
					again = tok.Init.Append(nil)
				case spnego.KindResp:
					again = tok.Resp.Append(nil)
				default:
					again = tok.Raw
				}
				if !bytes.Equal(again, token) {
					t.Errorf("%s: the token comes out different:\n%x\n%x", base, token, again)
				}
				if msg, ok := tok.NTLM(); ok {
					typ, _ := ntlm.TypeOf(msg)
					messages[typ]++
					checkNTLM(t, base, msg)
				}
			}
		})
	}
	t.Logf("%d tokens, NTLM messages by type %v", tokens, messages)
	if tokens < 100 || messages[ntlm.TypeAuthenticate] < 20 {
		t.Errorf("%d tokens, NTLM %v: the reader is broken", tokens, messages)
	}
}

// padded names the captures of a client that puts two zero bytes where an empty name would be.
var padded = map[string]string{
	"smb2-01__smb2-peter.pcap": "Linux kernel client",
	"smb__smb3.pcap":           "Linux kernel client",
	"smb__smb311.pcap":         "Linux kernel client",
}

func checkNTLM(t *testing.T, base string, b []byte) {
	t.Helper()
	var m interface{ Append([]byte) ([]byte, error) }
	var err error
	switch typ, _ := ntlm.TypeOf(b); typ {
	case ntlm.TypeNegotiate:
		m, err = ntlm.ParseNegotiate(b)
	case ntlm.TypeChallenge:
		m, err = ntlm.ParseChallenge(b)
	case ntlm.TypeAuthenticate:
		var a *ntlm.Authenticate
		if a, err = ntlm.ParseAuthenticate(b); err == nil {
			m = a
			if r, ok := a.Response(); ok {
				if again := r.Append(nil); !bytes.Equal(again, a.NtChallengeResponse) {
					t.Errorf("%s: the NT response comes out different\n%x\n%x", base, a.NtChallengeResponse, again)
				}
			} else if n := len(a.NtChallengeResponse); n > 24 {
				t.Errorf("%s: an NT response of %d bytes is not read", base, n)
			}
		}
	}
	if err != nil {
		t.Errorf("%s: %v\n%x", base, err, b)
		return
	}
	again, err := m.Append(nil)
	if why := padded[base]; why != "" && (len(again) == len(b)-2 || len(again) == len(b)-4) {
		return
	}
	if err != nil || !bytes.Equal(again, b) {
		t.Errorf("%s: %T comes out different, %v\n%x\n%x", base, m, err, b, again)
	}
}

// securityBlobs finds the logon tokens of an SMB1 message, or of the first command of an SMB2 message.
func securityBlobs(b []byte) (out [][]byte) {
	le := binary.LittleEndian
	if b[0] == 0xFF {
		m, err := Parse(b)
		if err != nil {
			return nil
		}
		for i := range m.Blocks {
			body, _ := m.Decode(i)
			switch body := body.(type) {
			case *SessionSetupRequest:
				out = append(out, body.SecurityBlob)
			case *SessionSetupResponse:
				out = append(out, body.SecurityBlob)
			case *NegotiateResponse:
				out = append(out, body.SecurityBlob)
			}
		}
		return slices.DeleteFunc(out, func(b []byte) bool { return len(b) == 0 })
	}
	if b[0] != 0xFE || len(b) < 64+9 {
		return nil
	}
	command, reply := le.Uint16(b[12:]), b[16]&1 != 0
	at := 0
	switch {
	case command == 0 && reply && le.Uint16(b[64:]) == 65:
		at = 64 + 56
	case command == 1 && reply && le.Uint16(b[64:]) == 9 && len(b) > 64+9:
		at = 64 + 4
	case command == 1 && !reply && le.Uint16(b[64:]) == 25:
		at = 64 + 12
	}
	if at == 0 || at+4 > len(b) {
		return nil
	}
	offset, n := int(le.Uint16(b[at:])), int(le.Uint16(b[at+2:]))
	if n == 0 || offset+n > len(b) {
		return nil
	}
	return [][]byte{b[offset : offset+n]}
}
