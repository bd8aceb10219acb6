package dcerpc

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"ipcguard/internal/status"
)

func echo(opnum uint16, stub []byte) ([]byte, error) {
	switch opnum {
	case 0:
		return append([]byte(nil), stub...), nil
	case 1:
		return nil, status.FaultAccessDenied
	case 2:
		return nil, ErrTruncated
	}
	return nil, status.FaultOpRangeError
}

func TestClientAndServer(t *testing.T) {
	ctx := context.Background()
	e := &Endpoint{Secondary: `\PIPE\lsass`, Handlers: map[SyntaxID]Handler{SAMR: echo, LSARPC: echo}}
	c := NewClient(e.Pipe())
	results, err := c.Bind(ctx, SAMR, WINREG)
	if err != nil {
		t.Fatal(err)
	}
	if !results[0].Accepted || results[0].String() != "accepted" {
		t.Errorf("samr: %v", results[0])
	}
	if results[1].Accepted || results[1].String() != "provider_rejection: abstract_syntax_not_supported" {
		t.Errorf("winreg: %v", results[1])
	}
	if c.Endpoint() != `\PIPE\lsass` {
		t.Errorf("endpoint %q", c.Endpoint())
	}
	for _, n := range []int{0, 1, 24, 5816, 5817, 100_000, 1 << 20} {
		stub := make([]byte, n)
		for i := range stub {
			stub[i] = byte(i * 7)
		}
		got, err := c.Call(ctx, SAMR, 0, stub)
		if err != nil {
			t.Fatalf("%d bytes: %v", n, err)
		}
		if !bytes.Equal(got, stub) {
			t.Fatalf("%d bytes came back as %d others", n, len(got))
		}
	}
	for opnum, want := range map[uint16]status.Fault{
		1: status.FaultAccessDenied, 2: status.FaultNDR,
		9: status.FaultOpRangeError,
	} {
		_, err := c.Call(ctx, SAMR, opnum, nil)
		var f status.Fault
		if !errors.As(err, &f) || f != want {
			t.Errorf("opnum %d: %v, want %v", opnum, err, want)
		}
	}
	if _, err := c.Call(ctx, LSARPC, 0, nil); !errors.Is(err, ErrNotBound) {
		t.Errorf("call without a context: %v", err)
	}
	if results, err = c.AlterContext(ctx, LSARPC); err != nil || !results[0].Accepted {
		t.Fatalf("alter_context: %v %v", results, err)
	}
	if got, err := c.Call(ctx, LSARPC, 0, []byte("abcd")); err != nil || string(got) != "abcd" {
		t.Errorf("second context: %q %v", got, err)
	}
}

func TestBindRefused(t *testing.T) {
	e := &Endpoint{Refuse: &BindNak{Reason: NakLocalLimitExceeded, Versions: [][2]uint8{{5, 0}}}}
	_, err := NewClient(e.Pipe()).Bind(context.Background(), SAMR)
	var nak *BindNak
	if !errors.As(err, &nak) || nak.Reason != NakLocalLimitExceeded || len(nak.Versions) != 1 {
		t.Fatalf("got %v", err)
	}
}
