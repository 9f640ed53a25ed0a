/* Owns the hash table of pairs. */
#include "common/compat.h"

#include <stdlib.h>
#include <string.h>

#include "worker/keys.h"

#define FIRST_SLOTS 16

/* The finish of splitmix64: every bit of the pair reaches every bit. */
static uint32_t
hash_pair(uint32_t a, uint32_t b)
{
	uint64_t z = (uint64_t)a << 32 | b;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return (uint32_t)(z ^ z >> 31);
}

static uint32_t
find_slot(const struct keys *k, uint32_t a, uint32_t b)
{
	uint32_t at = hash_pair(a, b) & (k->nslots - 1);

	while (k->slot[at].value != KEYS_NONE &&
	    (k->slot[at].a != a || k->slot[at].b != b))
		at = (at + 1) & (k->nslots - 1);
	return at;
}

void
keys_clear(struct keys *k)
{
	free(k->slot);
	memset(k, 0, sizeof(*k));
}

uint32_t
keys_find(const struct keys *k, uint32_t a, uint32_t b)
{
	if (k->nslots == 0)
		return KEYS_NONE;
	return k->slot[find_slot(k, a, b)].value;
}

/* Half of the slots are free. */
static uint32_t
slots_for(const struct keys *k, uint32_t n)
{
	uint32_t slots = k->nslots == 0 ? FIRST_SLOTS : k->nslots;

	while (n > slots / 2)
		slots *= 2;
	return slots;
}

int
keys_reserve(struct keys *k, uint32_t n)
{
	struct keys bigger = { .n = k->n, .nslots = slots_for(k, n) };

	if (bigger.nslots == k->nslots)
		return 0;
	bigger.slot = reallocarray(NULL, bigger.nslots, sizeof(*bigger.slot));
	if (bigger.slot == NULL)
		return -1;
	for (uint32_t i = 0; i < bigger.nslots; i++)
		bigger.slot[i].value = KEYS_NONE;
	for (uint32_t i = 0; i < k->nslots; i++) {
		const struct keys_slot *s = &k->slot[i];

		if (s->value != KEYS_NONE)
			bigger.slot[find_slot(&bigger, s->a, s->b)] = *s;
	}
	free(k->slot);
	*k = bigger;
	return 0;
}

int
keys_add(struct keys *k, uint32_t a, uint32_t b, uint32_t value)
{
	if (keys_reserve(k, k->n + 1) == -1)
		return -1;
	k->slot[find_slot(k, a, b)] = (struct keys_slot){ a, b, value };
	k->n++;
	return 0;
}

/* What had to pass the slot by moves up. */
void
keys_remove(struct keys *k, uint32_t a, uint32_t b)
{
	uint32_t mask = k->nslots - 1, at = find_slot(k, a, b), next = at;

	for (;;) {
		const struct keys_slot *s;

		next = (next + 1) & mask;
		s = &k->slot[next];
		if (s->value == KEYS_NONE)
			break;
		if (((next - hash_pair(s->a, s->b)) & mask) <
		    ((next - at) & mask))
			continue;
		k->slot[at] = *s;
		at = next;
	}
	k->slot[at].value = KEYS_NONE;
	k->n--;
}

size_t
keys_bytes(const struct keys *k)
{
	return k->nslots * sizeof(*k->slot);
}

size_t
keys_growth(const struct keys *k)
{
	return (slots_for(k, k->n + 1) - k->nslots) * sizeof(*k->slot);
}
