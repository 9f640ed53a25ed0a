/* Owns the taking of what a child says, and the writing of it. */
#include "common/compat.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/sqlx.h"
#include "worker/engine_int.h"
#include "worker/forecasts_int.h"
#include "worker/phrase.h"

bool
making_fill(struct making *m)
{
	ssize_t n;

	memmove(m->buf, m->buf + m->taken, m->len - m->taken);
	m->len -= m->taken;
	m->taken = 0;
	if (m->len == FORECAST_BUFFER_BYTES)
		return false;
	n = read(m->fd, m->buf + m->len, FORECAST_BUFFER_BYTES - m->len);
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
	struct peer *peer; /* for the end */
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
	if (m->entry->row.status != FORECAST_STARTED)
		f->changed = true;
	/* Not finished before it is let go: then it may be removed at once. */
	m->entry->row.status = FORECAST_STARTED;
	return forecastdb_put(in->db, &m->entry->row);
}

static int
with_transaction(struct forecasts *f, struct making *m, struct insertion *in,
    int (*what)(struct forecasts *, struct making *, struct insertion *))
{
	int rc = -1, saved;

	/* Opening and closing it costs more than a slice. */
	if (results_open(f->results) == -1)
		return -1;
	in->db = results_borrow(f->results);
	if (in->db == NULL)
		return -1;
	wbuf_init(&in->wb, 0);
	if (sqlx_exec(in->db, "BEGIN IMMEDIATE") == 0)
		rc = what(f, m, in);
	saved = errno;
	sqlite3_finalize(in->st);
	wbuf_clear(&in->wb);
	errno = saved;
	if (rc == 0)
		rc = sqlx_exec(in->db, "COMMIT");
	saved = errno;
	results_return(f->results, rc == -1);
	errno = saved;
	return rc;
}

bool
making_has_frame(struct making *m)
{
	struct forecast_frame h;

	return !m->ended && next_frame(m, &h) != NULL;
}

static int
write_end(struct forecasts *f, struct making *m, struct insertion *in)
{
	int rc;

	note_time(m);
	if (forecastdb_put(in->db, &m->entry->row) == -1)
		return -1;
	rc = forecasts_count(f, in->db, clock_mono_us() + FORECAST_COUNT_US);
	if (rc == 1)
		errno = EAGAIN;
	if (rc != 0 || forecasttally_send(f, in->peer) == -1)
		return -1;
	peer_flush(in->peer);
	if (peer_queued(in->peer) == 0)
		return 0;
	errno = EAGAIN;
	return -1;
}

int
making_write(struct forecasts *f, struct making *m, int64_t deadline_us)
{
	struct insertion in = { .deadline_us = deadline_us };

	return with_transaction(f, m, &in, write_slice);
}

int
making_write_end(struct forecasts *f, struct making *m, struct peer *peer)
{
	struct insertion in = { .peer = peer };

	return with_transaction(f, m, &in, write_end);
}
