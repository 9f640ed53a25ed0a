/* The journal: what counts is synced; writes and syncs that fail void it. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <sys/resource.h>

#include "common/clock.h"
#include "common/crc32c.h"
#include "tests/journal_fixture.h"
#include "tests/tmpdir.h"

TestSuite(journal_sync, .init = journal_setup, .fini = journal_teardown,
    .timeout = 120);

static int64_t now_us;

static int64_t
fake_us(void)
{
	return now_us;
}

Test(journal_sync, sync_of_an_interval_is_due_a_second_after_the_last)
{
	struct journal_entry e;
	struct journal *j;
	const char *data;
	int rc;

	clock_fake(NULL, fake_us);
	now_us = 5000000;
	j = journal_open(0, SYNC_INTERVAL);
	cr_assert_not_null(j);
	while ((rc = journal_read(j, &e, &data)) == 2)
		;
	cr_assert_eq(rc, 0);
	cr_expect_eq(journal_tick(j), -1);
	append_text(j, "one");
	cr_assert_eq(journal_commit(j), 0);
	cr_expect_eq(journal_tick(j), -1); /* long ago: synced at once */
	append_text(j, "two");
	cr_assert_eq(journal_commit(j), 0);
	now_us += 400000;
	cr_expect_eq(journal_tick(j), 601);
	now_us += 600000;
	cr_expect_eq(journal_tick(j), -1);
	now_us += 400000;
	cr_expect_eq(journal_tick(j), -1); /* nothing is owed */
	journal_free(j);
}

static struct journal *
read_end_under(enum sync_policy policy)
{
	struct journal *j = journal_open(0, policy);
	struct journal_entry e;
	const char *data;
	int rc;

	cr_assert_not_null(j);
	while ((rc = journal_read(j, &e, &data)) == 2)
		;
	cr_assert_eq(rc, 0);
	return j;
}

static int
adopt(struct journal *j, struct spool *s)
{
	struct journal_entry e;

	journal_entry_init(&e, JOURNAL_UPLOAD);
	e.data_len = spool_bytes(s);
	e.data_crc = spool_crc(s);
	if (journal_adopt(j, &e, spool_path(s), spool_fd(s)) == -1)
		return -1;
	spool_moved(s);
	return 0;
}

/*
 * Else a loss of power could leave the newer one whole and the older torn. What
 * was adopted is a segment before the next one as well.
 */
Test(journal_sync, name_of_the_next_segment_waits_for_the_sync_of_the_present)
{
	struct spool *s = large_spool(SPOOL_MEMORY_MAX + 1);
	struct journal *j;

	clock_fake(NULL, fake_us);
	j = read_end_under(SYNC_INTERVAL);
	append_text(j, "one");
	cr_assert_eq(journal_commit(j), 0);
	nsynced = 0;

	cr_assert_eq(adopt(j, s), 0);
	spool_free(s);
	cr_assert_gt(nsynced, 0);
	cr_expect_str_eq(synced[0], FIRST_SEGMENT);
	cr_expect_eq(names_at_sync[0], 1, "the new name is there already");
	s = large_spool(SPOOL_MEMORY_MAX + 1);
	nsynced = 0;
	cr_assert_eq(adopt(j, s), 0);
	spool_free(s);
	cr_assert_gt(nsynced, 0);
	cr_expect_str_eq(synced[0], JOURNAL_DIR "/00000000000000000002.seg");
	cr_expect_eq(names_at_sync[0], 2);
	journal_free(j);
}

/* The sync fails: that is said, the upload is taken, and both are read. */
Test(journal_sync, adoption_goes_on_behind_a_segment_that_cannot_be_synced)
{
	struct spool *s = large_spool(SPOOL_MEMORY_MAX + 1);
	struct journal *j;
	struct reading r;

	clock_fake(NULL, fake_us);
	j = read_end_under(SYNC_INTERVAL);
	append_text(j, "one");
	cr_assert_eq(journal_commit(j), 0);
	sync_fails_for = "1.seg";
	cr_assert_eq(adopt(j, s), 0);
	nsynced = 0;
	append_text(j, "three");
	cr_assert_eq(journal_commit(j), 0);
	cr_expect_not(was_synced(FIRST_SEGMENT), "never a second time");
	journal_free(j);
	spool_free(s);
	sync_fails_for = NULL;
	journal_free(read_all(0, &r));
	cr_expect_eq(r.n, 3);
	cr_expect_eq(r.last.data_len, 5);
}

static void
limit_files(rlim_t bytes)
{
	struct rlimit rl = { bytes, RLIM_INFINITY };

	signal(SIGXFSZ, SIG_IGN);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &rl), 0);
}

/* What counts of a segment that is given up is not forgotten by "interval". */
Test(journal_sync, what_counts_of_an_abandoned_segment_is_synced)
{
	struct journal *j;
	char block[8192] = { 0 };
	struct reading r;
	struct journal_entry e;

	clock_fake(NULL, fake_us);
	j = read_end_under(SYNC_INTERVAL);
	append_text(j, "kept");
	cr_assert_eq(journal_commit(j), 0);
	limit_files(4096);
	journal_entry_init(&e, JOURNAL_UPLOAD);
	e.data_len = sizeof(block);
	e.data_crc = crc32c(0, block, sizeof(block));
	journal_append(j, &e, block);
	nsynced = 0;
	cr_expect_eq(journal_commit(j), -1);
	cr_expect(was_synced(FIRST_SEGMENT));
	journal_free(j);
	journal_free(read_all(0, &r));
	cr_expect_eq(r.n, 1);
}

/* As on a full disk: what failed is void, its numbers are used again. */
Test(journal_sync, failed_write_voids_its_entries_and_no_others)
{
	struct journal *j = read_end();
	char block[8192] = { 0 };
	struct reading r;

	append_text(j, "kept");
	cr_assert_eq(journal_commit(j), 0);
	limit_files(4096);
	append_text(j, "lost");
	append(j, block, sizeof(block));
	cr_expect_eq(journal_commit(j), -1);
	cr_expect_eq(errno, EFBIG);
	limit_files(RLIM_INFINITY);
	append_text(j, "kept too");
	cr_assert_eq(journal_commit(j), 0);
	journal_free(j);
	journal_free(read_all(0, &r));
	cr_expect_eq(r.n, 2);
	cr_expect_eq(r.last.seq, 2);
	cr_expect_eq(r.last.data_len, 8);
}

/* A worker that dies between write and sync leaves what is not yet on disk. */
Test(journal_sync, what_was_found_is_synced_before_it_counts)
{
	struct reading r;
	struct journal *j;

	write_three();
	nsynced = 0;
	j = read_all(0, &r);
	cr_expect_eq(r.n, 3);
	cr_expect(was_synced(FIRST_SEGMENT));
	cr_expect(was_synced(JOURNAL_DIR));
	journal_free(j);
	nsynced = 0;
	journal_free(read_all(3, &r));
	cr_expect_eq(nsynced, 0, "nothing was found that is not in a snapshot");
}

Test(journal_sync, what_cannot_be_synced_does_not_count)
{
	struct journal_entry e;
	struct journal *j;
	const char *data;
	int rc;

	write_three();
	sync_fails_for = ".seg";
	j = journal_open(0, SYNC_ALWAYS);
	cr_assert_not_null(j);
	while ((rc = journal_read(j, &e, &data)) > 0)
		;
	cr_expect_eq(rc, -1);
	cr_expect_eq(errno, EIO);
	journal_free(j);
}

Test(journal_sync, failed_sync_voids_its_entries_and_is_not_retried)
{
	struct journal *j = read_end();
	struct reading r;

	append_text(j, "kept");
	cr_assert_eq(journal_commit(j), 0);
	sync_fails_for = "1.seg";
	append_text(j, "lost");
	cr_expect_eq(journal_commit(j), -1);
	cr_expect_eq(errno, EIO);
	nsynced = 0;
	append_text(j, "kept too");
	cr_assert_eq(journal_commit(j), 0);
	cr_expect_not(was_synced(FIRST_SEGMENT));
	journal_free(j);
	sync_fails_for = NULL;
	journal_free(read_all(0, &r));
	cr_expect_eq(r.n, 2);
	cr_expect_eq(r.last.data_len, 8);
}

/* Even where the abandoned segment could not be cut. */
Test(journal_sync, next_segment_ends_an_abandoned_one)
{
	uint8_t whole[4096], more[4096];
	size_t len, morelen;
	struct reading r;

	write_three(); /* 1 to 3 */
	len = slurp(FIRST_SEGMENT, whole, sizeof(whole));
	spew(FIRST_SEGMENT, whole, JOURNAL_DATA_OFFSET + 3);
	write_three(); /* 2 to 4, after 2 and 3 were given up */
	morelen =
	    slurp(JOURNAL_DIR "/00000000000000000002.seg", more, sizeof(more));
	spew(FIRST_SEGMENT, whole, len);
	journal_free(read_all(0, &r));
	cr_expect_gt(morelen, 0);
	cr_expect_eq(r.n, 4);
	cr_expect_eq(r.bytes, 3 + 12);
}

Test(journal_sync, adopting_fails_without_a_trace)
{
	struct spool *s = large_spool(SPOOL_MEMORY_MAX + 1);
	struct journal *j = read_end();
	struct journal_entry e;
	struct reading r;

	journal_entry_init(&e, JOURNAL_UPLOAD);
	e.data_len = spool_bytes(s);
	e.data_crc = spool_crc(s);
	cr_expect_eq(journal_adopt(j, &e, "spool/not-there", spool_fd(s)), -1);
	spool_free(s);
	append_text(j, "next");
	cr_assert_eq(journal_commit(j), 0);
	journal_free(j);
	cr_expect_eq(tmpdir_count("spool"), 0);
	journal_free(read_all(0, &r));
	cr_expect_eq(r.n, 1);
	cr_expect_eq(r.first, 1);
}

/* The disk may keep the name of what was given up, and forget its removal. */
Test(journal_sync, entry_is_not_hidden_by_an_adoption_that_failed_halfway)
{
	static const char ghost[] = JOURNAL_DIR "/00000000000000000002.seg";
	struct spool *s = large_spool(SPOOL_MEMORY_MAX + 1);
	struct journal *j = read_end();
	struct journal_entry e;
	struct reading r;

	append_text(j, "before");
	cr_assert_eq(journal_commit(j), 0);
	journal_entry_init(&e, JOURNAL_UPLOAD);
	e.data_len = spool_bytes(s);
	e.data_crc = spool_crc(s);
	cr_assert_eq(link(spool_path(s), "ghost"), 0);
	sync_fails_for = "/" JOURNAL_DIR;
	cr_expect_eq(journal_adopt(j, &e, spool_path(s), spool_fd(s)), -1);
	cr_expect_eq(errno, EIO);
	sync_fails_for = NULL;
	spool_free(s);
	cr_expect_eq(access(ghost, F_OK), -1);
	cr_assert_eq(rename("ghost", ghost), 0);
	append_text(j, "next");
	cr_assert_eq(journal_commit(j), 0);
	journal_free(j);
	journal_free(read_all(0, &r));
	cr_expect_eq(r.n, 2);
	cr_expect_eq(r.last.seq, 2);
	cr_expect_eq(r.last.data_len, 4);
}
