/* Owns the query processes and the line of queries before them. */
#include "common/compat.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "common/clock.h"
#include "common/frame.h"
#include "common/joblist.h"
#include "common/log.h"
#include "supervisor/call.h"
#include "supervisor/chan.h"
#include "supervisor/child.h"
#include "supervisor/conf.h"
#include "supervisor/job.h"
#include "supervisor/oomkills.h"
#include "supervisor/querypool.h"
#include "supervisor/server.h"

#define WAITING_MAX 1000	  /* queries in the line; more get 429 */
#define QUERY_TIMEOUT_US 60000000 /* without a sign of life: it hangs */
#define FAILURES_MAX 3		  /* starts in a row before queries fail */
/* In the line: queries may name many jobs each. More get 429, too. */
#define WAITING_BYTES_MAX (16 * 1024 * 1024)
/*
 * After a start that failed: every request could try one, and log that it
 * failed.
 */
#define START_REST_US 500000
#define TRIES_MAX 2	     /* a query that ends two processes is at fault */
#define STALL_MAX_US 5000000 /* a client may hold up others who wait */

struct query {
	TAILQ_ENTRY(query) entry;
	struct querypool *pool;
	struct reader *reader; /* that works on it; NULL: it waits */
	struct call *call;     /* NULL: the client left */
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

struct reader {
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
	struct reader *readers; /* owned */
};

static void pool_feed(struct querypool *);

static void
query_free(struct query *q)
{
	wbuf_clear(&q->frame);
	free(q->first);
	free(q->job_id);
	free(q);
}

/* The call is answered, or its client left; forget the query. */
static void
query_fail(struct query *q, const struct apierr *e)
{
	if (q->call != NULL) {
		if (q->begun) {
			http_reply_abort(q->call->req);
			call_free(q->call);
		} else {
			call_error(q->call, e);
		}
	}
	query_free(q);
}

static void
query_unqueue(struct query *q)
{
	TAILQ_REMOVE(&q->pool->waiting, q, entry);
	q->pool->nwaiting--;
	q->pool->waiting_bytes -= q->frame.len;
}

static void
query_queued(struct query *q)
{
	q->pool->nwaiting++;
	q->pool->waiting_bytes += q->frame.len;
}

/* Its process may have closed the channel and not be reaped yet. */
static void
reader_resume(struct reader *r)
{
	r->stalled_us = 0;
	if (r->chan != NULL)
		chan_resume(r->chan);
}

static void
query_gone(struct call *call, void *arg)
{
	struct query *q = arg;

	(void)call;
	q->call = NULL;
	if (q->reader != NULL) {
		/* Its answer is read and thrown away. */
		reader_resume(q->reader);
		return;
	}
	query_unqueue(q);
	query_free(q);
}

/* It may have met a process that was dying for another reason. */
static void
query_again(struct query *q)
{
	free(q->first);
	q->first = NULL;
	q->bytes = 0;
	q->reader = NULL;
	TAILQ_INSERT_HEAD(&q->pool->waiting, q, entry);
	query_queued(q);
}

static void
start_failed(struct querypool *pool)
{
	pool->failures++;
	pool->failed_us = clock_mono_us();
}

static bool
reader_is_running(const struct reader *r)
{
	return r->chan != NULL || r->child != NULL;
}

static void
reader_down(struct reader *r, const char *why)
{
	struct query *q = r->query;
	struct apierr e;

	if (!r->ready)
		start_failed(r->pool);
	chan_free(r->chan);
	r->chan = NULL;
	if (r->child != NULL) {
		child_kill(r->child);
		child_forget(r->child);
		r->child = NULL;
	}
	r->query = NULL;
	r->stalled_us = 0;
	log_warnx("query process: %s", why);
	if (q != NULL && q->call == NULL) {
		query_free(q);
	} else if (q != NULL && !q->begun && q->tries < TRIES_MAX) {
		query_again(q);
	} else if (q != NULL) {
		apierr_set(&e, 500, E_EXCEPTION,
		    "the process that reads results has ended: %s; try again",
		    why);
		query_fail(q, &e);
	}
	pool_feed(r->pool);
}

static void
part_drained(struct http_req *req, void *arg)
{
	struct query *q = arg;

	(void)req;
	reader_resume(q->reader);
}

static void
query_part(struct reader *r, const uint8_t *data, size_t len)
{
	struct query *q = r->query;

	if (q->call == NULL)
		return;
	if (http_reply_part(q->call->req, data, len, part_drained, q)) {
		chan_pause(r->chan);
		r->stalled_us = clock_mono_us();
	}
}

static void
on_part(struct reader *r, const uint8_t *data, size_t len)
{
	struct query *q = r->query;

	q->bytes += len;
	if (q->call == NULL)
		return;
	if (!q->begun && q->first == NULL) {
		q->first = malloc(len);
		if (q->first != NULL) {
			memcpy(q->first, data, len);
			q->first_len = len;
			return;
		}
	}
	if (!q->begun) {
		q->begun = true;
		http_reply_begin(q->call->req, 200, q->call->media);
		if (q->first != NULL)
			query_part(r, q->first, q->first_len);
		free(q->first);
		q->first = NULL;
	}
	query_part(r, data, len);
}

static void
on_end(struct reader *r, const struct msg_query_end *m)
{
	struct query *q = r->query;

	if (q->bytes == 0 || q->bytes != m->bytes) {
		reader_down(r, "sent an answer of another length");
		return;
	}
	r->query = NULL;
	if (q->call != NULL) {
		if (q->begun)
			http_reply_end(q->call->req);
		else
			http_reply_bytes(q->call->req, 200, q->call->media,
			    q->first, q->first_len);
		call_free(q->call);
	}
	query_free(q);
	pool_feed(r->pool);
}

static void
on_failed(struct reader *r, const struct msg_failed *m)
{
	struct query *q = r->query;
	struct apierr e;
	struct rbuf rb;

	rbuf_init(&rb, m->error.p, m->error.len);
	if (apierr_decode(&rb, &e) == -1) {
		reader_down(r, "sent an error that cannot be read");
		return;
	}
	r->query = NULL;
	query_fail(q, &e);
	pool_feed(r->pool);
}

/* Which job a query was asked about, as it was then. 0, or -1: none. */
static int
query_job(const struct query *q, uint32_t n, struct joblist_entry *e)
{
	struct msg_query m;
	struct rbuf rb;
	int rc;

	if (q->job_id[0] != '\0') {
		strlcpy(e->id, q->job_id, sizeof(e->id));
		e->incarnation = q->incarnation;
		return n == 0 ? 0 : -1;
	}
	if (msg_decode(MSG_QUERY, q->frame.data + FRAME_HEADER_BYTES,
		q->frame.len - FRAME_HEADER_BYTES, &m, NULL) == -1)
		return -1;
	rbuf_init(&rb, m.jobs.p, m.jobs.len);
	do
		rc = joblist_next(&rb, e);
	while (rc == 1 && n-- > 0);
	return rc == 1 ? 0 : -1;
}

/* Its answer follows. The job may have gone or begun anew meanwhile. */
static void
on_damaged(struct reader *r, const struct msg_query_damaged *m)
{
	const struct query *q = r->query;
	struct joblist_entry e;
	struct job *job;

	if (query_job(q, m->job, &e) == -1) {
		reader_down(r, "named a job that was not asked for");
		return;
	}
	job = jobs_find(r->pool->srv->jobs, e.id);
	if (job != NULL && job->incarnation == e.incarnation)
		recovery_damaged(job, q->asked_us);
}

static void
on_ready(struct reader *r, const struct msg_ready *m)
{
	if (m->version != MSG_VERSION) {
		reader_down(r, "is of another version");
		return;
	}
	chan_set_state(r->chan, IN_OPEN);
	r->ready = true;
	r->pool->failures = 0;
	r->pool->failed_us = 0;
	pool_feed(r->pool);
}

/* Is the message of the query that this process works on? */
static bool
is_of_query(const struct reader *r, uint16_t type, uint32_t request)
{
	if (type == MSG_READY || type == MSG_PONG)
		return true;
	return r->query != NULL && r->query->request == request;
}

static void
reader_frame(
    void *arg, uint16_t type, uint32_t request, const uint8_t *data, size_t len)
{
	struct reader *r = arg;
	union {
		struct msg_ready ready;
		struct msg_failed failed;
		struct msg_query_end end;
		struct msg_query_damaged damaged;
		struct msg_pong pong;
	} m;
	const char *field;

	/* What nobody waits for any more has to come to an end, too. */
	if (r->query == NULL || r->query->call != NULL)
		r->sign_us = clock_mono_us();
	if (!is_of_query(r, type, request))
		reader_down(r, "answered what was not asked");
	else if (type == MSG_QUERY_PART)
		on_part(r, data, len);
	else if (msg_decode(type, data, len, &m, &field) == -1)
		reader_down(r, "sent a message that cannot be read");
	else if (type == MSG_READY)
		on_ready(r, &m.ready);
	else if (type == MSG_FAILED)
		on_failed(r, &m.failed);
	else if (type == MSG_QUERY_END)
		on_end(r, &m.end);
	else if (type == MSG_QUERY_DAMAGED)
		on_damaged(r, &m.damaged);
	else if (type != MSG_PONG)
		reader_down(r, "sent what it may not");
}

static void
reader_drained(void *arg)
{
	(void)arg; /* a query is small: nothing waits for room */
}

/* What it ended with is known when it is reaped, which is in a moment. */
static void
reader_closed(void *arg, const char *why)
{
	struct reader *r = arg;

	if (why != NULL || r->child == NULL) {
		reader_down(r, why == NULL ? "hung up" : why);
		return;
	}
	chan_free(r->chan);
	r->chan = NULL;
	child_kill(r->child); /* one without a channel is of no use */
}

static const struct chan_handlers reader_handlers = { reader_frame,
	reader_drained, reader_closed };

static void
reader_exited(void *arg, int status)
{
	struct reader *r = arg;
	char text[96];

	r->child = NULL;
	reader_down(r,
	    oomkills_death_text(r->pool->srv->oom, status, text, sizeof(text)));
}

static void
reader_start(struct reader *r)
{
	const struct conf *conf = r->pool->srv->conf;
	struct msg_hello hello = { .version = MSG_VERSION,
		.log_level = (uint8_t)conf->log_level };
	char path[MSG_PATH_MAX], jobs[MSG_PATH_MAX];
	int fd;

	r->ready = false;
	snprintf(path, sizeof(path), "%s/anomd-query", conf->libexec_dir);
	snprintf(jobs, sizeof(jobs), "%s/jobs", conf->state_dir);
	hello.path = span_of(jobs);
	r->child = child_spawn(path, NULL, &fd, reader_exited, r);
	if (r->child == NULL) {
		log_warn("query process: %s", path);
		start_failed(r->pool);
		return;
	}
	r->sign_us = clock_mono_us();
	r->chan =
	    chan_new(r->pool->srv->base, fd, FROM_QRY, &reader_handlers, r);
	if (r->chan == NULL || chan_send(r->chan, MSG_HELLO, 0, &hello) == -1)
		reader_down(r, "has no channel");
}

static void
reader_ask(struct reader *r, struct query *q)
{
	query_unqueue(q);
	q->tries++;
	q->reader = r;
	r->query = q;
	r->sign_us = q->asked_us = clock_mono_us();
	r->stalled_us = 0;
	if (chan_send_frame(r->chan, &q->frame) == -1)
		reader_down(r, "cannot be asked");
}

static void
pool_give_up(struct querypool *pool)
{
	struct apierr e;
	struct query *q;

	apierr_set(&e, 503, E_STATUS,
	    "no process that reads results could be started");
	e.retry_after_s = 1;
	while ((q = TAILQ_FIRST(&pool->waiting)) != NULL) {
		query_unqueue(q);
		query_fail(q, &e);
	}
	pool->failures = 0;
}

static bool
may_start(const struct querypool *pool)
{
	return pool->failed_us == 0 ||
	    clock_mono_us() - pool->failed_us >= START_REST_US;
}

/* Start one more, unless none is left or one is on its way. */
static void
pool_grow(struct querypool *pool)
{
	struct reader *idle = NULL;

	for (size_t i = 0; i < pool->nreaders; i++) {
		struct reader *r = &pool->readers[i];

		if (!reader_is_running(r))
			idle = r;
		else if (r->chan == NULL || chan_state(r->chan) != IN_OPEN)
			return;
	}
	if (idle != NULL && may_start(pool))
		reader_start(idle);
}

/* Give waiting queries to free processes; start one when all are busy. */
static void
pool_feed(struct querypool *pool)
{
	struct query *q;

	if (pool->failures >= FAILURES_MAX)
		pool_give_up(pool);
	for (size_t i = 0; i < pool->nreaders; i++) {
		struct reader *r = &pool->readers[i];

		if (r->chan != NULL && chan_state(r->chan) == IN_OPEN &&
		    r->query == NULL &&
		    (q = TAILQ_FIRST(&pool->waiting)) != NULL)
			reader_ask(r, q);
	}
	if (!TAILQ_EMPTY(&pool->waiting))
		pool_grow(pool);
}

struct querypool *
querypool_new(struct server *srv)
{
	struct querypool *pool = calloc(1, sizeof(*pool));

	if (pool == NULL)
		return NULL;
	pool->srv = srv;
	TAILQ_INIT(&pool->waiting);
	pool->nreaders = srv->conf->max_query_processes;
	pool->readers = calloc(pool->nreaders, sizeof(*pool->readers));
	if (pool->readers == NULL) {
		free(pool);
		return NULL;
	}
	for (size_t i = 0; i < pool->nreaders; i++)
		pool->readers[i].pool = pool;
	return pool;
}

void
querypool_free(struct querypool *pool)
{
	struct query *q;

	if (pool == NULL)
		return;
	for (size_t i = 0; i < pool->nreaders; i++) {
		struct reader *r = &pool->readers[i];

		chan_free(r->chan);
		child_forget(r->child);
		if (r->query != NULL) {
			call_free(r->query->call);
			query_free(r->query);
		}
	}
	while ((q = TAILQ_FIRST(&pool->waiting)) != NULL) {
		query_unqueue(q);
		call_free(q->call);
		query_free(q);
	}
	free(pool->readers);
	free(pool);
}

static bool
reader_is_late(struct reader *r, int64_t now_us)
{
	if (r->chan == NULL ||
	    (r->query == NULL && chan_state(r->chan) != IN_START))
		return false;
	if (chan_is_paused(r->chan))
		r->sign_us = now_us; /* its client sets the pace */
	return now_us - r->sign_us > QUERY_TIMEOUT_US;
}

/* Its client does not read, and keeps the process from others. */
static bool
reader_is_held(const struct reader *r, int64_t now_us)
{
	return r->stalled_us != 0 && !TAILQ_EMPTY(&r->pool->waiting) &&
	    now_us - r->stalled_us > STALL_MAX_US;
}

void
querypool_tick(struct querypool *pool)
{
	int64_t now_us = clock_mono_us();

	for (size_t i = 0; i < pool->nreaders; i++) {
		struct reader *r = &pool->readers[i];

		if (reader_is_held(r, now_us))
			reader_down(
			    r, "was held up by a client that does not read");
		else if (reader_is_late(r, now_us))
			reader_down(r, "has not answered in time");
	}
	pool_feed(pool);
}

/* Takes down whose results are asked for, of a job that is there. */
static int
query_note_job(struct query *q, const struct msg_query *m)
{
	const struct job *job;

	q->job_id = span_dup(m->job_id);
	if (q->job_id == NULL)
		return -1;
	job = jobs_find(q->pool->srv->jobs, q->job_id);
	q->incarnation = job == NULL ? 0 : job->incarnation;
	return 0;
}

void
querypool_ask(
    struct querypool *pool, struct call *call, const struct msg_query *m)
{
	struct query *q;

	if (pool->nwaiting >= WAITING_MAX ||
	    pool->waiting_bytes >= WAITING_BYTES_MAX) {
		struct apierr e;

		apierr_set(&e, 429, E_REJECTED,
		    "%zu queries for results wait already", pool->nwaiting);
		e.retry_after_s = 1;
		call_error(call, &e);
		return;
	}
	q = calloc(1, sizeof(*q));
	if (q != NULL) {
		wbuf_init(&q->frame, 0);
		q->pool = pool;
		q->request = ++pool->next_request;
	}
	if (q == NULL || query_note_job(q, m) == -1 ||
	    frame_put(&q->frame, MSG_QUERY, q->request, m) == -1) {
		int saved = errno;

		if (q != NULL)
			query_free(q);
		call_fail(call, saved == EINVAL ? 400 : 503, E_STATUS, "%s",
		    saved == EINVAL ? "a parameter is too long"
				    : "out of memory");
		return;
	}
	q->call = call;
	TAILQ_INSERT_TAIL(&pool->waiting, q, entry);
	query_queued(q);
	call_wait(call, query_gone, q);
	pool_feed(pool);
}
