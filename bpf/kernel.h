/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */

/* The kernel's structs, trimmed by hand to the fields that are read: libbpf-style CO-RE relocation finds their
 * offsets on the running kernel, so neither a 3 MB vmlinux.h nor kernel headers are needed. */
#ifndef WEFT_KERNEL_H
#define WEFT_KERNEL_H

#include <stdbool.h>
#include <stddef.h>

#include <linux/bpf.h>
#include <linux/types.h>

#define AF_UNIX 1
#define AF_INET 2
#define AF_INET6 10
#define SOCK_STREAM 1
#define SOCK_SEQPACKET 5
#define IPPROTO_TCP 6
#define IPPROTO_UDP 17
#define IPPROTO_MPTCP 262
#define MSG_PEEK 0x2
#define MSG_ERRQUEUE 0x2000
#define EAGAIN 11
#define EEXIST 17
#define ERESTARTSYS 512 /* include/linux/errno.h: from here on, a program does not see them */

/* include/net/tcp_states.h */
enum {
	TCP_ESTABLISHED = 1,
	TCP_SYN_SENT = 2,
	TCP_FIN_WAIT1 = 4,
	TCP_CLOSE = 7,
	TCP_LAST_ACK = 9,
	TCP_LISTEN = 10,
};

/* include/net/sock.h */
#define RCV_SHUTDOWN 1

/* include/linux/sched.h */
#define TASK_INTERRUPTIBLE 0x1
#define TASK_STOPPED_OR_TRACED (0x4 | 0x8)
#define TASK_DEAD 0x80
#define PF_EXITING 0x4
#define PF_IO_WORKER 0x10

/* include/uapi/linux/stat.h */
#define S_IFMT 0170000
#define S_IFSOCK 0140000
#define S_IFREG 0100000
#define S_IFBLK 0060000
#define S_IFDIR 0040000
#define S_IFIFO 0010000

#define ANON_INODE_FS_MAGIC 0x09041934 /* include/uapi/linux/magic.h */

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
	int counter;
} atomic_t;

typedef struct {
	__s64 counter;
} atomic64_t;

struct signal_struct {
	atomic_t live; /* threads that have not begun to exit */
};

struct task_struct;

struct mm_struct {
	struct task_struct *owner; /* NULL once its last user has left; needs CONFIG_MEMCG */
};

struct mm_rss_stat {
	atomic64_t count[4];
};

/* Before Linux 6.2 (f1a7941243c1). */
struct mm_struct___whole_counters {
	struct mm_rss_stat rss_stat;
};

/* The record of kmem:rss_stat. */
struct trace_event_raw_rss_stat {
	unsigned int mm_id;
	int member;
	long size; /* bytes */
};

/* What a thread has counted and not yet handed in to its mm. Before Linux 6.2 (SPLIT_RSS_COUNTING). */
struct task_rss_stat {
	int count[4];
};

struct thread_info {
	__u32 status;
	__u32 cpu; /* Linux 5.16, commit bcf9033e5449 */
};

struct rq {
	__u64 clock;      /* sched_clock when it was last read, early in each switch and wake-up */
	__u64 clock_task; /* the same without the host's steal and the time of interrupts */
};

struct cfs_rq {
	struct rq *rq; /* CONFIG_FAIR_GROUP_SCHED */
};

struct sched_entity {
	struct cfs_rq *cfs_rq;
	__u64 exec_start; /* clock_task up to which sum_exec_runtime goes */
	__u64 sum_exec_runtime;
	__u64 nr_migrations;
};

struct sched_info {
	unsigned long long run_delay;
	unsigned long long last_arrival; /* the run queue's clock when it came on the CPU */
	unsigned long long last_queued;  /* when it became ready; 0 when it is not */
};

struct super_block {
	unsigned long s_magic;
};

struct inode {
	unsigned short i_mode;
	struct super_block *i_sb;
};

struct file {
	struct inode *f_inode;
	void *private_data;
};

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};

struct files_struct {
	struct fdtable *fdt;
};

struct bpf_local_storage;

struct thread_struct {
	unsigned long fsbase; /* amd64: the thread pointer; of the current thread, as last set by a system call */
};

struct task_struct {
	struct thread_info thread_info;
	unsigned int __state; /* `state` before 5.14 */
	unsigned int flags;
	struct sched_entity se;
	struct sched_info sched_info;
	struct files_struct *files;
	struct bpf_local_storage *bpf_storage; /* NULL unless a BPF program keeps something of it */
	int pid;
	int tgid;
	struct mm_struct *mm;
	__u64 self_exec_id; /* how often it has exec'd, its forebears included; 64 bits since 5.6 */
	struct task_rss_stat rss_stat;
	struct signal_struct *signal;
	unsigned long nvcsw;  /* voluntary context switches */
	unsigned long nivcsw; /* involuntary context switches */
	struct thread_struct thread;
	char comm[16];
};

struct in6_addr {
	union {
		__u8 u6_addr8[16];
	} in6_u;
};

struct sock_common {
	__be32 skc_daddr;
	__be32 skc_rcv_saddr;
	__be16 skc_dport;
	__u16 skc_num;
	unsigned short skc_family;
	volatile unsigned char skc_state;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
	atomic64_t skc_cookie; /* 0 until somebody asks for it */
};

struct sock {
	struct sock_common __sk_common;
	__u8 sk_shutdown; /* RCV_SHUTDOWN | SEND_SHUTDOWN */
	__u16 sk_type;
	__u16 sk_protocol;
};

struct socket {
	struct sock *sk;
};

struct tcp_sock {
	__u32 write_seq; /* tail of the data that the program has handed over */
};

struct unix_address;

struct unix_sock {
	struct unix_address *addr; /* NULL unless bound, or accepted by a bound listener */
	struct sock *peer;
};

/* The registers that a thread had in user mode: of each machine its own, told apart by their fields. */
struct pt_regs___x86 {
	unsigned long bp;
	unsigned long orig_ax; /* number of the system call, -1 in an interrupt */
	unsigned long ip;
};

struct pt_regs___arm64 {
	__u64 regs[31];
	__u64 pc;
	__s32 syscallno; /* -1 in an interrupt */
};

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
};

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};

#pragma clang attribute pop

#endif
