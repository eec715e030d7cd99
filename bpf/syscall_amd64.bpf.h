/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */

/* What a system call waits for, on amd64: its number is in orig_ax of the registers that the thread left user
 * space with, its arguments in di, si, dx and r10. Another architecture is another file of this form. */
#ifndef WEFT_SYSCALL_AMD64_BPF_H
#define WEFT_SYSCALL_AMD64_BPF_H

#include "kernel.h"

#include "contract.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct pt_regs {
	unsigned long r10;
	unsigned long dx;
	unsigned long si;
	unsigned long di;
	unsigned long orig_ax;
};

#pragma clang attribute pop

/* arch/x86/include/asm/thread_info.h: the call is one of i386, whose numbers are others. */
#define TS_COMPAT 0x2

/* Left in user space by a fault or an interrupt, not by a call (arch/x86/entry/entry_64.S, idtentry_body). */
#define NO_SYSCALL (-1L)

static __always_inline long syscall_number(struct pt_regs *regs)
{
	return (long)regs->orig_ax;
}

static __always_inline __u64 syscall_argument(struct pt_regs *regs, int i)
{
	return i == 0 ? regs->di : i == 1 ? regs->si : i == 2 ? regs->dx : regs->r10;
}

/* Beyond enum activity: it takes more than the number to tell. */
enum {
	WAIT_READ = ACTIVITY_MAX + 1, /* reads the descriptor in argument 0 */
	WAIT_WRITE,                   /* writes to it */
	WAIT_SPLICE,                  /* from argument 0 to argument 2 */
	WAIT_POLL,                    /* on the descriptors in the list of argument 0, of the length of argument 1 */
	WAIT_SELECT,                  /* on those below argument 0 in the sets of arguments 1 to 3 */
	WAIT_AGAIN,                   /* goes on with what a signal interrupted */
};

#define SYSCALLS 512

/* By number (arch/x86/entry/syscalls/syscall_64.tbl); what is not here is ACTIVITY_OTHER. */
static const __u8 syscall_waits[SYSCALLS] = {
	[0] = WAIT_READ,                /* read */
	[1] = WAIT_WRITE,               /* write */
	[2] = ACTIVITY_FILE,            /* open */
	[3] = ACTIVITY_FILE,            /* close */
	[4] = ACTIVITY_FILE,            /* stat */
	[6] = ACTIVITY_FILE,            /* lstat */
	[7] = WAIT_POLL,                /* poll */
	[17] = WAIT_READ,               /* pread64 */
	[18] = WAIT_WRITE,              /* pwrite64 */
	[19] = WAIT_READ,               /* readv */
	[20] = WAIT_WRITE,              /* writev */
	[21] = ACTIVITY_FILE,           /* access */
	[23] = WAIT_SELECT,             /* select */
	[26] = ACTIVITY_FILE,           /* msync */
	[34] = ACTIVITY_SLEEP,          /* pause */
	[35] = ACTIVITY_SLEEP,          /* nanosleep */
	[40] = WAIT_WRITE,              /* sendfile */
	[42] = ACTIVITY_CONNECT,        /* connect */
	[43] = ACTIVITY_ACCEPT,         /* accept */
	[44] = ACTIVITY_SOCKET_WRITE,   /* sendto */
	[45] = ACTIVITY_SOCKET_READ,    /* recvfrom */
	[46] = ACTIVITY_SOCKET_WRITE,   /* sendmsg */
	[47] = ACTIVITY_SOCKET_READ,    /* recvmsg */
	[56] = ACTIVITY_CHILD_WAIT,     /* clone: with CLONE_VFORK until the child execs */
	[58] = ACTIVITY_CHILD_WAIT,     /* vfork */
	[59] = ACTIVITY_FILE,           /* execve */
	[61] = ACTIVITY_CHILD_WAIT,     /* wait4 */
	[72] = ACTIVITY_FILE,           /* fcntl: a lock */
	[73] = ACTIVITY_FILE,           /* flock */
	[74] = ACTIVITY_FILE,           /* fsync */
	[75] = ACTIVITY_FILE,           /* fdatasync */
	[76] = ACTIVITY_FILE,           /* truncate */
	[77] = ACTIVITY_FILE,           /* ftruncate */
	[78] = ACTIVITY_FILE,           /* getdents */
	[82] = ACTIVITY_FILE,           /* rename */
	[83] = ACTIVITY_FILE,           /* mkdir */
	[84] = ACTIVITY_FILE,           /* rmdir */
	[85] = ACTIVITY_FILE,           /* creat */
	[86] = ACTIVITY_FILE,           /* link */
	[87] = ACTIVITY_FILE,           /* unlink */
	[88] = ACTIVITY_FILE,           /* symlink */
	[89] = ACTIVITY_FILE,           /* readlink */
	[128] = ACTIVITY_SLEEP,         /* rt_sigtimedwait */
	[130] = ACTIVITY_SLEEP,         /* rt_sigsuspend */
	[162] = ACTIVITY_FILE,          /* sync */
	[187] = ACTIVITY_FILE,          /* readahead */
	[202] = ACTIVITY_FUTEX,         /* futex */
	[208] = ACTIVITY_FILE,          /* io_getevents */
	[217] = ACTIVITY_FILE,          /* getdents64 */
	[219] = WAIT_AGAIN,             /* restart_syscall */
	[230] = ACTIVITY_SLEEP,         /* clock_nanosleep */
	[232] = ACTIVITY_EPOLL,         /* epoll_wait */
	[247] = ACTIVITY_CHILD_WAIT,    /* waitid */
	[257] = ACTIVITY_FILE,          /* openat */
	[258] = ACTIVITY_FILE,          /* mkdirat */
	[262] = ACTIVITY_FILE,          /* newfstatat */
	[263] = ACTIVITY_FILE,          /* unlinkat */
	[264] = ACTIVITY_FILE,          /* renameat */
	[267] = ACTIVITY_FILE,          /* readlinkat */
	[269] = ACTIVITY_FILE,          /* faccessat */
	[270] = WAIT_SELECT,            /* pselect6 */
	[271] = WAIT_POLL,              /* ppoll */
	[275] = WAIT_SPLICE,            /* splice */
	[276] = ACTIVITY_PIPE,          /* tee */
	[277] = ACTIVITY_FILE,          /* sync_file_range */
	[278] = ACTIVITY_PIPE,          /* vmsplice */
	[281] = ACTIVITY_EPOLL,         /* epoll_pwait */
	[285] = ACTIVITY_FILE,          /* fallocate */
	[288] = ACTIVITY_ACCEPT,        /* accept4 */
	[295] = WAIT_READ,              /* preadv */
	[296] = WAIT_WRITE,             /* pwritev */
	[299] = ACTIVITY_SOCKET_READ,   /* recvmmsg */
	[306] = ACTIVITY_FILE,          /* syncfs */
	[307] = ACTIVITY_SOCKET_WRITE,  /* sendmmsg */
	[316] = ACTIVITY_FILE,          /* renameat2 */
	[322] = ACTIVITY_FILE,          /* execveat */
	[326] = ACTIVITY_FILE,          /* copy_file_range */
	[327] = WAIT_READ,              /* preadv2 */
	[328] = WAIT_WRITE,             /* pwritev2 */
	[332] = ACTIVITY_FILE,          /* statx */
	[333] = ACTIVITY_FILE,          /* io_pgetevents */
	[426] = ACTIVITY_IO_URING,      /* io_uring_enter */
	[435] = ACTIVITY_CHILD_WAIT,    /* clone3 */
	[437] = ACTIVITY_FILE,          /* openat2 */
	[439] = ACTIVITY_FILE,          /* faccessat2 */
	[441] = ACTIVITY_EPOLL,         /* epoll_pwait2 */
	[449] = ACTIVITY_FUTEX,         /* futex_waitv */
	[455] = ACTIVITY_FUTEX,         /* futex_wait */
	[456] = ACTIVITY_FUTEX,         /* futex_requeue */
};

#endif
