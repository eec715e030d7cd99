/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */

/* Gauges: a value that goes up and down, its greatest value and its curve, exact across CPUs because each
 * change is one atomic add and everything else follows from what that add returned. */
#ifndef WEFT_GAUGE_BPF_H
#define WEFT_GAUGE_BPF_H

#include "maps.bpf.h"

#define MAX_TRIES 16

static __noinline void atomic_raise(__u64 *at, __u64 v)
{
	ROLLED for (int i = 0; i < MAX_TRIES; i++) {
		__u64 old = *(volatile __u64 *)at;

		if (old >= v || __sync_val_compare_and_swap(at, old, v) == old)
			return;
	}
	lose(LOSS_CURVE);
}

/* Raises *at to v unless it is greater already, as it is most of the time. */
static __always_inline void atomic_max(__u64 *at, __u64 v)
{
	if (*(volatile __u64 *)at < v)
		atomic_raise(at, v);
}

static __always_inline __u32 log2_floor(__u64 v)
{
	__u32 bits = 0;

	ROLLED for (int step = 32; step > 0; step >>= 1) {
		if (v >> step) {
			v >>= step;
			bits += step;
		}
	}
	return bits;
}

/* A division takes as long as all else in gauge_add. 1 ms is 15,625 times 64 ns, and up to 2^32 of these, 275 s, the
 * product is exact: 2251799814 is 2^45 / 15,625, rounded up by 0.32. */
static __always_inline __u64 milliseconds(__u64 ns)
{
	__u64 parts = ns >> 6;

	return parts >> 32 ? parts / 15625 : parts * 2251799814ULL >> 45;
}

/* The bucket of a time since the gate: see CURVE_FIRST. */
static __always_inline __u32 bucket_of(__u64 elapsed_ns)
{
	__u64 ms = milliseconds(elapsed_ns);
	__u32 level;

	if (ms < CURVE_FIRST)
		return ms;
	level = log2_floor(ms) - 8; /* 512 ms is level 1 */
	return CURVE_FIRST + (level - 1) * CURVE_LEVEL + (ms >> level) - CURVE_LEVEL;
}

/* Below 0 counts as 0: see gauge_add. */
static __always_inline __u32 value_of(__u64 state)
{
	return (__s32)state < 0 ? 0 : (__u32)state;
}

/* Of the bucket's values in time only the one before its first change is kept, which is the last value of the bucket
 * before: to keep the last one would be an atomic write at each change, on a line that all CPUs write. */
static __always_inline void curve_put(__u32 id, __u64 before, __u64 value, __u64 elapsed_ns)
{
	struct curve *curve = bpf_map_lookup_elem(&curves, &id);
	__u64 number = ((before - (__s64)(__s32)before) >> 32) + 1; /* of this change */
	__u32 i = bucket_of(elapsed_ns);
	struct bucket *bucket;

	if (!curve)
		return;
	if (i >= CURVE_BUCKETS) {
		lose(LOSS_CURVE);
		return;
	}
	bucket = &curve->buckets[i];
	atomic_max(&bucket->greatest, value + 1);
	atomic_max(&bucket->least, (1ULL << 32) - value);
	atomic_max(&bucket->first, ((1ULL << 32) - number) << 32 | value_of(before));
}

/* Moves a gauge up or down by delta. An end can overtake its beginning on another CPU: the value is then below 0
 * until the beginning comes, and counts as 0. A global function, which the verifier walks once and not at each call:
 * weft starts in less than half the time. */
__noinline int gauge_add(__u32 id, int delta, __u64 now)
{
	struct gauge *gauge = bpf_map_lookup_elem(&gauges, &id);
	__u64 step = (1ULL << 32) + delta, before;
	struct session *session = session_now();
	__u32 value;

	if (!gauge || !session)
		return 0;
	before = __sync_fetch_and_add(&gauge->state, step);
	value = value_of(before + step);
	if (!session->gate_ns || now < session->gate_ns) {
		atomic_max(&gauge->early, value);
		return 0;
	}
	atomic_max(&gauge->peak, value);
	curve_put(id, before, value, now - session->gate_ns);
	return 0;
}

#endif
