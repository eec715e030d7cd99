// Hot is a program of known hot spots, to set profilers side by side: five functions burn the CPU of one thread in shares
// of 40, 25, 18, 11 and 6 %, by its own clock, with naps in the kernel and writes to a socket in between.
//
//	hot [-for 10s] [-wait]
//
// With -wait it says "ready" and waits for a line of its input first, and in the end for that to end, so that a profiler
// that names addresses late still can. When done it prints one line of JSON: the CPU time
// that each function had (CLOCK_THREAD_CPUTIME_ID around its calls), the time napped and the bytes sent.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"syscall"
	"time"
	"unsafe"
)

// slice is how long a function is at it before the next: much longer than a period of a sampler.
const slice = 20 * time.Millisecond

const sendBytes = 16 << 10 // after each round

type share struct {
	Function string `json:"function"`
	Percent  int64  `json:"percent"` // that it is to have
	CPUNS    int64  `json:"cpu_ns"`  // that it had
	spin     func(int) uint64
}

type told struct {
	PID       int     `json:"pid"`
	Shares    []share `json:"shares"`
	CPUNS     int64   `json:"cpu_ns"`         // of all of them
	ProcessNS int64   `json:"process_cpu_ns"` // of the process, from the first of them to the last
	NapNS     int64   `json:"nap_ns"`         // asleep in snooze, by the wall clock
	Sent      int64   `json:"sent"`           // bytes by chat
	Rounds    int64   `json:"rounds"`
}

func main() {
	length := flag.Duration("for", 10*time.Second, "how long")
	wait := flag.Bool("wait", false, "wait for a line first")
	flag.Parse()
	if err := run(*length, *wait); err != nil {
		fmt.Fprintln(os.Stderr, "hot:", err)
		os.Exit(1)
	}
}

func run(length time.Duration, wait bool) error {
	runtime.LockOSThread() // the clock is the thread's
	c, err := dial()
	if err != nil {
		return err
	}
	input := bufio.NewReader(os.Stdin)
	if wait {
		fmt.Println("ready")
		if _, err := input.ReadString('\n'); err != nil {
			return fmt.Errorf("wait for a line: %w", err)
		}
	}
	t := told{PID: os.Getpid(), Shares: []share{
		{Function: "hotA", Percent: 40, spin: hotA}, {Function: "hotB", Percent: 25, spin: hotB}, {Function: "hotC", Percent: 18, spin: hotC},
		{Function: "hotD", Percent: 11, spin: hotD}, {Function: "hotE", Percent: 6, spin: hotE},
	}}
	text := make([]byte, sendBytes)
	before := clock(clockProcess)
	for end := time.Now().Add(length); time.Now().Before(end); t.Rounds++ {
		for i := range t.Shares {
			t.CPUNS += burn(&t.Shares[i], t.CPUNS)
		}
		t.NapNS += snooze()
		n, err := chat(c, text)
		if t.Sent += int64(n); err != nil {
			return errors.Join(err, c.Close())
		}
	}
	t.ProcessNS = clock(clockProcess) - before
	err = errors.Join(json.NewEncoder(os.Stdout).Encode(t), c.Close())
	if wait {
		_, more := io.Copy(io.Discard, input)
		err = errors.Join(err, more)
	}
	return err
}

// burn lets a function have what it lacks of its share of all so far, at most a slice.
func burn(s *share, all int64) int64 {
	want := slice.Nanoseconds() * s.Percent / 40
	if lacks := all*s.Percent/100 - s.CPUNS; all > 0 {
		want = min(max(want+lacks, 0), 2*slice.Nanoseconds())
	}
	begin := clock(clockThread)
	for used := int64(0); used < want; used = clock(clockThread) - begin {
		sink += s.spin(200_000)
	}
	used := clock(clockThread) - begin
	s.CPUNS += used
	return used
}

var sink uint64

// Five loops of the same work; what differs is how often they are called.

//go:noinline
func hotA(n int) uint64 { return mix(1, n) }

//go:noinline
func hotB(n int) uint64 { return mix(2, n) }

//go:noinline
func hotC(n int) uint64 { return mix(3, n) }

//go:noinline
func hotD(n int) uint64 { return mix(4, n) }

//go:noinline
func hotE(n int) uint64 { return mix(5, n) }

// mix is inlined into each.
func mix(x uint64, n int) uint64 {
	for range n {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
	}
	return x
}

// snooze is asleep for 2 ms, in the kernel.
//
//go:noinline
func snooze() int64 {
	start := time.Now()
	left := syscall.Timespec{Nsec: 2e6}
	for syscall.Nanosleep(&left, &left) == syscall.EINTR {
	}
	return time.Since(start).Nanoseconds()
}

//go:noinline
func chat(c io.Writer, text []byte) (int, error) {
	n, err := c.Write(text)
	return n + 0, err
}

// dial opens a connection to a reader of its own.
func dial() (net.Conn, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	peer, err := l.Accept()
	if err := errors.Join(err, l.Close()); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	go discard(peer)
	return c, nil
}

func discard(peer net.Conn) {
	if _, err := io.Copy(io.Discard, peer); err != nil {
		fmt.Fprintln(os.Stderr, "hot: receive:", err)
		os.Exit(1)
	}
}

// Clocks of clock_gettime(2): CPU time of the process and of the calling thread, in ns.
const (
	clockProcess = 2
	clockThread  = 3
)

func clock(id uintptr) int64 {
	var t syscall.Timespec
	if _, _, errno := syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, id, uintptr(unsafe.Pointer(&t)), 0); errno != 0 {
		panic(errno)
	}
	return t.Nano()
}
