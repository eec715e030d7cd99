//go:build ignore

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */

/* Who ran, who was ready, who was blocked and by what; who woke whom? */
#define STACK_BUFFERS 1

#include "time.bpf.h"

#include <bpf/bpf_tracing.h>

#define MAX_NEWIDLE 1000000 /* ns a switch: beyond, it is no search for other work */

/* A tid's slot, or one of the next MAX_PLACES → the thread, under this name, and how often it woke a target's. A hash
 * costs three times as much. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 16384);
	__type(key, __u32);
	__type(value, struct waker);
} wakers SEC(".maps");

#define MAX_PLACES 32

/* How many slots `wakers` has, a power of two. Set by Go before load. */
const volatile __u32 waker_slots = 16384;

static __always_inline void time_gone(struct thread_time *time)
{
	struct time_event *event = reserve_event(EVENT_TIME_GONE, sizeof(*event), LOSS_TIME_RING);

	if (!event)
		return;
	event->time = *time;
	bpf_ringbuf_submit(event, BPF_RB_NO_WAKEUP);
}

/* Compares a time on the CPU that ends with the kernel's. Up to exec_start it is charged: the clock may have moved on
 * since, while the CPU looked for other work. Where Linux 6.18 has moved exec_start too (kernel/sched/fair.c,
 * update_se: it is that of the current thread, whoever is charged), what is charged is less. */
static __always_inline void ran(struct thread_time *time, struct task_struct *task, bool blocks, __u64 steal, __u64 now)
{
	__u64 by_clock = task->se.exec_start + steal - time->clock_at;
	__u64 own = by_clock - (steal - time->steal_at);
	__u64 charged = task->se.sum_exec_runtime - time->exec_at;

	time->late_run_ns += now - time->since_ns - by_clock;
	time->steal_ns += steal - time->steal_at;
	if (!time->delayed_at)
		time->delayed_at = task->sched_info.last_queued;
	if (time->delayed_at)
		time->delayed_ns += time->clock_at + by_clock - time->delayed_at;
	time->delayed_at = 0;
	if (blocks && charged < own)
		time->newidle_ns += own - charged < MAX_NEWIDLE ? own - charged : MAX_NEWIDLE;
}

/* The waits whose system calls have one place to sleep in from which a signal wakes. Their other sleeps, for a lock or
 * a page, end when they end. Where a socket or a pipe is waited for depends on what it is. */
#define ONE_SLEEP                                                                                                \
	(1 << ACTIVITY_EPOLL | 1 << ACTIVITY_POLL | 1 << ACTIVITY_SELECT | 1 << ACTIVITY_FUTEX | 1 << ACTIVITY_SLEEP | \
	 1 << ACTIVITY_CHILD_WAIT)

/* The hook's number for stack_path. */
static __always_inline __u32 hook_of(__u32 activity, __u32 state)
{
	if (activity == ACTIVITY_RUNNABLE || (ONE_SLEEP >> activity & 1 && state & TASK_INTERRUPTIBLE))
		return 1 + activity;
	return WALKED;
}

/* Remembers where the thread leaves the CPU: what follows is charged to that. */
static __always_inline void off_begin(void *ctx, struct thread_time *time, struct task_struct *task, __u32 activity,
				      __u32 state)
{
	off_charge(time); /* it has not been seen to come on the CPU */
	if (activity == ACTIVITY_NONE)
		return;
	key_take(&time->off, ctx, task, hook_of(activity, state), 0, STACK_OFFCPU, activity);
}

/* `preempt` decides: a thread that is preempted on its way to sleep has a state already, and is ready all the same.
 * The state is read from the task: before 6.16 (commit 8feb053d5319) the hook's own argument says that one sleeps
 * which a signal has kept awake. */
static __always_inline void leave_cpu(void *ctx, struct thread_time *time, const struct session *session,
				      struct task_struct *task, bool preempt, __u64 now)
{
	struct rq *queue = queue_of(task);
	__u64 steal = steal_clock(queue);
	__u32 state = task->__state, activity;

	if (preempt || !state)
		activity = ACTIVITY_RUNNABLE;
	else if (state & TASK_DEAD)
		activity = ACTIVITY_NONE;
	else
		activity = wait_of(task, state, time->waited);
	change(time);
	if (time->activity != ACTIVITY_RUNNING)
		make_up_arrival(time, session, task, now, queue->clock);
	if (time->activity == ACTIVITY_RUNNING)
		ran(time, task, activity != ACTIVITY_RUNNABLE, steal, now);
	go_on(time, session, activity, now);
	if (collect_stacks)
		off_begin(ctx, time, task, activity, state);
	time->clock_at = queue->clock;
	time->exec_at = task->se.sum_exec_runtime;
	time->delay_at = task->sched_info.run_delay;
	time->moves_at = task->se.nr_migrations;
	if (activity == ACTIVITY_RUNNABLE) {
		time->preempts++;
		time->unqueued = state != 0; /* kernel/sched/stats.h, sched_info_depart */
	} else {
		time->blocks++;
		if (activity != ACTIVITY_STOPPED && activity != ACTIVITY_PAGE_FAULT)
			time->waited = activity;
	}
	changed(time);
	if (activity == ACTIVITY_NONE) {
		time_read(time, task, now);
		time_gone(time);
	}
}

static __always_inline void come_on_cpu(struct thread_time *time, const struct session *session,
					struct task_struct *task, __u64 now)
{
	struct rq *queue = queue_of(task);
	__u64 clock = queue->clock;

	change(time);
	if (is_blocked(time))
		make_up_wakeup(time, session, task, now, clock);
	if (time->activity == ACTIVITY_RUNNABLE)
		arrived(time, session, task, now, clock);
	time->steal_at = steal_clock(queue);
	if (collect_stacks)
		off_charge(time);
	changed(time);
}

/* After the program of the object `task`, which is attached first. */
SEC("tp_btf/task_newtask")
int BPF_PROG(sched_newtask, struct task_struct *task)
{
	struct thread *thread;
	struct thread_time *time;

	if (!task->bpf_storage)
		return 0;
	thread = thread_of(task);
	if (!thread)
		return 0;
	time = bpf_task_storage_get(&thread_times, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!time) {
		lose(LOSS_TIMES);
		return 0;
	}
	time->start_ns = thread->start_ns;
	time->epoch = thread->epoch;
	time->activity = ACTIVITY_NONE;
	/* It has no stack yet, and is ready first. */
	time->off.pid = task->tgid;
	time->off.tid = task->pid;
	time->off.kind = STACK_OFFCPU;
	time->off.wait = ACTIVITY_NONE;
	return 0;
}

SEC("tp_btf/sched_switch")
int BPF_PROG(sched_switch, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	struct session *session;
	struct thread_time *time;
	__u64 now;

	if (!prev->bpf_storage && !next->bpf_storage)
		return 0;
	session = session_now();
	if (!session)
		return 0;
	now = bpf_ktime_get_ns();
	time = time_of(prev, session, true);
	if (time)
		leave_cpu(ctx, time, session, prev, preempt, now);
	time = time_of(next, session, false);
	if (time)
		come_on_cpu(time, session, next, now);
	return 0;
}

/* A thread's mark under one name, never 0. */
static __always_inline __u64 waker_mark(__u32 tid, const __u64 *name)
{
	__u64 mixed = name[0] * 0x9e3779b97f4a7c15 ^ name[1] * 0xc2b2ae3d27d4eb4f;

	return (__u64)tid << 32 | mixed >> 32 | 1;
}

/* The count of a thread, taken into use where it is new. While another CPU does that to it its name is not there yet,
 * and it gets a second one: the reader adds them up. */
static __always_inline struct waker *waker_of(__u32 tid, const __u64 *name)
{
	__u64 mark = waker_mark(tid, name);
	__u32 first = tid * 0x9e3779b1 >> 16; /* tids are numbers in a row: this spreads them evenly */

	ROLLED for (__u32 place = 0; place < MAX_PLACES; place++) {
		__u32 i = (first + place) & (waker_slots - 1);
		struct waker *waker = bpf_map_lookup_elem(&wakers, &i);

		if (!waker)
			return 0;
		if (waker->mark == mark && waker->tid == tid && !__builtin_memcmp(waker->comm, name, COMM_LEN))
			return waker;
		if (!waker->mark && !__sync_val_compare_and_swap(&waker->mark, 0, mark)) {
			waker->tid = tid;
			__builtin_memcpy(waker->comm, name, COMM_LEN);
			return waker;
		}
	}
	return 0;
}

/* Counts who wakes. sched_wakeup would name the wrong one: it runs on the CPU that the thread is to run on. Where the
 * thread's account is not to be had the process tells: before Linux 6.2 it is not in an interrupt of another look into
 * task storage, and nothing would make up for that. */
SEC("tp_btf/sched_waking")
int BPF_PROG(sched_waking, struct task_struct *task)
{
	__u64 name[COMM_LEN / 8] = {}; /* 6.1's helper leaves what is after the name's end */
	struct session *session;
	struct waker *waker;

	if (!task->bpf_storage)
		return 0;
	session = session_now();
	if (!session || !session->gate_ns || (!time_of(task, session, false) && !is_target(task->tgid)))
		return 0;
	bpf_get_current_comm(name, sizeof(name));
	waker = waker_of((__u32)bpf_get_current_pid_tgid(), name);
	if (waker)
		__sync_fetch_and_add(&waker->count, 1);
	else
		lose(LOSS_WAKERS);
	return 0;
}

/* Begins to be ready: the thread has just been put into a run queue, where run_delay begins too. A thread that is
 * woken before it has left the CPU is not blocked, and does not begin anything. */
SEC("tp_btf/sched_wakeup")
int BPF_PROG(sched_wakeup, struct task_struct *task)
{
	struct session *session;
	struct thread_time *time;
	__u64 clock;

	if (!task->bpf_storage)
		return 0;
	session = session_now();
	if (!session)
		return 0;
	time = time_of(task, session, false);
	if (!time)
		return 0;
	/* On its way to sleep, kept on the CPU: from 6.12 (commit 152e11f6df29) it can be put back into the run queue before
	 * it has left that, and go on with no switch, but with last_queued set. */
	if (time->activity == ACTIVITY_RUNNING && !time->delayed_at)
		time->delayed_at = task->sched_info.last_queued;
	/* In no run queue: it runs, and has not been seen to come on the CPU. */
	if (!is_blocked(time) || time->activity == ACTIVITY_NONE || !task->sched_info.last_queued)
		return 0;
	clock = queue_of(task)->clock;
	change(time);
	woken(time, session, bpf_ktime_get_ns(), clock);
	delayed(time, task);
	time->delayed_ns += clock - task->sched_info.last_queued;
	time->moves_at = task->se.nr_migrations;
	changed(time);
	return 0;
}

SEC("tp_btf/sched_wakeup_new")
int BPF_PROG(sched_wakeup_new, struct task_struct *task)
{
	struct session *session = session_now();
	struct thread_time *time;

	if (!session)
		return 0;
	time = time_of(task, session, false);
	if (!time)
		return 0;
	change(time);
	woken(time, session, bpf_ktime_get_ns(), queue_of(task)->clock);
	time->moves_at = task->se.nr_migrations;
	changed(time);
	return 0;
}

/* Writes out the accounts of the threads that live. */
SEC("iter/task")
int live_times(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct session *session = session_now();
	struct thread_time *time;

	if (!task || !session)
		return 0;
	time = time_of(task, session, false);
	if (!time || time->activity == ACTIVITY_NONE)
		return 0;
	time = time_copy(time, task);
	if (!time)
		return 0;
	spend(time, session, time->at_ns);
	bpf_seq_write(ctx->meta->seq, time, sizeof(*time));
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
