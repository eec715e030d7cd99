package bpf

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"time"
	"unsafe"

	"github.com/cilium/ebpf/ringbuf"
)

// headerBytes is the size of struct event_header.
const headerBytes = 8

// ErrRecord is a record in the ring that is not what contract.h says.
var ErrRecord = errors.New("malformed record")

// Drain gives every record that is in the ring now to thread or connection. It does not wait. The kernel side
// never wakes a reader, so this is called by timer.
func (p *Probes) Drain(thread func(Thread), connection func(Connection)) error {
	p.ring.SetDeadline(time.Now())
	var record ringbuf.Record
	for {
		err := p.ring.ReadInto(&record)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read ring: %w", err)
		}
		if err := decode(record.RawSample, thread, connection); err != nil {
			return err
		}
	}
}

func decode(raw []byte, thread func(Thread), connection func(Connection)) error {
	if len(raw) < headerBytes {
		return fmt.Errorf("%d bytes: %w", len(raw), ErrRecord)
	}
	switch kind := taskEventKind(binary.NativeEndian.Uint32(raw)); kind {
	case taskEventKindEVENT_THREAD_GONE:
		event, err := as[taskThreadEvent](raw)
		if err == nil {
			thread(event.Thread)
		}
		return err
	case taskEventKindEVENT_CONNECTION_GONE:
		event, err := as[sockConnectionEvent](raw)
		if err == nil {
			connection(event.Connection)
		}
		return err
	default:
		return fmt.Errorf("kind %d: %w", kind, ErrRecord)
	}
}

// as copies a record of exactly T's size out of raw.
func as[T any](raw []byte) (T, error) {
	var value T
	if uintptr(len(raw)) != unsafe.Sizeof(value) {
		return value, fmt.Errorf("%d bytes for %T: %w", len(raw), value, ErrRecord)
	}
	copy(unsafe.Slice((*byte)(unsafe.Pointer(&value)), unsafe.Sizeof(value)), raw)
	return value, nil
}
