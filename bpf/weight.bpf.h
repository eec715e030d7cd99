/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */

/* How much is charged to a stack, a thread and a goroutine together. */
#ifndef WEFT_WEIGHT_BPF_H
#define WEFT_WEIGHT_BPF_H

#include "goroutine.bpf.h"

static __always_inline __u64 hash_add(__u64 hash, __u64 word)
{
	hash = (hash ^ word) * 0x9e3779b97f4a7c15ULL;
	return hash ^ hash >> 32;
}

/* How many slots `weights` has, a power of two, or 0 for none. Set by Go before load. */
const volatile __u32 weight_slots = 16384;

static __always_inline bool same_key(const struct weight_key *a, const struct weight_key *b)
{
	return a->kind == b->kind && a->stack == b->stack && a->goid == b->goid && a->tid == b->tid && a->pid == b->pid &&
	       a->wait == b->wait;
}

/* Takes a slot for a key, if it is free. Not inlined: so its types are in the BTF that Go's are made from. */
static __noinline bool weight_slot_take(struct weight_slot *slot, const struct weight_key *key)
{
	if (__sync_val_compare_and_swap(&slot->taken, 0, 1))
		return false;
	slot->key.stack = key->stack;
	slot->key.goid = key->goid;
	slot->key.pid = key->pid;
	slot->key.tid = key->tid;
	slot->key.wait = key->wait;
	__sync_lock_test_and_set(&slot->key.kind, key->kind); /* last */
	return true;
}

/* The weight in the key's slot, which it takes if it is free; 0: the slot is another key's, or one that is being written,
 * which may be the same. */
static __always_inline struct weight *weight_in_slot(const struct weight_key *key)
{
	__u64 hash = hash_add(hash_add(key->stack, key->goid), (__u64)key->tid << 32 | key->kind << 16 | key->wait);
	__u32 zero = 0, i = hash & (weight_slots - 1);
	void *slots = bpf_map_lookup_elem(&weights, &zero);
	struct weight_slot *slot = slots && weight_slots ? bpf_map_lookup_elem(slots, &i) : 0;

	if (!slot)
		return 0;
	if (slot->taken || !weight_slot_take(slot, key))
		return same_key(&slot->key, key) ? &slot->weight : 0;
	thread_note_again(key);
	return &slot->weight;
}

static const struct weight no_weight; /* not on the stack, of which before Linux 6.3 nothing is left */

static __always_inline struct weight *weight_in_table(const struct weight_key *key)
{
	__u32 zero = 0;
	void *table = bpf_map_lookup_elem(&weights_overflow, &zero);
	struct weight *weight;

	if (!table)
		return 0;
	weight = bpf_map_lookup_elem(table, key);
	if (weight)
		return weight;
	bpf_map_update_elem(table, key, &no_weight, BPF_NOEXIST);
	thread_note_again(key);
	weight = bpf_map_lookup_elem(table, key);
	if (!weight)
		lose(LOSS_WEIGHT_FULL);
	return weight;
}

/* Not inlined: so its types are in the BTF that Go's are made from. */
static __noinline void weight_add(const struct weight_key *key, const struct weight *by)
{
	struct weight *weight = weight_in_slot(key) ?: weight_in_table(key);

	if (!weight)
		return;
	__sync_fetch_and_add(&weight->count, by->count);
	if (by->amount)
		__sync_fetch_and_add(&weight->amount, by->amount);
	if (by->other)
		__sync_fetch_and_add(&weight->other, by->other);
}

#endif
