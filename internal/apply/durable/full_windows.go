package durable

import (
	"errors"

	"golang.org/x/sys/windows"
)

// Full tells whether there is no room, by the disk or by a quota.
func Full(err error) bool {
	return errors.Is(err, windows.ERROR_DISK_FULL) || errors.Is(err, windows.ERROR_DISK_QUOTA_EXCEEDED)
}
