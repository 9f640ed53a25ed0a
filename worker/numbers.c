/* Owns the numbering of things that come and go. */
#include "common/compat.h"

#include <stdlib.h>
#include <string.h>

#include "worker/numbers.h"

#define FIRST_ROOM 8

void
numbers_clear(struct numbers *s)
{
	free(s->heap);
	memset(s, 0, sizeof(*s));
}

static uint32_t
next_room(const struct numbers *s)
{
	if (s->nfree > 0 || s->n < s->room)
		return s->room;
	return s->room == 0 ? FIRST_ROOM : 2 * s->room;
}

void *
numbers_table(struct numbers *s, void *table, size_t size)
{
	uint32_t room = next_room(s), *heap;
	char *grown;

	if (room == s->room)
		return table;
	heap = reallocarray(s->heap, room, sizeof(*heap));
	if (heap == NULL)
		return NULL;
	s->heap = heap;
	grown = reallocarray(table, room, size);
	if (grown == NULL)
		return NULL;
	memset(grown + s->room * size, 0, (room - s->room) * size);
	s->room = room;
	return grown;
}

static void
swap(uint32_t *a, uint32_t *b)
{
	uint32_t was = *a;

	*a = *b;
	*b = was;
}

/* The last of the heap is in the place of the first: let it sink. */
static void
sink(struct numbers *s)
{
	uint32_t at = 0, child;

	while ((child = 2 * at + 1) < s->nfree) {
		if (child + 1 < s->nfree && s->heap[child + 1] < s->heap[child])
			child++;
		if (s->heap[at] <= s->heap[child])
			return;
		swap(&s->heap[at], &s->heap[child]);
		at = child;
	}
}

uint32_t
numbers_take(struct numbers *s)
{
	uint32_t least;

	if (s->nfree == 0)
		return s->n++;
	least = s->heap[0];
	s->heap[0] = s->heap[--s->nfree];
	sink(s);
	return least;
}

void
numbers_give_back(struct numbers *s, uint32_t number)
{
	uint32_t at = s->nfree++;

	s->heap[at] = number;
	while (at > 0 && s->heap[(at - 1) / 2] > s->heap[at]) {
		swap(&s->heap[(at - 1) / 2], &s->heap[at]);
		at = (at - 1) / 2;
	}
}

uint32_t
numbers_taken(const struct numbers *s)
{
	return s->n - s->nfree;
}

size_t
numbers_bytes(const struct numbers *s, size_t size)
{
	return s->room * (size + sizeof(*s->heap));
}

size_t
numbers_growth(const struct numbers *s, size_t size)
{
	return (next_room(s) - s->room) * (size + sizeof(*s->heap));
}
