package bpf

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
)

// Live gives the accounts of the targets' threads that live, in no order.
//
// Source: task storage, read by a task iterator (iter/task, Linux 5.8).
func (p *Probes) Live() ([]Thread, error) {
	return iterate[Thread](p.objects[ObjectTask], taskProgLiveThreads)
}

// iterate reads what a task iterator writes: nothing where the object is missing.
func iterate[T any](object *ebpf.Collection, program string) ([]T, error) {
	if object == nil {
		return nil, nil
	}
	iter, err := link.AttachIter(link.IterOptions{Program: object.Programs[program]})
	if err != nil {
		return nil, fmt.Errorf("attach iterator: %w", err)
	}
	defer iter.Close()
	reader, err := iter.Open()
	if err != nil {
		return nil, fmt.Errorf("open iterator: %w", err)
	}
	defer reader.Close()
	raw, err := io.ReadAll(reader)
	if err != nil {
		return nil, fmt.Errorf("read iterator: %w", err)
	}
	var (
		all  []T
		zero T
	)
	for size := int(unsafe.Sizeof(zero)); len(raw) >= size; raw = raw[size:] {
		value, err := as[T](raw[:size])
		if err != nil {
			return nil, err
		}
		all = append(all, value)
	}
	return all, nil
}

// Connections gives the TCP connections that are open and the UDP and unix sockets that have not aged out, in no
// order.
func (p *Probes) Connections() ([]Connection, error) {
	sock := p.objects[ObjectSock]
	if sock == nil {
		return nil, nil
	}
	made := func(c *Connection) bool { return c.Cookie != 0 && c.Transport != sockTransportTRANSPORT_NONE }
	all, err := slots(sock.Maps[sockMapConnections], made)
	if err != nil {
		return nil, fmt.Errorf("map %s: %w", sockMapConnections, err)
	}
	for _, name := range []string{sockMapConnectionsOverflow, sockMapDatagrams} {
		connections, err := values[uint64](sock.Maps[name], made)
		if err != nil {
			return nil, fmt.Errorf("map %s: %w", name, err)
		}
		all = append(all, connections...)
	}
	return all, nil
}

// Totals gives the sums of one transport over all CPUs. Of TCP, flows and retransmits are only those that are in no
// connection's account: add the connections' own (Connection.Totals), those that live and those that are gone, each once. Totals has to be
// read before them: a connection whose end finds no room in the ring is added to the totals then.
func (p *Probes) Totals(transport Transport) (Totals, error) {
	var sum Totals
	sock := p.objects[ObjectSock]
	if sock == nil {
		return sum, nil
	}
	var each []Totals
	if err := sock.Maps[sockMapTotalsByTransport].Lookup(transport, &each); err != nil {
		return sum, fmt.Errorf("map %s: %w", sockMapTotalsByTransport, err)
	}
	for _, t := range each {
		sum = sum.Plus(t)
	}
	return sum, nil
}

// Cost is the run time of one program.
type Cost struct {
	Program string
	Runs    uint64 // count, events of other processes included
	RunNS   uint64 // a duration
	Misses  uint64 // events that were lost because the program was running on that CPU already
}

// twins see what the kernel skips of each other: no event is lost by it.
var twins = map[string]bool{sockProgInetSockSetState: true, sockProgInetSockSetStateTwin: true}

// Costs gives each program's run time in this session, from the kernel's statistics (BPF_STATS_RUN_TIME,
// Linux 5.8).
func (p *Probes) Costs() ([]Cost, error) {
	all, err := p.readCosts()
	if err != nil {
		return nil, err
	}
	costs := make([]Cost, 0, len(all))
	for _, name := range slices.Sorted(maps.Keys(all)) {
		cost, before := all[name], p.spent[name]
		costs = append(costs, Cost{
			Program: name,
			Runs:    cost.Runs - before.Runs,
			RunNS:   cost.RunNS - before.RunNS,
			Misses:  cost.Misses - before.Misses,
		})
	}
	return costs, nil
}

// readCosts gives the costs since the programs were loaded.
func (p *Probes) readCosts() (map[string]Cost, error) {
	costs := map[string]Cost{}
	for object, collection := range p.objects {
		for program, loaded := range collection.Programs {
			name := object + "." + program
			stats, err := loaded.Stats()
			if err != nil {
				return nil, fmt.Errorf("program %s: %w", name, err)
			}
			cost := Cost{Runs: stats.RunCount, RunNS: uint64(stats.Runtime), Misses: stats.RecursionMisses}
			if twins[program] {
				cost.Misses = 0
			}
			costs[name] = cost
		}
	}
	return costs, nil
}

// Losses gives what could not be recorded, by cause: a count each, in the order of enum loss in contract.h.
// The misses of the programs are in Costs.
func (p *Probes) Losses() ([]Loss, error) {
	var lost []Loss
	for _, l := range lossCauses {
		var n uint64
		if err := p.shared[taskMapLosses].Lookup(l.id, &n); err != nil {
			return nil, fmt.Errorf("map %s: %w", taskMapLosses, err)
		}
		n += p.lostInTables(l.id)
		if n > 0 {
			lost = append(lost, Loss{Cause: l.cause, Count: n, Detail: l.detail})
		}
	}
	return lost, nil
}

// lostInTables is what was lost on this side of the tables of stacks.
func (p *Probes) lostInTables(id taskLoss) uint64 {
	if p.tables == nil {
		return 0
	}
	p.tables.mu.Lock()
	defer p.tables.mu.Unlock()
	return p.tables.lost[id]
}

// Loss is something that could not be recorded.
type Loss struct {
	Cause  string // stable name
	Count  uint64
	Detail string // what it means for the figures
}

// Causes that a reader of totals and lists has to know.
const (
	LossOfThreadsInRing     = "ring_full"
	LossOfTimes             = "times_refused"
	LossOfTimesInRing       = "times_ring_full"
	LossOfConnections       = "connections_full"
	LossOfConnectionsInRing = "connections_ring_full"
)

var lossCauses = []struct {
	id            taskLoss
	cause, detail string
}{
	{taskLossLOSS_RING, LossOfThreadsInRing, "threads that ended are not listed, and their switches are in no sum; how many there were is known"},
	{taskLossLOSS_CONNECTION_RING, LossOfConnectionsInRing, "connections that ended are not listed nor in the replies; bytes and calls are complete"},
	{taskLossLOSS_TARGETS, "targets_full", "processes of the program were not watched at all"},
	{taskLossLOSS_THREADS, "threads_refused", "threads have no account, and their calls may be in no figure"},
	{taskLossLOSS_CONNECTIONS, LossOfConnections, "connections are not listed nor in awaiting reply; bytes and calls are complete"},
	{taskLossLOSS_LISTENERS, "listeners_full", "accepted connections on these ports do not count as awaiting reply"},
	{taskLossLOSS_CURVE, "curve", "changes of a gauge are missing from its curve or peak"},
	{taskLossLOSS_STACK_READ, "stack_unreadable", "events of stack profiles have no stack, the totals are complete"},
	{taskLossLOSS_STACK_FULL, "stacks_full", "events of stack profiles have no stack, the totals are complete"},
	{taskLossLOSS_STACK_COLLISION, "stack_collision", "events of stack profiles have no stack, the totals are complete"},
	{taskLossLOSS_WEIGHT_FULL, "weights_full", "events are in no stack profile"},
	{taskLossLOSS_STACK_KERNEL, "stack_kernel", "stacks are without the kernel's frames"},
	{taskLossLOSS_REQUESTS, "requests_full", "time until a reply is charged to no stack, the totals are complete"},
	{taskLossLOSS_MEMORY_FULL, "memories_full", "resident memory is without these processes"},
	{taskLossLOSS_MEMORY_SIZE, "memory_size", "resident memory is without these changes until the next ones"},
	{taskLossLOSS_TIMES, LossOfTimes, "threads have no account of their time"},
	{taskLossLOSS_TIME_RING, LossOfTimesInRing, "threads that ended have no account of their time"},
	{taskLossLOSS_TIME_EVENT, "time_event", "switches are missing, and time with them"},
	{taskLossLOSS_WAKERS, "wakers_full", "wake-ups are in no waker's count"},
	{taskLossLOSS_MEMORY_SPLIT, "memory_split", "page faults are in resident memory only when their thread hands them in: it is less exact, as its bound says"},
	{taskLossLOSS_GOROUTINE_READ, "goroutine_unreadable", "stacks of Go programs stand without their goroutine, or its function"},
	{taskLossLOSS_GOROUTINES, "goroutines_full", "stacks stand without their goroutine's function: its goid alone is known"},
	{taskLossLOSS_MULTIPATH, "multipath_tcp", "calls on Multipath TCP sockets, whose bytes are in no figure"},
}
