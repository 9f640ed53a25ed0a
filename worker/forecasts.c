/* Owns the forecasts that are being made, from the entry to the last point. */
#include "common/compat.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/sqlx.h"
#include "worker/analysis.h"
#include "worker/forecasts_int.h"
#include "worker/forked.h"

#define LOOK_US 2000  /* between two looks at children */
#define SLICE_US 1500 /* for what they have said */
/* A frame takes a child milliseconds: one that is silent for longer hangs. */
#define STILL_US INT64_C(60000000)
/* A close that came first; systemd waits for 300 s before it kills. */
#define CLOSING_US INT64_C(240000000)
/*
 * Between two looks no more than this counts for either limit: a machine that
 * was suspended, or a worker that was stopped, has not waited for a child.
 */
#define GAP_MOST_US INT64_C(100000)

struct forecasts *
forecasts_new(struct results *results)
{
	struct forecasts *f = calloc(1, sizeof(*f));

	if (f != NULL)
		f->results = results;
	return f;
}

void
making_free(struct making *m)
{
	if (m == NULL)
		return;
	if (m->fd != -1)
		close(m->fd); /* a child that still writes ends by EPIPE */
	free(m->entry);
	free(m->buf);
	free(m->names);
	free(m);
}

void
forecasts_free(struct forecasts *f)
{
	if (f == NULL)
		return;
	for (size_t i = 0; i < f->n; i++)
		making_free(f->list[i]);
	free(f);
}

/* Something is to be looked at. */
static bool
has_work(const struct forecasts *f)
{
	return f->n + f->nleaving > 0 || f->sweeps;
}

static bool
has_place(const struct forecasts *f)
{
	return f->n + f->nleaving < FORECASTS_MOST;
}

bool
forecasts_are_made(const struct forecasts *f)
{
	return f->n > 0;
}

bool
forecasts_are_busy(const struct forecasts *f)
{
	return (f->n > 0 || f->sweeps) && f->busy;
}

bool
forecasts_want_gap(const struct forecasts *f)
{
	return has_work(f) && clock_mono_us() >= f->look_us;
}

int
forecasts_timer_ms(const struct forecasts *f)
{
	if (forecasts_are_busy(f))
		return 0;
	return has_work(f) || f->changed ? LOOK_US / 1000 : -1;
}

/* ---- the beginning ---- */

static _Noreturn void
child_run(const struct forecasts *f, const struct msg_forecast *m, pid_t parent,
    int fd)
{
	if (fcntl(fd, F_SETFL, 0) == -1)
		_exit(errno);
	forked_enter(parent, &fd, 1, 0); /* forecasts_step has the limits */
	forked_exit(forecaster_run(f->engine, m, fd));
}

static int
making_fork(
    struct making *m, const struct forecasts *f, const struct msg_forecast *msg)
{
	pid_t parent = getpid();
	int fd[2];

	if (pipe2(fd, O_CLOEXEC | O_NONBLOCK) == -1)
		return -1;
	m->child = fork();
	if (m->child == 0)
		child_run(f, msg, parent, fd[1]);
	close(fd[1]);
	m->fd = fd[0];
	return m->child == -1 ? -1 : 0;
}

/* In the list, with its child. NULL with errno. */
static struct making *
making_new(struct forecasts *f, const struct msg_forecast *msg)
{
	struct making *m = calloc(1, sizeof(*m));

	if (m == NULL)
		return NULL;
	m->fd = -1;
	m->begin_us = clock_mono_us();
	m->entry = calloc(1, sizeof(*m->entry));
	m->buf = malloc(FORECAST_BUFFER_BYTES);
	if (m->entry != NULL && m->buf != NULL && making_fork(m, f, msg) == 0) {
		f->list[f->n++] = m;
		return m;
	}
	making_free(m);
	return NULL;
}

static void
fill(struct forecast_entry *e, const struct msg_forecast *m,
    const struct forecast_scope *s)
{
	static const char no_duration[] =
	    "Forecast duration not specified, setting to 1 day";
	static const char no_expiry[] =
	    "Forecast expires_in not specified, setting to 14 days";

	memcpy(e->id, m->forecast_id.p, m->forecast_id.len);
	e->row.forecast_id = span_of(e->id);
	e->row.timestamp = e->row.start = s->start_s * 1000;
	e->row.end = (s->start_s + m->duration_s) * 1000;
	e->row.create = m->receipt_ms;
	e->row.expiry = m->expires_in_ms == 0 ||
		m->expires_in_ms > INT64_MAX / 2 - m->receipt_ms
	    ? TIME_UNSET
	    : m->receipt_ms + m->expires_in_ms;
	e->row.memory_bytes = s->bytes;
	e->row.messages = span_of(e->messages);
	if (!m->duration_given)
		forecast_entry_say(e, no_duration, sizeof(no_duration) - 1);
	if (!m->expiry_given)
		forecast_entry_say(e, no_expiry, sizeof(no_expiry) - 1);
}

static int
begin_failed(struct apierr *e)
{
	apierr_set(e, 503, E_STATUS,
	    "Cannot run forecast: no process for it: %s", strerror(errno));
	e->retry_after_s = 1;
	return 1;
}

/* Its row is seen when the entry is. */
static int
begin_new(struct forecasts *f, const struct msg_forecast *msg,
    const struct forecast_scope *scope, struct apierr *e)
{
	struct making *m;
	sqlite3 *db;

	if (!has_place(f)) {
		apierr_set(e, 400, E_STATUS,
		    "Cannot run forecast: Forecast cannot be executed due to "
		    "queue limit. Please wait for requests to finish and try "
		    "again");
		return 1;
	}
	m = making_new(f, msg);
	if (m == NULL)
		return begin_failed(e);
	fill(m->entry, msg, scope);
	m->entry->row.status =
	    f->n == 1 ? FORECAST_STARTED : FORECAST_SCHEDULED;
	m->clean = true;
	f->changed = true;
	db = results_join(f->results);
	return db == NULL ? -1 : forecastdb_put(db, &m->entry->row);
}

/* The row that an earlier worker has written, or none. Returns as find. */
static int
find_row(struct forecasts *f, struct span id, struct forecast_entry *e)
{
	sqlite3 *db = results_borrow(f->results);
	int rc;

	if (db == NULL)
		return errno == ENOENT ? 0 : -1;
	rc = forecastdb_find(db, id, e);
	results_return(f->results, rc == -1);
	return rc;
}

/*
 * Replay: what was refused or removed is not made, nor is what was finished.
 * Otherwise the models are what they were.
 */
static int
begin_again(struct forecasts *f, const struct msg_forecast *msg,
    const struct forecast_scope *scope, struct apierr *e)
{
	struct forecast_entry *row = calloc(1, sizeof(*row));
	struct making *m;
	int rc;

	if (row == NULL)
		return -1;
	rc = find_row(f, msg->forecast_id, row);
	if (rc == 1 && !forecast_is_over(row->row.status) && has_place(f)) {
		m = making_new(f, msg);
		if (m == NULL) {
			rc = -1; /* the next worker may have one */
		} else {
			fill(m->entry, msg, scope);
			m->entry->row.id = row->row.id;
			m->entry->row.status = FORECAST_SCHEDULED;
		}
	}
	free(row);
	if (rc != 0)
		return rc == 1 ? 0 : -1;
	apierr_set(e, 400, E_STATUS,
	    "Cannot run forecast: it was refused, or removed since");
	return 1;
}

int
forecasts_entry(struct analysis *a, const struct journal_entry *entry,
    const char *data, struct apierr *e)
{
	struct forecasts *f = a->forecasts;
	struct forecast_scope scope;
	struct msg_forecast m;

	if (msg_decode(MSG_FORECAST, data, (size_t)entry->data_len, &m, NULL) ==
	    -1) {
		apierr_set(e, 500, E_EXCEPTION,
		    "Cannot run forecast: its entry cannot be read");
		return 1;
	}
	f->engine = a->engine;
	f->conf = a->conf;
	if (forecaster_check(a->engine, &m, &scope, e) == -1)
		return 1;
	return a->muted ? begin_again(f, &m, &scope, e)
			: begin_new(f, &m, &scope, e);
}

/* ---- on the way ---- */

/* It has closed its end. Returns 1: not dead yet; 0: well; -1: badly. */
static int
reap(struct making *m)
{
	int rc = forked_look(m->child, "forecast");

	if (rc != 1)
		m->child = 0;
	return rc;
}

static void
reap_leaving(struct forecasts *f)
{
	size_t n = 0;

	for (size_t i = 0; i < f->nleaving; i++)
		if (forked_look(f->leaving[i], "forecast") == 1)
			f->leaving[n++] = f->leaving[i];
	f->nleaving = n;
}

/* Nothing more will come of it. */
static void
decide(struct making *m)
{
	if (!m->ended) {
		making_fail(m, FORECAST_KILLED);
		return;
	}
	m->over = true;
	m->entry->row.status = FORECAST_FINISHED;
}

/* Those behind it wait for this process, and may be silent. */
static void
step_first(struct forecasts *f, int64_t deadline_us, int64_t gap_us)
{
	struct making *m = f->list[0];

	m->still_us += gap_us;
	if (m->fd != -1 && making_fill(m))
		f->busy = true;
	if (f->busy || making_has_frame(m))
		m->still_us = 0;
	if (!m->clean || making_has_frame(m)) {
		f->busy = true;
		if (making_write(f, m, deadline_us) == 0)
			return;
		log_warn("forecast %s", m->entry->id);
		making_fail(m, FORECAST_KILLED);
	} else if (m->broken) {
		making_fail(m, FORECAST_KILLED);
	} else if (m->fd == -1 && reap(m) != 1) {
		decide(m);
	} else if (m->still_us >= STILL_US) {
		making_fail(m, FORECAST_STILL);
	}
}

/* Since the last step, as far as it counts. */
static int64_t
gap(struct forecasts *f, int64_t now_us)
{
	int64_t gap_us = f->stepped_us == 0 ? 0 : now_us - f->stepped_us;

	f->stepped_us = now_us;
	return gap_us > GAP_MOST_US ? GAP_MOST_US : gap_us;
}

void
forecasts_close(struct forecasts *f)
{
	f->closing = true;
}

void
forecasts_step(struct forecasts *f, struct peer *peer, int64_t deadline_us,
    uint64_t *progress)
{
	int64_t now_us = clock_mono_us(), gap_us = gap(f, now_us);

	if (!has_work(f))
		return;
	if (f->closing)
		f->closing_us += gap_us;
	if (deadline_us > now_us + SLICE_US)
		deadline_us = now_us + SLICE_US;
	f->busy = false;
	reap_leaving(f);
	if (f->n == 0 && f->sweeps)
		forecasts_sweep(f);
	if (f->n > 0 && !f->list[0]->over) {
		if (f->closing_us >= CLOSING_US)
			making_fail(f->list[0], FORECAST_CLOSED);
		else
			step_first(f, deadline_us, gap_us);
	}
	if (f->n > 0 && f->list[0]->over)
		forecasts_end_first(f, peer);
	if (f->busy)
		++*progress;
	f->look_us = clock_mono_us() + LOOK_US;
}

bool
forecasts_make(const struct forecasts *f, int64_t id)
{
	for (size_t i = 0; i < f->n; i++)
		if (f->list[i]->entry->row.id == id)
			return true;
	return false;
}
