package bpf

import "fmt"

// MemorySums says how exact GaugeRSS is.
type MemorySums struct {
	Foreign uint64 // changes while no thread of the program was current: reclaim, count
	Change  uint64 // greatest change at once since the gate, summed over file, anonymous and shared memory, in RSSUnit
}

// MemorySums reads the sums of the object "memory".
func (p *Probes) MemorySums() (MemorySums, error) {
	memory := p.objects["memory"]
	if memory == nil {
		return MemorySums{}, nil
	}
	var raw memoryMemorySums
	if err := memory.Maps[memoryMapMemorySums].Lookup(uint32(0), &raw); err != nil {
		return MemorySums{}, fmt.Errorf("map %s: %w", memoryMapMemorySums, err)
	}
	sums := MemorySums{Foreign: raw.Foreign}
	for _, units := range raw.Change {
		sums.Change += units
	}
	return sums, nil
}
