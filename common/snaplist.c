/* Owns the list of a job's snapshots. */
#include "common/compat.h"

#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/disk.h"
#include "common/jsonmake.h"
#include "common/log.h"
#include "common/snapfile.h"
#include "common/snaplist.h"

struct reading {
	struct snaplist *list;
	const char *dir; /* of the job; NULL: the current one */
	const char *job_id;
};

int
snapinfo_init(struct snapinfo *info, const struct snapshot_head *head,
    const struct model_size *size, const struct snapmeta *meta)
{
	bool described = meta != NULL && meta->described;

	*info = (struct snapinfo){ .seq = head->applied_seq,
		.created_ms = head->created_ms,
		.doc_count = head->doc_count,
		.latest_record_ms = head->latest_record_ms,
		.latest_result_ms = head->latest_result_ms,
		.size = *size,
		.retain = meta != NULL && meta->retain,
		.described = described };
	snaphead_id(info->id, head->created_ms);
	memcpy(info->min_version, head->min_version.p, head->min_version.len);
	info->description =
	    span_dup(described ? meta->description : head->description);
	return info->description == NULL ? -1 : 0;
}

void
snapinfo_clear(struct snapinfo *info)
{
	free(info->description);
	info->description = NULL;
}

/* What cannot be read of it says that the snapshot is to be kept. */
static int
list_add(struct reading *r, const struct snaphead_file *f)
{
	struct snaplist *list = r->list;
	struct snapmeta_file meta;
	struct snapinfo *item;

	item = reallocarray(list->item, list->n + 1, sizeof(*item));
	if (item == NULL)
		return -1;
	list->item = item;
	if (snapmeta_read(r->dir, f->head.applied_seq, &meta) == -1)
		log_warn("what a user says of snapshot %" PRIu64 " of job %s",
		    f->head.applied_seq, r->job_id);
	if (snapinfo_init(&item[list->n], &f->head, &f->size, &meta.meta) == -1)
		return -1;
	list->n++;
	return 0;
}

static int
read_one(void *arg, const char *name)
{
	uint64_t seq = snapfile_number(name, SNAPFILE_SNAP);
	char path[SNAPFILE_PATH_BYTES];
	struct reading *r = arg;
	struct snaphead_file f;

	if (seq == 0)
		return 0;
	snapfile_path(path, r->dir, seq, SNAPFILE_SNAP);
	if (snaphead_read(path, &f) == -1) {
		if (errno != ENOENT) /* removed meanwhile */
			log_warn("%s is not listed", path);
		return 0;
	}
	if (!span_eq(f.head.job_id, r->job_id) || f.head.applied_seq != seq) {
		log_warnx("%s is not listed: it is another snapshot's", path);
		return 0;
	}
	return list_add(r, &f);
}

static int
by_time(const void *a, const void *b)
{
	const struct snapinfo *x = a, *y = b;

	if (x->created_ms != y->created_ms)
		return x->created_ms < y->created_ms ? -1 : 1;
	return x->seq < y->seq ? -1 : x->seq > y->seq;
}

int
snaplist_read(struct snaplist *list, const char *job_dir, const char *job_id)
{
	struct reading r = { list, job_dir, job_id };
	char path[SNAPFILE_PATH_BYTES];

	*list = (struct snaplist){ 0 };
	if (job_dir == NULL)
		snprintf(path, sizeof(path), SNAPFILE_DIR);
	else
		snprintf(path, sizeof(path), "%s/" SNAPFILE_DIR, job_dir);
	if (disk_each(path, read_one, &r) == -1) {
		log_warn("%s", path);
		return -1;
	}
	if (list->n > 1)
		qsort(list->item, list->n, sizeof(*list->item), by_time);
	return 0;
}

void
snaplist_clear(struct snaplist *list)
{
	for (size_t i = 0; i < list->n; i++)
		snapinfo_clear(&list->item[i]);
	free(list->item);
	*list = (struct snaplist){ 0 };
}

struct snapinfo *
snaplist_find(struct snaplist *list, const char *id)
{
	for (size_t i = 0; i < list->n; i++)
		if (strcmp(list->item[i].id, id) == 0)
			return &list->item[i];
	return NULL;
}

struct json_object *
snapinfo_json(const struct snapinfo *s, const char *job_id)
{
	struct json_object *o = json_object_new_object();

	jsonmake_string(&o, "job_id", job_id);
	jsonmake_string(&o, "min_version", s->min_version);
	jsonmake_int(&o, "timestamp", s->created_ms);
	jsonmake_string(&o, "description", s->description);
	jsonmake_string(&o, "snapshot_id", s->id);
	jsonmake_uint(&o, "snapshot_doc_count", s->doc_count);
	jsonmake_add(&o, "model_size_stats", model_size_json(&s->size, job_id));
	if (s->latest_record_ms != TIME_UNSET)
		jsonmake_int(
		    &o, "latest_record_time_stamp", s->latest_record_ms);
	if (s->latest_result_ms != TIME_UNSET)
		jsonmake_int(
		    &o, "latest_result_time_stamp", s->latest_result_ms);
	jsonmake_bool(&o, "retain", s->retain);
	return o;
}
