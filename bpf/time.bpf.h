/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */

/* Where a thread's time goes. Its account is changed at its own switches and wake-ups only, which the scheduler
 * orders by the lock of the run queue: no change needs to be atomic. */
#ifndef WEFT_TIME_BPF_H
#define WEFT_TIME_BPF_H

#include "stack.bpf.h"
#include "target.bpf.h"
#include "wait.bpf.h"

#define MAX_LOOKS 8

/* A target's thread → where its time goes. Freed with the task. */
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct thread_time);
} thread_times SEC(".maps");

/* 0 → an account while the iterator reads it: it is too long for the stack. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct thread_time);
} time_copies SEC(".maps");

/* 0 → waits for a CPU. Switches don't nest, so that a CPU's own copy needs no atomic adds. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct histogram);
} run_queue SEC(".maps");

/* Before 6.2 the account is not to be had while the CPU is in the midst of another look into task storage. */
static __noinline int lose_event(__u32 pid)
{
	struct target *target = bpf_map_lookup_elem(&targets, &pid);

	if (target && target->role == ROLE_PROCESS)
		lose(LOSS_TIME_EVENT);
	return 0;
}

/* The account of a thread, if it is watched in this session. `loses` says that what is missed by having none is not
 * made up for later. The first comparison is the filter: most threads of
 * a machine have no storage, and to see that takes no call. */
static __always_inline struct thread_time *time_of(struct task_struct *task, const struct session *session, bool loses)
{
	struct thread_time *time;

	if (!task->bpf_storage)
		return 0;
	time = bpf_task_storage_get(&thread_times, task, 0, 0);
	if (!time) {
		if (loses)
			lose_event(task->tgid);
		return 0;
	}
	return time->epoch == session->epoch ? time : 0;
}

/* Around each change, for the iterator: it may read on another CPU meanwhile. */
static __always_inline void change(struct thread_time *time)
{
	*(volatile __u32 *)&time->version += 1;
	barrier();
}

static __always_inline void changed(struct thread_time *time)
{
	barrier();
	*(volatile __u32 *)&time->version += 1;
}

/* Is this after the gate? */
static __always_inline bool at_work(const struct session *session, __u64 now)
{
	return session->gate_ns && now >= session->gate_ns;
}

/* Adds the time since the activity began. What spans the gate is split. */
static __always_inline void spend(struct thread_time *time, const struct session *session, __u64 now)
{
	__u64 gate = session->gate_ns, since = time->since_ns;
	__u32 activity = time->activity;

	if (activity >= ACTIVITY_MAX)
		return;
	if (!at_work(session, now)) {
		time->setup.ns[activity] += now - since;
		return;
	}
	if (since < gate) {
		time->setup.ns[activity] += gate - since;
		since = gate;
	}
	time->work.ns[activity] += now - since;
	if (!collect_stacks || activity == ACTIVITY_RUNNING)
		return;
	if (activity == ACTIVITY_RUNNABLE)
		time->off_runnable_ns += now - since;
	else
		time->off_blocked_ns += now - since;
}

/* Charges the time off the CPU that is over to where it began. */
static __always_inline void off_charge(struct thread_time *time)
{
	struct weight by = { .count = 1, .amount = time->off_blocked_ns, .other = time->off_runnable_ns };

	if (by.amount | by.other)
		weight_add(&time->off, &by);
	time->off_blocked_ns = time->off_runnable_ns = 0;
}

/* The run queue that a thread is on. */
static __always_inline struct rq *queue_of(struct task_struct *task)
{
	return task->se.cfs_rq->rq;
}

/* A CPU's clock of what is charged to no thread: the host's steal, and interrupts where they are accounted for.
 * The kernel counts sum_exec_runtime without it (kernel/sched/core.c, update_rq_clock_task). */
static __always_inline __u64 steal_clock(struct rq *queue)
{
	return queue->clock - queue->clock_task;
}

/* Goes over to what the thread does from now on. */
static __always_inline void go_on(struct thread_time *time, const struct session *session, __u32 activity, __u64 now)
{
	spend(time, session, now);
	time->since_ns = now;
	time->activity = activity;
}

static __always_inline struct spent *spent_at(struct thread_time *time, const struct session *session, __u64 now)
{
	return at_work(session, now) ? &time->work : &time->setup;
}

/* The thread is woken, by the run queue's clock at `clock`. */
static __always_inline void woken(struct thread_time *time, const struct session *session, __u64 now, __u64 clock)
{
	if (time->activity == ACTIVITY_NONE)
		time->first_ns = now;
	else
		spent_at(time, session, now)->wakeups++;
	go_on(time, session, ACTIVITY_RUNNABLE, now);
	time->clock_at = clock;
}

static __always_inline bool is_blocked(const struct thread_time *time)
{
	return time->activity > ACTIVITY_RUNNABLE;
}

static __always_inline void count_wait(const struct session *session, __u64 now, __u64 ns)
{
	__u32 zero = 0;
	struct histogram *histogram = bpf_map_lookup_elem(&run_queue, &zero);

	if (!histogram || !at_work(session, now))
		return;
	histogram->counts[log2_floor(ns) & 63]++;
	histogram->sum_ns += ns;
}

/* While it was ready the thread was moved to other CPUs' queues. In none of them it is in no run_delay: for how long is
 * known from when it was queued here, and from what was counted before. */
static __always_inline void moved(struct thread_time *time, struct task_struct *task, __u64 moves, __u64 clock)
{
	__u64 queued = task->sched_info.last_queued, waited = clock - time->clock_at;
	__u64 counted = task->sched_info.run_delay - time->delay_at + clock - queued;

	time->moved += moves;
	if (queued && !time->unqueued && counted < waited)
		time->moving_ns += waited - counted;
}

/* The thread comes on the CPU. */
static __always_inline void arrived(struct thread_time *time, const struct session *session, struct task_struct *task,
				    __u64 now, __u64 clock)
{
	__u64 waited = now - time->since_ns;
	__u64 moves = task->se.nr_migrations - time->moves_at;
	__u32 cpu = task->thread_info.cpu;

	if (moves)
		moved(time, task, moves, clock);
	if (time->unqueued)
		time->unqueued_ns += waited;
	else
		time->late_ready_ns += waited - (clock - time->clock_at);
	count_wait(session, now, waited);
	if (time->cpu != cpu && time->blocks + time->preempts)
		spent_at(time, session, now)->migrations++;
	time->cpu = cpu;
	time->unqueued = 0;
	go_on(time, session, ACTIVITY_RUNNING, now);
	time->clock_at = clock;
}

/* A kernel may leave out a program, and count no miss: of Linux 6.18 as a guest of a sandbox, this was seen while a
 * thread of the sandbox's own was the current one. A thread's wake-up and its coming on the CPU happen in another
 * thread's context, and can be lost by that; its leaving the CPU does not. What is lost is made up for from what
 * the kernel itself noted of it (include/linux/sched.h, struct sched_info), which is where run_delay comes from. */

#define MAX_AHEAD 1000000 /* ns: the run queue's clock is that much ahead of a hook's at most */

/* A time by the run queue's clock, no earlier than what the thread did before began by weft's, and no later than now. */
static __always_inline __u64 within(const struct thread_time *time, __u64 at, __u64 now)
{
	if (at > now)
		return now;
	return at < time->since_ns ? time->since_ns : at;
}

/* From 6.12 a thread that sleeps, but has not been taken from its run queue yet, can be moved to another's, and is noted as
 * queued from then on: moved once more, or taken out, it has that in its run_delay. The thread has been woken. */
static __always_inline void delayed(struct thread_time *time, struct task_struct *task)
{
	time->delayed_ns += task->sched_info.run_delay - time->delay_at;
	time->delay_at = task->sched_info.run_delay;
}

/* The thread comes on the CPU, and its wake-up has not been seen. */
static __always_inline void make_up_wakeup(struct thread_time *time, const struct session *session,
					   struct task_struct *task, __u64 now, __u64 clock)
{
	__u64 queued = task->sched_info.last_queued, since = now - (clock - queued);

	if (!queued || since + MAX_AHEAD < time->since_ns)
		return;
	time->unseen++;
	woken(time, session, within(time, since, now), queued);
	delayed(time, task);
}

/* The thread leaves the CPU, and has not been seen to come on it. */
static __always_inline void make_up_arrival(struct thread_time *time, const struct session *session,
					    struct task_struct *task, __u64 now, __u64 clock)
{
	__u64 arrival = task->sched_info.last_arrival, since = now - (clock - arrival);
	__u64 waited = task->sched_info.run_delay - time->delay_at;

	if (is_blocked(time) && since - waited + MAX_AHEAD >= time->since_ns) {
		time->unseen++;
		woken(time, session, within(time, since - waited, now), arrival - waited);
	}
	if (time->activity != ACTIVITY_RUNNABLE || since + MAX_AHEAD < time->since_ns)
		return;
	time->unseen++;
	arrived(time, session, task, within(time, since, now), arrival);
	/* What was charged to nobody meanwhile is the rest of the time by the clock. */
	time->steal_at = steal_clock(queue_of(task)) -
			   (task->se.exec_start - (arrival - steal_clock(queue_of(task))) -
			    (task->se.sum_exec_runtime - time->exec_at));
}

/* The kernel's own figures. */
static __always_inline void time_read(struct thread_time *time, struct task_struct *task, __u64 now)
{
	time->tid = task->pid; /* of a thread that has exec'd, its process's */
	time->at_ns = now;
	time->exec_ns = task->se.sum_exec_runtime;
	time->delay_ns = task->sched_info.run_delay;
	time->voluntary = task->nvcsw;
	time->involuntary = task->nivcsw;
}

/* A copy of a live thread's account, up to now. */
static __always_inline struct thread_time *time_copy(struct thread_time *time, struct task_struct *task)
{
	__u32 zero = 0, version;
	struct thread_time *copy = bpf_map_lookup_elem(&time_copies, &zero);

	if (!copy)
		return 0;
	ROLLED for (int i = 0; i < MAX_LOOKS; i++) {
		version = *(volatile __u32 *)&time->version;
		barrier();
		*copy = *time;
		time_read(copy, task, bpf_ktime_get_ns());
		barrier();
		if (!(version & 1) && *(volatile __u32 *)&time->version == version)
			return copy;
	}
	return 0; /* the reader misses it, and looks again */
}

#endif
