/* Owns writing the journal: segments, batches, syncs, and giving up on one. */
#include "common/compat.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/disk.h"
#include "common/filemap.h"
#include "common/log.h"
#include "worker/inflated.h"
#include "worker/journal_segments.h"
#include "worker/segpack.h"

#define BATCH_BYTES (1024 * 1024) /* written when more is queued */
#define NEW_SEGMENT JOURNAL_DIR "/" SEGMENT_NEW

struct journal *
journal_open(uint64_t base_seq, enum sync_policy policy)
{
	struct journal *j = calloc(1, sizeof(*j));

	if (j == NULL)
		return NULL;
	j->policy = policy;
	j->base_seq = base_seq;
	j->closed = true;
	j->fd = -1;
	wbuf_init(&j->batch, 0);
	j->dirfd = open(JOURNAL_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (j->dirfd == -1 || segments_list(j) == -1) {
		int saved = errno;

		log_warn(JOURNAL_DIR);
		journal_free(j);
		errno = saved;
		return NULL;
	}
	return j;
}

/*
 * The worker that wrote the last segment may have died before its sync; those
 * before it were synced when it was begun.
 */
static int
sync_inherited(struct journal *j)
{
	char path[SEGMENT_PATH_BYTES];
	int fd, rc;

	if (j->policy == SYNC_NEVER || j->nsegments == 0 ||
	    j->last_seq <= j->base_seq)
		return 0;
	segment_file(path, &j->segment[j->nsegments - 1]);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	rc = fd == -1 || fdatasync(fd) == -1 || fsync(j->dirfd) == -1 ? -1 : 0;
	if (rc == -1)
		log_warn("%s", path);
	if (fd != -1)
		close(fd);
	return rc;
}

int
journal_begin_writing(struct journal *j)
{
	uint64_t least = j->base_seq;

	if (sync_inherited(j) == -1)
		return -1;
	/*
	 * A torn last segment may be empty by now. Numbers before its first
	 * are not used again: it would end the new segment too early.
	 */
	if (j->nsegments > 0 &&
	    j->segment[j->nsegments - 1].first_seq > least + 1)
		least = j->segment[j->nsegments - 1].first_seq - 1;
	if (j->last_seq < least)
		j->last_seq = least;
	j->kept_seq = j->last_seq;
	j->next_seq = j->last_seq + 1;
	return 0;
}

uint64_t
journal_last_seq(const struct journal *j)
{
	return j->last_seq;
}

bool
journal_is_closed(const struct journal *j)
{
	return j->closed;
}

bool
journal_is_doubtful(const struct journal *j)
{
	return j->doubtful;
}

void
journal_skip_to(struct journal *j, uint64_t seq)
{
	if (seq < j->next_seq)
		return;
	j->kept_seq = seq;
	j->next_seq = seq + 1;
}

static int
sync_now(struct journal *j)
{
	j->synced_us = clock_mono_us();
	j->dirty = false;
	if (j->fd != -1 && fdatasync(j->fd) == -1)
		return -1;
	if (j->dir_dirty && fsync(j->dirfd) == -1)
		return -1;
	j->dir_dirty = false;
	return 0;
}

int
segment_leave(struct journal *j)
{
	struct segment *seg;
	int rc = 0;

	if (j->fd == -1)
		return 0;
	if (j->dirty && j->policy != SYNC_NEVER)
		rc = sync_now(j);
	seg = segments_find(j, j->first_seq);
	if (seg != NULL)
		seg->bytes = j->size;
	close(j->fd);
	j->fd = -1;
	return rc;
}

static void
segment_is(struct journal *j, int fd, uint64_t first_seq, uint64_t size)
{
	j->fd = fd;
	j->first_seq = first_seq;
	j->size = size;
	j->kept_size = size;
	j->dir_dirty = true;
}

/* The head is complete before the name is: no segment is without one. */
static int
segment_create(struct journal *j, uint64_t first_seq)
{
	char path[SEGMENT_PATH_BYTES];
	struct wbuf head;
	int saved, fd;

	wbuf_init(&head, 0);
	fd = open(NEW_SEGMENT, O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0600);
	if (fd == -1 || journal_put_head(&head, first_seq) == -1 ||
	    disk_write_at(fd, head.data, head.len, 0) == -1 ||
	    rename(NEW_SEGMENT, segment_path(path, first_seq)) == -1)
		goto fail;
	if (segments_add(j, first_seq) == -1) {
		unlink(path);
		goto fail;
	}
	wbuf_clear(&head);
	segment_is(j, fd, first_seq, JOURNAL_HEAD_BYTES);
	return 0;
fail:
	saved = errno;
	if (fd != -1)
		close(fd);
	wbuf_clear(&head);
	errno = saved;
	return -1;
}

static int
batch_write(struct journal *j)
{
	if (j->batch.len == 0)
		return 0;
	/* Never in the midst of a commit, which may fail as a whole. */
	if (j->fd != -1 && j->size >= JOURNAL_ROTATE_BYTES &&
	    j->batch_seq == j->kept_seq + 1 && segment_leave(j) == -1)
		return -1;
	if (j->fd == -1 && segment_create(j, j->batch_seq) == -1)
		return -1;
	if (disk_write_at(j->fd, j->batch.data, j->batch.len, j->size) == -1)
		return -1;
	j->size += j->batch.len;
	j->dirty = true;
	wbuf_reset(&j->batch);
	return 0;
}

void
journal_append(struct journal *j, struct journal_entry *e, const void *data)
{
	e->seq = j->next_seq++;
	j->bytes += JOURNAL_HEADER_BYTES + e->data_len;
	if (j->error != 0)
		return;
	if (j->batch.len == 0)
		j->batch_seq = e->seq;
	if (journal_put_header(&j->batch, e) == -1)
		j->error = errno;
	else if (wire_put_bytes(&j->batch, data, (size_t)e->data_len) == -1)
		j->error = ENOMEM;
	else if (j->batch.len >= BATCH_BYTES && batch_write(j) == -1)
		j->error = errno;
}

/*
 * Nobody knows what the disk holds after a failed write or sync. The segment
 * is cut to what counts, but safety does not rest on that: the next segment
 * begins with the number that was given up, and so ends this one there.
 */
static void
segment_abandon(struct journal *j)
{
	char path[SEGMENT_PATH_BYTES];

	if (j->fd == -1)
		return;
	segment_path(path, j->first_seq);
	log_warnx("%s: abandoned at byte %" PRIu64, path, j->kept_size);
	if (j->first_seq > j->kept_seq) {
		if (unlink(path) == -1)
			log_warn("%s", path);
		segments_drop(j, j->nsegments - 1);
	} else if (ftruncate(j->fd, (off_t)j->kept_size) == -1) {
		log_warn("%s", path);
	}
	/* What counts of it; after a failed sync nothing is owed any more. */
	if (j->dirty && j->policy == SYNC_INTERVAL && sync_now(j) == -1)
		log_warn("%s: last sync", path);
	close(j->fd);
	j->fd = -1;
	j->dirty = false;
}

int
journal_commit(struct journal *j)
{
	int error = j->error;

	if (j->next_seq == j->kept_seq + 1)
		return 0;
	if (error == 0 && batch_write(j) == -1)
		error = errno;
	if (error == 0 && j->policy == SYNC_ALWAYS && sync_now(j) == -1)
		error = errno;
	if (j->batch.cap > BATCH_BYTES / 16)
		wbuf_clear(&j->batch);
	else
		wbuf_reset(&j->batch);
	j->error = 0;
	if (error == 0) {
		j->kept_seq = j->next_seq - 1;
		j->kept_size = j->size;
		return 0;
	}
	errno = error;
	log_warn("journal: entries %" PRIu64 " to %" PRIu64, j->kept_seq + 1,
	    j->next_seq - 1);
	segment_abandon(j);
	j->next_seq = j->kept_seq + 1;
	errno = error;
	return -1;
}

int
journal_sync(struct journal *j)
{
	if (j->policy == SYNC_ALWAYS)
		return 0;
	j->dir_dirty = true; /* under "never" nobody has kept account */
	if (sync_now(j) == 0)
		return 0;
	log_warn("journal: sync");
	return -1;
}

/* Write what goes before the data, and make both last. */
static int
adopt_fill(struct journal *j, const struct journal_entry *e, int fd)
{
	struct wbuf head;
	int rc = -1;

	wbuf_init(&head, 0);
	if (journal_put_head(&head, e->seq) == 0 &&
	    journal_put_header(&head, e) == 0 &&
	    disk_write_at(fd, head.data, head.len, 0) == 0)
		rc = j->policy == SYNC_ALWAYS ? fdatasync(fd) : 0;
	wbuf_clear(&head);
	return rc;
}

/*
 * Give it its place among the segments. After a failed sync nobody knows which
 * names the disk holds. If it is this one, it must not end the present segment
 * where the next entry, of the same number, would stand: so that entry starts
 * a segment, which takes this very name.
 */
static int
adopt_name(struct journal *j, uint64_t seq, const char *path)
{
	char name[SEGMENT_PATH_BYTES];
	int saved;

	if (rename(path, segment_path(name, seq)) == -1)
		return -1;
	if ((j->policy != SYNC_ALWAYS || fsync(j->dirfd) == 0) &&
	    segments_add(j, seq) == 0)
		return 0;
	saved = errno;
	if (unlink(name) == -1)
		log_warn("%s", name);
	if (segment_leave(j) == -1)
		log_warn("journal: sync of the segment before %" PRIu64, seq);
	errno = saved;
	return -1;
}

/*
 * Under "interval": the name of the next segment may come to the disk by
 * itself. With the present one not yet there a loss of power would leave a hole
 * in the midst of the journal, which reads as damage, and not as a torn end.
 */
static void
adopt_prepare(struct journal *j)
{
	if (j->policy != SYNC_INTERVAL || !j->dirty || sync_now(j) == 0)
		return;
	log_warn("journal: sync of the segment before %" PRIu64, j->next_seq);
	segment_abandon(j);
}

int
journal_adopt(
    struct journal *j, struct journal_entry *e, const char *path, int fd)
{
	adopt_prepare(j);
	e->seq = j->next_seq;
	if (adopt_fill(j, e, fd) == -1 || adopt_name(j, e->seq, path) == -1) {
		log_warn("journal: entry %" PRIu64, e->seq);
		return -1;
	}
	/* The segment before it owes nothing any more. */
	if (segment_leave(j) == -1)
		log_warn(
		    "journal: sync of the segment before %" PRIu64, e->seq);
	segment_is(j, fd, e->seq, JOURNAL_DATA_OFFSET + e->data_len);
	j->bytes += JOURNAL_HEADER_BYTES + e->data_len;
	j->dirty = j->policy == SYNC_INTERVAL;
	j->dir_dirty = j->policy == SYNC_INTERVAL;
	j->kept_seq = e->seq;
	j->next_seq = e->seq + 1;
	return 0;
}

uint64_t
journal_bytes(const struct journal *j)
{
	return j->bytes;
}

size_t
journal_segments(const struct journal *j)
{
	return j->nsegments;
}

int
journal_tick(struct journal *j)
{
	int64_t left;

	if (j->policy != SYNC_INTERVAL || !j->dirty)
		return -1;
	left = j->synced_us + JOURNAL_SYNC_INTERVAL_US - clock_mono_us();
	if (left > 0)
		return (int)(left / 1000) + 1;
	if (sync_now(j) == -1) {
		log_warn("journal: sync");
		segment_abandon(j);
	}
	return -1;
}

void
journal_trim(struct journal *j, uint64_t seq)
{
	char path[SEGMENT_PATH_BYTES];

	while (j->nsegments > 1 && j->segment[1].first_seq <= seq + 1) {
		if (unlink(segment_file(path, &j->segment[0])) == -1)
			log_warn("%s", path);
		segments_drop(j, 0);
	}
}

void
journal_free(struct journal *j)
{
	if (j == NULL)
		return;
	if (segment_leave(j) == -1)
		log_warn("journal: last sync");
	segpack_free(j->pack);
	inflated_free(j->inflated);
	filemap_close(j->map, j->maplen);
	if (j->dirfd != -1)
		close(j->dirfd);
	wbuf_clear(&j->batch);
	free(j->segment);
	free(j);
}
