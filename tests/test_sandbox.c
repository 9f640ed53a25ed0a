/*
 * What a worker cannot do: a child enters the sandbox, tries, and says by its
 * exit status which of the attempts was refused.
 */
#include "common/compat.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/sandbox.h"

enum { WAS_REFUSED = 0, WAS_POSSIBLE = 10, NO_SANDBOX = 11 };

static char base[] = "/tmp/anomd-sandbox-XXXXXX";

static void
touch(const char *path)
{
	int fd = open(path, O_CREAT | O_WRONLY, 0600);

	cr_assert_neq(fd, -1);
	close(fd);
}

/* Two jobs side by side; the test runs in the directory of the first. */
static void
setup(void)
{
	cr_assert_not_null(mkdtemp(base));
	cr_assert_eq(chdir(base), 0);
	cr_assert_eq(mkdir("mine.1", 0700), 0);
	cr_assert_eq(mkdir("mine.1/spool", 0700), 0);
	cr_assert_eq(mkdir("mine.1/journal", 0700), 0);
	cr_assert_eq(mkdir("other.2", 0700), 0);
	touch("other.2/file");
	touch("mine.1/spool/a");
	cr_assert_eq(chdir("mine.1"), 0);
}

static void
teardown(void)
{
	static const char *const files[] = { "other.2/file", "mine.1/spool/a",
		"mine.1/journal/b", "mine.1/new" };
	static const char *const dirs[] = { "mine.1/spool", "mine.1/journal",
		"mine.1", "other.2" };

	if (chdir(base) == -1)
		return;
	for (size_t i = 0; i < NELEM(files); i++)
		unlink(files[i]);
	for (size_t i = 0; i < NELEM(dirs); i++)
		rmdir(dirs[i]);
	rmdir(base);
}

TestSuite(sandbox, .init = setup, .fini = teardown, .timeout = 30);

/* Wait status of a child that enters the sandbox and then makes the attempt. */
static int
in_sandbox(int (*attempt)(void))
{
	char mine[64];
	struct sandbox_path path = { .path = mine, .writable = true };
	pid_t pid;
	int status;

	snprintf(mine, sizeof(mine), "%s/mine.1", base);
	pid = fork();
	cr_assert_neq(pid, -1);
	if (pid == 0) {
		if (sandbox_enter(SANDBOX_WORKER, &path, 1) == -1)
			_exit(NO_SANDBOX);
		_exit(attempt());
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	return status;
}

static int
refused(bool worked)
{
	return worked ? WAS_POSSIBLE : WAS_REFUSED;
}

static long
landlock_version(void)
{
	return syscall(SYS_landlock_create_ruleset, NULL, 0, 1);
}

/* Kernel without Landlock: the file layer is not there to be tested. */
static void
needs_landlock(void)
{
	if (landlock_version() < 2)
		cr_skip_test("this kernel has no Landlock");
}

/* The filter, or a Landlock that knows of networks and signals. */
static void
needs_filter_or_landlock(void)
{
#ifdef WITH_SANITIZERS
	if (landlock_version() < 6)
		cr_skip_test("no seccomp filter, and no Landlock of version 6");
#endif
}

static void
needs_filter(void)
{
#ifdef WITH_SANITIZERS
	cr_skip_test("built with sanitizers: there is no seccomp filter");
#endif
}

static int
try_other_jobs_file(void)
{
	return refused(open("../other.2/file", O_RDONLY) != -1 ||
	    open("../other.2/new", O_CREAT | O_WRONLY, 0600) != -1 ||
	    unlink("../other.2/file") == 0 ||
	    open("/etc/passwd", O_RDONLY) != -1);
}

static int
try_socket(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_port = htons(9),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	/* Without the filter a socket is made, but must lead nowhere. */
	if (fd == -1)
		return refused(errno != EPERM);
	return refused(connect(fd, (struct sockaddr *)&sin, sizeof(sin)) == 0 ||
	    errno != EACCES);
}

static int
try_exec(void)
{
	execl("/bin/true", "true", (char *)NULL);
	return refused(false);
}

static int
try_ptrace(void)
{
	return refused(ptrace(PTRACE_ATTACH, getppid(), NULL, NULL) == 0 ||
	    errno != EPERM);
}

static int
try_kill(void)
{
	return refused(kill(getppid(), 0) == 0 || errno != EPERM);
}

/* A thread: whatever fork() itself asks for, this is more. */
static int
try_clone(void)
{
	long pid = syscall(SYS_clone,
	    CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD,
	    NULL, NULL, NULL, NULL);

	return refused(pid != -1 || errno != EPERM);
}

static int
try_namespace(void)
{
	long pid =
	    syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, NULL);

	if (pid == 0)
		_exit(0);
	return refused(pid != -1 || errno != EPERM);
}

/* Of a process that may be read, and so be looked into. */
static int
try_dumpable(void)
{
	return refused(prctl(PR_SET_DUMPABLE, 1) != -1 || errno != EPERM);
}

static int
try_code(void)
{
	return refused(mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
}

static int
try_limits(void)
{
	struct rlimit core, files;

	if (getrlimit(RLIMIT_CORE, &core) == -1 ||
	    getrlimit(RLIMIT_NOFILE, &files) == -1)
		return WAS_POSSIBLE;
	return refused(core.rlim_max != 0 || files.rlim_max > 1024);
}

static int
try_io_uring(void)
{
	syscall(SYS_io_uring_setup, 1, NULL);
	return WAS_POSSIBLE;
}

static int
try_abort(void)
{
	abort();
}

/* What its work needs: files of its own, renames between directories. */
static int
try_own_work(void)
{
	int fd = open("new", O_CREAT | O_RDWR, 0600);
	struct flock fl = { .l_type = F_WRLCK, .l_len = 1 };

	if (fd == -1 || pwrite(fd, "abc", 3, 0) != 3 || fsync(fd) == -1 ||
	    ftruncate(fd, 1) == -1 || fcntl(fd, F_SETLK, &fl) == -1)
		return 1;
	if (rename("spool/a", "journal/b") == -1)
		return 2;
	if (mmap(NULL, 1, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED)
		return 3;
	if (open("journal", O_RDONLY | O_DIRECTORY) == -1)
		return 4;
	return unlink("new") == -1 ? 5 : 0;
}

static void
expect_refused(int (*attempt)(void))
{
	int status = in_sandbox(attempt);

	cr_assert(WIFEXITED(status), "ended by signal %d", WTERMSIG(status));
	cr_expect_eq(
	    WEXITSTATUS(status), WAS_REFUSED, "status %d", WEXITSTATUS(status));
}

Test(sandbox, file_of_another_job_is_out_of_reach)
{
	needs_landlock();
	expect_refused(try_other_jobs_file);
}

Test(sandbox, socket_is_refused)
{
	needs_filter_or_landlock();
	expect_refused(try_socket);
}

Test(sandbox, exec_is_refused)
{
	needs_filter_or_landlock();
	expect_refused(try_exec);
}

Test(sandbox, ptrace_is_refused)
{
	needs_filter_or_landlock();
	expect_refused(try_ptrace);
}

Test(sandbox, kill_of_another_process_is_refused)
{
	needs_filter_or_landlock();
	expect_refused(try_kill);
}

Test(sandbox, threads_and_namespaces_are_refused)
{
	needs_filter();
	expect_refused(try_clone);
	expect_refused(try_namespace);
}

Test(sandbox, prctl_is_refused)
{
	needs_filter();
	expect_refused(try_dumpable);
}

Test(sandbox, memory_for_code_is_refused)
{
	needs_filter();
	expect_refused(try_code);
}

Test(sandbox, limits_are_set)
{
	expect_refused(try_limits);
}

Test(sandbox, exotic_call_kills)
{
	int status;

	needs_filter();
	status = in_sandbox(try_io_uring);
	cr_assert(WIFSIGNALED(status));
	cr_expect_eq(WTERMSIG(status), SIGSYS);
}

Test(sandbox, abort_still_ends_as_sigabrt)
{
	int status = in_sandbox(try_abort);

	cr_assert(WIFSIGNALED(status));
	cr_expect_eq(WTERMSIG(status), SIGABRT);
}

Test(sandbox, own_work_is_possible)
{
	int status = in_sandbox(try_own_work);

	cr_assert(WIFEXITED(status));
	cr_expect_eq(WEXITSTATUS(status), 0, "step %d", WEXITSTATUS(status));
}
