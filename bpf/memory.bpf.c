//go:build ignore

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */

/* How much memory is resident, and how much was at most? Two programs on the one tracepoint kmem:rss_stat, because
 * each of its forms has half of the answer: the classic record has the exact size (from Linux 6.2 the counter is spread
 * over the CPUs, f1a7941243c1; the record sums it up), tp_btf has the mm's address and so its owner. The first leaves a
 * note for the second on its CPU. It is attached first, and so it is called first, whoever else uses the tracepoint: all
 * classic programs hang on one probe, which has its place from the first of them to the last. */
#define STACK_BUFFERS 3

#include "stack.bpf.h"
#include "split_rss.bpf.h"

#include <bpf/bpf_tracing.h>

/* 0 → sums. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct memory_sums);
} memory_sums SEC(".maps");

/* What the first program tells the second. */
struct note {
	__s64 size; /* bytes */
	__u32 tid;
	__u32 mm_id;
	__u32 member;
	__u32 fresh; /* 0: taken */
	__u64 mm;    /* the second program's own: see address_of */
};

/* 0 → the note. Not for a task but for a CPU: both programs run within one call of the tracepoint, which can't be
 * preempted. Where that should not hold, the tid does not match and the change is counted as lost. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct note);
} notes SEC(".maps");

/* Charges growth to the stack of the current thread, or, where that is another process's, to none. */
static __always_inline void rss_charge(void *ctx, __u32 buffer, __u32 member, __u64 units)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct weight by = { .count = 1, .amount = units << RSS_SHIFT };
	struct weight_key key = {};

	key.kind = STACK_RSS;
	if (thread_of(task))
		key_take(&key, ctx, task, 1 + buffer * MM_MEMBERS + member, buffer, STACK_RSS, 0);
	weight_add(&key, &by);
}

static __always_inline void rss_move(void *ctx, __u32 buffer, __u32 member, __s64 delta)
{
	struct session *session = session_now();
	__u64 now = bpf_ktime_get_ns();
	struct memory_sums *sums;
	__u32 zero = 0;

	sums = bpf_map_lookup_elem(&memory_sums, &zero);
	if (!session || !sums || !delta)
		return;
	gauge_add(GAUGE_RSS, delta, now);
	if (bpf_core_field_exists(bpf_get_current_task_btf()->rss_stat))
		sums->deferred = 1;
	if (!session->gate_ns || now < session->gate_ns)
		return;
	atomic_max(&sums->change[member], delta < 0 ? -delta : delta);
	if (delta < 0)
		return;
	__sync_fetch_and_add(&sums->grown, delta);
	if (collect_stacks)
		rss_charge(ctx, buffer, member, delta);
}

/* A counter of one of our mms was told to have this value. It is absolute: what two CPUs tell at once in the wrong
 * order is right again with the next change. */
static __always_inline void memory_put(void *ctx, struct memory *memory, __u64 mm, __u32 member, __s64 units)
{
	__s64 delta, had = 0;

	if (has_whole_counters()) {
		if (follow_threads)
			had = handed_in(member, units - __sync_lock_test_and_set(&memory->told[member], units));
		delta = counter_follow(memory, mm, member);
	} else {
		delta = units - __sync_lock_test_and_set(&memory->units[member], units);
	}
	rss_move(ctx, 0, member, delta - had);
	if (!(memory->units[MM_FILE] | memory->units[MM_ANON] | memory->units[MM_SHMEM]))
		memory_free(memory);
}

SEC("tracepoint/kmem/rss_stat")
int rss_stat_size(struct trace_event_raw_rss_stat *ctx)
{
	__u32 zero = 0;
	struct note *note = bpf_map_lookup_elem(&notes, &zero);

	if (!note)
		return 0;
	note->size = ctx->size;
	note->tid = (__u32)bpf_get_current_pid_tgid();
	note->mm_id = ctx->mm_id;
	note->member = ctx->member;
	note->fresh = 1;
	return 0;
}

/* Takes the note of the change that this tracepoint's call is about. */
static __always_inline struct note *note_take(__u32 member)
{
	__u32 zero = 0;
	struct note *note = bpf_map_lookup_elem(&notes, &zero);

	if (!note || !note->fresh || note->tid != (__u32)bpf_get_current_pid_tgid() || note->member != member)
		return 0;
	note->fresh = 0;
	return note;
}

/* A pointer as a number, which the verifier takes a pointer for only after it has been in memory. */
static __always_inline __u64 address_of(struct mm_struct *mm)
{
	__u32 zero = 0;
	struct note *note = bpf_map_lookup_elem(&notes, &zero);

	if (!note)
		return 0;
	note->mm = (__u64)mm;
	return *(volatile __u64 *)&note->mm;
}

static __always_inline void rss_changed(void *ctx, struct memory *memory, __u64 mm, __u32 member)
{
	struct note *note = note_take(member);
	__u64 units;

	if (!note) {
		lose(LOSS_MEMORY_SIZE);
		return;
	}
	/* Below 0 before Linux 6.2 where one thread gives back what another has not handed in. */
	units = note->size >> RSS_SHIFT;
	if (!memory)
		memory = memory_begin(mm, note->mm_id, member, units);
	if (memory && (memory->mm_id == note->mm_id || !memory->mm_id))
		memory_put(ctx, memory, mm, member, units);
	else if (memory)
		lose(LOSS_MEMORY_SIZE);
}

/* From Linux 6.16 a process is no target any more when its memory goes. */
static __always_inline bool is_foreign(struct task_struct *task)
{
	if (task->flags & PF_EXITING && is_marked(task->tgid))
		return false;
	return !thread_of(task) && !is_target(task->tgid);
}

static __always_inline void count_foreign(void)
{
	__u32 zero = 0;
	struct memory_sums *sums = bpf_map_lookup_elem(&memory_sums, &zero);

	if (sums)
		__sync_fetch_and_add(&sums->foreign, 1);
}

SEC("tp_btf/rss_stat")
int BPF_PROG(rss_stat, struct mm_struct *mm, int kind)
{
	__u32 member = kind, pid;
	struct memory *memory;
	__u64 key;

	if (member == MM_SWAP || member >= MM_MEMBERS || !owner_is_marked(mm, &pid))
		return 0;
	key = address_of(mm);
	memory = memory_of(key);
	if (!memory && !is_ours(key, pid))
		return 0;
	if (is_foreign(bpf_get_current_task_btf()))
		count_foreign();
	asm volatile("%0 &= 3" : "+r"(member)); /* MM_MEMBERS - 1: Linux 6.1 does not follow the compiler's way to the same */
	rss_changed(ctx, memory, key, member);
	return 0;
}

/* What the current thread has counted and not handed in is resident all the same. */
static __always_inline void split_follow(void *ctx, __u32 buffer, struct split_rss *split, struct task_struct *task)
{
	ROLLED for (int i = 0; i < MM_MEMBERS; i++) {
		__s64 delta = counted(task, i) - split->pages[i];

		if (i == MM_SWAP || !delta)
			continue;
		split->pages[i] += delta;
		rss_move(ctx, buffer, i, delta * page_units);
	}
}

SEC("fexit/handle_mm_fault")
int BPF_PROG(handle_mm_fault)
{
	struct session *session = session_now();
	struct task_struct *task;
	struct split_rss *split;
	__u64 mm;

	if (!is_marked(bpf_get_current_task_btf()->tgid))
		return 0;
	task = bpf_get_current_task_btf();
	mm = (__u64)BPF_CORE_READ(task, mm);
	if (!memory_of(mm)) /* another's, or lost */
		return 0;
	split = bpf_task_storage_get(&split_rss_counts, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!split || !session) {
		lose(LOSS_MEMORY_SPLIT);
		return 0;
	}
	if (split->epoch != session->epoch) {
		__builtin_memset(split->pages, 0, sizeof(split->pages));
		split->epoch = session->epoch;
	}
	split_follow(ctx, 1, split, task);
	return 0;
}

/* The thread has handed in all by now. */
SEC("tp_btf/sched_process_exit")
int BPF_PROG(split_exit, struct task_struct *task)
{
	struct split_rss *split = split_of(task);

	if (split)
		split_follow(ctx, 2, split, task);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
