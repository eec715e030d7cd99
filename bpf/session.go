package bpf

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
)

// Reset begins a new session: nothing is a target, and every account is empty. What is left of the session
// before, a process that would not end, is ignored from now on. Attaching anew would do the same, but takes
// hundreds of milliseconds.
func (p *Probes) Reset() error {
	// Who is watched goes before the epoch: whatever still counts for them counts for the session that ends.
	if err := p.unwatch(); err != nil {
		return err
	}
	p.epoch++
	if err := p.OpenGate(0); err != nil {
		return fmt.Errorf("begin session: %w", err)
	}
	if err := p.clear(); err != nil {
		return err
	}
	// Last: connections of the session before end up to the moment when they are forgotten.
	if err := p.Drain(Ends{}); err != nil {
		return err
	}
	costs, err := p.readCosts()
	p.spent = costs
	return err
}

// unwatch makes nothing a target, and no memory one's.
func (p *Probes) unwatch() error {
	errs := []error{empty(p.shared[taskMapTargets]), p.shared[taskMapMarks].Put(uint32(0), &taskMarks{})}
	if memory := p.objects[ObjectMemory]; memory != nil {
		errs = append(errs, clearSlots[memoryMemory](memory.Maps[memoryMapMemories]), empty(memory.Maps[memoryMapRefusedMms]))
	}
	return errors.Join(errs...)
}

// clear empties every other map that a session fills. The tables come before the sums: a connection of the session
// before that ends meanwhile moves a gauge once more.
func (p *Probes) clear() error {
	var errs []error
	if p.tables != nil {
		errs = append(errs, p.tables.drain())
		p.tables.forget()
	}
	errs = append(errs, p.shared[taskMapNoted].Put(uint32(0), &taskNoted{}))
	errs = append(errs, clearSlots[GoRuntime](p.shared[taskMapRuntimes]), empty(p.shared[taskMapGoroutines]))
	if sched := p.objects[ObjectSched]; sched != nil {
		errs = append(errs, clearSlots[schedWaker](sched.Maps[schedMapWakers]))
		errs = append(errs, sched.Maps[schedMapRunQueue].Put(uint32(0), make([]schedHistogram, ebpf.MustPossibleCPU())))
	}
	if sock := p.objects[ObjectSock]; sock != nil {
		errs = append(errs, clearSlots[Connection](sock.Maps[sockMapConnections]))
		for _, name := range []string{
			sockMapConnectionsOverflow, sockMapDatagrams, sockMapRefused, sockMapListeners, sockMapRequests, sockMapUnixRequests,
		} {
			errs = append(errs, empty(sock.Maps[name]))
		}
		errs = append(errs, sock.Maps[sockMapListening].Put(uint32(0), &sockListening{}))
		cpus := ebpf.MustPossibleCPU()
		for _, transport := range []Transport{TransportTCP, TransportUDP, TransportUnix} {
			errs = append(errs, sock.Maps[sockMapTotalsByTransport].Put(transport, make([]Totals, cpus)))
		}
	}
	if memory := p.objects[ObjectMemory]; memory != nil {
		errs = append(errs, memory.Maps[memoryMapMemorySums].Put(uint32(0), memoryMemorySums{}))
	}
	for _, id := range []GaugeID{GaugeThreads, GaugeAwaiting, GaugeRSS} {
		errs = append(errs, p.shared[taskMapGauges].Put(id, taskGauge{}))
		errs = append(errs, p.shared[taskMapCurves].Put(id, &taskCurve{}))
	}
	for _, l := range lossCauses {
		errs = append(errs, p.shared[taskMapLosses].Put(l.id, uint64(0)))
	}
	return errors.Join(errs...)
}

// empty deletes all entries of a hash map.
func empty(m *ebpf.Map) error {
	key, next := make([]byte, m.KeySize()), make([]byte, m.KeySize())
	err := m.NextKey(nil, &key)
	for err == nil {
		// Asked before the key is deleted: from one that is gone the kernel would search from the start.
		err = m.NextKey(key, &next)
		if err := m.Delete(key); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return fmt.Errorf("map %s: %w", m, err)
		}
		key, next = next, key
	}
	if !errors.Is(err, ebpf.ErrKeyNotExist) {
		return fmt.Errorf("map %s: %w", m, err)
	}
	return nil
}
