package smb1

import (
	_ "embed"
	"strconv"
	"strings"
	"sync"

	"ipcguard/internal/status"
)

// The DOS error classes. See [MS-CIFS] 2.2.2.4.
const (
	ErrSuccess byte = 0
	ErrDOS     byte = 1
	ErrServer  byte = 2
	ErrHard    byte = 3
	ErrCommand byte = 0xFF
)

//go:embed doserror.txt
var dosErrorText string

type dosError struct {
	class byte
	code  uint16
}

type dosErrors struct {
	toStatus map[dosError]status.NTStatus
	toDOS    map[status.NTStatus]dosError
}

var dosTable = sync.OnceValue(func() dosErrors {
	t := dosErrors{map[dosError]status.NTStatus{}, map[status.NTStatus]dosError{}}
	for line := range strings.Lines(dosErrorText) {
		f := strings.Fields(line)
		if len(f) != 3 || f[0] == "#" {
			continue
		}
		class, err1 := strconv.ParseUint(f[0], 10, 8)
		code, err2 := strconv.ParseUint(f[1], 10, 16)
		s, err3 := strconv.ParseUint(f[2], 0, 32)
		if err1 != nil || err2 != nil || err3 != nil {
			continue // the tests check that every line parses
		}
		d, nt := dosError{byte(class), uint16(code)}, status.NTStatus(s)
		if _, ok := t.toStatus[d]; !ok {
			t.toStatus[d] = nt
		}
		if _, ok := t.toDOS[nt]; !ok {
			t.toDOS[nt] = d
		}
	}
	return t
})

// FromDOS is the status that a DOS error class and code stand for. What the table does not have keeps its class and
// code in the low bits of a value with the customer bit (0xE0CCNNNN), so that it stays visible and stays an
// error.
func FromDOS(class byte, code uint16) status.NTStatus {
	if class == ErrSuccess && code == 0 {
		return status.Success
	}
	if s, ok := dosTable().toStatus[dosError{class, code}]; ok {
		return s
	}
	return status.NTStatus(0xE0000000 | uint32(class)<<16 | uint32(code))
}

// ToDOS is the DOS error that stands for a status; ERRSRV/ERRerror where the table has none.
func ToDOS(s status.NTStatus) (class byte, code uint16) {
	if s == status.Success {
		return ErrSuccess, 0
	}
	if d, ok := dosTable().toDOS[s]; ok {
		return d.class, d.code
	}
	if s>>24 == 0xE0 {
		return byte(s >> 16), uint16(s)
	}
	return ErrServer, 1
}
