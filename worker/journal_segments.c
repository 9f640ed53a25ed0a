/* Owns the list of segments, and the names of their files. */
#include "common/compat.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/disk.h"
#include "common/log.h"
#include "worker/journal_segments.h"

#define SEGMENT_SUFFIX ".seg"
#define PACKED_SUFFIX ".seg.zst"
#define SEGMENT_DIGITS 20

static const char *
path_make(char *dst, uint64_t first_seq, const char *suffix)
{
	snprintf(dst, SEGMENT_PATH_BYTES, JOURNAL_DIR "/%0*" PRIu64 "%s",
	    SEGMENT_DIGITS, first_seq, suffix);
	return dst;
}

const char *
segment_path(char *dst, uint64_t first_seq)
{
	return path_make(dst, first_seq, SEGMENT_SUFFIX);
}

const char *
segment_packed_path(char *dst, uint64_t first_seq)
{
	return path_make(dst, first_seq, PACKED_SUFFIX);
}

const char *
segment_file(char *dst, const struct segment *seg)
{
	return path_make(
	    dst, seg->first_seq, seg->packed ? PACKED_SUFFIX : SEGMENT_SUFFIX);
}

/* The number in a name with this suffix; 0 for any other name. */
static uint64_t
name_number(const char *name, const char *suffix)
{
	char *end;
	uint64_t n;

	if (strspn(name, "0123456789") != SEGMENT_DIGITS ||
	    strcmp(name + SEGMENT_DIGITS, suffix) != 0)
		return 0;
	errno = 0;
	n = strtoull(name, &end, 10);
	return errno == 0 ? n : 0;
}

bool
segment_parse(struct segment *seg, const char *name)
{
	uint64_t plain = name_number(name, SEGMENT_SUFFIX);
	uint64_t packed = name_number(name, PACKED_SUFFIX);

	*seg = (struct segment){ .first_seq = plain != 0 ? plain : packed,
		.packed = packed != 0 };
	return seg->first_seq != 0;
}

/* 1: it is such a segment. */
static int
begins_in_time(void *arg, const char *name)
{
	const uint64_t *seq = arg;
	struct segment found;

	return segment_parse(&found, name) && found.first_seq - 1 <= *seq;
}

bool
journal_reaches(uint64_t seq)
{
	int rc = disk_each(JOURNAL_DIR, begins_in_time, &seq);

	if (rc == -1)
		log_warn(JOURNAL_DIR);
	return rc == 1;
}

static struct segment *
segments_grow(struct journal *j)
{
	if (j->nsegments == j->segment_cap) {
		size_t cap = j->segment_cap == 0 ? 8 : j->segment_cap * 2;
		struct segment *list =
		    reallocarray(j->segment, cap, sizeof(*list));

		if (list == NULL)
			return NULL;
		j->segment = list;
		j->segment_cap = cap;
	}
	return &j->segment[j->nsegments++];
}

int
segments_add(struct journal *j, uint64_t first_seq)
{
	struct segment *seg;

	/* An empty one that a new one of the same name has replaced. */
	if (j->nsegments > 0 &&
	    j->segment[j->nsegments - 1].first_seq == first_seq)
		return 0;
	seg = segments_grow(j);
	if (seg == NULL)
		return -1;
	*seg = (struct segment){ .first_seq = first_seq };
	return 0;
}

void
segments_drop(struct journal *j, size_t i)
{
	j->nsegments--;
	memmove(j->segment + i, j->segment + i + 1,
	    (j->nsegments - i) * sizeof(*j->segment));
}

struct segment *
segments_find(struct journal *j, uint64_t first_seq)
{
	for (size_t i = 0; i < j->nsegments; i++)
		if (j->segment[i].first_seq == first_seq)
			return &j->segment[i];
	return NULL;
}

static void
remove_unfinished(const char *path)
{
	if (unlink(path) == -1)
		log_warn("%s", path);
}

/* Only what a worker left unfinished goes; other names are not ours. */
static int
note_name(void *arg, const char *name)
{
	struct journal *j = arg;
	struct segment *seg, found;

	if (strcmp(name, SEGMENT_NEW) == 0)
		remove_unfinished(JOURNAL_DIR "/" SEGMENT_NEW);
	else if (strcmp(name, SEGMENT_PACK) == 0)
		remove_unfinished(JOURNAL_DIR "/" SEGMENT_PACK);
	if (!segment_parse(&found, name))
		return 0;
	seg = segments_grow(j);
	if (seg == NULL)
		return -1;
	*seg = found;
	return 0;
}

int
segment_compare(const void *a, const void *b)
{
	const struct segment *x = a, *y = b;

	if (x->first_seq != y->first_seq)
		return x->first_seq < y->first_seq ? -1 : 1;
	return (int)x->packed - (int)y->packed;
}

/*
 * A death right before the plain file went leaves both. The plain one is as it
 * ever was, and the other is made again.
 */
static void
drop_second(struct journal *j)
{
	char path[SEGMENT_PATH_BYTES];

	for (size_t i = 1; i < j->nsegments;) {
		if (j->segment[i].first_seq != j->segment[i - 1].first_seq) {
			i++;
			continue;
		}
		remove_unfinished(segment_file(path, &j->segment[i]));
		segments_drop(j, i);
	}
}

static int
note_sizes(struct journal *j)
{
	char path[SEGMENT_PATH_BYTES];
	struct stat st;

	for (size_t i = 0; i < j->nsegments; i++) {
		if (stat(segment_file(path, &j->segment[i]), &st) == -1)
			return -1;
		j->segment[i].bytes = (uint64_t)st.st_size;
	}
	return 0;
}

int
segments_list(struct journal *j)
{
	if (disk_each(JOURNAL_DIR, note_name, j) == -1)
		return -1;
	if (j->nsegments > 1)
		qsort(j->segment, j->nsegments, sizeof(*j->segment),
		    segment_compare);
	drop_second(j);
	return note_sizes(j);
}

uint64_t
journal_disk_bytes(const struct journal *j)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < j->nsegments; i++)
		sum += j->fd != -1 && j->segment[i].first_seq == j->first_seq
		    ? j->size
		    : j->segment[i].bytes;
	return sum;
}
