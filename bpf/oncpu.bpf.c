//go:build ignore

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */

/* Where did the CPU go? A sample of each CPU at each tick of the perf event that this is attached to: cpu-clock, which
 * needs no hardware counter. A CPU that idles gives none. */
#define STACK_BUFFERS 1

#include "target.bpf.h"
#include "stack.bpf.h"

/* By the thread's account, which it has to its end, or by its process: before Linux 6.2 the account can't be looked for in
 * the midst of another look. */
static __always_inline bool is_watched(struct task_struct *task)
{
	return (task->bpf_storage && thread_of(task)) || is_target(task->tgid);
}

SEC("perf_event")
int sample(void *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct session *session = session_now();
	struct weight one = { .count = 1 };

	if (!session || !session->gate_ns || !is_watched(task))
		return 0;
	stack_charge(ctx, task, 0, STACK_CPU, &one);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
