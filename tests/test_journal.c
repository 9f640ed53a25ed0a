/* The journal: what was committed comes back, whatever happens to the file. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <fcntl.h>

#include "common/crc32c.h"
#include "common/log.h"
#include "tests/journal_fixture.h"
#include "tests/tmpdir.h"

TestSuite(
    journal, .init = journal_setup, .fini = journal_teardown, .timeout = 120);

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
