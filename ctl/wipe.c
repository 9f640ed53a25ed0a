/* Owns memory that forgets: each block knows its size, to be overwritten. */
#include "common/compat.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/wipe.h"

struct block {
	size_t len;
	max_align_t data[];
};

static struct block *
block_of(void *data)
{
	return (struct block *)(void *)((char *)data -
	    offsetof(struct block, data));
}

void *
wipe_malloc(size_t len)
{
	struct block *b;

	if (len > SIZE_MAX - sizeof(*b)) {
		errno = ENOMEM;
		return NULL;
	}
	b = malloc(sizeof(*b) + len);
	if (b == NULL)
		return NULL;
	b->len = len;
	return b->data;
}

void *
wipe_calloc(size_t n, size_t size)
{
	void *p;

	if (size > 0 && n > SIZE_MAX / size) {
		errno = ENOMEM;
		return NULL;
	}
	p = wipe_malloc(n * size);
	if (p != NULL)
		memset(p, 0, n * size);
	return p;
}

void
wipe_free(void *p)
{
	struct block *b;

	if (p == NULL)
		return;
	b = block_of(p);
	explicit_bzero(b->data, b->len);
	free(b);
}

void *
wipe_realloc(void *p, size_t len)
{
	size_t had = p == NULL ? 0 : block_of(p)->len;
	void *bigger = wipe_malloc(len);

	if (bigger == NULL)
		return NULL;
	if (p != NULL)
		memcpy(bigger, p, had < len ? had : len);
	wipe_free(p);
	return bigger;
}

char *
wipe_strdup(const char *text)
{
	size_t len = strlen(text) + 1;
	char *copy = wipe_malloc(len);

	if (copy != NULL)
		memcpy(copy, text, len);
	return copy;
}
