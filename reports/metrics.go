package reports

import (
	"slices"

	"github.com/weft-profiler/weft/collector/recording"
)

// Units of metrics: all are base units, scaled when they are printed.
const (
	unitNS    = "ns"
	unitBytes = "bytes"
	unitCount = "count"
	unitRatio = "ratio"
)

// What is better in a metric. A figure that describes and does not judge has neither.
const (
	lower   = "lower"
	neither = ""
)

// Metric is one figure of a trial. The table of metrics feeds the terminal, every file format and
// docs/metrics.md, so that a figure has one name, one unit and one definition everywhere.
type Metric struct {
	Name       string         `json:"name"`       // with its unit as benchstat writes it: "wall-ns"
	Column     string         `json:"column"`     // header in a table
	Unit       string         `json:"unit"`       // "ns", "bytes", "count" or "ratio"
	Better     string         `json:"better"`     // "lower", or "" where it only describes
	Headline   bool           `json:"headline"`   // compared with the baseline by a test
	Events     bool           `json:"events"`     // counted from kernel events: lost events make it a lower bound
	Kind       recording.Kind `json:"kind"`       // the trials that it is taken from
	Definition string         `json:"definition"` // source, meaning, caveat

	// Value is the figure of one trial, false where the trial has no evidence of it.
	Value func(*recording.Trial) (float64, bool) `json:"-"`
}

// Metrics is the registry, in the order of reports.
func Metrics() []Metric {
	return slices.Concat(timeMetrics(), memoryMetrics(), threadMetrics(), socketMetrics(), costMetrics())
}

func timeMetrics() []Metric {
	return []Metric{
		{Name: "wall-ns", Column: "TIME", Unit: unitNS, Better: lower, Headline: true, Kind: recording.Measured,
			Definition: "Time from the opening of the gate to the last finished unit, by the child's CLOCK_MONOTONIC. Set-up (imports, connections made before the gate) is not in it.",
			Value:      wall},
		{Name: "cpu-ns/unit", Column: "CPU/REQ", Unit: unitNS, Better: lower, Headline: true, Kind: recording.Measured,
			Definition: "CPU time of the process from the gate to its last page over the finished units, by its process CPU clock (clock_gettime), which counts threads that are gone. The child reads it at its last page; weft reads it too, at done, and takes its own reading where the child gives none or a greater one. The time that the probes run inside the process is in it.",
			Value:      perUnit(func(t *recording.Trial) (int64, bool) { return t.CPU.WorkNS, t.CPU.WorkNS > 0 })},
		{Name: "first-byte-ns", Column: "FIRST BYTE", Unit: unitNS, Better: lower, Events: true, Kind: recording.Measured,
			Definition: "Median over the client's connections of the time from the first sent to the first received byte, from sock_send_length and sock_recv_length. With keep-alive only the first request of each connection counts. With TLS it is the handshake.",
			Value:      firstByte},
	}
}

func memoryMetrics() []Metric {
	return []Metric{
		{Name: "rss-end-B", Column: "RSS", Unit: unitBytes, Better: lower, Kind: recording.Measured,
			Definition: "Resident memory when the work is done and the process still there, Rss of /proc/PID/smaps_rollup. Not the peak: what was freed by then is not in it, and neither is kernel memory.",
			Value:      snapshot(recording.AtEnd, func(s recording.Snapshot) int64 { return s.RSSBytes })},
		{Name: "pss-end-B", Column: "PSS", Unit: unitBytes, Better: lower, Kind: recording.Measured,
			Definition: "Proportional memory at the end, Pss of smaps_rollup: a page that n processes share counts 1/n. It moves with what else runs on the machine.",
			Value:      snapshot(recording.AtEnd, func(s recording.Snapshot) int64 { return s.PSSBytes })},
		{Name: "uss-end-B", Column: "USS", Unit: unitBytes, Better: lower, Kind: recording.Measured,
			Definition: "Private memory at the end, Private_Clean + Private_Dirty of smaps_rollup: what would come back if the process ended.",
			Value:      snapshot(recording.AtEnd, func(s recording.Snapshot) int64 { return s.USSBytes })},
		{Name: "page-tables-end-B", Column: "PAGE TABLES", Unit: unitBytes, Better: lower, Kind: recording.Measured,
			Definition: "Page tables of the process at the end, VmPTE of /proc/PID/status: kernel memory that RSS does not count.",
			Value:      snapshot(recording.AtEnd, func(s recording.Snapshot) int64 { return s.PageTableBytes })},
		{Name: "rss-gate-B", Column: "RSS GATE", Unit: unitBytes, Better: lower, Kind: recording.Measured,
			Definition: "Resident memory at the gate, before any work, Rss of smaps_rollup: interpreter, imports, runtime.",
			Value:      snapshot(recording.AtGate, func(s recording.Snapshot) int64 { return s.RSSBytes })},
		{Name: "pss-gate-B", Column: "PSS GATE", Unit: unitBytes, Better: lower, Kind: recording.Measured,
			Definition: "Proportional memory at the gate, Pss of smaps_rollup.",
			Value:      snapshot(recording.AtGate, func(s recording.Snapshot) int64 { return s.PSSBytes })},
		{Name: "uss-gate-B", Column: "USS GATE", Unit: unitBytes, Better: lower, Kind: recording.Measured,
			Definition: "Private memory at the gate, Private_Clean + Private_Dirty of smaps_rollup.",
			Value:      snapshot(recording.AtGate, func(s recording.Snapshot) int64 { return s.USSBytes })},
		{Name: "held-rss-B/task", Column: "HELD/TASK", Unit: unitBytes, Better: lower, Kind: recording.Held,
			Definition: "Growth of RSS from the gate to the moment when the origin holds every answer, over the requests that wait. User memory only, from smaps_rollup; kernel stacks, sockets and their buffers are not in it. What a model makes once, whatever the number of tasks, is spread over them.",
			Value:      heldGrowth(func(s recording.Snapshot) int64 { return s.RSSBytes })},
		{Name: "held-pss-B/task", Column: "HELD PSS/TASK", Unit: unitBytes, Better: lower, Kind: recording.Held,
			Definition: "The same with PSS. User memory only, from smaps_rollup.",
			Value:      heldGrowth(func(s recording.Snapshot) int64 { return s.PSSBytes })},
	}
}

func threadMetrics() []Metric {
	return []Metric{
		{Name: "threads-peak", Column: "THREADS", Unit: unitCount, Better: lower, Events: true, Kind: recording.Measured,
			Definition: "Greatest number of threads alive at once from the gate on, helper threads of the runtime included, from task_newtask and sched_process_exit; kept in the kernel, so that no sampler misses it.",
			Value:      positive(func(t *recording.Trial) int64 { return t.Threads.Peak })},
		{Name: "threads-made", Column: "THREADS MADE", Unit: unitCount, Better: lower, Events: true, Kind: recording.Measured,
			Definition: "Threads made up to done, the main one included, from task_newtask.",
			Value:      positive(func(t *recording.Trial) int64 { return t.Threads.Made })},
		{Name: "in-flight-peak", Column: "IN FLIGHT", Unit: unitCount, Better: neither, Kind: recording.Measured,
			Definition: "Greatest number of requests in flight at once. Where there is an origin it is the origin's own count, body included; else the peak of awaiting reply. Read it against the concurrency that was asked for: a model that did not reach it did other work.",
			Value:      inFlight},
		{Name: "switches/unit", Column: "SW/REQ", Unit: unitCount, Better: lower, Events: true, Kind: recording.Measured,
			Definition: "Voluntary and involuntary context switches of all threads from the gate to done over the finished units, from the kernel's own count of each thread, read when the thread exits or at done.",
			Value:      perUnit(switches)},
	}
}

func socketMetrics() []Metric {
	return []Metric{
		{Name: "connections", Column: "CONNS", Unit: unitCount, Better: lower, Events: true, Kind: recording.Measured,
			Definition: "TCP connections on which the process carried bytes or opened one, from inet_sock_set_state and the first transfer.",
			Value:      connections},
		{Name: "sent-B/unit", Column: "SENT/REQ", Unit: unitBytes, Better: lower, Events: true, Kind: recording.Measured,
			Definition: "Bytes sent on TCP sockets over the finished units, headers included, from sock_send_length.",
			Value:      perUnit(tcp(func(s recording.Transport) int64 { return s.SentBytes }))},
		{Name: "received-B/unit", Column: "RECV/REQ", Unit: unitBytes, Better: lower, Events: true, Kind: recording.Measured,
			Definition: "Bytes received on TCP sockets over the finished units, headers included, from sock_recv_length. splice and TCP zero-copy receive pass by the hook.",
			Value:      perUnit(tcp(func(s recording.Transport) int64 { return s.RecvBytes }))},
		{Name: "socket-calls/unit", Column: "CALLS/REQ", Unit: unitCount, Better: lower, Events: true, Kind: recording.Measured,
			Definition: "Calls that sent or received bytes on any socket over the finished units. Calls that would have blocked are not in it.",
			Value:      perUnit(allSockets(func(s recording.Transport) int64 { return s.SentCalls + s.RecvCalls }))},
		{Name: "would-block/unit", Column: "EAGAIN/REQ", Unit: unitCount, Better: lower, Events: true, Kind: recording.Measured,
			Definition: "Socket calls that said EAGAIN, both ways, over the finished units: the price of asking before the data is there.",
			Value:      perUnit(allSockets(func(s recording.Transport) int64 { return s.SendWouldBlock + s.RecvWouldBlock }))},
		{Name: "awaiting-peak", Column: "AWAIT PEAK", Unit: unitCount, Better: neither, Events: true, Kind: recording.Measured,
			Definition: "Greatest number of connections that awaited a reply at once, from the first sent byte of a request to the first received byte of its reply. Equal to requests without pipelining; a lower bound with HTTP/2 or pipelining, an upper bound with TLS.",
			Value:      positive(func(t *recording.Trial) int64 { return t.Sockets.Awaiting.Peak })},
		{Name: "awaiting-mean-ns", Column: "AWAIT", Unit: unitNS, Better: lower, Events: true, Kind: recording.Measured,
			Definition: "Mean time that a connection awaited a reply: the origin's latency, the network, and how late the model read.",
			Value:      awaitingMean},
		{Name: "retransmits", Column: "RETRANS", Unit: unitCount, Better: lower, Events: true, Kind: recording.Measured,
			Definition: "TCP segments sent again, from tcp_retransmit_skb: the network disturbed the trial.",
			Value: func(t *recording.Trial) (float64, bool) {
				n, ok := tcp(func(s recording.Transport) int64 { return s.Retransmits })(t)
				return float64(n), ok
			}},
	}
}

func costMetrics() []Metric {
	return []Metric{
		{Name: "bpf-share", Column: "BPF", Unit: unitRatio, Better: lower, Kind: recording.Measured,
			Definition: "Run time of all BPF programs over the CPU time of the workload, from the kernel's own statistics (kernel.bpf_stats_enabled): weft's own cost. A lower bound: entering and leaving a program, and what the probes evict from caches, is not in it. Events of other processes are.",
			Value:      bpfShare},
	}
}
