package ntlm

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/subtle"
	"encoding/binary"
	"time"
	"unicode"

	//lint:ignore SA1019 MD4 is what the protocol prescribes
	"golang.org/x/crypto/md4"
)

// A Hash is the NT hash of a password, which is equivalent to the password.
type Hash [16]byte

// String hides the hash.
func (Hash) String() string { return "(secret)" }

// GoString hides the hash.
func (Hash) GoString() string { return "(secret)" }

// NTHash is MD4 over the UTF-16LE password. See NTOWFv1 in [MS-NLMP] 3.3.1.
func NTHash(password string) Hash {
	h := md4.New()
	h.Write(encodeUTF16(password))
	return Hash(h.Sum(nil))
}

// ntowf2 returns the key of the NTLMv2 responses, from the user in upper case and the domain as given. See [MS-NLMP]
// 3.3.2.
func ntowf2(hash Hash, user, domain string) []byte {
	upper := make([]rune, 0, len(user))
	for _, r := range user {
		upper = append(upper, unicode.ToUpper(r))
	}
	return hmacMD5(hash[:], encodeUTF16(string(upper)), encodeUTF16(domain))
}

func hmacMD5(key []byte, parts ...[]byte) []byte {
	h := hmac.New(md5.New, key)
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

// V2Response is the NT response of NTLMv2.
//
// See [MS-NLMP] 2.2.2.7 and 2.2.2.8.
type V2Response struct {
	Proof           [16]byte
	Timestamp       uint64 // FILETIME
	ClientChallenge [8]byte
	Pairs           AVPairs
	// Tail follows the end mark of the attributes; Windows and Samba write four zero bytes.
	Tail []byte

	blob []byte // everything after Proof, as sent
}

const (
	v2ProofLen  = 16
	v2FixedLen  = 28                      // versions, reserved, timestamp, client challenge, reserved
	v2MinLen    = v2ProofLen + v2FixedLen // attributes may be missing if the server sent none
	v1Len       = 24
	lmv2Len     = 24
	maxV2Length = 0xFFFF // the length of the field that carries it
)

// ParseV2Response reads an NT response; its byte slices alias b.
func ParseV2Response(b []byte) (*V2Response, error) {
	if len(b) < v2MinLen || len(b) > maxV2Length {
		return nil, malformed("an NTLMv2 response has %d bytes at least, not %d", v2MinLen, len(b))
	}
	blob := b[v2ProofLen:]
	if blob[0] != 1 || blob[1] != 1 {
		return nil, malformed("NTLMv2 response version %d.%d", blob[0], blob[1])
	}
	pairs, tail, err := parseAVPairs(blob[v2FixedLen:])
	if err != nil {
		return nil, err
	}
	return &V2Response{
		Proof:           [16]byte(b),
		Timestamp:       binary.LittleEndian.Uint64(blob[8:]),
		ClientChallenge: [8]byte(blob[16:24]),
		Pairs:           pairs,
		Tail:            tail,
		blob:            blob,
	}, nil
}

// Append writes the response.
func (r *V2Response) Append(b []byte) []byte {
	return r.appendBlob(append(b, r.Proof[:]...))
}

func (r *V2Response) appendBlob(b []byte) []byte {
	b = append(b, 1, 1, 0, 0, 0, 0, 0, 0)
	b = binary.LittleEndian.AppendUint64(b, r.Timestamp)
	b = append(b, r.ClientChallenge[:]...)
	b = append(b, 0, 0, 0, 0)
	return append(r.Pairs.Append(b), r.Tail...)
}

// A Secret is what the responder of NTLMv2 knows: the account and the hash of its password.
type Secret struct {
	User, Domain string
	Hash         Hash
}

// Answer computes both NTLMv2 responses and the session base key for a server's challenge; it fills in r.Proof.
func (s Secret) Answer(serverChallenge [8]byte, r *V2Response) (nt, lm, sessionBaseKey []byte) {
	key := ntowf2(s.Hash, s.User, s.Domain)
	blob := r.appendBlob(nil)
	proof := hmacMD5(key, serverChallenge[:], blob)
	r.Proof = [16]byte(proof)
	lm = append(hmacMD5(key, serverChallenge[:], r.ClientChallenge[:]), r.ClientChallenge[:]...)
	return append(proof, blob...), lm, hmacMD5(key, r.Proof[:])
}

// Verify checks an NTLMv2 response in constant time and returns the session base key.
func (s Secret) Verify(serverChallenge [8]byte, r *V2Response) (sessionBaseKey []byte, ok bool) {
	key := ntowf2(s.Hash, s.User, s.Domain)
	blob := r.blob
	if blob == nil {
		blob = r.appendBlob(nil)
	}
	proof := hmacMD5(key, serverChallenge[:], blob)
	if subtle.ConstantTimeCompare(proof, r.Proof[:]) != 1 {
		return nil, false
	}
	return hmacMD5(key, proof), true
}

// Filetime returns t in steps of 100 ns since 1601, as in the protocol. See [MS-DTYP] 2.3.3.
func Filetime(t time.Time) uint64 {
	const epoch = 11644473600 // seconds from 1601 to 1970
	return uint64((t.Unix()+epoch)*1e7) + uint64(t.Nanosecond()/100)
}
