package dcerpc

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"testing"
)

// fill returns every exported field of v a random value.
func fill(r *rand.Rand, v reflect.Value, depth int) {
	switch v.Kind() {
	case reflect.Pointer:
		if r.IntN(4) == 0 {
			return
		}
		v.Set(reflect.New(v.Type().Elem()))
		fill(r, v.Elem(), depth+1)
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fill(r, v.Field(i), depth+1)
			}
		}
	case reflect.Slice:
		if r.IntN(4) == 0 {
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), r.IntN(5), 8))
		for i := range v.Len() {
			fill(r, v.Index(i), depth+1)
		}
	case reflect.Array:
		for i := range v.Len() {
			fill(r, v.Index(i), depth+1)
		}
	case reflect.String:
		v.SetString([]string{"", "a", "ab", "IPC$", "Größe 漢字 𝄞", `\\server\share`}[r.IntN(6)])
	case reflect.Bool:
		v.SetBool(r.IntN(2) == 0)
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(r.Uint64() >> r.IntN(64) & (1<<v.Type().Bits() - 1))
	}
}

func pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }

// constrain makes a randomly filled message encodable: existing levels, and one arm of each union.
func constrain(r *rand.Rand, m Message) {
	switch m := m.(type) {
	case *SamrConnect5Request:
		m.In.Version = 1
	case *SamrConnect5Response:
		m.Out.Version = 1
	case *SamrQueryDisplayResponse:
		m.Class = pick[uint16](r, DisplayUser, DisplayMachine, DisplayGroup)
	case *SamrQueryDomainResponse:
		switch r.IntN(4) {
		case 0:
			m.General, m.Lockout = nil, nil
		case 1:
			m.Password, m.Lockout = nil, nil
		case 2:
			m.Password, m.General = nil, nil
		default:
			m.Password, m.General, m.Lockout = nil, nil, nil
		}
	case *LsarQueryPolicyResponse:
		m.Class = pick[uint16](r, 0, PolicyAccountDomain, PolicyPrimaryDomain, PolicyServerRole, PolicyDNSDomain)
		m.Role |= 1
		if m.Domain == nil {
			m.Domain = &PolicyDomain{}
		}
		if m.DNS == nil {
			m.DNS = &PolicyDNS{}
		}
	case *NetrShareEnumRequest:
		m.Level = pick[uint32](r, 0, 1, 2, 501, 502)
	case *NetrShareEnumResponse:
		m.Level = pick[uint32](r, 0, 1, 2, 501, 502)
	case *NetrShareGetInfoResponse:
		m.Level = pick[uint32](r, 0, 1, 2, 501, 502)
	case *NetrSessionEnumRequest:
		m.Level = pick[uint32](r, 0, 1, 2, 10, 502)
	case *NetrSessionEnumResponse:
		m.Level = pick[uint32](r, 0, 1, 2, 10, 502)
	case *NetrServerGetInfoResponse:
		m.Level = pick[uint32](r, 100, 101, 102)
	case *NetrWkstaGetInfoResponse:
		m.Level = pick[uint32](r, 100, 101, 102)
	case *NetrWkstaUserEnumRequest:
		m.Level = pick[uint32](r, 0, 1)
	case *NetrWkstaUserEnumResponse:
		m.Level = pick[uint32](r, 0, 1)
	case *EptLookupResponse:
		m.Max = uint32(len(m.Entries)) + m.Max>>8
	}
}

func encode(m Message, big bool) ([]byte, error) {
	c := coder{big: big}
	m.ndr(&c)
	return c.buf, c.err
}

// TestRoundTrip fills every message with random values and compares encoding with decoding, in both byte orders. A
// first decoding may drop what a level or arm does not carry; after that nothing may change.
func TestRoundTrip(t *testing.T) {
	for _, l := range layouts {
		for direction, fresh := range map[string]func() Message{"request": l.request, "response": l.answer} {
			t.Run(InterfaceByName(l.iface).OpName(l.opnum)+" "+direction, func(t *testing.T) {
				for seed := range uint64(40) {
					r := rand.New(rand.NewPCG(seed, uint64(l.opnum)))
					m := fresh()
					fill(r, reflect.ValueOf(m).Elem(), 0)
					constrain(r, m)
					for _, big := range []bool{false, true} {
						roundTrip(t, m, fresh(), fresh(), big)
					}
				}
			})
		}
	}
}

func roundTrip(t *testing.T, m, second, third Message, big bool) {
	t.Helper()
	wire, err := encode(m, big)
	if err != nil {
		t.Fatalf("%+v: %v", m, err)
	}
	c := coder{buf: wire, dec: true, big: big}
	second.ndr(&c)
	if c.err != nil || c.left() != 0 {
		t.Fatalf("%+v\n%x: %v, %d bytes left", m, wire, c.err, c.left())
	}
	again, _ := encode(second, big)
	if !bytes.Equal(again, wire) {
		t.Fatalf("big %v: %+v\nfirst  %x\nsecond %x", big, m, wire, again)
	}
	if err := UnmarshalNDR(again, big, third); err != nil || !reflect.DeepEqual(second, third) {
		t.Fatalf("%+v\nand\n%+v: %v", second, third, err)
	}
	for cut := 0; cut < len(wire); cut += 1 + len(wire)/64 { // never a panic, never a success without necessary data
		if UnmarshalNDR(wire[:cut], big, reflect.New(reflect.TypeOf(m).Elem()).Interface().(Message)) == nil &&
			cut+3 < len(wire) {
			t.Fatalf("%d of %d bytes are enough for %+v", cut, len(wire), m)
		}
	}
}
