/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */

/* Stacks and what they stand for. Our own table: bpf_get_stackid loses hot stacks by collision whatever the
 * table's size (bcc#3389). */
#ifndef WEFT_STACK_BPF_H
#define WEFT_STACK_BPF_H

#include "goroutine.bpf.h"

#include <bpf/bpf_core_read.h>

/* Set by Go before load: with false the verifier removes everything below. */
const volatile bool collect_stacks = false;

/* One buffer for each program of the object that takes stacks: on kernels that let a program be preempted,
 * another program may run on the same CPU in the middle of it (the same one may not: the kernel skips it and
 * counts the miss). */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, STACK_BUFFERS);
	__type(key, __u32);
	__type(value, struct stack);
} stack_buffers SEC(".maps");

static __always_inline __u64 stack_hash(const struct stack *stack)
{
	__u64 hash = (__u64)stack->kernel << 32 | stack->len;

	ROLLED for (__u32 i = 0; i < STACK_FRAMES; i++) {
		if (i >= stack->len)
			break;
		hash = (hash ^ stack->frames[i]) * 0x9e3779b97f4a7c15ULL;
		hash ^= hash >> 32;
	}
	return hash;
}

static __always_inline bool stack_equal(const struct stack *a, const struct stack *b)
{
	if (a->len != b->len || a->kernel != b->kernel)
		return false;
	ROLLED for (__u32 i = 0; i < STACK_FRAMES; i++) {
		if (i >= a->len)
			break;
		if (a->frames[i] != b->frames[i])
			return false;
	}
	return true;
}

/* Puts the stack into the table and gives its hash, or 0 with the loss counted. */
static __always_inline __u64 stack_intern(struct stack *stack)
{
	struct stack *known = bpf_map_lookup_elem(&stacks, &stack->hash);

	if (!known) {
		long err = bpf_map_update_elem(&stacks, &stack->hash, stack, BPF_NOEXIST);

		if (!err)
			return stack->hash;
		known = bpf_map_lookup_elem(&stacks, &stack->hash); /* another CPU was first */
		if (!known) {
			lose(LOSS_STACK_FULL);
			return 0;
		}
	}
	if (!stack_equal(known, stack)) {
		lose(LOSS_STACK_COLLISION);
		return 0;
	}
	return stack->hash;
}

static __always_inline void weight_add(const struct weight_key *key, const struct weight *by)
{
	struct weight *weight = bpf_map_lookup_elem(&weights, key);

	if (!weight) {
		struct weight zero = {};

		bpf_map_update_elem(&weights, key, &zero, BPF_NOEXIST);
		goroutine_note(key->pid, key->goid);
		weight = bpf_map_lookup_elem(&weights, key);
		if (!weight) {
			lose(LOSS_WEIGHT_FULL);
			return;
		}
	}
	__sync_fetch_and_add(&weight->count, by->count);
	__sync_fetch_and_add(&weight->amount, by->amount);
	__sync_fetch_and_add(&weight->other, by->other);
}

/* What a frame pointer points at, on amd64 and on arm64. */
struct frame {
	__u64 caller; /* its frame pointer */
	__u64 address; /* where it goes on */
};

/* The chain of frame pointers of a thread in a system call. bpf_get_stack walks the same chain, but finds its end
 * by reading address 0: that page fault takes longer than all the frames of a Go program. The chain may go down as
 * well as up, since Go changes stacks within it. */
static __always_inline void stack_walk(struct stack *stack, struct task_struct *task)
{
	void *regs = (void *)bpf_task_pt_regs(task);
	struct pt_regs___x86 *x86 = regs;
	struct pt_regs___arm64 *arm64 = regs;
	struct frame frame;

	stack->len = stack->kernel = 0;
	if (bpf_core_field_exists(x86->bp)) {
		stack->frames[0] = x86->ip;
		frame.caller = x86->bp;
	} else {
		stack->frames[0] = arm64->pc;
		frame.caller = arm64->regs[29];
	}
	if (!stack->frames[0])
		return;
	stack->len = 1;
	ROLLED for (__u32 i = 1; i < STACK_FRAMES; i++) {
		if (!frame.caller || bpf_probe_read_user(&frame, sizeof(frame), (void *)frame.caller) || !frame.address)
			return;
		stack->frames[i] = frame.address;
		stack->len = i + 1;
	}
}

/* Charges to the user stack of the current thread. */
static __always_inline void stack_charge(struct task_struct *task, __u32 buffer, __u32 kind, const struct weight *by)
{
	struct stack *stack = bpf_map_lookup_elem(&stack_buffers, &buffer);
	struct weight_key key = {
		.pid = task->tgid,
		.tid = task->pid,
		.goid = goroutine_of(task),
		.kind = kind,
	};

	if (!stack)
		return;
	stack_walk(stack, task);
	if (!stack->len) {
		lose(LOSS_STACK_READ);
		return;
	}
	stack->hash = stack_hash(stack);
	key.stack = stack_intern(stack);
	if (key.stack)
		weight_add(&key, by);
}

#endif
