/*
 * When a snapshot is taken, what becomes of one whose process dies or fails,
 * and which files are kept. The process's one step is replaced where a test
 * wants it to die in the middle.
 */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/disk.h"
#include "common/snapmeta.h"
#include "tests/worker_fixture.h"
#include "worker/snapdir.h"
#include "worker/snapper.h"

#define HOUR_US (3600 * (int64_t)1000000)
#define RETRIED_US (61 * (int64_t)1000000)

static enum { FILL, DIE_FIRST, DIE_HALF, FAIL_FULL, HANG } mode;
static int64_t now_us = 1000000;

static struct {
	struct analysis *a;
	struct journal *j;
	struct snapper *s;
	int lockfd;
} job;

int __real_snapdir_fill(int fd, const struct snapshot_head *,
    const struct model_size *, snapdir_save *, void *arg);
int __wrap_snapdir_fill(int fd, const struct snapshot_head *,
    const struct model_size *, snapdir_save *, void *arg);

int
__wrap_snapdir_fill(int fd, const struct snapshot_head *head,
    const struct model_size *size, snapdir_save *save, void *arg)
{
	int rc = 0;

	if (mode == DIE_FIRST)
		raise(SIGKILL);
	if (mode == FAIL_FULL) {
		errno = ENOSPC;
		return -1;
	}
	rc = __real_snapdir_fill(fd, head, size, save, arg);
	while (mode == HANG)
		pause();
	if (mode == DIE_HALF && rc == 0 && ftruncate(fd, 50) == 0)
		raise(SIGKILL);
	return rc;
}

static int64_t
fake_mono(void)
{
	return now_us;
}

static void
job_begin(void)
{
	static const char text[] =
	    "{\"analysis_config\":{\"bucket_span\":\"1h\","
	    "\"detectors\":[{\"function\":\"count\"}]},"
	    "\"background_persist_interval\":\"2h\",\"data_description\":{}}";
	struct journal_entry e;
	const char *data;
	struct apierr err;

	worker_begin();
	clock_fake(NULL, fake_mono);
	job.a =
	    analysis_new(jobconf_parse("j", text, strlen(text), NULL, &err));
	cr_assert_not_null(job.a);
	job.j = journal_open(0, SYNC_NEVER);
	cr_assert_not_null(job.j);
	cr_assert_eq(journal_read(job.j, &e, &data), 0);
	job.lockfd = open("lock", O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	cr_assert_eq(flock(job.lockfd, LOCK_EX | LOCK_NB), 0);
	job.s = snapper_new(job.a, job.j, "j", job.lockfd);
	cr_assert_not_null(job.s);
}

static void
job_end(void)
{
	snapper_free(job.s);
	journal_free(job.j);
	analysis_free(job.a);
	clock_fake(NULL, NULL);
	worker_finish();
}

TestSuite(snapper, .init = job_begin, .fini = job_end, .timeout = 60);

/* Entries up to seq have been processed, the last one with data. */
static void
news(uint64_t seq)
{
	job.a->applied_seq = job.a->data_seq = seq;
}

/* Begin one and see its end. Returns as snapper_step. */
static int
take(void)
{
	int rc;

	cr_assert_eq(snapper_begin(job.s), 0);
	do
		rc = snapper_step(job.s);
	while (snapper_is_running(job.s));
	return rc;
}

static bool
is_there(uint64_t seq, enum snapfile kind)
{
	char path[SNAPFILE_PATH_BYTES];

	return access(snapfile_path(path, NULL, seq, kind), F_OK) == 0;
}

static int
save_nothing(void *arg, struct snapshot_writer *w)
{
	(void)arg;
	(void)w;
	return 0;
}

static void
touch(uint64_t seq, enum snapfile kind)
{
	char path[SNAPFILE_PATH_BYTES];
	int fd = open(
	    snapfile_path(path, NULL, seq, kind), O_CREAT | O_WRONLY, 0600);

	cr_assert_neq(fd, -1);
	close(fd);
}

Test(snapper, time_makes_one_due_when_there_is_news)
{
	cr_expect_not(snapper_is_due(job.s));
	cr_expect_eq(snapper_timer_ms(job.s), -1);
	now_us += 3 * HOUR_US;
	cr_expect_not(snapper_is_due(job.s), "nothing was processed");
	news(1);
	cr_expect(snapper_is_due(job.s));
	cr_assert_eq(take(), 1);
	cr_expect_not(snapper_is_due(job.s));
	news(2);
	cr_expect_not(snapper_is_due(job.s));
	cr_expect_eq(snapper_timer_ms(job.s), 2 * 3600 * 1000 + 1);
	now_us += 2 * HOUR_US;
	cr_expect(snapper_is_due(job.s));
}

Test(snapper, request_makes_one_due_at_once)
{
	snapper_ask(job.s, true);
	cr_expect_not(snapper_is_due(job.s), "nothing was processed");
	news(1);
	cr_expect(snapper_is_due(job.s));
	cr_expect(snapper_wants_gap(job.s));
	cr_expect_eq(snapper_timer_ms(job.s), 0);
	cr_assert_eq(take(), 1);
	cr_expect(is_there(1, SNAPFILE_SNAP));
	news(2);
	cr_expect_not(snapper_is_due(job.s), "it has been served");
}

/* An entry of so many bytes of data, processed. */
static void
entry(size_t len)
{
	static const char data[4096];
	struct journal_entry e;

	journal_entry_init(&e, JOURNAL_UPLOAD);
	e.data_len = len;
	journal_append(job.j, &e, data);
	cr_assert_eq(journal_commit(job.j), 0);
	news(e.seq);
}

Test(snapper, quota_makes_one_due_before_it_is_reached)
{
	snapper_set_quota(job.s, 8000);
	entry(1000);
	cr_expect_not(snapper_is_due(job.s));
	entry(1000);
	cr_expect(snapper_is_due(job.s), "a quarter has come");
	cr_expect_eq(snapper_timer_ms(job.s), 0);
	cr_expect(snapper_has_room(job.s, 1000));
	entry(1000);
	cr_expect_not(snapper_has_room(job.s, 1000), "no more than half");
	cr_assert_eq(take(), 1);
	cr_expect(snapper_has_room(job.s, 1000));
	cr_expect_not(snapper_is_due(job.s));
	cr_expect_eq(snapper_timer_ms(job.s), -1);
}

/* A large upload is a segment by itself; a start goes through many of them. */
Test(snapper, number_of_segments_makes_one_due_late)
{
	unsigned n = 0;

	while (!snapper_is_due(job.s) && n < 10000) {
		int fd = open("spool/u", O_CREAT | O_RDWR | O_CLOEXEC, 0600);
		struct journal_entry e;

		cr_assert_eq(ftruncate(fd, JOURNAL_DATA_OFFSET + 1), 0);
		journal_entry_init(&e, JOURNAL_UPLOAD);
		e.data_len = 1;
		cr_assert_eq(journal_adopt(job.j, &e, "spool/u", fd), 0);
		news(e.seq);
		n++;
	}
	cr_expect_eq(n, 4096);
}

Test(snapper, of_too_many_the_one_that_the_job_is_at_stays)
{
	struct snapshot_head head = { .job_id = span_of("j"),
		.min_version = span_of(SNAPHEAD_MIN_VERSION) };
	struct model_size size = { 0 };
	int fd;

	for (uint64_t seq = 2; seq <= SNAPDIR_LISTED_MAX + 3; seq++) {
		head.applied_seq = seq;
		head.created_ms = (int64_t)seq * 1000;
		fd = snapdir_begin();
		cr_assert_eq(
		    snapdir_fill(fd, &head, &size, save_nothing, NULL), 0);
		close(fd);
		cr_assert_eq(snapdir_finish(seq, SNAPFILE_SNAP), 0);
	}
	head.description = span_of("3"); /* where the rule would begin */
	head.applied_seq = 200;
	fd = snapdir_begin();
	cr_assert_eq(snapdir_fill(fd, &head, &size, save_nothing, NULL), 0);
	close(fd);
	cr_assert_eq(snapdir_finish(200, SNAPFILE_BASE), 0);
	snapdir_bound(SNAPDIR_LISTED_MAX + 2);
	cr_expect(is_there(2, SNAPFILE_SNAP), "the oldest");
	cr_expect(is_there(3, SNAPFILE_SNAP), "what it was reverted to");
	cr_expect_eq(tmpdir_count("snapshots"), SNAPDIR_LISTED_MAX + 1);
}

/* Else nothing would ever make room for what is larger than the rest. */
Test(snapper, want_of_room_makes_one_due)
{
	snapper_set_quota(job.s, 8000);
	entry(1000);
	cr_expect_not(snapper_is_due(job.s));
	cr_expect_not(snapper_has_room(job.s, 3500));
	cr_expect(snapper_is_due(job.s));
	cr_expect_eq(snapper_timer_ms(job.s), 0);
	mode = FAIL_FULL;
	cr_assert_eq(take(), 0);
	cr_expect_not(snapper_is_due(job.s), "not at once again");
	cr_expect_not(snapper_has_room(job.s, 3500));
	cr_expect_gt(snapper_timer_ms(job.s), 1000);
	now_us += RETRIED_US;
	mode = FILL;
	cr_assert(snapper_is_due(job.s));
	cr_assert_eq(take(), 1);
	cr_expect(snapper_has_room(job.s, 3500));
}

Test(snapper, without_a_quota_there_is_room)
{
	entry(4096);
	cr_expect(snapper_has_room(job.s, UINT64_MAX));
	cr_expect_not(snapper_is_due(job.s));
}

static void
fails_and_is_tried_again(void)
{
	char id[SNAPHEAD_ID_BYTES];

	news(1);
	now_us += 3 * HOUR_US;
	cr_expect_eq(take(), 0);
	cr_expect_eq(tmpdir_count("snapshots"), 0);
	cr_expect_not(snapper_is_due(job.s), "not at once");
	cr_expect_not(snapper_id(job.s, id), "none was there before");
	now_us += RETRIED_US;
	cr_expect(snapper_is_due(job.s));
	mode = FILL;
	cr_expect_eq(take(), 1);
	cr_expect(is_there(1, SNAPFILE_SNAP));
	cr_expect(snapper_id(job.s, id));
	cr_expect_str_neq(id, "");
}

Test(snapper, process_that_is_killed_at_its_start_costs_nothing)
{
	mode = DIE_FIRST;
	fails_and_is_tried_again();
}

Test(snapper, process_that_is_killed_half_way_costs_nothing)
{
	mode = DIE_HALF;
	fails_and_is_tried_again();
}

Test(snapper, full_disk_costs_nothing)
{
	mode = FAIL_FULL;
	fails_and_is_tried_again();
}

/* The first of the children of this process. */
static pid_t
child_of_mine(void)
{
	char path[64];
	int pid = 0;
	FILE *f;

	snprintf(
	    path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	f = fopen(path, "re");
	if (f == NULL)
		cr_skip_test("this kernel does not tell of children");
	cr_assert_eq(fscanf(f, "%d", &pid), 1);
	fclose(f);
	return pid;
}

Test(snapper, process_holds_the_lock_until_it_has_ended)
{
	int other = open("lock", O_RDWR | O_CLOEXEC);
	pid_t pid;

	mode = HANG;
	news(1);
	cr_assert_eq(snapper_begin(job.s), 0);
	pid = child_of_mine();
	cr_assert_eq(snapper_step(job.s), 0);
	cr_expect_not(snapper_wants_gap(job.s), "looked at just now");
	now_us += 1000000;
	cr_expect(snapper_wants_gap(job.s));
	close(job.lockfd);
	cr_expect_eq(flock(other, LOCK_EX | LOCK_NB), -1);
	cr_expect_eq(errno, EWOULDBLOCK);
	cr_assert_eq(kill(pid, SIGKILL), 0);
	while (snapper_is_running(job.s))
		cr_expect_eq(snapper_step(job.s), 0);
	cr_expect_eq(flock(other, LOCK_EX | LOCK_NB), 0);
	close(other);
}

Test(snapper, ids_go_on_after_the_newest_that_is_listed)
{
	int64_t first, second;

	news(1);
	cr_assert_eq(take(), 1);
	first = snapper_created_ms(job.s);
	news(2);
	cr_assert_eq(take(), 1);
	second = snapper_created_ms(job.s);
	cr_expect_gt(second / 1000, first / 1000);
	cr_expect_eq(snapdir_newest_ms(), second);
}

Test(snapper, listed_ones_stay_up_to_a_number)
{
	struct snapmeta keep = { .retain = true };

	for (uint64_t seq = 1; seq <= SNAPDIR_LISTED_MAX + 3; seq++)
		touch(seq, SNAPFILE_SNAP);
	touch(1, SNAPFILE_META);
	touch(5, SNAPFILE_BASE);
	touch(200, SNAPFILE_BASE);
	cr_assert_eq(snapmeta_write(NULL, 2, &keep), 0);
	snapdir_bound(SNAPDIR_LISTED_MAX + 2);
	cr_expect(is_there(1, SNAPFILE_SNAP), "what cannot be read keeps it");
	cr_expect(is_there(2, SNAPFILE_SNAP), "a user keeps it");
	cr_expect_not(is_there(3, SNAPFILE_SNAP));
	cr_expect_not(is_there(4, SNAPFILE_SNAP));
	cr_expect_not(is_there(5, SNAPFILE_SNAP));
	cr_expect(is_there(6, SNAPFILE_SNAP));
	cr_expect_not(is_there(5, SNAPFILE_BASE));
	cr_expect(is_there(200, SNAPFILE_BASE));
}

Test(snapper, none_that_a_start_may_need_goes)
{
	for (uint64_t seq = 1; seq <= SNAPDIR_LISTED_MAX + 3; seq++)
		touch(seq, SNAPFILE_SNAP);
	snapdir_bound(2);
	cr_expect_not(is_there(1, SNAPFILE_SNAP));
	cr_expect_eq(tmpdir_count("snapshots"), SNAPDIR_LISTED_MAX + 2);
}

/* ---- the whole worker ---- */

static char fixtures[PATH_MAX];

/* Where the sources are is said relative to where the test was started. */
static void
whole_begin(void)
{
	const char *srcdir = getenv("srcdir");
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/tests/fixtures",
	    srcdir == NULL ? "." : srcdir);
	if (realpath(path, fixtures) == NULL)
		fixtures[0] = '\0';
	worker_begin();
}

TestSuite(snapshots, .init = whole_begin, .fini = worker_finish, .timeout = 60);

static void
ask(struct worker *w, uint32_t request)
{
	struct msg_snapshot m = { 0 };

	send_msg(w, MSG_SNAPSHOT, request, &m);
}

Test(snapshots, request_is_answered_with_the_newest)
{
	struct worker *w = worker_open();
	struct msg_snapshotted none, first, again;

	ask(w, 1);
	expect_msg(w, MSG_SNAPSHOTTED, 1, &none);
	cr_expect_eq(none.model_snapshot_id.len, 0, "a job without data");
	post(w, 2, 0, 600);
	ask(w, 3);
	expect_msg(w, MSG_SNAPSHOTTED, 3, &first);
	cr_expect_gt(first.model_snapshot_id.len, 0);
	cr_expect_eq(tmpdir_count("snapshots"), 1);
	ask(w, 4);
	expect_msg(w, MSG_SNAPSHOTTED, 4, &again);
	cr_expect_eq(again.created_ms, first.created_ms, "nothing is new");
	cr_expect_eq(tmpdir_count("snapshots"), 1);
	worker_kill(w);
	w = worker_open();
	cr_expect_eq(w->totals.counts.processed_record_count, 600);
	worker_close(w, false);
}

Test(snapshots, request_that_fails_is_answered_and_the_job_goes_on)
{
	struct worker *w = worker_open();
	struct msg_snapshotted m;

	post(w, 1, 0, 600);
	cr_assert_eq(mkdir("snapshots/new", 0700), 0);
	ask(w, 2);
	expect_failed(w, 2, 500);
	cr_assert_eq(rmdir("snapshots/new"), 0);
	post(w, 3, 600, 600);
	ask(w, 4);
	expect_msg(w, MSG_SNAPSHOTTED, 4, &m);
	cr_expect_gt(m.model_snapshot_id.len, 0);
	worker_close(w, false);
}

Test(snapshots, request_before_a_close_is_answered_before_it)
{
	struct worker *w = worker_open();
	struct msg_close close = { .keep = true };
	struct msg_snapshotted m;
	struct msg_closed closed;

	post(w, 1, 0, 600);
	ask(w, 2);
	send_msg(w, MSG_CLOSE, 0, &close);
	expect_msg(w, MSG_SNAPSHOTTED, 2, &m);
	expect_msg(w, MSG_CLOSED, 0, &closed);
	expect_exit(w, 0);
}

/* What a revert leaves: a state that is not listed, and no journal before. */
Test(snapshots, job_starts_from_a_base_and_cuts_what_is_before_it)
{
	char snap[SNAPFILE_PATH_BYTES], base[SNAPFILE_PATH_BYTES];
	struct worker *w = worker_open();
	struct msg_snapshotted m;
	uint64_t seq = 0;

	post(w, 1, 0, 600);
	worker_close(w, true);
	while (!is_there(++seq, SNAPFILE_SNAP))
		cr_assert_lt(seq, 100);
	snapfile_path(snap, NULL, seq, SNAPFILE_SNAP);
	snapfile_path(base, NULL, seq, SNAPFILE_BASE);
	cr_assert_eq(rename(snap, base), 0);
	w = worker_open();
	cr_expect_eq(w->totals.counts.processed_record_count, 600);
	ask(w, 1);
	expect_msg(w, MSG_SNAPSHOTTED, 1, &m);
	cr_expect_eq(m.model_snapshot_id.len, 0, "a base is not listed");
	post(w, 2, 600, 600);
	ask(w, 3);
	expect_msg(w, MSG_SNAPSHOTTED, 3, &m);
	cr_expect_gt(m.model_snapshot_id.len, 0);
	cr_expect(is_there(seq, SNAPFILE_BASE), "one bad snapshot is no loss");
	post(w, 4, 1200, 600);
	ask(w, 5);
	expect_msg(w, MSG_SNAPSHOTTED, 5, &m);
	cr_expect_not(is_there(seq, SNAPFILE_BASE));
	worker_kill(w);
	w = worker_open();
	cr_expect_eq(w->totals.counts.processed_record_count, 1800);
	worker_close(w, false);
}

/* Put a file of the sources in its place. */
static void
take_fixture(const char *name, const char *to)
{
	static uint8_t data[1 << 20];
	char path[PATH_MAX + 64];
	ssize_t len;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", fixtures, name);
	len = disk_read_start(path, data, sizeof(data));
	cr_assert_gt(len, 0, "%s", path);
	fd = open(to, O_CREAT | O_WRONLY, 0600);
	cr_assert_neq(fd, -1);
	cr_assert_eq(disk_write_at(fd, data, (size_t)len, 0), 0);
	close(fd);
}

/* Of an opening, an upload with a key, a flush and a close. */
static void
read_journal(const char *fixture, const char *to, uint64_t records)
{
	struct worker *w;

	take_fixture(fixture, to);
	w = worker_open();
	cr_expect_eq(w->totals.counts.processed_record_count, records);
	cr_expect_eq(tmpdir_count("quarantine"), 0);
	post(w, 1, (int)records, 600);
	cr_expect_eq(w->totals.counts.processed_record_count, records + 600);
	worker_kill(w);
	w = worker_open();
	cr_expect_eq(w->totals.counts.processed_record_count, records + 600);
	worker_close(w, true);
}

/* Both were written by tests/fuzz/make_seeds.c, of the first such version. */
Test(snapshots, journal_of_format_2_is_read)
{
	read_journal(
	    "journal-format-2", "journal/00000000000000000001.seg", 600);
}

Test(snapshots, compressed_journal_of_format_2_is_read)
{
	read_journal("journal-format-2.zst",
	    "journal/00000000000000000001.seg.zst", 40000);
}

/*
 * Written by the first version that had the format: 600 records of the job of
 * these tests, then a close. Every later version has to read it.
 */
static void
read_snapshot(const char *fixture)
{
	char path[SNAPFILE_PATH_BYTES];
	struct worker *w;

	take_fixture(fixture, snapfile_path(path, NULL, 3, SNAPFILE_SNAP));
	w = worker_open();
	cr_expect_eq(w->totals.counts.processed_record_count, 600);
	cr_expect_eq(tmpdir_count("quarantine"), 0);
	cr_expect_eq(w->totals.size.total_by_field_count, 1);
	post(w, 1, 600, 600);
	cr_expect_eq(w->totals.counts.processed_record_count, 1200);
	worker_close(w, true);
}

Test(snapshots, file_of_format_2_is_read)
{
	char path[SNAPFILE_PATH_BYTES];
	struct snapmeta_file m;

	read_snapshot("snapshot-format-2");
	take_fixture(
	    "snapmeta-format-1", snapfile_path(path, NULL, 3, SNAPFILE_META));
	cr_assert_eq(snapmeta_read(NULL, 3, &m), 1);
	cr_expect(span_eq(m.meta.description, "before the release"));
	cr_expect(m.meta.retain);
}
