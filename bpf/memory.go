package bpf

import "fmt"

// RSSUnit is what GaugeRSS counts in, bytes: RSS_SHIFT.
const RSSUnit = 1 << 12

// MemorySums says how exact GaugeRSS is.
type MemorySums struct {
	Foreign  uint64 // changes while no thread of the program was current (reclaim), count
	Change   uint64 // greatest change at once since the gate, summed over file, anonymous and shared memory, in RSSUnit
	Grown    uint64 // all that was added since the gate, gross, in RSSUnit
	Deferred bool   // threads count for themselves first and hand in later (before Linux 6.2), and are not all followed
}

// MemorySums reads the sums of the object "memory".
func (p *Probes) MemorySums() (MemorySums, error) {
	memory := p.objects[ObjectMemory]
	if memory == nil {
		return MemorySums{}, nil
	}
	var raw memoryMemorySums
	if err := memory.Maps[memoryMapMemorySums].Lookup(uint32(0), &raw); err != nil {
		return MemorySums{}, fmt.Errorf("map %s: %w", memoryMapMemorySums, err)
	}
	var unfollowed uint64
	if err := p.shared[taskMapLosses].Lookup(taskLossLOSS_MEMORY_SPLIT, &unfollowed); err != nil {
		return MemorySums{}, fmt.Errorf("map %s: %w", taskMapLosses, err)
	}
	return decodeSums(raw, memory.Programs[memoryProgHandleMmFault] != nil && unfollowed == 0), nil
}

// decodeSums is told whether every thread is followed.
func decodeSums(raw memoryMemorySums, followed bool) MemorySums {
	sums := MemorySums{Foreign: raw.Foreign, Grown: raw.Grown, Deferred: raw.Deferred != 0 && !followed}
	for _, units := range raw.Change {
		sums.Change += units
	}
	return sums
}

// deferredPages is what a thread can have counted without having handed it in: 65 page faults (mm/memory.c,
// check_sync_rss_stat), each of which maps up to 16 pages of a file around the one that was asked for
// (fault_around_bytes, 64 KiB unless set).
const deferredPages = 65 * 16

// Bound is by how many bytes GaugeRSS can be wrong, either way, at any moment in which at most so many threads of
// the program live, on so many CPUs. One thread changes one thing at a time and its gauge is exact. On each other CPU
// one change can be under way: made, and not yet told, or told in the wrong order.
func (s MemorySums) Bound(threads, cpus, pageBytes int64) int64 {
	others := min(threads, cpus) - 1
	if s.Foreign > 0 {
		others = cpus - 1
	}
	bound := max(others, 0) * int64(s.Change) * RSSUnit
	if s.Deferred {
		bound += threads * deferredPages * pageBytes
	}
	return bound
}
