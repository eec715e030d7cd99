package bpf

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// schedstat is what /proc/thread-self/schedstat says: sum_exec_runtime and run_delay, ns.
type schedstat struct {
	TID         int
	Exec, Delay int64
}

func ownSchedstat() (schedstat, error) {
	s := schedstat{TID: unix.Gettid()}
	text, err := os.ReadFile("/proc/thread-self/schedstat")
	if err != nil {
		return s, err
	}
	_, err = fmt.Sscan(string(text), &s.Exec, &s.Delay)
	return s, err
}

// pin puts this thread on the first CPU that it may use, for good.
func pin() error {
	runtime.LockOSThread()
	var all, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		return err
	}
	for cpu := range 1024 {
		if all.IsSet(cpu) {
			one.Set(cpu)
			break
		}
	}
	return unix.SchedSetaffinity(0, &one)
}

// playSpin spins in two threads on one CPU, for args[0] ms, and says what the kernel counted of each.
func playSpin(s stage, args []string) error {
	ms, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	if err := s.pause("ready"); err != nil {
		return err
	}
	var (
		stats [2]schedstat
		done  sync.WaitGroup
	)
	for i := range stats {
		done.Go(func() {
			if err := pin(); err != nil {
				panic(err)
			}
			for end := now() + int64(ms)*1e6; now() < end; {
			}
			if stats[i], err = ownSchedstat(); err != nil {
				panic(err)
			}
		})
	}
	done.Wait()
	return s.end(stats)
}

// playPingPong carries a byte to and fro between two threads on one CPU, args[0] times, by pipes: each time both
// wait and are woken by each other. A third thread spins on that CPU if args[1] says so.
func playPingPong(s stage, args []string) error {
	times, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	runtime.GOMAXPROCS(8) // raw calls keep theirs while they wait
	var there, back [2]int
	if err := unix.Pipe(there[:]); err != nil {
		return err
	}
	if err := unix.Pipe(back[:]); err != nil {
		return err
	}
	if err := s.pause("ready"); err != nil {
		return err
	}
	var stop atomic.Bool
	if args[1] == "busy" {
		go func() {
			if err := pin(); err != nil {
				panic(err)
			}
			for !stop.Load() {
			}
		}()
	}
	var done sync.WaitGroup
	for i, ends := range [][2]int{{there[1], back[0]}, {back[1], there[0]}} {
		done.Go(func() {
			if err := pin(); err != nil {
				panic(err)
			}
			if err := setName([]string{"ping", "pong"}[i]); err != nil {
				panic(err)
			}
			b := make([]byte, 1)
			word := pointer(b)
			for range times {
				if i == 0 {
					raw(unix.SYS_WRITE, uintptr(ends[0]), word, 1)
				}
				raw(unix.SYS_READ, uintptr(ends[1]), word, 1)
				if i == 1 {
					raw(unix.SYS_WRITE, uintptr(ends[0]), word, 1)
				}
			}
		})
	}
	done.Wait()
	stop.Store(true)
	time.Sleep(time.Millisecond)
	return s.end(nil)
}
