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

/* What is still being made by this process stays. */
static int
check_over(
    const struct forecastdel *d, sqlite3 *db, size_t *n, struct apierr *e)
{
	struct forecast_entry f = { .row.id = -1 };
	char busy[512] = "";
	int rc;

	*n = 0;
	while ((rc = forecastdb_next(db, f.row.id, &f)) == 1) {
		if (!is_meant(d, &f))
			continue;
		++*n;
		if (!forecasts_make(d->forecasts, f.row.id))
			continue;
		if (busy[0] != '\0')
			strlcat(busy, ", ", sizeof(busy));
		strlcat(busy, f.id, sizeof(busy));
	}
	if (rc == -1)
		return fail(e);
	if (busy[0] == '\0')
		return 0;
	return apierr_set(e, 409, E_STATUS,
	    "Forecast(s) [%s] for job [%s] needs to be either FAILED or "
	    "FINISHED to be deleted",
	    busy, d->job_id);
}

static int
check(const struct forecastdel *d, sqlite3 *db, struct apierr *e)
{
	size_t n;

	if (d->ids == NULL)
		return 0;
	if (check_over(d, db, &n, e) == -1)
		return -1;
	return n > 0 || may_be_none(d) ? 0 : not_found(d, e);
}

static int
remove_rows(struct forecastdel *d, sqlite3 *db)
{
	struct forecast_entry f = { .row.id = -1 };
	int rc;

	while ((rc = forecastdb_next(db, f.row.id, &f)) == 1) {
		if (!is_meant(d, &f))
			continue;
		if (forecastdb_remove(db, f.row.id) == -1)
			return -1;
		d->gone++;
	}
	return rc;
}

/* Returns as forecastdel_step, with errno. */
static int
remove_points(
    struct forecastdel *d, sqlite3 *db, int64_t deadline_us, uint64_t *progress)
{
	int n;

	do {
		n = forecastdb_remove_points(db, -1);
		if (n > 0)
			d->gone += (uint64_t)n;
		++*progress;
	} while (n > 0 && clock_mono_us() < deadline_us);
	return n > 0 ? 1 : n;
}

static int
step(struct forecastdel *d, sqlite3 *db, int64_t deadline_us,
    uint64_t *progress, struct apierr *e)
{
	int rc;

	if (!d->chosen && check(d, db, e) == -1)
		return -1;
	if (sqlx_exec(db, "BEGIN IMMEDIATE") == -1 ||
	    (!d->chosen && remove_rows(d, db) == -1))
		return fail(e);
	rc = remove_points(d, db, deadline_us, progress);
	if (rc == -1 || sqlx_exec(db, "COMMIT") == -1)
		return fail(e);
	d->chosen = true;
	return rc;
}

int
forecastdel_step(struct forecastdel *d, int64_t deadline_us, uint64_t *progress,
    struct apierr *e)
{
	sqlite3 *db = NULL;
	bool spoilt;
	int rc;

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
