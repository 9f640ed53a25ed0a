/*
 * The files of a job, of which the disk cannot read a page: that is said with
 * the file and the place, nothing is taken for damage, and all is there again
 * when the disk reads it.
 */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "common/crc32c.h"
#include "common/filemap.h"
#include "common/log.h"
#include "tests/badsector.h"
#include "tests/damage.h"
#include "tests/tmpdir.h"
#include "worker/aside.h"
#include "worker/journal.h"
#include "worker/journal_walk.h"
#include "worker/repost.h"
#include "worker/snapdir.h"
#include "worker/verify.h"

#define SEGMENT JOURNAL_DIR "/00000000000000000001.seg"
#define PACKED SEGMENT ".zst"
#define ENTRIES 3
#define ENTRY_BYTES (700 * 1000)
#define OLD_SNAPSHOT SNAPFILE_DIR "/00000000000000000003.snap"
#define NEW_SNAPSHOT SNAPFILE_DIR "/00000000000000000006.snap"
#define NEW_BASE SNAPFILE_DIR "/00000000000000000006.base"

static char dir[TMPDIR_BYTES];
static size_t page;

static void
setup(void)
{
	log_init("test_unread", LOG_LEVEL_WARN);
	tmpdir_enter(dir);
	logged_begin();
	page = (size_t)sysconf(_SC_PAGESIZE);
}

static void
teardown(void)
{
	badsector_set(NULL, 0);
	cr_assert_eq(chdir("/"), 0);
	tmpdir_purge(dir);
}

TestSuite(unread, .init = setup, .fini = teardown, .timeout = 120);

static void
expect_same(const char *path, const struct image *m)
{
	struct image now = image_read(path);

	cr_assert_eq(now.len, m->len, "%s was cut", path);
	cr_assert_arr_eq(now.p, m->p, m->len);
	image_free(&now);
	cr_assert_eq(tmpdir_count("quarantine"), 0);
}

static void
no_report(void *arg, const char *path, uint64_t offset, const char *what)
{
	(void)arg;
	cr_assert_fail("%s: byte %ju: %s", path, (uintmax_t)offset, what);
}

/* ---- the journal ---- */

/* Numbers that do not compress well, so that the packed file has pages, too. */
static void
fill(char *data, uint64_t seq)
{
	uint32_t x = (uint32_t)seq * 2654435761u + 1;

	for (size_t i = 0; i < ENTRY_BYTES; i++) {
		x = x * 1664525u + 1013904223u;
		data[i] = (char)(x >> 24);
	}
}

static int
read_on(struct journal *j, unsigned *n)
{
	struct journal_entry e;
	const char *data;
	int rc;

	*n = 0;
	while ((rc = journal_read(j, &e, &data)) > 0)
		if (rc == 1) {
			cr_assert_eq(crc32c(0, data, e.data_len), e.data_crc);
			++*n;
		}
	return rc;
}

static void
write_entries(void)
{
	struct journal *j = journal_open(0, SYNC_ALWAYS);
	char *data = malloc(ENTRY_BYTES);
	unsigned n;

	cr_assert_not_null(j);
	cr_assert_eq(read_on(j, &n), 0);
	for (uint64_t seq = 1; seq <= ENTRIES; seq++) {
		struct journal_entry e;

		fill(data, seq);
		journal_entry_init(&e, JOURNAL_UPLOAD);
		e.data_len = ENTRY_BYTES;
		e.data_crc = crc32c(0, data, ENTRY_BYTES);
		journal_append(j, &e, data);
	}
	cr_assert_eq(journal_commit(j), 0);
	journal_free(j);
	free(data);
}

static void
pack(void)
{
	struct journal *j = journal_open(0, SYNC_ALWAYS);
	unsigned n;

	cr_assert_eq(read_on(j, &n), 0);
	while (journal_packs(j))
		journal_pack(j);
	journal_free(j);
	cr_assert_eq(access(PACKED, F_OK), 0);
}

static void
expect_read(uint64_t base_seq, unsigned n)
{
	struct journal *j = journal_open(base_seq, SYNC_ALWAYS);
	unsigned found;

	logged();
	cr_assert_eq(read_on(j, &found), 0, "%s", logged());
	cr_expect_eq(found, n);
	cr_expect_not(journal_is_doubtful(j));
	journal_free(j);
}

/* Each page in turn; every seventh is enough where there are hundreds. */
static void
expect_unread(const char *path)
{
	struct image m = image_read(path);

	for (size_t at = 0; at < m.len; at += 7 * page) {
		struct journal *j = journal_open(0, SYNC_ALWAYS);
		unsigned n;

		badsector_set(path, at);
		logged();
		cr_assert_eq(read_on(j, &n), -1, "page at %zu", at);
		cr_assert_eq(errno, EIO);
		cr_assert(
		    log_names(logged(), path, "cannot be read at byte", at, 0),
		    "page at %zu", at);
		cr_assert_leq(n * (size_t)ENTRY_BYTES, at);
		journal_free(j);
		expect_same(path, &m);
		cr_assert_eq(verify_segment(path, no_report, NULL), -1);
		cr_assert_eq(errno, EIO);
	}
	badsector_set(NULL, 0);
	expect_read(0, ENTRIES);
	image_free(&m);
}

Test(unread, segment)
{
	write_entries();
	expect_unread(SEGMENT);
}

Test(unread, packed_segment)
{
	write_entries();
	pack();
	expect_unread(PACKED);
}

Test(unread, what_a_snapshot_has_need_not_be_read)
{
	write_entries();
	badsector_set(SEGMENT, ENTRY_BYTES / 2);
	expect_read(1, ENTRIES - 1);
}

Test(unread, content_that_was_checked_and_then_cannot_be_read_ends_the_process)
{
	struct journal_entry e;
	volatile char seen;
	const char *data;
	pid_t pid;
	int status;

	write_entries();
	pid = fork();
	if (pid == 0) {
		struct journal *j = journal_open(0, SYNC_ALWAYS);

		while (journal_read(j, &e, &data) == 2)
			;
		if (truncate(SEGMENT, (off_t)page) == 0) {
			seen = data[page];
			_exit(seen == '\0' ? 7 : 8);
		}
		_exit(9);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_expect(WIFEXITED(status));
	cr_expect_eq(WEXITSTATUS(status), 1);
	cr_expect(
	    log_names(logged(), SEGMENT, "cannot be read at byte", page, 0));
}

struct walked {
	unsigned n;
	unsigned unread;
};

static int
walk_entry(void *arg, const struct journal_entry *e, const char *data)
{
	struct walked *w = arg;

	cr_assert_eq(crc32c(0, data, e->data_len), e->data_crc);
	w->n++;
	return 0;
}

static void
walk_damage(
    void *arg, const char *path, size_t at, const char *why, bool is_end)
{
	struct walked *w = arg;

	cr_assert(strcmp(path, SEGMENT) == 0 || strcmp(path, PACKED) == 0);
	cr_assert_not(is_end, "what is behind it was answered");
	if (strcmp(why, FILEMAP_WHY) == 0 && at % page == 0)
		w->unread++;
}

static void
expect_walked(unsigned least)
{
	struct walked w = { 0 };
	const struct journal_walk walk = { walk_entry, walk_damage, &w };

	cr_assert_eq(journal_walk(&walk), 0);
	cr_expect_eq(w.unread, 1);
	cr_expect_geq(w.n, least);
	cr_expect_lt(w.n, ENTRIES);
}

Test(unread, look_at_a_journal)
{
	write_entries();
	badsector_set(SEGMENT, 2 * ENTRY_BYTES);
	expect_walked(1);
	badsector_set(SEGMENT, 0);
	expect_walked(0);
	badsector_set(NULL, 0);
	pack();
	badsector_set(PACKED, page);
	expect_walked(0);
}

/* ---- snapshots ---- */

#define ITEM_FIELDS(F, S) F(S, STR, label, 0, 1000)
SCHEMA_STRUCT(item, ITEM_FIELDS);
SCHEMA_DEFINE(item, ITEM_FIELDS);

static int
save_items(void *arg, struct snapshot_writer *w)
{
	char label[1000];

	(void)arg;
	if (snapshot_section(w, SNAPSHOT_INTAKE) == -1)
		return -1;
	for (uint32_t n = 0, x = 1; n < 100; n++) {
		struct item it = { { label, sizeof(label) } };

		for (size_t i = 0; i < sizeof(label); i++) {
			x = x * 1664525u + 1013904223u;
			label[i] = (char)('!' + (x >> 24) % 90);
		}
		if (snapshot_put(w, &item_schema, &it) == -1)
			return -1;
	}
	return 0;
}

static void
make_snapshot(uint64_t seq, enum snapfile kind)
{
	struct snapshot_head head = { .applied_seq = seq,
		.job_id = span_of("j"),
		.description = span_of("Periodic background persist"),
		.min_version = span_of(SNAPHEAD_MIN_VERSION) };
	struct model_size size = { 0 };
	int fd = snapdir_begin();

	cr_assert_neq(fd, -1);
	cr_assert_eq(snapdir_fill(fd, &head, &size, save_items, NULL), 0);
	close(fd);
	cr_assert_eq(snapdir_finish(seq, kind), 0);
}

Test(unread, snapshot)
{
	struct snapdir_file f;
	struct image m;

	make_snapshot(3, SNAPFILE_SNAP);
	make_snapshot(6, SNAPFILE_SNAP);
	m = image_read(NEW_SNAPSHOT);
	cr_assert_gt(m.len, 5 * page);
	for (size_t at = 0; at < m.len; at += page) {
		badsector_set(NEW_SNAPSHOT, at);
		logged();
		cr_assert_eq(snapdir_newest(&f, "j", UINT64_MAX), 1);
		cr_assert_eq(f.seq, 3);
		cr_assert(f.passed);
		snapdir_close(&f);
		cr_assert(log_names(
		    logged(), NEW_SNAPSHOT, "cannot be read at byte", at, 0));
		expect_same(NEW_SNAPSHOT, &m);
		cr_assert_eq(
		    verify_snapshot(NEW_SNAPSHOT, no_report, NULL), -1);
		cr_assert_eq(errno, EIO);
	}
	badsector_set(NULL, 0);
	cr_assert_eq(snapdir_newest(&f, "j", UINT64_MAX), 1);
	cr_expect_eq(f.seq, 6);
	cr_expect_not(f.passed);
	snapdir_close(&f);
	image_free(&m);
}

Test(unread, only_snapshot_is_passed_over_and_stays)
{
	struct snapdir_file f;

	make_snapshot(6, SNAPFILE_SNAP);
	badsector_set(NEW_SNAPSHOT, page);
	cr_assert_eq(snapdir_newest(&f, "j", UINT64_MAX), 0);
	cr_expect(f.passed);
	cr_expect(snapdir_is_listed(6));
}

Test(unread, snapshot_that_fails_while_it_is_loaded_stays)
{
	struct snapdir_file f;

	make_snapshot(6, SNAPFILE_SNAP);
	cr_assert_eq(snapdir_newest(&f, "j", UINT64_MAX), 1);
	cr_assert_eq(truncate(NEW_SNAPSHOT, (off_t)page), 0);
	cr_assert_eq(snapshot_verify(f.reader, NULL), -1);
	cr_expect_eq(snapdir_refuse(&f), 1);
	cr_expect(snapdir_is_listed(6));
	cr_expect_eq(tmpdir_count("quarantine"), 0);
}

/* Nothing older takes its place: that would undo the revert. */
Test(unread, base_of_a_revert)
{
	struct snapdir_file f;

	make_snapshot(3, SNAPFILE_SNAP);
	make_snapshot(6, SNAPFILE_BASE);
	badsector_set(NEW_BASE, page);
	cr_expect_eq(snapdir_newest(&f, "j", UINT64_MAX), -1);
	cr_expect_eq(errno, EIO);
	cr_expect_eq(access(NEW_BASE, F_OK), 0);
	cr_expect_eq(tmpdir_count("quarantine"), 0);
	badsector_set(NULL, 0);
	cr_assert_eq(snapdir_newest(&f, "j", UINT64_MAX), 1);
	cr_expect_eq(f.kind, SNAPFILE_BASE);
	snapdir_close(&f);
}

Test(unread, ones_are_set_aside_once_an_older_one_is_used)
{
	make_snapshot(3, SNAPFILE_SNAP);
	make_snapshot(5, SNAPFILE_PREV);
	make_snapshot(6, SNAPFILE_SNAP);
	snapdir_leave_behind(6);
	cr_expect_eq(tmpdir_count(SNAPFILE_DIR), 3);
	snapdir_leave_behind(3);
	cr_expect_eq(tmpdir_count(SNAPFILE_DIR), 1);
	cr_expect(snapdir_is_listed(3));
	cr_expect_eq(tmpdir_count("quarantine"), 2);
	snapdir_leave_behind(0);
	cr_expect_eq(tmpdir_count(SNAPFILE_DIR), 0);
}

Test(unread, journal_goes_back_far_enough_or_not)
{
	cr_expect_not(journal_reaches(0));
	cr_expect_not(journal_reaches(7));
	write_entries();
	cr_expect(journal_reaches(0));
	cr_expect(journal_reaches(7));
	pack();
	cr_expect(journal_reaches(0));
	cr_assert_eq(
	    rename(PACKED, JOURNAL_DIR "/00000000000000000009.seg.zst"), 0);
	cr_expect_not(journal_reaches(0));
	cr_expect_not(journal_reaches(7), "the entry 8 is not there");
	cr_expect(journal_reaches(8));
	cr_expect(journal_reaches(9));
}

/* ---- entries that were put aside ---- */

Test(unread, what_was_put_aside)
{
	char data[64] = "{\"time\":1}\n", path[ASIDE_PATH_BYTES];
	struct journal_entry e;
	struct repost *r;
	struct aside a;

	journal_entry_init(&e, JOURNAL_UPLOAD);
	e.seq = 17;
	e.receipt_ms = 1000;
	e.data_len = sizeof(data);
	e.data_crc = crc32c(0, data, sizeof(data));
	cr_assert_eq(aside_load(&a), 0);
	cr_assert_eq(aside_begin(&a, &e, data), 0);
	cr_assert_eq(aside_step(&a, SIGSEGV, INT64_MAX), 0);
	aside_clear(&a);
	badsector_set(ASIDE_LIST, 0);
	cr_expect_eq(aside_load(&a), -1);
	cr_expect_eq(errno, EIO);
	cr_expect_eq(aside_verify(ASIDE_LIST, no_report, NULL), -1);
	cr_expect_eq(errno, EIO);
	cr_expect_not_null(strstr(logged(), ASIDE_LIST));
	badsector_set(asidelist_path(path, 17), 0);
	cr_expect_null(repost_open(17));
	cr_expect_eq(errno, EIO);
	badsector_set(NULL, 0);
	cr_assert_eq(aside_load(&a), 0);
	cr_expect_eq(a.list.n, 1);
	aside_clear(&a);
	r = repost_open(17);
	cr_assert_not_null(r);
	repost_free(r);
}
