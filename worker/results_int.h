/* The inside of the writer of results, shared by the files that make it up. */
#ifndef WORKER_RESULTS_INT_H
#define WORKER_RESULTS_INT_H

#include <sqlite3.h>

#include "common/compat.h"
#include "common/wire.h"
#include "worker/results.h"
#include "worker/walfold.h"

/* Prepared as long as the file is open. */
enum results_stmt {
	ST_BEGIN,
	ST_COMMIT,
	ST_RECORD,
	ST_CAUSE,
	ST_INFLUENCE,
	ST_BUCKET,
	ST_FORGET_RECORDS,
	ST_FORGET_INFLUENCES,
	ST_DROP_RECORDS,
	ST_DROP_INFLUENCES,
	ST_DROP_BUCKETS,
	ST_MAX
};

struct results {
	sqlite3 *db; /* NULL: not opened */
	sqlite3_stmt *st[ST_MAX];
	struct resultnames *names;
	struct plotrows *plots;
	struct answers *answers; /* NULL: not asked for yet */
	struct rescore *rescore; /* under way; or NULL */
	struct wbuf scratch;
	bool muted;
	bool drop_owed;	 /* asked for while muted: the next rows begin so */
	int64_t owed_ms; /* from this time on */
	bool inherited;	 /* commits of an earlier process may lack a sync */
	bool under_way;	 /* a transaction is open */
	bool has_rows;	 /* there are results in it, not only answers */
	bool was_open;	 /* before it was borrowed */
	int error;	 /* errno that spoilt what is under way; 0: none */
	uint64_t seq;	 /* last one handed to results_commit */
	uint64_t seq_in; /* the one in the file */
	int64_t next_id; /* of the next record */
	int64_t next_influence;
	int64_t tail;	  /* first id that is in no run */
	int64_t newest;	  /* greatest timestamp that a row may have, ms */
	int64_t now;	  /* bucket whose records are coming, ms */
	unsigned records; /* of that bucket so far */
	unsigned influences;
	struct walfold fold;
};

/* What is under way is spoilt; only results_commit clears that. Returns -1. */
int results_spoil(struct results *);

/* 0, or -1 with errno (ENOENT: there is none, and create is not set). */
int results_file_open(struct results *, bool create) MUST_CHECK;

/* A transaction, unless one is open. 0, or -1 with errno: it is spoilt. */
int results_begin(struct results *) MUST_CHECK;

#endif
