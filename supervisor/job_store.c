/*
 * Owns the storing of a job's state: what the keeper is sent, who hears of it,
 * and the tries after one that failed.
 */
#include "common/compat.h"

#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "supervisor/catalogue.h"
#include "supervisor/job.h"
#include "supervisor/server.h"

#define STORE_DELAY_MAX_S 60 /* between two tries to store a state */

/* Answers come in the order of the requests: the last one counts. */
static void
note_stored(struct job *job, const struct apierr *e, const char *what)
{
	job->storing--;
	job->unstored = e != NULL;
	if (e == NULL) {
		if (job->store_delay_s > 0)
			log_info("job %s: its state is stored now", job->id);
		job->store_delay_s = 0;
		return;
	}
	if (job->store_delay_s == 0)
		log_warnx("job %s: %s was not stored and is tried again: %s",
		    job->id, what, e->link[0].reason);
	job->store_delay_s =
	    job->store_delay_s == 0 ? 1 : job->store_delay_s * 2;
	if (job->store_delay_s > STORE_DELAY_MAX_S)
		job->store_delay_s = STORE_DELAY_MAX_S;
	job->store_at_us =
	    clock_mono_us() + (int64_t)job->store_delay_s * 1000000;
}

static void
job_store(struct job *job, catalogue_cb *cb)
{
	struct msg_keep_state m = { .job_id = span_of(job->id),
		.incarnation = job->incarnation,
		.finished_time_ms = job->finished_time_ms,
		.model_snapshot_id = span_of(job->model_snapshot_id),
		.wanted_open = job->wanted_open };
	struct wbuf wb;

	wbuf_init(&wb, 0);
	if (job_totals_encode(&job->totals, &wb) == 0 &&
	    schema_encode(&forecast_totals_schema, &job->forecasts, &wb) == 0)
		m.totals = (struct span){ (const char *)wb.data, wb.len };
	else
		log_warn("job %s: its counts cannot be stored", job->id);
	job->storing++;
	catalogue_state(job->srv->catalogue, &m, cb, job);
	wbuf_clear(&wb);
}

/*
 * Those who wait now may have come after the state that was stored was over:
 * then the present one is theirs to wait for.
 */
static void
opened_stored_cb(void *arg, const struct apierr *e, uint64_t unused)
{
	struct job *job = arg;

	(void)unused;
	note_stored(job, e, "that it is open");
	if (strcmp(job_state_name(job), "opening") != 0)
		job_wake(job, WAIT_OPENED, e);
}

void
job_store_opened(struct job *job)
{
	job_store(job, opened_stored_cb);
}

/* Who asks again whether it is closed waits for all that is on its way. */
static void
snapshot_stored_cb(void *arg, const struct apierr *e, uint64_t unused)
{
	struct job *job = arg;

	(void)unused;
	note_stored(job, e, "that it has a new snapshot");
	if (job->storing == 0 && job->state != JOB_CLOSING &&
	    job->state != JOB_RECOVERING)
		job_wake(job, WAIT_CLOSED, e);
}

void
job_store_snapshot(struct job *job)
{
	job_store(job, snapshot_stored_cb);
}

/* As with opened_stored_cb(). */
static void
closed_stored_cb(void *arg, const struct apierr *e, uint64_t unused)
{
	struct job *job = arg;

	(void)unused;
	note_stored(job, e, "that it is closed");
	if (job->state != JOB_CLOSING)
		job_wake(job, WAIT_CLOSED, e);
}

void
job_store_closed(struct job *job)
{
	job_store(job, closed_stored_cb);
}

static void
paused_stored_cb(void *arg, const struct apierr *e, uint64_t unused)
{
	struct job *job = arg;

	(void)unused;
	note_stored(job, e, "what it was paused with");
}

void
job_store_paused(struct job *job)
{
	job_store(job, paused_stored_cb);
}

/* What is on its way to another row, or to none, is not stored in this one. */
void
job_store_tick(struct job *job, int64_t now_us)
{
	if (job->unstored && job->storing == 0 && now_us >= job->store_at_us &&
	    job->state != JOB_DELETING && job->state != JOB_RESETTING)
		job_store_closed(job);
}
