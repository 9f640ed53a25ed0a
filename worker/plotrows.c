/* Owns the statements that write the model plot and annotations. */
#include "common/compat.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>

#include "common/plotrow.h"
#include "common/sqlx.h"
#include "worker/plotrows.h"
#include "worker/resultnames.h"

enum stmt { ST_PUT, ST_ANNOTATE, ST_FORGET, ST_FORGET_ANNOTATIONS, ST_MAX };

static const char *const stmt_sql[ST_MAX] = {
	[ST_PUT] = plotrow_insert_plot,
	[ST_ANNOTATE] = plotrow_insert_annotation,
	[ST_FORGET] = "DELETE FROM plot WHERE timestamp = ?1",
	[ST_FORGET_ANNOTATIONS] = "DELETE FROM annotation WHERE timestamp = ?1"
				  " AND detector IS NOT NULL",
};

struct plotrows {
	struct resultnames *names; /* borrowed */
	sqlite3_stmt *st[ST_MAX];
	struct wbuf scratch;
	int64_t next_id;
	int64_t next_annotation;
};

struct plotrows *
plotrows_new(sqlite3 *db, struct resultnames *names)
{
	struct plotrows *p = calloc(1, sizeof(*p));
	int saved;

	if (p == NULL)
		return NULL;
	p->names = names;
	wbuf_init(&p->scratch, 0);
	for (size_t i = 0; i < ST_MAX; i++) {
		p->st[i] = sqlx_prepare(db, stmt_sql[i]);
		if (p->st[i] == NULL)
			goto fail;
	}
	if (sqlx_number(db, "SELECT coalesce(max(id) + 1, 0) FROM plot",
		&p->next_id) == 0 &&
	    sqlx_number(db, "SELECT coalesce(max(id) + 1, 0) FROM annotation",
		&p->next_annotation) == 0)
		return p;
fail:
	saved = errno;
	plotrows_free(p);
	errno = saved;
	return NULL;
}

void
plotrows_free(struct plotrows *p)
{
	if (p == NULL)
		return;
	for (size_t i = 0; i < ST_MAX; i++)
		sqlite3_finalize(p->st[i]);
	wbuf_clear(&p->scratch);
	free(p);
}

int
plotrows_put(struct plotrows *p, const struct plot_result *r)
{
	struct detector_row d;
	int64_t detector;

	plotrow_names(r, &d);
	if (resultnames_put_detector(p->names, &d, &detector) == -1 ||
	    plotrow_bind_plot(
		p->st[ST_PUT], p->next_id, detector, r, &p->scratch) == -1 ||
	    sqlx_run(p->st[ST_PUT]) == -1)
		return -1;
	p->next_id++;
	return 0;
}

int
plotrows_annotate(struct plotrows *p, const struct annotation_result *r)
{
	struct detector_row d;
	int64_t detector = -1;

	if ((plotrow_annotation_names(r, &d) &&
		resultnames_put_detector(p->names, &d, &detector) == -1) ||
	    plotrow_bind_annotation(p->st[ST_ANNOTATE], p->next_annotation,
		detector, r, &p->scratch) == -1 ||
	    sqlx_run(p->st[ST_ANNOTATE]) == -1)
		return -1;
	p->next_annotation++;
	return 0;
}

int
plotrows_forget(struct plotrows *p, int64_t timestamp_ms)
{
	for (enum stmt st = ST_FORGET; st < ST_MAX; st++) {
		sqlite3_bind_int64(p->st[st], 1, timestamp_ms);
		if (sqlx_run(p->st[st]) == -1)
			return -1;
	}
	return 0;
}
