package symbols

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weft-profiler/weft/collector/recording"
)

// TestKernelStack compares a sleeping thread's stack, taken inside the tracepoint where it left the CPU, with
// the one in /proc/PID/stack.
func TestKernelStack(t *testing.T) {
	k := openKernel(t)
	type begun struct {
		tid int
		err error
	}
	begins, taken := make(chan begun), make(chan [][]uint64, 1)
	go func() {
		runtime.LockOSThread() // and end the thread
		read, err := sampleSwitches()
		begins <- begun{unix.Gettid(), err}
		if err != nil {
			return
		}
		nap := unix.Timespec{Sec: 1}
		err = unix.EINTR // the runtime's signals end it
		for err == unix.EINTR {
			err = unix.Nanosleep(&nap, &nap)
		}
		if err != nil {
			t.Error(err)
		}
		taken <- read()
	}()
	began := <-begins
	if began.err != nil {
		t.Skip("no kernel stacks by perf_event_open:", began.err)
	}
	var text []byte
	// On a busy machine it takes a while until it is asleep.
	for deadline := time.Now().Add(10 * time.Second); !strings.Contains(string(text), "nanosleep") && time.Now().Before(deadline); {
		time.Sleep(10 * time.Millisecond)
		var err error
		if text, err = os.ReadFile(fmt.Sprintf("/proc/self/task/%d/stack", began.tid)); err != nil {
			t.Skip("no kernel stacks in /proc (CONFIG_STACKTRACE):", err)
		}
	}
	lines := readKallsyms(t)
	base := lines[slices.IndexFunc(lines, func(l kernelLine) bool { return l.name == "_text" })].address
	var want []recording.Frame
	for _, m := range regexp.MustCompile(`(?m)\] (\S+)\+0x([0-9a-f]+)/`).FindAllStringSubmatch(string(text), -1) {
		at := slices.IndexFunc(lines, func(l kernelLine) bool { return l.name == m[1] })
		offset, err := strconv.ParseUint(m[2], 16, 64)
		if err != nil || at < 0 {
			t.Fatalf("%q: %v", m[0], err)
		}
		want = append(want, recording.Frame{
			Function: m[1], Binary: "[kernel]", Offset: lines[at].address + offset - 1 - base, BuildID: kernelID(t), Found: "kernel unwinder",
		})
	}
	if len(want) < 4 {
		t.Fatalf("/proc/PID/stack says\n%s", text)
	}
	var got [][]recording.Frame
	for _, addresses := range <-taken {
		stack := k.Stack(addresses)
		got = append(got, stack)
		if at := len(stack) - len(want); at >= 1 && slices.Equal(stack[at:], want) && stack[0].Function == "__schedule" {
			return
		}
	}
	t.Errorf("got\n%+v\nwant one, called from __schedule, of\n%+v", got, want)
}

// sampleSwitches takes kernel stacks of the calling thread at sched:sched_switch. It returns a function that
// ends that and reads them.
func sampleSwitches() (read func() [][]uint64, err error) {
	id, err := os.ReadFile("/sys/kernel/tracing/events/sched/sched_switch/id")
	if err != nil {
		id, err = os.ReadFile("/sys/kernel/debug/tracing/events/sched/sched_switch/id")
	}
	if err != nil {
		return nil, err
	}
	event, err := strconv.ParseUint(strings.TrimSpace(string(id)), 10, 64)
	if err != nil {
		return nil, err
	}
	attr := unix.PerfEventAttr{
		Type: unix.PERF_TYPE_TRACEPOINT, Config: event, Sample: 1,
		Sample_type: unix.PERF_SAMPLE_CALLCHAIN,
		Bits:        unix.PerfBitExcludeCallchainUser,
	}
	attr.Size = uint32(binary.Size(attr))
	fd, err := unix.PerfEventOpen(&attr, 0, -1, -1, unix.PERF_FLAG_FD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("perf_event_open: %w", err)
	}
	page := os.Getpagesize()
	ring, err := unix.Mmap(fd, 0, 17*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("mmap: %w", err), unix.Close(fd))
	}
	return func() [][]uint64 {
		unix.Close(fd)
		const dataHead = 1024 // of struct perf_event_mmap_page
		head := binary.NativeEndian.Uint64(ring[dataHead:])
		data := slices.Clone(ring[page:])
		unix.Munmap(ring)
		return callchains(data[:min(head, uint64(len(data)))])
	}, nil
}

// callchains reads records of PERF_RECORD_SAMPLE: a header of 8 bytes, a count, addresses.
func callchains(data []byte) (stacks [][]uint64) {
	word := binary.NativeEndian.Uint64
	for len(data) >= 16 {
		size := int(binary.NativeEndian.Uint16(data[6:]))
		if kind := binary.NativeEndian.Uint32(data); kind == unix.PERF_RECORD_SAMPLE {
			var stack []uint64
			for i := range word(data[8:]) {
				if address := word(data[16+8*i:]); address < ^uint64(0)-4095 { // else PERF_CONTEXT_KERNEL
					stack = append(stack, address)
				}
			}
			stacks = append(stacks, stack)
		}
		data = data[size:]
	}
	return stacks
}
