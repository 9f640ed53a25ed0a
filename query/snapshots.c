/* Owns the making of an answer from the files of a job's snapshots. */
#include "common/compat.h"

#include <errno.h>
#include <json-c/json.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/snaplist.h"
#include "common/wildcard.h"
#include "query/snapshots.h"
#include "query/style.h"

typedef int compare(const void *, const void *);

static int
order(int64_t x, int64_t y)
{
	return x < y ? -1 : x > y;
}

#define COMPARE_NUMBERS(name, field)                                           \
	static int by_##name(const void *a, const void *b)                     \
	{                                                                      \
		const struct snapinfo *const *x = a, *const *y = b;            \
                                                                               \
		return order((int64_t)(*x)->field, (int64_t)(*y)->field);      \
	}
#define COMPARE_TEXTS(name, field)                                             \
	static int by_##name(const void *a, const void *b)                     \
	{                                                                      \
		const struct snapinfo *const *x = a, *const *y = b;            \
                                                                               \
		return strcmp((*x)->field, (*y)->field);                       \
	}

/* clang-format off */
COMPARE_NUMBERS(timestamp, created_ms)
COMPARE_NUMBERS(doc_count, doc_count)
COMPARE_NUMBERS(latest_record, latest_record_ms)
COMPARE_NUMBERS(latest_result, latest_result_ms)
COMPARE_NUMBERS(retain, retain)
COMPARE_TEXTS(id, id)
COMPARE_TEXTS(min_version, min_version)
COMPARE_TEXTS(description, description)
/* clang-format on */

static const struct {
	const char *name;
	compare *by;
} sorts[] = {
	{ "timestamp", by_timestamp },
	{ "snapshot_id", by_id },
	{ "description", by_description },
	{ "min_version", by_min_version },
	{ "snapshot_doc_count", by_doc_count },
	{ "latest_record_time_stamp", by_latest_record },
	{ "latest_result_time_stamp", by_latest_result },
	{ "retain", by_retain },
};

static compare *
sort_find(const char *name)
{
	for (size_t i = 0; i < NELEM(sorts); i++)
		if (strcmp(sorts[i].name, name) == 0)
			return sorts[i].by;
	return NULL;
}

/* Is the id in a comma list of ids and wildcards? An empty list has all. */
static bool
ids_have(const char *ids, const char *id)
{
	char one[sizeof(((struct request *)0)->ids)];
	const char *at = ids;

	if (*ids == '\0')
		return true;
	for (;;) {
		size_t len = strcspn(at, ",");

		memcpy(one, at, len);
		one[len] = '\0';
		if (strcmp(one, "_all") == 0 || wildcard_matches(one, id))
			return true;
		if (at[len] == '\0')
			return false;
		at += len + 1;
	}
}

/* Puts those that are asked for into match, sorted; returns how many. */
static size_t
choose(const struct request *q, struct snaplist *list, compare *by,
    const struct snapinfo **match)
{
	size_t n = 0;

	for (size_t i = 0; i < list->n; i++) {
		const struct snapinfo *s = &list->item[i];

		if (s->created_ms >= q->start_ms && s->created_ms < q->end_ms &&
		    ids_have(q->ids, s->id))
			match[n++] = s;
	}
	if (n > 1)
		qsort(match, n, sizeof(*match), by);
	for (size_t i = 0; q->desc && i < n / 2; i++) {
		const struct snapinfo *s = match[i];

		match[i] = match[n - 1 - i];
		match[n - 1 - i] = s;
	}
	return n;
}

static int
row_write(
    struct style *style, const struct request *q, const struct snapinfo *s)
{
	return style_row_json(style, snapinfo_json(s, q->job_id));
}

static int
text_write(const struct request *q, struct out *o,
    const struct snapinfo *const *match, size_t n)
{
	size_t first = q->from < n ? q->from : n;
	size_t rows = n - first < q->size ? n - first : q->size;
	struct style style;
	int rc;

	style_init(&style, q, o);
	rc = style_begin(&style, n, rows);
	for (size_t i = first; rc == 0 && i < first + rows; i++)
		rc = row_write(&style, q, match[i]);
	if (rc == 0)
		rc = style_end(&style);
	style_clear(&style);
	return rc;
}

static int
list_write(const struct request *q, struct out *o, struct snaplist *list,
    compare *by, struct apierr *e)
{
	const struct snapinfo **match = calloc(list->n + 1, sizeof(*match));
	int rc = -1;
	size_t n;

	if (match == NULL)
		return apierr_set(e, 503, E_STATUS, "out of memory");
	n = choose(q, list, by, match);
	rc = text_write(q, o, match, n);
	if (rc == -1)
		apierr_set(e, 500, E_EXCEPTION,
		    "the snapshots of job [%s] cannot be listed: %s", q->job_id,
		    strerror(errno));
	if (rc == 0 && out_must_repeat(o)) {
		out_again(o);
		rc = text_write(q, o, match, n);
		if (rc == 0)
			rc = out_finish(o);
		if (rc == -1) {
			e->status = 0;
			log_warnx("job %s: an answer broke off", q->job_id);
		}
	} else if (rc == 0) {
		rc = out_finish(o);
	}
	free(match);
	return rc;
}

int
snapshots_answer(const struct request *q, const char *jobs_dir, struct out *o,
    struct apierr *e)
{
	compare *by = sort_find(q->sort);
	struct snaplist list;
	char dir[PATH_MAX];
	int rc;

	e->status = 0;
	if (by == NULL)
		return apierr_set(e, 400, E_ILLEGAL_ARGUMENT,
		    "No mapping found for [%s] in order to sort on", q->sort);
	if (snprintf(dir, sizeof(dir), "%s/%s", jobs_dir, q->directory) >=
	    (int)sizeof(dir))
		return apierr_set(
		    e, 500, E_EXCEPTION, "the path of the job is too long");
	if (snaplist_read(&list, dir, q->job_id) == 0)
		rc = list_write(q, o, &list, by, e);
	else
		rc = apierr_set(e, 500, E_EXCEPTION,
		    "the snapshots of job [%s] cannot be read: %s", q->job_id,
		    strerror(errno));
	snaplist_clear(&list);
	return rc;
}
