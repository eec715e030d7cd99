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
#define IPPROTO_TCP 6
#define IPPROTO_UDP 17
#define MSG_PEEK 0x2
#define MSG_ERRQUEUE 0x2000
#define EAGAIN 11
#define EEXIST 17

/* include/net/tcp_states.h */
enum {
	TCP_ESTABLISHED = 1,
	TCP_SYN_SENT = 2,
	TCP_CLOSE = 7,
	TCP_LISTEN = 10,
};

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

struct task_struct {
	int pid;
	int tgid;
	struct mm_struct *mm;
	struct task_rss_stat rss_stat;
	struct signal_struct *signal;
	unsigned long nvcsw;  /* voluntary context switches */
	unsigned long nivcsw; /* involuntary context switches */
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
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
	atomic64_t skc_cookie; /* 0 until somebody asks for it */
};

struct sock {
	struct sock_common __sk_common;
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
	unsigned long ip;
};

struct pt_regs___arm64 {
	__u64 regs[31];
	__u64 pc;
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
