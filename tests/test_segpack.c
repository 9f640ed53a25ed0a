/* Compressed segments: all that was in them comes back, or damage is told. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "common/crc32c.h"
#include "common/log.h"
#include "tests/tmpdir.h"
#include "worker/inflated.h"
#include "worker/journal.h"
#include "worker/segpack.h"

#define PLAIN JOURNAL_DIR "/00000000000000000001.seg"
#define PACKED PLAIN ".zst"
#define SECOND JOURNAL_DIR "/00000000000000000003.seg"
#define ENTRY_BYTES (1536 * 1024)

static char dir[TMPDIR_BYTES];

static void
setup(void)
{
	log_init("test_segpack", LOG_LEVEL_ERROR);
	tmpdir_enter(dir);
}

static void
teardown(void)
{
	tmpdir_purge(dir);
}

TestSuite(segpack, .init = setup, .fini = teardown, .timeout = 120);

static void
write_file(const char *path, const void *data, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	cr_assert_eq(write(fd, data, len), (ssize_t)len);
	close(fd);
}

static size_t
read_file(const char *path, void *dst, size_t cap)
{
	int fd = open(path, O_RDONLY);
	ssize_t n = read(fd, dst, cap);

	cr_assert_geq(n, 0);
	close(fd);
	return (size_t)n;
}

static struct journal *
journal_end(uint64_t *entries)
{
	struct journal *j = journal_open(0, SYNC_ALWAYS);
	struct journal_entry e;
	const char *data;
	int rc;

	cr_assert_not_null(j);
	*entries = 0;
	while ((rc = journal_read(j, &e, &data)) > 0) {
		if (rc == 2)
			continue;
		++*entries;
		cr_expect_eq(e.seq, *entries);
		cr_expect_eq(crc32c(0, data, e.data_len), e.data_crc);
	}
	cr_assert_eq(rc, 0);
	return j;
}

static void
append(struct journal *j, size_t len)
{
	char *data = malloc(len);
	struct journal_entry e;

	for (size_t i = 0; i < len; i++)
		data[i] = (char)('a' + i * i % 23);
	journal_entry_init(&e, JOURNAL_UPLOAD);
	e.data_len = len;
	e.data_crc = crc32c(0, data, len);
	journal_append(j, &e, data);
	free(data);
}

/* One segment with two entries, left by its writer. */
static void
write_segment(void)
{
	uint64_t n;
	struct journal *j = journal_end(&n);

	append(j, ENTRY_BYTES);
	append(j, ENTRY_BYTES);
	cr_assert_eq(journal_commit(j), 0);
	journal_free(j);
}

static void
pack_all(struct journal *j)
{
	for (int i = 0; journal_packs(j); i++) {
		cr_assert_lt(i, 1000);
		journal_pack(j);
	}
}

static void
write_packed(void)
{
	uint64_t n;
	struct journal *j;

	write_segment();
	j = journal_end(&n);
	pack_all(j);
	journal_free(j);
}

Test(segpack, segment_of_an_earlier_worker_is_compressed_and_read_back)
{
	struct stat st;
	struct journal *j;
	uint64_t n;

	write_packed();
	cr_expect_eq(access(PLAIN, F_OK), -1);
	cr_assert_eq(stat(PACKED, &st), 0);
	cr_expect_lt(st.st_size, ENTRY_BYTES);
	cr_expect_eq(tmpdir_count(JOURNAL_DIR), 1);
	j = journal_end(&n);
	cr_expect_eq(n, 2);
	cr_expect_eq(journal_disk_bytes(j), (uint64_t)st.st_size);
	cr_expect_not(journal_packs(j));
	append(j, 10);
	cr_assert_eq(journal_commit(j), 0);
	journal_trim(j, 2);
	cr_expect_eq(access(PACKED, F_OK), -1);
	cr_expect_eq(access(SECOND, F_OK), 0);
	journal_free(j);
	cr_expect_eq(tmpdir_count("spool"), 0);
}

Test(segpack, segment_being_written_is_let_be)
{
	uint64_t n;
	struct journal *j = journal_end(&n);

	append(j, ENTRY_BYTES);
	cr_assert_eq(journal_commit(j), 0);
	cr_expect_not(journal_packs(j));
	journal_free(j);
}

Test(segpack, of_two_files_the_plain_one_is_taken_and_the_other_goes)
{
	static char plain[4 * ENTRY_BYTES];
	size_t len;
	uint64_t n;

	write_segment();
	len = read_file(PLAIN, plain, sizeof(plain));
	write_file(PACKED, "half of it", 10);
	write_file(JOURNAL_DIR "/pack", "less", 4);
	journal_free(journal_end(&n));
	cr_expect_eq(n, 2);
	cr_expect_eq(tmpdir_count(JOURNAL_DIR), 1);
	cr_expect_eq(access(PLAIN, F_OK), 0);
	cr_expect_gt(len, 2 * ENTRY_BYTES);
}

Test(segpack, trimmed_segment_is_not_compressed_to_its_end)
{
	struct journal *j;
	uint64_t n;

	write_segment();
	j = journal_end(&n);
	journal_pack(j);
	journal_pack(j);
	append(j, 10);
	cr_assert_eq(journal_commit(j), 0);
	journal_trim(j, 2);
	pack_all(j);
	cr_expect_eq(tmpdir_count(JOURNAL_DIR), 1);
	cr_expect_eq(access(SECOND, F_OK), 0);
	journal_free(j);
}

Test(segpack, what_cannot_be_compressed_stays_and_is_tried_once)
{
	struct journal *j;
	uint64_t n;

	write_segment();
	mkdir(JOURNAL_DIR "/pack", 0700);
	j = journal_open(0, SYNC_ALWAYS);
	cr_assert_not_null(j);
	journal_free(j);
	j = journal_end(&n);
	pack_all(j);
	cr_expect_eq(access(PLAIN, F_OK), 0);
	journal_free(j);
	cr_expect_eq(n, 2);
}

/* Every flip and every cut of a small file of three blocks is found. */
static size_t
small_pack(uint8_t *dst, size_t cap)
{
	struct segpack *p;
	char text[300];
	int rc;

	memset(text, 'z', sizeof(text));
	write_file("plain", text, sizeof(text));
	p = segpack_new("plain", "packed");
	cr_assert_not_null(p);
	while ((rc = segpack_step(p)) == 1)
		;
	cr_assert_eq(rc, 0);
	segpack_free(p);
	return read_file("packed", dst, cap);
}

static int
unpack_whole(const uint8_t *data, size_t len, struct segunpack *u)
{
	static uint8_t block[SEGPACK_BLOCK_BYTES];
	size_t n;
	int rc;

	segunpack_init(u, data, len);
	while ((rc = segunpack_next(u, block, &n)) == 1)
		for (size_t i = 0; i < n; i++)
			cr_assert_eq(block[i], 'z');
	return rc;
}

Test(segpack, every_flip_and_every_truncation_is_found)
{
	uint8_t data[1024];
	size_t len = small_pack(data, sizeof(data));
	struct segunpack u;

	cr_assert_eq(unpack_whole(data, len, &u), 0);
	cr_expect_eq(u.offset, 300);
	for (size_t i = 0; i < len * 8; i++) {
		data[i / 8] ^= (uint8_t)(1 << i % 8);
		cr_expect_eq(unpack_whole(data, len, &u), -1, "bit %zu", i);
		cr_expect_not_null(u.why);
		cr_expect_leq(u.at, i / 8, "it names the block");
		data[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	for (size_t i = 0; i < len; i++)
		cr_expect_eq(unpack_whole(data, i, &u), -1, "cut at %zu", i);
	data[len] = 0;
	cr_expect_eq(unpack_whole(data, len + 1, &u), -1);
}

Test(segpack, damaged_block_leaves_the_entries_before_it)
{
	static uint8_t data[4 * ENTRY_BYTES];
	struct journal *j;
	size_t len;
	uint64_t n;

	write_packed();
	len = read_file(PACKED, data, sizeof(data));
	data[len - SEGPACK_HEAD_BYTES - 1] ^= 1; /* of the last block */
	write_file(PACKED, data, len);
	j = journal_end(&n);
	cr_expect_eq(n, 1);
	append(j, 10); /* takes the number of the lost one */
	cr_assert_eq(journal_commit(j), 0);
	journal_free(j);
	journal_free(journal_end(&n));
	cr_expect_eq(n, 2);
	cr_expect_eq(access(PACKED, F_OK), 0, "it stays to be looked at");
}

Test(segpack, file_of_which_no_entry_can_be_read_is_set_aside)
{
	uint64_t n;

	write_packed();
	cr_assert_eq(truncate(PACKED, SEGPACK_HEAD_BYTES + 100), 0);
	journal_free(journal_end(&n));
	cr_expect_eq(n, 0);
	cr_expect_eq(tmpdir_count(JOURNAL_DIR), 0);
	cr_expect_eq(tmpdir_count("quarantine"), 1);
}

Test(segpack, other_format_is_refused_and_its_file_stays)
{
	uint8_t data[JOURNAL_HEAD_BYTES];
	struct journal_entry e;
	struct journal *j;
	const char *text;
	uint32_t sum;
	int rc;

	write_segment();
	cr_assert_eq(read_file(PLAIN, data, sizeof(data)), sizeof(data));
	data[11] = 1;
	sum = crc32c(0, data, sizeof(data) - 4);
	for (int i = 0; i < 4; i++)
		data[20 + i] = (uint8_t)(sum >> (24 - 8 * i));
	write_file(PLAIN, data, sizeof(data));
	j = journal_open(0, SYNC_ALWAYS);
	while ((rc = journal_read(j, &e, &text)) == 2)
		;
	cr_expect_eq(rc, -1);
	cr_expect_eq(errno, EPROTONOSUPPORT);
	journal_free(j);
	cr_expect_eq(access(PLAIN, F_OK), 0);
	cr_expect_eq(tmpdir_count("quarantine"), 0);
}
