/*
 * Fuzzes the walk over a segment of the journal. Checksums would keep the
 * fuzzer at the door, so they are put right first when the input asks for it.
 * Input: one byte of flags, then a segment.
 */
#include "common/compat.h"

#include <stdlib.h>
#include <string.h>

#include "common/crc32c.h"
#include "worker/journal.h"

#define REPAIR 0x01
#define SUM_BYTES 4
#define DATA_LEN_AT (JOURNAL_HEADER_BYTES - 2 * SUM_BYTES - 8)
#define DATA_CRC_AT (JOURNAL_HEADER_BYTES - 2 * SUM_BYTES)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool ok)
{
	if (!ok)
		abort();
}

static void
put_sum(uint8_t *p, uint32_t sum)
{
	for (int i = 0; i < SUM_BYTES; i++)
		p[i] = (uint8_t)(sum >> (24 - 8 * i));
}

static uint64_t
get_u64(const uint8_t *p)
{
	uint64_t v = 0;

	for (int i = 0; i < 8; i++)
		v = v << 8 | p[i];
	return v;
}

static void
repair(uint8_t *p, size_t len)
{
	if (len < JOURNAL_HEAD_BYTES)
		return;
	put_sum(p + JOURNAL_HEAD_BYTES - SUM_BYTES,
	    crc32c(0, p, JOURNAL_HEAD_BYTES - SUM_BYTES));
	p += JOURNAL_HEAD_BYTES;
	len -= JOURNAL_HEAD_BYTES;
	while (len >= JOURNAL_HEADER_BYTES) {
		uint64_t data_len = get_u64(p + DATA_LEN_AT);
		size_t left = len - JOURNAL_HEADER_BYTES;

		if (data_len <= left)
			put_sum(p + DATA_CRC_AT,
			    crc32c(
				0, p + JOURNAL_HEADER_BYTES, (size_t)data_len));
		put_sum(p + JOURNAL_HEADER_BYTES - SUM_BYTES,
		    crc32c(0, p, JOURNAL_HEADER_BYTES - SUM_BYTES));
		if (data_len > left)
			return;
		p += JOURNAL_HEADER_BYTES + data_len;
		len = left - (size_t)data_len;
	}
}

/* What was read must be what would be written. */
static void
require_round_trip(const struct journal_entry *e, const char *data)
{
	struct wbuf wb;

	wbuf_init(&wb, 0);
	require(journal_put_header(&wb, e) == 0);
	require(wb.len == JOURNAL_HEADER_BYTES);
	require(memcmp(wb.data, data - JOURNAL_HEADER_BYTES, wb.len) == 0);
	wbuf_clear(&wb);
}

static void
walk(const uint8_t *p, size_t len)
{
	struct journal_cursor c;
	struct journal_entry e;
	const char *data;
	uint64_t seq;
	int rc;

	if (journal_cursor_init(&c, p, len) == -1)
		return;
	seq = c.next_seq;
	while ((rc = journal_cursor_next(&c, &e, &data)) == 1) {
		require(e.seq == seq++);
		require(c.at <= len);
		while ((rc = journal_cursor_check(&c, &e, data, 100)) == 1)
			;
		if (rc == -1)
			break;
		require(crc32c(0, data, (size_t)e.data_len) == e.data_crc);
		require_round_trip(&e, data);
	}
	require(rc == -1 ? c.at < len : c.at == len);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy;

	if (size < 1)
		return 0;
	copy = malloc(size);
	memcpy(copy, data + 1, size - 1);
	if ((data[0] & REPAIR) != 0)
		repair(copy, size - 1);
	walk(copy, size - 1);
	free(copy);
	return 0;
}
