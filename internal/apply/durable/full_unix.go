//go:build unix

package durable

import (
	"errors"
	"syscall"
)

// Full tells whether there is no room, by the disk or by a quota.
func Full(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}
