/* The inside of the query pool, shared by the files that make it up. */
#ifndef SUPERVISOR_QUERYPOOL_INT_H
#define SUPERVISOR_QUERYPOOL_INT_H

#include <sys/queue.h>

#include "common/compat.h"
#include "common/wire.h"
#include "supervisor/querypool.h"

struct apierr;
struct chan;
struct child;

struct query {
	TAILQ_ENTRY(query) entry;
	struct querypool *pool;
	struct queryreader *reader; /* that works on it; NULL: it waits */
	struct call *call;	    /* NULL: the client left */
	uint32_t request;
	struct wbuf frame; /* of the query, whole; owned */
	uint8_t *first;	   /* owned: the first part, until it is known
			      whether more follows */
	size_t first_len;
	uint64_t bytes;	      /* of the answer, so far */
	bool begun;	      /* the answer is under way */
	unsigned tries;	      /* processes that it was given to */
	int64_t asked_us;     /* when the last one of them was, monotonic */
	char *job_id;	      /* owned; "": its jobs are in the frame */
	uint64_t incarnation; /* of the job */
};

struct queryreader {
	struct querypool *pool;
	struct child *child; /* NULL with chan: not running */
	struct chan *chan;
	struct query *query; /* under way; owned */
	bool ready;	     /* it has said so */
	int64_t sign_us;     /* of life */
	int64_t stalled_us;  /* since when its client is full; 0: it is not */
};

struct querypool {
	struct server *srv;
	uint32_t next_request;
	unsigned failures; /* starts in a row that came to nothing */
	int64_t failed_us; /* the last of them; 0: it goes well */
	TAILQ_HEAD(, query) waiting;
	size_t nwaiting;
	size_t waiting_bytes; /* of their frames */
	size_t nreaders;
	struct queryreader *readers; /* owned */
};

/* ---- querypool.c: the line ---- */

/* Give waiting queries to free processes; start one when all are busy. */
void querypool_feed(struct querypool *);
/* Its process has ended: it is the first in the line again. */
void querypool_again(struct query *);
/* Answer the call with an error, unless its client left; forget the query. */
void querypool_fail(struct query *, const struct apierr *);
/* Its call is answered, or its client left: frees it. In no line any more. */
void querypool_forget(struct query *);

/* ---- queryreader.c: a process ---- */

void queryreader_start(struct queryreader *);
/* At the end of the daemon: forget the process and its query. */
void queryreader_clear(struct queryreader *);
/* Started, and not seen to end. */
bool queryreader_is_running(const struct queryreader *);
/* It has said that it takes queries. */
bool queryreader_is_ready(const struct queryreader *);
/* Give it a query, which is in no line; it has none. */
void queryreader_ask(struct queryreader *, struct query *);
/* Whoever holds up its query does so no longer. */
void queryreader_resume(struct queryreader *);
/* End it when it hangs, or is held up while others wait. */
void queryreader_tick(struct queryreader *, int64_t now_us);

#endif
