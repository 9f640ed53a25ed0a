/* Owns the rows of the table of answers. */
#include "common/compat.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "common/crc32c.h"
#include "common/log.h"
#include "common/sqlx.h"
#include "common/wire.h"
#include "worker/answers.h"

#define HASH_BYTES 16
#define EVICT_ROWS 8 /* at each new one: bounded, and faster than they come */

enum stmt { ST_FIND, ST_PUT, ST_OLDEST, ST_REMOVE, ST_FORGET, ST_MAX };

static const char *const stmt_sql[ST_MAX] = {
	[ST_FIND] = "SELECT " ANSWER_COLUMNS " FROM answer WHERE key = ?1",
	[ST_PUT] = "INSERT OR REPLACE INTO answer (" ANSWER_COLUMNS
		   ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
	[ST_OLDEST] = "SELECT seq, receipt_ms FROM answer ORDER BY seq LIMIT 1",
	[ST_REMOVE] = "DELETE FROM answer WHERE seq = ?1",
	[ST_FORGET] = "DELETE FROM answer WHERE seq BETWEEN ?1 AND ?2",
};

struct answers {
	sqlite3 *db; /* borrowed */
	sqlite3_stmt *st[ST_MAX];
	struct wbuf body; /* of the last one that was found */
};

struct answers *
answers_new(sqlite3 *db)
{
	struct answers *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->db = db;
	wbuf_init(&t->body, 0);
	for (size_t i = 0; i < ST_MAX; i++) {
		t->st[i] = sqlx_prepare(db, stmt_sql[i]);
		if (t->st[i] == NULL) {
			int saved = errno;

			answers_free(t);
			errno = saved;
			return NULL;
		}
	}
	return t;
}

void
answers_free(struct answers *t)
{
	if (t == NULL)
		return;
	for (size_t i = 0; i < ST_MAX; i++)
		sqlite3_finalize(t->st[i]);
	wbuf_clear(&t->body);
	free(t);
}

static void
hash_bytes(uint8_t dst[HASH_BYTES], uint64_t hi, uint64_t lo)
{
	uint64_t v[2] = { htobe64(hi), htobe64(lo) };

	memcpy(dst, v, HASH_BYTES);
}

static uint32_t
row_crc(const struct kept_answer *a)
{
	uint64_t v[] = { htobe64(a->seq), htobe64(a->retry.key_hi),
		htobe64(a->retry.key_lo), htobe64(a->retry.digest_hi),
		htobe64(a->retry.digest_lo), htobe64((uint64_t)a->receipt_ms),
		htobe64(a->failed) };

	return crc32c(crc32c(0, v, sizeof(v)), a->body.p, a->body.len);
}

static void
bind_hash(sqlite3_stmt *st, int i, const uint8_t *hash)
{
	sqlite3_bind_blob(st, i, hash, HASH_BYTES, SQLITE_STATIC);
}

/* Returns 0, or -1: it is no hash. */
static int
column_hash(sqlite3_stmt *st, int i, uint64_t *hi, uint64_t *lo)
{
	struct span s = sqlx_column_span(st, i);
	uint64_t v[2];

	if (s.len != sizeof(v))
		return -1;
	memcpy(v, s.p, sizeof(v));
	*hi = be64toh(v[0]);
	*lo = be64toh(v[1]);
	return 0;
}

int
answers_read_row(sqlite3_stmt *st, struct kept_answer *a)
{
	*a = (struct kept_answer){
		.seq = (uint64_t)sqlite3_column_int64(st, 0),
		.receipt_ms = sqlite3_column_int64(st, 3),
		.failed = sqlite3_column_int64(st, 4) != 0,
		.body = sqlx_column_span(st, 5),
	};
	if (column_hash(st, 1, &a->retry.key_hi, &a->retry.key_lo) == 0 &&
	    column_hash(st, 2, &a->retry.digest_hi, &a->retry.digest_lo) == 0 &&
	    (uint32_t)sqlite3_column_int64(st, 6) == row_crc(a))
		return 0;
	errno = EBADMSG;
	return -1;
}

static int
take_body(struct answers *t, struct kept_answer *a)
{
	wbuf_reset(&t->body);
	if (wire_put_bytes(&t->body, a->body.p, a->body.len) == -1) {
		errno = ENOMEM;
		return -1;
	}
	a->body.p = (const char *)t->body.data;
	return 0;
}

/* The same, with a copy of the body; what is wrong is logged. */
static int
take_row(struct answers *t, struct kept_answer *a)
{
	if (answers_read_row(t->st[ST_FIND], a) == -1) {
		log_warnx("%s: answer %ju: checksum mismatch",
		    sqlite3_db_filename(t->db, "main"), (uintmax_t)a->seq);
		errno = EILSEQ;
		return -1;
	}
	return take_body(t, a);
}

static bool
is_too_old(int64_t receipt_ms, int64_t now_ms)
{
	return receipt_ms < now_ms - ANSWERS_AGE_MS;
}

int
answers_find(struct answers *t, const struct retry *retry, int64_t now_ms,
    struct kept_answer *a)
{
	sqlite3_stmt *st = t->st[ST_FIND];
	uint8_t key[HASH_BYTES];
	int rc, saved;

	hash_bytes(key, retry->key_hi, retry->key_lo);
	bind_hash(st, 1, key);
	rc = sqlite3_step(st);
	if (rc == SQLITE_DONE) {
		sqlite3_reset(st);
		return 0;
	}
	if (rc == SQLITE_ROW)
		rc = take_row(t, a);
	else
		rc = sqlx_fail(t->db, "look for an answer");
	/* A statement left on its row would hold up the next transaction. */
	saved = errno;
	sqlite3_reset(st);
	errno = saved;
	if (rc == -1)
		return -1;
	return is_too_old(a->receipt_ms, now_ms) ? 0 : 1;
}

/* Returns 1: the oldest one has gone; 0: it may stay; -1 with errno. */
static int
evict_one(struct answers *t, const struct kept_answer *newest)
{
	sqlite3_stmt *st = t->st[ST_OLDEST];
	int64_t seq = 0, receipt_ms = 0;
	int rc = sqlite3_step(st);

	if (rc == SQLITE_ROW) {
		seq = sqlite3_column_int64(st, 0);
		receipt_ms = sqlite3_column_int64(st, 1);
	} else if (rc != SQLITE_DONE) {
		sqlx_fail(t->db, "look for the oldest answer");
	}
	sqlite3_reset(st);
	if (rc != SQLITE_ROW)
		return rc == SQLITE_DONE ? 0 : -1;
	/* Entries without a key have numbers too: this keeps them fewer. */
	if ((uint64_t)seq + ANSWERS_MAX > newest->seq &&
	    !is_too_old(receipt_ms, newest->receipt_ms))
		return 0;
	sqlite3_bind_int64(t->st[ST_REMOVE], 1, seq);
	return sqlx_run(t->st[ST_REMOVE]) == -1 ? -1 : 1;
}

int
answers_put(struct answers *t, const struct kept_answer *a)
{
	uint8_t key[HASH_BYTES], digest[HASH_BYTES];
	sqlite3_stmt *st = t->st[ST_PUT];
	int rc = 1;

	hash_bytes(key, a->retry.key_hi, a->retry.key_lo);
	hash_bytes(digest, a->retry.digest_hi, a->retry.digest_lo);
	sqlite3_bind_int64(st, 1, (sqlite3_int64)a->seq);
	bind_hash(st, 2, key);
	bind_hash(st, 3, digest);
	sqlite3_bind_int64(st, 4, a->receipt_ms);
	sqlite3_bind_int64(st, 5, a->failed);
	sqlite3_bind_blob64(st, 6, a->body.p, a->body.len, SQLITE_STATIC);
	sqlite3_bind_int64(st, 7, row_crc(a));
	if (sqlx_run(st) == -1)
		return -1;
	for (int i = 0; i < EVICT_ROWS && rc == 1; i++)
		rc = evict_one(t, a);
	return rc == -1 ? -1 : 0;
}

/* The numbers of SQLite end earlier than ours. */
static sqlite3_int64
number_of(uint64_t seq)
{
	return seq > INT64_MAX ? INT64_MAX : (sqlite3_int64)seq;
}

int
answers_forget(struct answers *t, uint64_t first, uint64_t last)
{
	sqlite3_stmt *st = t->st[ST_FORGET];

	sqlite3_bind_int64(st, 1, number_of(first));
	sqlite3_bind_int64(st, 2, number_of(last));
	return sqlx_run(st);
}
