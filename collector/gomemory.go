package collector

import "github.com/weft-profiler/weft/collector/recording"

// GoMemory sets what a Go process says of its memory, from runtime/metrics, beside what the kernel said at the same
// moment: its parts sum to the RSS. Of said only the four parts that the runtime knows are read: HeapLive, HeapDead,
// Stacks and Runtime.
//
// The rest is what neither knows of the other. It is negative by what the runtime counts and nobody has touched yet:
// it maps its bookkeeping, and grows its heap, in pieces of megabytes. It is positive by anonymous memory that is
// not the runtime's: data segments that were written, mappings of C code, the state of the vDSO's random numbers.
func GoMemory(said recording.GoMemory, s recording.Snapshot) recording.GoMemory {
	all := recording.GoMemory{
		RSSBytes:   s.RSSBytes,
		HeapLive:   said.HeapLive,
		HeapDead:   said.HeapDead,
		Stacks:     said.Stacks,
		Runtime:    said.Runtime,
		FileBacked: s.RSSBytes - s.AnonymousBytes,
	}
	all.Rest = all.RSSBytes - all.HeapLive - all.HeapDead - all.Stacks - all.Runtime - all.FileBacked
	return all
}
