/* Owns the totals of a job's forecasts, counted a few rows at a time. */
#include "common/compat.h"

#include <errno.h>
#include <sqlite3.h>
#include <string.h>

#include "common/clock.h"
#include "common/sqlx.h"
#include "worker/forecasts_int.h"

#define ROWS_PER_LOOK 64 /* at the clock */

/* One more of it; first: there was none. */
static void
spread(uint64_t x, bool first, uint64_t *sum, uint64_t *min, uint64_t *max)
{
	*sum += x;
	if (first || x < *min)
		*min = x;
	if (first || x > *max)
		*max = x;
}

void
forecasttally_add(struct forecast_totals *t, const struct forecast_row *r)
{
	uint64_t *const of[FORECAST_STATUSES] = { [FORECAST_OK] = &t->ok,
		[FORECAST_STOPPED] = &t->stopped,
		[FORECAST_FAILED] = &t->failed,
		[FORECAST_STARTED] = &t->started,
		[FORECAST_FINISHED] = &t->finished,
		[FORECAST_SCHEDULED] = &t->scheduled };
	bool first = t->total == 0;

	t->total++;
	spread(r->memory_bytes, first, &t->memory_total, &t->memory_min,
	    &t->memory_max);
	spread(r->record_count, first, &t->records_total, &t->records_min,
	    &t->records_max);
	spread(r->processing_ms, first, &t->time_total, &t->time_min,
	    &t->time_max);
	if (r->status < FORECAST_STATUSES)
		++*of[r->status];
}

/* What is being made is counted where it is made. */
static void
take(struct forecasts *f, sqlite3_stmt *st)
{
	struct forecast_row r = { .id = sqlite3_column_int64(st, 0),
		.status = (uint8_t)sqlite3_column_int(st, 1),
		.record_count = (uint64_t)sqlite3_column_int64(st, 2),
		.memory_bytes = (uint64_t)sqlite3_column_int64(st, 3),
		.processing_ms = (uint64_t)sqlite3_column_int64(st, 4) };

	f->tally.after = r.id;
	if (!forecasts_make(f, r.id))
		forecasttally_add(&f->tally.over, &r);
}

int
forecasts_count(struct forecasts *f, sqlite3 *db, int64_t deadline_us)
{
	sqlite3_stmt *st;
	unsigned n = 0;
	int rc;

	if (f->tally.whole)
		return 0;
	st = sqlx_prepare(db,
	    "SELECT id, status, record_count, memory_bytes, processing_time_ms"
	    " FROM forecast WHERE id > ?1 ORDER BY id");
	if (st == NULL)
		return -1;
	sqlite3_bind_int64(st, 1, f->tally.after);
	while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
		take(f, st);
		if (++n % ROWS_PER_LOOK == 0 && clock_mono_us() >= deadline_us)
			break;
	}
	f->tally.whole = rc == SQLITE_DONE;
	if (rc != SQLITE_DONE && rc != SQLITE_ROW)
		sqlx_fail(db, "count forecasts");
	sqlite3_finalize(st);
	return rc == SQLITE_DONE ? 0 : rc == SQLITE_ROW ? 1 : -1;
}

void
forecasts_changed(struct forecasts *f)
{
	memset(&f->tally, 0, sizeof(f->tally));
	f->changed = true;
}

int
forecasttally_send(const struct forecasts *f, struct peer *peer)
{
	struct forecast_totals t = f->tally.over;
	struct msg_forecasts m;
	struct wbuf wb;
	int rc;

	for (size_t i = 0; i < f->n; i++)
		forecasttally_add(&t, &f->list[i]->entry->row);
	wbuf_init(&wb, 0);
	rc = schema_encode(&forecast_totals_schema, &t, &wb);
	m.totals = (struct span){ (const char *)wb.data, wb.len };
	if (rc == 0)
		rc = peer_send(peer, MSG_FORECASTS, 0, &m);
	wbuf_clear(&wb);
	return rc;
}
