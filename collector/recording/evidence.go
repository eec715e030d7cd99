package recording

// Threads is the life of threads, from task_newtask and sched_process_exit.
type Threads struct {
	Made       int64    `json:"made"`         // threads made up to done, in profiled trials until the stacks are read, the main one included, count
	MadeAtGate int64    `json:"made_at_gate"` // of these before the gate, count
	Gone       int64    `json:"gone"`         // threads gone by done, count
	Peak       int64    `json:"peak"`         // greatest number alive at once from the gate on, count
	Processes  int64    `json:"processes"`    // processes made, the first included, count
	List       []Thread `json:"list"`         // each thread that was seen, by start

	VoluntarySwitches   int64 `json:"voluntary_switches"`   // of all threads, those gone included, from the gate to done, count
	InvoluntarySwitches int64 `json:"involuntary_switches"` // likewise: it was preempted, count
}

// Thread is one thread's life and its socket totals.
type Thread struct {
	PID        int    `json:"pid"`         // process
	TID        int    `json:"tid"`         // thread
	CreatorTID int    `json:"creator_tid"` // the thread that made it, 0 when it was there before
	Name       string `json:"name"`        // comm when last seen; from the profiled process: data, never markup
	StartNS    int64  `json:"start_ns"`    // it was made; before the gate for those that were there
	EndNS      int64  `json:"end_ns"`      // it was gone; 0 while alive at done
	SentBytes  int64  `json:"sent_bytes"`  // on sockets, bytes
	SentCalls  int64  `json:"sent_calls"`  // calls that sent, count
	RecvBytes  int64  `json:"recv_bytes"`  // on sockets, bytes
	RecvCalls  int64  `json:"recv_calls"`  // calls that received, count
	WouldBlock int64  `json:"would_block"` // calls that said EAGAIN, both ways, count

	Voluntary   int64 `json:"voluntary"`   // context switches in its life, count
	Involuntary int64 `json:"involuntary"` // context switches by preemption in its life, count

	Reason    string `json:"reason,omitempty"`    // why Go's runtime made it, in profiled trials: "work", "syscall", "locked", "template", "sysmon", "world", "runtime"
	Goroutine string `json:"goroutine,omitempty"` // the function of the goroutine that it is locked to, else of the first that was seen on it, in profiled trials
	GoID      uint64 `json:"goid,omitempty"`      // of that goroutine
	Locked    bool   `json:"locked,omitempty"`    // the goroutine keeps it for itself (runtime.LockOSThread)

	Time *ThreadTime `json:"time,omitempty"` // where its time went, from its first wake-up to its end or to done
}

// Sockets is the socket IO of the process and its descendants.
type Sockets struct {
	Transports  map[string]Transport `json:"transports"`  // by name: "tcp", "udp", "unix"
	Connections []Connection         `json:"connections"` // each socket that was seen
	Awaiting    Awaiting             `json:"awaiting"`    // over all connections
}

// Transport sums the calls on one kind of socket. A call that transferred nothing because it would have
// blocked is in WouldBlock and in no other figure.
type Transport struct {
	SentBytes      int64 `json:"sent_bytes"`       // bytes
	SentCalls      int64 `json:"sent_calls"`       // calls that sent, count
	RecvBytes      int64 `json:"recv_bytes"`       // bytes
	RecvCalls      int64 `json:"recv_calls"`       // calls that received, count
	SendWouldBlock int64 `json:"send_would_block"` // sends that said EAGAIN, count
	RecvWouldBlock int64 `json:"recv_would_block"` // receives that said EAGAIN, count
	SendErrors     int64 `json:"send_errors"`      // other errors, count
	RecvErrors     int64 `json:"recv_errors"`      // other errors, count
	Opened         int64 `json:"opened"`           // sockets seen for the first time, count
	Retransmits    int64 `json:"retransmits"`      // TCP segments sent again, count
}

// Awaiting is how many connections awaited a reply: from the first sent byte of a request to the first
// received byte of its reply (on the server's side the other way round).
type Awaiting struct {
	Peak    int64 `json:"peak"`    // at once, from the gate on, count
	Replies int64 `json:"replies"` // that came, count
	SumNS   int64 `json:"sum_ns"`  // of the waits, with a reply or without; of those not over up to the last send, a duration
}

// Connection is one socket of the process, from its opening, or from the first transfer where there is none.
type Connection struct {
	Cookie      uint64 `json:"cookie"`        // the kernel's socket cookie
	Transport   string `json:"transport"`     // "tcp", "udp", "unix"
	Family      string `json:"family"`        // "ipv4", "ipv6", "unix"
	Side        string `json:"side"`          // "client", "server", "" when not known
	Local       string `json:"local"`         // address:port, empty for unix
	Remote      string `json:"remote"`        // address:port, empty for unix
	PID         int    `json:"pid"`           // process that opened it
	TID         int    `json:"tid"`           // thread that opened it
	OpenNS      int64  `json:"open_ns"`       // opened, or first seen
	ConnectedNS int64  `json:"connected_ns"`  // established; 0 when not seen
	FirstSendNS int64  `json:"first_send_ns"` // first byte sent; 0 when none
	FirstRecvNS int64  `json:"first_recv_ns"` // first byte received; 0 when none
	CloseNS     int64  `json:"close_ns"`      // closed; 0 while open at done
	SentBytes   int64  `json:"sent_bytes"`    // bytes
	SentCalls   int64  `json:"sent_calls"`    // calls that sent, count
	RecvBytes   int64  `json:"recv_bytes"`    // bytes
	RecvCalls   int64  `json:"recv_calls"`    // calls that received, count
	Retransmits int64  `json:"retransmits"`   // TCP segments sent again, count
	Replies     int64  `json:"replies"`       // awaited replies that came, count
	AwaitedNS   int64  `json:"awaited_ns"`    // that replies were awaited, as in Awaiting, a duration
}

// Names of curves.
const (
	CurveThreads  = "threads"  // threads alive
	CurveAwaiting = "awaiting" // connections that await a reply
	CurveRSS      = "rss"      // resident memory, bytes
)

// Curve is a gauge over time, kept in the kernel: no sampler misses its peak.
type Curve struct {
	BucketNS int64   `json:"bucket_ns"` // width of a bucket, a duration
	Least    []int64 `json:"least"`     // least value in each bucket from the gate on
	Greatest []int64 `json:"greatest"`  // greatest value
	Last     []int64 `json:"last"`      // value at the end of the bucket
}

// Points at which /proc is read.
const (
	AtGate = "gate" // set-up is over, the gate is shut
	AtHeld = "held" // the origin holds every answer
	AtEnd  = "end"  // the work is done, the process still there
)

// Snapshot is what /proc says of the process at one point. Sources: smaps_rollup, status, fd.
type Snapshot struct {
	TimeNS              int64 `json:"time_ns"`              // when it was read
	RSSBytes            int64 `json:"rss_bytes"`            // Rss of smaps_rollup, bytes
	PSSBytes            int64 `json:"pss_bytes"`            // Pss of smaps_rollup, bytes
	USSBytes            int64 `json:"uss_bytes"`            // Private_Clean + Private_Dirty of smaps_rollup, bytes
	AnonymousBytes      int64 `json:"anonymous_bytes"`      // Anonymous of smaps_rollup, bytes
	PageTableBytes      int64 `json:"page_table_bytes"`     // VmPTE of status, bytes
	Threads             int64 `json:"threads"`              // Threads of status, count
	FDs                 int64 `json:"fds"`                  // open descriptors, count
	VoluntarySwitches   int64 `json:"voluntary_switches"`   // voluntary_ctxt_switches summed over threads, count
	InvoluntarySwitches int64 `json:"involuntary_switches"` // nonvoluntary_ctxt_switches summed over threads, count
	Waiting             int64 `json:"waiting"`              // at held: requests that the origin holds, count

	Cost map[string][]Part `json:"cost"` // what it costs in full, by the way it was found out: "cgroup", "proc"
}

// Origin is the origin's own account of the trial.
type Origin struct {
	Requests     int64              `json:"requests"`       // requests that came, count
	PeakInFlight int64              `json:"peak_in_flight"` // requests at once, body included, count
	Connections  []OriginConnection `json:"connections"`    // in the order of their opening
	CPUNS        int64              `json:"cpu_ns"`         // CPU of the origin's process from the first request to the last answer, a duration
	RunDelayNS   int64              `json:"run_delay_ns"`   // wait of its threads for a CPU in that time, a duration
}

// OriginConnection is one connection as the origin saw it, headers included.
type OriginConnection struct {
	Port     int   `json:"port"`      // the client's port
	InBytes  int64 `json:"in_bytes"`  // read from the client, bytes
	OutBytes int64 `json:"out_bytes"` // written to the client, bytes
	Requests int64 `json:"requests"`  // requests that came on it, count
}

// Heap says how a heap profile was taken.
type Heap struct {
	RateBytes int64 `json:"rate_bytes"` // one sample every so many allocated bytes, bytes
}

// Contention says how Go's profiles of waits were taken: runtime.SetBlockProfileRate and SetMutexProfileFraction.
type Contention struct {
	BlockRateNS   int64 `json:"block_rate_ns"`  // one sample every so much time blocked, 1 is every wait, a duration
	MutexFraction int64 `json:"mutex_fraction"` // one sample every so many waits for a lock, count
}
