/* The calls on files that must not stop half-way. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "common/disk.h"
#include "tests/tmpdir.h"

static char dir[TMPDIR_BYTES];

static void
setup(void)
{
	tmpdir_enter(dir);
}

static void
teardown(void)
{
	tmpdir_purge(dir);
}

TestSuite(disk, .init = setup, .fini = teardown);

static int
file_with(const char *path, const char *text)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);

	cr_assert_neq(fd, -1);
	cr_assert_eq(disk_write_at(fd, text, strlen(text), 0), 0);
	return fd;
}

Test(disk, what_is_written_is_mapped)
{
	size_t len;
	void *map;
	int fd = file_with("file", "hello world");

	cr_assert_eq(disk_write_at(fd, "W", 1, 6), 0);
	close(fd);
	cr_assert_eq(disk_map("file", &map, &len), 0);
	cr_assert_eq(len, 11);
	cr_expect_arr_eq(map, "hello World", 11);
	munmap(map, len);
}

Test(disk, empty_file_is_mapped_as_nothing)
{
	void *map = dir;
	size_t len = 1;

	close(file_with("file", ""));
	cr_expect_eq(disk_map("file", &map, &len), 0);
	cr_expect_null(map);
	cr_expect_eq(len, 0);
}

Test(disk, missing_file_is_an_error)
{
	size_t len;
	void *map;

	cr_expect_eq(disk_map("none", &map, &len), -1);
	cr_expect_eq(errno, ENOENT);
	cr_expect_eq(disk_sync_dir("none"), -1);
	cr_expect_eq(errno, ENOENT);
	cr_expect_eq(disk_sync_dir("spool"), 0);
}

Test(disk, failed_write_says_why)
{
	int fd = file_with("file", "");

	close(fd);
	fd = open("file", O_RDONLY);
	cr_expect_eq(disk_write_at(fd, "x", 1, 0), -1);
	cr_expect_eq(errno, EBADF);
	close(fd);
}

static int
count_name(void *arg, const char *name)
{
	int *n = arg;

	++*n;
	errno = EIO; /* of no meaning: this returns 0 */
	return strcmp(name, "last") == 0 ? 7 : 0;
}

Test(disk, each_name_comes_once_but_hidden_ones)
{
	int n = 0;

	cr_expect_eq(disk_each("spool", count_name, &n), 0);
	cr_expect_eq(n, 0);
	close(file_with("spool/a", ""));
	close(file_with("spool/.b", ""));
	close(file_with("spool/c", ""));
	cr_expect_eq(disk_each("spool", count_name, &n), 0);
	cr_expect_eq(n, 2);
	close(file_with("spool/last", ""));
	cr_expect_eq(disk_each("spool", count_name, &n), 7);
	cr_expect_eq(disk_each("none", count_name, &n), -1);
	cr_expect_eq(errno, ENOENT);
}
