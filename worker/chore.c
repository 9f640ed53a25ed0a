/* Owns what is done with a job's snapshots at somebody's request. */
#include "common/compat.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/snaplist.h"
#include "worker/chore.h"
#include "worker/forecastdel.h"
#include "worker/revert.h"
#include "worker/snapdir.h"

struct chore {
	struct msg_chore want; /* spans point into the copies below */
	char *copy[4];	       /* owned */
	const char *job_id;    /* borrowed */
	uint32_t request;
	struct revert *revert; /* owned; NULL: not begun, or another kind */
	struct forecastdel forecasts; /* of CHORE_FORECASTS */
	struct apierr error;
};

/* Give a span memory of its own. */
static int
keep(struct chore *c, size_t i, struct span *s)
{
	c->copy[i] = malloc(s->len + 1);
	if (c->copy[i] == NULL)
		return -1;
	if (s->len > 0)
		memcpy(c->copy[i], s->p, s->len);
	c->copy[i][s->len] = '\0';
	s->p = c->copy[i];
	return 0;
}

struct chore *
chore_new(const struct msg_chore *m, const char *job_id, uint32_t request)
{
	struct chore *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->want = *m;
	c->job_id = job_id;
	c->request = request;
	if (keep(c, 0, &c->want.snapshot_id) == 0 &&
	    keep(c, 1, &c->want.description) == 0 &&
	    keep(c, 2, &c->want.config) == 0 &&
	    keep(c, 3, &c->want.totals) == 0)
		return c;
	chore_free(c);
	errno = ENOMEM;
	return NULL;
}

void
chore_free(struct chore *c)
{
	if (c == NULL)
		return;
	revert_free(c->revert);
	for (size_t i = 0; i < NELEM(c->copy); i++)
		free(c->copy[i]);
	free(c);
}

bool
chore_reverts(const struct chore *c)
{
	return c->want.kind == CHORE_REVERT;
}

void
chore_use(struct chore *c, struct results *results, struct forecasts *f)
{
	c->forecasts = (struct forecastdel){ .results = results,
		.forecasts = f,
		.job_id = c->job_id,
		.ids = c->want.snapshot_id.p,
		.allow_none = c->want.allow_none };
}

bool
chore_is_of_forecasts(const struct chore *c)
{
	return c->want.kind == CHORE_FORECASTS;
}

/* Sets c->error from errno. Returns -1. */
static int
fail(struct chore *c, const char *what)
{
	if (errno == ENOSPC || errno == EDQUOT)
		return apierr_set(&c->error, 503, E_STATUS,
		    "model snapshot [%s] cannot be %s: no space left on the "
		    "disk",
		    c->want.snapshot_id.p, what);
	return apierr_set(&c->error, 500, E_EXCEPTION,
	    "model snapshot [%s] cannot be %s: %s", c->want.snapshot_id.p, what,
	    strerror(errno));
}

/* What the snapshot is shown as. */
static int
answer(struct chore *c, struct peer *p, const struct snapinfo *s)
{
	struct snapshot_head head = { .applied_seq = s->seq,
		.created_ms = s->created_ms,
		.job_id = span_of(c->job_id),
		.min_version = span_of(s->min_version),
		.doc_count = s->doc_count,
		.latest_record_ms = s->latest_record_ms,
		.latest_result_ms = s->latest_result_ms };
	struct msg_chore_done m = { .description = span_of(s->description),
		.retain = s->retain };
	struct wbuf wb;
	int rc = -1;

	wbuf_init(&wb, 0);
	if (snaphead_put(&wb, &head, &s->size) == 0) {
		m.head = (struct span){ (const char *)wb.data, wb.len };
		rc = peer_send(p, MSG_CHORE_DONE, c->request, &m);
	}
	wbuf_clear(&wb);
	return rc;
}

static int
update(struct chore *c, struct peer *p, struct snapinfo *s)
{
	const struct msg_chore *m = &c->want;
	struct snapmeta meta = { .retain = s->retain,
		.described = s->described || m->describe,
		.description = span_of(s->description) };

	if (m->describe)
		meta.description = m->description;
	if (m->retain != CHORE_RETAIN_AS_IT_IS)
		meta.retain = m->retain == CHORE_RETAIN;
	if (!meta.described)
		meta.description = span_of("");
	if (snapmeta_write(NULL, s->seq, &meta) == -1) {
		log_warn("snapshot %s", s->id);
		fail(c, "updated");
		return peer_fail(p, c->request, &c->error);
	}
	if (m->describe) {
		free(s->description);
		s->description = span_dup(m->description);
		if (s->description == NULL)
			return -1;
	}
	s->retain = meta.retain;
	return answer(c, p, s);
}

static int
remove_one(struct chore *c, struct peer *p, const struct snapinfo *s)
{
	static const struct msg_chore_done none = { .retain = false };

	if (snapdir_remove(s->seq) == 0)
		return peer_send(p, MSG_CHORE_DONE, c->request, &none);
	log_warn("snapshot %s", s->id);
	fail(c, "deleted");
	return peer_fail(p, c->request, &c->error);
}

/* Returns as chore_step. */
static int
revert(struct chore *c, struct peer *p, struct snaplist *list,
    const struct snapinfo *s, int64_t deadline_us, uint64_t *progress)
{
	int rc;

	if (c->revert == NULL)
		c->revert = revert_new(&c->want, c->job_id, list, s);
	if (c->revert == NULL)
		return -1;
	rc = revert_step(c->revert, deadline_us, progress, &c->error);
	if (rc == 1)
		return 1;
	if (rc == -1)
		return peer_fail(p, c->request, &c->error);
	if (revert_tell_totals(c->revert, p) == -1)
		return -1;
	if (s != NULL)
		return answer(c, p, s);
	return answer(c, p, revert_empty(c->revert));
}

static int
step(struct chore *c, struct peer *p, struct snaplist *list,
    int64_t deadline_us, uint64_t *progress)
{
	const char *id = c->want.snapshot_id.p;
	struct snapinfo *s = snaplist_find(list, id);
	bool reverts = c->want.kind == CHORE_REVERT;

	if (s == NULL && !(reverts && strcmp(id, "empty") == 0)) {
		apierr_set(&c->error, 404, E_NOT_FOUND,
		    "No model snapshot with id [%s] exists for job [%s]", id,
		    c->job_id);
		return peer_fail(p, c->request, &c->error);
	}
	if (reverts)
		return revert(c, p, list, s, deadline_us, progress);
	if (c->want.kind == CHORE_DELETE)
		return remove_one(c, p, s);
	if (c->want.kind == CHORE_LOOK)
		return answer(c, p, s);
	return update(c, p, s);
}

static int
remove_forecasts(
    struct chore *c, struct peer *p, int64_t deadline_us, uint64_t *progress)
{
	static const struct msg_chore_done done = { .retain = false };
	struct forecastdel *d = &c->forecasts;
	int rc = forecastdel_step(d, deadline_us, progress, &c->error);

	if (rc == 1)
		return 1;
	if (forecasts_tell(d->forecasts, p) == -1)
		return -1;
	return rc == -1 ? peer_fail(p, c->request, &c->error)
			: peer_send(p, MSG_CHORE_DONE, c->request, &done);
}

int
chore_step(
    struct chore *c, struct peer *p, int64_t deadline_us, uint64_t *progress)
{
	struct snaplist list;
	int rc;

	(*progress)++;
	if (c->want.kind == CHORE_FORECASTS)
		return remove_forecasts(c, p, deadline_us, progress);
	if (snaplist_read(&list, NULL, c->job_id) == -1) {
		fail(c, "looked for");
		rc = peer_fail(p, c->request, &c->error);
	} else {
		rc = step(c, p, &list, deadline_us, progress);
	}
	snaplist_clear(&list);
	return rc;
}
