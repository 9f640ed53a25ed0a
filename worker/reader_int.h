/*
 * What the two kinds of reader share with reader.c, and nobody else sees.
 */
#ifndef WORKER_READER_INT_H
#define WORKER_READER_INT_H

#include "worker/fieldset.h"
#include "worker/jsonlex.h"
#include "worker/reader.h"

/* The prefix "outer.inner." of the object that is being read. */
struct json_path {
	char *text; /* owned: the longest wanted name fits */
	size_t cap;
	unsigned depth; /* objects that are open inside the record */
	/* Bytes of the prefix at each depth; past cap: nothing is wanted. */
	size_t len[JSON_MAX_DEPTH + 1];
};

struct json_reader {
	struct jsonlex lex;
	struct json_path path;
	char *name;	  /* owned: a name whose escapes are undone */
	unsigned nerrors; /* while skipping, in this upload */
};

/* A column of the header that is a wanted field. */
struct delimited_column {
	size_t column;
	size_t field;
};

struct delimited_reader {
	const char *p; /* next byte; borrowed */
	const char *end;
	bool header_read;
	unsigned lines;	 /* of the present record */
	size_t ncolumns; /* of the header */
	/* In the order of the header. Owned; every field has room. */
	struct delimited_column *wanted;
	size_t nwanted;
};

struct reader {
	const struct jobconf *conf; /* borrowed */
	struct fieldset fields;
	const char *data; /* the upload; borrowed */
	size_t len;
	int ended; /* what reader_next answers from now on; 1: not yet */
	struct apierr error; /* when ended is -1 */
	struct json_reader json;
	struct delimited_reader delimited;
};

/*
 * The operations of a format. init returns 0 or -1 with ENOMEM; next returns as
 * reader_next does, the record being in fields.
 */
struct reader_format {
	int (*init)(struct reader *);
	void (*clear)(struct reader *);
	void (*begin)(struct reader *);
	int (*next)(struct reader *, struct apierr *);
	size_t (*bytes)(const struct reader *);
};

extern const struct reader_format reader_json;
extern const struct reader_format reader_delimited;

#endif
