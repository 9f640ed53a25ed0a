/* The journal: what was committed comes back, whatever happens to the file. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "common/clock.h"
#include "common/crc32c.h"
#include "common/log.h"
#include "tests/tmpdir.h"
#include "worker/journal.h"
#include "worker/spool.h"

#define FIRST_SEGMENT JOURNAL_DIR "/00000000000000000001.seg"

static char dir[TMPDIR_BYTES];

/*
 * The syncs of the code under test come here: what was synced is noted, and
 * one of them can be made to fail.
 */
static char synced[16][64];
static size_t names_at_sync[NELEM(synced)]; /* in journal/ */
static size_t nsynced;
static const char *sync_fails_for; /* end of a path; NULL: none */

static bool
ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n >= m && strcmp(s + n - m, end) == 0;
}

static int
sync_noted(int fd, long call)
{
	char link[64], path[256] = "";

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	cr_assert_gt(readlink(link, path, sizeof(path) - 1), 0);
	if (nsynced < NELEM(synced)) {
		names_at_sync[nsynced] = (size_t)tmpdir_count(JOURNAL_DIR);
		strlcpy(synced[nsynced++], path + strlen(dir) + 1,
		    sizeof(synced[0]));
	}
	if (sync_fails_for != NULL && ends_with(path, sync_fails_for)) {
		errno = EIO;
		return -1;
	}
	return (int)syscall(call, fd);
}

int
fdatasync(int fd)
{
	return sync_noted(fd, SYS_fdatasync);
}

int
fsync(int fd)
{
	return sync_noted(fd, SYS_fsync);
}

static bool
was_synced(const char *path)
{
	for (size_t i = 0; i < nsynced; i++)
		if (strcmp(synced[i], path) == 0)
			return true;
	return false;
}

static void
setup(void)
{
	/* Damage is logged a thousand times here. */
	log_init("test_journal", LOG_LEVEL_ERROR);
	tmpdir_enter(dir);
}

static void
teardown(void)
{
	tmpdir_purge(dir);
}

TestSuite(journal, .init = setup, .fini = teardown, .timeout = 120);

/* What a journal gave when read to its end. */
struct reading {
	uint64_t first;
	uint64_t n;
	uint64_t bytes;
	struct journal_entry last;
};

static struct journal *
read_all(uint64_t base_seq, struct reading *r)
{
	struct journal *j = journal_open(base_seq, SYNC_ALWAYS);
	struct journal_entry e;
	const char *data;
	int rc;

	cr_assert_not_null(j);
	memset(r, 0, sizeof(*r));
	while ((rc = journal_read(j, &e, &data)) > 0) {
		if (rc == 2)
			continue;
		if (r->n++ == 0)
			r->first = e.seq;
		r->bytes += e.data_len;
		r->last = e;
		cr_assert_eq(crc32c(0, data, e.data_len), e.data_crc);
	}
	cr_assert_eq(rc, 0);
	return j;
}

static struct journal *
read_end(void)
{
	struct reading r;

	return read_all(0, &r);
}

static void
append(struct journal *j, const char *data, size_t len)
{
	struct journal_entry e;

	journal_entry_init(&e, JOURNAL_UPLOAD);
	e.receipt_ms = 1000;
	e.data_len = len;
	e.data_crc = crc32c(0, data, len);
	journal_append(j, &e, data);
}

static void
append_text(struct journal *j, const char *text)
{
	append(j, text, strlen(text));
}

/* Three entries in one segment. */
static void
write_three(void)
{
	struct journal *j = read_end();

	append_text(j, "one");
	append_text(j, "");
	append_text(j, "the third");
	cr_assert_eq(journal_commit(j), 0);
	journal_free(j);
}

static size_t
slurp(const char *path, uint8_t *buf, size_t cap)
{
	int fd = open(path, O_RDONLY);
	ssize_t n = read(fd, buf, cap);

	cr_assert_gt(n, 0);
	close(fd);
	return (size_t)n;
}

static void
spew(const char *path, const uint8_t *buf, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	cr_assert_eq(write(fd, buf, len), (ssize_t)len);
	close(fd);
}

Test(journal, header_of_a_spool_file_has_the_size_it_is_given)
{
	struct journal_entry e;
	struct wbuf wb;

	wbuf_init(&wb, 0);
	journal_entry_init(&e, JOURNAL_UPLOAD);
	e.seq = 1;
	cr_assert_eq(journal_put_head(&wb, 1), 0);
	cr_expect_eq(wb.len, JOURNAL_HEAD_BYTES);
	cr_assert_eq(journal_put_header(&wb, &e), 0);
	cr_expect_eq(wb.len, JOURNAL_DATA_OFFSET);
	wbuf_clear(&wb);
}

Test(journal, entries_come_back_in_order)
{
	struct reading r;
	struct journal *j;

	write_three();
	j = read_all(0, &r);
	cr_expect_eq(r.n, 3);
	cr_expect_eq(r.first, 1);
	cr_expect_eq(r.bytes, 12);
	cr_expect_eq(r.last.receipt_ms, 1000);
	cr_expect_eq(r.last.advance_time_s, TIME_UNSET);
	cr_expect_eq(journal_last_seq(j), 3);
	cr_expect_not(journal_is_closed(j));
	journal_free(j);
}

Test(journal, entries_of_the_snapshot_are_passed_over)
{
	struct reading r;

	write_three();
	journal_free(read_all(2, &r));
	cr_expect_eq(r.n, 1);
	cr_expect_eq(r.first, 3);
}

Test(journal, fresh_one_counts_as_closed)
{
	struct journal *j = read_end();
	struct journal_entry e;

	cr_expect(journal_is_closed(j));
	append_text(j, "data");
	journal_entry_init(&e, JOURNAL_CLOSE);
	journal_append(j, &e, NULL);
	cr_assert_eq(journal_commit(j), 0);
	journal_free(j);
	j = read_end();
	cr_expect(journal_is_closed(j));
	journal_free(j);
}

/* After any cut: the whole entries before it, and the next one is kept. */
Test(journal, every_truncation_leaves_the_entries_before_it)
{
	uint8_t whole[4096];
	struct reading r;
	size_t len;

	write_three();
	len = slurp(FIRST_SEGMENT, whole, sizeof(whole));
	for (size_t cut = 0; cut < len; cut++) {
		uint64_t expect = 0;
		struct journal *j;

		if (cut >= JOURNAL_DATA_OFFSET + 3)
			expect++;
		if (cut >= JOURNAL_DATA_OFFSET + 3 + JOURNAL_HEADER_BYTES)
			expect++;
		spew(FIRST_SEGMENT, whole, cut);
		j = read_all(0, &r);
		cr_expect_eq(r.n, expect, "cut to %zu", cut);
		append_text(j, "after the tear");
		cr_assert_eq(journal_commit(j), 0);
		journal_free(j);
		journal_free(read_all(0, &r));
		cr_expect_eq(r.n, expect + 1, "cut to %zu", cut);
		cr_expect_eq(r.last.seq, expect + 1);
		cr_expect_eq(r.last.data_len, 14);
		tmpdir_purge(JOURNAL_DIR);
		mkdir(JOURNAL_DIR, 0700);
	}
}

/* A prefix comes back, never an entry that differs from what was written. */
Test(journal, every_flipped_byte_ends_its_segment)
{
	uint8_t whole[4096];
	size_t len;

	write_three();
	len = slurp(FIRST_SEGMENT, whole, sizeof(whole));
	for (size_t at = 0; at < len; at++) {
		static const uint64_t bytes[] = { 0, 3, 3, 12 };
		struct reading r;

		whole[at] ^= 0xff;
		spew(FIRST_SEGMENT, whole, len);
		whole[at] ^= 0xff;
		journal_free(read_all(0, &r));
		cr_expect_lt(r.n, 3, "byte %zu", at);
		cr_assert_eq(r.bytes, bytes[r.n], "byte %zu", at);
		tmpdir_purge(JOURNAL_DIR);
		mkdir(JOURNAL_DIR, 0700);
	}
}

Test(journal, segment_without_a_head_is_set_aside)
{
	struct reading r;

	spew(FIRST_SEGMENT, (const uint8_t *)"garbage", 7);
	journal_free(read_all(0, &r));
	cr_expect_eq(r.n, 0);
	cr_expect_eq(tmpdir_count(JOURNAL_DIR), 0);
	cr_expect_eq(tmpdir_count("quarantine"), 1);
}

/* A torn end is a death; wrong bytes may be all that is left of something. */
Test(journal, damaged_bytes_are_not_destroyed)
{
	uint8_t whole[4096], now[4096];
	struct reading r;
	size_t len;

	write_three();
	len = slurp(FIRST_SEGMENT, whole, sizeof(whole));
	whole[JOURNAL_DATA_OFFSET + 3 + JOURNAL_HEADER_BYTES - 1] ^= 1;
	spew(FIRST_SEGMENT, whole, len);
	write_three(); /* 2 to 4 */
	cr_expect_eq(slurp(FIRST_SEGMENT, now, sizeof(now)), len);
	cr_expect_arr_eq(now, whole, len);
	journal_free(read_all(0, &r));
	cr_expect_eq(r.n, 4);
}

Test(journal, segment_damaged_from_its_start_on_is_set_aside_not_replaced)
{
	uint8_t whole[4096], now[4096];
	struct reading r;
	size_t len;

	for (int i = 0; i < 2; i++) {
		write_three();
		len = slurp(FIRST_SEGMENT, whole, sizeof(whole));
		whole[JOURNAL_DATA_OFFSET] ^= 1;
		spew(FIRST_SEGMENT, whole, len);
		journal_free(read_all(0, &r));
		cr_expect_eq(r.n, 0);
		cr_expect_eq(tmpdir_count(JOURNAL_DIR), 0);
	}
	cr_expect_eq(slurp("quarantine/journal-1", now, sizeof(now)), len);
	cr_expect_eq(slurp("quarantine/journal-1.1", now, sizeof(now)), len);
}

Test(journal, only_a_segment_in_the_making_is_cleaned_up)
{
	spew(JOURNAL_DIR "/new", (const uint8_t *)"half", 4);
	spew(JOURNAL_DIR "/1.seg.bak", (const uint8_t *)"mine", 4);
	write_three();
	cr_expect_eq(access(JOURNAL_DIR "/new", F_OK), -1);
	cr_expect_eq(access(JOURNAL_DIR "/1.seg.bak", F_OK), 0);
}

Test(journal, damage_in_the_middle_does_not_hide_what_follows)
{
	uint8_t whole[4096];
	struct reading r;
	size_t len;

	write_three();
	write_three(); /* another worker: another segment, entries 4 to 6 */
	len = slurp(FIRST_SEGMENT, whole, sizeof(whole));
	whole[JOURNAL_DATA_OFFSET] ^= 1;
	spew(FIRST_SEGMENT, whole, len);
	journal_free(read_all(0, &r));
	cr_expect_eq(r.n, 3);
	cr_expect_eq(r.first, 4);
}

/* An empty segment must not end its predecessor before its time. */
Test(journal, numbers_before_an_empty_last_segment_are_not_used_again)
{
	uint8_t whole[4096];
	struct reading r;
	struct journal *j;

	write_three();
	write_three();
	slurp(JOURNAL_DIR "/00000000000000000004.seg", whole, sizeof(whole));
	spew(JOURNAL_DIR "/00000000000000000004.seg", whole,
	    JOURNAL_HEAD_BYTES + 5);
	slurp(FIRST_SEGMENT, whole, sizeof(whole));
	spew(FIRST_SEGMENT, whole, JOURNAL_HEAD_BYTES + 5);
	j = read_all(0, &r);
	cr_expect_eq(r.n, 0);
	for (int i = 0; i < 5; i++)
		append_text(j, "x");
	cr_assert_eq(journal_commit(j), 0);
	journal_free(j);
	journal_free(read_all(0, &r));
	cr_expect_eq(r.n, 5);
	cr_expect_eq(r.first, 4);
}

Test(journal, large_entries_rotate_and_old_segments_are_trimmed)
{
	size_t len = 1024 * 1024;
	char *mb = malloc(len);
	struct journal *j = read_end();
	struct reading r;

	memset(mb, 'x', len);
	for (int i = 0; i < 130; i++) {
		append(j, mb, len);
		cr_assert_eq(journal_commit(j), 0);
	}
	cr_expect_eq(tmpdir_count(JOURNAL_DIR), 3);
	journal_free(j);
	j = read_all(0, &r);
	cr_expect_eq(r.n, 130);
	journal_trim(j, 10);
	cr_expect_eq(tmpdir_count(JOURNAL_DIR), 3);
	journal_trim(j, 70);
	cr_expect_eq(tmpdir_count(JOURNAL_DIR), 2);
	journal_trim(j, 130);
	cr_expect_eq(tmpdir_count(JOURNAL_DIR), 1);
	journal_free(j);
	journal_free(read_all(70, &r));
	cr_expect_eq(r.last.seq, 130);
	free(mb);
}

/* The data of an upload of n bytes, larger than memory may hold. */
static struct spool *
large_spool(size_t n)
{
	struct spool *s = spool_new(7, 0, true);
	char block[4096];

	memset(block, 'd', sizeof(block));
	while (spool_bytes(s) < n)
		cr_assert_eq(spool_write(s, block, sizeof(block)), 0);
	cr_assert(spool_is_file(s));
	return s;
}

Test(journal, spool_file_becomes_a_segment_by_its_name)
{
	struct spool *s = large_spool(SPOOL_MEMORY_MAX + 1);
	struct journal *j = read_end();
	struct journal_entry e;
	const char *data;
	struct reading r;

	append_text(j, "before");
	cr_assert_eq(journal_commit(j), 0);
	cr_assert_eq(spool_data(s, &data), 0);
	journal_entry_init(&e, JOURNAL_UPLOAD);
	e.data_len = spool_bytes(s);
	e.data_crc = spool_crc(s);
	cr_assert_eq(journal_adopt(j, &e, spool_path(s), spool_fd(s)), 0);
	spool_moved(s);
	cr_expect_eq(e.seq, 2);
	append_text(j, "after");
	cr_assert_eq(journal_commit(j), 0);
	cr_expect_eq(data[0], 'd');
	cr_expect_eq(data[spool_bytes(s) - 1], 'd');
	spool_free(s);
	journal_free(j);
	cr_expect_eq(tmpdir_count("spool"), 0);
	cr_expect_eq(tmpdir_count(JOURNAL_DIR), 2);
	journal_free(read_all(0, &r));
	cr_expect_eq(r.n, 3);
	cr_expect_eq(r.bytes, 11 + e.data_len);
}

static int64_t now_us;

static int64_t
fake_us(void)
{
	return now_us;
}

Test(journal, sync_of_an_interval_is_due_a_second_after_the_last)
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
Test(journal, name_of_the_next_segment_waits_for_the_sync_of_the_present)
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
Test(journal, adoption_goes_on_behind_a_segment_that_cannot_be_synced)
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
Test(journal, what_counts_of_an_abandoned_segment_is_synced)
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
Test(journal, failed_write_voids_its_entries_and_no_others)
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
Test(journal, what_was_found_is_synced_before_it_counts)
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

Test(journal, what_cannot_be_synced_does_not_count)
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

Test(journal, failed_sync_voids_its_entries_and_is_not_retried)
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
Test(journal, next_segment_ends_an_abandoned_one)
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

Test(journal, adopting_fails_without_a_trace)
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
Test(journal, entry_is_not_hidden_by_an_adoption_that_failed_halfway)
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
