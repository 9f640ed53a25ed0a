/*
 * A journal in a directory of its own, for tests. The syncs of the code under
 * test come here: what was synced is noted, and one of them can be made to
 * fail.
 */
#ifndef TESTS_JOURNAL_FIXTURE_H
#define TESTS_JOURNAL_FIXTURE_H

#include "common/compat.h"
#include "worker/journal.h"
#include "worker/spool.h"

#define FIRST_SEGMENT JOURNAL_DIR "/00000000000000000001.seg"
#define SYNCED_MAX 16

extern size_t names_at_sync[SYNCED_MAX]; /* in journal/ */
extern size_t nsynced;
extern char synced[SYNCED_MAX][64];
extern const char *sync_fails_for; /* end of a path; NULL: none */

bool was_synced(const char *path);

/* Of a suite: .init and .fini. */
void journal_setup(void);
void journal_teardown(void);

/* What a journal gave when read to its end. */
struct reading {
	uint64_t first;
	uint64_t n;
	uint64_t bytes;
	struct journal_entry last;
};

/* Open one and read it to its end, behind which it can be appended to. */
struct journal *read_all(uint64_t base_seq, struct reading *);
struct journal *read_end(void);

void append(struct journal *, const char *data, size_t len);
void append_text(struct journal *, const char *text);
/* Three entries in one segment. */
void write_three(void);
/* A spool of n bytes. */
struct spool *large_spool(size_t n);

/* Whole files. */
size_t slurp(const char *path, uint8_t *buf, size_t cap);
void spew(const char *path, const uint8_t *buf, size_t len);

#endif
