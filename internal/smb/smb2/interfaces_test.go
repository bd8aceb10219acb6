package smb2_test

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"slices"
	"testing"

	"ipcguard/internal/smb/smb2"
)

// told is an answer with an address of each kind. See [MS-SMB2] 2.2.32.5.
func told() []byte {
	b := make([]byte, 3*152)
	le := binary.LittleEndian
	for i, next := range []uint32{152, 152, 0} {
		e := b[i*152:]
		le.PutUint32(e, next)
		le.PutUint32(e[4:], uint32(i+1))
		le.PutUint64(e[16:], 1e9)
	}
	le.PutUint32(b[8:], smb2.InterfaceRDMA)
	le.PutUint16(b[24:], 2)
	copy(b[28:], []byte{192, 0, 2, 7})
	le.PutUint16(b[152+24:], 0x17)
	copy(b[152+32:], netip.MustParseAddr("2001:db8::7").AsSlice())
	return b
}

func TestNetworkInterfaces(t *testing.T) {
	got, err := smb2.ParseNetworkInterfaces(told())
	want := []smb2.NetworkInterface{
		{Index: 1, Capabilities: smb2.InterfaceRDMA, LinkSpeed: 1e9, Address: netip.MustParseAddr("192.0.2.7")},
		{Index: 2, LinkSpeed: 1e9, Address: netip.MustParseAddr("2001:db8::7")},
		{Index: 3, LinkSpeed: 1e9},
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := smb2.ParseNetworkInterfaces(nil); err != nil || len(got) != 0 {
		t.Errorf("no answer: %+v, %v", got, err)
	}
	short := told()[:200]
	back := told()
	binary.LittleEndian.PutUint32(back, 8)
	for want, b := range map[error][]byte{smb2.ErrShort: short, smb2.ErrBounds: back} {
		if _, err := smb2.ParseNetworkInterfaces(b); !errors.Is(err, want) {
			t.Errorf("%v, want %v", err, want)
		}
	}
}

// FuzzNetworkInterfaces reads anything: each entry takes its bytes, so there are never more than fit.
func FuzzNetworkInterfaces(f *testing.F) {
	f.Add(told())
	f.Fuzz(func(t *testing.T, b []byte) {
		if got, err := smb2.ParseNetworkInterfaces(b); err == nil && len(got) > len(b)/152 {
			t.Errorf("%d addresses in %d bytes", len(got), len(b))
		}
	})
}
