//go:build !windows

package audit

import "errors"

// localRegistry is for Windows.
func (o *Options) localRegistry() (*facts, error) {
	return nil, errors.New("local: there is no registry here")
}
