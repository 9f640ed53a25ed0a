/* Owns the line of queries before the query processes. */
#include "common/compat.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "common/clock.h"
#include "common/frame.h"
#include "supervisor/call.h"
#include "supervisor/conf.h"
#include "supervisor/job.h"
#include "supervisor/querypool_int.h"
#include "supervisor/server.h"

#define WAITING_MAX 1000 /* queries in the line; more get 429 */
#define FAILURES_MAX 3	 /* starts in a row before queries fail */
/* In the line: queries may name many jobs each. More get 429, too. */
#define WAITING_BYTES_MAX (16 * 1024 * 1024)
/*
 * After a start that failed: every request could try one, and log that it
 * failed.
 */
#define START_REST_US 500000

void
querypool_forget(struct query *q)
{
	wbuf_clear(&q->frame);
	free(q->first);
	free(q->job_id);
	free(q);
}

void
querypool_fail(struct query *q, const struct apierr *e)
{
	if (q->call != NULL) {
		if (q->begun) {
			http_reply_abort(q->call->req);
			call_free(q->call);
		} else {
			call_error(q->call, e);
		}
	}
	querypool_forget(q);
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

static void
query_gone(struct call *call, void *arg)
{
	struct query *q = arg;

	(void)call;
	q->call = NULL;
	if (q->reader != NULL) {
		/* Its answer is read and thrown away. */
		queryreader_resume(q->reader);
		return;
	}
	query_unqueue(q);
	querypool_forget(q);
}

/* It may have met a process that was dying for another reason. */
void
querypool_again(struct query *q)
{
	free(q->first);
	q->first = NULL;
	q->bytes = 0;
	q->reader = NULL;
	TAILQ_INSERT_HEAD(&q->pool->waiting, q, entry);
	query_queued(q);
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
		querypool_fail(q, &e);
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
	struct queryreader *idle = NULL;

	for (size_t i = 0; i < pool->nreaders; i++) {
		struct queryreader *r = &pool->readers[i];

		if (!queryreader_is_running(r))
			idle = r;
		else if (!queryreader_is_ready(r))
			return;
	}
	if (idle != NULL && may_start(pool))
		queryreader_start(idle);
}

void
querypool_feed(struct querypool *pool)
{
	struct query *q;

	if (pool->failures >= FAILURES_MAX)
		pool_give_up(pool);
	for (size_t i = 0; i < pool->nreaders; i++) {
		struct queryreader *r = &pool->readers[i];

		if (queryreader_is_ready(r) && r->query == NULL &&
		    (q = TAILQ_FIRST(&pool->waiting)) != NULL) {
			query_unqueue(q);
			queryreader_ask(r, q);
		}
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
	for (size_t i = 0; i < pool->nreaders; i++)
		queryreader_clear(&pool->readers[i]);
	while ((q = TAILQ_FIRST(&pool->waiting)) != NULL) {
		query_unqueue(q);
		call_free(q->call);
		querypool_forget(q);
	}
	free(pool->readers);
	free(pool);
}

void
querypool_tick(struct querypool *pool)
{
	int64_t now_us = clock_mono_us();

	for (size_t i = 0; i < pool->nreaders; i++)
		queryreader_tick(&pool->readers[i], now_us);
	querypool_feed(pool);
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
			querypool_forget(q);
		call_fail(call, saved == EINVAL ? 400 : 503, E_STATUS, "%s",
		    saved == EINVAL ? "a parameter is too long"
				    : "out of memory");
		return;
	}
	q->call = call;
	TAILQ_INSERT_TAIL(&pool->waiting, q, entry);
	query_queued(q);
	call_wait(call, query_gone, q);
	querypool_feed(pool);
}
