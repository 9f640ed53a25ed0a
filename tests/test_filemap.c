/* Files seen as memory, of which the disk cannot read a page. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "common/disk.h"
#include "common/filemap.h"
#include "common/log.h"
#include "tests/badsector.h"
#include "tests/damage.h"
#include "tests/tmpdir.h"

static char dir[TMPDIR_BYTES];
static size_t page;
static volatile char seen;
static size_t len; /* of "file": three pages and a half */

static void
setup(void)
{
	char *data;

	log_init("test_filemap", LOG_LEVEL_WARN);
	tmpdir_enter(dir);
	logged_begin();
	page = (size_t)sysconf(_SC_PAGESIZE);
	len = 3 * page + page / 2;
	data = malloc(len);
	memset(data, 'x', len);
	image_write("file", data, len);
	free(data);
}

static void
teardown(void)
{
	tmpdir_purge(dir);
}

TestSuite(filemap, .init = setup, .fini = teardown, .timeout = 60);

static char *
map_file(void)
{
	size_t n;
	void *map;

	cr_assert_eq(disk_map("file", &map, &n), 0);
	cr_assert_eq(n, len);
	return map;
}

static void
expect_page(const char *p, char c)
{
	for (size_t i = 0; i < page; i++)
		cr_assert_eq(p[i], c);
}

Test(filemap, whole_file_has_not_failed)
{
	char *map = map_file();
	size_t at;

	expect_page(map + 2 * page, 'x');
	cr_expect_eq(map[len - 1], 'x');
	cr_expect_not(filemap_failed(map, &at));
	filemap_close(map, len);
}

Test(filemap, page_that_cannot_be_read_is_zeros_and_is_remembered)
{
	char *map, *other = map_file();
	size_t at;

	badsector_set("file", page + 17);
	map = map_file();
	cr_expect_not(filemap_failed(map, &at), "nobody has read it");
	expect_page(map + page, '\0');
	cr_expect(filemap_failed(map, &at));
	cr_expect_eq(at, page);
	expect_page(map, 'x');
	expect_page(map + 2 * page, 'x');
	cr_expect_not(filemap_failed(other, &at), "another mapping");
	filemap_close(map, len);
	filemap_close(other, len);
	cr_expect_not(filemap_failed(map, &at));
}

Test(filemap, first_of_several_pages_is_named_and_a_cut_file_has_failed)
{
	char *map = map_file();
	size_t at;

	cr_assert_eq(truncate("file", (off_t)page), 0);
	expect_page(map + 2 * page, '\0');
	cr_expect_eq(map[len - 1], '\0', "half a page is one, too");
	expect_page(map + page, '\0');
	cr_expect(filemap_failed(map, &at));
	cr_expect_eq(at, page);
	filemap_close(map, len);
}

Test(filemap, writing_what_cannot_be_read_is_an_error_of_the_disk)
{
	int fd = open("copy", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	char *map;

	badsector_set("file", 0);
	map = map_file();
	cr_expect_eq(disk_write_at(fd, map, page, 0), -1);
	cr_expect_eq(errno, EIO);
	close(fd);
	filemap_close(map, len);
}

Test(filemap, memory_that_is_no_file_can_be_closed)
{
	void *p =
	    mmap(NULL, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t at;

	cr_assert_neq(p, MAP_FAILED);
	cr_expect_not(filemap_failed(p, &at));
	filemap_set_name(p, "nothing");
	filemap_set_in_use(p, true);
	filemap_close(p, page);
	filemap_close(NULL, 0);
	cr_expect_not(filemap_failed(NULL, &at));
	cr_expect_eq(filemap_open(-1, 0, &p), 0);
	cr_expect_null(p);
	cr_expect_eq(filemap_open(-1, page, &p), -1);
	cr_expect_eq(errno, EBADF);
	cr_expect_null(p);
}

/* How a process ends that reads the page. */
static int
reader_status(bool in_use)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		char *map = map_file();

		filemap_set_name(map, "journal/7.seg");
		filemap_set_in_use(map, true);
		filemap_set_in_use(map, in_use);
		seen = map[page];
		_exit(seen == '\0' ? 7 : 8);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	return status;
}

Test(filemap, content_in_use_that_cannot_be_read_ends_the_process)
{
	int status;

	badsector_set("file", page);
	status = reader_status(true);
	cr_expect(WIFEXITED(status));
	cr_expect_eq(WEXITSTATUS(status), 1);
	cr_expect(log_names(
	    logged(), "journal/7.seg", "cannot be read at byte", page, 0));
	status = reader_status(false);
	cr_expect(WIFEXITED(status));
	cr_expect_eq(WEXITSTATUS(status), 7);
	cr_expect_str_eq(logged(), "");
}

/* By the signal, or as the sanitizers end a process that gets it. */
static void
expect_death(void (*deed)(void))
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		deed();
		_exit(0);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_expect(WIFSIGNALED(status) ? WTERMSIG(status) == SIGBUS
				      : WEXITSTATUS(status) != 0);
}

static void
send_signal(void)
{
	map_file();
	raise(SIGBUS);
}

static void
read_unguarded(void)
{
	int fd = open("file", O_RDONLY | O_CLOEXEC);
	char *p;

	map_file();
	p = mmap(NULL, 4 * page, PROT_READ, MAP_SHARED, fd, 0);
	if (p != MAP_FAILED && truncate("file", 0) == 0)
		seen = p[page];
}

Test(filemap, signal_that_somebody_sends_still_ends_the_process)
{
	expect_death(send_signal);
}

Test(filemap, memory_of_others_still_ends_the_process)
{
	expect_death(read_unguarded);
}
