/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */

/* Who is watched. */
#ifndef WEFT_TARGET_BPF_H
#define WEFT_TARGET_BPF_H

#include "gauge.bpf.h"

/* The filter, first statement of each program: is the current process a target? */
static __always_inline int current_is_target(void)
{
	__u32 pid = bpf_get_current_pid_tgid() >> 32;
	struct target *target = bpf_map_lookup_elem(&targets, &pid);

	return target && target->role == ROLE_PROCESS;
}

/* Begins the account of a target's thread. */
static __always_inline struct thread *thread_begin(struct task_struct *task, __u32 creator_tid, __u64 now)
{
	struct thread *thread = bpf_task_storage_get(&threads, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	struct session *session = session_now();

	if (!thread || !session) {
		lose(LOSS_THREADS);
		return 0;
	}
	thread->epoch = session->epoch;
	thread->start_ns = now;
	thread->pid = task->tgid;
	thread->tid = task->pid;
	thread->creator_tid = creator_tid;
	thread->leader = task->pid == task->tgid;
	gauge_add(GAUGE_THREADS, 1, now);
	return thread;
}

/* The account of a thread, if it is watched in this session. */
static __always_inline struct thread *thread_of(struct task_struct *task)
{
	struct thread *thread = bpf_task_storage_get(&threads, task, 0, 0);
	struct session *session = session_now();

	return thread && session && thread->epoch == session->epoch ? thread : 0;
}

/* Completes an account with what the kernel itself keeps of the thread. */
static __always_inline void thread_read(struct thread *thread, struct task_struct *task)
{
	thread->voluntary = task->nvcsw;
	thread->involuntary = task->nivcsw;
	bpf_probe_read_kernel_str(thread->comm, sizeof(thread->comm), task->comm);
}

/* The account of the current thread, a target's. One that was refused its storage when it was made is begun
 * at its first call. */
static __always_inline struct thread *thread_current(__u64 now)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct thread *thread = thread_of(task);

	return thread ? thread : thread_begin(task, 0, now);
}

#endif
