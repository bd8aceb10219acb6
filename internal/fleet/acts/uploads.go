package acts

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Bounds of uploads of results. One that is small is read at once, whoever sends it; a larger one needs a place from
// there to its end. So uploads take memory for a few documents, however many connections send them.
const (
	smallUpload  = 256 << 10 // bytes; the result of a host has up to 70 KB, or 130 with a hundred shares
	largeAtOnce  = 4
	largeOfOne   = 2 // of one account, so that nobody takes all places
	observations = 1 // a file of them is kept in memory as a whole, with a million uses at most
)

// uploadWait is how long an upload waits for a place. It is shorter than a body may be quiet.
const uploadWait = 10 * time.Second

// ErrUploads means that too many large uploads are on their way.
var ErrUploads = errors.New("acts: too many large files are being taken at this moment; send this one again in a minute")

// uploads are the places for large uploads.
type uploads struct {
	wait  time.Duration
	all   chan struct{}
	whole chan struct{} // for observations

	lock  sync.Mutex
	ofOne map[string]int
	freed chan struct{} // closed when an account has a place again
}

func newUploads() *uploads {
	return &uploads{
		wait: uploadWait, all: make(chan struct{}, largeAtOnce), whole: make(chan struct{}, observations),
		ofOne: map[string]int{}, freed: make(chan struct{}),
	}
}

// enter waits for a place, until the returned function is called.
func (u *uploads) enter(ctx context.Context, who string, whole bool) (leave func(), err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, u.wait, ErrUploads)
	defer cancel()
	if err := u.own(ctx, who); err != nil {
		return nil, err
	}
	places := []chan struct{}{u.all}
	if whole {
		places = append(places, u.whole)
	}
	for i, place := range places {
		select {
		case place <- struct{}{}:
		case <-ctx.Done():
			u.free(who, places[:i])
			return nil, context.Cause(ctx)
		}
	}
	return func() { u.free(who, places) }, nil
}

// own waits until an account has fewer places than it may have, and counts one.
func (u *uploads) own(ctx context.Context, who string) error {
	for {
		u.lock.Lock()
		freed := u.freed
		if u.ofOne[who] < largeOfOne {
			u.ofOne[who]++
			u.lock.Unlock()
			return nil
		}
		u.lock.Unlock()
		select {
		case <-freed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (u *uploads) free(who string, places []chan struct{}) {
	for _, place := range places {
		<-place
	}
	u.lock.Lock()
	defer u.lock.Unlock()
	if u.ofOne[who]--; u.ofOne[who] == 0 {
		delete(u.ofOne, who)
	}
	close(u.freed)
	u.freed = make(chan struct{})
}
