/* The list of a job's snapshots: what its files say, and in which order. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/snapfile.h"
#include "common/snaplist.h"
#include "tests/tmpdir.h"

#define JOB_ID "j"
#define T0_MS INT64_C(1700000000000)

static char dir[TMPDIR_BYTES];

static void
enter(void)
{
	tmpdir_enter(dir);
}

static void
leave(void)
{
	tmpdir_purge(dir);
}

TestSuite(snaplist, .init = enter, .fini = leave);

/* The head is all that the list looks at. */
static void
make(uint64_t seq, int64_t created_ms, const char *job_id, uint64_t named)
{
	struct snapshot_head head = { .applied_seq = seq,
		.created_ms = created_ms,
		.job_id = span_of(job_id),
		.description = span_of("as it was written"),
		.min_version = span_of(SNAPHEAD_MIN_VERSION),
		.doc_count = 1,
		.latest_record_ms = T0_MS - 5,
		.latest_result_ms = TIME_UNSET };
	struct model_size size = { .model_bytes = 4711 };
	char path[SNAPFILE_PATH_BYTES];
	struct wbuf wb;
	int fd;

	wbuf_init(&wb, 0);
	cr_assert_eq(snaphead_put(&wb, &head, &size), 0);
	snapfile_path(path, NULL, named, SNAPFILE_SNAP);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	cr_assert_neq(fd, -1);
	cr_assert_eq(write(fd, wb.data, wb.len), (ssize_t)wb.len);
	close(fd);
	wbuf_clear(&wb);
}

static struct snaplist
list_read(size_t n)
{
	struct snaplist list;

	cr_assert_eq(snaplist_read(&list, NULL, JOB_ID), 0);
	cr_assert_eq(list.n, n, "%zu in place of %zu", list.n, n);
	return list;
}

Test(snaplist, of_a_new_job_is_empty)
{
	struct snaplist list = list_read(0);

	cr_expect_null(snaplist_find(&list, "1700000000"));
	snaplist_clear(&list);
}

/* A clock that was set back, and numbers that go on: time decides. */
Test(snaplist, oldest_is_first)
{
	struct snaplist list;

	make(7, T0_MS + 9000, JOB_ID, 7);
	make(9, T0_MS, JOB_ID, 9);
	make(8, T0_MS + 5000, JOB_ID, 8);
	list = list_read(3);
	cr_expect_eq(list.item[0].seq, 9);
	cr_expect_eq(list.item[1].seq, 8);
	cr_expect_eq(list.item[2].seq, 7);
	cr_expect_eq(snaplist_find(&list, "1700000005"), &list.item[1]);
	cr_expect_null(snaplist_find(&list, "1700000004"));
	snaplist_clear(&list);
}

Test(snaplist, what_is_no_snapshot_of_the_job_is_left_out)
{
	char path[SNAPFILE_PATH_BYTES];
	struct snaplist list;

	make(1, T0_MS, "other", 1);
	make(2, T0_MS, JOB_ID, 3); /* a name that is not its own */
	make(4, T0_MS, JOB_ID, 4);
	snapfile_path(path, NULL, 4, SNAPFILE_SNAP);
	cr_assert_eq(truncate(path, 60), 0);
	make(5, T0_MS, JOB_ID, 5);
	make(6, T0_MS, JOB_ID, 6);
	cr_assert_eq(rename("snapshots/00000000000000000006.snap",
			 "snapshots/00000000000000000006.base"),
	    0);
	list = list_read(1);
	cr_expect_eq(list.item[0].seq, 5);
	snaplist_clear(&list);
}

Test(snaplist, what_a_user_says_takes_the_place_of_the_head)
{
	struct snapmeta meta = { .described = true,
		.description = span_of("mine"),
		.retain = true };
	struct snaplist list;

	make(5, T0_MS, JOB_ID, 5);
	list = list_read(1);
	cr_expect_str_eq(list.item[0].description, "as it was written");
	cr_expect_not(list.item[0].retain);
	snaplist_clear(&list);
	cr_assert_eq(snapmeta_write(NULL, 5, &meta), 0);
	list = list_read(1);
	cr_expect_str_eq(list.item[0].description, "mine");
	cr_expect(list.item[0].retain);
	snaplist_clear(&list);
	meta.described = false;
	cr_assert_eq(snapmeta_write(NULL, 5, &meta), 0);
	list = list_read(1);
	cr_expect_str_eq(list.item[0].description, "as it was written");
	snaplist_clear(&list);
}

/* The safe reading: it is not removed for its age. */
Test(snaplist, what_a_user_says_and_cannot_be_read_keeps_the_snapshot)
{
	struct snapmeta meta = { .retain = false };
	char path[SNAPFILE_PATH_BYTES];
	struct snaplist list;

	make(5, T0_MS, JOB_ID, 5);
	cr_assert_eq(snapmeta_write(NULL, 5, &meta), 0);
	cr_assert_eq(
	    truncate(snapfile_path(path, NULL, 5, SNAPFILE_META), 9), 0);
	list = list_read(1);
	cr_expect(list.item[0].retain);
	snaplist_clear(&list);
}

Test(snaplist, a_document_has_no_times_that_there_were_not)
{
	struct json_object *o, *v;
	struct snaplist list;

	make(5, T0_MS, JOB_ID, 5);
	list = list_read(1);
	o = snapinfo_json(&list.item[0], JOB_ID);
	cr_assert_not_null(o);
	cr_expect(json_object_object_get_ex(o, "latest_record_time_stamp", &v));
	cr_expect_eq(json_object_get_int64(v), T0_MS - 5);
	cr_expect_not(
	    json_object_object_get_ex(o, "latest_result_time_stamp", &v));
	cr_expect(json_object_object_get_ex(o, "snapshot_id", &v));
	cr_expect_str_eq(json_object_get_string(v), "1700000000");
	json_object_put(o);
	snaplist_clear(&list);
}
