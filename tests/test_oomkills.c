#include "common/compat.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "supervisor/oomkills.h"
#include "tests/tmpdir.h"

#define FILE_NAME "memory.events"
#define SECOND_US INT64_C(1000000)

static struct oomkills oom = { .fd = -1 };
static char dir[TMPDIR_BYTES];

static void
set(const char *text)
{
	int fd = open(FILE_NAME, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	cr_assert_neq(fd, -1);
	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static void
kills(unsigned n)
{
	char text[128];

	snprintf(text, sizeof(text),
	    "low 0\nhigh 7\nmax 9\noom %u\noom_kill %u\noom_group_kill 0\n",
	    n + 5, n);
	set(text);
}

static void
setup(void)
{
	tmpdir_enter(dir);
}

static void
teardown(void)
{
	oomkills_end(&oom);
	tmpdir_purge(dir);
}

TestSuite(oomkills, .init = setup, .fini = teardown);

Test(oomkills, path_is_that_of_the_second_hierarchy)
{
	char path[128];

	cr_expect_eq(oomkills_path(path, sizeof(path),
			 "4:memory:/old\n0::/system.slice/anomd.service\n"),
	    0);
	cr_expect_str_eq(
	    path, "/sys/fs/cgroup/system.slice/anomd.service/memory.events");
	cr_expect_eq(oomkills_path(path, sizeof(path), "4:memory:/old\n"), -1);
	cr_expect_eq(oomkills_path(path, sizeof(path), ""), -1);
	cr_expect_eq(oomkills_path(path, sizeof(path), "0::"), -1);
	cr_expect_eq(oomkills_path(path, 20, "0::/a.service\n"), -1);
}

Test(oomkills, number_is_that_of_its_own_line)
{
	uint64_t n = 0;

	cr_expect_eq(oomkills_parse("oom 3\noom_kill 12\n", &n), 0);
	cr_expect_eq(n, 12);
	cr_expect_eq(oomkills_parse("oom_kill 18446744073709551615", &n), 0);
	cr_expect_eq(n, UINT64_MAX);
	cr_expect_eq(oomkills_parse("oom 3\noom_group_kill 1\n", &n), -1);
	cr_expect_eq(oomkills_parse("oom_kill x\n", &n), -1);
	cr_expect_eq(oomkills_parse("oom_kill -1\n", &n), -1);
	cr_expect_eq(oomkills_parse("oom_kill 1x\n", &n), -1);
	cr_expect_eq(oomkills_parse("oom_kill 18446744073709551616\n", &n), -1);
	cr_expect_eq(oomkills_parse("", &n), -1);
}

Test(oomkills, each_kill_explains_one_death)
{
	kills(2);
	oomkills_begin(&oom, FILE_NAME);
	cr_expect_not(oomkills_take(&oom, SECOND_US), "it was before");
	kills(4);
	cr_expect(oomkills_take(&oom, 2 * SECOND_US));
	cr_expect(oomkills_take(&oom, 2 * SECOND_US));
	cr_expect_not(oomkills_take(&oom, 2 * SECOND_US));
}

Test(oomkills, kill_that_was_seen_before_the_death_still_counts)
{
	kills(0);
	oomkills_begin(&oom, FILE_NAME);
	kills(1);
	oomkills_tick(&oom, 10 * SECOND_US);
	oomkills_tick(&oom, 12 * SECOND_US);
	cr_expect(oomkills_take(&oom, 13 * SECOND_US));
}

/* It was of another process, such as one that wrote a snapshot. */
Test(oomkills, kill_that_nobody_asks_for_is_forgotten)
{
	kills(0);
	oomkills_begin(&oom, FILE_NAME);
	kills(1);
	oomkills_tick(&oom, 10 * SECOND_US);
	oomkills_tick(&oom, 16 * SECOND_US);
	cr_expect_not(oomkills_take(&oom, 16 * SECOND_US));
}

Test(oomkills, without_a_file_nothing_is_known)
{
	oomkills_begin(&oom, FILE_NAME);
	cr_expect_eq(oom.fd, -1);
	cr_expect_not(oomkills_take(&oom, SECOND_US));
	set("low 0\n");
	oomkills_begin(&oom, FILE_NAME);
	cr_expect_eq(oom.fd, -1);
	oomkills_begin(&oom, NULL);
}

Test(oomkills, only_a_death_by_sigkill_is_explained)
{
	char text[96];

	set("oom_kill 0\n");
	oomkills_begin(&oom, FILE_NAME);
	kills(1);
	cr_expect_not(oomkills_explain(NULL, SIGKILL, SECOND_US));
	cr_expect_not(oomkills_explain(&oom, SIGSEGV, SECOND_US));
	cr_expect_not(oomkills_explain(&oom, SIGKILL << 8, SECOND_US), "exit");
	cr_expect_str_eq(oomkills_death_text(&oom, SIGKILL, text, sizeof(text)),
	    "killed by signal 9 (Killed) by the kernel: memory is out");
	cr_expect_str_eq(oomkills_death_text(&oom, SIGKILL, text, sizeof(text)),
	    "killed by signal 9 (Killed)");
}
