package collector

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/weft-profiler/weft/bpf"
	"github.com/weft-profiler/weft/collector/recording"
)

// collect fills the trial from the kernel side.
func (w *Watch) collect() error {
	all, err := w.lives()
	if err != nil {
		return err
	}
	w.loseUnlisted(all)
	return errors.Join(
		w.collectThreads(all.threads), w.collectSched(all.threads), w.collectSockets(all), w.collectCurves(),
		w.collectMemory(),
		w.collectStacks(all.threads), w.collectLosses(all.losses),
	)
}

// switches are context switches, counts.
type switches struct{ voluntary, involuntary int64 }

func (s switches) plus(t bpf.Thread) switches {
	return switches{s.voluntary + int64(t.Voluntary), s.involuntary + int64(t.Involuntary)}
}

// switchesOf sums over these threads and those that are not listed.
func (w *Watch) switchesOf(threads []bpf.Thread) switches {
	sum := w.droppedSwitches
	for _, t := range threads {
		sum = sum.plus(t)
	}
	return sum
}

func (w *Watch) collectThreads(seen []bpf.Thread) error {
	gauge, err := w.c.probes.Gauge(bpf.GaugeThreads)
	if err != nil {
		return err
	}
	all := w.switchesOf(seen)
	threads := &w.trial.Threads
	threads.Made = int64(gauge.Rises)
	threads.MadeAtGate = int64(w.atGate.threads.Rises)
	threads.Gone = int64(gauge.Falls)
	threads.Peak = int64(max(gauge.Peak, w.atGate.threads.Now))
	threads.VoluntarySwitches = all.voluntary - w.atGate.switches.voluntary
	threads.InvoluntarySwitches = all.involuntary - w.atGate.switches.involuntary
	threads.Processes = w.droppedProcesses
	for _, t := range seen {
		threads.Processes += int64(t.Leader)
		threads.List = append(threads.List, threadRecord(t))
	}
	slices.SortFunc(threads.List, func(a, b recording.Thread) int {
		return cmp.Or(cmp.Compare(a.StartNS, b.StartNS), cmp.Compare(a.TID, b.TID))
	})
	return nil
}

func threadRecord(t bpf.Thread) recording.Thread {
	return recording.Thread{
		PID:         int(t.Pid),
		TID:         int(t.Tid),
		CreatorTID:  int(t.CreatorTid),
		Name:        bpf.ThreadName(t),
		StartNS:     int64(t.StartNs),
		EndNS:       int64(t.EndNs),
		SentBytes:   int64(t.SentBytes),
		SentCalls:   int64(t.SentCalls),
		RecvBytes:   int64(t.RecvBytes),
		RecvCalls:   int64(t.RecvCalls),
		WouldBlock:  int64(t.WouldBlock),
		Voluntary:   int64(t.Voluntary),
		Involuntary: int64(t.Involuntary),
	}
}

// transports are the names of the recording's transports.
var transports = map[bpf.Transport]string{
	bpf.TransportTCP:  "tcp",
	bpf.TransportUDP:  "udp",
	bpf.TransportUnix: "unix",
}

func (w *Watch) collectSockets(all seen) error {
	sockets := &w.trial.Sockets
	sockets.Transports = map[string]recording.Transport{}
	for transport, name := range transports {
		totals, err := w.c.probes.Totals(transport)
		if err != nil {
			return err
		}
		if transport == bpf.TransportTCP {
			totals = all.tcp
		}
		sockets.Transports[name] = recording.Transport{
			SentBytes:      int64(totals.Sent.Bytes),
			SentCalls:      int64(totals.Sent.Calls),
			RecvBytes:      int64(totals.Recv.Bytes),
			RecvCalls:      int64(totals.Recv.Calls),
			SendWouldBlock: int64(totals.Sent.WouldBlock),
			RecvWouldBlock: int64(totals.Recv.WouldBlock),
			SendErrors:     int64(totals.Sent.Errors),
			RecvErrors:     int64(totals.Recv.Errors),
			Opened:         int64(totals.Opened),
			Retransmits:    int64(totals.Retransmits),
		}
	}
	sockets.Awaiting = w.droppedReplies
	for _, c := range all.connections {
		sockets.Connections = append(sockets.Connections, connectionRecord(c))
		sockets.Awaiting.Replies += int64(c.Replies)
		sockets.Awaiting.SumNS += int64(c.AwaitedNs)
	}
	slices.SortFunc(sockets.Connections, func(a, b recording.Connection) int {
		return cmp.Or(cmp.Compare(a.OpenNS, b.OpenNS), cmp.Compare(a.Cookie, b.Cookie))
	})
	gauge, err := w.c.probes.Gauge(bpf.GaugeAwaiting)
	sockets.Awaiting.Peak = int64(max(gauge.Peak, w.atGate.awaiting.Now))
	return err
}

var (
	families = map[uint16]string{unix.AF_INET: "ipv4", unix.AF_INET6: "ipv6", unix.AF_UNIX: "unix"}
	sides    = map[bpf.Side]string{bpf.SideClient: "client", bpf.SideServer: "server"}
)

func connectionRecord(c bpf.Connection) recording.Connection {
	return recording.Connection{
		Cookie:      c.Cookie,
		Transport:   transports[c.Transport],
		Family:      families[c.Family],
		Side:        sides[c.Side],
		Local:       address(c.Family, c.LocalAddr, c.LocalPort),
		Remote:      address(c.Family, c.RemoteAddr, c.RemotePort),
		PID:         int(c.Pid),
		TID:         int(c.Tid),
		OpenNS:      int64(c.OpenNs),
		ConnectedNS: int64(c.ConnectedNs),
		FirstSendNS: int64(c.FirstSendNs),
		FirstRecvNS: int64(c.FirstRecvNs),
		CloseNS:     int64(c.CloseNs),
		SentBytes:   int64(c.Sent.Bytes),
		SentCalls:   int64(c.Sent.Calls),
		RecvBytes:   int64(c.Recv.Bytes),
		RecvCalls:   int64(c.Recv.Calls),
		Retransmits: int64(c.Retransmits),
		Replies:     int64(c.Replies),
		AwaitedNS:   int64(c.AwaitedNs),
	}
}

func address(family uint16, raw [16]byte, port uint16) string {
	switch family {
	case unix.AF_INET:
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(raw[:4])), port).String()
	case unix.AF_INET6:
		return netip.AddrPortFrom(netip.AddrFrom16(raw), port).String()
	}
	return ""
}

func (w *Watch) collectCurves() error {
	if w.trial.Phases.GateNS == 0 {
		return nil // the gate was never opened
	}
	elapsed := w.trial.Phases.DoneNS - w.trial.Phases.GateNS
	for _, c := range []struct {
		name  string
		id    bpf.GaugeID
		start bpf.Gauge
	}{
		{recording.CurveThreads, bpf.GaugeThreads, w.atGate.threads},
		{recording.CurveAwaiting, bpf.GaugeAwaiting, w.atGate.awaiting},
	} {
		curve, err := w.c.probes.Curve(c.id, c.start.Now, elapsed)
		if err != nil {
			return err
		}
		w.trial.Curves[c.name] = recording.Curve(curve)
	}
	if !w.c.probes.Has(bpf.ObjectMemory) {
		return nil
	}
	curve, err := w.c.probes.Curve(bpf.GaugeRSS, w.atGate.rss.Now, elapsed)
	if err != nil {
		return err
	}
	w.trial.Curves[recording.CurveRSS] = curveInBytes(curve)
	return nil
}

// collectCosts says what the programs took since the gate, as the work did. It comes first: reading out runs programs too.
func (w *Watch) collectCosts() error {
	costs, err := w.c.probes.Costs()
	if err != nil {
		return err
	}
	before := map[string]bpf.Cost{}
	for _, c := range w.atGate.costs {
		before[c.Program] = c
	}
	for _, c := range costs {
		w.trial.BPF = append(w.trial.BPF, recording.ProgramCost{
			Program: c.Program, Runs: int64(c.Runs - before[c.Program].Runs), RunNS: int64(c.RunNS - before[c.Program].RunNS),
		})
	}
	return nil
}

// listLosses are those of threads and connections that are in no list.
var listLosses = []string{bpf.LossOfThreadsInRing, bpf.LossOfConnections, bpf.LossOfConnectionsInRing}

// collectLosses says what was lost: of the lists what was when they were read.
func (w *Watch) collectLosses(listed []bpf.Loss) error {
	losses, err := w.c.probes.Losses()
	if err != nil {
		return err
	}
	lose := func(losses []bpf.Loss, ofLists bool) {
		for _, l := range losses {
			if slices.Contains(listLosses, l.Cause) == ofLists {
				w.trial.Lost = append(w.trial.Lost, recording.Loss{Cause: l.Cause, Count: int64(l.Count), Detail: l.Detail})
			}
		}
	}
	lose(listed, true)
	lose(losses, false)
	// Again: what the kernel skips while this reads out is missing from it too.
	costs, err := w.c.probes.Costs()
	if err != nil {
		return err
	}
	for _, c := range costs {
		if c.Misses > 0 {
			w.trial.Lost = append(w.trial.Lost, recording.Loss{
				Cause:  "recursion",
				Count:  int64(c.Misses),
				Detail: fmt.Sprintf("the kernel skipped events of %s while it ran on the same CPU", c.Program),
			})
		}
	}
	if w.unlisted > 0 {
		w.trial.Lost = append(w.trial.Lost, recording.Loss{
			Cause:  "list_full",
			Count:  w.unlisted,
			Detail: "threads or connections that ended are not listed, nor are switches and replies of theirs summed; bytes and calls are complete",
		})
	}
	w.loseAged()
	return nil
}

// loseAged counts the UDP and unix sockets that made room for others: their bytes are in the totals only.
func (w *Watch) loseAged() {
	listed := map[string]int64{}
	for _, c := range w.trial.Sockets.Connections {
		listed[c.Transport]++
	}
	for _, of := range []struct{ transport, more string }{
		{"udp", ""},
		{"unix", "; one that awaited a reply is counted as awaiting from then on"},
	} {
		if aged := w.trial.Sockets.Transports[of.transport].Opened - listed[of.transport]; aged > 0 {
			w.trial.Lost = append(w.trial.Lost, recording.Loss{
				Cause:  "sockets_aged_out",
				Count:  aged,
				Detail: of.transport + " sockets are not listed, the least recently used made room; bytes and calls are complete" + of.more,
			})
		}
	}
}
