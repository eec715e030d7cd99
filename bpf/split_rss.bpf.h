/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */

/* What is resident, and in no counter of the mm yet: threads' own counts, before Linux 6.2. */
#ifndef WEFT_SPLIT_RSS_BPF_H
#define WEFT_SPLIT_RSS_BPF_H

#include "mm.bpf.h"

/* Before Linux 6.2 a thread counts its page faults itself and hands in the sum at every 65th (SPLIT_RSS_COUNTING,
 * mm/memory.c): with 16 pages of a file a fault a hundred threads can keep 400 MB to themselves. There the third program
 * looks at each fault's end; set by Go before load. */
const volatile bool follow_threads = false;
const volatile __u32 page_units = 1; /* the page size in units of RSS_SHIFT */

/* What a thread has in the gauge beside what its mm has, in pages. Freed with the task, which may outlive its session. */
struct split_rss {
	__u64 epoch; /* of the session whose gauge it is */
	__s64 pages[MM_MEMBERS];
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct split_rss);
} split_rss_counts SEC(".maps");

/* What a thread has counted and not handed in, pages. */
static __always_inline __s64 counted(struct task_struct *task, __u32 member)
{
	int pages = 0;

	bpf_core_read(&pages, sizeof(pages), &task->rss_stat.count[member]);
	return pages;
}

/* What a thread counts itself, if it is of this session. */
static __always_inline struct split_rss *split_of(struct task_struct *task)
{
	struct split_rss *split = bpf_task_storage_get(&split_rss_counts, task, 0, 0);
	struct session *session = session_now();

	return split && session && split->epoch == session->epoch ? split : 0;
}

/* A thread hands in what it has counted itself: what of it is in the gauge already. Known by its being just the
 * change of the mm's counter; a wrong guess lasts until the thread's next page fault. */
static __always_inline __s64 handed_in(__u32 member, __s64 by)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct split_rss *split = split_of(task);
	__s64 had;

	if (!split || by != counted(task, member) * page_units)
		return 0;
	had = split->pages[member];
	split->pages[member] = 0;
	return had * page_units;
}

static __always_inline bool has_whole_counters(void)
{
	return bpf_core_field_exists(((struct mm_struct___whole_counters *)0)->rss_stat.count);
}

static __always_inline __s64 counter_now(__u64 mm, __u32 member)
{
	__s64 pages = 0;

	bpf_core_read(&pages, sizeof(pages), &((struct mm_struct___whole_counters *)mm)->rss_stat.count[member].counter);
	return pages * page_units;
}

/* Before Linux 6.2 what is told of a counter is its value when the change was made, and its CPU can have been taken away
 * since: so the counter is read, and once more after it is noted. Whoever notes last has then noted what it is.
 * Gives the change. */
static __always_inline __s64 counter_follow(struct memory *memory, __u64 mm, __u32 member)
{
	__s64 units = counter_now(mm, member), delta = units - __sync_lock_test_and_set(&memory->units[member], units);
	__s64 again = counter_now(mm, member);

	if (again != units && __sync_val_compare_and_swap(&memory->units[member], units, again) == units)
		delta += again - units;
	return delta;
}

#endif
