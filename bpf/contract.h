/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */

/* Everything that crosses between the kernel side and Go. bpf2go makes the Go types from the BTF of these
 * structs; an enum gets into BTF by being the type of a field or of a map's key. Fixed-width fields only, padded by hand (no implicit holes, so that no stale kernel memory
 * crosses), no `packed` (clang would then store byte by byte).
 *
 * Times are CLOCK_MONOTONIC nanoseconds (bpf_ktime_get_ns). pid is the process, the kernel's tgid; tid is the
 * thread, the kernel's pid. Both are numbers of the initial pid namespace.
 */
#ifndef WEFT_CONTRACT_H
#define WEFT_CONTRACT_H

#define COMM_LEN 16      /* TASK_COMM_LEN */
#define STACK_FRAMES 127 /* as many as PERF_MAX_STACK_DEPTH, what perf takes */

/* A curve's buckets: 512 of 1 ms, then 256 a level, each level twice as wide as the one before and taking up
 * where that one ends. 20 levels more reach 2^29 ms, about six days, at a resolution of 1/256 of the elapsed
 * time or better. */
#define CURVE_FIRST 512
#define CURVE_LEVEL 256
#define CURVE_LEVELS 20
#define CURVE_BUCKETS (CURVE_FIRST + CURVE_LEVEL * CURVE_LEVELS)

/* What could not be recorded: an index of the map `losses`. */
enum loss {
	LOSS_RING,            /* threads that ended: the ring buffer was full */
	LOSS_CONNECTION_RING, /* connections that ended: the ring buffer was full */
	LOSS_TARGETS,         /* processes: the table of targets was full */
	LOSS_THREADS,         /* threads, or calls of theirs: no task storage was to be had */
	LOSS_CONNECTIONS,     /* connections: the table was full */
	LOSS_LISTENERS,       /* listening sockets: the table was full */
	LOSS_CURVE,           /* gauge changes: no room on the time axis, or too much contention */
	LOSS_STACK_READ,      /* stacks: the thread has no registers of user mode */
	LOSS_STACK_FULL,      /* stacks: the table was full */
	LOSS_STACK_COLLISION, /* stacks: another stack has the same hash */
	LOSS_WEIGHT_FULL,     /* stacks: the table of weights was full */
	LOSS_STACK_KERNEL,    /* stacks: the kernel's frames were not to be had */
	LOSS_REQUESTS,        /* stacks: the table of those that await a reply was full */
	LOSS_MEMORY_FULL,     /* processes: the table of memories was full */
	LOSS_MEMORY_SIZE,     /* changes of memory: the hook that tells the size did not run */
	LOSS_TIMES,           /* threads: no task storage was to be had for where their time goes */
	LOSS_TIME_RING,       /* times of threads that ended: the ring buffer was full */
	LOSS_TIME_EVENT,      /* events of the scheduler: the thread's account was not to be had */
	LOSS_WAKERS,          /* wake-ups: the table of wakers was full */
	LOSS_MEMORY_SPLIT,    /* page faults: no task storage was to be had for what the thread counts itself */
	LOSS_GOROUTINE_READ,  /* stacks: the memory that tells the goroutine could not be read */
	LOSS_GOROUTINES,      /* goroutines, or attempts to note one: the table was full */
	LOSS_MULTIPATH,       /* calls on Multipath TCP sockets, which nothing here follows */
	LOSS_MAX,
};

/* An index of the maps `gauges` and `curves`. */
enum gauge_id {
	GAUGE_THREADS,  /* threads alive */
	GAUGE_AWAITING, /* connections that await a reply */
	GAUGE_RSS,      /* resident memory, in units of RSS_SHIFT */
	GAUGE_MAX,
};

enum target_role {
	ROLE_PARENT = 1, /* weft itself: its next children are targets, it is not */
	ROLE_PROCESS,    /* a process that is watched */
};

/* Value of `targets`, by pid. */
struct target {
	enum target_role role;
	__u32 _pad;
};

/* Value of `marks`: one bit for each pid that is or was watched in this session, by the pid's low bits. A bit
 * that is 0 says that the pid is not in `targets`; one that is 1 says nothing. */
#define MARKS 65536
struct marks {
	__u64 bits[MARKS / 64];
};

/* Value of `session`. Written by Go. */
struct session {
	__u64 gate_ns; /* when the gate was opened; 0 while it is shut */
	__u64 epoch;   /* which watched program this is: accounts of an earlier one are ignored */
};

/* Value of `gauges`, by enum gauge_id. */
struct gauge {
	__u64 state; /* high half: number of changes; low half: the value now */
	__u64 peak;  /* greatest value since the gate */
	__u64 early; /* greatest value before the gate */
};

/* One bucket. 0 is "no change in this bucket" in each field, so that a zeroed map is an empty curve. */
struct bucket {
	__u64 greatest; /* greatest value + 1 */
	__u64 least;    /* 2^32 - least value */
	__u64 first;    /* (2^32 - number) << 32 | value before it, of the change with the lowest number */
};

/* Value of `curves`, by enum gauge_id. */
struct curve {
	struct bucket buckets[CURVE_BUCKETS];
};

/* One thread's life and its socket totals: in task storage while it lives, an event when it exits. What each call
 * looks at stands first, together. */
struct thread {
	__u64 epoch; /* of the session that it belongs to */
	__u64 sent_bytes;
	__u64 sent_calls;
	__u64 recv_bytes;
	__u64 recv_calls;
	__u64 would_block; /* calls that said EAGAIN, both ways */
	__u64 start_ns;
	__u64 end_ns; /* 0 while alive */
	__u64 voluntary;   /* context switches, the kernel's own count */
	__u64 involuntary; /* context switches, the kernel's own count */
	__u32 pid;
	__u32 tid;
	__u32 creator_tid; /* 0 when it was there before weft */
	__u32 leader;      /* 1: the process's first thread */
	char comm[COMM_LEN];
	__u64 made_stack;  /* hash of the stack of its making, 0: not taken */
	__u64 goid;        /* of the goroutine that was seen on it first, 0: none */
	__u64 locked_goid; /* of the one seen last that keeps it for itself (runtime.LockOSThread), 0: none */
};

/* What a thread does: on a CPU, ready for one, or blocked by a cause. An index of struct spent's sums. */
enum activity {
	ACTIVITY_RUNNING,
	ACTIVITY_RUNNABLE,
	ACTIVITY_SOCKET_READ, /* from here on: blocked */
	ACTIVITY_SOCKET_WRITE,
	ACTIVITY_CONNECT,
	ACTIVITY_ACCEPT,
	ACTIVITY_EPOLL,
	ACTIVITY_POLL,
	ACTIVITY_SELECT,
	ACTIVITY_PIPE,
	ACTIVITY_FILE,
	ACTIVITY_FUTEX,
	ACTIVITY_SLEEP,
	ACTIVITY_CHILD_WAIT,
	ACTIVITY_IO_URING,
	ACTIVITY_STOPPED,
	ACTIVITY_PAGE_FAULT,
	ACTIVITY_OTHER,
	ACTIVITY_MAX,
	ACTIVITY_NONE = ACTIVITY_MAX, /* made and not yet woken, or gone */
};

/* Where a thread's time went. */
struct spent {
	__u64 ns[ACTIVITY_MAX]; /* durations, by enum activity */
	__u64 wakeups;
	__u64 migrations; /* it went on on another CPU */
};

#define KERNEL_FRAMES 48

/* Value of `stacks`, by hash: addresses, leaf first. */
struct stack {
	__u64 hash;
	__u64 path;   /* 0: the kernel's frames are its own; else what tells them: see stack_path */
	__u32 kernel; /* frames of the kernel */
	__u32 user;   /* frames of the program */
	__u64 kernel_frames[KERNEL_FRAMES];
	__u64 user_frames[STACK_FRAMES];
};

/* What a stack is charged with: struct weight's count, amount and other. */
enum stack_kind {
	STACK_THREAD_CREATE = 1, /* threads made */
	STACK_SOCKET,            /* calls, bytes sent, bytes received */
	STACK_CPU,               /* samples */
	STACK_OFFCPU,            /* switches, ns blocked, ns runnable: of the thread that left the CPU there */
	STACK_REPLYWAIT,         /* replies, ns awaited from the send on whose stack it is: of a server, the receive */
	STACK_RSS,               /* changes, bytes grown */
	STACK_KIND_MAX,
};

/* Key of `weights`: who did what from where. */
struct weight_key {
	__u64 stack; /* hash; 0: none was to be had, which is counted as lost */
	__u64 goid;  /* of the goroutine, 0: none was running, or not a Go program */
	__u32 pid;
	__u32 tid;
	enum stack_kind kind;
	__u32 wait; /* of STACK_OFFCPU enum activity: what it waited for, or ACTIVITY_RUNNABLE; of STACK_REPLYWAIT enum awaited */
};

/* How the time after a send ended that asked for a reply, and likewise the time after a server's receive. */
enum awaited {
	AWAITED_REPLY = 1, /* with the first byte of the reply */
	AWAITED_REQUEST,   /* with the next send: the request was not all there */
	AWAITED_CLOSE,     /* without a reply */
};

struct weight {
	__u64 count;
	__u64 amount;
	__u64 other;
};

/* Value of `weights`: one cache line. */
struct weight_slot {
	struct weight_key key; /* its kind is set last; 0 until then */
	struct weight weight;
	__u64 taken;           /* 1: by a key */
};

/* One thread's time: in task storage while it lives, an event when it leaves the CPU for good. Each sum is of its
 * own events; what the kernel itself keeps is read at the same instant, to be compared. */
struct thread_time {
	__u64 epoch;    /* of the session that it belongs to */
	__u64 since_ns; /* `activity` began */
	enum activity activity; /* now; of one that is gone, ACTIVITY_NONE */
	__u32 version;  /* odd while it is being changed */
	__u32 waited;   /* enum activity of the last wait */
	__u32 cpu;      /* that it ran on last */
	__u32 unqueued; /* 1: runnable, and not in delay_ns */
	__u32 tid;
	__u64 clock_at;   /* the run queue's clock when `activity` began */
	__u64 steal_at;   /* its clock of steal_ns when the thread came on the CPU */
	__u64 exec_at;    /* sum_exec_runtime when it left it last */
	__u64 delay_at;   /* run_delay then */
	__u64 moves_at;   /* the kernel's count of moves (se.nr_migrations) when `activity` began */
	__u64 delayed_at; /* the run queue's clock since when the kernel has it queued too, 0 when it does not: delayed dequeue */
	__u64 delayed_ns; /* running, but in delay_ns: the sum of that, a duration */
	__u64 blocks;     /* switches out of the CPU to wait */
	__u64 preempts;   /* all other switches out of the CPU */
	__u64 moved;      /* moves from one CPU's queue to another's while it waited for a CPU */
	__u64 steal_ns;      /* on a CPU, but charged to the host's other guests and to interrupts: a duration */
	__u64 late_run_ns;   /* running by weft's clock less by the run queue's, signed: the hooks come after it was read */
	__u64 late_ready_ns; /* runnable likewise */
	__u64 newidle_ns;    /* of running, at most: the CPU looked for other work, and the thread had stopped already */
	__u64 unqueued_ns;   /* runnable, but preempted on its way to sleep: not in delay_ns, a duration */
	__u64 moving_ns;     /* runnable, but between two CPUs' queues: likewise */
	struct spent work;   /* from the gate on */
	struct spent setup;  /* before the gate */
	__u64 unseen;      /* events that were made up for: see time.bpf.h */
	__u64 start_ns;    /* struct thread's: the two belong together */
	__u64 first_ns;    /* it was woken for the first time */
	__u64 at_ns;       /* the sums are up to here */
	__u64 exec_ns;     /* the kernel's own: se.sum_exec_runtime */
	__u64 delay_ns;    /* the kernel's own: sched_info.run_delay */
	__u64 voluntary;   /* the kernel's own: nvcsw */
	__u64 involuntary; /* the kernel's own: nivcsw */
	struct weight_key off; /* with stacks: where it left the CPU last */
	__u64 off_blocked_ns;  /* since then, and not charged yet */
	__u64 off_runnable_ns; /* likewise */
};

/* Value of the per-CPU map `run_queue`: waits for a CPU that ended after the gate. */
struct histogram {
	__u64 counts[64]; /* by the waits' magnitude: from 2^i up to 2^(i+1) ns */
	__u64 sum_ns;     /* a duration */
};

/* Value of `wakers`. */
struct waker {
	__u64 mark;  /* 0: a free slot */
	__u64 count; /* wake-ups */
	char comm[COMM_LEN];
	__u32 tid;   /* 0: an idle CPU */
	__u32 _pad;
};

enum transport {
	TRANSPORT_NONE, /* not one that is counted */
	TRANSPORT_TCP,
	TRANSPORT_UDP,
	TRANSPORT_UNIX,
	TRANSPORT_MAX,
};

enum side {
	SIDE_UNKNOWN,
	SIDE_CLIENT, /* it connected */
	SIDE_SERVER, /* it was accepted */
};

/* One way of a socket. A call is one that succeeded, the end of a stream (0 bytes) included. */
struct flow {
	__u64 bytes;
	__u64 calls;
	__u64 would_block; /* EAGAIN: not in calls */
	__u64 errors;      /* any other error: not in calls */
};

/* Value of the per-CPU map `totals_by_transport`, by enum transport. Of TCP, flows and retransmits are only those
 * that are in no connection's account: the rest is summed over the connections. No connection's account has EAGAINs. */
struct totals {
	struct flow sent;
	struct flow recv;
	__u64 opened;      /* sockets seen for the first time */
	__u64 retransmits; /* TCP segments */
};

/* One way of a connection. */
struct carried {
	__u64 bytes;
	__u64 calls;
};

/* Value of `connections`, `connections_overflow` and `datagrams`; an event when a TCP socket is gone. The CPUs pass its
 * cache lines to each other, so that what every call looks at is the first of three. */
struct connection {
	__u64 cookie;             /* of the socket; 0: nobody's */
	enum transport transport; /* 0: the account is being made */
	enum side side;
	__u32 answered_seq; /* TCP write_seq up to which a reply has come */
	__u16 answered;     /* 1: answered_seq is set */
	__u16 local_port;   /* host order */
	__u64 awaiting_ns;  /* up to when awaited_ns has the time that it awaits a reply, 0 when it awaits none */
	struct carried sent;
	struct carried recv;

	__u64 awaited_ns; /* that it awaited replies: a duration, of what is not over up to the last send or receive */
	__u64 replies;    /* that came */
	__u64 first_send_ns;
	__u64 first_recv_ns;
	__u64 send_errors; /* EAGAIN is none */
	__u64 recv_errors;
	__u64 retransmits; /* segments */
	__u64 open_ns;     /* SYN_SENT, or the first transfer */

	__u64 connected_ns; /* ESTABLISHED, 0 when not seen */
	__u64 close_ns;     /* CLOSE, 0 while open */
	__u32 pid;          /* opener */
	__u32 tid;          /* opener */
	__u8 local_addr[16]; /* network order, the first 4 for IPv4 */
	__u8 remote_addr[16];
	__u16 family;       /* AF_INET, AF_INET6, AF_UNIX */
	__u16 remote_port;  /* host order */
	__u32 _pad;
};

/* Value of `listening`: on how many sockets targets listen at a TCP port, 16 bits each. */
#define LISTENING 16384
struct listening {
	__u64 ports[LISTENING]; /* four in each, the lowest first */
};

enum event_kind {
	EVENT_THREAD_GONE = 1,
	EVENT_CONNECTION_GONE,
	EVENT_TIME_GONE,
};

/* What the ring buffer carries: the header tells which. */
struct event_header {
	enum event_kind kind;
	__u32 _pad;
};

struct thread_event {
	struct event_header header;
	struct thread thread;
};

struct connection_event {
	struct event_header header;
	struct connection connection;
};

struct time_event {
	struct event_header header;
	struct thread_time time;
};

/* Any of them: the type of the ring's records in BTF. */
union event {
	struct event_header header;
	struct thread_event thread;
	struct connection_event connection;
	struct time_event time;
};

/* Goroutines. A thread of the Go runtime that runs none: it looks for work, or parks. No goroutine gets so far. */
#define GOID_SCHEDULER (~0ULL)

#define RUNTIMES 64 /* programs at once whose goroutines are known, one for each remainder of their pids */

/* Value of `runtimes`, by pid modulo RUNTIMES: where a Go program keeps what is read of it. Written by Go; offsets in
 * bytes, 0: this version has no such field (in both structs that is another field's). */
struct go_runtime {
	__u64 mm;        /* address of the memory that it is true of, 0: of the one that is seen first. Written by the kernel side */
	__u64 exec_id;   /* and the program's self_exec_id: the address may be that of a later program's memory again */
	__s64 tls;       /* of the thread's g, from the thread pointer */
	__u32 g_m;       /* of the fields of runtime.g */
	__u32 g_goid;
	__u32 g_parent;  /* parentGoid, from Go 1.21 */
	__u32 g_gopc;
	__u32 g_startpc;
	__u32 g_lockedm; /* the thread that the goroutine keeps for itself */
	__u32 m_curg;    /* of a field of runtime.m */
	__u32 pid;       /* 0: a free slot */
};

/* Key of `goroutines`. A g is used again for another goroutine, a goid never. */
struct goroutine_key {
	__u64 goid;
	__u32 pid;
	__u32 _pad;
};

/* Value of `goroutines`. */
struct goroutine {
	__u64 start_pc; /* entry of the function that it began with */
	__u64 go_pc;    /* return address of the go statement that made it */
	__u64 parent;   /* goid of the goroutine that made it, 0: not known */
};

/* Value of `noted`: the goroutines that are in the table `goroutines`, or were taken from it, and the threads that they
 * ran on, by the low bits of the sum of goid and tid. Each as goid ^ tid << NOTED_TID: tids have 22 bits, and a program
 * takes years to make 2^40 goroutines. */
#define NOTED 4096
#define NOTED_TID 40
struct noted {
	__u64 slots[NOTED];
};

_Static_assert(sizeof(struct noted) == 8 * NOTED, "noted");
_Static_assert(sizeof(struct go_runtime) == 56, "go_runtime");
_Static_assert(sizeof(struct listening) == 8 * LISTENING, "listening");
_Static_assert(sizeof(struct goroutine_key) == 16, "goroutine_key");
_Static_assert(sizeof(struct goroutine) == 24, "goroutine");

/* Memory. A gauge has 32 bits: in bytes they would end at 4 GiB, in units of the smallest page at 16 TiB. */
#define RSS_SHIFT 12 /* bytes to units */

/* The kernel's counters of an mm: the anonymous enum of include/linux/mm_types_task.h. */
enum mm_member {
	MM_FILE,
	MM_ANON,
	MM_SWAP, /* not resident */
	MM_SHMEM,
	MM_MEMBERS,
};

/* Value of `memories`. */
struct memory {
	__u64 mm;                /* address, 0: a free slot */
	__s64 units[MM_MEMBERS]; /* that are in the gauge */
	__s64 told[MM_MEMBERS];  /* as last told; before Linux 6.2 only */
	__u32 mm_id;             /* the kernel's hash of the address, as the hook tells it; 0 for a moment at first */
	__u32 _pad;
};

/* Value of `memory_sums`. */
struct memory_sums {
	__u64 foreign;             /* changes while no thread of the program was current, count */
	__u64 grown;               /* all that was added since the gate, in units */
	__u64 change[MM_MEMBERS]; /* greatest change at once since the gate, in units */
	__u64 deferred;           /* 1: threads count for themselves first and hand in later (before Linux 6.2) */
};

_Static_assert(sizeof(struct memory) == 80, "memory");
_Static_assert(sizeof(struct memory_sums) == 56, "memory_sums");

_Static_assert(sizeof(struct target) == 8, "target");
_Static_assert(sizeof(struct marks) == 8192, "marks");
_Static_assert(sizeof(struct session) == 16, "session");
_Static_assert(sizeof(struct gauge) == 24, "gauge");
_Static_assert(sizeof(struct curve) == 24 * CURVE_BUCKETS, "curve");
_Static_assert(sizeof(struct thread) == 136, "thread");
_Static_assert(sizeof(struct spent) == 160, "spent");
_Static_assert(sizeof(struct thread_time) == 600, "thread_time");
_Static_assert(sizeof(struct histogram) == 520, "histogram");
_Static_assert(sizeof(struct waker) == 40, "waker");
_Static_assert(sizeof(struct time_event) == 8 + sizeof(struct thread_time), "time_event");
_Static_assert(sizeof(struct flow) == 32, "flow");
_Static_assert(sizeof(struct totals) == 80, "totals");
_Static_assert(sizeof(struct connection) == 192, "connection");
_Static_assert(sizeof(struct thread_event) == 8 + sizeof(struct thread), "thread_event");
_Static_assert(sizeof(struct connection_event) == 8 + sizeof(struct connection), "connection_event");
_Static_assert(sizeof(struct stack) == 24 + 8 * (KERNEL_FRAMES + STACK_FRAMES), "stack");
_Static_assert(sizeof(struct weight_key) == 32, "weight_key");
_Static_assert(sizeof(struct weight) == 24, "weight");
_Static_assert(sizeof(struct weight_slot) == 64, "weight_slot");

#endif
