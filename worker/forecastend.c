/* Owns how forecasts end, and what the supervisor hears of them. */
#include "common/compat.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/sqlx.h"
#include "worker/forecasts_int.h"

int
forecasts_send_totals(sqlite3 *db, struct peer *peer)
{
	struct forecast_totals t;
	struct msg_forecasts m;
	struct wbuf wb;
	int rc;

	memset(&t, 0, sizeof(t));
	if (db != NULL && forecastdb_totals(db, &t) == -1)
		return -1;
	wbuf_init(&wb, 0);
	rc = schema_encode(&forecast_totals_schema, &t, &wb);
	m.totals = (struct span){ (const char *)wb.data, wb.len };
	if (rc == 0)
		rc = peer_send(peer, MSG_FORECASTS, 0, &m);
	wbuf_clear(&wb);
	return rc;
}

int
forecasts_tell(struct forecasts *f, struct peer *peer)
{
	sqlite3 *db;
	int rc;

	if (!f->changed)
		return 0;
	db = results_borrow(f->results);
	if (db == NULL && errno != ENOENT)
		return 0; /* EBUSY: the next time */
	f->changed = false;
	rc = forecasts_send_totals(db, peer);
	if (db != NULL)
		results_return(f->results, rc == -1);
	/* Logged; the figures stay what they were. */
	return rc == -1 && errno == ENOMEM ? -1 : 0;
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
	while ((rc = forecastdb_next(db, e->row.id, e)) == 1) {
		if (forecast_is_over(e->row.status) ||
		    forecasts_make(f, e->row.id))
			continue;
		e->row.status = FORECAST_FAILED;
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
	if (sqlx_exec(db, "BEGIN IMMEDIATE") == 0 && settle(f, db) == 0 &&
	    forecasts_send_totals(db, peer) == 0) {
		peer_flush(peer);
		rc = sqlx_exec(db, "COMMIT");
	}
	if (rc == -1)
		log_warn("forecasts that were not finished");
	results_return(f->results, rc == -1);
	f->changed = rc == -1;
}
