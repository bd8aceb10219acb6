//go:build !windows

package observe

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ReadLocal reads the event logs of this host, on Windows alone.
func (l *Logs) ReadLocal(context.Context, time.Duration, Marks) (Marks, error) {
	return nil, fmt.Errorf("the local event log: %w", errors.ErrUnsupported)
}
