/* Owns the query process: its channel, its sandbox, its one request. */
#include "common/compat.h"

#include <errno.h>
#include <stdlib.h>

#include "common/log.h"
#include "common/sandbox.h"
#include "common/serve.h"
#include "query/answer.h"
#include "query/forecast.h"
#include "query/overall.h"
#include "query/quarantine.h"
#include "query/query.h"
#include "query/snapshots.h"

struct query {
	char *jobs_dir; /* owned */
	struct serve *serve;
	uint32_t request; /* the one under way */
};

/* Through HELLO this is the whole world of the process. */
static int
query_start(void *arg, const struct msg_hello *hello)
{
	struct query *q = arg;
	struct sandbox_path path;

	log_init("anomd-query", (enum log_level)hello->log_level);
	q->jobs_dir = span_dup(hello->path);
	if (q->jobs_dir == NULL)
		return -1;
	path = (struct sandbox_path){ q->jobs_dir, false };
	return sandbox_enter(SANDBOX_QUERY, &path, 1);
}

static bool
query_tick(void *arg)
{
	struct query *q = arg;

	return serve_tick(q->serve) == -1;
}

static int
query_send(void *arg, const void *data, size_t len)
{
	struct query *q = arg;

	return serve_send_raw(q->serve, MSG_QUERY_PART, q->request, data, len);
}

/* The supervisor has the next worker of the job see to it. */
static int
query_damaged(struct query *q, uint32_t job)
{
	struct msg_query_damaged m = { .job = job };

	return serve_send(q->serve, MSG_QUERY_DAMAGED, q->request, &m);
}

static bool
is_of_results(const struct request *req)
{
	return req->kind == QUERY_BUCKETS || req->kind == QUERY_RECORDS ||
	    req->kind == QUERY_INFLUENCERS || req->kind == QUERY_OVERALL ||
	    req->kind == QUERY_MODEL_PLOT || req->kind == QUERY_ANNOTATIONS ||
	    req->kind == QUERY_FORECAST;
}

/* *job: which of several is damaged. */
static int
query_make(struct query *q, const struct request *req, struct out *o,
    struct apierr *e, uint32_t *job)
{
	*job = 0;
	if (req->kind == QUERY_QUARANTINE)
		return quarantine_answer(req, q->jobs_dir, o, e);
	if (req->kind == QUERY_SNAPSHOTS)
		return snapshots_answer(req, q->jobs_dir, o, e);
	if (req->kind == QUERY_OVERALL)
		return overall_answer(
		    req, q->jobs_dir, query_tick, q, o, e, job);
	if (req->kind == QUERY_FORECAST)
		return forecast_answer(req, q->jobs_dir, query_tick, q, o, e);
	return answer_make(req, q->jobs_dir, query_tick, q, o, e);
}

/* -1: nothing more can be said on this channel. */
static int
query_answer(struct query *q, const struct request *req)
{
	struct apierr e;
	uint32_t job;
	bool damaged;
	struct out o;
	int rc;

	out_init(&o, OUT_HOLD_MAX, query_send, q);
	rc = query_make(q, req, &o, &e, &job);
	damaged = rc == -1 && errno == EBADMSG && is_of_results(req);
	if (rc == 0) {
		struct msg_query_end end = { .bytes = o.bytes };

		rc = serve_send(q->serve, MSG_QUERY_END, q->request, &end);
	} else if (e.status != 0) {
		rc = damaged ? query_damaged(q, job) : 0;
		if (rc == 0)
			rc = serve_fail(q->serve, q->request, &e);
	}
	out_clear(&o);
	return rc;
}

static int
on_query(struct serve *s, void *arg, uint32_t request, const void *obj)
{
	struct query *q = arg;
	struct request req;
	int rc;

	q->serve = s;
	q->request = request;
	if (request_init(&req, obj) == -1) {
		log_warn("supervisor sent QUERY");
		return -1;
	}
	rc = query_answer(q, &req);
	request_clear(&req);
	return rc;
}

static const struct serve_entry entries[] = {
	{ MSG_QUERY, on_query },
};

static const struct serve_role role = {
	.from = FROM_QRY,
	.first = MSG_QUERY,
	.last = MSG_QUERY_DAMAGED,
	.nentries = NELEM(entries),
	.entries = entries,
	.start = query_start,
};

int
query_main(int fd)
{
	struct query q = { 0 };
	struct serve *s = serve_new(fd, &role, &q);
	int rc;

	if (s == NULL) {
		log_warn("cannot serve");
		return 1;
	}
	rc = serve_run(s);
	serve_free(s);
	free(q.jobs_dir);
	return rc == -1 ? 1 : 0;
}
