/* Owns the small files that say what a user wants of a snapshot. */
#include "common/compat.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/crc32c.h"
#include "common/disk.h"
#include "common/snapfile.h"
#include "common/snapmeta.h"

#define MAGIC "ANOMMETA"
#define MAGIC_BYTES 8
#define FIXED_BYTES (MAGIC_BYTES + 8) /* with format and length */
#define NEW_SUFFIX ".new"

SCHEMA_DEFINE(snapmeta, SNAPMETA_FIELDS);

int
snapmeta_get(const void *file, size_t size, struct snapmeta *m)
{
	struct rbuf whole, *rb = &whole, parts;
	const uint8_t *start = file, *magic, *data;
	uint32_t format, len, sum;

	rbuf_init(rb, file, size);
	errno = EBADMSG;
	if (wire_get_bytes(rb, &magic, MAGIC_BYTES) == -1 ||
	    memcmp(magic, MAGIC, MAGIC_BYTES) != 0 ||
	    wire_get_u32(rb, &format) == -1 || wire_get_u32(rb, &len) == -1 ||
	    wire_get_bytes(rb, &data, len) == -1 ||
	    wire_get_u32(rb, &sum) == -1 ||
	    crc32c(0, start, FIXED_BYTES + len) != sum || rb->left != 0)
		return -1;
	if (format != SNAPMETA_FORMAT) {
		errno = ENOTSUP;
		return -1;
	}
	rbuf_init(&parts, data, len);
	if (schema_decode(&snapmeta_schema, &parts, m, NULL) == 0 &&
	    parts.left == 0)
		return 0;
	errno = EBADMSG;
	return -1;
}

int
snapmeta_read(const char *dir, uint64_t seq, struct snapmeta_file *f)
{
	char path[SNAPFILE_PATH_BYTES];
	ssize_t n;

	memset(&f->meta, 0, sizeof(f->meta));
	snapfile_path(path, dir, seq, SNAPFILE_META);
	n = disk_read_start(path, f->data, sizeof(f->data));
	if (n == -1 && errno == ENOENT)
		return 0;
	if (n != -1 && snapmeta_get(f->data, (size_t)n, &f->meta) == 0)
		return 1;
	memset(&f->meta, 0, sizeof(f->meta));
	f->meta.retain = true;
	return -1;
}

static int
meta_put(struct wbuf *wb, const struct snapmeta *m)
{
	struct wbuf parts;
	int rc;

	wbuf_init(&parts, 0);
	rc = schema_encode(&snapmeta_schema, m, &parts);
	if (rc == 0 &&
	    (wire_put_bytes(wb, MAGIC, MAGIC_BYTES) == -1 ||
		wire_put_u32(wb, SNAPMETA_FORMAT) == -1 ||
		wire_put_u32(wb, (uint32_t)parts.len) == -1 ||
		wire_put_bytes(wb, parts.data, parts.len) == -1 ||
		wire_put_u32(wb, crc32c(0, wb->data, wb->len)) == -1)) {
		errno = ENOMEM;
		rc = -1;
	}
	wbuf_clear(&parts);
	return rc;
}

/* A new file with these bytes, synced. Returns 0, or -1 with errno. */
static int
write_file(const char *path, const struct wbuf *wb)
{
	int fd = open(
	    path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0600);
	int rc, saved;

	if (fd == -1)
		return -1;
	rc = disk_write_at(fd, wb->data, wb->len, 0);
	if (rc == 0)
		rc = fsync(fd);
	saved = errno;
	close(fd);
	errno = saved;
	return rc;
}

int
snapmeta_write(const char *dir, uint64_t seq, const struct snapmeta *m)
{
	char path[SNAPFILE_PATH_BYTES], parent[SNAPFILE_PATH_BYTES];
	char fresh[SNAPFILE_PATH_BYTES + sizeof(NEW_SUFFIX)];
	struct wbuf wb;
	int rc, saved;

	snapfile_path(path, dir, seq, SNAPFILE_META);
	snprintf(fresh, sizeof(fresh), "%s" NEW_SUFFIX, path);
	snprintf(parent, sizeof(parent), "%.*s",
	    (int)(strrchr(path, '/') - path), path);
	wbuf_init(&wb, 0);
	rc = meta_put(&wb, m);
	if (rc == 0)
		rc = write_file(fresh, &wb);
	if (rc == 0)
		rc = rename(fresh, path);
	if (rc == 0)
		rc = disk_sync_dir(parent);
	saved = errno;
	if (rc == -1)
		unlink(fresh);
	wbuf_clear(&wb);
	errno = saved;
	return rc;
}
