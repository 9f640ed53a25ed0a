/* Owns judging the frames of a WAL. */
#include "common/compat.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "common/crc32c.h"
#include "common/sqlvfs_wal.h"

#define PAGE_LEAST 512
#define MAGIC 0x377f0682u /* or this + 1: sums of big-endian words */
#define AT_HEAD_SUM 24
#define AT_FRAME_SUM 16
#define FRAME_SUMMED 8 /* bytes of a frame's head that its sum covers */

struct wal {
	uint32_t *crc; /* of the page in each frame; 0: not known */
	size_t n;
};

struct wal *
wal_new(void)
{
	return calloc(1, sizeof(struct wal));
}

void
wal_free(struct wal *w)
{
	if (w == NULL)
		return;
	free(w->crc);
	free(w);
}

bool
wal_is_page(int len, sqlite3_int64 at)
{
	sqlite3_int64 from = WAL_HEAD_BYTES + WAL_FRAME_BYTES;

	return len >= PAGE_LEAST && (len & (len - 1)) == 0 && at >= from &&
	    (at - from) % (len + WAL_FRAME_BYTES) == 0;
}

static size_t
frame_of(size_t len, sqlite3_int64 at)
{
	return (size_t)at / (len + WAL_FRAME_BYTES);
}

/* 0 stands for "not known", so it is not the CRC of anything. */
static uint32_t
page_crc(const void *page, size_t len)
{
	uint32_t crc = crc32c(0, page, len);

	return crc == 0 ? 1 : crc;
}

void
wal_note(struct wal *w, const void *page, size_t len, sqlite3_int64 at)
{
	size_t i = frame_of(len, at);

	if (i >= w->n) {
		size_t n = i + i / 2 + 64;
		uint32_t *crc = reallocarray(w->crc, n, sizeof(*crc));

		if (crc == NULL)
			return;
		memset(crc + w->n, 0, (n - w->n) * sizeof(*crc));
		w->crc = crc;
		w->n = n;
	}
	w->crc[i] = page_crc(page, len);
}

void
wal_sum(uint32_t s[2], const void *data, size_t len, bool big)
{
	const uint8_t *p = data;

	for (size_t i = 0; i + 8 <= len; i += 8) {
		uint32_t x[2];

		memcpy(x, p + i, sizeof(x));
		s[0] += (big ? be32toh(x[0]) : le32toh(x[0])) + s[1];
		s[1] += (big ? be32toh(x[1]) : le32toh(x[1])) + s[0];
	}
}

static bool
read_at(sqlite3_file *f, void *buf, size_t len, sqlite3_int64 at)
{
	return f->pMethods->xRead(f, buf, (int)len, at) == SQLITE_OK;
}

/* From the sum of the frame before, or of the head, to that of this one. */
static bool
chain_is_right(sqlite3_file *f, const void *page, size_t len, sqlite3_int64 at)
{
	sqlite3_int64 start = at - WAL_FRAME_BYTES;
	sqlite3_int64 before = start == WAL_HEAD_BYTES
	    ? AT_HEAD_SUM
	    : start - (sqlite3_int64)len - WAL_FRAME_BYTES + AT_FRAME_SUM;
	uint8_t head[WAL_FRAME_BYTES];
	uint32_t s[2], want[2], magic;

	if (!read_at(f, &magic, sizeof(magic), 0) ||
	    !read_at(f, s, sizeof(s), before) ||
	    !read_at(f, head, sizeof(head), start))
		return false;
	magic = be32toh(magic);
	if ((magic & ~1u) != MAGIC)
		return false;
	s[0] = be32toh(s[0]);
	s[1] = be32toh(s[1]);
	wal_sum(s, head, FRAME_SUMMED, (magic & 1) != 0);
	wal_sum(s, page, len, (magic & 1) != 0);
	memcpy(want, head + AT_FRAME_SUM, sizeof(want));
	return s[0] == be32toh(want[0]) && s[1] == be32toh(want[1]);
}

bool
wal_page_is_right(struct wal *w, sqlite3_file *f, const void *page, size_t len,
    sqlite3_int64 at)
{
	size_t i = frame_of(len, at);

	/* Others may have written the frame since: no match proves nothing. */
	if (i < w->n && w->crc[i] == page_crc(page, len))
		return true;
	return chain_is_right(f, page, len, at);
}
