package main

import (
	"syscall"
	"time"
)

const napTime = 300 * time.Millisecond

// napped is one sleep inside the kernel (not time.Sleep, which parks a goroutine
// and leaves its thread free).
type napped struct {
	Function string `json:"function"` // asleep, the leaf of what the program itself is
	Callers  string `json:"callers"`  // root first, by /
	Inlined  bool   `json:"inlined"`  // the three are one function to the linker
	AskedNS  int64  `json:"asked_ns"`
	TookNS   int64  `json:"took_ns"`
}

func stepNap(t *truth, _ string) error {
	for _, n := range []napped{
		{Function: "nap", Callers: "outer/middle"},
		{Function: "napInlined", Callers: "outerInlined/middleInlined", Inlined: true},
	} {
		start := time.Now()
		if !n.Inlined {
			outer()
		} else if err := outerInlined(); err != nil {
			return err
		}
		n.TookNS, n.AskedNS = time.Since(start).Nanoseconds(), napTime.Nanoseconds()
		t.Naps = append(t.Naps, n)
	}
	return nil
}

//go:noinline
func outer() { middle() }

//go:noinline
func middle() { nap(napTime) }

// outerInlined is itself not inlined: what stays of it, middleInlined and
// napInlined is one function to the linker.
//
//go:noinline
func outerInlined() error { return middleInlined() }

func middleInlined() error { return napInlined(napTime) }

// napInlined has no loop for interruptions, or it would be too much to inline:
// one fails the step, so the runtime's signals have to be off
// (GODEBUG=asyncpreemptoff=1).
func napInlined(d time.Duration) error {
	t := syscall.Timespec{Nsec: int64(d)} // less than a second
	return syscall.Nanosleep(&t, nil)
}

//go:noinline
func nap(d time.Duration) {
	left := syscall.NsecToTimespec(d.Nanoseconds())
	for syscall.Nanosleep(&left, &left) == syscall.EINTR {
	}
}
