// Package bpf is weft's kernel side and its Go face: programs that count inside the kernel, the maps that
// they count in, and the values that come out.
//
// The stage after is package collector, which turns these values into a recording. Everything that crosses
// between C and Go is declared in contract.h; the Go types are generated from it.
//
// One object answers one question (task: who made threads and lost them; sched: where their time went; sock:
// which connection carried what; memory: how much is resident). All share the maps of maps.bpf.h. An object that the
// kernel refuses costs its question, no more: it
// is reported by [Probes.Missing].
package bpf

//go:generate go tool bpf2go -cc clang-19 -strip llvm-strip-19 -target bpfel -type loss -type gauge_id -type target_role -type thread_event -type event_kind -type stack_kind -type stack -type weight_key -type weight -type weight_slot task task.bpf.c -- -O2 -mcpu=v3 -Wall -Werror
//go:generate go tool bpf2go -cc clang-19 -strip llvm-strip-19 -target bpfel -type transport -type side -type awaited -type flow -type connection_event -type event_kind sock sock.bpf.c -- -O2 -mcpu=v3 -Wall -Werror
//go:generate go tool bpf2go -cc clang-19 -strip llvm-strip-19 -target bpfel oncpu oncpu.bpf.c -- -O2 -mcpu=v3 -Wall -Werror
//go:generate go tool bpf2go -cc clang-19 -strip llvm-strip-19 -target bpfel memory memory.bpf.c -- -O2 -mcpu=v3 -Wall -Werror
//go:generate go tool bpf2go -cc clang-19 -strip llvm-strip-19 -target bpfel -type activity -type spent -type time_event -type waker -type histogram -type event_kind sched sched.bpf.c -- -O2 -mcpu=v3 -Wall -Werror

import (
	"cmp"
	"errors"
	"fmt"
	"io"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/ringbuf"
)

// Options say what to record and how much room it gets. The zero value counts, with the default sizes.
type Options struct {
	// Stacks makes the programs take user stacks: several times the cost of counting.
	Stacks bool

	// Frequency is how often each CPU is sampled for its stack, with Stacks, in Hz. 0 is the default, 4,999: no divisor
	// of a timer's, so that the samples do not keep step with what they look at.
	Frequency uint32

	// Sizes of the tables in entries, of the ring in bytes (a power of two, whole pages). 0 is the default.
	// What finds no room is counted by Losses.
	Targets     uint32 // processes at once; default 4,096
	Connections uint32 // open TCP connections at once, fewer where their numbers meet; default 24,576
	Datagrams   uint32 // UDP and unix sockets, the least recently used makes room; default 8,192
	Listeners   uint32 // listening TCP sockets, 65,535 at most; default 1,024
	Memories    uint32 // processes whose memory is counted, at once, rounded down to a power of two; default 4,096
	RingBytes   uint32 // default 4 MiB
	StackCount  uint32 // distinct stacks between two calls of DrainStacks; default 8,192, about 2 kB each
	WeightCount uint32 // distinct (stack, thread, goroutine, kind) likewise, fewer where their hashes meet; default 32,768
	MostStacks  uint32 // distinct stacks kept on this side, and weights likewise; default DefaultMostStacks
	Goroutines  uint32 // distinct goroutines whose stacks are taken; default 65,536
	Wakers      uint32 // threads that wake the program's, rounded down to a power of two, 65,536 at most; default 16,384
}

// connectionTables gives the slots of TCP connections, and the room for those whose slot is taken.
func (o Options) connectionTables() (slots, overflow uint32) {
	return slotsAndOverflow(cmp.Or(o.Connections, 24_576))
}

// weightTables gives the slots of weights, and the room for those whose slot is taken.
func (o Options) weightTables() (slots, overflow uint32) {
	return slotsAndOverflow(cmp.Or(o.WeightCount, 32_768))
}

// memorySlots gives the size of the table of memories.
func (o Options) memorySlots() uint32 { return powerOfTwo(cmp.Or(o.Memories, 4096)) }

// wakerSlots gives the size of the table of wakers.
func (o Options) wakerSlots() uint32 { return powerOfTwo(min(cmp.Or(o.Wakers, 16_384), 65_536)) }

// sizes gives the maps whose size the options set, with the options' own numbers.
func (o Options) sizes() map[string]uint32 {
	slots, overflow := o.connectionTables()
	weightSlots, weightOverflow := o.weightTables()
	sizes := map[string]uint32{
		sockMapTargets:             o.Targets,
		sockMapConnections:         slots,
		sockMapConnectionsOverflow: overflow,
		sockMapDatagrams:           o.Datagrams,
		sockMapListeners:           min(o.Listeners, 65_535),
		sockMapUnixRequests:        o.Datagrams,
		memoryMapMemories:          o.memorySlots(),
		sockMapEvents:              o.RingBytes,
		sockMapStacks:              o.StackCount,
		sockMapWeights:             weightSlots,
		sockMapWeightsOverflow:     weightOverflow,
		sockMapGoroutines:          o.Goroutines,
		schedMapWakers:             o.wakerSlots(),
	}
	if !o.Stacks {
		for _, name := range []string{sockMapStacks, sockMapWeights, sockMapWeightsOverflow, sockMapRequests, sockMapUnixRequests, sockMapGoroutines} {
			sizes[name] = 1
		}
	}
	return sizes
}

// Missing is a question that stays open because the kernel refused what answers it.
type Missing struct {
	Object string // ObjectTask and so on, or "statistics": the programs' own run time
	Err    error  // in the kernel's words; wraps ebpf.ErrNotSupported where that is the reason
}

// Probes are the loaded and attached programs and their maps. The methods are not safe for concurrent use, but for
// Drain and DrainStacks, which may run beside any but Reset, Close and themselves.
type Probes struct {
	shared  map[string]*ebpf.Map
	objects map[string]*ebpf.Collection
	links   []link.Link
	tables  *stackTables // nil where no stacks are taken
	ring    *ringbuf.Reader
	stats   io.Closer
	missing []Missing
	epoch   uint64          // of the session
	spent   map[string]Cost // before the session
}

// Open loads all objects and attaches their programs, and begins the first session. Nothing is a target yet. An object that is refused is in
// Missing; the error is for what leaves nothing to work with.
//
// RLIMIT_MEMLOCK is left alone: since Linux 5.11 maps are charged to the memory cgroup, and before it there is no task
// storage for tracing programs. (cilium/ebpf's package for it makes a map in an init, and so in every child of weft's.)
//
// Close must be called on the result.
func Open(opts Options) (*Probes, error) {
	p := &Probes{shared: map[string]*ebpf.Map{}, objects: map[string]*ebpf.Collection{}}
	if err := p.open(opts); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

func (p *Probes) open(opts Options) error {
	stats, err := ebpf.EnableStats(bpfStatsRunTime) // wants CAP_SYS_ADMIN
	if err != nil {
		p.missing = append(p.missing, Missing{Object: "statistics", Err: err})
	} else {
		p.stats = stats
	}
	if err := p.openObjects(opts); err != nil {
		return err
	}
	if p.ring, err = ringbuf.NewReader(p.shared[taskMapEvents]); err != nil {
		return fmt.Errorf("open ring: %w", err)
	}
	return p.Reset()
}

// Missing gives what the kernel refused.
func (p *Probes) Missing() []Missing { return p.missing }

// Has says whether an object is at work.
func (p *Probes) Has(object string) bool { return p.objects[object] != nil }

// Adopt makes every process that pid starts from now on a target, with all its descendants. pid itself, weft,
// is not one. A child is a target before its first instruction.
func (p *Probes) Adopt(pid int) error {
	return p.shared[taskMapTargets].Put(uint32(pid), taskTarget{Role: taskTargetRoleROLE_PARENT})
}

// Disown ends what Adopt began. The children that it made targets stay such.
func (p *Probes) Disown(pid int) error {
	return p.shared[taskMapTargets].Delete(uint32(pid))
}

// OpenGate sets time zero of the peaks and curves, CLOCK_MONOTONIC ns. Changes before it move the gauges but
// are in no peak and no curve, and CPUs are sampled from it on.
func (p *Probes) OpenGate(now int64) error {
	err := p.shared[taskMapSessions].Put(uint32(0), taskSession{GateNs: uint64(now), Epoch: p.epoch})
	return errors.Join(err, p.setClocks(now != 0))
}

// Close detaches the programs and frees the maps.
func (p *Probes) Close() error {
	var errs []error
	for _, l := range p.links {
		errs = append(errs, l.Close())
	}
	if p.ring != nil {
		errs = append(errs, p.ring.Close())
	}
	for _, c := range p.objects {
		c.Close()
	}
	for _, m := range p.shared {
		errs = append(errs, m.Close())
	}
	if p.tables != nil {
		errs = append(errs, p.tables.close())
	}
	if p.stats != nil {
		errs = append(errs, p.stats.Close())
	}
	return errors.Join(errs...)
}
