package recording

// Causes of a wait: why a thread was blocked. A cause is read when the thread leaves the CPU.
const (
	CauseSocketRead  = "socket read"
	CauseSocketWrite = "socket write"
	CauseConnect     = "connect"
	CauseAccept      = "accept"
	CausePoll        = "poll"
	CauseSelect      = "select"
	CauseEpoll       = "epoll"
	CausePipe        = "pipe"
	CauseFile        = "file"
	CauseFutex       = "futex"
	CauseSleep       = "sleep"
	CauseChildWait   = "child wait"
	CauseIOUring     = "io_uring"
	CauseStopped     = "stopped"
	CausePageFault   = "page fault"
	CauseOther       = "other"
)

// Causes gives all causes of a wait, in the order of reports.
func Causes() []string {
	return []string{
		CauseSocketRead, CauseSocketWrite, CauseConnect, CauseAccept, CauseEpoll, CausePoll, CauseSelect,
		CausePipe, CauseFile, CauseFutex, CauseSleep, CauseChildWait, CauseIOUring, CauseStopped, CausePageFault,
		CauseOther,
	}
}

// ThreadTime is what threads did with their time: three states, each summed from its own events (sched_switch,
// sched_wakeup), none computed as a remainder. It is time of threads: a hundred threads that wait for a second
// have a hundred seconds where an event loop has one.
type ThreadTime struct {
	RunningNS  int64            `json:"running_ns"`  // on a CPU, a duration
	RunnableNS int64            `json:"runnable_ns"` // ready, waiting for a CPU, a duration
	BlockedNS  map[string]int64 `json:"blocked_ns"`  // asleep, by cause (one of Causes): durations
	Wakeups    int64            `json:"wakeups"`     // times that it was woken, count
	Migrations int64            `json:"migrations"`  // times that it went on on another CPU, count
}

// Sched is the scheduling of all threads of the process and its descendants, from the gate to done.
type Sched struct {
	Time     ThreadTime `json:"time"`      // summed over threads
	RunQueue Histogram  `json:"run_queue"` // each wait for a CPU
	Wakers   []Waker    `json:"wakers"`    // who woke the threads, the most frequent first
	MadeUp   int64      `json:"made_up"`   // events of the threads' lives that no hook saw, made up for from the kernel's sched_info, count
}

// Histogram counts durations by their magnitude: bucket i holds those from 2^i up to 2^(i+1) ns, bucket 0 those
// below 2 ns.
type Histogram struct {
	Counts []int64 `json:"counts"` // by bucket, count; up to the last that is not 0
	SumNS  int64   `json:"sum_ns"` // of all, a duration
}

// Waker is a thread that woke threads of the process (sched_waking). An interrupt wakes in the name of the thread
// that it interrupted; tid 0 is an idle CPU's.
type Waker struct {
	TID   int    `json:"tid"`   // the waking thread, 0 for an idle CPU
	Name  string `json:"name"`  // comm; data, never markup
	Count int64  `json:"count"` // wake-ups from the gate on
}
