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

// Ends are called for lives that are over. One that is nil is not told.
type Ends struct {
	Thread     func(Thread)
	Time       func(ThreadTime) // a thread's time, up to its last switch: after Thread
	Connection func(Connection)
}

// Drain gives every record that is in the ring now. It does not wait. The kernel side never wakes a reader, so
// this is called by timer.
func (p *Probes) Drain(ends Ends) error {
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
		if err := decode(record.RawSample, ends); err != nil {
			return err
		}
	}
}

func decode(raw []byte, ends Ends) error {
	if len(raw) < headerBytes {
		return fmt.Errorf("%d bytes: %w", len(raw), ErrRecord)
	}
	switch kind := taskEventKind(binary.NativeEndian.Uint32(raw)); kind {
	case taskEventKindEVENT_THREAD_GONE:
		event, err := as[taskThreadEvent](raw)
		return tell(ends.Thread, event.Thread, err)
	case taskEventKindEVENT_TIME_GONE:
		event, err := as[schedTimeEvent](raw)
		return tell(ends.Time, event.Time, err)
	case taskEventKindEVENT_CONNECTION_GONE:
		event, err := as[sockConnectionEvent](raw)
		return tell(ends.Connection, event.Connection, err)
	default:
		return fmt.Errorf("kind %d: %w", kind, ErrRecord)
	}
}

func tell[T any](end func(T), value T, err error) error {
	if err == nil && end != nil {
		end(value)
	}
	return err
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
