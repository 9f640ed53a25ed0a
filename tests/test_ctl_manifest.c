/* The manifest of a backup: round trip, and every flip and truncation. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/crc32c.h"
#include "ctl/manifest.h"

static char top[] = "/tmp/anomctl-manifest-XXXXXX";
static int dirfd = -1;

static void
setup(void)
{
	cr_assert_not_null(mkdtemp(top));
	dirfd = open(top, O_RDONLY | O_DIRECTORY);
	cr_assert_neq(dirfd, -1);
}

static void
teardown(void)
{
	close(dirfd);
	cr_assert_eq(copy_remove_tree(AT_FDCWD, top), 0);
}

TestSuite(ctl_manifest, .init = setup, .fini = teardown);

static void
write_file(const char *name, const void *data, size_t len)
{
	int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	cr_assert_neq(fd, -1);
	cr_assert_eq(write(fd, data, len), (ssize_t)len);
	close(fd);
}

static size_t
read_file(const char *name, char *data, size_t room)
{
	int fd = openat(dirfd, name, O_RDONLY);
	ssize_t n = read(fd, data, room);

	cr_assert_gt(n, 0);
	cr_assert_lt((size_t)n, room);
	close(fd);
	return (size_t)n;
}

static void
fill(struct manifest *m)
{
	strlcpy(m->version, "1.2.3", sizeof(m->version));
	m->created_ms = 1700000000123;
	cr_assert_not_null(
	    manifest_put(m, "catalog.db", &(struct copy_sum){ 4096, 17 }));
	cr_assert_not_null(manifest_put(m, "jobs/a.1/journal/1 \"x\".seg",
	    &(struct copy_sum){ (uint64_t)1 << 40, UINT32_MAX }));
	cr_assert_eq(manifest_leave_out(m, "b.2"), 0);
}

Test(ctl_manifest, comes_back_as_it_was_written)
{
	struct manifest m = { 0 }, back = { 0 };
	char why[256];

	fill(&m);
	cr_assert_eq(manifest_write(&m, dirfd), 0);
	cr_assert_eq(
	    manifest_read(&back, dirfd, why, sizeof(why)), 0, "%s", why);
	cr_assert_str_eq(back.version, "1.2.3");
	cr_assert_eq(back.created_ms, m.created_ms);
	cr_assert_eq(back.nfiles, 2);
	for (size_t i = 0; i < 2; i++) {
		cr_expect_str_eq(back.file[i].path, m.file[i].path);
		cr_expect_eq(back.file[i].sum.size, m.file[i].sum.size);
		cr_expect_eq(back.file[i].sum.crc, m.file[i].sum.crc);
	}
	cr_assert_eq(back.nleft_out, 1);
	cr_assert_str_eq(back.left_out[0], "b.2");
	manifest_clear(&back);
	manifest_clear(&m);
}

static void
expect_refused(const char *what, size_t at)
{
	struct manifest back = { 0 };
	char why[256] = "";

	errno = 0;
	cr_expect_eq(manifest_read(&back, dirfd, why, sizeof(why)), -1,
	    "%s at %zu", what, at);
	cr_expect_eq(errno, EBADMSG, "%s at %zu: %s", what, at, why);
	cr_expect_neq(why[0], '\0');
	manifest_clear(&back);
}

Test(ctl_manifest, every_flip_and_truncation_is_refused)
{
	struct manifest m = { 0 };
	char text[4096];
	size_t len;

	fill(&m);
	cr_assert_eq(manifest_write(&m, dirfd), 0);
	manifest_clear(&m);
	len = read_file(MANIFEST_FILE, text, sizeof(text));
	for (size_t i = 0; i < len; i++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			text[i] = (char)(text[i] ^ 1 << bit);
			write_file(MANIFEST_FILE, text, len);
			expect_refused("flip", i);
			text[i] = (char)(text[i] ^ 1 << bit);
		}
		write_file(MANIFEST_FILE, text, i);
		expect_refused("end", i);
	}
}

/* With the right checksum: who made it may be somebody else. */
static void
write_manifest(const char *body)
{
	char text[1024];

	snprintf(text, sizeof(text), "{\"crc32c\":\"%08x\",\"manifest\":%s}\n",
	    (unsigned)crc32c(0, body, strlen(body)), body);
	write_file(MANIFEST_FILE, text, strlen(text));
}

Test(ctl_manifest, paths_that_lead_out_of_the_directory_are_refused)
{
	static const char *const paths[] = { "/etc/passwd", "../x", "a/../../x",
		"a//b", "./a", "a/.", "", "a/" };
	static const char form[] =
	    "{\"format\":1,\"version\":\"1\",\"created_ms\":1,\"left_out\":[],"
	    "\"files\":[{\"path\":\"%s\",\"size\":1,\"crc32c\":1}]}";
	struct manifest back = { 0 };
	char body[512], why[256];

	for (size_t i = 0; i < NELEM(paths); i++) {
		snprintf(body, sizeof(body), form, paths[i]);
		write_manifest(body);
		expect_refused(paths[i], i);
	}
	snprintf(body, sizeof(body), form, "a/..b/c.");
	write_manifest(body);
	cr_assert_eq(
	    manifest_read(&back, dirfd, why, sizeof(why)), 0, "%s", why);
	manifest_clear(&back);
}

Test(ctl_manifest, another_format_is_refused)
{
	write_manifest("{\"format\":2,\"version\":\"1\",\"created_ms\":1,"
		       "\"left_out\":[],\"files\":[]}");
	expect_refused("format", 2);
}

Test(ctl_manifest, without_a_file_there_is_none)
{
	struct manifest m = { 0 };
	char why[256];

	cr_assert_eq(manifest_read(&m, dirfd, why, sizeof(why)), -1);
	cr_assert_eq(errno, ENOENT);
}

Test(ctl_manifest, a_file_is_compared_by_size_and_checksum)
{
	struct manifest m = { 0 };
	struct manifest_file *f;
	char why[256];

	write_file("x", "abcdef", 6);
	f = manifest_put(
	    &m, "x", &(struct copy_sum){ 6, crc32c(0, "abcdef", 6) });
	cr_assert_not_null(f);
	cr_expect_eq(manifest_check(f, dirfd, why, sizeof(why)), 0);
	write_file("x", "abcdeg", 6);
	cr_expect_eq(manifest_check(f, dirfd, why, sizeof(why)), -1);
	cr_expect_str_eq(why, "its checksum is wrong");
	write_file("x", "abcde", 5);
	cr_expect_eq(manifest_check(f, dirfd, why, sizeof(why)), -1);
	cr_expect_str_eq(why, "it has 5 bytes, and should have 6");
	cr_assert_eq(unlinkat(dirfd, "x", 0), 0);
	cr_expect_eq(manifest_check(f, dirfd, why, sizeof(why)), -1);
	cr_expect_eq(errno, ENOENT);
	manifest_clear(&m);
}

Test(ctl_manifest, what_is_not_settled_can_be_forgotten)
{
	static const struct copy_sum sum = { 1, 2 };
	struct manifest m = { 0 };

	cr_assert_not_null(manifest_put(&m, "jobs/a.1/x", &sum));
	m.settled = m.nfiles;
	cr_assert_not_null(manifest_put(&m, "jobs/b.2/x", &sum));
	cr_assert_not_null(manifest_put(&m, "jobs/b.2/y", &sum));
	manifest_drop(&m, "jobs/b.2/y");
	cr_expect_eq(m.nfiles, 2);
	manifest_rewind(&m);
	cr_expect_eq(m.nfiles, 1);
	manifest_drop(&m, "jobs/a");
	cr_expect_eq(m.nfiles, 1);
	manifest_drop(&m, "jobs/a.1/");
	cr_expect_eq(m.nfiles, 0);
	manifest_clear(&m);
}
