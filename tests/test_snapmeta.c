/* The small files of snapshots/: names, heads, and what users say. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/disk.h"
#include "common/snapfile.h"
#include "common/snaphead.h"
#include "common/snapmeta.h"
#include "tests/tmpdir.h"

#define SEQ 12

static char dir[TMPDIR_BYTES];
static char path[SNAPFILE_PATH_BYTES];

static void
setup(void)
{
	tmpdir_enter(dir);
	snapfile_path(path, NULL, SEQ, SNAPFILE_META);
}

static void
teardown(void)
{
	if (chdir("/") == 0)
		tmpdir_purge(dir);
}

TestSuite(snapmeta, .init = setup, .fini = teardown, .timeout = 60);

/* The bytes of the file; returns how many. */
static size_t
file_bytes(uint8_t *data, size_t size)
{
	ssize_t n = disk_read_start(path, data, size);

	cr_assert_gt(n, 0);
	return (size_t)n;
}

static void
put_file(const void *data, size_t len)
{
	int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0600);

	cr_assert_neq(fd, -1);
	cr_assert_eq(disk_write_at(fd, data, len, 0), 0);
	close(fd);
}

Test(snapmeta, names_carry_the_number_and_the_kind)
{
	cr_expect_str_eq(path, "snapshots/00000000000000000012.meta");
	cr_expect_str_eq(snapfile_path(path, "/a/j.1", 7, SNAPFILE_BASE),
	    "/a/j.1/snapshots/00000000000000000007.base");
	cr_expect_eq(
	    snapfile_number("00000000000000000012.snap", SNAPFILE_SNAP), 12);
	cr_expect_eq(
	    snapfile_number("00000000000000000012.snap", SNAPFILE_BASE), 0);
	cr_expect_eq(snapfile_number("12.snap", SNAPFILE_SNAP), 0);
	cr_expect_eq(snapfile_number("new", SNAPFILE_SNAP), 0);
}

Test(snapmeta, nothing_is_said_where_there_is_no_file)
{
	struct snapmeta_file f;

	cr_assert_eq(snapmeta_read(NULL, SEQ, &f), 0);
	cr_expect_not(f.meta.retain);
	cr_expect_not(f.meta.described);
}

Test(snapmeta, what_was_written_last_is_read)
{
	struct snapmeta m = { .described = true,
		.description = span_of("before the release"),
		.retain = true };
	struct snapmeta_file f;

	cr_assert_eq(snapmeta_write(NULL, SEQ, &m), 0);
	m.description = span_of("after it");
	m.retain = false;
	cr_assert_eq(snapmeta_write(dir, SEQ, &m), 0);
	cr_assert_eq(snapmeta_read(dir, SEQ, &f), 1);
	cr_expect(f.meta.described);
	cr_expect(span_eq(f.meta.description, "after it"));
	cr_expect_not(f.meta.retain);
	cr_expect_eq(tmpdir_count(SNAPFILE_DIR), 1, "nothing is left behind");
}

Test(snapmeta, longest_description_is_kept_and_a_longer_one_refused)
{
	static char text[SNAPMETA_DESCRIPTION_MAX + 2];
	struct snapmeta m = { .described = true };
	struct snapmeta_file f;

	memset(text, 'x', sizeof(text));
	m.description = (struct span){ text, SNAPMETA_DESCRIPTION_MAX };
	cr_assert_eq(snapmeta_write(NULL, SEQ, &m), 0);
	m.description.len++;
	cr_expect_eq(snapmeta_write(NULL, SEQ, &m), -1);
	cr_expect_eq(errno, EINVAL);
	cr_assert_eq(snapmeta_read(NULL, SEQ, &f), 1, "the old one is there");
	cr_expect_eq(f.meta.description.len, SNAPMETA_DESCRIPTION_MAX);
}

Test(snapmeta, damage_is_found_and_keeps_the_snapshot)
{
	struct snapmeta m = { .description = span_of("text") };
	struct snapmeta_file f;
	uint8_t data[256];
	size_t len;

	cr_assert_eq(snapmeta_write(NULL, SEQ, &m), 0);
	len = file_bytes(data, sizeof(data));
	for (size_t cut = 0; cut < len; cut++) {
		put_file(data, cut);
		cr_expect_eq(snapmeta_read(NULL, SEQ, &f), -1, "cut %zu", cut);
		cr_expect_eq(errno, EBADMSG);
		cr_expect(f.meta.retain);
	}
	for (size_t bit = 0; bit < len * 8; bit++) {
		data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		put_file(data, len);
		cr_expect_eq(snapmeta_read(NULL, SEQ, &f), -1, "bit %zu", bit);
		cr_expect(f.meta.retain);
		data[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}

Test(snapmeta, head_of_a_snapshot_is_read_without_the_rest)
{
	struct snapshot_head head = { .applied_seq = SEQ,
		.created_ms = 1455000000999,
		.job_id = span_of("j"),
		.description = span_of("State"),
		.min_version = span_of(SNAPHEAD_MIN_VERSION) };
	struct model_size size = { .model_bytes = 42 };
	static struct snaphead_file f;
	char id[SNAPHEAD_ID_BYTES];
	struct wbuf wb;

	wbuf_init(&wb, 0);
	cr_assert_eq(snaphead_put(&wb, &head, &size), 0);
	for (int i = 0; i < 10000; i++)
		cr_assert_eq(wire_put_u8(&wb, 0xff), 0);
	put_file(wb.data, wb.len);
	wbuf_clear(&wb);
	cr_assert_eq(snaphead_read(path, &f), 0);
	cr_expect_eq(f.format, SNAPHEAD_FORMAT);
	cr_expect_eq(f.head.applied_seq, SEQ);
	cr_expect_eq(f.size.model_bytes, 42);
	cr_expect(span_eq(f.head.description, "State"));
	cr_expect_str_eq(snaphead_id(id, f.head.created_ms), "1455000000");
	cr_expect_eq(snaphead_read("snapshots/none", &f), -1);
	cr_expect_eq(errno, ENOENT);
}
