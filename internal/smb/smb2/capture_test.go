package smb2_test

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/csv"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"ipcguard/internal/peer"
	"ipcguard/internal/smb/smb2"
)

// captures lists every capture file.
func captures(t testing.TB) []string {
	t.Helper()
	var files []string
	for _, ext := range []string{"pcap", "pcapng", "pcap.gz"} {
		more, err := filepath.Glob(filepath.Join(peer.Shared(t, ""), "captures", "*", "*."+ext))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, more...)
	}
	slices.Sort(files)
	if len(files) < 40 {
		t.Fatalf("%d captures, more than 40 expected", len(files))
	}
	return files
}

// flow is one direction of a TCP connection, in pieces: a piece ends where bytes are missing.
type flow struct {
	from, to string
	pieces   [][]byte
}

type segment struct {
	seq  uint32
	data []byte
}

// flows reads a capture and puts its TCP streams together.
func flows(t testing.TB, file string) []*flow {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := bufio.NewReader(f)
	if magic, _ := r.Peek(2); bytes.Equal(magic, []byte{0x1F, 0x8B}) {
		z, err := gzip.NewReader(r)
		if err != nil {
			t.Fatal(err)
		}
		r = bufio.NewReader(z)
	}
	var source gopacket.PacketDataSource
	var link layers.LinkType
	if magic, _ := r.Peek(4); bytes.Equal(magic, []byte{0x0A, 0x0D, 0x0D, 0x0A}) {
		ng, err := pcapgo.NewNgReader(r, pcapgo.DefaultNgReaderOptions)
		if err != nil {
			t.Fatal(err)
		}
		source, link = ng, ng.LinkType()
	} else {
		p, err := pcapgo.NewReader(r)
		if err != nil {
			t.Fatal(err)
		}
		source, link = p, p.LinkType()
	}
	segments := map[[2]string][]segment{}
	var order [][2]string
	for {
		data, _, err := source.ReadPacketData()
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		p := gopacket.NewPacket(bytes.Clone(data), link, gopacket.Default)
		tcp, ok := p.TransportLayer().(*layers.TCP)
		if !ok || len(tcp.Payload) == 0 {
			continue
		}
		src, dst := p.NetworkLayer().NetworkFlow().Endpoints()
		key := [2]string{
			src.String() + ":" + strconv.Itoa(int(tcp.SrcPort)),
			dst.String() + ":" + strconv.Itoa(int(tcp.DstPort)),
		}
		if segments[key] == nil {
			order = append(order, key)
		}
		segments[key] = append(segments[key], segment{tcp.Seq, tcp.Payload})
	}
	var all []*flow
	for _, key := range order {
		all = append(all, &flow{key[0], key[1], assemble(segments[key])})
	}
	return all
}

// assemble sorts segments by their distance from the first, which wraps with the sequence number.
func assemble(list []segment) [][]byte {
	first := list[0].seq
	at := func(s segment) int { return int(int32(s.seq - first)) }
	slices.SortStableFunc(list, func(a, b segment) int { return cmp.Compare(at(a), at(b)) })
	var pieces [][]byte
	next := at(list[0]) - 1
	for _, s := range list {
		switch p := at(s); {
		case p > next:
			pieces = append(pieces, bytes.Clone(s.data))
			next = p + len(s.data)
		case p+len(s.data) > next:
			last := &pieces[len(pieces)-1]
			*last = append(*last, s.data[next-p:]...)
			next = p + len(s.data)
		}
	}
	return pieces
}

// frames cuts a piece into SMB frames. Where a piece starts in the middle of one, it goes on at the next header.
func frames(piece []byte) (list [][]byte) {
	for len(piece) > 8 {
		n := int(piece[1])<<16 | int(piece[2])<<8 | int(piece[3])
		if piece[0] != 0 || string(piece[5:8]) != "SMB" || piece[4] < 0xFC {
			i := bytes.Index(piece[1:], []byte("SMB"))
			if i < 4 {
				if i < 0 {
					return list
				}
				piece = piece[i+2:]
				continue
			}
			piece = piece[i-4:] // i is in piece[1:]: the mark is at i+1, the frame header five before
			if piece[0] != 0 || piece[4] < 0xFC {
				piece = piece[8:]
			}
			continue
		}
		if n < 4 || n > len(piece)-4 {
			return list // cut off by the capture
		}
		list = append(list, piece[4:4+n])
		piece = piece[4+n:]
	}
	return list
}

// everyFrame calls f with each SMB frame of each capture.
func everyFrame(t testing.TB, f func(file string, fl *flow, frame []byte)) {
	for _, file := range captures(t) {
		for _, fl := range flows(t, file) {
			for _, piece := range fl.pieces {
				for _, frame := range frames(piece) {
					f(filepath.Base(file), fl, frame)
				}
			}
		}
	}
}

// named are the frames that do not decode, and why that is right.
var named = map[string][]string{
	// Made by a fuzzer: the bytes behind the marks are random.
	"smb__smb1-OSS-fuzz-54883.pcap": {"IOCTL response: input", "NextCommand", "StructureSize"},
	"smb__smb2_fscontrol.pcap":      {"wrong StructureSize 319"},
}

func isNamed(file string, err error) bool {
	return slices.ContainsFunc(named[file], func(reason string) bool { return strings.Contains(err.Error(), reason) })
}

func TestCaptures(t *testing.T) {
	messages, same, encrypted := 0, 0, 0
	perFile := map[string]map[string]int{}
	everyFrame(t, func(file string, fl *flow, frame []byte) {
		switch smb2.KindOf(frame) {
		case smb2.KindSMB1:
			return
		case smb2.KindEncrypted:
			encrypted++
			var h smb2.TransformHeader
			if err := h.Unmarshal(frame); err != nil {
				t.Errorf("%s: %v", file, err)
			} else if got := h.AppendMarshal(nil); !bytes.Equal(got, frame[:smb2.TransformLen]) {
				t.Errorf("%s: transform header % x, encoded % x", file, frame[:smb2.TransformLen], got)
			}
			return
		case smb2.KindCompressed:
			t.Errorf("%s: a compressed frame: none of these captures has one", file)
			return
		}
		c := smb2.NewChain(frame)
		for c.Next() {
			messages++
			m, err := smb2.Parse(c.Message)
			if err != nil {
				if !isNamed(file, err) {
					t.Errorf("%s: %v", file, err)
				}
				continue
			}
			if perFile[file] == nil {
				perFile[file] = map[string]int{}
			}
			perFile[file][key(&m.Header)]++
			if got := m.AppendMarshal(nil); bytes.Equal(got, c.Message) {
				same++
			} else {
				i := 0
				for i < len(got) && i < len(c.Message) && got[i] == c.Message[i] {
					i++
				}
				t.Errorf("%s: %v %T of %d bytes encodes to %d bytes, different at %d\n% x\n% x", file, m.Header.Command,
					m.Body, len(c.Message), len(got), i, c.Message[:min(len(c.Message), 200)], got[:min(len(got), 200)])
			}
			checkLists(t, file, m)
		}
		if err := c.Err(); err != nil {
			if !isNamed(file, err) {
				t.Errorf("%s: %v", file, err)
			}
		}
	})
	t.Logf("%d messages, %d encode to the same bytes, %d encrypted frames", messages, same, encrypted)
	if messages < 2800 || encrypted < 116 {
		t.Error("fewer messages than the captures hold")
	}
	compareWithTshark(t, perFile)
}

func key(h *smb2.Header) string {
	if h.IsResponse() {
		return strconv.Itoa(int(h.Command)) + " response"
	}
	return strconv.Itoa(int(h.Command)) + " request"
}

// checkLists decodes what bodies keep raw.
func checkLists(t *testing.T, file string, m *smb2.Message) {
	var err error
	switch b := m.Body.(type) {
	case *smb2.CreateRequest:
		_, err = b.Contexts.List()
	case *smb2.CreateResponse:
		_, err = b.Contexts.List()
	case *smb2.ErrorResponse:
		_, err = b.Contexts()
	case *smb2.NegotiateRequest:
		err = checkContexts(b.Contexts)
	case *smb2.NegotiateResponse:
		err = checkContexts(b.Contexts)
	}
	if err != nil {
		t.Errorf("%s: %T: %v", file, m.Body, err)
	}
}

// checkContexts decodes negotiate contexts and encodes them again.
func checkContexts(list []smb2.NegotiateContext) error {
	for _, c := range list {
		var typed interface {
			Unmarshal([]byte) error
			Context() smb2.NegotiateContext
		}
		switch c.Type {
		case smb2.ContextPreauth:
			typed = new(smb2.PreauthCapabilities)
		case smb2.ContextEncryption:
			typed = new(smb2.EncryptionCapabilities)
		case smb2.ContextCompression:
			typed = new(smb2.CompressionCapabilities)
		case smb2.ContextTransport:
			typed = new(smb2.TransportCapabilities)
		case smb2.ContextRDMA:
			typed = new(smb2.RDMACapabilities)
		case smb2.ContextSigning:
			typed = new(smb2.SigningCapabilities)
		default:
			continue
		}
		if err := typed.Unmarshal(c.Data); err != nil {
			return err
		}
		if again := typed.Context(); again.Type != c.Type || !bytes.Equal(again.Data, c.Data) {
			return errors.New("a negotiate context encodes differently")
		}
	}
	return nil
}

// compareWithTshark holds the messages of each capture against those tshark saw: command and direction, counted.
func compareWithTshark(t *testing.T, ours map[string]map[string]int) {
	compared := 0
	for _, file := range captures(t) {
		folder := filepath.Base(filepath.Dir(file))
		expected := filepath.Join(peer.Shared(t, ""), "captures", "expected",
			folder+"__"+filepath.Base(file)+".tshark.tsv.gz")
		theirs, err := tsharkCounts(expected)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		compared++
		for k, n := range theirs {
			if ours[filepath.Base(file)][k] != n+fewer[filepath.Base(file)][k] {
				t.Errorf("%s: command %s: %d here, %d in tshark", filepath.Base(file), k, ours[filepath.Base(file)][k],
					n)
			}
		}
		for k, n := range ours[filepath.Base(file)] {
			if theirs[k] == 0 {
				t.Errorf("%s: command %s: %d here, none in tshark", filepath.Base(file), k, n)
			}
		}
	}
	if compared < 30 {
		t.Errorf("%d captures compared with tshark, at least 30 expected", compared)
	}
}

// fewer is what tshark counts and this test does not.
var fewer = map[string]map[string]int{
	"krb__smb2_krb.pcap":       {"14 response": -1}, // the capture kept only the start of this packet
	"smb__smb2_fscontrol.pcap": {"17 response": -1}, // its header has StructureSize 319
}

func tsharkCounts(file string) (map[string]int, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	r := csv.NewReader(z)
	r.Comma, r.LazyQuotes, r.FieldsPerRecord = '\t', true, -1
	rows, err := r.ReadAll()
	if err != nil {
		return nil, err
	}
	counts := map[string]int{}
	cmdAt, responseAt := slices.Index(rows[0], "smb2.cmd"), slices.Index(rows[0], "smb2.flags.response")
	for _, row := range rows[1:] {
		if len(row) <= responseAt || row[cmdAt] == "" {
			continue
		}
		commands := strings.FieldsFunc(row[cmdAt], func(r rune) bool { return r == ',' || r == ';' })
		directions := strings.FieldsFunc(row[responseAt], func(r rune) bool { return r == ',' || r == ';' })
		for i, c := range commands {
			k := c + " request"
			if i < len(directions) && (directions[i] == "1" || directions[i] == "True") {
				k = c + " response"
			}
			counts[k]++
		}
	}
	return counts, nil
}
