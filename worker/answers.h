/*
 * What uploads with a key were answered: the table "answer" of results.db. An
 * answer is written in the transaction of its entry's results, so it is there
 * exactly when the upload counts; replay of an entry whose results are missing
 * writes it again.
 *
 * How many are kept, and for how long, is judged by entries and their receipt
 * times alone, so that replay keeps the same ones.
 */
#ifndef WORKER_ANSWERS_H
#define WORKER_ANSWERS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/compat.h"
#include "common/schema.h"
#include "worker/retry.h"

/*
 * About 400 bytes each: 4 MB a job, and at 16 MB an upload 160 GB of data that
 * can be sent again. A day outlasts what a client retries by itself, and a
 * night until somebody starts it again.
 */
#define ANSWERS_MAX 10000
#define ANSWERS_AGE_MS (INT64_C(24) * 60 * 60 * 1000)

#define ANSWER_COLUMNS "seq, key, digest, receipt_ms, failed, body, crc"

struct answers;
struct sqlite3;
struct sqlite3_stmt;

struct kept_answer {
	uint64_t seq; /* of the entry */
	struct retry retry;
	int64_t receipt_ms;
	bool failed;
	struct span body; /* data_counts, or when it failed an apierr */
};

/* db is borrowed, and opened. NULL with errno (logged). */
struct answers *answers_new(struct sqlite3 *db);
void answers_free(struct answers *);

/*
 * The answer to this key, if there is one that is not too old at now_ms.
 * Returns 1: *a is set, its body lives until the next call; 0: there is none;
 * -1 with errno (logged), EILSEQ: a row with a wrong checksum; EBADMSG: the
 * file is damaged.
 */
int answers_find(struct answers *, const struct retry *, int64_t now_ms,
    struct kept_answer *a) MUST_CHECK;

/*
 * A row of ANSWER_COLUMNS; the body is the statement's. 0, or -1 with EBADMSG:
 * it does not match its checksum.
 */
int answers_read_row(struct sqlite3_stmt *, struct kept_answer *a) MUST_CHECK;

/*
 * Within a transaction: keep an answer, in place of one with its key, and let
 * go of some that are too many or too old at its receipt time, the oldest
 * first. 0, or -1 with errno (logged).
 */
int answers_put(struct answers *, const struct kept_answer *) MUST_CHECK;

/* Forget those of entries first to last. 0, or -1 with errno (logged). */
int answers_forget(struct answers *, uint64_t first, uint64_t last) MUST_CHECK;

#endif
