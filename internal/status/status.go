// Package status names the three families of result codes that a server sends:
//
//	NTSTATUS  32 bits, in SMB headers and in the return value of SAMR, LSARPC, NETLOGON   STATUS_ACCESS_DENIED
//	WERROR    32 bits, in the return value of SRVSVC, WINREG, SVCCTL, SPOOLSS …           WERR_ACCESS_DENIED
//	fault     32 bits, in a DCE/RPC fault PDU                                             nca_s_fault_access_denied
//
// The package holds names and numbers, as data in three text files, and the meaning of a status as an answer
// (answer.go). It imports no other package of the project, so every decoder may use it.
package status

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"
	"sync"
)

// NTStatus is a Windows NTSTATUS value. See [MS-ERREF] 2.3.
type NTStatus uint32

// WError is a Win32 error code as RPC servers return it. See [MS-ERREF] 2.2.
type WError uint32

// Fault is the status of a DCE/RPC fault PDU. See [MS-RPCE] 2.2.2.6 and [C706] appendix E.
type Fault uint32

//go:embed ntstatus.txt
var ntstatusText string

//go:embed werror.txt
var werrorText string

//go:embed fault.txt
var faultText string

// table is parsed on first use, so that a program that prints no status pays nothing.
type table struct {
	byValue map[uint32]string
	byName  map[string]uint32
}

func parse(text string) *table {
	t := &table{map[uint32]string{}, map[string]uint32{}}
	for line := range strings.Lines(text) {
		value, name, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok || value == "#" {
			continue
		}
		v, err := strconv.ParseUint(value, 16, 32)
		if err != nil {
			continue // the tests check that every line parses
		}
		t.byValue[uint32(v)] = name
		t.byName[name] = uint32(v)
	}
	return t
}

var (
	ntstatuses = sync.OnceValue(func() *table { return parse(ntstatusText) })
	werrors    = sync.OnceValue(func() *table { return parse(werrorText) })
	faults     = sync.OnceValue(func() *table { return parse(faultText) })
)

func (t *table) name(v uint32) string {
	if n, ok := t.byValue[v]; ok {
		return n
	}
	return fmt.Sprintf("0x%08X", v)
}

// String returns the documented name, or hexadecimal if there is none.
func (s NTStatus) String() string { return ntstatuses().name(uint32(s)) }

// String returns the documented name, or hexadecimal if there is none.
func (s WError) String() string { return werrors().name(uint32(s)) }

// String returns the documented name, or hexadecimal if there is none.
func (s Fault) String() string { return faults().name(uint32(s)) }

// Error implements error, so that errors.As finds the status under any wrapping.
func (s NTStatus) Error() string { return s.String() }

// Error implements error, so that errors.As finds the status under any wrapping.
func (s WError) Error() string { return s.String() }

// Error implements error, so that errors.As finds the fault under any wrapping.
func (s Fault) Error() string { return s.String() }

// IsError reports whether the severity bits of [MS-ERREF] 2.3 are STATUS_SEVERITY_ERROR.
func (s NTStatus) IsError() bool { return s>>30 == 3 }

// ParseNTStatus parses a name such as STATUS_ACCESS_DENIED (or Samba's NT_STATUS_ACCESS_DENIED) or 0x….
func ParseNTStatus(name string) (NTStatus, bool) {
	name = strings.TrimPrefix(name, "NT_")
	if v, ok := ntstatuses().byName[name]; ok {
		return NTStatus(v), true
	}
	if hex, ok := strings.CutPrefix(strings.ToLower(name), "0x"); ok {
		v, err := strconv.ParseUint(hex, 16, 32)
		return NTStatus(v), err == nil
	}
	return 0, false
}

// The codes that the project compares with.
const (
	Success                   NTStatus = 0x00000000
	Pending                   NTStatus = 0x00000103
	MoreEntries               NTStatus = 0x00000105
	SomeNotMapped             NTStatus = 0x00000107
	NotifyEnumDir             NTStatus = 0x0000010C
	BufferOverflow            NTStatus = 0x80000005
	NoMoreFiles               NTStatus = 0x80000006
	NoMoreEntries             NTStatus = 0x8000001A
	Unsuccessful              NTStatus = 0xC0000001
	NotImplemented            NTStatus = 0xC0000002
	InvalidInfoClass          NTStatus = 0xC0000003
	InvalidHandle             NTStatus = 0xC0000008
	InvalidParameter          NTStatus = 0xC000000D
	NoSuchFile                NTStatus = 0xC000000F
	InvalidDeviceRequest      NTStatus = 0xC0000010
	EndOfFile                 NTStatus = 0xC0000011
	MoreProcessingRequired    NTStatus = 0xC0000016
	AccessDenied              NTStatus = 0xC0000022
	BufferTooSmall            NTStatus = 0xC0000023
	ObjectNameInvalid         NTStatus = 0xC0000033
	ObjectNameNotFound        NTStatus = 0xC0000034
	ObjectPathNotFound        NTStatus = 0xC000003A
	SharingViolation          NTStatus = 0xC0000043
	NoSuchUser                NTStatus = 0xC0000064
	WrongPassword             NTStatus = 0xC000006A
	LogonFailure              NTStatus = 0xC000006D
	AccountRestriction        NTStatus = 0xC000006E
	PasswordExpired           NTStatus = 0xC0000071
	AccountDisabled           NTStatus = 0xC0000072
	NoneMapped                NTStatus = 0xC0000073
	InsufficientResources     NTStatus = 0xC000009A
	InstanceNotAvailable      NTStatus = 0xC00000AB
	PipeNotAvailable          NTStatus = 0xC00000AC
	InvalidPipeState          NTStatus = 0xC00000AD
	PipeBusy                  NTStatus = 0xC00000AE
	PipeDisconnected          NTStatus = 0xC00000B0
	PipeClosing               NTStatus = 0xC00000B1
	IOTimeout                 NTStatus = 0xC00000B5
	FileIsADirectory          NTStatus = 0xC00000BA
	NotSupported              NTStatus = 0xC00000BB
	NetworkNameDeleted        NTStatus = 0xC00000C9
	NetworkAccessDenied       NTStatus = 0xC00000CA
	BadDeviceType             NTStatus = 0xC00000CB
	BadNetworkName            NTStatus = 0xC00000CC
	TooManySessions           NTStatus = 0xC00000CE
	RequestNotAccepted        NTStatus = 0xC00000D0
	NoSuchDomain              NTStatus = 0xC00000DF
	PipeEmpty                 NTStatus = 0xC00000D9
	Cancelled                 NTStatus = 0xC0000120
	FileClosed                NTStatus = 0xC0000128
	LogonTypeNotGranted       NTStatus = 0xC000015B
	PipeBroken                NTStatus = 0xC000014B
	UserSessionDeleted        NTStatus = 0xC0000203
	InsuffServerResources     NTStatus = 0xC0000205
	NotFound                  NTStatus = 0xC0000225
	AccountLockedOut          NTStatus = 0xC0000234
	ConnectionDisconnected    NTStatus = 0xC000020C
	ConnectionReset           NTStatus = 0xC000020D
	NetworkSessionExpired     NTStatus = 0xC000035C
	NoPreauthIntegrityOverlap NTStatus = 0xC05D0000

	WerrOK               WError = 0
	WerrAccessDenied     WError = 5
	WerrNotSupported     WError = 50
	WerrInvalidParameter WError = 87
	WerrInsufficientBuf  WError = 122
	WerrInvalidLevel     WError = 124
	WerrMoreData         WError = 234
	WerrNoMoreItems      WError = 259
	WerrBufTooSmall      WError = 2123

	FaultOther              Fault = 0x00000001
	FaultAccessDenied       Fault = 0x00000005
	FaultNDR                Fault = 0x000006F7
	FaultCantPerform        Fault = 0x000006D8
	FaultSecPkgError        Fault = 0x00000721
	FaultOpRangeError       Fault = 0x1C010002
	FaultUnknownInterface   Fault = 0x1C010003
	FaultContextMismatch    Fault = 0x1C00001A
	FaultInvalidPresContext Fault = 0x1C00001C
	FaultProtoError         Fault = 0x1C01000B
	FaultNotRegistered      Fault = 0x16C9A0D6 // the end of an endpoint map, or an empty map
)
