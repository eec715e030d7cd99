package workload

import (
	"fmt"
	"runtime/metrics"
)

// GoMemory is what the Go runtime of a child says of its own memory, in bytes,
// from the classes /memory/classes/… of runtime/metrics. The first four parts
// are all that the runtime holds, and the kernel may have made resident; files
// that are mapped, the program's own code among them, are in none of them.
type GoMemory struct {
	HeapLive int64 `json:"heap_live"` // heap/objects: in use, or dead and not yet swept
	HeapDead int64 `json:"heap_dead"` // heap/unused and heap/free: held, and without objects
	Stacks   int64 `json:"stacks"`    // heap/stacks and os-stacks: of goroutines, and of threads that cgo did not make
	Runtime  int64 `json:"runtime"`   // metadata/…, profiling/buckets and other: the runtime's own
	Released int64 `json:"released"`  // heap/released: reserved, and given back to the kernel
}

// maxMemory bounds what a child can say that it holds: 1 PiB.
const maxMemory = 1 << 50

// CheckValid reports what cannot be true of any process.
func (m GoMemory) CheckValid() error {
	for _, n := range []int64{m.HeapLive, m.HeapDead, m.Stacks, m.Runtime, m.Released} {
		if n < 0 || n > maxMemory {
			return fmt.Errorf("Go memory of %d bytes", n)
		}
	}
	return nil
}

// memoryClasses are the runtime's classes of memory, each in the part that it
// belongs to.
func memoryClasses() []memoryClass {
	return []memoryClass{
		{"heap/objects", func(m *GoMemory) *int64 { return &m.HeapLive }},
		{"heap/unused", func(m *GoMemory) *int64 { return &m.HeapDead }},
		{"heap/free", func(m *GoMemory) *int64 { return &m.HeapDead }},
		{"heap/stacks", func(m *GoMemory) *int64 { return &m.Stacks }},
		{"os-stacks", func(m *GoMemory) *int64 { return &m.Stacks }},
		{"metadata/mcache/inuse", func(m *GoMemory) *int64 { return &m.Runtime }},
		{"metadata/mcache/free", func(m *GoMemory) *int64 { return &m.Runtime }},
		{"metadata/mspan/inuse", func(m *GoMemory) *int64 { return &m.Runtime }},
		{"metadata/mspan/free", func(m *GoMemory) *int64 { return &m.Runtime }},
		{"metadata/other", func(m *GoMemory) *int64 { return &m.Runtime }},
		{"profiling/buckets", func(m *GoMemory) *int64 { return &m.Runtime }},
		{"other", func(m *GoMemory) *int64 { return &m.Runtime }},
		{"heap/released", func(m *GoMemory) *int64 { return &m.Released }},
	}
}

type memoryClass struct {
	name string // between /memory/classes/ and :bytes
	part func(*GoMemory) *int64
}

// goMemoryReader reads the runtime's figures. All that it needs is allocated
// when it is made, before the gate: reading takes nothing from what it reads.
type goMemoryReader struct {
	classes []memoryClass
	samples []metrics.Sample
	memory  GoMemory
}

// newGoMemoryReader also reads once: the first time, the runtime makes itself a
// table of all its metrics. That is some 90 KiB of private memory before the
// gate, the same in every Go model, and so in its control trial too.
func newGoMemoryReader() *goMemoryReader {
	r := &goMemoryReader{classes: memoryClasses()}
	r.samples = make([]metrics.Sample, len(r.classes))
	for i, c := range r.classes {
		r.samples[i].Name = "/memory/classes/" + c.name + ":bytes"
	}
	r.read()
	return r
}

// read returns the figures of now, valid until the next read; nil if this
// runtime lacks one of them.
func (r *goMemoryReader) read() *GoMemory {
	metrics.Read(r.samples)
	r.memory = GoMemory{}
	for i, s := range r.samples {
		if s.Value.Kind() != metrics.KindUint64 {
			return nil
		}
		*r.classes[i].part(&r.memory) += int64(s.Value.Uint64())
	}
	return &r.memory
}
