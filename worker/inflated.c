/* Owns where the content of a compressed segment is while it is read. */
#include "common/compat.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/disk.h"
#include "common/filemap.h"
#include "worker/inflated.h"
#include "worker/segpack.h"

#define INFLATED_FILE "spool/inflated"
#define MEMORY_STEP (16 * SEGPACK_BLOCK_BYTES)

struct inflated {
	void *packed; /* the file, mapped; NULL: it is empty */
	size_t packed_len;
	struct segunpack unpack;
	uint8_t *block;
	size_t len; /* unpacked so far */
	int fd;	    /* -1: in memory */
	uint8_t *memory;
	size_t memory_cap;
};

struct inflated *
inflated_new_memory(const char *path)
{
	struct inflated *f = calloc(1, sizeof(*f));
	int saved;

	if (f == NULL)
		return NULL;
	f->fd = -1;
	f->block = malloc(SEGPACK_BLOCK_BYTES);
	if (f->block == NULL ||
	    disk_map(path, &f->packed, &f->packed_len) == -1) {
		saved = errno;
		inflated_free(f);
		errno = saved;
		return NULL;
	}
	segunpack_init(&f->unpack, f->packed, f->packed_len);
	return f;
}

struct inflated *
inflated_new(const char *path)
{
	struct inflated *f = inflated_new_memory(path);
	int saved;

	if (f == NULL)
		return NULL;
	f->fd =
	    open(INFLATED_FILE, O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0600);
	if (f->fd == -1 && errno != ENOSPC && errno != EDQUOT)
		goto fail;
	if (f->fd != -1 && unlink(INFLATED_FILE) == -1)
		goto fail;
	return f;
fail:
	saved = errno;
	inflated_free(f);
	errno = saved;
	return NULL;
}

static int
memory_grow(struct inflated *f, size_t need)
{
	size_t cap = f->memory_cap;
	void *p;

	if (need <= cap)
		return 0;
	while (cap < need)
		cap += MEMORY_STEP;
	p = f->memory == NULL
	    ? mmap(NULL, cap, PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
	    : mremap(f->memory, f->memory_cap, cap, MREMAP_MAYMOVE);
	if (p == MAP_FAILED)
		return -1;
	f->memory = p;
	f->memory_cap = cap;
	return 0;
}

/* The disk is full: what it has of it comes into memory, too. */
static int
leave_file(struct inflated *f)
{
	size_t at = 0;

	if (memory_grow(f, f->len) == -1)
		return -1;
	while (at < f->len) {
		ssize_t n =
		    pread(f->fd, f->memory + at, f->len - at, (off_t)at);

		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0) {
			errno = n == 0 ? EIO : errno;
			return -1;
		}
		at += (size_t)n;
	}
	close(f->fd);
	f->fd = -1;
	return 0;
}

static int
block_put(struct inflated *f, size_t n)
{
	if (f->fd != -1) {
		if (disk_write_at(f->fd, f->block, n, f->len) == 0)
			return 0;
		if ((errno != ENOSPC && errno != EDQUOT) || leave_file(f) == -1)
			return -1;
	}
	if (memory_grow(f, f->len + n) == -1)
		return -1;
	memcpy(f->memory + f->len, f->block, n);
	return 0;
}

int
inflated_step(struct inflated *f)
{
	size_t n;

	if (segunpack_next(&f->unpack, f->block, &n) != 1) {
		if (!inflated_failed(f, &n))
			return 0;
		errno = EIO;
		return -1;
	}
	if (block_put(f, n) == -1)
		return -1;
	f->len += n;
	return 1;
}

bool
inflated_failed(const struct inflated *f, size_t *at)
{
	return filemap_failed(f->packed, at);
}

const char *
inflated_damage(const struct inflated *f, size_t *at)
{
	*at = f->unpack.at;
	return f->unpack.why;
}

int
inflated_take(struct inflated *f, void **map, size_t *len)
{
	*map = NULL;
	*len = f->len;
	if (f->len == 0)
		return 0;
	if (f->fd == -1) {
		*map = mremap(f->memory, f->memory_cap, f->len, 0);
		if (*map == MAP_FAILED) {
			*map = NULL;
			return -1;
		}
		f->memory = NULL;
		return 0;
	}
	return filemap_open(f->fd, f->len, map);
}

void
inflated_free(struct inflated *f)
{
	if (f == NULL)
		return;
	filemap_close(f->packed, f->packed_len);
	if (f->memory != NULL)
		munmap(f->memory, f->memory_cap);
	if (f->fd != -1)
		close(f->fd);
	free(f->block);
	free(f);
}
