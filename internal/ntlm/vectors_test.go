package ntlm

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"testing"
	"time"
)

// The values of [MS-NLMP] 4.2.1 and 4.2.4.

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

const (
	vectorChallenge = `4e544c4d5353500002000000 0c000c0038000000 33828ae2 0123456789abcdef 0000000000000000
		2400240044000000 060070170000000f 530065007200760065007200
		02000c0044006f006d00610069006e00 01000c00530065007200760065007200 00000000`
	vectorAuthenticate = `4e544c4d5353500003000000 180018006c000000 5400540084000000 0c000c0048000000 0800080054000000
		100010005c000000 10001000d8000000 358288e2 0501280a0000000f 44006f006d00610069006e00 5500730065007200
		43004f004d0050005500540045005200 86c35097ac9cec102554764a57cccc19aaaaaaaaaaaaaaaa
		68cd0ab851e51c96aabc927bebef6a1c 01010000000000000000000000000000aaaaaaaaaaaaaaaa00000000
		02000c0044006f006d00610069006e00 01000c00530065007200760065007200 00000000 00000000
		c5dad2544fc9799094ce1ce90bc9d03e`
	vectorChallengeV1    = `4e544c4d5353500002000000 0c000c0038000000 33820a82 0123456789abcdef 0000000000000000 0000000000000000 060070170000000f 530065007200760065007200`
	vectorAuthenticateV1 = `4e544c4d5353500003000000 180018006c000000 1800180084000000 0c000c0048000000 0800080054000000
		100010005c000000 000000009c000000 35820882 0501280a0000000f 44006f006d00610069006e00 5500730065007200
		43004f004d0050005500540045005200 aaaaaaaaaaaaaaaa00000000000000000000000000000000 7537f803ae367128ca458204bde7caf81e97ed2683267232`
)

func TestVectorsNTLMv2(t *testing.T) {
	secret := Secret{"User", "Domain", NTHash("Password")}
	if want := unhex(t, "a4f49c406510bdcab6824ee7c30fd852"); !bytes.Equal(secret.Hash[:], want) {
		t.Errorf("NTOWFv1 %x, want %x", secret.Hash[:], want)
	}
	if got, want := ntowf2(secret.Hash, "User",
		"Domain"), unhex(t, "0c868a403bfd7a93a3001ef22ef02e3f"); !bytes.Equal(got, want) {
		t.Errorf("NTOWFv2 %x, want %x", got, want)
	}
	ch, err := ParseChallenge(unhex(t, vectorChallenge))
	if err != nil {
		t.Fatal(err)
	}
	auth, err := ParseAuthenticate(unhex(t, vectorAuthenticate))
	if err != nil {
		t.Fatal(err)
	}
	if auth.User() != "User" || auth.Domain() != "Domain" || auth.Host() != "COMPUTER" || auth.HeaderLen != 72 ||
		auth.HasMIC() {
		t.Errorf("read as %q %q %q, header %d, mic %v",
			auth.Domain(), auth.User(), auth.Host(), auth.HeaderLen, auth.HasMIC())
	}
	r, ok := auth.Response()
	if !ok {
		t.Fatal("the NT response is not read as NTLMv2")
	}
	pairs, err := ParseAVPairs(ch.TargetInfo)
	if err != nil {
		t.Fatal(err)
	}
	nt, lm, key := secret.Answer(ch.ServerChallenge, &V2Response{
		ClientChallenge: r.ClientChallenge,
		Pairs:           pairs,
		Tail:            []byte{0, 0, 0, 0},
	})
	if !bytes.Equal(nt, auth.NtChallengeResponse) {
		t.Errorf("NT response\n%x, want\n%x", nt, auth.NtChallengeResponse)
	}
	if !bytes.Equal(lm, auth.LmChallengeResponse) {
		t.Errorf("LM response\n%x, want\n%x", lm, auth.LmChallengeResponse)
	}
	if want := unhex(t, "8de40ccadbc14a82f15cb0ad0de95ca3"); !bytes.Equal(key, want) {
		t.Errorf("session base key %x, want %x", key, want)
	}
	if got, ok := secret.Verify(ch.ServerChallenge, r); !ok || !bytes.Equal(got, key) {
		t.Error("the server does not accept the response")
	}
	exported := ExportedSessionKey([16]byte(key), auth)
	if want := bytes.Repeat([]byte{0x55}, 16); !bytes.Equal(exported, want) {
		t.Errorf("exported session key %x, want %x", exported, want)
	}
	if strings.Contains(Secret{"u", "d", secret.Hash}.Hash.String(), "a4f4") {
		t.Error("a hash prints itself")
	}
	// 4.2.4.4
	flags := ch.Flags
	if got, want := sealKey(flags, exported,
		true), unhex(t, "59f600973cc4960a25480a7c196e4c58"); !bytes.Equal(got, want) {
		t.Errorf("sealing key %x, want %x", got, want)
	}
	if got, want := signKey(exported, true), unhex(t, "4788dc861b4782f35d43fd98fe1a2d39"); !bytes.Equal(got, want) {
		t.Errorf("signing key %x, want %x", got, want)
	}
	checkSeal(t, flags, exported, "54e50165bf1936dc996020c1811b0f06fb5f", "010000007fb38ec5c55d497600000000")
}

func TestVectorsWithClientChallenge(t *testing.T) {
	// 4.2.3.4: 56 bits, extended session security, no key exchange.
	ch, err := ParseChallenge(unhex(t, vectorChallengeV1))
	if err != nil {
		t.Fatal(err)
	}
	session := unhex(t, "eb93429a8bd952f8b89c55b87f475edc")
	checkSeal(t, ch.Flags, session, "a02372f6530273f3aa1eb90190ce5200c99d", "01000000ff2aeb52f681793a00000000")
}

func checkSeal(t *testing.T, f Flags, session []byte, data, sig string) {
	t.Helper()
	client, err := NewSecurity(f, session, true)
	if err != nil {
		t.Fatal(err)
	}
	server, err := NewSecurity(f, session, false)
	if err != nil {
		t.Fatal(err)
	}
	plain := encodeUTF16("Plaintext")
	m := bytes.Clone(plain)
	got := client.Seal(m, m)
	if want := unhex(t, data); !bytes.Equal(m, want) {
		t.Errorf("sealed %x, want %x", m, want)
	}
	if want := unhex(t, sig); !bytes.Equal(got[:], want) {
		t.Errorf("signature %x, want %x", got, want)
	}
	if err := server.Unseal(m, m, got[:]); err != nil || !bytes.Equal(m, plain) {
		t.Errorf("unsealed %q, %v", m, err)
	}
}

func TestVectorsRoundTrip(t *testing.T) {
	for name, c := range map[string]string{"v2": vectorChallenge, "v1": vectorChallengeV1} {
		m, err := ParseChallenge(unhex(t, c))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if b, err := m.Append(nil); err != nil || !bytes.Equal(b, unhex(t, c)) {
			t.Errorf("%s: written again\n%x, %v", name, b, err)
		}
	}
	for name, a := range map[string]string{"v2": vectorAuthenticate, "v1": vectorAuthenticateV1} {
		m, err := ParseAuthenticate(unhex(t, a))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if b, err := m.Append(nil); err != nil || !bytes.Equal(b, unhex(t, a)) {
			t.Errorf("%s: written again\n%x, %v", name, b, err)
		}
	}
}

// TestClientMakesTheVector runs the client with the specification's nonces and expects exactly its message.
func TestClientMakesTheVector(t *testing.T) {
	c := NewUser("User", "Domain", "Password",
		Options{Workstation: "COMPUTER", Version: Version{5, 1, 2600, [3]byte{}, 15}})
	fill := byte(0xAA)
	c.random = func(b []byte) error {
		for i := range b {
			b[i] = fill
		}
		fill = 0x55
		return nil
	}
	c.now = func() time.Time { return time.Date(1601, 1, 1, 0, 0, 0, 0, time.UTC) }
	if _, err := c.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	b, err := c.Next(context.Background(), unhex(t, vectorChallenge))
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParseAuthenticate(b)
	if err != nil {
		t.Fatal(err)
	}
	want, _ := ParseAuthenticate(unhex(t, vectorAuthenticate))
	r, ok := got.Response()
	if !ok {
		t.Fatal("no NTLMv2 response")
	}
	// The example is older than channel bindings and target names; without them the rest must agree.
	r2, _ := want.Response()
	if r.ClientChallenge != r2.ClientChallenge || r.Timestamp != r2.Timestamp || len(r.Pairs) != len(r2.Pairs)+2 {
		t.Errorf("response %+v, want %+v", r, r2)
	}
	if !r.Pairs.Has(AvTargetName) || !bytes.Equal(r.Pairs.Get(AvChannelBindings), make([]byte, 16)) {
		t.Error("channel bindings and target name are missing")
	}
	if !bytes.Equal(got.LmChallengeResponse, want.LmChallengeResponse) {
		t.Errorf("LM response %x, want %x", got.LmChallengeResponse, want.LmChallengeResponse)
	}
	if got.User() != "User" || got.Domain() != "Domain" || got.Host() != "COMPUTER" || got.Version != want.Version {
		t.Errorf("names %q %q %q %v", got.User(), got.Domain(), got.Host(), got.Version)
	}
	if key := c.SessionKey(); !bytes.Equal(key, bytes.Repeat([]byte{0x55}, 16)) {
		t.Errorf("session key %x", key)
	}
	if binary.LittleEndian.Uint16(b[20:]) != uint16(len(got.NtChallengeResponse)) {
		t.Error("length of the NT response")
	}
}

// The values of [MS-NLMP] 4.2.2 and 4.2.3.
func TestVectorsNTLMv1(t *testing.T) {
	secret := Secret{"User", "Domain", NTHash("Password")}
	challenge := [8]byte(unhex(t, "0123456789abcdef"))
	nonce := [8]byte(unhex(t, "aaaaaaaaaaaaaaaa"))
	for _, c := range []struct {
		extended   bool
		nt, lm, kx string
	}{
		{
			false, "67c43011f30298a2ad35ece64f16331c44bdbed927841f94",
			"67c43011f30298a2ad35ece64f16331c44bdbed927841f94", "d87262b0cde4b1cb7499becccdf10784",
		},
		{
			true, "7537f803ae367128ca458204bde7caf81e97ed2683267232",
			"aaaaaaaaaaaaaaaa00000000000000000000000000000000", "eb93429a8bd952f8b89c55b87f475edc",
		},
	} {
		nt, lm, key := secret.respondV1(challenge, c.extended, nonce)
		if !bytes.Equal(nt, unhex(t, c.nt)) || !bytes.Equal(lm, unhex(t, c.lm)) || !bytes.Equal(key, unhex(t, c.kx)) {
			t.Errorf("extended %v: NT %x, LM %x, key %x", c.extended, nt, lm, key)
		}
	}
	if NewUser("User", "Domain", "Password", Options{V1: true, Bound: true}).Bound() {
		t.Error("an NTLMv1 answer that is tied to a server")
	}
}
