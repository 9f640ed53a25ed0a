/* Owns the list of the names that records share. */
#include "common/compat.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "common/detectorlist.h"
#include "common/log.h"
#include "common/sqlx.h"

static void
row_clear(struct detector_row *d)
{
	for (size_t i = 0; i < NAME_COUNT; i++)
		free((char *)(uintptr_t)d->name[i]);
}

static int
row_copy(struct detector_row *to, const struct detector_row *from)
{
	*to = (struct detector_row){ .id = from->id,
		.detector_index = from->detector_index };
	for (size_t i = 0; i < NAME_COUNT; i++) {
		if (from->name[i] == NULL)
			continue;
		to->name[i] = strdup(from->name[i]);
		if (to->name[i] == NULL) {
			row_clear(to);
			return -1;
		}
	}
	return 0;
}

void
detectorlist_clear(struct detectorlist *l)
{
	for (size_t i = 0; i < l->n; i++)
		row_clear(&l->rows[i]);
	free(l->rows);
	*l = (struct detectorlist){ 0 };
}

int
detectorlist_add(struct detectorlist *l, const struct detector_row *d)
{
	struct detector_row *rows =
	    reallocarray(l->rows, l->n + 1, sizeof(*rows));

	if (rows == NULL)
		return -1;
	l->rows = rows;
	if (row_copy(&rows[l->n], d) == -1)
		return -1;
	l->n++;
	if (d->id > l->last_id)
		l->last_id = d->id;
	return 0;
}

static int
row_load(struct detectorlist *l, sqlite3_stmt *st)
{
	struct detector_row d;

	if (resultrow_read_detector(st, &d) == 0)
		return detectorlist_add(l, &d);
	log_warnx("%s: row %jd of detector is damaged",
	    sqlite3_db_filename(sqlite3_db_handle(st), "main"),
	    (intmax_t)sqlite3_column_int64(st, 0));
	errno = EBADMSG;
	return -1;
}

int
detectorlist_load(struct detectorlist *l, sqlite3 *db)
{
	sqlite3_stmt *st =
	    sqlx_prepare(db, "SELECT " DETECTOR_COLUMNS " FROM detector");
	int rc, saved;

	if (st == NULL)
		return -1;
	while ((rc = sqlite3_step(st)) == SQLITE_ROW)
		if (row_load(l, st) == -1)
			break;
	if (rc != SQLITE_DONE && rc != SQLITE_ROW)
		sqlx_fail(db, "read detectors");
	saved = errno;
	sqlite3_finalize(st);
	errno = saved;
	return rc == SQLITE_DONE ? 0 : -1;
}

const struct detector_row *
detectorlist_find(const struct detectorlist *l, int64_t id)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->rows[i].id == id)
			return &l->rows[i];
	return NULL;
}

static bool
same_name(const char *a, const char *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return strcmp(a, b) == 0;
}

static bool
same_names(const struct detector_row *a, const struct detector_row *b)
{
	if (a->detector_index != b->detector_index)
		return false;
	for (size_t i = 0; i < NAME_COUNT; i++)
		if (!same_name(a->name[i], b->name[i]))
			return false;
	return true;
}

const struct detector_row *
detectorlist_match(const struct detectorlist *l, const struct detector_row *d)
{
	for (size_t i = 0; i < l->n; i++)
		if (same_names(&l->rows[i], d))
			return &l->rows[i];
	return NULL;
}
