package bpf

import "fmt"

// SetRuntime makes the goroutines of a process known from now on, in this session: to be called when the process runs
// the program that r is true of. After an exec none is known until it is called again. Without stacks there is nobody to
// tell goroutines to, and it does nothing.
func (p *Probes) SetRuntime(pid int, r GoRuntime) error {
	if p.tables == nil {
		return nil
	}
	r.Mm, r.ExecId = 0, 0
	runtimes := p.shared[taskMapRuntimes]
	r.Pid = uint32(pid)
	if err := runtimes.Put(r.Pid%runtimes.MaxEntries(), r); err != nil {
		return fmt.Errorf("map %s: %w", taskMapRuntimes, err)
	}
	return nil
}

// TakeGoroutines gives the goroutines that were noted since it was called last, and forgets them, so that a long
// capture does not fill the table. A goroutine is noted at its first event on a thread, and may come more than once.
func (p *Probes) TakeGoroutines(each func(GoroutineKey, *Goroutine)) error {
	if err := take(p.shared[taskMapGoroutines], each); err != nil {
		return fmt.Errorf("map %s: %w", taskMapGoroutines, err)
	}
	return nil
}
