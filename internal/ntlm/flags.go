package ntlm

import (
	"fmt"
	"strings"
)

// Flags are the negotiate flags that every message carries. See [MS-NLMP] 2.2.2.5.
type Flags uint32

// The flags, named as in the specification without the NTLMSSP_ prefix.
const (
	NegotiateUnicode          Flags = 1 << 0
	NegotiateOEM              Flags = 1 << 1
	RequestTarget             Flags = 1 << 2
	NegotiateSign             Flags = 1 << 4
	NegotiateSeal             Flags = 1 << 5
	NegotiateDatagram         Flags = 1 << 6
	NegotiateLMKey            Flags = 1 << 7
	NegotiateNTLM             Flags = 1 << 9
	NegotiateAnonymous        Flags = 1 << 11
	NegotiateDomainSupplied   Flags = 1 << 12
	NegotiateWorkstation      Flags = 1 << 13
	NegotiateAlwaysSign       Flags = 1 << 15
	TargetTypeDomain          Flags = 1 << 16
	TargetTypeServer          Flags = 1 << 17
	NegotiateExtendedSecurity Flags = 1 << 19
	NegotiateIdentify         Flags = 1 << 20
	RequestNonNTSessionKey    Flags = 1 << 22
	NegotiateTargetInfo       Flags = 1 << 23
	NegotiateVersion          Flags = 1 << 25
	Negotiate128              Flags = 1 << 29
	NegotiateKeyExchange      Flags = 1 << 30
	Negotiate56               Flags = 1 << 31
	signOrSeal                      = NegotiateSign | NegotiateSeal
	flagsClient                     = NegotiateUnicode | RequestTarget | NegotiateSign | NegotiateSeal | NegotiateNTLM | NegotiateAlwaysSign | NegotiateExtendedSecurity | NegotiateTargetInfo | NegotiateVersion | Negotiate128 | NegotiateKeyExchange | Negotiate56
)

var flagNames = []struct {
	flag Flags
	name string
}{
	{NegotiateUnicode, "UNICODE"},
	{NegotiateOEM, "OEM"},
	{RequestTarget, "REQUEST_TARGET"},
	{NegotiateSign, "SIGN"},
	{NegotiateSeal, "SEAL"},
	{NegotiateDatagram, "DATAGRAM"},
	{NegotiateLMKey, "LM_KEY"},
	{NegotiateNTLM, "NTLM"},
	{NegotiateAnonymous, "ANONYMOUS"},
	{NegotiateDomainSupplied, "OEM_DOMAIN_SUPPLIED"},
	{NegotiateWorkstation, "OEM_WORKSTATION_SUPPLIED"},
	{NegotiateAlwaysSign, "ALWAYS_SIGN"},
	{TargetTypeDomain, "TARGET_TYPE_DOMAIN"},
	{TargetTypeServer, "TARGET_TYPE_SERVER"},
	{NegotiateExtendedSecurity, "EXTENDED_SESSIONSECURITY"},
	{NegotiateIdentify, "IDENTIFY"},
	{RequestNonNTSessionKey, "REQUEST_NON_NT_SESSION_KEY"},
	{NegotiateTargetInfo, "TARGET_INFO"},
	{NegotiateVersion, "VERSION"},
	{Negotiate128, "128"},
	{NegotiateKeyExchange, "KEY_EXCH"},
	{Negotiate56, "56"},
}

// Has reports whether all bits of want are set.
func (f Flags) Has(want Flags) bool { return f&want == want }

// String returns the names of the set bits, and the rest in hexadecimal.
func (f Flags) String() string {
	var names []string
	for _, n := range flagNames {
		if f&n.flag != 0 {
			names = append(names, n.name)
			f &^= n.flag
		}
	}
	if f != 0 || names == nil {
		names = append(names, fmt.Sprintf("0x%08X", uint32(f)))
	}
	return strings.Join(names, "|")
}
