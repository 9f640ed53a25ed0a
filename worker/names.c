/* Owns the numbering of field values. */
#include "common/compat.h"

#include <sys/auxv.h>

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "worker/names.h"
#include "worker/siphash.h"

#define FIRST_SLOTS 16

/*
 * The key of the process: the random bytes that the kernel gave it at exec,
 * for which no system call is needed.
 */
static const uint64_t *
hash_key(void)
{
	static uint64_t key[2];
	static bool known;
	unsigned long at;

	if (known)
		return key;
	at = getauxval(AT_RANDOM);
	if (at != 0)
		/* NOLINTNEXTLINE(performance-no-int-to-ptr): so it is given */
		memcpy(key, (const void *)at, 16);
	known = true;
	return key;
}

/* Values come from strangers, and must not meet in one slot on purpose. */
static uint32_t
hash_text(const char *p, size_t len)
{
	uint64_t hash = siphash(hash_key(), p, len);

	return (uint32_t)(hash ^ hash >> 32);
}

void
names_clear(struct names *t)
{
	for (uint32_t i = 0; i < t->ids.n; i++)
		free(t->entry[i].p);
	free(t->entry);
	free(t->slot);
	numbers_clear(&t->ids);
	memset(t, 0, sizeof(*t));
}

bool
names_shed(struct names *t, uint32_t n)
{
	for (; n > 0 && t->ids.n > 0; n--)
		free(t->entry[--t->ids.n].p);
	return t->ids.n > 0;
}

/* The slot of the text, or the free one where it would go. */
static uint32_t
find_slot(const struct names *t, const char *p, size_t len, uint32_t hash)
{
	uint32_t at = hash & (t->nslots - 1);

	for (; t->slot[at] != 0; at = (at + 1) & (t->nslots - 1)) {
		const struct names_entry *e = &t->entry[t->slot[at] - 1];

		if (e->hash == hash && e->len == len &&
		    (len == 0 || memcmp(e->p, p, len) == 0))
			break;
	}
	return at;
}

uint32_t
names_find(const struct names *t, const char *p, size_t len)
{
	uint32_t at;

	if (t->nslots == 0)
		return NAMES_NONE;
	at = find_slot(t, p, len, hash_text(p, len));
	return t->slot[at] == 0 ? NAMES_NONE : t->slot[at] - 1;
}

/* Keep at least half of the slots free, also with one more entry. */
static uint32_t
next_slots(const struct names *t)
{
	uint32_t n = t->ids.nfree > 0 ? t->ids.n : t->ids.n + 1;
	uint32_t slots = t->nslots == 0 ? FIRST_SLOTS : t->nslots;

	while (n > slots / 2)
		slots *= 2;
	return slots;
}

static int
grow_slots(struct names *t)
{
	uint32_t n = next_slots(t), *slot;

	if (n == t->nslots)
		return 0;
	slot = calloc(n, sizeof(*slot));
	if (slot == NULL)
		return -1;
	free(t->slot);
	t->slot = slot;
	t->nslots = n;
	for (uint32_t id = 0; id < t->ids.n; id++) {
		uint32_t at = t->entry[id].hash & (n - 1);

		if (t->entry[id].p == NULL)
			continue;
		while (slot[at] != 0)
			at = (at + 1) & (n - 1);
		slot[at] = id + 1;
	}
	return 0;
}

/* What an allocation of so many bytes takes of the heap, less its head. */
static size_t
text_room(size_t len)
{
	size_t room = (len + 8 + 15) / 16 * 16 - 8;

	return room < 24 ? 24 : room;
}

static int
grow(struct names *t)
{
	struct names_entry *entry;

	if (t->ids.n >= UINT32_MAX / 4) {
		errno = ENOMEM;
		return -1;
	}
	entry = numbers_table(&t->ids, t->entry, sizeof(*entry));
	if (entry == NULL)
		return -1;
	t->entry = entry;
	return grow_slots(t);
}

/* The text is not there, and there is room for it. */
static uint32_t
put(struct names *t, const char *p, size_t len, uint32_t hash)
{
	uint32_t id, at = find_slot(t, p, len, hash);
	char *copy = malloc(len > 0 ? len : 1);

	if (copy == NULL)
		return NAMES_NONE;
	if (len > 0)
		memcpy(copy, p, len);
	id = numbers_take(&t->ids);
	t->entry[id] = (struct names_entry){ copy, (uint32_t)len, hash, 0 };
	t->text_bytes += text_room(len);
	t->slot[at] = id + 1;
	return id;
}

uint32_t
names_add(struct names *t, const char *p, size_t len)
{
	uint32_t hash = hash_text(p, len), at;

	if (len > UINT32_MAX) {
		errno = ENOMEM;
		return NAMES_NONE;
	}
	if (t->nslots > 0) {
		at = find_slot(t, p, len, hash);
		if (t->slot[at] != 0)
			return t->slot[at] - 1;
	}
	if (grow(t) == -1)
		return NAMES_NONE;
	return put(t, p, len, hash);
}

int
names_load(struct names *t, bool is_free, struct span text)
{
	if (!is_free && names_find(t, text.p, text.len) != NAMES_NONE) {
		errno = EBADMSG;
		return -1;
	}
	if (grow(t) == -1)
		return -1;
	if (is_free) {
		(void)numbers_take(&t->ids);
		return 0;
	}
	return put(t, text.p, text.len, hash_text(text.p, text.len)) ==
		NAMES_NONE
	    ? -1
	    : 0;
}

void
names_loaded(struct names *t)
{
	for (uint32_t id = 0; id < t->ids.n; id++) {
		if (t->entry[id].p == NULL)
			numbers_give_back(&t->ids, id);
	}
}

void
names_hold(struct names *t, uint32_t id)
{
	t->entry[id].uses++;
}

/* Free a slot, and move up what had to pass it by. */
static void
free_slot(struct names *t, uint32_t at)
{
	uint32_t mask = t->nslots - 1, next = at;

	for (;;) {
		uint32_t home;

		next = (next + 1) & mask;
		if (t->slot[next] == 0)
			break;
		home = t->entry[t->slot[next] - 1].hash & mask;
		if (((next - home) & mask) < ((next - at) & mask))
			continue;
		t->slot[at] = t->slot[next];
		at = next;
	}
	t->slot[at] = 0;
}

void
names_drop(struct names *t, uint32_t id)
{
	struct names_entry *e = &t->entry[id];

	if (--e->uses > 0)
		return;
	free_slot(t, find_slot(t, e->p, e->len, e->hash));
	t->text_bytes -= text_room(e->len);
	free(e->p);
	memset(e, 0, sizeof(*e));
	numbers_give_back(&t->ids, id);
}

struct span
names_get(const struct names *t, uint32_t id)
{
	return (struct span){ t->entry[id].p, t->entry[id].len };
}

size_t
names_bytes(const struct names *t)
{
	return numbers_bytes(&t->ids, sizeof(*t->entry)) +
	    t->nslots * sizeof(*t->slot) + t->text_bytes;
}

size_t
names_growth(const struct names *t, size_t len)
{
	return numbers_growth(&t->ids, sizeof(*t->entry)) +
	    (next_slots(t) - t->nslots) * sizeof(*t->slot) + text_room(len);
}
