package origin

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"
)

// ask sends n requests, each on its own connection, and tells when all are
// answered.
func ask(t *testing.T, h *Handle, n int) (answered <-chan struct{}) {
	t.Helper()
	var all sync.WaitGroup
	for range n {
		c := dial(t, h)
		all.Go(func() {
			if status, _ := c.get(anyPage); status != 200 {
				t.Errorf("status %d", status)
			}
		})
	}
	done := make(chan struct{})
	go func() { all.Wait(); close(done) }()
	return done
}

func TestHold(t *testing.T) {
	h := serve(t, nil)
	for _, c := range []struct {
		name       string
		hold, come int
	}{
		{"all come", 23, 23}, {"more come", 23, 29}, {"fewer come", 23, 17},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx := within(t, time.Minute)
			begin(t, h, c.hold)
			start := time.Now()
			answered := ask(t, h, c.come)
			n, err := h.Held(ctx)
			if want := min(c.hold, c.come); err != nil || n != want {
				t.Fatalf("%d held, want %d: %v", n, want, err)
			}
			if took := time.Since(start); (c.come < c.hold) != (took >= quietTime) {
				t.Errorf("held after %v", took)
			}
			waitFor(t, func() bool { return stats(t, h).InFlight == int64(c.come) })
			select {
			case <-answered:
				t.Error("answered while held")
			case <-time.After(50 * time.Millisecond):
			}
			if s := stats(t, h); s.Responses != 0 || s.InFlightPeak != int64(c.come) {
				t.Errorf("%+v", s)
			}
			if err := h.Release(ctx); err != nil {
				t.Fatal(err)
			}
			<-answered
			<-ask(t, h, 3) // nobody is held any more
			if s := stats(t, h); s.Responses != int64(c.come)+3 {
				t.Errorf("%d responses", s.Responses)
			}
		})
	}
}

// TestHoldWaitsForTheFirst: a child that is slow to start does not make the
// hold complete with nobody in it.
func TestHoldWaitsForTheFirst(t *testing.T) {
	h := serve(t, nil)
	begin(t, h, 5)
	if _, err := h.Held(within(t, quietTime+200*time.Millisecond)); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("held nobody: %v", err)
	}
	answered := ask(t, h, 2)
	if n, err := h.Held(within(t, time.Minute)); err != nil || n != 2 {
		t.Errorf("%d held: %v", n, err)
	}
	begin(t, h, 0) // a new trial lets those of the old one go
	<-answered
}

func TestNoHold(t *testing.T) {
	h := serve(t, nil)
	begin(t, h, 0)
	if _, err := h.Held(within(t, time.Minute)); !errors.Is(err, ErrRefused) {
		t.Errorf("held without a hold: %v", err)
	}
	if err := h.Begin(within(t, time.Minute), 0, -1); !errors.Is(err, ErrRefused) {
		t.Errorf("hold of -1: %v", err)
	}
}

// TestHoldExpires: the safety time-out, without waiting for it.
func TestHoldExpires(t *testing.T) {
	h := newHold(1)
	h.arrive()
	<-h.held
	h.expire()
	<-h.released
	if h.release() {
		t.Error("an expired hold was released in time")
	}
	if err := h.wait(context.Background()); err != nil || h.waiting != 0 {
		t.Errorf("%d waiting, %v", h.waiting, err)
	}
	again := newHold(1)
	for range 2 {
		if !again.release() {
			t.Error("a hold that was released in time is expired")
		}
	}
}

// A caller that does not wait for the hold any longer learns nothing of the origin by it.
func TestHeldGivenUp(t *testing.T) {
	h := serve(t, nil)
	begin(t, h, 23)
	late := errors.New("late")
	ctx, cancel := context.WithTimeoutCause(t.Context(), 20*time.Millisecond, late)
	defer cancel()
	if _, err := h.Held(ctx); !errors.Is(err, late) || errors.Is(err, ErrUnreachable) {
		t.Errorf("got %v, want %v", err, late)
	}
	begin(t, h, 0) // it is there
}
