/* Owns the walk over a journal that is only looked at. */
#include "common/compat.h"

#include <errno.h>
#include <stdlib.h>

#include "common/disk.h"
#include "common/filemap.h"
#include "worker/inflated.h"
#include "worker/journal_segments.h"
#include "worker/journal_walk.h"

struct found {
	struct segment *list; /* owned */
	size_t n, cap;
};

static int
note_name(void *arg, const char *name)
{
	struct found *all = arg;
	struct segment seg;

	if (!segment_parse(&seg, name))
		return 0;
	if (all->n == all->cap) {
		size_t cap = all->cap == 0 ? 8 : all->cap * 2;
		struct segment *list =
		    reallocarray(all->list, cap, sizeof(*list));

		if (list == NULL)
			return -1;
		all->list = list;
		all->cap = cap;
	}
	all->list[all->n++] = seg;
	return 0;
}

/* What looks like damage may be a page that the disk cannot read. */
static bool
is_unread(const struct journal_walk *w, const char *path, const void *map)
{
	size_t at;

	if (!filemap_failed(map, &at))
		return false;
	w->damage(w->arg, path, at, FILEMAP_WHY, false);
	return true;
}

/* A worker may have compressed, or removed, it since its name was read. */
static int
segment_load(
    const struct journal_walk *w, struct segment *seg, void **map, size_t *len)
{
	char path[SEGMENT_PATH_BYTES];
	struct inflated *in;
	const char *why;
	size_t at;
	int rc = 0;

	if (!seg->packed) {
		if (disk_map(segment_file(path, seg), map, len) == 0)
			return 0;
		if (errno != ENOENT)
			return -1;
		seg->packed = true;
	}
	in = inflated_new_memory(segment_file(path, seg));
	if (in == NULL)
		return -1;
	while ((rc = inflated_step(in)) == 1)
		;
	if (rc == -1 && inflated_failed(in, &at)) {
		w->damage(w->arg, path, at, FILEMAP_WHY, false);
		rc = 0;
	}
	if (rc == 0)
		rc = inflated_take(in, map, len);
	if (rc == 0 && (why = inflated_damage(in, &at)) != NULL)
		w->damage(w->arg, path, at, why, false);
	inflated_free(in);
	return rc;
}

/*
 * limit: the first number that is not of this segment. Returns as
 * journal_walk; *next is the number behind the last entry.
 */
static int
walk_entries(const struct journal_walk *w, const char *path,
    struct journal_cursor *c, uint64_t limit, uint64_t *next)
{
	struct journal_entry e;
	const char *data;
	int rc;

	while ((rc = journal_cursor_next(c, &e, &data)) == 1) {
		if (e.seq >= limit)
			return 0;
		if (journal_cursor_check(c, &e, data, SIZE_MAX) == -1) {
			rc = -1;
			break;
		}
		*next = e.seq + 1;
		rc = w->entry(w->arg, &e, data);
		if (rc != 0)
			return rc;
	}
	if (rc == -1 && !is_unread(w, path, c->data))
		w->damage(w->arg, path, c->at, c->why,
		    c->is_short && limit == UINT64_MAX);
	return 0;
}

static int
walk_segment(const struct journal_walk *w, struct segment *seg, uint64_t limit,
    uint64_t *next)
{
	char path[SEGMENT_PATH_BYTES];
	struct journal_cursor c;
	void *map = NULL;
	size_t len = 0;
	int rc = 0;

	if (segment_load(w, seg, &map, &len) == -1)
		return errno == ENOENT ? 0 : -1;
	segment_file(path, seg);
	if (*next != 0 && seg->first_seq > *next)
		w->damage(w->arg, path, 0, "entries in front of it are missing",
		    false);
	rc = journal_cursor_init(&c, map, len);
	if (rc == -1 && !is_unread(w, path, map))
		w->damage(w->arg, path, 0,
		    errno == EPROTONOSUPPORT ? "format of another version"
					     : c.why,
		    false);
	if (rc == -1)
		rc = 0;
	else if (c.next_seq != seg->first_seq)
		w->damage(w->arg, path, 0,
		    "the name is not that of its first entry", false);
	else
		rc = walk_entries(w, path, &c, limit, next);
	filemap_close(map, len);
	return rc;
}

int
journal_walk(const struct journal_walk *w)
{
	struct found all = { 0 };
	uint64_t next = 0;
	int rc;

	rc = disk_each(JOURNAL_DIR, note_name, &all);
	if (rc == 0 && all.n > 0)
		qsort(all.list, all.n, sizeof(*all.list), segment_compare);
	for (size_t i = 0; rc == 0 && i < all.n; i++) {
		struct segment *seg = &all.list[i];
		uint64_t first = seg->first_seq;

		/* A death while compressing leaves two: the plain one holds. */
		while (i + 1 < all.n && all.list[i + 1].first_seq == first)
			i++;
		rc = walk_segment(w, seg,
		    i + 1 < all.n ? all.list[i + 1].first_seq : UINT64_MAX,
		    &next);
	}
	free(all.list);
	return rc;
}
