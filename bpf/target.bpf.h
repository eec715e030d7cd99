/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */

/* Who is watched. */
#ifndef WEFT_TARGET_BPF_H
#define WEFT_TARGET_BPF_H

#include "gauge.bpf.h"

static __always_inline __u64 mark_bit(__u32 pid)
{
	return 1ULL << (pid % 64);
}

/* The word of a pid's mark. */
static __always_inline __u64 *mark_word(__u32 pid)
{
	__u32 zero = 0;
	struct marks *all = bpf_map_lookup_elem(&marks, &zero);

	return all ? &all->bits[pid % MARKS / 64] : 0;
}

/* Comes before the pid is put into `targets`. */
static __always_inline void mark(__u32 pid)
{
	__u64 *word = mark_word(pid);

	if (word)
		__sync_fetch_and_or(word, mark_bit(pid));
}

/* The filter, first statement of each program: can the process be a target? */
static __always_inline bool is_marked(__u32 pid)
{
	__u64 *word = mark_word(pid);

	return word && *word & mark_bit(pid);
}

/* Is it one? */
static __always_inline bool is_target(__u32 pid)
{
	struct target *target;

	if (!is_marked(pid))
		return false;
	target = bpf_map_lookup_elem(&targets, &pid);
	return target && target->role == ROLE_PROCESS;
}

static __always_inline bool current_is_target(void)
{
	return is_target(bpf_get_current_pid_tgid() >> 32);
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
	thread->tid = task->pid; /* a thread that execs takes over its process's (fs/exec.c, de_thread) */
	thread->voluntary = task->nvcsw;
	thread->involuntary = task->nivcsw;
	bpf_probe_read_kernel_str(thread->comm, sizeof(thread->comm), task->comm);
}

#endif
