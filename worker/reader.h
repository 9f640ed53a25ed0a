/*
 * The reader of posted documents: finds the wanted fields of each record in a
 * sealed upload (jobs-and-data 5.3, 5.9, 5.11). Our own scanner: it stands on
 * the hot path. It never reads past the end and never keeps a document.
 */
#ifndef WORKER_READER_H
#define WORKER_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/apierr.h"
#include "common/compat.h"
#include "common/jobconf.h"

struct reader;

/* Text of a wanted field. Not NUL-terminated; valid until the next record. */
struct field_value {
	const char *p; /* borrowed */
	size_t len;
	bool present; /* null and "" are present, with len 0 */
};

struct record {
	/*
	 * One per wanted field: [0] is the time field, [1 + i] is analysis
	 * field i of the jobconf.
	 */
	const struct field_value *field;
	size_t nfields;	      /* 1 + jobconf's nfields */
	uint32_t value_count; /* values in the record, wanted or not */
};

/* For this job's fields and format. NULL with ENOMEM. Borrows the jobconf. */
struct reader *reader_new(const struct jobconf *);
void reader_free(struct reader *);

/*
 * For tests: slices of so many bytes, at least 1, from the next reader_begin
 * on. Records do not depend on it.
 */
void reader_set_slice(struct reader *, size_t bytes);

/* Begin an upload: len bytes at data, which must stay until its end. */
void reader_begin(struct reader *, const char *data, size_t len);

/*
 * The next record. Returns 1: *rec is set; 2: none yet, a slice of the upload
 * is used up and the next call goes on there; 0: the upload is at its end; -1:
 * it is malformed beyond tolerance, *e is set, and what was returned before
 * stands. No call lasts much longer than READER_SLICE bytes take, whatever
 * they are: a tenth of a millisecond.
 */
#define READER_SLICE ((size_t)64 << 10)
int reader_next(struct reader *, const struct record **rec, struct apierr *e);

/* Bytes consumed so far: input_bytes. At the end: all of them. */
size_t reader_bytes(const struct reader *);

#endif
