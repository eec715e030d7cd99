//go:build ignore

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */

/* Which connection carried how many bytes and calls, and how many awaited a reply, for how long? */
#define STACK_BUFFERS 16

#include "connection.bpf.h"

#include <bpf/bpf_tracing.h>

static __always_inline void count_total(__u32 transport, bool send, int ret)
{
	struct totals *totals = totals_of(transport);
	struct flow *flow;

	if (!totals)
		return;
	flow = send ? &totals->sent : &totals->recv;
	if (ret >= 0) {
		__sync_fetch_and_add(&flow->calls, 1);
		__sync_fetch_and_add(&flow->bytes, ret);
	} else if (ret == -EAGAIN) {
		__sync_fetch_and_add(&flow->would_block, 1);
	} else {
		__sync_fetch_and_add(&flow->errors, 1);
	}
}

static __always_inline void count_thread(struct thread *thread, bool send, int ret)
{
	if (ret == -EAGAIN)
		thread->would_block++;
	if (ret < 0)
		return;
	if (send) {
		thread->sent_calls++;
		thread->sent_bytes += ret;
	} else {
		thread->recv_calls++;
		thread->recv_bytes += ret;
	}
}

/* Charges a call to its stack, and remembers that where the call asks for a reply or owes one: before the wait begins,
 * since another thread may end it at once. */
static __always_inline void charge_call(void *ctx, struct connection *connection, __u32 transport, bool send, int ret,
					__u32 buffer)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct weight_key key = {};
	struct weight by = { .count = 1 };

	if (send)
		by.amount = ret;
	else
		by.other = ret;
	key_take(&key, ctx, task, 1 + buffer * TRANSPORT_MAX + transport, buffer, STACK_SOCKET, 0);
	weight_add(&key, &by);
	key.kind = STACK_REPLYWAIT;
	if (is_question(connection, send, ret))
		request_from(connection, &key);
}

/* The one handler of all send and receive hooks: `ret` is what the call of a target's thread returned. The thread may
 * have no account. */
static __always_inline int transferred(void *ctx, struct thread *thread, struct sock *sk, int ret, bool send,
				       __u32 buffer)
{
	struct connection *connection;
	__u32 transport;
	__u64 now;

	if (!sk)
		return 0;
	transport = transport_of(sk);
	if (transport == TRANSPORT_NONE && ret >= 0 && sk->sk_protocol == IPPROTO_MPTCP)
		lose(LOSS_MULTIPATH);
	if (transport == TRANSPORT_NONE || ret <= -ERESTARTSYS) /* a call that begins anew after a signal is yet to come */
		return 0;
	now = ret < 0 ? 0 : bpf_ktime_get_ns(); /* a call that moved nothing needs no time, and many would block */
	if (thread)
		count_thread(thread, send, ret);
	if (ret == -EAGAIN) { /* in no account but these */
		count_total(transport, send, ret);
		return 0;
	}
	connection = connection_of(sk, transport, now);
	if (is_question(connection, send, ret))
		awaiting_go_on(connection, now);
	if (collect_stacks && ret >= 0)
		charge_call(ctx, connection, transport, send, ret, buffer);
	if (connection) {
		connection_count(connection, send, ret, now);
		if (send)
			connection_sent(connection, sk, ret, now);
		else
			connection_received(connection, sk, ret, now);
	}
	/* A TCP connection's account is never lost without having been added to the totals: see connection_gone. */
	if (!connection || transport != TRANSPORT_TCP)
		count_total(transport, send, ret);
	return 0;
}

/* A look at data that stays in the queue, or at the error queue, carries no bytes. */
#define MSG_NO_DATA (MSG_PEEK | MSG_ERRQUEUE)

/* Most threads of a machine have no storage at all: no other filter is as cheap. A target's thread has, unless there was
 * no memory for it, which is counted as lost. */
static __always_inline int transferred_by_thread(void *ctx, struct sock *sk, int ret, bool send, __u32 buffer)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct thread *thread = task->bpf_storage ? thread_of(task) : 0;

	return thread ? transferred(ctx, thread, sk, ret, send, buffer) : 0;
}

/* Before Linux 6.2 storage may be refused, when a thread is made and when it is looked for. */
static __always_inline int transferred_by_process(void *ctx, struct sock *sk, int ret, bool send, __u32 buffer)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct thread *thread;

	if (!is_marked(task->tgid))
		return 0;
	thread = thread_of(task);
	if (!thread && !is_target(task->tgid))
		return 0;
	if (!thread)
		thread = thread_begin(task, 0, bpf_ktime_get_ns());
	return transferred(ctx, thread, sk, ret, send, buffer);
}

/* From Linux 6.3 (commit 6e6eda44b939): one hook each way for all families, inside the generic call. */
SEC("tp_btf/sock_send_length")
int BPF_PROG(sock_send_length, struct sock *sk, int ret)
{
	return transferred_by_thread(ctx, sk, ret, true, 0);
}

SEC("tp_btf/sock_recv_length")
int BPF_PROG(sock_recv_length, struct sock *sk, int ret, int flags)
{
	return flags & MSG_NO_DATA ? 0 : transferred_by_thread(ctx, sk, ret, false, 1);
}

/* Before 6.3: each family's own function. sock_sendmsg itself is inlined into sock_write_iter there, so that
 * write(2) would not be seen. */
#define SENDMSG_UNLESS(name, buffer, other)                                                    \
	SEC("fexit/" #name)                                                                    \
	int BPF_PROG(name, struct socket *sock, void *msg, size_t size, int ret)               \
	{                                                                                      \
		if (other)                                                                     \
			return 0;                                                              \
		return transferred_by_process(ctx, sock->sk, ret, true, buffer);               \
	}

#define SENDPAGE(name, buffer)                                                                 \
	SEC("fexit/" #name)                                                                    \
	int BPF_PROG(name, struct socket *sock, void *page, int at, size_t n, int f, long ret) \
	{                                                                                      \
		return transferred_by_process(ctx, sock->sk, ret, true, buffer);               \
	}

#define RECVMSG_UNLESS(name, buffer, other)                                                    \
	SEC("fexit/" #name)                                                                    \
	int BPF_PROG(name, struct socket *sock, void *msg, size_t size, int flags, int ret)    \
	{                                                                                      \
		if (flags & MSG_NO_DATA || (other))                                            \
			return 0;                                                              \
		return transferred_by_process(ctx, sock->sk, ret, false, buffer);              \
	}

#define SENDMSG(name, buffer) SENDMSG_UNLESS(name, buffer, false)
#define RECVMSG(name, buffer) RECVMSG_UNLESS(name, buffer, false)

/* Their own functions call those of datagrams, unless the compiler has put these into them. */
#define IS_SEQPACKET (sock->sk->sk_type == SOCK_SEQPACKET)

SENDMSG(inet_sendmsg, 2)
SENDMSG(inet6_sendmsg, 3)
SENDMSG(unix_stream_sendmsg, 4)
SENDMSG_UNLESS(unix_dgram_sendmsg, 5, IS_SEQPACKET)
SENDMSG(unix_seqpacket_sendmsg, 6)
SENDPAGE(inet_sendpage, 7)
SENDPAGE(unix_stream_sendpage, 8)
RECVMSG(inet_recvmsg, 9)
RECVMSG(inet6_recvmsg, 10)
RECVMSG(unix_stream_recvmsg, 11)
RECVMSG_UNLESS(unix_dgram_recvmsg, 12, IS_SEQPACKET)
RECVMSG(unix_seqpacket_recvmsg, 13)

static __always_inline int state_set(struct sock *sk, int old, int new)
{
	if (sk->sk_protocol != IPPROTO_TCP)
		return 0;
	if (new == TCP_ESTABLISHED)
		connection_established(sk);
	else if (new == TCP_CLOSE && old == TCP_LISTEN)
		listener_closed(sk);
	else if (new == TCP_CLOSE)
		connection_closed(sk);
	else if ((new == TCP_FIN_WAIT1 || new == TCP_LAST_ACK) && sk->sk_shutdown & RCV_SHUTDOWN)
		connection_left(sk);
	return 0;
}

/* Runs in anyone's context: only connect(2) and listen(2) run in their caller's. */
SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(inet_sock_set_state, struct sock *sk, int old, int new)
{
	if (new == TCP_SYN_SENT && sk->sk_protocol == IPPROTO_TCP && current_is_target())
		connection_connecting(sk);
	else if (new == TCP_LISTEN && sk->sk_protocol == IPPROTO_TCP && current_is_target())
		listener_opened(sk, cookie_of(sk));
	return state_set(sk, old, new);
}

/* A packet that arrives while the program above runs for a connect(2) sets states in its midst, and the kernel
 * does not run a program in the midst of itself: this twin sees them. To see a change twice does no harm. */
SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(inet_sock_set_state_twin, struct sock *sk, int old, int new)
{
	return state_set(sk, old, new);
}

/* The last thing that happens to a TCP socket. TCP_CLOSE is not: data may still be read after it. */
SEC("tp_btf/tcp_destroy_sock")
int BPF_PROG(tcp_destroy_sock, struct sock *sk)
{
	connection_gone(sk);
	return 0;
}

SEC("tp_btf/tcp_retransmit_skb")
int BPF_PROG(tcp_retransmit_skb, struct sock *sk)
{
	__u64 cookie = cookie_of(sk);
	struct connection *connection = connection_find(cookie);

	if (connection)
		__sync_fetch_and_add(&connection->retransmits, 1);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
