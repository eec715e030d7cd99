/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */

/* At which TCP ports do targets listen? */
#ifndef WEFT_LISTENER_BPF_H
#define WEFT_LISTENER_BPF_H

#include "maps.bpf.h"

/* cookie of a listening socket of a target → its TCP port. When it is closed it has none any more, and its process may be
 * no target any more. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u64);
	__type(value, __u16);
} listeners SEC(".maps");

/* 0 → the ports of those: a socket with such a local port was accepted. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct listening);
} listening SEC(".maps");

static __always_inline __u64 *listening_at(__u16 port)
{
	__u32 zero = 0;
	struct listening *all = bpf_map_lookup_elem(&listening, &zero);

	return all ? &all->ports[port / 4] : 0;
}

static __always_inline bool is_listening(__u16 port)
{
	__u64 *four = listening_at(port);

	return four && (__u16)(*four >> port % 4 * 16);
}

static __always_inline void listening_add(__u16 port, __s64 by)
{
	__u64 *four = listening_at(port);

	if (four)
		__sync_fetch_and_add(four, by << port % 4 * 16);
}

static __always_inline void listener_opened(struct sock *sk, __u64 cookie)
{
	__u16 port = sk->__sk_common.skc_num;

	if (bpf_map_update_elem(&listeners, &cookie, &port, BPF_NOEXIST))
		lose(LOSS_LISTENERS);
	else
		listening_add(port, 1);
}

static __always_inline void listener_closed(struct sock *sk)
{
	__u64 cookie = sk->__sk_common.skc_cookie.counter;
	__u16 *port = bpf_map_lookup_elem(&listeners, &cookie);

	if (!port)
		return;
	listening_add(*port, -1);
	bpf_map_delete_elem(&listeners, &cookie);
}

#endif
