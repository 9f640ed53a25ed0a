/* Owns the rows of annotations that stand for snapshots. */
#include "common/compat.h"

#include <errno.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "common/plotrow.h"
#include "common/snaplist.h"
#include "common/sqlx.h"
#include "query/snapnotes.h"

/* Behind all others of their time, and not one of theirs. */
#define FIRST_ID (INT64_C(1) << 62)

/* Of tables in memory: the database itself is open for reading only. */
static const char view_sql[] =
    "PRAGMA query_only=0;"
    "CREATE TEMP TABLE snapnote AS SELECT " ANNOTATION_COLUMNS
    " FROM annotation LIMIT 0;"
    "CREATE TEMP VIEW " SNAPNOTES_VIEW " AS SELECT " ANNOTATION_COLUMNS
    " FROM annotation UNION ALL SELECT " ANNOTATION_COLUMNS " FROM snapnote";

static const char insert_sql[] =
    "INSERT INTO snapnote (" ANNOTATION_COLUMNS
    ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";

static int
note_put(sqlite3_stmt *st, const struct snapinfo *s, int64_t id,
    struct wbuf *scratch)
{
	char text[sizeof("Job model snapshot with id [] stored") +
	    SNAPHEAD_ID_BYTES];
	struct annotation_result r = {
		.timestamp_ms = s->latest_result_ms,
		.create_ms = s->created_ms,
		.event = "model_snapshot_stored",
		.text = text,
		.detector_index = -1,
	};

	snprintf(text, sizeof(text), "Job model snapshot with id [%s] stored",
	    s->id);
	if (plotrow_bind_annotation(st, id, -1, &r, scratch) == -1)
		return -1;
	return sqlx_run(st);
}

static int
notes_put(struct reading *r, const struct snaplist *list)
{
	sqlite3_stmt *st = sqlx_prepare(r->db, insert_sql);
	int rc = st == NULL ? -1 : 0;

	for (size_t i = 0; rc == 0 && i < list->n; i++) {
		if (list->item[i].latest_result_ms != TIME_UNSET)
			rc = note_put(st, &list->item[i], FIRST_ID + (int64_t)i,
			    &r->scratch);
	}
	sqlite3_finalize(st);
	return rc;
}

int
snapnotes_add(struct reading *r, const char *jobs_dir)
{
	struct snaplist list;
	char dir[PATH_MAX];
	int rc;

	if (snprintf(dir, sizeof(dir), "%s/%s", jobs_dir, r->req->directory) >=
	    (int)sizeof(dir))
		return apierr_set(r->err, 500, E_EXCEPTION,
		    "the path of the job is too long");
	if (snaplist_read(&list, dir, r->req->job_id) == -1) {
		rc = apierr_set(r->err, 500, E_EXCEPTION,
		    "the snapshots of job [%s] cannot be read: %s",
		    r->req->job_id, strerror(errno));
	} else if (sqlx_exec(r->db, view_sql) == -1 ||
	    notes_put(r, &list) == -1 ||
	    sqlx_exec(r->db, "PRAGMA query_only=1") == -1) {
		rc = reading_fail(r);
	} else {
		rc = 0;
	}
	snaplist_clear(&list);
	return rc;
}
