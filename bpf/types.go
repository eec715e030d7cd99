package bpf

// The values that come out of the kernel, declared and described in contract.h.
type (
	Thread     = taskThread      // one thread's life and its socket totals
	ThreadTime = schedThreadTime // where one thread's time went
	Spent      = schedSpent      // its sums
	Activity   = schedActivity
	Connection = sockConnection // one socket
	Totals     = sockTotals     // sums of one transport, over all CPUs
	WeightKey  = taskWeightKey  // who did what from where
	Weight     = taskWeight     // how much
	StackKind  = taskStackKind
	// GoRuntime says where a Go program keeps what is read of its goroutines. Mm is the kernel side's own: left 0.
	GoRuntime    = taskGoRuntime
	GoroutineKey = taskGoroutineKey // a goroutine
	Goroutine    = taskGoroutine    // what is told of it
	Transport    = sockTransport
	Side         = sockSide
	Awaited      = sockAwaited // how time ended in which a reply was awaited
	GaugeID      = taskGaugeId
)

// GoidScheduler is the Goid of what a thread of Go's does while no goroutine runs on it. 0 is a thread of no known Go
// program, one that C made in a Go program, and whatever the process did before SetRuntime.
const GoidScheduler = ^uint64(0)

// The enums of contract.h.
const (
	StackThreadCreate = taskStackKindSTACK_THREAD_CREATE
	StackSocket       = taskStackKindSTACK_SOCKET
	StackCPU          = taskStackKindSTACK_CPU
	StackOffCPU       = taskStackKindSTACK_OFFCPU
	StackReplyWait    = taskStackKindSTACK_REPLYWAIT
	StackRSS          = taskStackKindSTACK_RSS

	ActivityRunning     = schedActivityACTIVITY_RUNNING
	ActivityRunnable    = schedActivityACTIVITY_RUNNABLE
	ActivitySocketRead  = schedActivityACTIVITY_SOCKET_READ
	ActivitySocketWrite = schedActivityACTIVITY_SOCKET_WRITE
	ActivityConnect     = schedActivityACTIVITY_CONNECT
	ActivityAccept      = schedActivityACTIVITY_ACCEPT
	ActivityEpoll       = schedActivityACTIVITY_EPOLL
	ActivityPoll        = schedActivityACTIVITY_POLL
	ActivitySelect      = schedActivityACTIVITY_SELECT
	ActivityPipe        = schedActivityACTIVITY_PIPE
	ActivityFile        = schedActivityACTIVITY_FILE
	ActivityFutex       = schedActivityACTIVITY_FUTEX
	ActivitySleep       = schedActivityACTIVITY_SLEEP
	ActivityChildWait   = schedActivityACTIVITY_CHILD_WAIT
	ActivityIOUring     = schedActivityACTIVITY_IO_URING
	ActivityStopped     = schedActivityACTIVITY_STOPPED
	ActivityPageFault   = schedActivityACTIVITY_PAGE_FAULT
	ActivityOther       = schedActivityACTIVITY_OTHER
	ActivityNone        = schedActivityACTIVITY_NONE // the thread is gone

	TransportTCP  = sockTransportTRANSPORT_TCP
	TransportUDP  = sockTransportTRANSPORT_UDP
	TransportUnix = sockTransportTRANSPORT_UNIX

	AwaitedReply   = sockAwaitedAWAITED_REPLY
	AwaitedRequest = sockAwaitedAWAITED_REQUEST
	AwaitedClose   = sockAwaitedAWAITED_CLOSE

	SideUnknown = sockSideSIDE_UNKNOWN
	SideClient  = sockSideSIDE_CLIENT
	SideServer  = sockSideSIDE_SERVER

	GaugeThreads  = taskGaugeIdGAUGE_THREADS
	GaugeAwaiting = taskGaugeIdGAUGE_AWAITING
	GaugeRSS      = taskGaugeIdGAUGE_RSS // in RSSUnit
)

// ThreadName gives a thread's comm. It is the watched program's own choice: any bytes but NUL.
func ThreadName(t Thread) string { return comm(&t.Comm) }

// Plus gives the sums of both.
func (t sockTotals) Plus(other Totals) Totals {
	return Totals{
		Sent:        t.Sent.plus(other.Sent),
		Recv:        t.Recv.plus(other.Recv),
		Opened:      t.Opened + other.Opened,
		Retransmits: t.Retransmits + other.Retransmits,
	}
}

func (f sockFlow) plus(other sockFlow) sockFlow {
	return sockFlow{
		Bytes:      f.Bytes + other.Bytes,
		Calls:      f.Calls + other.Calls,
		WouldBlock: f.WouldBlock + other.WouldBlock,
		Errors:     f.Errors + other.Errors,
	}
}

// Totals gives what a TCP connection's account adds to [Probes.Totals], nothing of another one, whose flows are there
// already.
func (c sockConnection) Totals() Totals {
	if c.Transport != TransportTCP {
		return Totals{}
	}
	return Totals{
		Sent:        sockFlow{Bytes: c.Sent.Bytes, Calls: c.Sent.Calls, Errors: c.SendErrors},
		Recv:        sockFlow{Bytes: c.Recv.Bytes, Calls: c.Recv.Calls, Errors: c.RecvErrors},
		Retransmits: c.Retransmits,
	}
}
