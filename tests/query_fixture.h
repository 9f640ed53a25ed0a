/*
 * A job's results to ask about, and queries answered in the test's own process.
 */
#ifndef TESTS_QUERY_FIXTURE_H
#define TESTS_QUERY_FIXTURE_H

#include "query/answer.h"
#include "tests/someresults.h"

#define NRECORDS 9500 /* of write_many: two runs of a sort, and a tail */

/* A record and what it points to. Its first actual value is its index. */
struct query_row {
	struct record_result r;
	char by[16], over[16], inf[2][16];
};

extern char query_jobs[TMPDIR_BYTES];	      /* directory of the jobs */
extern struct query_row query_many[NRECORDS]; /* what write_many wrote */

/* Make and enter the directory of job j; remove it. */
void query_begin(void);
void query_finish(void);

/* One record and two buckets; many of both, with ties and missing fields. */
void write_example(void);
void write_many(void);

/* As a client asks that gives no parameters. */
struct request request_of(enum query_kind);

/* An out_write that appends to the wbuf arg. */
int collect(void *arg, const void *data, size_t len);
/* The text of an answer, which the caller frees; NULL with *e. */
char *ask_with(const struct request *, size_t hold_max, struct apierr *e);
/* The same; an error fails the test. */
char *ask(const struct request *);
struct json_object *ask_json(const struct request *);
void expect_text(const struct request *, const char *want);
void expect_error(
    const struct request *, int status, const char *type, const char *reason);

/* Borrowed; a missing member fails the test. */
struct json_object *member(struct json_object *, const char *name);
int64_t count_of(struct json_object *);

#endif
