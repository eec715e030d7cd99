package bpf

import (
	"bytes"
	"fmt"
	"unsafe"
)

// LiveTimes gives where the time of the targets' threads that live has gone, in no order. A thread that is made
// and has not been woken yet is not among them.
//
// Source: task storage, read by a task iterator (iter/task, Linux 5.8).
func (p *Probes) LiveTimes() ([]ThreadTime, error) {
	return iterate[ThreadTime](p.objects[ObjectSched], schedProgLiveTimes)
}

// Histogram counts waits by their magnitude: bucket i holds those from 2^i up to 2^(i+1) ns.
type Histogram = schedHistogram

// RunQueue gives the targets' waits for a CPU that ended after the gate.
func (p *Probes) RunQueue() (Histogram, error) {
	var sum Histogram
	sched := p.objects[ObjectSched]
	if sched == nil {
		return sum, nil
	}
	var each []Histogram
	if err := sched.Maps[schedMapRunQueue].Lookup(uint32(0), &each); err != nil {
		return sum, fmt.Errorf("map %s: %w", schedMapRunQueue, err)
	}
	for _, h := range each {
		for i, n := range h.Counts {
			sum.Counts[i] += n
		}
		sum.SumNs += h.SumNs
	}
	return sum, nil
}

// Waker is a thread that woke targets' threads after the gate.
type Waker struct {
	TID   uint32 // 0: an idle CPU
	Name  string // comm: any bytes but NUL
	Count uint64
}

// Wakers gives who woke the targets' threads, in no order.
func (p *Probes) Wakers() ([]Waker, error) {
	sched := p.objects[ObjectSched]
	if sched == nil {
		return nil, nil
	}
	taken, err := slots(sched.Maps[schedMapWakers], func(w *schedWaker) bool { return w.Count > 0 })
	if err != nil {
		return nil, fmt.Errorf("map %s: %w", schedMapWakers, err)
	}
	wakers := make([]Waker, 0, len(taken))
	at := map[Waker]int{}
	for _, raw := range taken {
		waker := Waker{TID: raw.Tid, Name: comm(&raw.Comm)}
		i, known := at[waker]
		if !known {
			i = len(wakers)
			at[waker] = i
			wakers = append(wakers, waker)
		}
		wakers[i].Count += raw.Count
	}
	return wakers, nil
}

// LeftAt is where the thread left the CPU last, as a key of the weights.
func (t schedThreadTime) LeftAt() WeightKey {
	return WeightKey{
		Stack: t.Off.Stack, Goid: t.Off.Goid, Pid: t.Off.Pid, Tid: t.Off.Tid, Kind: StackKind(t.Off.Kind), Wait: uint32(t.Off.Wait),
	}
}

// comm is a thread's name as the kernel keeps it: the watched program's own choice, any bytes but NUL.
func comm(raw *[16]int8) string {
	name, _, _ := bytes.Cut(unsafe.Slice((*byte)(unsafe.Pointer(&raw[0])), len(raw)), []byte{0})
	return string(name)
}
