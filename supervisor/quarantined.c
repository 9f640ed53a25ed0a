/* Owns the list of what a job's quarantine holds. */
#include "common/compat.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>

#include "common/jsonmake.h"
#include "common/log.h"
#include "supervisor/job.h"
#include "supervisor/quarantined.h"

void
quarantined_init(struct job *job)
{
	TAILQ_INIT(&job->quarantined);
	job->nquarantined = 0;
}

static void
drop(struct job *job, struct quarantined *q)
{
	TAILQ_REMOVE(&job->quarantined, q, link);
	job->nquarantined--;
	free(q);
}

void
quarantined_clear(struct job *job)
{
	struct quarantined *q;

	while ((q = TAILQ_FIRST(&job->quarantined)) != NULL)
		drop(job, q);
}

void
quarantined_begin(struct job *job)
{
	struct quarantined *q;

	TAILQ_FOREACH (q, &job->quarantined, link)
		q->confirmed = false;
}

void
quarantined_end(struct job *job)
{
	struct quarantined *q, *next;

	TAILQ_FOREACH_SAFE (q, &job->quarantined, link, next)
		if (!q->confirmed)
			drop(job, q);
}

static struct quarantined *
find(struct job *job, uint64_t entry)
{
	struct quarantined *q;

	TAILQ_FOREACH (q, &job->quarantined, link)
		if (q->entry == entry)
			return q;
	return NULL;
}

int
quarantined_add(struct job *job, const struct msg_quarantined *m)
{
	struct quarantined *q = find(job, m->entry);

	if (q != NULL) {
		q->confirmed = true;
		return 0;
	}
	errno = ENOBUFS;
	if (job->nquarantined >= QUARANTINED_MAX)
		return -1;
	q = calloc(1, sizeof(*q));
	if (q == NULL)
		return -1;
	q->entry = m->entry;
	q->is_upload = m->is_upload;
	q->confirmed = true;
	q->bytes = m->bytes;
	q->receipt_ms = m->receipt_ms;
	q->aside_ms = m->aside_ms;
	log_escape(q->reason, sizeof(q->reason), m->reason.p, m->reason.len);
	TAILQ_INSERT_TAIL(&job->quarantined, q, link);
	job->nquarantined++;
	return 1;
}

void
quarantined_remove(struct job *job, uint64_t entry)
{
	struct quarantined *q = find(job, entry);

	if (q != NULL)
		drop(job, q);
}

static struct json_object *
entry_json(const struct quarantined *q)
{
	struct json_object *o = json_object_new_object();

	jsonmake_int(&o, "entry", (int64_t)q->entry);
	jsonmake_string(&o, "type", q->is_upload ? "upload" : "other");
	jsonmake_int(&o, "bytes", (int64_t)q->bytes);
	if (q->receipt_ms != TIME_UNSET)
		jsonmake_int(&o, "receipt_time", q->receipt_ms);
	jsonmake_int(&o, "quarantine_time", q->aside_ms);
	jsonmake_string(&o, "reason", q->reason);
	return o;
}

struct json_object *
quarantined_json(const struct job *job)
{
	struct json_object *o, *list;
	struct quarantined *q;

	if (job->nquarantined == 0)
		return NULL;
	o = json_object_new_object();
	list = json_object_new_array();
	TAILQ_FOREACH (q, &job->quarantined, link)
		jsonmake_append(&list, entry_json(q));
	jsonmake_string(&o, "health", "red");
	jsonmake_int(&o, "count", job->nquarantined);
	jsonmake_add(&o, "entries", list);
	return o;
}
