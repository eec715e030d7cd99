package origin

import (
	"context"
	"sync"
	"time"
)

const (
	quietTime = 2 * time.Second  // without a new request: no more are coming
	holdLimit = 30 * time.Second // after which the held are answered anyway
)

// hold keeps every request of a trial unanswered until so many wait, or none
// has come for quietTime; then they are held until released.
type hold struct {
	want int

	mu      sync.Mutex
	waiting int // requests that wait now
	reached int // that waited when the hold was complete
	quiet   *time.Timer
	safety  *time.Timer
	expired bool

	isHeld, isReleased bool
	held, released     chan struct{} // closed when they become true
}

// newHold returns a hold that waits for want requests; for 0 it holds nobody.
func newHold(want int) *hold {
	h := &hold{want: want, held: make(chan struct{}), released: make(chan struct{})}
	if want <= 0 {
		h.release()
	}
	return h
}

// arrive counts a request as waiting. Only the first arrival starts the clock:
// before, the child may not have been let through its gate.
func (h *hold) arrive() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.waiting++
	switch {
	case h.isHeld:
	case h.waiting >= h.want:
		h.completed()
	case h.quiet == nil:
		h.quiet = time.AfterFunc(quietTime, func() {
			h.mu.Lock()
			defer h.mu.Unlock()
			if h.waiting > 0 {
				h.completed()
			}
		})
	default:
		h.quiet.Reset(quietTime)
	}
}

// completed needs h.mu.
func (h *hold) completed() {
	if h.isHeld {
		return
	}
	h.isHeld, h.reached = true, h.waiting
	close(h.held)
	if !h.isReleased {
		h.safety = time.AfterFunc(holdLimit, h.expire)
	}
}

func (h *hold) expire() {
	h.mu.Lock()
	h.expired = !h.isReleased
	h.mu.Unlock()
	h.release()
}

// release lets all go, now and later, and reports whether they had still been
// held.
func (h *hold) release() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.isReleased {
		return !h.expired
	}
	h.isReleased = true
	close(h.released)
	for _, timer := range []*time.Timer{h.quiet, h.safety} {
		if timer != nil {
			timer.Stop()
		}
	}
	h.completed()
	return true
}

// wait returns when the request that arrived may be answered, or its client
// has gone.
func (h *hold) wait(ctx context.Context) error {
	defer func() {
		h.mu.Lock()
		h.waiting--
		h.mu.Unlock()
	}()
	select {
	case <-h.released:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (h *hold) waited() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.reached
}
