package origin

import (
	"cmp"
	"maps"
	"strconv"
	"sync"
	"time"
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
	CPUNS        int64            `json:"cpu_ns"`         // of the origin's process, from the first request to the last answer
	RunDelayNS   int64            `json:"run_delay_ns"`   // its threads were ready and not run, in that time
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
	hold  *hold
	want  int64 // requests that it has; 0 if nobody knows
	began time.Time

	mu        sync.Mutex
	first     *account // at the first request; nil before
	last      *account // at the last answer of those wanted; nil before
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

func newTrial(held, want int) *trial {
	return &trial{hold: newHold(held), want: int64(want), began: time.Now(), status: make(map[int]int64)}
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

// arrive counts a request whose header was read. The first one's time has the
// reading of the account in it, which its latency has room for.
func (t *trial) arrive(c *conn) *response {
	c.requests.Add(1)
	t.mu.Lock()
	t.requests++
	t.serving++
	first := t.requests == 1 && t.first == nil
	t.mu.Unlock()
	t.flight(+1)
	if first {
		t.note(&t.first)
	}
	return &response{trial: t}
}

// note reads the account while nobody waits for the counts.
func (t *trial) note(where **account) {
	a := readAccount()
	t.mu.Lock()
	defer t.mu.Unlock()
	*where = a
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
	if t.answered(status) {
		t.note(&t.last)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.serving-- // which settle waits for
}

// answered counts an answer and reports whether it is the trial's last.
func (t *trial) answered(status int) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if status == 0 {
		return false
	}
	t.responses++
	t.status[status]++
	return t.responses == t.want
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
	now := readAccount()
	t.mu.Lock()
	defer t.mu.Unlock()
	s := Stats{
		Duration: time.Since(t.began), Settled: settled,
		Requests: t.requests, Responses: t.responses, Status: make(map[string]int64),
		InFlight: t.inFlight, InFlightPeak: t.peak, Strangers: t.strangers,
		Dropped: t.dropped, Connections: []Connection{},
	}
	if t.first != nil { // else there was no request
		s.accountSince(t.first, cmp.Or(t.last, now))
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
