//go:build !windows

package logs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"ipcguard/internal/observe"
)

// ReadLocal reads the event logs of this host; it works only on Windows.
func (l *Reader) ReadLocal(context.Context, time.Duration, observe.Marks) (observe.Marks, error) {
	return nil, fmt.Errorf("the local event log: %w", errors.ErrUnsupported)
}
