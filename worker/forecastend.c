/* Owns how forecasts end, and what the supervisor hears of them. */
#include "common/compat.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/sqlx.h"
#include "worker/forecasts_int.h"

int
forecasts_tell(struct forecasts *f, struct peer *peer)
{
	sqlite3 *db;
	int rc = 0;

	if (!f->changed)
		return 0;
	db = results_borrow(f->results);
	if (db == NULL && errno != ENOENT)
		return 0; /* EBUSY: the next time */
	if (db != NULL) {
		rc =
		    forecasts_count(f, db, clock_mono_us() + FORECAST_COUNT_US);
		results_return(f->results, rc == -1);
	}
	f->changed = rc == 1; /* -1: logged; the figures stay as they were */
	return rc == 0 ? forecasttally_send(f, peer) : 0;
}

/* ---- of one that was being made ---- */

/* Its child, which may still be at work, is looked for until it has ended. */
static void
drop_first(struct forecasts *f)
{
	if (f->list[0]->child != 0)
		f->leaving[f->nleaving++] = f->list[0]->child;
	making_free(f->list[0]);
	f->n--;
	memmove(f->list, f->list + 1, f->n * sizeof(f->list[0]));
}

void
making_fail(struct making *m, const char *why)
{
	m->over = true;
	m->entry->row.status = FORECAST_FAILED;
	m->entry->row.record_count = 0; /* they are swept */
	forecast_entry_say(m->entry, why, strlen(why));
	log_warnx("forecast %s has failed: %s", m->entry->id, why);
}

/*
 * The totals are told first, and the child has ended: who sees the row may ask
 * for them, remove the forecast or have another one at once.
 */
void
forecasts_end_first(struct forecasts *f, struct peer *peer)
{
	struct making *m = f->list[0];

	if (peer_queued(peer) > 0)
		return;
	if (making_write_end(f, m, peer) == 0) {
		f->changed = false;
		f->sweeps |= m->entry->row.status == FORECAST_FAILED;
		forecasttally_add(&f->tally.over, &m->entry->row);
		drop_first(f);
		return;
	}
	f->changed = true; /* what was told may not be so */
	if (errno == EAGAIN)
		return;
	if (m->entry->row.status == FORECAST_FINISHED) {
		log_warn("forecast %s", m->entry->id);
		making_fail(m, FORECAST_KILLED);
		return;
	}
	log_warn("forecast %s: that it has failed is not written down, it will "
		 "be made again",
	    m->entry->id);
	drop_first(f);
	forecasts_changed(f); /* its row counts as it is */
}

/* ---- rows that nobody works on ---- */

static int
settle(struct forecasts *f, sqlite3 *db)
{
	struct forecast_entry *e = calloc(1, sizeof(*e));
	int rc = -1;

	if (e == NULL)
		return -1;
	e->row.id = -1;
	while ((rc = forecastdb_unfinished(db, e->row.id, e)) == 1) {
		if (forecasts_make(f, e->row.id))
			continue;
		e->row.status = FORECAST_FAILED;
		e->row.record_count = 0;
		forecast_entry_say(
		    e, FORECAST_KILLED, sizeof(FORECAST_KILLED) - 1);
		if (forecastdb_put(db, &e->row) == -1) {
			rc = -1;
			break;
		}
	}
	free(e);
	return rc;
}

void
forecasts_settle(struct forecasts *f, struct peer *peer)
{
	sqlite3 *db = results_borrow(f->results);
	int rc = -1;

	if (db == NULL) {
		if (errno != ENOENT)
			log_warn("forecasts that were not finished");
		return;
	}
	f->changed = f->sweeps = true;
	if (sqlx_exec(db, "BEGIN IMMEDIATE") == 0 && settle(f, db) == 0)
		rc =
		    forecasts_count(f, db, clock_mono_us() + FORECAST_COUNT_US);
	/* Where there are very many they are told later. */
	if (rc == 0 && (rc = forecasttally_send(f, peer)) == 0) {
		peer_flush(peer);
		f->changed = false;
	}
	if (rc != -1)
		rc = sqlx_exec(db, "COMMIT");
	if (rc == -1)
		log_warn("forecasts that were not finished");
	results_return(f->results, rc == -1);
	if (rc == -1)
		forecasts_changed(f);
}

/* Of those that have failed, and of those without a row. */
void
forecasts_sweep(struct forecasts *f)
{
	sqlite3 *db = NULL;
	int n = -1;

	f->sweeps = false;
	/* An idle job keeps it closed; opening it costs more than a slice. */
	if (!f->swept || results_open(f->results) == 0)
		db = results_borrow(f->results);
	if (db == NULL) {
		f->sweeps = errno == EBUSY;
		return;
	}
	if (sqlx_exec(db, "BEGIN IMMEDIATE") == 0)
		n = forecastdb_remove_points(db, -1);
	if (n >= 0 && sqlx_exec(db, "COMMIT") == -1)
		n = -1;
	results_return(f->results, n == -1);
	if (n == -1)
		log_warnx("points of forecasts that have failed stay until "
			  "some are removed");
	f->sweeps = f->swept = f->busy = n > 0;
}
