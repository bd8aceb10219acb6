package status

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestNames(t *testing.T) {
	for _, c := range []struct {
		got  fmt.Stringer
		want string
	}{
		{AccessDenied, "STATUS_ACCESS_DENIED"},
		{Success, "STATUS_SUCCESS"},
		{MoreEntries, "STATUS_MORE_ENTRIES"},
		{BufferOverflow, "STATUS_BUFFER_OVERFLOW"},
		{PipeNotAvailable, "STATUS_PIPE_NOT_AVAILABLE"},
		{NoPreauthIntegrityOverlap, "STATUS_SMB_NO_PREAUTH_INTEGRITY_HASH_OVERLAP"},
		{NTStatus(0xC0FFEE00), "0xC0FFEE00"},
		{WerrAccessDenied, "WERR_ACCESS_DENIED"},
		{WerrOK, "WERR_OK"},
		{WerrMoreData, "WERR_MORE_DATA"},
		{WerrInvalidLevel, "WERR_INVALID_LEVEL"},
		{FaultAccessDenied, "nca_s_fault_access_denied"},
		{FaultOpRangeError, "nca_op_rng_error"},
		{Fault(0xdead), "0x0000DEAD"},
	} {
		if c.got.String() != c.want {
			t.Errorf("got %s, want %s", c.got, c.want)
		}
	}
}

func TestEveryLineParses(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		tab  *table
	}{"ntstatus": {ntstatusText, ntstatuses()}, "werror": {werrorText, werrors()}, "fault": {faultText, faults()}} {
		lines := 0
		for line := range strings.Lines(c.text) {
			if !strings.HasPrefix(line, "#") && strings.TrimSpace(line) != "" {
				lines++
			}
		}
		if lines == 0 || lines != len(c.tab.byValue) {
			t.Errorf("%s: %d lines, %d values", name, lines, len(c.tab.byValue))
		}
	}
}

func TestParseNTStatus(t *testing.T) {
	for _, s := range []string{"STATUS_ACCESS_DENIED", "NT_STATUS_ACCESS_DENIED", "0xC0000022", "0xc0000022"} {
		if v, ok := ParseNTStatus(s); !ok || v != AccessDenied {
			t.Errorf("%s: %v %v", s, v, ok)
		}
	}
	if _, ok := ParseNTStatus("nonsense"); ok {
		t.Error("nonsense parsed")
	}
}

func TestErrorsAs(t *testing.T) {
	var s NTStatus
	if err := fmt.Errorf("open samr: %w", AccessDenied); !errors.As(err, &s) || s != AccessDenied {
		t.Error("status lost under wrapping")
	}
	if !AccessDenied.IsError() || BufferOverflow.IsError() || MoreEntries.IsError() {
		t.Error("severity")
	}
}

func TestAnswers(t *testing.T) {
	for _, c := range []struct{ got, want Answer }{
		{AccessDenied.Answer(), No},
		{LogonFailure.Answer(), No},
		{ObjectNameNotFound.Answer(), NotHere},
		{NoneMapped.Answer(), Nothing},
		{Success.Answer(), Yes},
		{IOTimeout.Answer(), Unsettled},
		{PipeBusy.Answer(), Unsettled},
		{WerrAccessDenied.Answer(), No},
		{WerrInvalidLevel.Answer(), NotHere},
		{WerrNoMoreItems.Answer(), Nothing},
		{WerrInvalidParameter.Answer(), Unsettled},
		{FaultAccessDenied.Answer(), No},
		{FaultOpRangeError.Answer(), NotHere},
		{FaultNotRegistered.Answer(), Nothing},
		{FaultNDR.Answer(), Unsettled},
	} {
		if c.got != c.want {
			t.Errorf("got %d, want %d", c.got, c.want)
		}
	}
}
