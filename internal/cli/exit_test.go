package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
)

// TestAdvice: who is refused at an ordinary prompt is told of the other one; a hint of its own goes before.
func TestAdvice(t *testing.T) {
	refused := fmt.Errorf("service manager: %w", &fs.PathError{Op: "open", Path: `C:\x`, Err: fs.ErrPermission})
	const own = "do this"
	for _, c := range []struct {
		err      error
		elevated bool
		want     string
	}{
		{refused, false, "Run as administrator"},
		{refused, true, ""},
		{errors.New("no such host"), false, ""},
		{hinted{refused, own}, false, own},
		{errors.Join(errors.New("first"), refused), false, "Run as administrator"},
	} {
		if got := advice(c.err, c.elevated); (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%v, elevated %v: %q, want %q", c.err, c.elevated, got, c.want)
		}
	}
}
