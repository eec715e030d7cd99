/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */

/* For how long does a connection await a reply, and whose call pays for it? */
#ifndef WEFT_REPLY_BPF_H
#define WEFT_REPLY_BPF_H

#include "stack.bpf.h"
#include "target.bpf.h"

/* cookie → who sent the last request, from where: what the time until the reply is charged to. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, __u64);
	__type(value, struct weight_key);
} requests SEC(".maps");

/* The same of unix sockets, which age out as their accounts do. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, __u64);
	__type(value, struct weight_key);
} unix_requests SEC(".maps");

static __always_inline void *requests_of(const struct connection *connection)
{
	return connection->transport == TRANSPORT_UNIX ? (void *)&unix_requests : (void *)&requests;
}

/* Remembers the stack of the last send, or of a server's last receive. */
static __always_inline void request_from(struct connection *connection, const struct weight_key *key)
{
	void *map = requests_of(connection);
	struct weight_key *last = bpf_map_lookup_elem(map, &connection->cookie);

	if (last)
		*last = *key;
	else if (bpf_map_update_elem(map, &connection->cookie, key, BPF_ANY))
		lose(LOSS_REQUESTS);
}

/* Whom a wait is charged to where nobody is remembered, by enum awaited. */
static const struct weight_key nobody[] = {
	[AWAITED_REPLY] = { .kind = STACK_REPLYWAIT, .wait = AWAITED_REPLY },
	[AWAITED_REQUEST] = { .kind = STACK_REPLYWAIT, .wait = AWAITED_REQUEST },
	[AWAITED_CLOSE] = { .kind = STACK_REPLYWAIT, .wait = AWAITED_CLOSE },
};

/* Not inlined: so its types are in the BTF that Go's are made from. The key is changed where it stands, since there is no
 * room on the stack before Linux 6.3: of two ends at once, each of its own piece, one may be taken for the other. */
static __noinline void charge_wait(struct connection *connection, __u64 ns, enum awaited how)
{
	struct weight_key *last = bpf_map_lookup_elem(requests_of(connection), &connection->cookie);
	struct weight by = { .count = how == AWAITED_REPLY, .amount = ns };

	if (last)
		last->wait = how;
	weight_add(last ?: &nobody[how], &by);
}

/* Time that a reply was awaited is over: a piece of it, or the rest. */
static __always_inline void awaiting_add(struct connection *connection, __u64 since, __u64 now, enum awaited how)
{
	__u64 ns = now > since ? now - since : 0; /* each was read before its hook got here, on two CPUs perhaps */

	__sync_fetch_and_add(&connection->awaited_ns, ns);
	if (how == AWAITED_REPLY)
		__sync_fetch_and_add(&connection->replies, 1);
	if (collect_stacks)
		charge_wait(connection, ns, how);
}

/* Does this call ask for a reply, or take a question? */
static __always_inline bool is_question(struct connection *connection, bool send, int ret)
{
	return connection && ret > 0 && connection->side == (send ? SIDE_CLIENT : SIDE_SERVER);
}

/* The call is not the first of its request: what was awaited until now is charged to the call before, whose place it then
 * takes. */
static __always_inline void awaiting_go_on(struct connection *connection, __u64 now)
{
	__u64 since = connection->awaiting_ns;

	if (since && since < now && __sync_val_compare_and_swap(&connection->awaiting_ns, since, now) == since)
		awaiting_add(connection, since, now, AWAITED_REQUEST);
}

/* Awaiting a reply begins with the first sent byte of a request. */
static __always_inline void awaiting_begin(struct connection *connection, __u64 now)
{
	if (!__sync_val_compare_and_swap(&connection->awaiting_ns, 0, now))
		gauge_add(GAUGE_AWAITING, 1, now);
}

/* It ends with the first byte of the reply, or without one. */
static __always_inline void awaiting_end(struct connection *connection, bool reply, __u64 now)
{
	__u64 since = __sync_lock_test_and_set(&connection->awaiting_ns, 0);

	if (!since)
		return;
	gauge_add(GAUGE_AWAITING, -1, now);
	awaiting_add(connection, since, now, reply ? AWAITED_REPLY : AWAITED_CLOSE);
}

/* A reply can be received by another thread before the hook of the send that asked for it has run. TCP's own
 * sequence number tells: write_seq moves before the data leaves, so a receive remembers up to where everything is
 * answered. It does so before it ends the wait, and a send looks after it has begun one: whichever hook is first,
 * one of them ends the wait, and only one. */
static __always_inline void connection_answered(struct connection *connection, struct sock *sk)
{
	struct tcp_sock *tcp = connection->transport == TRANSPORT_TCP ? bpf_skc_to_tcp_sock(sk) : 0;

	if (!tcp)
		return;
	connection->answered_seq = tcp->write_seq;
	connection->answered = 1;
}

static __always_inline bool connection_is_answered(struct connection *connection, struct sock *sk)
{
	struct tcp_sock *tcp = connection->answered ? bpf_skc_to_tcp_sock(sk) : 0;

	return tcp && (__s32)(connection->answered_seq - tcp->write_seq) >= 0;
}

static __always_inline void connection_sent(struct connection *connection, struct sock *sk, int ret, __u64 now)
{
	if (ret <= 0)
		return;
	if (connection->side == SIDE_SERVER)
		awaiting_end(connection, true, now);
	if (connection->side != SIDE_CLIENT)
		return;
	awaiting_begin(connection, now);
	if (connection_is_answered(connection, sk))
		awaiting_end(connection, true, now);
}

/* A receive of 0 bytes is the end of the stream, or was asked for no more: some wait for data in this way. */
static __always_inline bool is_end(struct sock *sk)
{
	return sk->sk_shutdown & RCV_SHUTDOWN || sk->__sk_common.skc_state == TCP_CLOSE;
}

static __always_inline void connection_received(struct connection *connection, struct sock *sk, int ret, __u64 now)
{
	if (ret < 0 || (!ret && !is_end(sk)))
		return;
	if (connection->side == SIDE_CLIENT) {
		if (ret > 0)
			connection_answered(connection, sk);
		awaiting_end(connection, ret > 0, now);
	} else if (connection->side == SIDE_SERVER && ret > 0) {
		awaiting_begin(connection, now);
	}
}

#endif
