/* Real processes: what they inherit, and how their end is told. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "supervisor/child.h"

#define LOOP_LIMIT_S 20 /* generous: nothing here waits so long */

static struct event_base *base;
static unsigned ends;
static int end_status;

static void
on_exit_cb(void *arg, int status)
{
	(void)arg;
	ends++;
	end_status = status;
	event_base_loopbreak(base);
}

static void
setup(void)
{
	base = event_base_new();
	cr_assert_eq(child_init(base), 0);
}

static void
teardown(void)
{
	child_cleanup();
	event_base_free(base);
}

TestSuite(child, .init = setup, .fini = teardown);

/* A program that sh runs; its channel is at descriptor 3. */
static char *
script(const char *text)
{
	static char path[] = "/tmp/test_child.XXXXXX";
	int fd;

	strlcpy(path, "/tmp/test_child.XXXXXX", sizeof(path));
	fd = mkstemp(path);
	cr_assert_neq(fd, -1);
	cr_assert_gt(dprintf(fd, "#!/bin/sh\n%s\n", text), 0);
	cr_assert_eq(fchmod(fd, 0700), 0);
	close(fd);
	return path;
}

/* Run it to its end; what it wrote into its channel, which is closed then. */
static const char *
run(const char *text, const char *what)
{
	struct timeval limit = { .tv_sec = LOOP_LIMIT_S };
	static char said[8192];
	char *path = script(text);
	size_t len = 0;
	ssize_t n;
	int fd;

	cr_assert_not_null(child_spawn(path, what, &fd, on_exit_cb, NULL));
	event_base_loopexit(base, &limit);
	while (ends == 0)
		cr_assert_eq(event_base_dispatch(base), 0);
	cr_expect_eq(ends, 1);
	unlink(path);
	while (len < sizeof(said) - 1 &&
	    (n = read(fd, said + len, sizeof(said) - 1 - len)) > 0)
		len += (size_t)n;
	said[len] = '\0';
	close(fd);
	return said;
}

Test(child, has_its_channel_and_standard_descriptors_and_nothing_else)
{
	/* One that close-on-exec would not save. */
	int leak = dup(STDERR_FILENO);

	cr_assert_gt(leak, 3);
	fcntl(leak, F_SETFD, 0);
	/* ls itself opens the directory, the first that is free: 4. */
	cr_expect_str_eq(
	    run("exec ls /proc/self/fd >&3", NULL), "0\n1\n2\n3\n4\n");
	close(leak);
}

Test(child, reads_nothing_from_standard_input_and_says_all_on_standard_error)
{
	cr_expect_str_eq(run("readlink /proc/self/fd/0 >&3\n"
			     "test /proc/self/fd/1 -ef /proc/self/fd/2 && "
			     "echo same >&3",
			     NULL),
	    "/dev/null\nsame\n");
}

Test(child, starts_with_no_signal_blocked_or_ignored)
{
	/* The C library keeps two for itself, and ignores them. */
	const unsigned long own = 3ul << (32 - 1);
	unsigned long blocked = 1, ignored = 1;
	sigset_t set;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	cr_assert_eq(
	    sscanf(
		run("exec grep -E '^Sig(Blk|Ign)' /proc/self/status >&3", NULL),
		"SigBlk: %lx SigIgn: %lx", &blocked, &ignored),
	    2);
	cr_expect_eq(blocked, 0);
	cr_expect_eq(ignored & ~own, 0, "%lx", ignored);
	/* And the parent's own mask is as it was. */
	sigprocmask(SIG_SETMASK, NULL, &set);
	cr_expect(sigismember(&set, SIGUSR1));
	cr_expect_not(sigismember(&set, SIGTERM));
}

Test(child, inherits_of_the_environment_only_what_is_declared)
{
	setenv("SECRET", "1", 1);
	setenv("JOURNAL_STREAM", "8:9", 1);
	unsetenv("ASAN_OPTIONS");
	unsetenv("LSAN_OPTIONS");
	unsetenv("UBSAN_OPTIONS");
	cr_expect_str_eq(run("tr '\\0' '\\n' </proc/$$/environ >&3", NULL),
	    "JOURNAL_STREAM=8:9\n");
}

Test(child, shows_whose_it_is_in_its_arguments)
{
	cr_expect_str_eq(run("echo \"$#:$1\" >&3", "a job"), "1:a job\n");
}

Test(child, exit_status_is_told_in_words)
{
	char text[96];

	run("exit 7", NULL);
	cr_expect_str_eq(child_status_text(end_status, text, sizeof(text)),
	    "exited with status 7");
}

Test(child, a_signal_is_told_in_words)
{
	char text[96];

	run("kill -SEGV $$", NULL);
	cr_expect_str_eq(child_status_text(end_status, text, sizeof(text)),
	    "killed by signal 11 (Segmentation fault)");
}

Test(child, one_that_is_killed_is_reaped_and_told)
{
	char *path = script("exec sleep 60");
	struct child *c;
	int fd;

	c = child_spawn(path, NULL, &fd, on_exit_cb, NULL);
	cr_assert_not_null(c);
	child_kill(c);
	event_base_dispatch(base);
	cr_expect_eq(ends, 1);
	cr_expect(WIFSIGNALED(end_status) && WTERMSIG(end_status) == SIGKILL);
	cr_expect_eq(waitpid(-1, NULL, WNOHANG), -1, "no zombie is left");
	unlink(path);
	close(fd);
}

Test(child, one_that_is_forgotten_is_reaped_and_not_told)
{
	struct timeval moment = { .tv_usec = 10000 };
	char *path = script("exit 0");
	struct child *c;
	int fd;

	c = child_spawn(path, NULL, &fd, on_exit_cb, NULL);
	cr_assert_not_null(c);
	child_forget(c);
	for (int i = 0; i < 1000 && kill(-1, 0) == 0 &&
	     waitid(P_ALL, 0, NULL, WEXITED | WNOHANG | WNOWAIT) == 0;
	     i++) {
		event_base_loopexit(base, &moment);
		event_base_dispatch(base);
	}
	cr_expect_eq(ends, 0);
	unlink(path);
	close(fd);
}

Test(child, a_program_that_is_not_there_is_an_error_and_leaks_nothing)
{
	int before = dup(STDERR_FILENO), fd = -1, after;

	close(before);
	cr_expect_null(
	    child_spawn("/nonexistent/program", NULL, &fd, on_exit_cb, NULL));
	cr_expect_eq(errno, ENOENT);
	after = dup(STDERR_FILENO);
	cr_expect_eq(before, after, "a descriptor was left open");
	close(after);
	cr_expect_eq(ends, 0);
}

Test(child, ends_are_waited_for_when_the_daemon_ends)
{
	char *path = script("read line <&3; exit 0");
	int fd;

	cr_assert_not_null(child_spawn(path, NULL, &fd, on_exit_cb, NULL));
	close(fd); /* by which it ends */
	child_cleanup();
	cr_expect_eq(waitpid(-1, NULL, WNOHANG), -1);
	cr_expect_eq(ends, 0);
	unlink(path);
}
