/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */

/* Whose memory is it, and what was told of it last? */
#ifndef WEFT_MM_BPF_H
#define WEFT_MM_BPF_H

#include "target.bpf.h"

#include <bpf/bpf_core_read.h>

/* An mm's slot, or one of the next MAX_PLACES → what was told of it. An mm that is shared (vfork, CLONE_VM) has one. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, struct memory);
} memories SEC(".maps");

#define MAX_PLACES 32

/* How many slots `memories` has, a power of two. Set by Go before load. */
const volatile __u32 memory_slots = 4096;

/* Address of an mm that found no room → a bit for each member that has pages: it is lost once. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, __u64);
} refused_mms SEC(".maps");

/* Can it be a target's memory? The owner is right where `current` is not: for fork, which fills the child's mm in the
 * parent's name (the child still has the parent's tgid then); for exec, which fills an mm that nobody runs in yet; for
 * reclaim; and for a child that lives in its parent's mm until it execs. 0: there is none, its last user has left. */
static __always_inline bool owner_is_marked(struct mm_struct *mm, __u32 *pid)
{
	struct task_struct *owner = 0;
	__u64 *word;

	if (bpf_core_field_exists(mm->owner))
		owner = mm->owner;
	else if (bpf_get_current_task_btf()->mm == mm)
		owner = bpf_get_current_task_btf();
	*pid = 0;
	if (!owner)
		return true;
	*pid = owner->tgid;
	word = mark_word(*pid);
	return word && *word & mark_bit(*pid);
}

/* Of an mm that has no entry: is it a target's? One that found no room goes on as ours until it is empty, like one that
 * has an entry. */
static __always_inline bool is_ours(__u64 mm, __u32 pid)
{
	struct target *target = pid ? bpf_map_lookup_elem(&targets, &pid) : 0;

	return (target && target->role == ROLE_PROCESS) || bpf_map_lookup_elem(&refused_mms, &mm);
}

/* An mm that finds no room is remembered until it is empty, so that it is lost once: its address is used again. */
static __always_inline void memory_lose(__u64 mm, __u32 member, __u64 units)
{
	__u64 *members = bpf_map_lookup_elem(&refused_mms, &mm), with = members ? *members : 0;

	if (!members)
		lose(LOSS_MEMORY_FULL);
	with = units ? with | 1ULL << member : with & ~(1ULL << member);
	if (with)
		bpf_map_update_elem(&refused_mms, &mm, &with, BPF_ANY);
	else
		bpf_map_delete_elem(&refused_mms, &mm);
}

/* The slot of an mm; with `take`, a free one becomes its own. */
static __noinline struct memory *memory_slot(__u64 mm, bool take)
{
	__u32 first = mm * 0x9e3779b97f4a7c15 >> 40; /* addresses end in zeros: this spreads them */

	ROLLED for (__u32 place = 0; place < MAX_PLACES; place++) {
		__u32 i = (first + place) & (memory_slots - 1);
		struct memory *memory = bpf_map_lookup_elem(&memories, &i);

		if (!memory)
			return 0;
		if (memory->mm == mm)
			return memory;
		if (take && !memory->mm) {
			__u64 was = __sync_val_compare_and_swap(&memory->mm, 0, mm);

			if (!was || was == mm) /* another CPU was first */
				return memory;
		}
	}
	return 0;
}

static __always_inline struct memory *memory_of(__u64 mm)
{
	return mm ? memory_slot(mm, false) : 0;
}

/* Begins the account of an mm, at its first page. */
static __always_inline struct memory *memory_begin(__u64 mm, __u32 mm_id, __u32 member, __u64 units)
{
	struct memory *memory = 0;

	if (!bpf_map_lookup_elem(&refused_mms, &mm)) {
		if (!units)
			return 0;
		memory = memory_slot(mm, true);
	}
	if (memory)
		memory->mm_id = mm_id;
	else
		memory_lose(mm, member, units);
	return memory;
}

static __always_inline void memory_free(struct memory *memory)
{
	memory->mm_id = 0;
	__builtin_memset(memory->told, 0, sizeof(memory->told));
	__sync_lock_test_and_set(&memory->mm, 0);
}

#endif
