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

/* Likewise: a piece of the program's own stack. One read of many words takes little longer than one of two, and the frames
 * of several calls are in it. */
#define WINDOW 128

struct window {
	__u64 words[WINDOW + 1]; /* one more, for what the verifier can't know */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, STACK_BUFFERS);
	__type(key, __u32);
	__type(value, struct window);
} windows SEC(".maps");

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
	__u32 zero = 0;
	void *table = bpf_map_lookup_elem(&stacks, &zero);
	struct stack *known;

	if (!table)
		return 0;
	known = bpf_map_lookup_elem(table, &stack->hash);
	if (!known) {
		long err = bpf_map_update_elem(table, &stack->hash, stack, BPF_NOEXIST);

		if (!err)
			return stack->hash;
		known = bpf_map_lookup_elem(table, &stack->hash); /* another CPU was first */
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

/* Not inlined: so its types are in the BTF that Go's are made from. */
static __noinline void weight_add(const struct weight_key *key, const struct weight *by)
{
	__u32 zero = 0;
	void *table = bpf_map_lookup_elem(&weights, &zero);
	struct weight *weight, none = {};

	if (!table)
		return;
	weight = bpf_map_lookup_elem(table, key);
	if (!weight) {
		bpf_map_update_elem(table, key, &none, BPF_NOEXIST);
		thread_note_again(key);
		weight = bpf_map_lookup_elem(table, key);
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

/* The kernel's own frames, those of the probe among them: by name they are told apart later. */
static __always_inline void stack_kernel(void *ctx, struct stack *stack)
{
	long size = bpf_get_stack(ctx, stack->frames, KERNEL_FRAMES * sizeof(stack->frames[0]), 0);

	if (size < 0)
		lose(LOSS_STACK_KERNEL);
	else
		stack->len = stack->kernel = size / sizeof(stack->frames[0]);
}

/* Reads the frame at an address, from the window where it is in it. The window begins at *base, 0: nowhere. */
static __always_inline bool frame_read(struct frame *frame, __u64 at, struct window *window, __u64 *base)
{
	__u64 i = (at - *base) / 8;

	if (!*base || at & 7 || i > WINDOW - 2) {
		*base = 0;
		/* At the end of a mapping there are not so many words. */
		if (at & 7 || bpf_probe_read_user(window, WINDOW * sizeof(window->words[0]), (void *)at))
			return !bpf_probe_read_user(frame, sizeof(*frame), (void *)at);
		*base = at;
		i = 0;
	}
	asm volatile("%0 &= 127" : "+r"(i)); /* WINDOW - 1: the verifier does not follow the compiler's way to the same */
	frame->caller = window->words[i];
	frame->address = window->words[i + 1];
	return true;
}

/* The chain of frame pointers of a thread, from where it entered the kernel. bpf_get_stack walks the same chain, but
 * finds its end by reading address 0: that page fault takes longer than all the frames of a Go program. The chain may go
 * down as well as up, since Go changes stacks within it. */
static __always_inline void stack_user(struct stack *stack, struct task_struct *task, struct window *window)
{
	void *regs = (void *)bpf_task_pt_regs(task);
	struct pt_regs___x86 *x86 = regs;
	struct pt_regs___arm64 *arm64 = regs;
	struct frame frame;
	__u64 base = 0;

	if (bpf_core_field_exists(x86->bp)) {
		frame.address = x86->ip;
		frame.caller = x86->bp;
	} else {
		frame.address = arm64->pc;
		frame.caller = arm64->regs[29];
	}
	ROLLED for (__u32 i = 0; i < STACK_FRAMES; i++) {
		__u32 at = stack->len;

		if (!frame.address || at >= STACK_FRAMES)
			return;
		stack->frames[at] = frame.address;
		stack->len = at + 1;
		if (!frame.caller || !frame_read(&frame, frame.caller, window, &base))
			return;
	}
}

/* Takes the stack of the current thread, with the kernel's frames where there is a context, and gives its hash: 0 where
 * there is none, which is counted. */
static __always_inline __u64 stack_take(void *ctx, struct stack *stack, struct task_struct *task, struct window *window)
{
	stack->len = stack->kernel = 0;
	if (ctx)
		stack_kernel(ctx, stack);
	stack_user(stack, task, window);
	if (!stack->len) {
		lose(LOSS_STACK_READ);
		return 0;
	}
	stack->hash = stack_hash(stack);
	return stack_intern(stack);
}

/* Who does something from where: the current thread, which `task` is, its goroutine and its stack. */
static __always_inline void key_take(struct weight_key *key, void *ctx, struct task_struct *task, __u32 buffer,
				     enum stack_kind kind, __u32 wait)
{
	struct stack *stack = bpf_map_lookup_elem(&stack_buffers, &buffer);
	struct window *window = bpf_map_lookup_elem(&windows, &buffer);

	if (!stack || !window)
		return;
	key->stack = stack_take(ctx, stack, task, window);
	key->goid = goroutine_of(task, window->words);
	key->pid = task->tgid;
	key->tid = task->pid;
	key->kind = kind;
	key->wait = wait;
}

/* Charges to the stack of the current thread, and gives its hash. */
static __always_inline __u64 stack_charge(void *ctx, struct task_struct *task, __u32 buffer, enum stack_kind kind,
					 const struct weight *by)
{
	struct weight_key key = {};

	key_take(&key, ctx, task, buffer, kind, 0);
	weight_add(&key, by);
	return key.stack;
}

#endif
