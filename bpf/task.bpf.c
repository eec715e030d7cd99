//go:build ignore

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */

/* Who made and lost threads and processes, and from which stack? */
#define STACK_BUFFERS 1

#include "target.bpf.h"
#include "stack.bpf.h"

#include <bpf/bpf_tracing.h>

static __always_inline void process_gone(__u32 pid)
{
	bpf_map_delete_elem(&targets, &pid);
	if (collect_stacks)
		runtime_gone(pid);
}

/* The new task can't run yet: what is set up here is there before its first instruction. */
SEC("tp_btf/task_newtask")
int BPF_PROG(task_newtask, struct task_struct *task)
{
	__u64 pid_tgid = bpf_get_current_pid_tgid(), now;
	struct thread *thread;
	__u32 parent = pid_tgid >> 32, pid = task->tgid;
	struct target *target = bpf_map_lookup_elem(&targets, &parent);
	bool watched;

	if (!target)
		return 0;
	watched = target->role == ROLE_PROCESS;
	if (pid != parent) {
		struct target child = { .role = ROLE_PROCESS };

		mark(pid);
		if (bpf_map_update_elem(&targets, &pid, &child, BPF_ANY)) {
			lose(LOSS_TARGETS);
			return 0;
		}
	} else if (!watched) {
		return 0;
	}
	now = bpf_ktime_get_ns();
	thread = thread_begin(task, (__u32)pid_tgid, now);
	if (!thread)
		return 0;
	if (collect_stacks && watched) {
		struct weight one = { .count = 1 };

		thread->made_stack = stack_charge(ctx, bpf_get_current_task_btf(), 0, STACK_THREAD_CREATE, &one);
	}
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(sched_process_exit, struct task_struct *task)
{
	struct thread *thread = thread_of(task);
	__u32 pid = task->tgid;
	struct thread_event *event;

	/* Before the pid can be used again. `live` was counted down before this hook (kernel/exit.c, do_exit). */
	if (is_marked(pid) && task->signal->live.counter == 0)
		process_gone(pid);
	/* Not by `targets`: of two threads that exit at once, the last one's removal may come first. */
	if (!thread)
		return 0;
	thread->end_ns = bpf_ktime_get_ns();
	thread_read(thread, task);
	gauge_add(GAUGE_THREADS, -1, thread->end_ns);
	event = reserve_event(EVENT_THREAD_GONE, sizeof(*event), LOSS_RING);
	if (event) {
		event->thread = *thread;
		bpf_ringbuf_submit(event, BPF_RB_NO_WAKEUP);
	}
	return 0;
}

/* Writes out the accounts of the threads that live. */
SEC("iter/task")
int live_threads(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct thread *thread, copy;

	if (!task)
		return 0;
	thread = thread_of(task);
	if (!thread || thread->end_ns)
		return 0;
	copy = *thread;
	thread_read(&copy, task);
	bpf_seq_write(ctx->meta->seq, &copy, sizeof(copy));
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
