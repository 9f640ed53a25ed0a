/* Owns the writer's knowledge of the names in results.db. */
#include "common/compat.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "common/detectorlist.h"
#include "common/sqlx.h"
#include "worker/resultnames.h"

struct resultnames {
	sqlite3 *db; /* borrowed */
	struct detectorlist detectors;
	size_t ninfluencers;
	char **influencer; /* owned */
	sqlite3_stmt *insert_detector;
	sqlite3_stmt *insert_influencer;
};

void
resultnames_free(struct resultnames *n)
{
	if (n == NULL)
		return;
	detectorlist_clear(&n->detectors);
	for (size_t i = 0; i < n->ninfluencers; i++)
		free(n->influencer[i]);
	free(n->influencer);
	sqlite3_finalize(n->insert_detector);
	sqlite3_finalize(n->insert_influencer);
	free(n);
}

static int
influencer_remember(struct resultnames *n, const char *name)
{
	char **list =
	    reallocarray(n->influencer, n->ninfluencers + 1, sizeof(*list));

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
influencers_load(struct resultnames *n)
{
	sqlite3_stmt *st = sqlx_prepare(n->db, "SELECT name FROM influencer");
	int rc;

	if (st == NULL)
		return -1;
	while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
		const char *name = (const char *)sqlite3_column_text(st, 0);

		if (name != NULL && influencer_remember(n, name) == -1)
			break;
	}
	if (rc != SQLITE_DONE && rc != SQLITE_ROW)
		sqlx_fail(n->db, "read influencers");
	sqlite3_finalize(st);
	return rc == SQLITE_DONE ? 0 : -1;
}

struct resultnames *
resultnames_new(sqlite3 *db)
{
	struct resultnames *n = calloc(1, sizeof(*n));
	int saved;

	if (n == NULL)
		return NULL;
	n->db = db;
	n->insert_detector = sqlx_prepare(db, resultrow_insert_detector);
	n->insert_influencer =
	    sqlx_prepare(db, "INSERT OR IGNORE INTO influencer VALUES (?1)");
	if (n->insert_detector != NULL && n->insert_influencer != NULL &&
	    detectorlist_load(&n->detectors, db) == 0 &&
	    influencers_load(n) == 0)
		return n;
	saved = errno;
	resultnames_free(n);
	errno = saved;
	return NULL;
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
resultnames_put_detector(
    struct resultnames *n, struct detector_row *d, int64_t *id)
{
	const struct detector_row *known = detectorlist_match(&n->detectors, d);

	if (known != NULL) {
		*id = known->id;
		return 0;
	}
	*id = d->id = n->detectors.last_id + 1;
	if (resultrow_bind_detector(n->insert_detector, d) == -1 ||
	    sqlx_run(n->insert_detector) == -1)
		return -1;
	return detectorlist_add(&n->detectors, d);
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
	return resultnames_put_detector(n, &d, id);
}
