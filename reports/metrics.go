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

// Metric is one figure of a trial, or of a pair of held trials. The table of metrics feeds the terminal, every file
// format and docs/metrics.md, so that a figure has one name, one unit and one definition everywhere.
type Metric struct {
	Name       string         `json:"name"`       // with its unit as benchstat writes it: "wall-ns"
	Column     string         `json:"column"`     // header in a table
	Unit       string         `json:"unit"`       // "ns", "bytes", "count" or "ratio"
	Better     string         `json:"better"`     // "lower", or "" where it only describes
	Headline   bool           `json:"headline"`   // compared with the baseline by a test
	Events     bool           `json:"events"`     // counted from kernel events: lost events make it a lower bound or inexact
	Source     string         `json:"source"`     // one of narrowLosses where losses of other sources do not touch it
	Bound      string         `json:"bound"`      // the metric that says how far this one may be wrong, either way
	Kind       recording.Kind `json:"kind"`       // the trials that it is taken from
	Definition string         `json:"definition"` // source, meaning, caveat

	// Value is the figure of one trial, false where the trial has no evidence of it.
	Value func(*recording.Trial) (float64, bool) `json:"-"`
	// Pair is, instead of Value, the figure of two held trials that differ in how many tasks they hold.
	Pair func(few, many *recording.Trial) (float64, bool) `json:"-"`
	// OverControl takes the median of Value over the model's control trials away.
	OverControl bool `json:"-"`
}

// Metrics is the registry, in the order of reports.
func Metrics() []Metric {
	return slices.Concat(timeMetrics(), memoryMetrics(), goMemoryMetrics(), heldMetrics(), controlMetrics(),
		threadMetrics(), schedMetrics(), socketMetrics(), originMetrics(), costMetrics())
}

func timeMetrics() []Metric {
	return []Metric{
		{Name: "wall-ns", Column: "TIME", Unit: unitNS, Better: lower, Headline: true, Kind: recording.Measured,
			Definition: "Time from the opening of the gate to the last finished unit, by the child's CLOCK_MONOTONIC. Set-up (imports, connections made before the gate) is not in it.",
			Value:      wall},
		{Name: "cpu-ns/unit", Column: "CPU/REQ", Unit: unitNS, Better: lower, Headline: true, Kind: recording.Measured,
			Definition: "CPU time of the process from the gate to its last page over the finished units, by its process CPU clock (clock_gettime), which counts threads that are gone. The child reads it at its last page; weft reads it too, at done, and takes its own reading where the child gives none or a greater one. The time that the probes run inside the process is in it.",
			Value:      perUnit(func(t *recording.Trial) (int64, bool) { return t.CPU.WorkNS, t.CPU.WorkNS > 0 })},
		{Name: "setup-ns", Column: "SETUP", Unit: unitNS, Better: lower, Kind: recording.Measured,
			Definition: "Time from the making of the process to its word that it is ready for the gate: loading, imports, connections made before the gate. In no other figure of time.",
			Value:      setup},
		{Name: "setup-cpu-ns", Column: "SETUP CPU", Unit: unitNS, Better: lower, Kind: recording.Measured,
			Definition: "CPU time of the process up to the gate, by its process CPU clock. In no other figure of CPU time.",
			Value:      positive(func(t *recording.Trial) int64 { return t.CPU.SetupNS })},
		{Name: "first-byte-ns", Column: "FIRST BYTE", Unit: unitNS, Better: lower, Events: true, Kind: recording.Measured,
			Definition: "Median over the client's connections of the time from the first sent to the first received byte, from sock_send_length and sock_recv_length. With keep-alive only the first request of each connection counts. With TLS it is the handshake.",
			Value:      firstByte},
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
			Definition: "Time that connections awaited a reply, over the replies that came: the origin's latency, the network, and how late the model read.",
			Value:      awaitingMean},
		{Name: "retransmits", Column: "RETRANS", Unit: unitCount, Better: lower, Events: true, Kind: recording.Measured,
			Definition: "TCP segments sent again, from tcp_retransmit_skb: the network disturbed the trial.",
			Value:      whole(tcp(func(s recording.Transport) int64 { return s.Retransmits }))},
	}
}

// originMetrics say how the other end fared: a model cannot be faster than it.
func originMetrics() []Metric {
	return []Metric{
		{Name: "origin-cpu-ns/unit", Column: "ORIGIN CPU/REQ", Unit: unitNS, Better: neither, Kind: recording.Measured,
			Definition: "CPU time of the origin's process from the trial's first request to its last answer, over the finished units, by its own account. On one machine it takes CPU time from the model.",
			Value:      perUnit(func(t *recording.Trial) (int64, bool) { return originOf(t).CPUNS, originOf(t).CPUNS > 0 })},
		{Name: "origin-delay-ns/unit", Column: "ORIGIN DELAY/REQ", Unit: unitNS, Better: neither, Kind: recording.Measured,
			Definition: "Time that the origin's threads were ready and waited for a CPU from the trial's first request to its last answer, over the finished units, from /proc/self/task/TID/schedstat of the origin: answers came late by about so much. It is thread time: several threads can wait for one answer at once, and one hold up several answers.",
			Value:      perUnit(func(t *recording.Trial) (int64, bool) { return originOf(t).RunDelayNS, originOf(t).RunDelayNS > 0 })},
	}
}

func costMetrics() []Metric {
	return []Metric{
		{Name: "steal-ns", Column: "STEAL", Unit: unitNS, Better: lower, Kind: recording.Measured,
			Definition: "CPU time that the hypervisor gave to other machines from the gate to done, over all CPUs, steal of /proc/stat, in steps of 10 ms. The clocks of this machine ran on meanwhile.",
			Value: func(t *recording.Trial) (float64, bool) {
				if t.Load == nil {
					return 0, false
				}
				return float64(t.Load.StealNS), true
			}},
		{Name: "bpf-share", Column: "BPF", Unit: unitRatio, Better: lower, Kind: recording.Measured,
			Definition: "Run time of all BPF programs from the gate to done over the CPU time of the work, from the kernel's own statistics (kernel.bpf_stats_enabled): weft's own cost. A lower bound: entering and leaving a program, and what the probes evict from caches, is not in it. Events of other processes are.",
			Value:      bpfShare},
	}
}
