/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */

/* Which goroutine runs on a thread, read from the program's memory inside programs that run anyway: thread pointer →
 * g → m → m.curg. A probe in the program itself would cost it microseconds (docs/accuracy.md). */
#ifndef WEFT_GOROUTINE_BPF_H
#define WEFT_GOROUTINE_BPF_H

#include "target.bpf.h"

#include <bpf/bpf_core_read.h>

static __always_inline bool user_word(__u64 *word, __u64 address)
{
	return !bpf_probe_read_user(word, sizeof(*word), (void *)address);
}

/* The Go runtime of the current thread, if it is known. exec makes a new mm, and what was said of the program before
 * is then said of none: memory may change hands in the midst of exec, where no hook is. */
static __always_inline struct go_runtime *runtime_of(struct task_struct *task)
{
	__u32 pid = task->tgid, slot = pid % RUNTIMES;
	__u64 mm = (__u64)task->mm;
	struct go_runtime *runtime;

	/* A worker of io_uring has its maker's thread pointer; a thread that has lost its mm exits. */
	if (!mm || task->flags & PF_IO_WORKER)
		return 0;
	runtime = bpf_map_lookup_elem(&runtimes, &slot);
	if (!runtime || runtime->pid != pid)
		return 0;
	if (!runtime->mm) {
		runtime->exec_id = task->self_exec_id;
		runtime->mm = mm;
	}
	return runtime->mm == mm && runtime->exec_id == task->self_exec_id ? runtime : 0;
}

/* The process is gone: its pid may be another's soon. */
static __always_inline void runtime_gone(__u32 pid)
{
	__u32 slot = pid % RUNTIMES;
	struct go_runtime *runtime = bpf_map_lookup_elem(&runtimes, &slot);

	if (runtime && runtime->pid == pid)
		runtime->pid = 0;
}

/* The words of a g from g.m on: g.goid is among them, and one read costs less than two. */
#define G_WORDS 16

struct running {
	__u64 g;    /* its address, GOID_SCHEDULER if the runtime runs none here, 0: not a thread of Go's, or not readable */
	__u64 goid;
};

/* The goroutine on the current thread. The thread's own g may be one of the runtime's, for its system stack or for
 * signals, in the midst of a goroutine: such a one has no goid, and m.curg is the goroutine then. */
static __always_inline bool running_read(struct running *running, struct task_struct *task,
					 const struct go_runtime *runtime, __u64 *words)
{
	__u32 word = (runtime->g_goid - runtime->g_m) / 8;
	__u64 g;

	running->g = running->goid = 0;
	if (!user_word(&g, task->thread.fsbase + runtime->tls))
		return false;
	if (!g) /* a thread made by C, or before its first instruction */
		return true;
	if (bpf_probe_read_user(words, G_WORDS * sizeof(*words), (void *)(g + runtime->g_m)))
		return false;
	if (!words[0])
		return true;
	if (word < G_WORDS && words[word]) {
		running->g = g;
		running->goid = words[word];
		return true;
	}
	if (!user_word(&running->g, words[0] + runtime->m_curg))
		return false;
	if (!running->g) {
		running->g = running->goid = GOID_SCHEDULER;
		return true;
	}
	return user_word(&running->goid, running->g + runtime->g_goid);
}

static __always_inline bool goroutine_read(struct goroutine *goroutine, __u64 g, const struct go_runtime *runtime)
{
	return user_word(&goroutine->start_pc, g + runtime->g_startpc) &&
	       user_word(&goroutine->go_pc, g + runtime->g_gopc) &&
	       (!runtime->g_parent || user_word(&goroutine->parent, g + runtime->g_parent));
}

/* Lists what is told of a goroutine; false where it can't be. */
static __always_inline bool goroutine_list(const struct goroutine_key *key, __u64 g, const struct go_runtime *runtime)
{
	struct goroutine goroutine = {};

	if (bpf_map_lookup_elem(&goroutines, key))
		return true;
	if (!goroutine_read(&goroutine, g, runtime)) {
		lose(LOSS_GOROUTINE_READ);
		return false;
	}
	if (bpf_map_update_elem(&goroutines, key, &goroutine, BPF_NOEXIST) && !bpf_map_lookup_elem(&goroutines, key)) {
		lose(LOSS_GOROUTINES);
		return false;
	}
	return true;
}

/* Notes on the account of the thread which goroutine was the first on it, and which keeps it for itself. */
static __always_inline void thread_note(struct task_struct *task, const struct running *running,
					const struct go_runtime *runtime)
{
	struct thread *thread = thread_of(task);
	__u64 locked = 0;

	if (!thread)
		return;
	if (!thread->goid)
		thread->goid = running->goid;
	if (!user_word(&locked, running->g + runtime->g_lockedm))
		lose(LOSS_GOROUTINE_READ);
	else if (locked)
		thread->locked_goid = running->goid;
}

/* Notes a goroutine and its thread, at the first event of the two. */
static __always_inline void goroutine_note(struct task_struct *task, const struct running *running,
					   const struct go_runtime *runtime)
{
	__u64 both = running->goid ^ (__u64)task->pid << NOTED_TID;
	struct goroutine_key key = { .goid = running->goid, .pid = task->tgid };
	struct noted *all;
	__u32 zero = 0;
	__u64 *slot;

	all = bpf_map_lookup_elem(&noted, &zero);
	if (!all)
		return;
	slot = &all->slots[(running->goid + task->pid) % NOTED];
	if (*slot == both)
		return;
	if (goroutine_list(&key, running->g, runtime))
		*slot = both;
	thread_note(task, running, runtime);
}

/* The goid of the goroutine on the current thread, which `task` is; see struct weight_key. There is room for G_WORDS at
 * words: a program's stack has not. */
static __always_inline __u64 goroutine_of(struct task_struct *task, __u64 *words)
{
	struct go_runtime *runtime = runtime_of(task);
	struct running running;

	if (!runtime || !bpf_core_field_exists(task->thread.fsbase))
		return 0;
	if (!running_read(&running, task, runtime, words)) {
		lose(LOSS_GOROUTINE_READ);
		return 0;
	}
	if (running.goid && running.goid != GOID_SCHEDULER)
		goroutine_note(task, &running, runtime);
	return running.goid;
}

/* Looks at the thread once more, with the first weight of each stack: a goroutine may keep its thread later than at
 * their first event. */
static __always_inline void thread_note_again(const struct weight_key *key)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct running running = {};
	struct go_runtime *runtime;
	__u64 at = 0;

	if (!key->goid || key->goid == GOID_SCHEDULER || task->pid != key->tid)
		return;
	runtime = runtime_of(task);
	if (!runtime || !bpf_core_field_exists(task->thread.fsbase))
		return;
	if (!user_word(&at, task->thread.fsbase + runtime->tls) || !at || !user_word(&at, at + runtime->g_m) || !at ||
	    !user_word(&running.g, at + runtime->m_curg) || !running.g ||
	    !user_word(&running.goid, running.g + runtime->g_goid))
		return; /* what can't be read is counted by goroutine_of */
	if (running.goid == key->goid) /* else it is on behalf of another */
		thread_note(task, &running, runtime);
}

#endif
