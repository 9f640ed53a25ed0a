/* Owns where the bytes of an unsealed upload are. */
#include "common/compat.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/crc32c.h"
#include "common/disk.h"
#include "common/filemap.h"
#include "common/wire.h"
#include "worker/journal.h"
#include "worker/spool.h"

#define SPOOL_DIR "spool"
#define FLUSH_BYTES (4u * 1024 * 1024) /* handed to the disk at once */

struct spool {
	char path[sizeof(SPOOL_DIR) + 32];
	uint64_t max_bytes;
	uint64_t bytes;
	uint64_t flushed; /* of bytes: those the disk was told to begin with */
	uint32_t crc;
	bool flush;
	bool has_file;
	bool moved; /* the file is no longer ours to remove */
	int fd;	    /* -1: in memory, or taken */
	struct wbuf memory;
	void *map; /* NULL: not mapped */
	size_t maplen;
};

struct spool *
spool_new(uint32_t request, uint64_t max_bytes, bool flush)
{
	struct spool *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	snprintf(
	    s->path, sizeof(s->path), SPOOL_DIR "/%" PRIu32 ".spool", request);
	s->max_bytes = max_bytes;
	s->flush = flush;
	s->fd = -1;
	wbuf_init(&s->memory, SPOOL_MEMORY_MAX);
	return s;
}

void
spool_free(struct spool *s)
{
	if (s == NULL)
		return;
	filemap_close(s->map, s->maplen);
	if (s->fd != -1)
		close(s->fd);
	if (s->has_file && !s->moved)
		unlink(s->path);
	wbuf_clear(&s->memory);
	free(s);
}

/* Bytes of the body start behind what the journal will write there. */
static int
file_write(struct spool *s, const void *data, size_t len)
{
	return disk_write_at(s->fd, data, len, JOURNAL_DATA_OFFSET + s->bytes);
}

/* Without this the one sync at the end would wait for all of a large body. */
static void
file_flush(struct spool *s)
{
	if (!s->flush || s->bytes - s->flushed < FLUSH_BYTES)
		return;
	/* Only a hint: what goes wrong shows in the sync. */
	sync_file_range(s->fd, (off_t)s->flushed,
	    (off_t)(s->bytes - s->flushed), SYNC_FILE_RANGE_WRITE);
	s->flushed = s->bytes;
}

static int
move_to_file(struct spool *s)
{
	uint64_t bytes = s->bytes;
	int rc;

	s->fd = open(s->path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
	if (s->fd == -1)
		return -1;
	s->has_file = true;
	s->bytes = 0;
	rc = file_write(s, s->memory.data, s->memory.len);
	s->bytes = bytes;
	wbuf_clear(&s->memory);
	return rc;
}

int
spool_write(struct spool *s, const void *data, size_t len)
{
	if (s->max_bytes != 0 && len > s->max_bytes - s->bytes) {
		errno = E2BIG;
		return -1;
	}
	if (!s->has_file && s->bytes + len <= SPOOL_MEMORY_MAX) {
		if (wire_put_bytes(&s->memory, data, len) == -1) {
			errno = ENOMEM;
			return -1;
		}
	} else {
		if (!s->has_file && move_to_file(s) == -1)
			return -1;
		if (file_write(s, data, len) == -1)
			return -1;
	}
	s->crc = crc32c(s->crc, data, len);
	s->bytes += len;
	if (s->has_file)
		file_flush(s);
	return 0;
}

uint64_t
spool_bytes(const struct spool *s)
{
	return s->bytes;
}

uint32_t
spool_crc(const struct spool *s)
{
	return s->crc;
}

bool
spool_is_file(const struct spool *s)
{
	return s->has_file;
}

int
spool_data(struct spool *s, const char **data)
{
	*data = "";
	if (s->bytes == 0)
		return 0;
	if (!s->has_file) {
		*data = (const char *)s->memory.data;
		return 0;
	}
	if (s->map == NULL) {
		s->maplen = (size_t)(JOURNAL_DATA_OFFSET + s->bytes);
		if (filemap_open(s->fd, s->maplen, &s->map) == -1)
			return -1;
		filemap_set_name(s->map, "the upload in hand");
		filemap_set_in_use(s->map, true);
	}
	*data = (const char *)s->map + JOURNAL_DATA_OFFSET;
	return 0;
}

const char *
spool_path(const struct spool *s)
{
	return s->path;
}

int
spool_fd(const struct spool *s)
{
	return s->fd;
}

void
spool_moved(struct spool *s)
{
	s->moved = true;
	s->fd = -1;
}

static int
file_remove(void *arg, const char *name)
{
	char path[sizeof(SPOOL_DIR) + NAME_MAX + 2];
	int *rc = arg;

	snprintf(path, sizeof(path), SPOOL_DIR "/%s", name);
	if (unlink(path) == -1)
		*rc = -1;
	return 0;
}

int
spool_clean(void)
{
	int rc = 0;

	return disk_each(SPOOL_DIR, file_remove, &rc) == -1 ? -1 : rc;
}
