package origin

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Stats is what the origin counted since the trial began. A request is counted
// when its header has been read. It is in flight from then until just before
// the write that gives the kernel the last byte of its answer's body: never
// later than its client can know of that byte, so that one request after
// another is never two in flight.
type Stats struct {
	Duration     time.Duration    `json:"duration_ns"`    // since the trial began
	Requests     int64            `json:"requests"`       // headers read
	Responses    int64            `json:"responses"`      // answered to the last byte
	Status       map[string]int64 `json:"status"`         // responses by status code
	InFlight     int64            `json:"in_flight"`      // now
	InFlightPeak int64            `json:"in_flight_peak"` //
	Strangers    int64            `json:"strangers"`      // answered on connections from before the trial, in no other count
	AcceptErrors int64            `json:"accept_errors"`  // since the origin started
	Settled      bool             `json:"settled"`        // every answered request is in the counts
	CPUNS        int64            `json:"cpu_ns"`         // of the origin's process
	RunDelayNS   int64            `json:"run_delay_ns"`   // its threads were ready and not run
	Missing      string           `json:"missing"`        // why RunDelayNS is not known, if it is not
	Dropped      int64            `json:"dropped"`        // connections beyond the first 100,000
	Connections  []Connection     `json:"connections"`    // in the order of their acceptance
}

// Connection is one TCP connection, without its control connections. Bytes are
// those of the stream: HTTP headers included, TCP and IP headers not.
type Connection struct {
	Port     int   `json:"port"` // the client's
	In       int64 `json:"in"`   // bytes from the client
	Out      int64 `json:"out"`  // bytes to the client
	Requests int64 `json:"requests"`
}

// maxConnections bounds the list of a trial's connections.
const maxConnections = 100_000

// trial holds the counts of one trial.
type trial struct {
	hold     *hold
	began    time.Time
	cpu      int64 // process CPU time at its begin, ns
	runDelay int64 // likewise, ns

	mu        sync.Mutex
	conns     []*conn
	dropped   int64
	requests  int64
	responses int64
	status    map[int]int64
	serving   int64 // requests whose handler has not returned
	inFlight  int64
	peak      int64
	strangers int64
}

func newTrial(held int) *trial {
	delay, _ := runDelayNS(procSelf) // told again, with its error, by stats
	return &trial{
		hold: newHold(held), began: time.Now(), cpu: cpuNS(), runDelay: delay,
		status: make(map[int]int64),
	}
}

func (t *trial) accepted(c *conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.conns) == maxConnections {
		t.dropped++
		return
	}
	c.listed = true
	t.conns = append(t.conns, c)
}

// isControl takes c out of the counts.
func (t *trial) isControl(c *conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !c.control.Swap(true) && !c.listed {
		t.dropped--
	}
}

// arrive counts a request whose header was read.
func (t *trial) arrive(c *conn) *response {
	c.requests.Add(1)
	t.mu.Lock()
	t.requests++
	t.serving++
	t.mu.Unlock()
	t.flight(+1)
	return &response{trial: t}
}

func (t *trial) flight(change int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.inFlight += change
	t.peak = max(t.peak, t.inFlight)
}

// finish ends the handling of a request; status is 0 if the answer did not get
// out.
func (t *trial) finish(r *response, status int) {
	r.leave()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.serving--
	if status != 0 {
		t.responses++
		t.status[status]++
	}
}

func (t *trial) stranger() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.strangers++
}

// settleTime bounds how long stats wait for what is already answered.
const settleTime = time.Second

// settle waits until every request that has left the flight is in the counts:
// a client can have read an answer before the goroutine that wrote it has
// returned from its system call.
func (t *trial) settle() bool {
	for end := time.Now().Add(settleTime); ; time.Sleep(100 * time.Microsecond) {
		t.mu.Lock()
		settled := t.serving == t.inFlight
		t.mu.Unlock()
		if settled || time.Now().After(end) {
			return settled
		}
	}
}

func (t *trial) stats() Stats {
	settled := t.settle()
	cpu := cpuNS() - t.cpu
	delay, err := runDelayNS(procSelf)
	t.mu.Lock()
	defer t.mu.Unlock()
	s := Stats{
		Duration: time.Since(t.began), Settled: settled,
		Requests: t.requests, Responses: t.responses, Status: make(map[string]int64),
		InFlight: t.inFlight, InFlightPeak: t.peak, Strangers: t.strangers,
		CPUNS: cpu, RunDelayNS: max(0, delay-t.runDelay),
		Dropped: t.dropped, Connections: []Connection{},
	}
	if err != nil {
		s.Missing = err.Error()
	}
	for code, n := range maps.All(t.status) {
		s.Status[strconv.Itoa(code)] = n
	}
	for _, c := range t.conns {
		if !c.control.Load() {
			s.Connections = append(s.Connections, Connection{
				Port: c.port, In: c.in.Load(), Out: c.out.Load(), Requests: c.requests.Load(),
			})
		}
	}
	return s
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
