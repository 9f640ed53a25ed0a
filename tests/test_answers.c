/* Answers are kept, found by their key, and forgotten in order. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <sqlite3.h>
#include <string.h>

#include "common/log.h"
#include "common/resultsdb.h"
#include "common/sqlx.h"
#include "tests/tmpdir.h"
#include "worker/answers.h"
#include "worker/salvage.h"

#define NOW INT64_C(1700000000000)

static char dir[TMPDIR_BYTES];
static sqlite3 *db;
static struct answers *table;

static void
open_table(void)
{
	db = resultsdb_open_writer("results", true);
	cr_assert_not_null(db);
	table = answers_new(db);
	cr_assert_not_null(table);
}

static void
close_table(void)
{
	answers_free(table);
	resultsdb_close(db);
}

static void
setup(void)
{
	log_init("test", LOG_LEVEL_ERROR);
	tmpdir_enter(dir);
	open_table();
}

static void
teardown(void)
{
	close_table();
	tmpdir_purge(dir);
}

TestSuite(answers, .init = setup, .fini = teardown);

static struct retry
retry_of(uint64_t n)
{
	return (struct retry){ n, ~n, n + 1, n + 2 };
}

static void
put(uint64_t seq, uint64_t key, int64_t receipt_ms, const char *body)
{
	struct kept_answer a = { .seq = seq,
		.retry = retry_of(key),
		.receipt_ms = receipt_ms,
		.failed = key % 2 == 1,
		.body = span_of(body) };

	cr_assert_eq(answers_put(table, &a), 0);
}

static int
find(uint64_t key, int64_t now_ms, struct kept_answer *a)
{
	struct retry retry = retry_of(key);

	return answers_find(table, &retry, now_ms, a);
}

static int64_t
count(void)
{
	int64_t n;

	cr_assert_eq(sqlx_number(db, "SELECT count(*) FROM answer", &n), 0);
	return n;
}

static void
expect_found(uint64_t key, uint64_t seq, const char *body)
{
	struct retry want = retry_of(key);
	struct kept_answer a;

	cr_assert_eq(find(key, NOW, &a), 1);
	cr_expect_eq(a.seq, seq);
	cr_expect(span_eq(a.body, body));
	cr_expect_eq(a.failed, key % 2 == 1);
	cr_expect(retry_has_key_of(&a.retry, &want));
	cr_expect(retry_has_digest_of(&a.retry, &want));
}

Test(answers, what_was_put_is_found_and_nothing_else)
{
	struct kept_answer a;

	put(3, 7, NOW, "error");
	put(4, 8, NOW, "counts");
	expect_found(7, 3, "error");
	expect_found(8, 4, "counts");
	cr_expect_eq(find(9, NOW, &a), 0);
	/* A find leaves no transaction behind. */
	cr_expect_eq(sqlite3_txn_state(db, NULL), SQLITE_TXN_NONE);
	close_table();
	open_table();
	expect_found(7, 3, "error");
}

Test(answers, a_key_that_is_used_again_has_its_last_answer)
{
	put(3, 7, NOW, "first");
	put(4, 7, NOW, "second");
	expect_found(7, 4, "second");
	/* As replay writes an entry again. */
	put(4, 7, NOW, "second");
	cr_expect_eq(count(), 1);
}

Test(answers, one_that_is_too_old_is_not_found_and_goes_with_later_ones)
{
	struct kept_answer a;

	put(1, 2, NOW, "old");
	cr_expect_eq(find(2, NOW + ANSWERS_AGE_MS, &a), 1);
	cr_expect_eq(find(2, NOW + ANSWERS_AGE_MS + 1, &a), 0);
	put(2, 4, NOW + ANSWERS_AGE_MS, "new");
	cr_expect_eq(count(), 2);
	put(3, 6, NOW + ANSWERS_AGE_MS + 1, "new");
	cr_expect_eq(count(), 2);
	cr_expect_eq(find(2, NOW, &a), 0);
}

Test(answers, no_more_are_kept_than_may_be)
{
	struct kept_answer a;

	cr_assert_eq(sqlx_exec(db, "BEGIN"), 0);
	for (uint64_t i = 1; i <= ANSWERS_MAX + 5; i++)
		put(i, 2 * i, NOW, "x");
	cr_assert_eq(sqlx_exec(db, "COMMIT"), 0);
	cr_expect_eq(count(), ANSWERS_MAX);
	cr_expect_eq(find(2 * 5, NOW, &a), 0);
	cr_expect_eq(find(2 * 6, NOW, &a), 1);
	/* Behind many other entries some go at each one, not all at once. */
	put(3 * ANSWERS_MAX, 3, NOW, "x");
	cr_expect_eq(count(), ANSWERS_MAX - 7);
}

Test(answers, a_row_that_was_changed_is_not_believed)
{
	static const char *const changes[] = { "seq = seq + 1",
		"digest = zeroblob(16)", "digest = zeroblob(4)",
		"receipt_ms = receipt_ms + 1", "failed = 1 - failed",
		"body = x'00'", "crc = crc + 1" };
	struct kept_answer a;
	char sql[96];

	for (size_t i = 0; i < NELEM(changes); i++) {
		put(3, 7, NOW, "error");
		snprintf(sql, sizeof(sql), "UPDATE answer SET %s", changes[i]);
		cr_assert_eq(sqlx_exec(db, sql), 0);
		errno = 0;
		cr_expect_eq(find(7, NOW, &a), -1, "%s", changes[i]);
		cr_expect_eq(errno, EILSEQ);
		cr_assert_eq(sqlx_exec(db, "DELETE FROM answer"), 0);
	}
}

Test(answers, salvage_keeps_those_that_are_whole)
{
	struct msg_salvaged salvaged;
	struct kept_answer a;

	put(3, 7, NOW, "error");
	put(4, 8, NOW, "counts");
	put(5, 9, NOW, "error");
	cr_assert_eq(
	    sqlx_exec(db, "UPDATE answer SET failed = 0 WHERE seq = 5"), 0);
	close_table();
	salvage_mark();
	cr_assert_eq(salvage_results(&salvaged), 1);
	cr_expect_eq(salvaged.kept, 2);
	cr_expect_eq(salvaged.dropped, 1);
	open_table();
	expect_found(7, 3, "error");
	expect_found(8, 4, "counts");
	cr_expect_eq(find(9, NOW, &a), 0);
}

Test(answers, a_range_of_entries_is_forgotten)
{
	struct kept_answer a;

	for (uint64_t i = 1; i <= 5; i++)
		put(i, 10 + i, NOW, "counts");
	cr_expect_eq(answers_forget(table, 2, 3), 0);
	cr_expect_eq(answers_forget(table, 5, UINT64_MAX), 0);
	for (uint64_t i = 1; i <= 5; i++)
		cr_expect_eq(find(10 + i, NOW, &a), i == 1 || i == 4);
}
