/* Owns the removal of forecasts. */
#include "common/compat.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/msg.h"
#include "common/sqlx.h"
#include "common/wildcard.h"
#include "worker/forecastdb.h"
#include "worker/forecastdel.h"

static int
fail(struct apierr *e)
{
	if (errno == ENOSPC || errno == EDQUOT)
		return apierr_set(e, 503, E_STATUS,
		    "forecasts cannot be removed: no space left on the disk");
	return apierr_set(e, 500, E_EXCEPTION,
	    "forecasts cannot be removed: %s", strerror(errno));
}

static bool
means_all(const char *ids)
{
	return strcmp(ids, "_all") == 0 || strcmp(ids, "*") == 0;
}

/* The next item of a comma list, or NULL; *at stands behind it. */
static const char *
next_item(const char **at, char *dst, size_t size)
{
	size_t len;

	if (*at == NULL)
		return NULL;
	len = strcspn(*at, ",");
	snprintf(dst, size, "%.*s", (int)len, *at);
	*at = (*at)[len] == ',' ? *at + len + 1 : NULL;
	return dst;
}

static bool
is_meant(const struct forecastdel *d, const struct forecast_entry *f)
{
	const char *at = d->ids;
	char item[MSG_ITEM_MAX + 1];

	if (d->ids == NULL)
		return forecast_is_over(f->row.status) &&
		    f->row.expiry != TIME_UNSET &&
		    f->row.expiry < d->expired_ms;
	while (next_item(&at, item, sizeof(item)) != NULL)
		if (means_all(item) || wildcard_matches(item, f->id))
			return true;
	return false;
}

/* Of all there may be none, if that is allowed. */
static bool
may_be_none(const struct forecastdel *d)
{
	return d->ids == NULL || (means_all(d->ids) && d->allow_none);
}

static int
not_found(const struct forecastdel *d, struct apierr *e)
{
	return apierr_set(e, 404, E_NOT_FOUND,
	    "No forecast(s) [%s] exists for job [%s]", d->ids, d->job_id);
}

static void
note_busy(struct forecastdel *d, const char *id)
{
	if (d->busy[0] != '\0')
		strlcat(d->busy, ", ", sizeof(d->busy));
	strlcat(d->busy, id, sizeof(d->busy));
}

/* The phases. Each returns 1: the slice is over; 0: it is done; -1 with *e. */

/* What is still being made by this process stays. */
static int
phase_check(
    struct forecastdel *d, sqlite3 *db, int64_t deadline_us, struct apierr *e)
{
	struct forecast_entry f;
	int rc;

	while ((rc = forecastdb_next(db, d->after, &f)) == 1) {
		d->after = f.row.id;
		if (is_meant(d, &f)) {
			d->found++;
			if (forecasts_make(d->forecasts, f.row.id))
				note_busy(d, f.id);
		}
		if (clock_mono_us() >= deadline_us)
			return 1;
	}
	if (rc == -1)
		return fail(e);
	if (d->busy[0] != '\0')
		return apierr_set(e, 409, E_STATUS,
		    "Forecast(s) [%s] for job [%s] needs to be either FAILED "
		    "or FINISHED to be deleted",
		    d->busy, d->job_id);
	return d->found > 0 || may_be_none(d) ? 0 : not_found(d, e);
}

static int
remove_rows(struct forecastdel *d, sqlite3 *db, int64_t deadline_us)
{
	struct forecast_entry f;
	int rc;

	while ((rc = forecastdb_next(db, d->after, &f)) == 1) {
		d->after = f.row.id;
		if (is_meant(d, &f)) {
			if (forecastdb_remove(db, f.row.id) == -1)
				return -1;
			d->gone++;
		}
		if (clock_mono_us() >= deadline_us)
			return 1;
	}
	return rc;
}

static int
remove_points(struct forecastdel *d, sqlite3 *db, int64_t deadline_us)
{
	int n;

	do {
		n = forecastdb_remove_points(db, -1);
		if (n > 0)
			d->gone += (uint64_t)n;
	} while (n > 0 && clock_mono_us() < deadline_us);
	return n > 0 ? 1 : n;
}

/* A transaction of a slice. */
static int
within(struct forecastdel *d, sqlite3 *db, int64_t deadline_us,
    struct apierr *e, int (*what)(struct forecastdel *, sqlite3 *, int64_t))
{
	int rc;

	if (sqlx_exec(db, "BEGIN IMMEDIATE") == -1)
		return fail(e);
	rc = what(d, db, deadline_us);
	if (rc == -1 || sqlx_exec(db, "COMMIT") == -1)
		return fail(e);
	return rc;
}

static int
phase_rows(
    struct forecastdel *d, sqlite3 *db, int64_t deadline_us, struct apierr *e)
{
	int rc = within(d, db, deadline_us, e, remove_rows);

	if (d->gone > 0)
		forecasts_changed(d->forecasts);
	return rc;
}

static int
phase_points(
    struct forecastdel *d, sqlite3 *db, int64_t deadline_us, struct apierr *e)
{
	return within(d, db, deadline_us, e, remove_points);
}

/* Whoever is answered may ask how many are left. */
static int
phase_count(
    struct forecastdel *d, sqlite3 *db, int64_t deadline_us, struct apierr *e)
{
	int rc = forecasts_count(d->forecasts, db, deadline_us);

	return rc == -1 ? fail(e) : rc;
}

static int
step(struct forecastdel *d, sqlite3 *db, int64_t deadline_us,
    uint64_t *progress, struct apierr *e)
{
	int (*const phase[])(struct forecastdel *, sqlite3 *, int64_t,
	    struct apierr *) = { phase_check, phase_rows, phase_points,
		phase_count };

	while (d->phase < NELEM(phase)) {
		int rc = phase[d->phase](d, db, deadline_us, e);

		++*progress;
		if (rc != 0)
			return rc;
		d->phase++;
		d->after = -1;
		if (clock_mono_us() >= deadline_us)
			return d->phase < NELEM(phase);
	}
	return 0;
}

int
forecastdel_step(struct forecastdel *d, int64_t deadline_us, uint64_t *progress,
    struct apierr *e)
{
	sqlite3 *db = NULL;
	bool spoilt;
	int rc;

	if (d->ids == NULL && d->phase == 0)
		d->phase++; /* what has expired is over */
	/* Opening and closing it costs more than a slice. */
	if (results_open(d->results) == 0)
		db = results_borrow(d->results);
	if (db == NULL && errno == ENOENT) /* nothing was ever made */
		return may_be_none(d) ? 0 : not_found(d, e);
	if (db == NULL)
		return fail(e);
	rc = step(d, db, deadline_us, progress, e);
	spoilt = sqlite3_get_autocommit(db) == 0;
	results_return(d->results, spoilt);
	return rc;
}
