/* Owns a query process: its start, what it says, and its end. */
#include "common/compat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
#include "supervisor/querypool_int.h"
#include "supervisor/server.h"

#define QUERY_TIMEOUT_US 60000000 /* without a sign of life: it hangs */
#define TRIES_MAX 2	     /* a query that ends two processes is at fault */
#define STALL_MAX_US 5000000 /* a client may hold up others who wait */

/* Its process may have closed the channel and not be reaped yet. */
void
queryreader_resume(struct queryreader *r)
{
	r->stalled_us = 0;
	if (r->chan != NULL)
		chan_resume(r->chan);
}

static void
start_failed(struct querypool *pool)
{
	pool->failures++;
	pool->failed_us = clock_mono_us();
}

bool
queryreader_is_running(const struct queryreader *r)
{
	return r->chan != NULL || r->child != NULL;
}

bool
queryreader_is_ready(const struct queryreader *r)
{
	return r->chan != NULL && chan_state(r->chan) == IN_OPEN;
}

void
queryreader_clear(struct queryreader *r)
{
	chan_free(r->chan);
	child_forget(r->child);
	if (r->query != NULL) {
		call_free(r->query->call);
		querypool_forget(r->query);
	}
}

static void
reader_down(struct queryreader *r, const char *why)
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
		querypool_forget(q);
	} else if (q != NULL && !q->begun && q->tries < TRIES_MAX) {
		querypool_again(q);
	} else if (q != NULL) {
		apierr_set(&e, 500, E_EXCEPTION,
		    "the process that reads results has ended: %s; try again",
		    why);
		querypool_fail(q, &e);
	}
	querypool_feed(r->pool);
}

static void
part_drained(struct http_req *req, void *arg)
{
	struct query *q = arg;

	(void)req;
	queryreader_resume(q->reader);
}

static void
query_part(struct queryreader *r, const uint8_t *data, size_t len)
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
on_part(struct queryreader *r, const uint8_t *data, size_t len)
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
on_end(struct queryreader *r, const struct msg_query_end *m)
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
	querypool_forget(q);
	querypool_feed(r->pool);
}

static void
on_failed(struct queryreader *r, const struct msg_failed *m)
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
	querypool_fail(q, &e);
	querypool_feed(r->pool);
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
on_damaged(struct queryreader *r, const struct msg_query_damaged *m)
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
on_ready(struct queryreader *r, const struct msg_ready *m)
{
	if (m->version != MSG_VERSION) {
		reader_down(r, "is of another version");
		return;
	}
	chan_set_state(r->chan, IN_OPEN);
	r->ready = true;
	r->pool->failures = 0;
	r->pool->failed_us = 0;
	querypool_feed(r->pool);
}

/* Is the message of the query that this process works on? */
static bool
is_of_query(const struct queryreader *r, uint16_t type, uint32_t request)
{
	if (type == MSG_READY || type == MSG_PONG)
		return true;
	return r->query != NULL && r->query->request == request;
}

static void
reader_frame(
    void *arg, uint16_t type, uint32_t request, const uint8_t *data, size_t len)
{
	struct queryreader *r = arg;
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
	struct queryreader *r = arg;

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
	struct queryreader *r = arg;
	char text[96];

	r->child = NULL;
	reader_down(r,
	    oomkills_death_text(r->pool->srv->oom, status, text, sizeof(text)));
}

void
queryreader_start(struct queryreader *r)
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

void
queryreader_ask(struct queryreader *r, struct query *q)
{
	q->tries++;
	q->reader = r;
	r->query = q;
	r->sign_us = q->asked_us = clock_mono_us();
	r->stalled_us = 0;
	if (chan_send_frame(r->chan, &q->frame) == -1)
		reader_down(r, "cannot be asked");
}

static bool
reader_is_late(struct queryreader *r, int64_t now_us)
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
reader_is_held(const struct queryreader *r, int64_t now_us)
{
	return r->stalled_us != 0 && !TAILQ_EMPTY(&r->pool->waiting) &&
	    now_us - r->stalled_us > STALL_MAX_US;
}

void
queryreader_tick(struct queryreader *r, int64_t now_us)
{
	if (reader_is_held(r, now_us))
		reader_down(r, "was held up by a client that does not read");
	else if (reader_is_late(r, now_us))
		reader_down(r, "has not answered in time");
}
