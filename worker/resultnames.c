/* Owns the writer's knowledge of the names in results.db. */
#include "common/compat.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/resultrow.h"
#include "common/sqlx.h"
#include "worker/resultnames.h"

struct resultnames {
	sqlite3 *db;		   /* borrowed */
	size_t ndetectors;	   /* few: one or so for each detector */
	struct detector_row *rows; /* owned, names too */
	int64_t last_id;
	size_t ninfluencers;
	char **influencer; /* owned */
	sqlite3_stmt *insert_detector;
	sqlite3_stmt *insert_influencer;
};

static void
row_clear(struct detector_row *d)
{
	for (size_t i = 0; i < NAME_COUNT; i++)
		free((char *)(uintptr_t)d->name[i]);
}

void
resultnames_free(struct resultnames *n)
{
	if (n == NULL)
		return;
	for (size_t i = 0; i < n->ndetectors; i++)
		row_clear(&n->rows[i]);
	for (size_t i = 0; i < n->ninfluencers; i++)
		free(n->influencer[i]);
	free(n->rows);
	free(n->influencer);
	sqlite3_finalize(n->insert_detector);
	sqlite3_finalize(n->insert_influencer);
	free(n);
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

static int
detector_remember(struct resultnames *n, const struct detector_row *d)
{
	struct detector_row *rows =
	    reallocarray(n->rows, n->ndetectors + 1, sizeof(*rows));

	if (rows == NULL)
		return -1;
	n->rows = rows;
	if (row_copy(&rows[n->ndetectors], d) == -1)
		return -1;
	n->ndetectors++;
	if (d->id > n->last_id)
		n->last_id = d->id;
	return 0;
}

static int
influencer_remember(struct resultnames *n, const char *name)
{
	char **list = reallocarray(
	    n->influencer, n->ninfluencers + 1, sizeof(*list));

	if (list == NULL)
		return -1;
	n->influencer = list;
	list[n->ninfluencers] = strdup(name);
	if (list[n->ninfluencers] == NULL)
		return -1;
	n->ninfluencers++;
	return 0;
}

static int
detector_load(struct resultnames *n, sqlite3_stmt *st)
{
	struct detector_row d;

	if (resultrow_read_detector(st, &d) == -1) {
		log_warnx("%s: detector %jd is damaged",
		    sqlite3_db_filename(n->db, "main"),
		    (intmax_t)sqlite3_column_int64(st, 0));
		errno = EBADMSG;
		return -1;
	}
	return detector_remember(n, &d);
}

static int
influencer_load(struct resultnames *n, sqlite3_stmt *st)
{
	const char *name = (const char *)sqlite3_column_text(st, 0);

	return name == NULL ? -1 : influencer_remember(n, name);
}

static int
table_load(struct resultnames *n, const char *sql,
    int (*load)(struct resultnames *, sqlite3_stmt *))
{
	sqlite3_stmt *st = sqlx_prepare(n->db, sql);
	int rc;

	if (st == NULL)
		return -1;
	while ((rc = sqlite3_step(st)) == SQLITE_ROW)
		if (load(n, st) == -1)
			break;
	if (rc != SQLITE_DONE && rc != SQLITE_ROW)
		sqlx_fail(n->db, sql);
	sqlite3_finalize(st);
	return rc == SQLITE_DONE ? 0 : -1;
}

struct resultnames *
resultnames_new(sqlite3 *db)
{
	struct resultnames *n = calloc(1, sizeof(*n));

	if (n == NULL)
		return NULL;
	n->db = db;
	n->insert_detector = sqlx_prepare(db, resultrow_insert_detector);
	n->insert_influencer =
	    sqlx_prepare(db, "INSERT OR IGNORE INTO influencer VALUES (?1)");
	if (n->insert_detector == NULL || n->insert_influencer == NULL ||
	    table_load(n, "SELECT " DETECTOR_COLUMNS " FROM detector",
		detector_load) == -1 ||
	    table_load(n, "SELECT name FROM influencer", influencer_load) ==
		-1) {
		int saved = errno;

		resultnames_free(n);
		errno = saved;
		return NULL;
	}
	return n;
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

static int
influencer_put(struct resultnames *n, const char *name)
{
	for (size_t i = 0; i < n->ninfluencers; i++)
		if (strcmp(n->influencer[i], name) == 0)
			return 0;
	sqlite3_bind_text(n->insert_influencer, 1, name, -1, SQLITE_STATIC);
	if (sqlx_run(n->insert_influencer) == -1)
		return -1;
	return influencer_remember(n, name);
}

int
resultnames_put(
    struct resultnames *n, const struct record_result *r, int64_t *id)
{
	struct detector_row d;

	for (size_t i = 0; i < r->ninfluencers; i++)
		if (influencer_put(n, r->influencer[i].field_name) == -1)
			return -1;
	detector_row_of(r, &d);
	for (size_t i = 0; i < n->ndetectors; i++)
		if (same_names(&n->rows[i], &d)) {
			*id = n->rows[i].id;
			return 0;
		}
	*id = d.id = n->last_id + 1;
	if (resultrow_bind_detector(n->insert_detector, &d) == -1 ||
	    sqlx_run(n->insert_detector) == -1)
		return -1;
	return detector_remember(n, &d);
}
