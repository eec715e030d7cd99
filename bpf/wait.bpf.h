/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */

/* Why a thread is blocked, from what is there when it leaves the CPU: the registers that it left user space with,
 * and the descriptors that its call names. No hook of a system call is needed. */
#ifndef WEFT_WAIT_BPF_H
#define WEFT_WAIT_BPF_H

#include "gauge.bpf.h"
#include "syscall_amd64.bpf.h"

#include <bpf/bpf_core_read.h>

/* More descriptors than these are not looked at: the wait is for no one of them. Of select, in each set. */
#define MAX_POLLED 4
#define SET_WORDS 16 /* of select's sets: FD_SETSIZE bits */

/* include/uapi/asm-generic/poll.h */
#define POLL_READ (0x1 | 0x2 | 0x40 | 0x80)
#define POLL_WRITE (0x4 | 0x100 | 0x200)

struct pollfd {
	int fd;
	__s16 events;
	__s16 revents;
};

/* An open file, as far as a wait can tell by it. */
struct opened {
	__u16 type; /* S_IFMT of its mode */
	struct file *file;
};

/* Looks a descriptor up; type 0 when there is no such thing, or it is of no type: an eventfd, a timerfd. From
 * 6.16 (commit cfd86ef7e8e7) these say that they are regular files, which their file system does not. */
static __always_inline struct opened opened_at(struct task_struct *task, __u64 fd)
{
	struct fdtable *table = task->files->fdt;
	struct opened opened = {};
	struct file *file = 0;
	struct inode *inode = 0;
	struct super_block *super = 0;
	__u64 magic = 0;

	fd = (__u32)fd;
	if (fd >= table->max_fds)
		return opened;
	bpf_probe_read_kernel(&file, sizeof(file), table->fd + fd);
	if (!file)
		return opened;
	opened.file = file;
	bpf_core_read(&inode, sizeof(inode), &file->f_inode);
	bpf_core_read(&opened.type, sizeof(opened.type), &inode->i_mode);
	opened.type &= S_IFMT;
	if (opened.type == S_IFREG) {
		bpf_core_read(&super, sizeof(super), &inode->i_sb);
		bpf_core_read(&magic, sizeof(magic), &super->s_magic);
		if (magic == ANON_INODE_FS_MAGIC)
			opened.type = 0;
	}
	return opened;
}

/* A wait in a call that reads or writes one descriptor. */
static __always_inline __u32 transfer_wait(struct task_struct *task, __u64 fd, __u32 of_socket)
{
	struct opened opened = opened_at(task, fd);

	switch (opened.type) {
	case S_IFSOCK:
		return of_socket;
	case S_IFIFO:
		return ACTIVITY_PIPE;
	case S_IFREG:
	case S_IFDIR:
	case S_IFBLK:
		return ACTIVITY_FILE;
	}
	return ACTIVITY_OTHER;
}

static __always_inline __u32 splice_wait(struct task_struct *task, __u64 from, __u64 to)
{
	if (opened_at(task, from).type == S_IFSOCK)
		return ACTIVITY_SOCKET_READ;
	return opened_at(task, to).type == S_IFSOCK ? ACTIVITY_SOCKET_WRITE : ACTIVITY_PIPE;
}

/* The rest is of global functions, which the verifier walks once and not at each call. They take no task, which
 * kernels before 6.8 would not let them: at a switch the current one is the one that leaves. */

/* A wait until one descriptor is ready: what the program would be blocked by if it read or wrote at once.
 * ACTIVITY_POLL where there is no such word. */
__noinline int ready_wait(__u64 fd, __u32 events)
{
	struct opened opened = opened_at(bpf_get_current_task_btf(), fd);
	struct file *file = opened.file;
	struct socket *socket = 0;
	struct sock *sk = 0;
	__u8 state = 0;

	if (opened.type == S_IFIFO)
		return ACTIVITY_PIPE;
	if (opened.type != S_IFSOCK)
		return ACTIVITY_POLL;
	bpf_core_read(&socket, sizeof(socket), &file->private_data);
	bpf_core_read(&sk, sizeof(sk), &socket->sk);
	bpf_core_read(&state, sizeof(state), &sk->__sk_common.skc_state);
	if (state == TCP_LISTEN)
		return ACTIVITY_ACCEPT;
	if (state == TCP_SYN_SENT)
		return ACTIVITY_CONNECT;
	if (events & POLL_READ)
		return ACTIVITY_SOCKET_READ;
	return events & POLL_WRITE ? ACTIVITY_SOCKET_WRITE : ACTIVITY_POLL;
}

/* Of several descriptors: the wait that they agree on, 0 at first. */
static __always_inline __u32 agreed(__u32 so_far, __u32 wait, __u32 disagreed)
{
	return !so_far || so_far == wait ? wait : disagreed;
}

__noinline int poll_wait(__u64 list, __u32 length)
{
	__u32 wait = 0;

	if (length > MAX_POLLED)
		return ACTIVITY_POLL;
	ROLLED for (__u32 i = 0; i < MAX_POLLED; i++) {
		struct pollfd polled;

		if (i >= length)
			break;
		if (bpf_probe_read_user(&polled, sizeof(polled), (void *)(list + i * sizeof(polled))))
			return ACTIVITY_POLL;
		if (polled.fd < 0)
			continue;
		wait = agreed(wait, ready_wait(polled.fd, polled.events), ACTIVITY_POLL);
	}
	return wait ?: ACTIVITY_SLEEP; /* for nothing but time */
}

/* The lowest bit that is set. */
__noinline int lowest(__u64 v)
{
	__u32 n = 0;

	v &= -v;
	n |= !!(v & 0xaaaaaaaaaaaaaaaaULL);
	n |= !!(v & 0xccccccccccccccccULL) << 1;
	n |= !!(v & 0xf0f0f0f0f0f0f0f0ULL) << 2;
	n |= !!(v & 0xff00ff00ff00ff00ULL) << 3;
	n |= !!(v & 0xffff0000ffff0000ULL) << 4;
	n |= !!(v & 0xffffffff00000000ULL) << 5;
	return n;
}

/* What the kernel takes notice of in a word of a set: not of what is beyond the last descriptor. A branch in the loop
 * itself would have the verifier of Linux 6.18 walk that a million times. */
__noinline __u64 noticed(__u64 word, __u32 i, __u32 below)
{
	return i == below / 64 ? word & ((1ULL << below % 64) - 1) : word;
}

/* One of select's sets: `wait` is what the ones before agree on. */
__noinline int set_wait(__u64 at, __u32 below, __u32 events, __u32 wait)
{
	__u64 words[SET_WORDS] = {};
	__u32 size = (below + 63) / 64 * sizeof(words[0]), looked = 0;

	if (!at)
		return wait;
	if (size > sizeof(words) || bpf_probe_read_user(words, size, (void *)at))
		return ACTIVITY_SELECT;
	ROLLED for (__u32 i = 0; i < SET_WORDS; i++) {
		__u64 bits = noticed(words[i], i, below);

		ROLLED for (int j = 0; bits && j <= MAX_POLLED; j++) {
			__u32 ready = ready_wait(i * 64 + lowest(bits), events);

			wait = agreed(wait, ready == ACTIVITY_POLL ? ACTIVITY_SELECT : ready, ACTIVITY_SELECT);
			if (wait == ACTIVITY_SELECT || ++looked > MAX_POLLED)
				return ACTIVITY_SELECT;
			bits &= bits - 1;
		}
	}
	return wait;
}

/* What is awaited in the third set has no word, and mostly does not come: it counts when it is all there is. */
__noinline int select_wait(__u32 below, __u64 readable, __u64 writable, __u64 excepted)
{
	__u32 wait = set_wait(readable, below, POLL_READ, 0);

	wait = set_wait(writable, below, POLL_WRITE, wait);
	if (!wait && set_wait(excepted, below, 0, 0))
		return ACTIVITY_SELECT;
	return wait ?: ACTIVITY_SLEEP;
}

/* Why a thread that has just been blocked is blocked. `state` is its state, `waited` its last wait in a call. */
static __always_inline __u32 wait_of(struct task_struct *task, __u32 state, __u32 waited)
{
	struct pt_regs *regs;
	long number;
	__u32 wait;

	if (state & TASK_STOPPED_OR_TRACED)
		return ACTIVITY_STOPPED;
	if (task->flags & PF_IO_WORKER)
		return ACTIVITY_IO_URING;
	regs = (struct pt_regs *)bpf_task_pt_regs(task);
	number = syscall_number(regs);
	if (number == NO_SYSCALL)
		return ACTIVITY_PAGE_FAULT;
	if (number < 0 || number >= SYSCALLS || task->thread_info.status & TS_COMPAT)
		return ACTIVITY_OTHER;
	wait = syscall_waits[number];
	switch (wait) {
	case WAIT_READ:
		return transfer_wait(task, syscall_argument(regs, 0), ACTIVITY_SOCKET_READ);
	case WAIT_WRITE:
		return transfer_wait(task, syscall_argument(regs, 0), ACTIVITY_SOCKET_WRITE);
	case WAIT_SPLICE:
		return splice_wait(task, syscall_argument(regs, 0), syscall_argument(regs, 2));
	case WAIT_POLL:
		return poll_wait(syscall_argument(regs, 0), syscall_argument(regs, 1));
	case WAIT_SELECT:
		return select_wait(syscall_argument(regs, 0), syscall_argument(regs, 1), syscall_argument(regs, 2),
				   syscall_argument(regs, 3));
	case WAIT_AGAIN:
		return waited ?: ACTIVITY_OTHER;
	}
	return wait ?: ACTIVITY_OTHER;
}

#endif
