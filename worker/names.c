/* Owns the numbering of field values. */
#include "common/compat.h"

#include <sys/auxv.h>

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "worker/names.h"

/* Texts are packed in chunks; a longer one has a chunk of its own. */
#define CHUNK_BYTES 4096
#define FIRST_SLOTS 16

struct names_chunk {
	struct names_chunk *next;
	size_t used;
	size_t size;
	char text[];
};

static uint64_t
rotate(uint64_t v, int by)
{
	return v << by | v >> (64 - by);
}

static void
sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[2] += v[3];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] = rotate(v[0], 32);
	v[2] += v[1];
	v[0] += v[3];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] = rotate(v[2], 32);
}

/*
 * The key of the process: the random bytes that the kernel gave it at exec,
 * for which no system call is needed.
 */
static void
hash_key(uint64_t key[2])
{
	unsigned long at = getauxval(AT_RANDOM);

	key[0] = key[1] = 0;
	if (at != 0)
		/* NOLINTNEXTLINE(performance-no-int-to-ptr): so it is given */
		memcpy(key, (const void *)at, 16);
}

/*
 * SipHash-1-3 (Aumasson and Bernstein): values come from strangers, and must
 * not be able to meet in one slot on purpose.
 */
static uint32_t
hash_text(const char *p, size_t len)
{
	uint64_t key[2], v[4], word;
	size_t left = len;

	hash_key(key);
	v[0] = key[0] ^ 0x736f6d6570736575u;
	v[1] = key[1] ^ 0x646f72616e646f6du;
	v[2] = key[0] ^ 0x6c7967656e657261u;
	v[3] = key[1] ^ 0x7465646279746573u;
	for (; left >= 8; left -= 8, p += 8) {
		memcpy(&word, p, 8);
		v[3] ^= word;
		sip_round(v);
		v[0] ^= word;
	}
	word = (uint64_t)len << 56;
	for (size_t i = 0; i < left; i++)
		word |= (uint64_t)(unsigned char)p[i] << 8 * i;
	v[3] ^= word;
	sip_round(v);
	v[0] ^= word;
	v[2] ^= 0xff;
	for (int i = 0; i < 3; i++)
		sip_round(v);
	word = v[0] ^ v[1] ^ v[2] ^ v[3];
	return (uint32_t)(word ^ word >> 32);
}

void
names_clear(struct names *t)
{
	while (t->chunks != NULL) {
		struct names_chunk *c = t->chunks;

		t->chunks = c->next;
		free(c);
	}
	free(t->entry);
	free(t->slot);
	memset(t, 0, sizeof(*t));
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

/* Keep at least half of the slots free, and room for one more entry. */
static int
grow(struct names *t)
{
	uint32_t n = t->nslots == 0 ? FIRST_SLOTS : t->nslots * 2, *slot;
	struct names_entry *entry;

	if (t->n < t->nslots / 2)
		return 0;
	entry = reallocarray(t->entry, n / 2, sizeof(*entry));
	if (entry == NULL)
		return -1;
	t->entry = entry;
	slot = calloc(n, sizeof(*slot));
	if (slot == NULL)
		return -1;
	free(t->slot);
	t->slot = slot;
	t->nslots = n;
	for (uint32_t id = 0; id < t->n; id++) {
		uint32_t at = t->entry[id].hash & (n - 1);

		while (slot[at] != 0)
			at = (at + 1) & (n - 1);
		slot[at] = id + 1;
	}
	return 0;
}

static char *
keep_text(struct names *t, const char *p, size_t len)
{
	struct names_chunk *c = t->chunks;
	char *copy;

	if (c == NULL || c->size - c->used < len) {
		size_t size = len > CHUNK_BYTES ? len : CHUNK_BYTES;

		c = malloc(sizeof(*c) + size);
		if (c == NULL)
			return NULL;
		c->next = t->chunks;
		c->used = 0;
		c->size = size;
		t->chunks = c;
	}
	copy = c->text + c->used;
	if (len > 0)
		memcpy(copy, p, len);
	c->used += len;
	return copy;
}

uint32_t
names_add(struct names *t, const char *p, size_t len)
{
	uint32_t hash = hash_text(p, len), at;
	char *text;

	if (t->n >= UINT32_MAX / 4 || len > UINT32_MAX) {
		errno = ENOMEM;
		return NAMES_NONE;
	}
	if (grow(t) == -1)
		return NAMES_NONE;
	at = find_slot(t, p, len, hash);
	if (t->slot[at] != 0)
		return t->slot[at] - 1;
	text = keep_text(t, p, len);
	if (text == NULL)
		return NAMES_NONE;
	t->entry[t->n] = (struct names_entry){ text, (uint32_t)len, hash };
	t->text_bytes += len;
	t->slot[at] = ++t->n;
	return t->n - 1;
}

struct span
names_get(const struct names *t, uint32_t id)
{
	return (struct span){ t->entry[id].p, t->entry[id].len };
}

size_t
names_cost(size_t len)
{
	/* an entry, and two slots: half of them are free */
	return sizeof(struct names_entry) + 2 * sizeof(uint32_t) + len;
}

size_t
names_bytes(const struct names *t)
{
	return t->n * names_cost(0) + t->text_bytes;
}
