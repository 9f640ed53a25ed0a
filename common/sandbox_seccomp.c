/*
 * Owns the filter of system calls. Four verdicts:
 *
 *   allowed   what the role needs, listed below
 *   EPERM     sockets, programs, tracing, signals to others: a library that
 *             tries one gets an answer that it can handle
 *   killed    doors into the kernel that no honest child ever opens
 *   ENOSYS    all the rest, so that a newer C library falls back to the call
 *             that it used before
 */
#include "common/compat.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/log.h"
#include "common/sandbox_parts.h"

#define PROGRAM_MAX 1024 /* instructions; it has about 300 */

#define WORKER (1u << SANDBOX_WORKER)
#define QUERY (1u << SANDBOX_QUERY)
#define KEEPER (1u << SANDBOX_KEEPER)
#define HASHER (1u << SANDBOX_HASHER)
#define ALL (WORKER | QUERY | KEEPER) /* who have files */
#define EVERY (ALL | HASHER)

struct rule {
	int call;
	unsigned roles;
};

/* clang-format off: tables */
static const struct rule allowed[] = {
	/* The channel, and files. */
	{ SCMP_SYS(read), EVERY },
	{ SCMP_SYS(readv), ALL },
	{ SCMP_SYS(pread64), ALL },
	{ SCMP_SYS(write), EVERY },
	{ SCMP_SYS(writev), ALL },
	{ SCMP_SYS(pwrite64), ALL },
	{ SCMP_SYS(lseek), ALL },
	{ SCMP_SYS(close), EVERY },
	{ SCMP_SYS(dup), ALL },
	{ SCMP_SYS(open), ALL },
	{ SCMP_SYS(openat), ALL },
	{ SCMP_SYS(stat), ALL },
	{ SCMP_SYS(lstat), ALL },
	{ SCMP_SYS(fstat), ALL },
	{ SCMP_SYS(fstatfs), KEEPER },
	{ SCMP_SYS(newfstatat), ALL },
	{ SCMP_SYS(statx), ALL },
	{ SCMP_SYS(access), ALL },
	{ SCMP_SYS(faccessat), ALL },
	{ SCMP_SYS(faccessat2), ALL },
	{ SCMP_SYS(getdents64), ALL },
	{ SCMP_SYS(readlink), ALL },
	{ SCMP_SYS(readlinkat), ALL },
	{ SCMP_SYS(getcwd), ALL },
	{ SCMP_SYS(fadvise64), ALL },
	{ SCMP_SYS(flock), ALL },
	{ SCMP_SYS(truncate), WORKER },
	{ SCMP_SYS(ftruncate), ALL },
	{ SCMP_SYS(fallocate), ALL },
	{ SCMP_SYS(fsync), ALL },
	{ SCMP_SYS(fdatasync), ALL },
	{ SCMP_SYS(sync_file_range), WORKER },
	{ SCMP_SYS(unlink), ALL },
	{ SCMP_SYS(unlinkat), ALL },
	{ SCMP_SYS(rename), WORKER | KEEPER },
	{ SCMP_SYS(renameat), WORKER | KEEPER },
	{ SCMP_SYS(renameat2), WORKER | KEEPER },
	{ SCMP_SYS(mkdir), WORKER | KEEPER },
	{ SCMP_SYS(mkdirat), WORKER | KEEPER },
	{ SCMP_SYS(rmdir), KEEPER },
	{ SCMP_SYS(fchmod), KEEPER },
	{ SCMP_SYS(poll), EVERY },
	{ SCMP_SYS(ppoll), EVERY },
	/* Memory; mmap and mprotect: see filter_arguments. */
	{ SCMP_SYS(brk), EVERY },
	{ SCMP_SYS(munmap), EVERY },
	{ SCMP_SYS(mremap), EVERY },
	{ SCMP_SYS(madvise), EVERY },
	{ SCMP_SYS(mlock), KEEPER | HASHER }, /* secrets: not to the swap */
	{ SCMP_SYS(munlock), KEEPER | HASHER },
	/* Itself, and time. */
	{ SCMP_SYS(getpid), EVERY },
	{ SCMP_SYS(gettid), EVERY },
	{ SCMP_SYS(getppid), EVERY },
	{ SCMP_SYS(getuid), ALL },
	{ SCMP_SYS(geteuid), ALL },
	{ SCMP_SYS(getgid), ALL },
	{ SCMP_SYS(getegid), ALL },
	{ SCMP_SYS(getrlimit), ALL },
	{ SCMP_SYS(getrusage), ALL },
	{ SCMP_SYS(sysinfo), EVERY },
	{ SCMP_SYS(uname), ALL },
	{ SCMP_SYS(sched_yield), EVERY },
	{ SCMP_SYS(sched_getaffinity), ALL },
	{ SCMP_SYS(getrandom), EVERY },
	{ SCMP_SYS(clock_gettime), EVERY },
	{ SCMP_SYS(clock_getres), ALL },
	{ SCMP_SYS(clock_nanosleep), EVERY },
	{ SCMP_SYS(nanosleep), EVERY },
	{ SCMP_SYS(gettimeofday), EVERY },
	{ SCMP_SYS(time), EVERY },
	{ SCMP_SYS(futex), EVERY },
	{ SCMP_SYS(restart_syscall), EVERY },
	/* Ending; abort() blocks, unblocks and raises: tgkill is below. */
	{ SCMP_SYS(rt_sigaction), EVERY },
	{ SCMP_SYS(rt_sigprocmask), EVERY },
	{ SCMP_SYS(rt_sigreturn), EVERY },
	{ SCMP_SYS(sigaltstack), EVERY },
	{ SCMP_SYS(exit), EVERY },
	{ SCMP_SYS(exit_group), EVERY },
	/* The child that writes a snapshot; clone and prctl: see below. */
	{ SCMP_SYS(wait4), WORKER },
	{ SCMP_SYS(pipe2), WORKER }, /* what a forecast comes through */
	{ SCMP_SYS(close_range), WORKER },
	{ SCMP_SYS(alarm), WORKER },
};

static const int refused[] = {
	SCMP_SYS(socket),
	SCMP_SYS(socketpair),
	SCMP_SYS(connect),
	SCMP_SYS(bind),
	SCMP_SYS(listen),
	SCMP_SYS(accept),
	SCMP_SYS(accept4),
	SCMP_SYS(sendto),
	SCMP_SYS(sendmsg),
	SCMP_SYS(sendmmsg),
	SCMP_SYS(recvfrom),
	SCMP_SYS(recvmsg),
	SCMP_SYS(recvmmsg),
	SCMP_SYS(execve),
	SCMP_SYS(execveat),
	SCMP_SYS(fork),
	SCMP_SYS(vfork),
	SCMP_SYS(ptrace),
	SCMP_SYS(process_vm_readv),
	SCMP_SYS(process_vm_writev),
	SCMP_SYS(pidfd_open),
	SCMP_SYS(pidfd_getfd),
	SCMP_SYS(pidfd_send_signal),
	SCMP_SYS(kill),
	SCMP_SYS(tkill),
	SCMP_SYS(rt_sigqueueinfo),
	SCMP_SYS(rt_tgsigqueueinfo),
	SCMP_SYS(chmod),
	SCMP_SYS(fchmodat),
	SCMP_SYS(chown),
	SCMP_SYS(fchown),
	SCMP_SYS(fchownat),
	SCMP_SYS(lchown),
	SCMP_SYS(link),
	SCMP_SYS(linkat),
	SCMP_SYS(symlink),
	SCMP_SYS(symlinkat),
	SCMP_SYS(mknod),
	SCMP_SYS(mknodat),
	SCMP_SYS(chdir),
	SCMP_SYS(fchdir),
	SCMP_SYS(chroot),
	SCMP_SYS(setrlimit),
	SCMP_SYS(ioctl),
};

static const int killed[] = {
	SCMP_SYS(bpf),
	SCMP_SYS(io_uring_setup),
	SCMP_SYS(io_uring_enter),
	SCMP_SYS(io_uring_register),
	SCMP_SYS(userfaultfd),
	SCMP_SYS(perf_event_open),
	SCMP_SYS(add_key),
	SCMP_SYS(keyctl),
	SCMP_SYS(request_key),
	SCMP_SYS(mount),
	SCMP_SYS(umount2),
	SCMP_SYS(pivot_root),
	SCMP_SYS(setns),
	SCMP_SYS(unshare),
	SCMP_SYS(init_module),
	SCMP_SYS(finit_module),
	SCMP_SYS(delete_module),
	SCMP_SYS(kexec_load),
	SCMP_SYS(kexec_file_load),
	SCMP_SYS(reboot),
	SCMP_SYS(swapon),
	SCMP_SYS(swapoff),
	SCMP_SYS(iopl),
	SCMP_SYS(ioperm),
	SCMP_SYS(modify_ldt),
	SCMP_SYS(personality),
};

/* Locks of SQLite, flags of descriptors. F_SETOWN would aim signals. */
static const int fcntl_commands[] = {
	F_DUPFD,
	F_DUPFD_CLOEXEC,
	F_GETFD,
	F_SETFD,
	F_GETFL,
	F_SETFL,
	F_GETLK,
	F_SETLK,
	F_SETLKW,
	F_OFD_GETLK,
	F_OFD_SETLK,
	F_OFD_SETLKW,
};
/* clang-format on */

/* Rules that look at an argument: code is never made, signals hit oneself. */
static int
filter_arguments(scmp_filter_ctx ctx, pid_t self)
{
	int rc;

	for (size_t i = 0; i < NELEM(fcntl_commands); i++) {
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1,
		    SCMP_A1(SCMP_CMP_EQ, (scmp_datum_t)fcntl_commands[i], 0));
		if (rc != 0)
			return rc;
	}
	rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
	    SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	if (rc == 0)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mprotect),
		    1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	if (rc == 0)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
		    SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)self, 0));
	/* sysconf() asks for limits by it; setting is another matter. */
	if (rc == 0)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64),
		    1, SCMP_A2(SCMP_CMP_EQ, 0, 0));
	return rc;
}

/*
 * A worker may fork as fork() does, without new namespaces or threads, and
 * have the child die with it; nobody else may do either.
 */
static int
filter_fork(scmp_filter_ctx ctx, enum sandbox_role role)
{
	static const struct {
		int call;
		scmp_datum_t first;
	} rules[] = {
		{ SCMP_SYS(clone),
		    CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | SIGCHLD },
		{ SCMP_SYS(prctl), PR_SET_PDEATHSIG },
	};
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < NELEM(rules); i++) {
		if (role != SANDBOX_WORKER) {
			rc = seccomp_rule_add(
			    ctx, SCMP_ACT_ERRNO(EPERM), rules[i].call, 0);
			continue;
		}
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, rules[i].call, 1,
		    SCMP_A0(SCMP_CMP_EQ, rules[i].first, 0));
		if (rc == 0)
			rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM),
			    rules[i].call, 1,
			    SCMP_A0(SCMP_CMP_NE, rules[i].first, 0));
	}
	return rc;
}

static int
filter_fill(scmp_filter_ctx ctx, enum sandbox_role role, pid_t self)
{
	int rc = filter_arguments(ctx, self);

	if (rc == 0)
		rc = filter_fork(ctx, role);
	for (size_t i = 0; rc == 0 && i < NELEM(allowed); i++)
		if ((allowed[i].roles & 1u << role) != 0)
			rc = seccomp_rule_add(
			    ctx, SCMP_ACT_ALLOW, allowed[i].call, 0);
	for (size_t i = 0; rc == 0 && i < NELEM(refused); i++)
		rc =
		    seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), refused[i], 0);
	for (size_t i = 0; rc == 0 && i < NELEM(killed); i++)
		rc = seccomp_rule_add(ctx, SCMP_ACT_KILL_PROCESS, killed[i], 0);
	return rc;
}

/* Write the program for the process self to fd. Returns 0 or a -errno. */
static int
filter_export(enum sandbox_role role, pid_t self, int fd)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
	int rc;

	if (ctx == NULL)
		return -ENOMEM;
	rc = seccomp_attr_set(
	    ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	/* A tree of comparisons: the cost is the same for every call. */
	if (rc == 0)
		rc = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (rc == 0)
		rc = filter_fill(ctx, role, self);
	if (rc == 0)
		rc = seccomp_export_bpf(ctx, fd);
	seccomp_release(ctx);
	return rc;
}

/* Returns the number of bytes read up to the end of fd, or -1. */
static ssize_t
read_all(int fd, void *data, size_t cap)
{
	size_t len = 0;

	while (len < cap) {
		ssize_t n = read(fd, (char *)data + len, cap - len);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return -1;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	return (ssize_t)len;
}

/*
 * Have a child make the program: libseccomp leaves a heap with holes of 70 kB,
 * which would stay in each of a thousand idle workers. Returns the number of
 * instructions, or -1 with errno.
 */
static int
filter_make(enum sandbox_role role, struct sock_filter *program)
{
	pid_t self = getpid(), pid;
	int fd[2], status;
	ssize_t len;

	if (pipe2(fd, O_CLOEXEC) == -1)
		return -1;
	pid = fork();
	if (pid == 0)
		_exit(-filter_export(role, self, fd[1]));
	close(fd[1]);
	len = pid == -1
	    ? -1
	    : read_all(fd[0], program, PROGRAM_MAX * sizeof(*program));
	close(fd[0]);
	if (pid == -1 || waitpid(pid, &status, 0) == -1 || len == -1)
		return -1;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0 && len > 0 &&
	    (size_t)len < PROGRAM_MAX * sizeof(*program))
		return (int)((size_t)len / sizeof(*program));
	errno = WIFEXITED(status) && WEXITSTATUS(status) != 0
	    ? WEXITSTATUS(status)
	    : E2BIG;
	return -1;
}

int
sandbox_filter(enum sandbox_role role)
{
	struct sock_fprog prog = { 0 };
	int n = -1, rc = -1;

	prog.filter = calloc(PROGRAM_MAX, sizeof(*prog.filter));
	if (prog.filter != NULL)
		n = filter_make(role, prog.filter);
	if (n != -1) {
		prog.len = (unsigned short)n;
		rc = prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog);
	}
	if (rc == -1)
		log_warn("seccomp filter");
	free(prog.filter);
	return rc;
}

const char *
sandbox_runtime_path(void)
{
	return NULL;
}
