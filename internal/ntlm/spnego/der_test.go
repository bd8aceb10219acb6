package spnego

import (
	"bytes"
	"encoding/asn1"
	"slices"
	"testing"
)

// Elements of every length that changes how it is written are read as they were written, and as long as they say.
func TestElementLengths(t *testing.T) {
	for _, n := range []int{0, 1, 0x7F - 2, 0x7F, 0x80, 0xFF - 3, 0xFF, 0x100, 0xFFFF, 0x10000, 1<<24 - 1, 1 << 24} {
		content := bytes.Repeat([]byte{7}, n)
		if got := len(appendElement(nil, tagOctetString, content)); got != elementLen(n) {
			t.Errorf("%d bytes: %d with the head, and elementLen is %d", n, got, elementLen(n))
		}
		b := appendField([]byte("before"), 2, tagOctetString, content)
		outer, err := only(b[len("before"):], tagContext0+2)
		if err != nil {
			t.Fatalf("%d bytes: %v", n, err)
		}
		if got, err := only(outer, tagOctetString); err != nil || !bytes.Equal(got, content) {
			t.Errorf("%d bytes: %d came back: %v", n, len(got), err)
		}
	}
}

// Identifiers are written as the standard library writes them, and read back.
func TestIdentifiers(t *testing.T) {
	for _, oid := range []asn1.ObjectIdentifier{
		OIDSPNEGO, OIDNTLM, OIDNegoEx, OIDKerberos, OIDKerberosMS, OIDIAKERB, OIDKerberosUser2U,
		{2, 999, 1 << 27},
		append(asn1.ObjectIdentifier{1, 3}, slices.Repeat([]int{1 << 22}, maxArcs-2)...),
	} {
		want, err := asn1.Marshal(oid)
		if err != nil {
			t.Fatal(err)
		}
		got := appendOID(nil, oid)
		if !bytes.Equal(got, want) {
			t.Errorf("%v: %x, want %x", oid, got, want)
		}
		if back, rest, err := leadingOID(got); err != nil || len(rest) > 0 || !back.Equal(oid) {
			t.Errorf("%v: read as %v: %v", oid, back, err)
		}
	}
}
