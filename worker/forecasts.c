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
#include "worker/engine_int.h"
#include "worker/forecastdb.h"
#include "worker/forecaster.h"
#include "worker/forecasts.h"
#include "worker/forked.h"
#include "worker/phrase.h"

#define CHILD_LIMIT_S 3600 /* it waits for this process to read */
#define LOOK_US 2000	   /* between two looks at children */
#define SLICE_US 1500	   /* for what they have said */
#define BUFFER_BYTES (FORECAST_FRAME_MAX + sizeof(struct forecast_frame))

#define KILLED "forecast unable to complete as native process was killed."

struct making {
	struct forecast_entry *entry; /* owned: it is large */
	pid_t child;
	int fd;
	bool clean;   /* points of an earlier try are gone */
	bool ended;   /* the last frame has come */
	bool broken;  /* it said what makes no sense, or could not be written */
	uint8_t *buf; /* owned; [BUFFER_BYTES] */
	size_t len;
	size_t taken;	  /* of len: frames that are done with */
	size_t in_points; /* points of the frame at taken that are written */
	int64_t begin_us; /* monotonic */
	int64_t detector; /* names of the series; 0: none has begun */
	struct span by, partition; /* point into names */
	char *names;		   /* owned */
};

struct forecasts {
	struct results *results;    /* borrowed */
	const struct jobconf *conf; /* borrowed, with the first entry */
	const struct engine *engine;
	struct making *list[FORECASTS_MOST];
	size_t n;
	bool busy;
	bool changed;
	int64_t look_us;
};

struct forecasts *
forecasts_new(struct results *results)
{
	struct forecasts *f = calloc(1, sizeof(*f));

	if (f != NULL)
		f->results = results;
	return f;
}

static void
making_free(struct making *m)
{
	if (m == NULL)
		return;
	if (m->fd != -1)
		close(m->fd); /* a child that still writes ends by SIGPIPE */
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

bool
forecasts_are_made(const struct forecasts *f)
{
	return f->n > 0;
}

bool
forecasts_are_busy(const struct forecasts *f)
{
	return f->n > 0 && f->busy;
}

bool
forecasts_want_gap(const struct forecasts *f)
{
	return f->n > 0 && clock_mono_us() >= f->look_us;
}

int
forecasts_timer_ms(const struct forecasts *f)
{
	if (f->n == 0)
		return -1;
	return f->busy ? 0 : LOOK_US / 1000;
}

void
forecasts_changed(struct forecasts *f)
{
	f->changed = true;
}

/* ---- the beginning ---- */

static _Noreturn void
child_run(const struct forecasts *f, const struct msg_forecast *m, pid_t parent,
    int fd)
{
	if (fcntl(fd, F_SETFL, 0) == -1)
		_exit(errno);
	forked_enter(parent, &fd, 1, CHILD_LIMIT_S);
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
	m->buf = malloc(BUFFER_BYTES);
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

	if (f->n == FORECASTS_MOST) {
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
	if (rc == 1 && !forecast_is_over(row->row.status) &&
	    f->n < FORECASTS_MOST) {
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

/* ---- what a child says ---- */

/* What there is, as far as there is room for it. true: something came. */
static bool
fill_buffer(struct making *m)
{
	ssize_t n;

	memmove(m->buf, m->buf + m->taken, m->len - m->taken);
	m->len -= m->taken;
	m->taken = 0;
	if (m->len == BUFFER_BYTES)
		return false;
	n = read(m->fd, m->buf + m->len, BUFFER_BYTES - m->len);
	if (n > 0) {
		m->len += (size_t)n;
		return true;
	}
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return false;
	close(m->fd);
	m->fd = -1;
	return false;
}

/* The next frame that is whole, or NULL. */
static const uint8_t *
next_frame(struct making *m, struct forecast_frame *f)
{
	size_t left = m->len - m->taken;

	if (left < sizeof(*f))
		return NULL;
	memcpy(f, m->buf + m->taken, sizeof(*f));
	if (f->len > FORECAST_FRAME_MAX) {
		m->broken = true;
		return NULL;
	}
	return left - sizeof(*f) < f->len ? NULL
					  : m->buf + m->taken + sizeof(*f);
}

static int
broken(struct making *m)
{
	m->broken = true;
	errno = EBADMSG;
	return -1;
}

static struct span
span_at(char *p, int64_t len)
{
	return len < 0 ? (struct span){ NULL, 0 }
		       : (struct span){ p, (size_t)len };
}

/*
 * The names that the records of a detector have, but that in place of what the
 * function is called stands what the points are of.
 */
static int
detector_names(
    struct forecasts *f, struct making *m, const struct forecast_series *s)
{
	const struct engine_detector *d;
	struct record_result *r;
	int rc;

	if (s->detector >= f->conf->ndetectors)
		return broken(m);
	d = &f->engine->detector[s->detector];
	if (s->feature >= d->nfeatures)
		return broken(m);
	r = calloc(1, sizeof(*r));
	if (r == NULL)
		return -1;
	r->detector_index = (int)s->detector;
	r->function = d->conf->function->name;
	r->function_description = phrase_of(d->conf, &d->feature[s->feature]);
	r->field_name = d->conf->field_name;
	r->by_field_name = d->conf->by_field_name;
	r->partition_field_name = d->conf->partition_field_name;
	rc = results_detector(f->results, r, &m->detector);
	free(r);
	return rc;
}

static int
take_series(
    struct forecasts *f, struct making *m, const uint8_t *data, size_t len)
{
	struct forecast_series s;
	size_t by, partition;

	if (len < sizeof(s))
		return broken(m);
	memcpy(&s, data, sizeof(s));
	by = s.by_len < 0 ? 0 : (size_t)s.by_len;
	partition = s.partition_len < 0 ? 0 : (size_t)s.partition_len;
	if (by > len || partition > len || sizeof(s) + by + partition != len)
		return broken(m);
	free(m->names);
	m->names = malloc(by + partition + 1);
	if (m->names == NULL)
		return -1;
	memcpy(m->names, data + sizeof(s), by + partition);
	m->by = span_at(m->names, s.by_len);
	m->partition = span_at(m->names + by, s.partition_len);
	return detector_names(f, m, &s);
}

struct insertion {
	sqlite3 *db;
	sqlite3_stmt *st;
	struct wbuf wb;
	int64_t next_id;
	int64_t deadline_us;
};

static int
put_point(struct forecasts *f, struct making *m, struct insertion *in,
    const struct forecast_at_time *at)
{
	struct forecast_point p = { .id = in->next_id++,
		.forecast = m->entry->row.id,
		.timestamp = at->timestamp_ms,
		.bucket_span = f->conf->bucket_span_s,
		.detector = m->detector,
		.by_field_value = m->by,
		.partition_field_value = m->partition,
		.lower = at->lower,
		.upper = at->upper,
		.prediction = at->prediction };

	if (forecastrow_bind_point(in->st, &p, &in->wb) == -1 ||
	    sqlx_run(in->st) == -1)
		return -1;
	m->entry->row.record_count++;
	return 0;
}

/* Returns 1: the slice is over, and some are left. */
static int
take_points(struct forecasts *f, struct making *m, struct insertion *in,
    const uint8_t *data, size_t len)
{
	struct forecast_at_time at;
	size_t n = len / sizeof(at);

	if (len % sizeof(at) != 0 || m->names == NULL)
		return broken(m);
	while (m->in_points < n) {
		memcpy(&at, data + m->in_points * sizeof(at), sizeof(at));
		if (put_point(f, m, in, &at) == -1)
			return -1;
		if (++m->in_points % 64 == 0 && m->in_points < n &&
		    clock_mono_us() >= in->deadline_us)
			return 1;
	}
	m->in_points = 0;
	return 0;
}

static int
take_done(struct making *m, const uint8_t *data, size_t len)
{
	struct forecast_done d;

	if (len != sizeof(d))
		return broken(m);
	memcpy(&d, data, sizeof(d));
	if (d.series > d.of || d.of == 0)
		return broken(m);
	m->entry->row.progress = (double)d.series / (double)d.of;
	m->ended = d.series == d.of;
	return 0;
}

/* Returns as take_points. */
static int
take_frame(struct forecasts *f, struct making *m, struct insertion *in,
    const struct forecast_frame *h, const uint8_t *data)
{
	switch (h->type) {
	case FORECAST_SERIES:
		return take_series(f, m, data, h->len);
	case FORECAST_POINTS:
		return take_points(f, m, in, data, h->len);
	case FORECAST_MESSAGE:
		forecast_entry_say(m->entry, (const char *)data, h->len);
		return 0;
	case FORECAST_DONE:
		return take_done(m, data, h->len);
	default:
		return broken(m);
	}
}

static int
take_frames(struct forecasts *f, struct making *m, struct insertion *in)
{
	struct forecast_frame h;
	const uint8_t *data;
	int rc = 0;

	while (rc == 0 && !m->ended && (data = next_frame(m, &h)) != NULL) {
		rc = take_frame(f, m, in, &h, data);
		if (rc == 0)
			m->taken += sizeof(h) + h.len;
		if (clock_mono_us() >= in->deadline_us)
			break;
	}
	return rc == -1 || m->broken ? -1 : 0;
}

/* ---- writing ---- */

static void
note_time(struct making *m)
{
	m->entry->row.processing_ms =
	    (uint64_t)((clock_mono_us() - m->begin_us) / 1000);
}

/* Within a transaction. */
static int
write_slice(struct forecasts *f, struct making *m, struct insertion *in)
{
	if (!m->clean) {
		int n = forecastdb_remove_points(in->db, m->entry->row.id);

		m->clean = n == 0;
		f->busy = true;
		return n == -1 ? -1 : 0;
	}
	in->st = sqlx_prepare(in->db, forecastrow_put_point);
	if (in->st == NULL ||
	    sqlx_number(in->db,
		"SELECT coalesce(max(id), 0) + 1 FROM forecast_point",
		&in->next_id) == -1 ||
	    take_frames(f, m, in) == -1)
		return -1;
	note_time(m);
	m->entry->row.status = m->ended ? FORECAST_FINISHED : FORECAST_STARTED;
	return forecastdb_put(in->db, &m->entry->row);
}

static int
with_transaction(struct forecasts *f, struct making *m, int64_t deadline_us,
    int (*what)(struct forecasts *, struct making *, struct insertion *))
{
	struct insertion in = { .deadline_us = deadline_us };
	int rc = -1, saved;

	in.db = results_borrow(f->results);
	if (in.db == NULL)
		return -1;
	wbuf_init(&in.wb, 0);
	if (sqlx_exec(in.db, "BEGIN IMMEDIATE") == 0)
		rc = what(f, m, &in);
	saved = errno;
	sqlite3_finalize(in.st);
	wbuf_clear(&in.wb);
	errno = saved;
	if (rc == 0)
		rc = sqlx_exec(in.db, "COMMIT");
	results_return(f->results, rc == -1);
	return rc;
}

/* ---- the end ---- */

static int
write_failed(struct forecasts *f, struct making *m, struct insertion *in)
{
	(void)f;
	note_time(m);
	m->entry->row.status = FORECAST_FAILED;
	forecast_entry_say(m->entry, KILLED, sizeof(KILLED) - 1);
	return forecastdb_put(in->db, &m->entry->row);
}

static void
drop_first(struct forecasts *f)
{
	making_free(f->list[0]);
	f->n--;
	memmove(f->list, f->list + 1, f->n * sizeof(f->list[0]));
	f->changed = true;
}

/* Nothing more will come of the first one. */
static void
end_first(struct forecasts *f, bool well)
{
	struct making *m = f->list[0];

	if (!well) {
		log_warnx("forecast %s has failed", m->entry->id);
		if (with_transaction(f, m, INT64_MAX, write_failed) == -1)
			log_warn("forecast %s: that it has failed is not "
				 "written down, it will be made again",
			    m->entry->id);
	}
	drop_first(f);
}

/* It has closed its end. Returns 1: not dead yet; 0: well; -1: badly. */
static int
reap(struct making *m)
{
	int rc = forked_look(m->child, "forecast");

	if (rc != 1)
		m->child = 0;
	return rc;
}

static bool
has_frame(struct making *m)
{
	struct forecast_frame h;

	return !m->ended && next_frame(m, &h) != NULL;
}

static void
step_first(struct forecasts *f, int64_t deadline_us)
{
	struct making *m = f->list[0];

	if (m->fd != -1 && fill_buffer(m))
		f->busy = true;
	if (!m->clean || has_frame(m)) {
		f->busy = true;
		if (with_transaction(f, m, deadline_us, write_slice) == 0)
			return;
		log_warn("forecast %s", m->entry->id);
		end_first(f, false);
	} else if (m->broken) {
		end_first(f, false);
	} else if (m->fd == -1 && reap(m) != 1) {
		end_first(f, m->ended);
	}
}

void
forecasts_step(struct forecasts *f, int64_t deadline_us, uint64_t *progress)
{
	int64_t now_us = clock_mono_us();

	if (f->n == 0)
		return;
	if (deadline_us > now_us + SLICE_US)
		deadline_us = now_us + SLICE_US;
	f->busy = false;
	step_first(f, deadline_us);
	if (f->busy)
		++*progress;
	f->look_us = clock_mono_us() + LOOK_US;
}

/* ---- rows that nobody works on ---- */

static bool
is_made(const struct forecasts *f, int64_t id)
{
	for (size_t i = 0; i < f->n; i++)
		if (f->list[i]->entry->row.id == id)
			return true;
	return false;
}

static int
settle(struct forecasts *f, sqlite3 *db)
{
	struct forecast_entry *e = calloc(1, sizeof(*e));
	int rc = -1;

	if (e == NULL)
		return -1;
	e->row.id = -1;
	while ((rc = forecastdb_next(db, e->row.id, e)) == 1) {
		if (forecast_is_over(e->row.status) || is_made(f, e->row.id))
			continue;
		e->row.status = FORECAST_FAILED;
		forecast_entry_say(e, KILLED, sizeof(KILLED) - 1);
		if (forecastdb_put(db, &e->row) == -1) {
			rc = -1;
			break;
		}
	}
	free(e);
	return rc;
}

void
forecasts_settle(struct forecasts *f)
{
	sqlite3 *db = results_borrow(f->results);
	int rc = -1;

	if (db == NULL) {
		if (errno != ENOENT)
			log_warn("forecasts that were not finished");
		return;
	}
	if (sqlx_exec(db, "BEGIN IMMEDIATE") == 0 && settle(f, db) == 0 &&
	    sqlx_exec(db, "COMMIT") == 0)
		rc = 0;
	if (rc == -1)
		log_warn("forecasts that were not finished");
	results_return(f->results, rc == -1);
	f->changed = true;
}

int
forecasts_tell(struct forecasts *f, struct peer *peer)
{
	struct forecast_totals t;
	struct msg_forecasts m;
	struct wbuf wb;
	sqlite3 *db;
	int rc;

	if (!f->changed)
		return 0;
	db = results_borrow(f->results);
	if (db == NULL && errno != ENOENT)
		return 0; /* EBUSY: the next time */
	memset(&t, 0, sizeof(t));
	rc = db == NULL ? 0 : forecastdb_totals(db, &t);
	if (db != NULL)
		results_return(f->results, rc == -1);
	f->changed = false;
	if (rc == -1) /* logged; the figures stay what they were */
		return 0;
	wbuf_init(&wb, 0);
	rc = schema_encode(&forecast_totals_schema, &t, &wb);
	m.totals = (struct span){ (const char *)wb.data, wb.len };
	if (rc == 0)
		rc = peer_send(peer, MSG_FORECASTS, 0, &m);
	wbuf_clear(&wb);
	return rc;
}
