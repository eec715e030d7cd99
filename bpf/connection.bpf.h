/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */

/* The life of one socket. Sockets are ours by cookie, not by `current`: a state changes in anyone's context. */
#ifndef WEFT_CONNECTION_BPF_H
#define WEFT_CONNECTION_BPF_H

#include "target.bpf.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>

/* A TCP socket → its connection, from SYN_SENT or a target's first transfer to the socket's end. In the socket's own
 * storage: found without a hash, and as many as there are sockets. A target's listening socket has one too, and the
 * kernel copies it to each socket that is accepted (BPF_F_CLONE): so the side of those is known from birth. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_CLONE);
	__type(key, int);
	__type(value, struct connection);
} connections SEC(".maps");

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
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, __u8);
} refused SEC(".maps");

/* enum transport → sums. Only sums: what crosses CPUs is not here. */
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

static __always_inline bool in_session(const struct connection *connection)
{
	struct session *session = session_now();

	return session && connection->epoch == session->epoch;
}

/* The connection of a TCP socket, if it is one of ours in this session. What it has inherited of its listener is
 * not one yet. */
static __always_inline struct connection *connection_known(struct sock *sk)
{
	struct connection *connection = bpf_sk_storage_get(&connections, sk, 0, 0);

	if (!connection || connection->listening || !in_session(connection))
		return 0;
	return connection;
}

static __always_inline void connection_refuse(__u64 cookie, struct totals *totals)
{
	__u8 one = 1;

	if (bpf_map_update_elem(&refused, &cookie, &one, BPF_NOEXIST))
		return; /* counted before */
	lose(LOSS_CONNECTIONS);
	if (totals)
		__sync_fetch_and_add(&totals->opened, 1);
}

/* The first account of a socket. */
static __always_inline void connection_init(struct connection *connection, struct sock *sk, __u64 cookie,
					    __u32 transport, __u8 side, __u64 now)
{
	__u64 pid_tgid = bpf_get_current_pid_tgid();
	struct session *session = session_now();

	__builtin_memset(connection, 0, sizeof(*connection));
	connection->cookie = cookie;
	connection->epoch = session ? session->epoch : 0;
	connection->open_ns = now;
	connection->pid = pid_tgid >> 32;
	connection->tid = (__u32)pid_tgid;
	connection->family = sk->__sk_common.skc_family;
	connection->transport = transport;
	connection->side = side;
	fill_address(connection, sk);
}

static __always_inline struct connection *stream_begin(struct sock *sk, __u8 side, __u64 now)
{
	struct connection *connection = bpf_sk_storage_get(&connections, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	struct totals *totals = totals_of(TRANSPORT_TCP);
	__u64 cookie = cookie_of(sk), old;

	if (!connection) {
		connection_refuse(cookie, totals);
		return 0;
	}
	if (bpf_map_lookup_elem(&refused, &cookie))
		return 0; /* counted as lost: it stays so when there is room again */
	old = connection->cookie;
	if (__sync_val_compare_and_swap(&connection->cookie, old, cookie) != old)
		return connection; /* another CPU was first */
	connection_init(connection, sk, cookie, TRANSPORT_TCP, side, now);
	if (totals)
		__sync_fetch_and_add(&totals->opened, 1);
	return connection;
}

/* Of what an accepted socket has inherited, its side is used and who listens: the event runs in anyone's context. */
static __always_inline struct connection *stream_accepted(struct sock *sk, __u64 now)
{
	struct connection *connection = bpf_sk_storage_get(&connections, sk, 0, 0);
	__u32 pid, tid;

	if (!connection || !connection->listening || !in_session(connection))
		return 0;
	pid = connection->pid;
	tid = connection->tid;
	connection = stream_begin(sk, SIDE_SERVER, now);
	if (!connection)
		return 0;
	connection->pid = pid;
	connection->tid = tid;
	return connection;
}

static __always_inline struct connection *stream_of(struct sock *sk, __u64 now)
{
	struct connection *connection = connection_known(sk);

	if (connection) {
		if (!connection->local_port)
			fill_address(connection, sk); /* SYN_SENT comes before the port is chosen */
		return connection;
	}
	now = now ?: bpf_ktime_get_ns();
	connection = stream_accepted(sk, now);
	return connection ?: stream_begin(sk, SIDE_UNKNOWN, now);
}

static __always_inline struct connection *datagram_of(struct sock *sk, __u32 transport, __u64 now)
{
	__u64 cookie = cookie_of(sk);
	struct connection *connection = bpf_map_lookup_elem(&datagrams, &cookie);
	struct totals *totals = totals_of(transport);
	struct connection fresh;
	__u8 side;

	if (connection)
		return connection;
	side = transport == TRANSPORT_UNIX ? unix_side(sk) : SIDE_UNKNOWN;
	connection_init(&fresh, sk, cookie, transport, side, now ?: bpf_ktime_get_ns());
	if (!bpf_map_update_elem(&datagrams, &cookie, &fresh, BPF_NOEXIST) && totals)
		__sync_fetch_and_add(&totals->opened, 1);
	connection = bpf_map_lookup_elem(&datagrams, &cookie); /* ours, or of a CPU that was first */
	if (!connection)
		connection_refuse(cookie, totals);
	return connection;
}

static __always_inline struct connection *connection_of(struct sock *sk, __u32 transport, __u64 now)
{
	return transport == TRANSPORT_TCP ? stream_of(sk, now) : datagram_of(sk, transport, now);
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
	if (reply) {
		if (now > since) /* each was read before its hook got here, on two CPUs perhaps */
			__sync_fetch_and_add(&connection->awaited_ns, now - since);
		__sync_fetch_and_add(&connection->replies, 1);
	}
}

/* A reply can be received by another thread before the hook of the send that asked for it has run. TCP's own
 * sequence number tells: write_seq moves before the data leaves, so a receive remembers up to where everything is
 * answered. It does so before it ends the wait, and a send looks after it has begun one: whichever hook is first,
 * one of them ends the wait, and only one. */
static __always_inline void connection_answered(struct connection *connection, struct sock *sk)
{
	if (connection->transport != TRANSPORT_TCP)
		return;
	connection->answered_seq = BPF_CORE_READ((struct tcp_sock *)sk, write_seq);
	connection->answered = 1;
}

static __always_inline bool connection_is_answered(struct connection *connection, struct sock *sk)
{
	if (!connection->answered || connection->transport != TRANSPORT_TCP)
		return false;
	return (__s32)(connection->answered_seq - BPF_CORE_READ((struct tcp_sock *)sk, write_seq)) >= 0;
}

static __always_inline void connection_sent(struct connection *connection, struct sock *sk, int ret, __u64 now)
{
	if (ret <= 0)
		return;
	if (!connection->first_send_ns)
		connection->first_send_ns = now;
	if (connection->side == SIDE_SERVER)
		awaiting_end(connection, true, now);
	if (connection->side != SIDE_CLIENT)
		return;
	awaiting_begin(connection, now);
	if (connection_is_answered(connection, sk))
		awaiting_end(connection, true, now);
}

static __always_inline void connection_received(struct connection *connection, struct sock *sk, int ret, __u64 now)
{
	if (ret < 0)
		return;
	if (ret > 0 && !connection->first_recv_ns)
		connection->first_recv_ns = now;
	if (connection->side == SIDE_CLIENT) {
		if (ret > 0)
			connection_answered(connection, sk);
		awaiting_end(connection, ret > 0, now);
	} else if (connection->side == SIDE_SERVER && ret > 0) {
		awaiting_begin(connection, now);
	}
}

static __always_inline void connection_connecting(struct sock *sk)
{
	struct connection *connection = connection_known(sk);

	if (!connection) {
		stream_begin(sk, SIDE_CLIENT, bpf_ktime_get_ns());
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
	struct connection *connection = connection_known(sk);

	if (!connection)
		connection = stream_accepted(sk, bpf_ktime_get_ns());
	if (!connection || connection->connected_ns)
		return;
	connection->connected_ns = bpf_ktime_get_ns();
	fill_address(connection, sk);
}

static __always_inline void connection_closed(struct sock *sk)
{
	struct connection *connection = connection_known(sk);
	__u64 now;

	if (!connection || connection->close_ns)
		return;
	now = bpf_ktime_get_ns();
	connection->close_ns = now;
	awaiting_end(connection, false, now);
}

/* A listening socket carries nothing itself: what it has is for those that it accepts. */
static __always_inline void connection_listening(struct sock *sk)
{
	struct connection *connection = bpf_sk_storage_get(&connections, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);

	if (!connection) {
		lose(LOSS_LISTENERS);
		return;
	}
	connection_init(connection, sk, cookie_of(sk), TRANSPORT_TCP, SIDE_SERVER, bpf_ktime_get_ns());
	connection->listening = 1;
}

static __always_inline void connection_gone(struct sock *sk)
{
	struct connection *connection = connection_known(sk);
	struct connection_event *event;
	__u64 now;

	if (!connection)
		return;
	now = bpf_ktime_get_ns();
	awaiting_end(connection, false, now);
	if (!connection->close_ns)
		connection->close_ns = now;
	event = reserve_event(EVENT_CONNECTION_GONE, sizeof(*event));
	if (event) {
		event->connection = *connection;
		bpf_ringbuf_submit(event, BPF_RB_NO_WAKEUP);
	}
	bpf_sk_storage_delete(&connections, sk);
}

#endif
