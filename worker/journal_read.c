/* Owns reading the journal back, and what is done about damage in it. */
#include "common/compat.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/disk.h"
#include "common/filemap.h"
#include "common/log.h"
#include "worker/inflated.h"
#include "worker/journal_segments.h"
#include "worker/quarantine.h"

#define CHECK_BYTES (4 * 1024 * 1024) /* about a millisecond */

/* The first number that is not this segment's, whatever it holds. */
static uint64_t
segment_limit(const struct journal *j, size_t i)
{
	return i + 1 < j->nsegments ? j->segment[i + 1].first_seq : UINT64_MAX;
}

static void
segment_close(struct journal *j)
{
	filemap_close(j->map, j->maplen);
	if (j->open)
		j->read_bytes += j->segment[j->reading].bytes;
	j->map = NULL;
	j->maplen = 0;
	inflated_free(j->inflated);
	j->inflated = NULL;
	j->open = false;
	j->checking = false;
	j->reading++;
}

/*
 * Is what looks like damage, or like the end, a page that the disk cannot read?
 * Then the segment stays as it is: it may be whole, and what was answered is in
 * it. True, with EIO (logged).
 */
static bool
segment_is_unread(struct journal *j)
{
	const struct segment *seg = &j->segment[j->reading];
	char path[SEGMENT_PATH_BYTES];
	size_t at;

	if (!filemap_failed(j->map, &at))
		return false;
	errno = EIO;
	log_warn("%s: cannot be read at byte %zu%s", segment_file(path, seg),
	    at, seg->packed ? ", unpacked" : "");
	return true;
}

/* Nothing in it can be read: out of the way, but not destroyed. */
static void
segment_quarantine(struct journal *j)
{
	const struct segment *seg = &j->segment[j->reading];
	char path[SEGMENT_PATH_BYTES], why[128];

	snprintf(why, sizeof(why), "damaged at byte %zu: %s", j->cursor.at,
	    j->cursor.why);
	quarantine_move(
	    segment_file(path, seg), "journal", seg->first_seq, why);
	j->doubtful = true;
	segment_close(j);
	segments_drop(j, --j->reading);
}

/*
 * Bring the segment into memory; a compressed one piece by piece. Returns 1
 * while more is left, else 0, or -1 with errno.
 */
static int
segment_map(struct journal *j)
{
	const struct segment *seg = &j->segment[j->reading];
	char path[SEGMENT_PATH_BYTES];
	void *map = NULL;
	const char *why;
	size_t at;
	int rc;

	segment_file(path, seg);
	if (!seg->packed) {
		rc = disk_map(path, &map, &j->maplen);
	} else {
		if (j->inflated == NULL)
			j->inflated = inflated_new(path);
		rc = j->inflated == NULL ? -1 : inflated_step(j->inflated);
		if (rc == 1)
			return 1;
		if (rc == 0)
			rc = inflated_take(j->inflated, &map, &j->maplen);
	}
	if (rc == -1) {
		if (seg->packed && j->inflated != NULL &&
		    inflated_failed(j->inflated, &at))
			log_warn("%s: cannot be read at byte %zu", path, at);
		else
			log_warn("%s", path);
		return -1;
	}
	if (seg->packed && (why = inflated_damage(j->inflated, &at)) != NULL) {
		log_warnx("%s: damaged at byte %zu: %s", path, at, why);
		j->doubtful = true;
	}
	filemap_set_name(map, path);
	j->map = map;
	j->open = true;
	return 0;
}

/* Say which entries should have come before this segment, but did not. */
static void
segment_gap(struct journal *j)
{
	const struct segment *seg = &j->segment[j->reading];
	uint64_t have = j->last_seq > j->base_seq ? j->last_seq : j->base_seq;
	char path[SEGMENT_PATH_BYTES], before[SEGMENT_PATH_BYTES];

	if (seg->first_seq <= have + 1)
		return;
	j->doubtful = true;
	log_warnx("journal: entries %" PRIu64 " to %" PRIu64 " are lost, which "
		  "were before byte 0 of %s",
	    have + 1, seg->first_seq - 1, segment_file(path, seg));
	if (j->reading > 0)
		log_warnx("%s: it ends at byte %" PRIu64 ", before them",
		    segment_file(before, seg - 1), (seg - 1)->bytes);
}

/*
 * Another version's: it is whole, and must stay where that version finds it.
 */
static int
segment_foreign(struct journal *j)
{
	char path[SEGMENT_PATH_BYTES];

	log_warnx("%s: format %" PRIu32 "; this version reads format %d: "
		  "open the job with the version that wrote it",
	    segment_file(path, &j->segment[j->reading]), j->cursor.format,
	    JOURNAL_FORMAT);
	errno = EPROTONOSUPPORT;
	return -1;
}

static int
segment_open(struct journal *j)
{
	int rc = segment_map(j);

	if (rc != 0)
		return rc == 1 ? 0 : -1;
	if (journal_cursor_init(&j->cursor, j->map, j->maplen) == -1) {
		if (errno == EPROTONOSUPPORT)
			return segment_foreign(j);
		if (segment_is_unread(j))
			return -1;
		segment_quarantine(j);
		return 0;
	}
	if (j->cursor.next_seq != j->segment[j->reading].first_seq) {
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
	struct segment *seg = &j->segment[j->reading];
	bool last = j->reading + 1 == j->nsegments;
	bool cut = last && j->cursor.is_short && !seg->packed;
	char path[SEGMENT_PATH_BYTES];

	if (last && !cut && j->cursor.at == JOURNAL_HEAD_BYTES) {
		segment_quarantine(j);
		return;
	}
	j->doubtful = true;
	segment_file(path, seg);
	log_warnx("%s: torn at byte %zu of %zu%s: %s%s", path, j->cursor.at,
	    j->cursor.len, seg->packed ? ", unpacked" : "", j->cursor.why,
	    cut ? ": cut there" : "");
	if (cut && truncate(path, (off_t)j->cursor.at) == -1)
		log_warn("%s", path);
	else if (cut)
		seg->bytes = j->cursor.at;
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
	if (rc == -1 && segment_is_unread(j))
		return -1;
	if (rc == -1) {
		segment_tear(j);
		return 2;
	}
	j->last_seq = j->entry.seq;
	j->closed = j->entry.type == JOURNAL_CLOSE;
	filemap_set_in_use(j->map, true);
	return 1;
}

/* Go to the next entry of the open segment. Returns as journal_read. */
static int
entry_next(struct journal *j)
{
	int rc;

	filemap_set_in_use(j->map, false);
	rc = journal_cursor_next(&j->cursor, &j->entry, &j->entry_data);
	if (rc != 1 && segment_is_unread(j))
		return -1;
	if (rc == -1) {
		segment_tear(j);
		return 2;
	}
	/* Its name must be free for the next entry. */
	if (rc == 0 && j->cursor.at == JOURNAL_HEAD_BYTES &&
	    j->segment[j->reading].packed) {
		j->cursor.why = "no entry can be read";
		segment_quarantine(j);
		return 2;
	}
	if (rc == 0 && j->cursor.at == JOURNAL_HEAD_BYTES)
		j->doubtful = true;
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
	if (!j->open) {
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

/* Both count bytes of files: a packed one is read as fast as its content. */
uint64_t
journal_unread_bytes(const struct journal *j)
{
	uint64_t sum = 0;

	for (size_t i = j->reading; i < j->nsegments; i++)
		if (segment_limit(j, i) > j->base_seq + 1)
			sum += j->segment[i].bytes;
	return sum;
}

uint64_t
journal_read_bytes(const struct journal *j)
{
	double part;

	if (!j->open || j->maplen == 0)
		return j->read_bytes;
	part = (double)j->cursor.at / (double)j->maplen;
	return j->read_bytes +
	    (uint64_t)(part * (double)j->segment[j->reading].bytes);
}
