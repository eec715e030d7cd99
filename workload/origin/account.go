package origin

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// account is what the origin's process has cost up to a moment.
type account struct {
	cpu   int64 // CPU time, ns
	delay int64 // its threads were ready and not run, ns
	err   error // why delay is not known
}

func readAccount() *account {
	a := &account{cpu: cpuNS()}
	a.delay, a.err = runDelayNS(procSelf)
	return a
}

// accountSince fills the account of the trial's requests in.
func (s *Stats) accountSince(first, last *account) {
	s.CPUNS = last.cpu - first.cpu
	if err := cmp.Or(first.err, last.err); err != nil {
		s.Missing = err.Error()
		return
	}
	s.RunDelayNS = max(0, last.delay-first.delay) // a thread that has ended takes its own out of the sum
}

func cpuNS() int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &ts); err != nil {
		return 0 // every Linux has this clock
	}
	return ts.Nano()
}

// procSelf is where a process finds itself in proc(5).
const procSelf = "/proc/self"

// runDelayNS sums over the threads that live now the time each was ready to
// run and did not: the second number of task/*/schedstat, in nanoseconds
// (Documentation/scheduler/sched-stats.rst). A thread that has ended is no
// longer in it. It is read by bare system calls, in a tenth of the time that
// package os takes: this is in a trial's time.
func runDelayNS(self string) (_ int64, err error) {
	path := filepath.Join(self, "task")
	tasks, err := os.Open(path)
	if err != nil {
		return 0, fmt.Errorf("run delay: %w", err)
	}
	defer func() { err = errors.Join(err, tasks.Close()) }()
	threads, err := tasks.Readdirnames(-1)
	if err != nil {
		return 0, fmt.Errorf("run delay: %w", err)
	}
	var sum int64
	read := 0
	for _, thread := range threads {
		text, err := readAt(int(tasks.Fd()), thread+"/schedstat")
		if err == unix.ENOENT || err == unix.ESRCH {
			continue // ended meanwhile
		}
		var delay int64
		if err == nil {
			delay, err = parseDelay(text)
		}
		if err != nil {
			return 0, fmt.Errorf("run delay: %s of %s: %w", thread, path, err)
		}
		sum += delay
		read++
	}
	if read == 0 {
		return 0, fmt.Errorf("run delay: no schedstat under %s: the kernel is built without CONFIG_SCHED_INFO", self)
	}
	return sum, nil
}

// readAt reads a file of a few numbers below a directory.
func readAt(dir int, name string) (string, error) {
	fd, err := unix.Openat(dir, name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", err
	}
	defer unix.Close(fd) // of a file that was only read
	text := make([]byte, 96)
	n, err := unix.Read(fd, text)
	return string(text[:max(0, n)]), err
}

func parseDelay(schedstat string) (int64, error) {
	fields := strings.Fields(schedstat)
	if len(fields) < 2 {
		return 0, fmt.Errorf("schedstat %q", schedstat)
	}
	return strconv.ParseInt(fields[1], 10, 64)
}
