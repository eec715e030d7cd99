/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */

/* The maps that all objects share: each object declares them, Go makes them once and hands them to each
 * (MapReplacements). Sizes are set by Go before they are made. */
#ifndef WEFT_MAPS_BPF_H
#define WEFT_MAPS_BPF_H

#include "kernel.h"

#include <bpf/bpf_helpers.h>

#include "contract.h"

/* pid → what the process is to us. Filled by Go before a child starts, then at fork in the kernel. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, struct target);
} targets SEC(".maps");

/* 0 → the marks. Most sends and receives of a machine are not a target's: a bit tells that four times faster
 * than the hash. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct marks);
} marks SEC(".maps");

/* A target's thread → its totals. Freed with the task, so it can't be inherited by a tid's next owner. */
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct thread);
} threads SEC(".maps");

/* enum gauge_id → the gauge. Not per CPU: its greatest value is a fact of the whole machine. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, GAUGE_MAX);
	__type(key, enum gauge_id);
	__type(value, struct gauge);
} gauges SEC(".maps");

/* enum gauge_id → the gauge over time. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, GAUGE_MAX);
	__type(key, enum gauge_id);
	__type(value, struct curve);
} curves SEC(".maps");

/* 0 → the session. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct session);
} sessions SEC(".maps");

/* enum loss → how many. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, LOSS_MAX);
	__type(key, enum loss);
	__type(value, __u64);
} losses SEC(".maps");

/* Rare, dated facts: struct thread_event, struct connection_event. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4 << 20);
	__type(value, union event);
} events SEC(".maps");

/* hash → the stack itself, compared at each use. This table and those of weights are read by taking them away and putting
 * an empty one in their place: the kernel sees to it that no program still uses the old one then (maybe_wait_bpf_programs,
 * kernel/bpf/syscall.c), and however long it takes the tables do not fill. */
struct stack_table {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__uint(key_size, sizeof(__u64)); /* not __type: clang does not follow types so deep */
	__uint(value_size, sizeof(struct stack));
};

/* A hash of who did what from where → who, and how much. A hash table reads three cache lines where this reads one, and
 * takes a lock for each new key, of which there are many after each emptying. */
struct weight_slots {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE); /* so that each slot is a cache line, and to be read at once */
	__uint(max_entries, 16384);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct weight_slot));
};

/* who did what from where → how much, where the slot is another's. */
struct weight_table {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__uint(key_size, sizeof(struct weight_key));
	__uint(value_size, sizeof(struct weight));
};

/* 0 → the stacks of now. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__array(values, struct stack_table);
} stacks SEC(".maps");

/* 0 → the weights of now. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__array(values, struct weight_slots);
} weights SEC(".maps");

/* 0 → those of now whose slot is another's. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__array(values, struct weight_table);
} weights_overflow SEC(".maps");

/* pid modulo RUNTIMES → the Go runtime in it. Filled by Go once the process runs its program. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, RUNTIMES);
	__type(key, __u32);
	__type(value, struct go_runtime);
} runtimes SEC(".maps");

/* pid, goid → the goroutine, noted at its first event. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, struct goroutine_key);
	__type(value, struct goroutine);
} goroutines SEC(".maps");

/* 0 → the goroutines and their threads that were noted last. It is looked up in a fifth of the time of the hash. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct noted);
} noted SEC(".maps");

static __always_inline struct session *session_now(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&sessions, &zero);
}

/* Bounded loops stay loops: unrolled, an object grows tenfold. */
#define ROLLED _Pragma("clang loop unroll(disable)")

static __always_inline void lose(__u32 cause)
{
	__u64 *n = bpf_map_lookup_elem(&losses, &cause);

	if (n)
		__sync_fetch_and_add(n, 1);
}

/* Puts a record of a life that is over in the ring. The reader drains it by timer: a wake-up for each event
 * costs more than the event. */
static __always_inline void *reserve_event(enum event_kind kind, __u32 size, enum loss cause)
{
	struct event_header *header = bpf_ringbuf_reserve(&events, size, 0);

	if (!header) {
		lose(cause);
		return 0;
	}
	header->kind = kind;
	header->_pad = 0;
	return header;
}

#endif
