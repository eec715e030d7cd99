/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */

/* Stacks and what they stand for. Our own table: bpf_get_stackid loses hot stacks by collision whatever the
 * table's size (bcc#3389). */
#ifndef WEFT_STACK_BPF_H
#define WEFT_STACK_BPF_H

#include "weight.bpf.h"

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

/* Instead of a hook's number: the kernel's frames are walked at each event. */
#define WALKED 0

/* How the kernel came to a hook, where that is told by less than its frames: to walk them takes longer than all else. One
 * hook is reached by one path from one system call in one place of the program, but for what the kernel decides on the
 * way. Hooks are numbered for each kind: the table of stacks has those of all. 0 for WALKED only. */
static __always_inline __u64 stack_path(void *regs, __u32 hook)
{
	struct pt_regs___x86 *x86 = regs;
	struct pt_regs___arm64 *arm64 = regs;
	__u32 call = bpf_core_field_exists(x86->orig_ax) ? x86->orig_ax : arm64->syscallno;

	return hook == WALKED ? 0 : (__u64)hook << 32 | call;
}

/* A length, each time from memory: what a loop shows of one that is still in use, the verifier tries all that follows with. */
#define LENGTH(field) (*(const volatile __u32 *)&(field))

static __always_inline __u64 hash_kernel(const struct stack *stack)
{
	__u32 len = LENGTH(stack->kernel);
	__u64 hash = len;

	ROLLED for (__u32 i = 0; i < KERNEL_FRAMES; i++) {
		if (i >= len)
			break;
		hash = hash_add(hash, stack->kernel_frames[i]);
	}
	return hash;
}

static __always_inline bool same_frames(const __u64 *a, const __u64 *b, __u32 len, __u32 most)
{
	ROLLED for (__u32 i = 0; i < most; i++) {
		if (i >= len)
			break;
		if (a[i] != b[i])
			return false;
	}
	return true;
}

static __always_inline bool stack_equal(const struct stack *a, const struct stack *b)
{
	if (a->path != b->path || LENGTH(a->user) != LENGTH(b->user))
		return false;
	if (!a->path && (LENGTH(a->kernel) != LENGTH(b->kernel) ||
			 !same_frames(a->kernel_frames, b->kernel_frames, LENGTH(a->kernel), KERNEL_FRAMES)))
		return false;
	return same_frames(a->user_frames, b->user_frames, LENGTH(a->user), STACK_FRAMES);
}

/* The kernel's own frames, those of the probe among them: by name they are told apart later. */
static __always_inline void stack_kernel(void *ctx, struct stack *stack)
{
	long size = bpf_get_stack(ctx, stack->kernel_frames, sizeof(stack->kernel_frames), 0);

	if (size < 0)
		lose(LOSS_STACK_KERNEL);
	else
		stack->kernel = size / sizeof(stack->kernel_frames[0]);
}

/* Puts the stack into the table and gives its hash, or 0 with the loss counted. */
static __always_inline __u64 stack_intern(void *ctx, struct stack *stack)
{
	__u32 zero = 0;
	void *table = bpf_map_lookup_elem(&stacks, &zero);
	struct stack *known;

	if (!table)
		return 0;
	known = bpf_map_lookup_elem(table, &stack->hash);
	if (!known) {
		if (stack->path)
			stack_kernel(ctx, stack);
		if (!bpf_map_update_elem(table, &stack->hash, stack, BPF_NOEXIST))
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

/* What a frame pointer points at, on amd64 and on arm64. */
struct frame {
	__u64 caller; /* its frame pointer */
	__u64 address; /* where it goes on */
};

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

/* The chain of frame pointers of the current thread, from where it entered the kernel. bpf_get_stack walks the same chain,
 * but finds its end by reading address 0: that page fault takes longer than all the frames of a Go program. The chain may
 * go down as well as up, since Go changes stacks within it. Gives the hash, of path or kernel frames too. Global, as
 * gauge_add is: otherwise the verifier walks the loop for each state in which a program may come here, which took 770,000
 * instructions of the million that it allows. */
__noinline __u64 stack_user(struct stack *stack, struct window *window, __u32 hook)
{
	struct pt_regs___x86 *x86;
	struct pt_regs___arm64 *arm64;
	struct frame frame;
	__u64 base = 0, hash;

	if (!collect_stacks || !stack || !window)
		return 0;
	x86 = (void *)bpf_task_pt_regs(bpf_get_current_task_btf());
	arm64 = (void *)x86;
	stack->path = stack_path(x86, hook);
	hash = stack->path ?: hash_kernel(stack);
	if (bpf_core_field_exists(x86->bp)) {
		frame.address = x86->ip;
		frame.caller = x86->bp;
	} else {
		frame.address = arm64->pc;
		frame.caller = arm64->regs[29];
	}
	ROLLED for (__u32 i = 0; i < STACK_FRAMES; i++) {
		if (!frame.address)
			break;
		stack->user_frames[i] = frame.address;
		hash = hash_add(hash, frame.address);
		stack->user = i + 1;
		if (!frame.caller || !frame_read(&frame, frame.caller, window, &base))
			break;
	}
	return hash;
}

/* Takes the stack of the current thread and gives its hash: 0 where there is none, which is counted. */
static __always_inline __u64 stack_take(void *ctx, struct stack *stack, enum stack_kind kind, __u32 hook,
					struct window *window)
{
	stack->user = stack->kernel = 0;
	if (hook == WALKED)
		stack_kernel(ctx, stack);
	stack->hash = stack_user(stack, window, hook == WALKED ? WALKED : kind << 16 | hook);
	if (!stack->user && !stack->kernel) {
		lose(LOSS_STACK_READ);
		return 0;
	}
	return stack_intern(ctx, stack);
}

/* Who does something from where: the current thread, which `task` is, its goroutine and its stack. For `hook` see
 * stack_path. */
static __always_inline void key_take(struct weight_key *key, void *ctx, struct task_struct *task, __u32 hook,
				     __u32 buffer, enum stack_kind kind, __u32 wait)
{
	struct stack *stack = bpf_map_lookup_elem(&stack_buffers, &buffer);
	struct window *window = bpf_map_lookup_elem(&windows, &buffer);

	if (!stack || !window)
		return;
	key->stack = stack_take(ctx, stack, kind, hook, window);
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

	key_take(&key, ctx, task, WALKED, buffer, kind, 0);
	weight_add(&key, by);
	return key.stack;
}

#endif
