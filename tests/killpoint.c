/* Owns the tracer that counts calls and kills. */
#include "common/compat.h"

#include <elf.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/killpoint.h"

#define EXIT_TRACE 98 /* the tracer itself failed */
#define CALL_STOP (SIGTRAP | 0x80)

/* Calls that always count; some machines have only the newer half. */
static const long changing[] = {
#ifdef SYS_rename
	SYS_rename,
	SYS_unlink,
	SYS_mkdir,
	SYS_rmdir,
#endif
#ifdef SYS_renameat
	SYS_renameat,
#endif
	SYS_renameat2,
	SYS_unlinkat,
	SYS_mkdirat,
	SYS_pwrite64,
	SYS_truncate,
	SYS_ftruncate,
	SYS_fallocate,
	SYS_fsync,
	SYS_fdatasync,
	SYS_flock,
};

static bool
changes_something(long call, const uint64_t *arg)
{
	for (size_t i = 0; i < NELEM(changing); i++)
		if (call == changing[i])
			return true;
	if (call == SYS_openat)
		return (arg[2] & O_CREAT) != 0;
#ifdef SYS_open
	if (call == SYS_open)
		return (arg[1] & O_CREAT) != 0;
#endif
	/* Not a line of the log. */
	return call == SYS_write && arg[0] != STDERR_FILENO;
}

/* Is it at the entry of a call that counts? */
static bool
is_at_call(pid_t pid)
{
	struct __ptrace_syscall_info info;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) <= 0)
		_exit(EXIT_TRACE);
	return info.op == PTRACE_SYSCALL_INFO_ENTRY &&
	    changes_something((long)info.entry.nr, info.entry.args);
}

static void
finish(pid_t pid)
{
	int status;

	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	_exit(KILLPOINT_HIT);
}

/* From one stop to the next. Returns the signal that it stopped for. */
static int
go_on(pid_t pid, int signal)
{
	int status;

	if (ptrace(PTRACE_SYSCALL, pid, NULL, (void *)(intptr_t)signal) == -1 ||
	    waitpid(pid, &status, 0) != pid)
		_exit(EXIT_TRACE);
	if (WIFEXITED(status))
		_exit(WEXITSTATUS(status));
	if (WIFSIGNALED(status))
		_exit(128 + WTERMSIG(status));
	if (!WIFSTOPPED(status))
		_exit(EXIT_TRACE);
	return WSTOPSIG(status);
}

static pid_t
trace(const char *path, char *const argv[])
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0)
			execv(path, argv);
		_exit(127);
	}
	/* It stops when it has become the program. */
	if (pid == -1 || waitpid(pid, &status, 0) != pid ||
	    !WIFSTOPPED(status) ||
	    ptrace(PTRACE_SETOPTIONS, pid, NULL,
		(void *)(PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL)) == -1)
		_exit(EXIT_TRACE);
	return pid;
}

void
killpoint_exec(const char *path, char *const argv[], unsigned n)
{
	pid_t pid;
	int stop = 0;

	/* The sanitizers' search for leaks wants to trace, too. */
	setenv("ASAN_OPTIONS", "detect_leaks=0", 1);
	pid = trace(path, argv);
	for (;;) {
		stop = go_on(pid, stop == CALL_STOP ? 0 : stop);
		if (stop == CALL_STOP && is_at_call(pid) && --n == 0)
			finish(pid);
	}
}

/* ---- calls that fail ---- */

/* What a disk can fail; reads are these and read(). */
static const long touching[] = {
#ifdef SYS_rename
	SYS_rename,
	SYS_unlink,
#endif
#ifdef SYS_open
	SYS_open,
#endif
	SYS_renameat2,
	SYS_unlinkat,
	SYS_openat,
	SYS_pread64,
	SYS_pwrite64,
	SYS_truncate,
	SYS_ftruncate,
	SYS_fallocate,
	SYS_fsync,
	SYS_fdatasync,
};

static bool
touches_file(long call, const uint64_t *arg)
{
	for (size_t i = 0; i < NELEM(touching); i++)
		if (call == touching[i])
			return true;
	return (call == SYS_read || call == SYS_write) &&
	    arg[0] > STDERR_FILENO + 1;
}

/*
 * The call is made with arguments that nothing can be done with, for a filter
 * of calls would not let another number pass; then its result is changed.
 */
static void
registers_set(pid_t pid, bool is_entry, int error)
{
#if defined(__x86_64__) || defined(__aarch64__)
	struct user_regs_struct regs;
	struct iovec iov = { &regs, sizeof(regs) };

	if (ptrace(PTRACE_GETREGSET, pid, (void *)NT_PRSTATUS, &iov) == -1)
		_exit(EXIT_TRACE);
#if defined(__x86_64__)
	if (is_entry)
		regs.rdi = regs.rsi = (uint64_t)-1;
	else
		regs.rax = (uint64_t)(-(int64_t)error);
#else
	if (is_entry)
		regs.regs[0] = regs.regs[1] = (uint64_t)-1;
	else
		regs.regs[0] = (uint64_t)(-(int64_t)error);
#endif
	if (ptrace(PTRACE_SETREGSET, pid, (void *)NT_PRSTATUS, &iov) == -1)
		_exit(EXIT_TRACE);
#else
	(void)pid, (void)is_entry, (void)error;
	_exit(EXIT_TRACE);
#endif
}

/* Is it at the entry of a call that counts? *begun: the lock was taken. */
static bool
is_at_file(pid_t pid, bool *begun)
{
	struct __ptrace_syscall_info info;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) <= 0)
		_exit(EXIT_TRACE);
	if (info.op != PTRACE_SYSCALL_INFO_ENTRY)
		return false;
	*begun = *begun || info.entry.nr == SYS_flock;
	return *begun && touches_file((long)info.entry.nr, info.entry.args);
}

void
failpoint_exec(const char *path, char *const argv[], unsigned n, int error)
{
	bool begun = false;
	pid_t pid;
	int stop = 0;

	setenv("ASAN_OPTIONS", "detect_leaks=0", 1);
	pid = trace(path, argv);
	for (;;) {
		stop = go_on(pid, stop == CALL_STOP ? 0 : stop);
		if (stop != CALL_STOP || !is_at_file(pid, &begun) || --n != 0)
			continue;
		registers_set(pid, true, error);
		if (go_on(pid, 0) != CALL_STOP)
			_exit(EXIT_TRACE);
		registers_set(pid, false, error);
		close(open(FAILPOINT_HIT, O_CREAT | O_WRONLY, 0600));
	}
}

bool
failpoint_works(void)
{
#if defined(__x86_64__) || defined(__aarch64__)
	return killpoint_works();
#else
	return false;
#endif
}

unsigned
killpoint_stride(void)
{
	const char *text = getenv("ANOMD_KILL_STRIDE");
	long stride = text == NULL ? 1 : strtol(text, NULL, 10);

	return stride < 1 || stride > 1000 ? 1 : (unsigned)stride;
}

unsigned
killpoint_next(unsigned n)
{
	return n == 0 ? 1 : n + killpoint_stride();
}

bool
killpoint_works(void)
{
	char name[] = "true", *argv[] = { name, NULL };
	int status;
	pid_t pid = fork();

	if (pid == 0)
		killpoint_exec("/bin/true", argv, 1000000);
	return pid != -1 && waitpid(pid, &status, 0) == pid &&
	    WIFEXITED(status) && WEXITSTATUS(status) == 0;
}
