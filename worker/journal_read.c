/* Owns reading the journal back, and what is done about damage in it. */
#include "common/compat.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/disk.h"
#include "common/log.h"
#include "worker/journal_segments.h"
#include "worker/quarantine.h"

#define CHECK_BYTES (4 * 1024 * 1024) /* about a millisecond */
#define SEGMENT_SUFFIX ".seg"
#define SEGMENT_DIGITS 20

const char *
segment_path(char *dst, uint64_t first_seq)
{
	snprintf(dst, SEGMENT_PATH_BYTES,
	    JOURNAL_DIR "/%0*" PRIu64 SEGMENT_SUFFIX, SEGMENT_DIGITS,
	    first_seq);
	return dst;
}

/* The number in a segment's name; 0 for any other name. */
static uint64_t
segment_number(const char *name)
{
	char *end;
	uint64_t n;

	if (strspn(name, "0123456789") != SEGMENT_DIGITS ||
	    strcmp(name + SEGMENT_DIGITS, SEGMENT_SUFFIX) != 0)
		return 0;
	errno = 0;
	n = strtoull(name, &end, 10);
	return errno == 0 ? n : 0;
}

int
segments_add(struct journal *j, uint64_t first_seq)
{
	/* An empty one that a new one of the same name has replaced. */
	if (j->nsegments > 0 && j->segment[j->nsegments - 1] == first_seq)
		return 0;
	if (j->nsegments == j->segment_cap) {
		size_t cap = j->segment_cap == 0 ? 8 : j->segment_cap * 2;
		uint64_t *list = reallocarray(j->segment, cap, sizeof(*list));

		if (list == NULL)
			return -1;
		j->segment = list;
		j->segment_cap = cap;
	}
	j->segment[j->nsegments++] = first_seq;
	return 0;
}

void
segments_drop(struct journal *j, size_t i)
{
	j->nsegments--;
	memmove(j->segment + i, j->segment + i + 1,
	    (j->nsegments - i) * sizeof(*j->segment));
}

static int
compare_numbers(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Only what a worker left unfinished goes; other names are not ours. */
static int
note_name(void *arg, const char *name)
{
	uint64_t n = segment_number(name);
	struct journal *j = arg;

	if (n != 0)
		return segments_add(j, n);
	if (strcmp(name, SEGMENT_NEW) == 0 &&
	    unlink(JOURNAL_DIR "/" SEGMENT_NEW) == -1)
		log_warn(JOURNAL_DIR "/" SEGMENT_NEW);
	return 0;
}

int
segments_list(struct journal *j)
{
	if (disk_each(JOURNAL_DIR, note_name, j) == -1)
		return -1;
	if (j->nsegments > 1)
		qsort(j->segment, j->nsegments, sizeof(*j->segment),
		    compare_numbers);
	return 0;
}

/* The first number that is not this segment's, whatever it holds. */
static uint64_t
segment_limit(const struct journal *j, size_t i)
{
	return i + 1 < j->nsegments ? j->segment[i + 1] : UINT64_MAX;
}

static void
segment_close(struct journal *j)
{
	if (j->map != NULL) {
		munmap(j->map, j->maplen);
		j->read_bytes += j->maplen;
	}
	j->map = NULL;
	j->checking = false;
	j->reading++;
}

/* Nothing in it can be read: out of the way, but not destroyed. */
static void
segment_quarantine(struct journal *j)
{
	uint64_t first_seq = j->segment[j->reading];
	char path[SEGMENT_PATH_BYTES];

	quarantine_move(
	    segment_path(path, first_seq), "journal", first_seq, j->cursor.why);
	segment_close(j);
	segments_drop(j, --j->reading);
}

static int
segment_map(struct journal *j)
{
	char path[SEGMENT_PATH_BYTES];
	void *map;

	segment_path(path, j->segment[j->reading]);
	if (disk_map(path, &map, &j->maplen) == -1) {
		log_warn("%s", path);
		return -1;
	}
	j->map = map;
	return 0;
}

/* Say which entries should have come before this segment, but did not. */
static void
segment_gap(const struct journal *j)
{
	uint64_t first = j->segment[j->reading];
	uint64_t have = j->last_seq > j->base_seq ? j->last_seq : j->base_seq;

	if (first > have + 1)
		log_warnx("journal: entries %" PRIu64 " to %" PRIu64
			  " are lost",
		    have + 1, first - 1);
}

static int
segment_open(struct journal *j)
{
	if (segment_map(j) == -1)
		return -1;
	if (journal_cursor_init(&j->cursor, j->map, j->maplen) == -1) {
		segment_quarantine(j);
		return 0;
	}
	if (j->cursor.next_seq != j->segment[j->reading]) {
		j->cursor.why = "the name is not that of its first entry";
		segment_quarantine(j);
		return 0;
	}
	segment_gap(j);
	return 0;
}

/*
 * What follows the tear is lost. Half an entry at the very end is what a death
 * leaves, and goes. Bytes that are all there and wrong are damage: they stay
 * for whoever wants to look, also where the next segment would get this one's
 * name because not even its first entry can be read.
 */
static void
segment_tear(struct journal *j)
{
	bool last = j->reading + 1 == j->nsegments;
	bool cut = last && j->cursor.is_short;
	char path[SEGMENT_PATH_BYTES];

	if (last && !cut && j->cursor.at == JOURNAL_HEAD_BYTES) {
		segment_quarantine(j);
		return;
	}
	segment_path(path, j->segment[j->reading]);
	log_warnx("%s: torn at byte %zu of %zu: %s%s", path, j->cursor.at,
	    j->cursor.len, j->cursor.why, cut ? ": cut there" : "");
	if (cut && truncate(path, (off_t)j->cursor.at) == -1)
		log_warn("%s", path);
	segment_close(j);
}

/* Returns as journal_read, once the entry's data was looked at. */
static int
entry_check(struct journal *j)
{
	int rc = journal_cursor_check(
	    &j->cursor, &j->entry, j->entry_data, CHECK_BYTES);

	if (rc == 1)
		return 2;
	j->checking = false;
	if (rc == -1) {
		segment_tear(j);
		return 2;
	}
	j->last_seq = j->entry.seq;
	j->closed = j->entry.type == JOURNAL_CLOSE;
	return 1;
}

/* Go to the next entry of the open segment. Returns as journal_read. */
static int
entry_next(struct journal *j)
{
	int rc = journal_cursor_next(&j->cursor, &j->entry, &j->entry_data);

	if (rc == -1) {
		segment_tear(j);
		return 2;
	}
	if (rc == 0 || j->entry.seq >= segment_limit(j, j->reading)) {
		segment_close(j);
		return 2;
	}
	if (j->entry.seq > j->base_seq) {
		j->bytes += JOURNAL_HEADER_BYTES + j->entry.data_len;
		j->checking = true;
		return entry_check(j);
	}
	j->last_seq = j->entry.seq;
	j->closed = j->entry.type == JOURNAL_CLOSE;
	return 2;
}

int
journal_read(struct journal *j, struct journal_entry *e, const char **data)
{
	int rc;

	if (j->reading == j->nsegments)
		return journal_begin_writing(j);
	if (j->map == NULL) {
		if (segment_limit(j, j->reading) <= j->base_seq + 1) {
			segment_close(j);
			return 2;
		}
		return segment_open(j) == -1 ? -1 : 2;
	}
	rc = j->checking ? entry_check(j) : entry_next(j);
	if (rc == 1) {
		*e = j->entry;
		*data = j->entry_data;
	}
	return rc;
}

uint64_t
journal_unread_bytes(const struct journal *j)
{
	char path[SEGMENT_PATH_BYTES];
	uint64_t sum = 0;
	struct stat st;

	for (size_t i = j->reading; i < j->nsegments; i++)
		if (segment_limit(j, i) > j->base_seq + 1 &&
		    stat(segment_path(path, j->segment[i]), &st) == 0)
			sum += (uint64_t)st.st_size;
	return sum;
}

uint64_t
journal_read_bytes(const struct journal *j)
{
	return j->read_bytes + (j->map == NULL ? 0 : j->cursor.at);
}
