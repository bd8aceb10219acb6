//go:build !linux

package observe

import "errors"

type wire struct{}

func listen([]string, []uint16, int) (*wire, error) {
	return nil,
		errors.New("live: capturing from an interface works on Linux only; capture with another program and read its " +
			"file")
}

func (*wire) read(*Traffic) error  { return nil }
func (*wire) drain(*Traffic) error { return nil }
func (*wire) close()               {}
func hurry() func()                { return func() {} }
