/*
 * Entries that are put aside because workers died of them: each is a file of
 * its own, quarantine/entry-<number>, in the form of a journal's segment with
 * one entry; and a list of all of them, which replay passes over. The list
 * lasts when a file has been taken away.
 *
 * Paths are relative: the job's directory is the current one.
 */
#ifndef WORKER_ASIDE_H
#define WORKER_ASIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compat.h"
#include "common/schema.h"
#include "common/verify.h"
#include "worker/journal.h"

#define ASIDE_LIST "put-aside"
#define ASIDE_FORMAT 1
/* An entry that is forgotten kills twice again, and is put aside anew. */
#define ASIDE_MAX 4096
#define ASIDE_PATH_BYTES 64
#define ASIDE_REASON_BYTES 200

#define ASIDE_RECORD_FIELDS(F, S)                                              \
	F(S, U64, seq, 1, INFINITY)                                            \
	F(S, U64, token, 0, INFINITY)                                          \
	F(S, U8, type, JOURNAL_OPEN, JOURNAL_CLOSE)                            \
	F(S, U64, bytes, 0, INFINITY) /* of its data */                        \
	F(S, I64, receipt_ms, -INFINITY, INFINITY)                             \
	F(S, I64, aside_ms, -INFINITY, INFINITY) /* when, wall clock */        \
	F(S, U8, signal, 1, 255)
SCHEMA_STRUCT(aside_record, ASIDE_RECORD_FIELDS);

struct aside {
	size_t n;
	struct aside_record *record; /* owned */

	/* The file that is being made. */
	int fd; /* -1: none */
	struct journal_entry entry;
	const char *data; /* borrowed */
	uint64_t written; /* of data */
};

/*
 * Read the list. 0, or -1 with errno (logged); a damaged one goes to
 * quarantine/, and is as an empty one.
 */
int aside_load(struct aside *) MUST_CHECK;
void aside_clear(struct aside *);

/* The list in a file, as those of worker/verify.h. */
int aside_verify(const char *path, verify_report_cb *, void *arg) MUST_CHECK;

/*
 * NULL: it is none of them. By number, token and receipt: where syncs are not
 * waited for, a loss of power lets another entry have the number.
 */
const struct aside_record *aside_find(
    const struct aside *, const struct journal_entry *);
/* Its file is there. */
bool aside_has_file(const struct aside_record *);

/*
 * Begin the file of an entry; step until it returns 0: then it is there, and
 * in the list, and both last. data must stay until then.
 *
 * signal  that the workers died of
 *
 * Each returns -1 with errno (logged): it is not put aside; aside_step also 1:
 * call again.
 */
int aside_begin(
    struct aside *, const struct journal_entry *, const char *data) MUST_CHECK;
int aside_step(struct aside *, unsigned signal, int64_t deadline_us) MUST_CHECK;

/* Why, for whoever waits for its answer or looks. */
const char *aside_reason(
    char dst[ASIDE_REASON_BYTES], uint64_t seq, unsigned signal);

#endif
