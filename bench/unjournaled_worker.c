/*
 * The worker without a journal: bodies are collected in memory, whatever their
 * size, entries get their numbers, and nothing of either comes to the disk. It
 * shows what the journal costs; see durability.py.
 */
#include "common/compat.h"

#include <errno.h>
#include <stdlib.h>

#include "common/crc32c.h"
#include "common/wire.h"
#include "worker/journal.h"
#include "worker/spool.h"

static uint64_t last_seq;
static struct wbuf spare; /* of the last body: pages cost more than bytes */

struct spool {
	uint64_t max_bytes;
	uint32_t crc;
	struct wbuf memory;
};

/* The linker's option --wrap gives these names. */
void __wrap_journal_append(
    struct journal *, struct journal_entry *, const void *);
int __wrap_journal_commit(struct journal *);

/* The first numbers of a new job are those that the journal would give. */
void
__wrap_journal_append(
    struct journal *j, struct journal_entry *e, const void *data)
{
	(void)data;
	if (last_seq == 0)
		last_seq = journal_last_seq(j);
	e->seq = ++last_seq;
}

int
__wrap_journal_commit(struct journal *j)
{
	(void)j;
	return 0;
}

struct spool *
spool_new(uint32_t request, uint64_t max_bytes, bool flush)
{
	struct spool *s = calloc(1, sizeof(*s));

	(void)request;
	(void)flush;
	if (s == NULL)
		return NULL;
	s->max_bytes = max_bytes;
	s->memory = spare;
	wbuf_init(&spare, 0);
	return s;
}

void
spool_free(struct spool *s)
{
	if (s == NULL)
		return;
	wbuf_clear(&spare);
	spare = s->memory;
	wbuf_reset(&spare);
	free(s);
}

int
spool_write(struct spool *s, const void *data, size_t len)
{
	errno = E2BIG;
	if (s->max_bytes != 0 && len > s->max_bytes - s->memory.len)
		return -1;
	s->crc = crc32c(s->crc, data, len);
	return wire_put_bytes(&s->memory, data, len);
}

uint64_t
spool_bytes(const struct spool *s)
{
	return s->memory.len;
}

uint32_t
spool_crc(const struct spool *s)
{
	return s->crc;
}

bool
spool_is_file(const struct spool *s)
{
	(void)s;
	return false;
}

int
spool_data(struct spool *s, const char **data)
{
	*data = s->memory.len == 0 ? "" : (const char *)s->memory.data;
	return 0;
}

/* Of a file, which there never is. */
const char *
spool_path(const struct spool *s)
{
	(void)s;
	abort();
}

int
spool_fd(const struct spool *s)
{
	(void)s;
	abort();
}

void
spool_moved(struct spool *s)
{
	(void)s;
	abort();
}

int
spool_clean(void)
{
	return 0;
}
