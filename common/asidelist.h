/*
 * The list of the entries of a job's journal that were put aside: what the
 * worker keeps of them, and what others may read. It lasts when an entry's
 * file has been taken away.
 */
#ifndef COMMON_ASIDELIST_H
#define COMMON_ASIDELIST_H

#include <stddef.h>
#include <stdint.h>

#include "common/compat.h"
#include "common/schema.h"

#define ASIDE_LIST "put-aside"
#define ASIDE_DIR "quarantine" /* where the files are */
#define ASIDE_FILE "entry-"    /* and the number of the entry */
#define ASIDE_FORMAT 2
/* An entry that is forgotten kills twice again, and is put aside anew. */
#define ASIDE_MAX 4096
#define ASIDE_PATH_BYTES 64
#define ASIDE_REASON_BYTES 200
#define ASIDE_UPLOAD 2 /* as a type: JOURNAL_UPLOAD */

/* All that format 1 had. */
#define ASIDE_BASE_FIELDS(F, S)                                                \
	F(S, U64, seq, 1, INFINITY)                                            \
	F(S, U64, token, 0, INFINITY)                                          \
	F(S, U8, type, 1, 5)	      /* enum journal_type */                  \
	F(S, U64, bytes, 0, INFINITY) /* of its data */                        \
	F(S, I64, receipt_ms, -INFINITY, INFINITY)                             \
	F(S, I64, aside_ms, -INFINITY, INFINITY) /* when, wall clock */        \
	F(S, U8, signal, 1, 255)
/* again: token of the entry that it was last posted as; 0: none. */
#define ASIDE_RECORD_FIELDS(F, S)                                              \
	ASIDE_BASE_FIELDS(F, S)                                                \
	F(S, U64, again, 0, INFINITY)
SCHEMA_STRUCT(aside_record, ASIDE_RECORD_FIELDS);

struct asidelist {
	size_t n;
	struct aside_record *record; /* owned; oldest first */
};

void asidelist_clear(struct asidelist *);
/* Of too many the oldest goes. 0, or -1 with ENOMEM. */
int asidelist_add(struct asidelist *, const struct aside_record *) MUST_CHECK;

/*
 * list is as new. Returns 0, or -1 with EBADMSG, ENOMEM; what was read until
 * then is to be cleared.
 */
int asidelist_decode(
    struct asidelist *, const void *data, size_t len) MUST_CHECK;
/* Returns 0, or -1 with ENOMEM, EINVAL. */
int asidelist_encode(const struct asidelist *, struct wbuf *) MUST_CHECK;

/*
 * Read a file; there being none is an empty list. list is as new, and so it is
 * after a failure. Returns 0, or -1 with errno; EBADMSG: it is damaged.
 */
int asidelist_read(struct asidelist *, const char *path) MUST_CHECK;

/* Of an entry's file, from the job's directory. */
const char *asidelist_path(char dst[ASIDE_PATH_BYTES], uint64_t seq);

/*
 * Why, for whoever waits for its answer or looks. seq 0: it never came into
 * the journal.
 */
const char *asidelist_reason(
    char dst[ASIDE_REASON_BYTES], uint64_t seq, unsigned signal);

#endif
