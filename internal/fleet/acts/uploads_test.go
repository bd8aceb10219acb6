package acts

import (
	"context"
	"errors"
	"testing"
	"time"
)

// TestUploads: an account has some of the places for large uploads and never all, and one that leaves makes room.
func TestUploads(t *testing.T) {
	u := newUploads()
	u.wait = 20 * time.Millisecond
	enter := func(who string, whole bool) (func(), error) { return u.enter(t.Context(), who, whole) }
	var leave []func()
	for range largeOfOne {
		done, err := enter("eve", false)
		if err != nil {
			t.Fatal(err)
		}
		leave = append(leave, done)
	}
	if _, err := enter("eve", false); !errors.Is(err, ErrUploads) {
		t.Errorf("one more of an account: %v", err)
	}
	for i := largeOfOne; i < largeAtOnce; i++ {
		done, err := enter("anna", true)
		if i == largeOfOne && err != nil || i > largeOfOne && !errors.Is(err, ErrUploads) {
			t.Errorf("observation %d: %v", i, err)
		}
		if err != nil {
			done, err = enter("anna", false)
		}
		if err != nil {
			t.Fatal(err)
		}
		leave = append(leave, done)
	}
	if _, err := enter("ben", false); !errors.Is(err, ErrUploads) {
		t.Errorf("one more in all: %v", err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := u.enter(gone, "ben", false); !errors.Is(err, context.Canceled) {
		t.Errorf("somebody who has gone: %v", err)
	}
	u.wait = time.Minute
	come := make(chan func())
	go func() {
		done, err := enter("eve", false)
		if err != nil {
			t.Error(err)
		}
		come <- done
	}()
	leave[0]()
	(<-come)()
	for _, done := range leave[1:] {
		done()
	}
	if len(u.all) != 0 || len(u.whole) != 0 || len(u.ofOne) != 0 {
		t.Errorf("%d %d %v", len(u.all), len(u.whole), u.ofOne)
	}
}
