/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */

/* The life of one socket. Sockets are ours by cookie, not by `current`: a state changes in anyone's context. */
#ifndef WEFT_CONNECTION_BPF_H
#define WEFT_CONNECTION_BPF_H

#include "listener.bpf.h"
#include "reply.bpf.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>

/* The low bits of a cookie → TCP connection, from SYN_SENT or a target's first transfer to the socket's end. The kernel
 * numbers its sockets (a CPU takes 4,096 numbers at a time, net/core/sock_diag.c), so that few meet in a slot, and to
 * look there takes 5 ns where a hash takes 35. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE); /* nobody maps it: it begins at a page, and so each slot at a cache line */
	__uint(max_entries, 16384);
	__type(key, __u32);
	__type(value, struct connection);
} connections SEC(".maps");

/* cookie → TCP connection whose slot another one has. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, __u64);
	__type(value, struct connection);
} connections_overflow SEC(".maps");

/* How many slots `connections` has, a power of two, or 0 for none. Set by Go before load. */
const volatile __u32 connection_slots = 16384;

/* cookie → UDP or unix socket. No hook tells their end, so the least recently used makes room. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, __u64);
	__type(value, struct connection);
} datagrams SEC(".maps");

/* cookie of a connection that found no room, so that each is counted once. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, __u64);
	__type(value, __u8);
} refused SEC(".maps");

/* enum transport → sums. Only sums: what crosses CPUs is not here. Of TCP only what no connection's account has:
 * two atomic adds less at each event. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, TRANSPORT_MAX);
	__type(key, enum transport);
	__type(value, struct totals);
} totals_by_transport SEC(".maps");

/* The helper makes a cookie where there is none; reading one that is there is several times faster. */
static __always_inline __u64 cookie_of(struct sock *sk)
{
	__u64 cookie = sk->__sk_common.skc_cookie.counter;

	return cookie ?: bpf_get_socket_cookie(sk);
}

static __always_inline struct totals *totals_of(__u32 transport)
{
	return transport == TRANSPORT_NONE ? 0 : bpf_map_lookup_elem(&totals_by_transport, &transport);
}

static __always_inline void count_opened(__u32 transport)
{
	struct totals *totals = totals_of(transport);

	if (totals)
		__sync_fetch_and_add(&totals->opened, 1);
}

static __always_inline __u32 transport_of(struct sock *sk)
{
	__u16 family = sk->__sk_common.skc_family, protocol = sk->sk_protocol;

	if (family == AF_UNIX)
		return TRANSPORT_UNIX;
	if (family != AF_INET && family != AF_INET6)
		return TRANSPORT_NONE;
	if (protocol == IPPROTO_TCP)
		return TRANSPORT_TCP;
	return protocol == IPPROTO_UDP ? TRANSPORT_UDP : TRANSPORT_NONE;
}

static __always_inline void fill_address(struct connection *connection, struct sock *sk)
{
	connection->local_port = sk->__sk_common.skc_num;
	connection->remote_port = bpf_ntohs(sk->__sk_common.skc_dport);
	if (connection->family == AF_INET) {
		__builtin_memcpy(connection->local_addr, &sk->__sk_common.skc_rcv_saddr, 4);
		__builtin_memcpy(connection->remote_addr, &sk->__sk_common.skc_daddr, 4);
	} else if (connection->family == AF_INET6) {
		BPF_CORE_READ_INTO(&connection->local_addr, sk, __sk_common.skc_v6_rcv_saddr.in6_u.u6_addr8);
		BPF_CORE_READ_INTO(&connection->remote_addr, sk, __sk_common.skc_v6_daddr.in6_u.u6_addr8);
	}
}

/* Of a unix stream, the accepted end carries its listener's address and the connecting one none; both ends of
 * a socketpair carry none. */
static __always_inline __u8 unix_side(struct sock *sk)
{
	struct unix_sock *own = (struct unix_sock *)sk;
	struct sock *peer = BPF_CORE_READ(own, peer);
	struct unix_address *there = peer ? BPF_CORE_READ((struct unix_sock *)peer, addr) : 0;
	struct unix_address *here = BPF_CORE_READ(own, addr);

	if (sk->sk_type != SOCK_STREAM || !peer || !here == !there)
		return SIDE_UNKNOWN;
	return here ? SIDE_SERVER : SIDE_CLIENT;
}

static __always_inline __u8 side_of(struct sock *sk, __u32 transport)
{
	__u16 port = sk->__sk_common.skc_num;

	if (transport == TRANSPORT_UNIX)
		return unix_side(sk);
	if (transport == TRANSPORT_TCP && is_listening(port))
		return SIDE_SERVER;
	return SIDE_UNKNOWN;
}

static __always_inline struct connection *slot_of(__u64 cookie)
{
	__u32 i = (cookie ^ cookie >> 14) & (connection_slots - 1); /* of both ends of many connections each second is ours */

	return connection_slots ? bpf_map_lookup_elem(&connections, &i) : 0;
}

/* The account of a TCP connection. */
static __always_inline struct connection *connection_find(__u64 cookie)
{
	struct connection *slot = slot_of(cookie);

	if (slot && slot->cookie == cookie && cookie)
		return slot;
	return bpf_map_lookup_elem(&connections_overflow, &cookie);
}

static __always_inline void connection_fill(struct connection *connection, struct sock *sk, __u32 transport, __u8 side,
					    __u64 now)
{
	__u64 pid_tgid = bpf_get_current_pid_tgid();

	connection->open_ns = now;
	connection->pid = pid_tgid >> 32;
	connection->tid = (__u32)pid_tgid;
	connection->side = side;
	connection->family = sk->__sk_common.skc_family;
	fill_address(connection, sk);
	connection->transport = transport; /* last: without it the account is not read */
}

/* Takes the cookie's slot, if it is free. What another CPU counts for the same socket meanwhile stays. */
static __always_inline struct connection *slot_take(__u64 cookie)
{
	struct connection *slot = slot_of(cookie);

	return slot && !__sync_val_compare_and_swap(&slot->cookie, 0, cookie) ? slot : 0;
}

static __always_inline void slot_free(struct connection *slot)
{
	__builtin_memset((void *)slot + sizeof(slot->cookie), 0, sizeof(*slot) - sizeof(slot->cookie));
	__sync_lock_test_and_set(&slot->cookie, 0); /* last */
}

static const struct connection no_connection; /* not on the stack, of which before Linux 6.3 nothing is left */

/* The account of a socket that has no slot, made where there is none; 0 and counted where there is no room. */
static __always_inline struct connection *connection_in_table(__u64 cookie, __u32 transport, bool *made)
{
	void *map = transport == TRANSPORT_TCP ? (void *)&connections_overflow : (void *)&datagrams;
	struct connection *found;
	__u8 one = 1;

	*made = !bpf_map_update_elem(map, &cookie, &no_connection, BPF_NOEXIST);
	found = bpf_map_lookup_elem(map, &cookie); /* where it is not made, another CPU was first */
	if (found)
		found->cookie = cookie;
	else if (!*made && !bpf_map_update_elem(&refused, &cookie, &one, BPF_NOEXIST)) {
		lose(LOSS_CONNECTIONS);
		count_opened(transport);
	}
	return found;
}

static __always_inline struct connection *connection_begin(struct sock *sk, __u64 cookie, __u32 transport, __u8 side,
							   __u64 now)
{
	struct connection *found = 0;
	bool made = true;

	if (!cookie || bpf_map_lookup_elem(&refused, &cookie))
		return 0; /* counted as lost: it stays so when room is made */
	if (transport == TRANSPORT_TCP) {
		found = slot_take(cookie);
		if (!found) {
			found = connection_find(cookie);
			if (found)
				return found; /* another CPU was first */
		}
	}
	if (!found)
		found = connection_in_table(cookie, transport, &made);
	if (made)
		count_opened(transport);
	if (made && found)
		connection_fill(found, sk, transport, side, now);
	return found;
}

static __always_inline struct connection *connection_of(struct sock *sk, __u32 transport, __u64 now)
{
	__u64 cookie = cookie_of(sk);
	struct connection *connection = transport == TRANSPORT_TCP ? connection_find(cookie)
								   : bpf_map_lookup_elem(&datagrams, &cookie);

	if (!connection)
		return connection_begin(sk, cookie, transport, side_of(sk, transport), now ?: bpf_ktime_get_ns());
	if (!connection->local_port && transport != TRANSPORT_UNIX)
		fill_address(connection, sk); /* SYN_SENT comes before the port is chosen */
	return connection;
}

/* Counts a call in its connection's account. What would block is in no account, but in the totals. */
static __always_inline void connection_count(struct connection *connection, bool send, int ret, __u64 now)
{
	struct carried *carried = send ? &connection->sent : &connection->recv;

	if (ret == -EAGAIN)
		return;
	if (ret < 0) {
		__sync_fetch_and_add(send ? &connection->send_errors : &connection->recv_errors, 1);
		return;
	}
	__sync_fetch_and_add(&carried->calls, 1);
	if (ret && !__sync_fetch_and_add(&carried->bytes, ret))
		*(send ? &connection->first_send_ns : &connection->first_recv_ns) = now;
}

static __always_inline void connection_connecting(struct sock *sk)
{
	__u64 cookie = cookie_of(sk);
	struct connection *connection = connection_find(cookie);

	if (!connection) {
		connection_begin(sk, cookie, TRANSPORT_TCP, SIDE_CLIENT, bpf_ktime_get_ns());
		return;
	}
	/* The same socket connects again, after it was refused or disconnected. Its sequence begins anew. */
	connection->side = SIDE_CLIENT;
	connection->connected_ns = 0;
	connection->close_ns = 0;
	connection->answered = 0;
}

static __always_inline void connection_established(struct sock *sk)
{
	__u64 cookie = cookie_of(sk);
	struct connection *connection = connection_find(cookie);

	if (!connection || connection->connected_ns)
		return;
	connection->connected_ns = bpf_ktime_get_ns();
	fill_address(connection, sk);
}

/* The program has closed it: what it still awaits it will not get. Until TCP has done with it more time passes. */
static __always_inline void connection_left(struct sock *sk)
{
	struct connection *connection = connection_find(cookie_of(sk));

	if (connection && connection->awaiting_ns)
		awaiting_end(connection, false, bpf_ktime_get_ns());
}

static __always_inline void connection_closed(struct sock *sk)
{
	__u64 cookie = cookie_of(sk), now;
	struct connection *connection = connection_find(cookie);

	if (!connection || connection->close_ns)
		return;
	now = bpf_ktime_get_ns();
	connection->close_ns = now;
	awaiting_end(connection, false, now);
}

static __always_inline void flow_fold(struct flow *into, const struct carried *carried, __u64 errors)
{
	__sync_fetch_and_add(&into->bytes, carried->bytes);
	__sync_fetch_and_add(&into->calls, carried->calls);
	__sync_fetch_and_add(&into->errors, errors);
}

/* Adds an account that nobody will see to the totals. */
static __always_inline void connection_fold(const struct connection *connection)
{
	struct totals *totals = totals_of(TRANSPORT_TCP);

	if (!totals)
		return;
	flow_fold(&totals->sent, &connection->sent, connection->send_errors);
	flow_fold(&totals->recv, &connection->recv, connection->recv_errors);
	__sync_fetch_and_add(&totals->retransmits, connection->retransmits);
}

static __always_inline void connection_gone(struct sock *sk)
{
	__u64 cookie = cookie_of(sk);
	struct connection *connection = connection_find(cookie);
	struct connection_event *event;
	__u64 now;

	if (!connection)
		return;
	now = bpf_ktime_get_ns();
	awaiting_end(connection, false, now);
	if (!connection->close_ns)
		connection->close_ns = now;
	event = reserve_event(EVENT_CONNECTION_GONE, sizeof(*event), LOSS_CONNECTION_RING);
	if (event) {
		event->connection = *connection;
		bpf_ringbuf_submit(event, BPF_RB_NO_WAKEUP);
	} else {
		connection_fold(connection);
	}
	if (collect_stacks)
		bpf_map_delete_elem(&requests, &cookie);
	if (connection == slot_of(cookie))
		slot_free(connection);
	else
		bpf_map_delete_elem(&connections_overflow, &cookie);
}

#endif
