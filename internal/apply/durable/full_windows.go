package durable

import (
	"errors"

	"golang.org/x/sys/windows"
)

// Full reports whether an error means that the disk or a quota is full.
func Full(err error) bool {
	return errors.Is(err, windows.ERROR_DISK_FULL) || errors.Is(err, windows.ERROR_DISK_QUOTA_EXCEEDED)
}
