/* Owns the making of an answer from a job's quarantine. */
#include "common/compat.h"

#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/asidelist.h"
#include "common/disk.h"
#include "common/jsonmake.h"
#include "query/quarantine.h"
#include "query/style.h"

/* More names than this are not looked at: a bound. */
#define FILES_MAX 10000

struct holding {
	char *name; /* owned */
	uint64_t bytes;
	int64_t time_ms;
	const struct aside_record *rec; /* NULL: a damaged file */
};

struct holdings {
	const char *dir; /* borrowed: of the quarantine */
	struct asidelist list;
	size_t n;
	struct holding *item; /* owned */
};

static void
holdings_clear(struct holdings *h)
{
	for (size_t i = 0; i < h->n; i++)
		free(h->item[i].name);
	free(h->item);
	asidelist_clear(&h->list);
}

/* The newest of its number. */
static const struct aside_record *
find_record(const struct holdings *h, const char *name)
{
	char path[ASIDE_PATH_BYTES];

	for (size_t i = h->list.n; i-- > 0;) {
		asidelist_path(path, h->list.record[i].seq);
		if (strcmp(strrchr(path, '/') + 1, name) == 0)
			return &h->list.record[i];
	}
	return NULL;
}

static int
holdings_add(struct holdings *h, const char *name, const struct stat *st)
{
	const struct aside_record *rec = find_record(h, name);
	struct holding *grown = reallocarray(h->item, h->n + 1, sizeof(*grown));

	if (grown == NULL)
		return -1;
	h->item = grown;
	grown[h->n].name = strdup(name);
	if (grown[h->n].name == NULL)
		return -1;
	grown[h->n].rec = rec;
	grown[h->n].bytes = rec != NULL ? rec->bytes : (uint64_t)st->st_size;
	grown[h->n].time_ms = rec != NULL ? rec->aside_ms
					  : (int64_t)st->st_ctim.tv_sec * 1000 +
		st->st_ctim.tv_nsec / 1000000;
	h->n++;
	return 0;
}

static int
look_at(void *arg, const char *name)
{
	struct holdings *h = arg;
	char path[PATH_MAX];
	struct stat st;

	/* "new": a file that is being made. */
	if (strcmp(name, "new") == 0 || h->n == FILES_MAX)
		return 0;
	errno = ENAMETOOLONG;
	if (snprintf(path, sizeof(path), "%s/%s", h->dir, name) >=
	    (int)sizeof(path))
		return -1;
	/* It may just be dropped. */
	if (lstat(path, &st) == -1)
		return errno == ENOENT ? 0 : -1;
	return S_ISREG(st.st_mode) ? holdings_add(h, name, &st) : 0;
}

static int
order(int64_t a, int64_t b)
{
	return a < b ? -1 : a > b;
}

/* Entries by number, then damaged files by name. */
static int
compare(const void *a, const void *b)
{
	const struct holding *x = a, *y = b;

	if (x->rec != NULL && y->rec != NULL)
		return order((int64_t)x->rec->seq, (int64_t)y->rec->seq);
	if (x->rec != NULL || y->rec != NULL)
		return x->rec != NULL ? -1 : 1;
	return strcmp(x->name, y->name);
}

/* *bad: the file that cannot be read. */
static int
holdings_read(
    struct holdings *h, const char *job_dir, char *dir, const char **bad)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/" ASIDE_LIST, job_dir);
	*bad = ASIDE_LIST;
	/* Damaged: the worker will begin it anew; the files are there. */
	if (asidelist_read(&h->list, path) == -1 && errno != EBADMSG)
		return -1;
	*bad = ASIDE_DIR;
	snprintf(dir, PATH_MAX, "%s/" ASIDE_DIR, job_dir);
	h->dir = dir;
	if (disk_each(dir, look_at, h) == -1 && errno != ENOENT)
		return -1;
	if (h->n > 1)
		qsort(h->item, h->n, sizeof(*h->item), compare);
	return 0;
}

static struct json_object *
holding_json(const struct holding *it)
{
	struct json_object *o = json_object_new_object();
	const struct aside_record *rec = it->rec;
	char reason[ASIDE_REASON_BYTES];

	if (rec != NULL)
		jsonmake_int(&o, "entry", (int64_t)rec->seq);
	jsonmake_string(&o, "file", it->name);
	jsonmake_string(&o, "type",
	    rec == NULL			    ? "damaged"
		: rec->type == ASIDE_UPLOAD ? "upload"
					    : "other");
	jsonmake_int(&o, "bytes", (int64_t)it->bytes);
	jsonmake_int(&o, "time", it->time_ms);
	if (rec != NULL && rec->receipt_ms != TIME_UNSET)
		jsonmake_int(&o, "receipt_time", rec->receipt_ms);
	jsonmake_string(&o, "reason",
	    rec == NULL
		? "it could not be used, and is kept for whoever wants to look"
		: asidelist_reason(reason, rec->seq, rec->signal));
	return o;
}

static int
row_write(struct style *style, const struct holding *it)
{
	return style_row_json(style, holding_json(it));
}

static int
holdings_write(const struct request *q, struct out *o, const struct holdings *h)
{
	size_t rows = h->n < q->size ? h->n : q->size;
	struct style style;
	int rc;

	style_init(&style, q, o);
	rc = style_begin(&style, h->n, rows);
	for (size_t i = 0; rc == 0 && i < rows; i++)
		rc = row_write(&style, &h->item[i]);
	if (rc == 0)
		rc = style_end(&style);
	style_clear(&style);
	return rc == 0 ? out_finish(o) : -1;
}

int
quarantine_answer(const struct request *q, const char *jobs_dir, struct out *o,
    struct apierr *e)
{
	char job_dir[PATH_MAX - NAME_MAX], dir[PATH_MAX];
	struct holdings h = { 0 };
	const char *bad = "";
	int rc = -1;

	e->status = 0;
	errno = ENAMETOOLONG;
	if (snprintf(job_dir, sizeof(job_dir), "%s/%s", jobs_dir,
		q->directory) < (int)sizeof(job_dir))
		rc = holdings_read(&h, job_dir, dir, &bad);
	if (rc == -1)
		apierr_set(e, 500, E_EXCEPTION,
		    "the quarantine of job [%s] cannot be read: %s: %s",
		    q->job_id, bad, strerror(errno));
	else
		rc = holdings_write(q, o, &h);
	holdings_clear(&h);
	return rc;
}
