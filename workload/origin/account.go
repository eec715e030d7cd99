package origin

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
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
// longer in it.
func runDelayNS(self string) (int64, error) {
	files, err := filepath.Glob(filepath.Join(self, "task", "*", "schedstat"))
	if err != nil || len(files) == 0 {
		return 0, fmt.Errorf("run delay: no schedstat under %s: the kernel is built without CONFIG_SCHED_INFO", self)
	}
	var sum int64
	for _, file := range files {
		text, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH) {
			continue // ended meanwhile
		}
		if err != nil {
			return 0, fmt.Errorf("run delay: %w", err)
		}
		fields := strings.Fields(string(text))
		if len(fields) < 2 {
			return 0, fmt.Errorf("run delay: %s: %q", file, text)
		}
		n, err := strconv.ParseInt(fields[1], 10, 64)
		if err != nil {
			return 0, fmt.Errorf("run delay: %s: %w", file, err)
		}
		sum += n
	}
	return sum, nil
}
