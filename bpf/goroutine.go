package bpf

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
)

// SetRuntime makes the goroutines of a process known from now on, in this session: to be called when the process runs
// the program that r is true of. After an exec none is known until it is called again. Without stacks there is nobody to
// tell goroutines to, and it does nothing.
func (p *Probes) SetRuntime(pid int, r GoRuntime) error {
	if !p.stacks {
		return nil
	}
	r.Mm = 0
	runtimes := p.shared[taskMapRuntimes]
	r.Pid = uint32(pid)
	if err := runtimes.Put(r.Pid%runtimes.MaxEntries(), r); err != nil {
		return fmt.Errorf("map %s: %w", taskMapRuntimes, err)
	}
	return nil
}

// TakeGoroutines gives the goroutines that were noted since it was called last, and forgets them, so that a long
// capture does not fill the table. A goroutine is noted at its first event, and at the next one after it was forgotten.
func (p *Probes) TakeGoroutines(take func(GoroutineKey, Goroutine)) error {
	var (
		table     = p.shared[taskMapGoroutines]
		key, next GoroutineKey
		err       = table.NextKey(nil, &key)
	)
	for err == nil {
		// Asked before the key is deleted: from one that is gone the kernel would search from the start.
		err = table.NextKey(key, &next)
		var value Goroutine
		if err := errors.Join(table.Lookup(key, &value), table.Delete(key)); err != nil {
			return fmt.Errorf("map %s: %w", taskMapGoroutines, err)
		}
		take(key, value)
		key = next
	}
	if !errors.Is(err, ebpf.ErrKeyNotExist) {
		return fmt.Errorf("map %s: %w", taskMapGoroutines, err)
	}
	return nil
}
