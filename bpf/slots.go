package bpf

import (
	"errors"
	"fmt"
	"io"
	"math/bits"
	"unsafe"

	"github.com/cilium/ebpf"
)

// slotsAtOnce is how many slots are read or cleared in one call.
const slotsAtOnce = 1024

// slots gives the values of an array whose slots are taken.
func slots[T any](m *ebpf.Map, taken func(*T) bool) ([]T, error) { return values[uint32](m, taken) }

// values gives the values of an array or a hash map that are wanted. Entries of a hash map that come or go meanwhile may be
// missed or not.
func values[K comparable, T any](m *ebpf.Map, wanted func(*T) bool) ([]T, error) {
	var (
		all    []T
		cursor ebpf.MapBatchCursor
		keys   = make([]K, slotsAtOnce)
		values = make([]T, slotsAtOnce)
	)
	for {
		n, err := m.BatchLookup(&cursor, keys, values, nil)
		for i := range values[:n] {
			if wanted(&values[i]) {
				all = append(all, values[i])
			}
		}
		if errors.Is(err, ebpf.ErrKeyNotExist) { // that was the last of them
			return all, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// takeSlots gives the values of a mapped array whose slots are taken, for the time of the call, and frees those. Nobody else
// may use the array. It takes a thirtieth of the time of slots and clearSlots, which the weights need often.
func takeSlots[T any](m *ebpf.Map, taken func(*T) bool, each func(*T)) error {
	memory, err := m.Memory()
	if err != nil {
		return fmt.Errorf("map %s: %w", m, err)
	}
	values := make([]T, slotsAtOnce)
	raw := unsafe.Slice((*byte)(unsafe.Pointer(&values[0])), slotsAtOnce*unsafe.Sizeof(values[0]))
	for at := int64(0); at < int64(memory.Size()); at += int64(len(raw)) {
		n, err := memory.ReadAt(raw, at)
		if err != nil && !errors.Is(err, io.EOF) { // at the end there may be less
			return fmt.Errorf("map %s: %w", m, err)
		}
		found := false
		for i := range values[:n/int(unsafe.Sizeof(values[0]))] {
			if taken(&values[i]) {
				each(&values[i])
				found = true
			}
		}
		if !found {
			continue
		}
		clear(values)
		if _, err := memory.WriteAt(raw[:n], at); err != nil {
			return fmt.Errorf("map %s: %w", m, err)
		}
	}
	return nil
}

// clearSlots makes all slots of an array free.
func clearSlots[T any](m *ebpf.Map) error {
	keys, values := make([]uint32, slotsAtOnce), make([]T, slotsAtOnce)
	for next := uint32(0); next < m.MaxEntries(); {
		n := 0
		for ; n < slotsAtOnce && next < m.MaxEntries(); n++ {
			keys[n] = next
			next++
		}
		if _, err := m.BatchUpdate(keys[:n], values[:n], nil); err != nil {
			return fmt.Errorf("map %s: %w", m, err)
		}
	}
	return nil
}

// slotsAndOverflow splits room into slots, a power of two and at most two thirds of it, and a table for what finds its slot
// taken. Room for one needs no slot.
func slotsAndOverflow(room uint32) (slots, overflow uint32) {
	if room > 1 {
		slots = powerOfTwo(uint32(uint64(room) * 2 / 3))
	}
	return slots, room - slots
}

// powerOfTwo gives the greatest one that is at most n, of which there is one.
func powerOfTwo(n uint32) uint32 { return 1 << (bits.Len32(n) - 1) }
