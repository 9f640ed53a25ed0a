/* Owns the texts of a bucket, and the measure of what they say. */
#include "common/compat.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "worker/content.h"
#include "worker/distinct.h"

#define FIRST_TEXTS 4
#define FIRST_BYTES 64
#define OUT_BYTES 4096

struct content_text {
	uint64_t hash;
	uint32_t at; /* in the arena */
	uint32_t len;
};

struct content {
	double n;
	uint64_t beyond; /* least hash that did not stay; 0: all did */
	struct content_text *texts; /* owned; hashes ascend */
	uint32_t ntexts;
	uint32_t room; /* for texts */
	char *arena;   /* owned; without gaps; NULL: of a part */
	uint32_t used;
	uint32_t arena_room;
	size_t length; /* of all texts */
};

#define CONTENT_FIELDS(F, S)                                                   \
	F(S, F64, n, 1, INFINITY)                                              \
	F(S, U64, beyond, 0, INFINITY)                                         \
	F(S, U32, ntexts, 1, CONTENT_ROOM / sizeof(struct content_text))
SCHEMA_STRUCT(content_state, CONTENT_FIELDS);
SCHEMA_DEFINE(content_state, CONTENT_FIELDS);

#define CONTENT_TEXT_FIELDS(F, S) F(S, BYTES, text, 1, CONTENT_ROOM)
SCHEMA_STRUCT(content_text_state, CONTENT_TEXT_FIELDS);
SCHEMA_DEFINE(content_text_state, CONTENT_TEXT_FIELDS);

#define CONTENT_PART_FIELDS(F, S)                                              \
	F(S, U64, hash, 0, INFINITY)                                           \
	F(S, U32, len, 1, CONTENT_ROOM)
SCHEMA_STRUCT(content_part_state, CONTENT_PART_FIELDS);
SCHEMA_DEFINE(content_part_state, CONTENT_PART_FIELDS);

static int
bad(void)
{
	errno = EBADMSG;
	return -1;
}

/* Room follows from what is in it, also after some of it has gone. */
static uint32_t
room_for(uint32_t first, uint32_t wanted)
{
	while (first < wanted)
		first *= 2;
	return first;
}

static int
fit_texts(struct content *c, uint32_t wanted)
{
	uint32_t room = room_for(FIRST_TEXTS, wanted);
	struct content_text *moved;

	if (room == c->room)
		return 0;
	moved = reallocarray(c->texts, room, sizeof(*moved));
	if (moved == NULL)
		return -1;
	c->texts = moved;
	c->room = room;
	return 0;
}

static int
fit_arena(struct content *c, uint32_t wanted)
{
	uint32_t room = room_for(FIRST_BYTES, wanted);
	char *moved;

	if (room == c->arena_room)
		return 0;
	moved = realloc(c->arena, room);
	if (moved == NULL)
		return -1;
	c->arena = moved;
	c->arena_room = room;
	return 0;
}

static uint32_t
find_hash(const struct content *c, uint64_t hash)
{
	uint32_t lo = 0, hi = c->ntexts;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (c->texts[mid].hash < hash)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* What counts against the room. */
static size_t
held(const struct content *c)
{
	return c->used + c->ntexts * sizeof(c->texts[0]);
}

static void
drop_last(struct content *c)
{
	struct content_text t = c->texts[--c->ntexts];

	c->beyond = t.hash;
	c->length -= t.len;
	if (c->arena == NULL)
		return;
	memmove(
	    c->arena + t.at, c->arena + t.at + t.len, c->used - t.at - t.len);
	c->used -= t.len;
	for (uint32_t i = 0; i < c->ntexts; i++) {
		if (c->texts[i].at > t.at)
			c->texts[i].at -= t.len;
	}
}

/* The hash is not there, and there is room for what is kept of the text. */
static void
put(struct content *c, uint64_t hash, struct span text, bool part)
{
	uint32_t at = find_hash(c, hash);
	struct content_text t = { hash, c->used, (uint32_t)text.len };

	memmove(&c->texts[at + 1], &c->texts[at],
	    (c->ntexts - at) * sizeof(c->texts[0]));
	c->texts[at] = t;
	c->ntexts++;
	c->length += text.len;
	if (part)
		return;
	memcpy(c->arena + c->used, text.p, text.len);
	c->used += t.len;
}

static int
fit(struct content *c, uint32_t ntexts, uint32_t used, bool part)
{
	if (fit_texts(c, ntexts) == -1)
		return -1;
	return part ? 0 : fit_arena(c, used);
}

/* The least hashes stay, and one at least. */
static int
keep_least(struct content *c, size_t room, bool part)
{
	if (held(c) <= room)
		return 0;
	while (c->ntexts > 1 && held(c) > room)
		drop_last(c);
	return fit(c, c->ntexts, c->used, part);
}

int
content_add(struct content **cp, uint64_t hash, struct span text, bool part,
    bool scarce)
{
	size_t room = part ? CONTENT_PART_ROOM : CONTENT_ROOM;
	struct content *c = *cp;
	uint32_t at;

	if (c == NULL) {
		c = *cp = calloc(1, sizeof(*c));
		if (c == NULL)
			return -1;
	}
	at = find_hash(c, hash);
	if ((c->beyond != 0 && hash >= c->beyond) ||
	    (at < c->ntexts && c->texts[at].hash == hash)) {
		c->n++;
		return 0;
	}
	if (scarce)
		room = held(c);
	if (fit(c, c->ntexts + 1, c->used + (uint32_t)text.len, part) == -1)
		return -1;
	c->n++;
	put(c, hash, text, part);
	return keep_least(c, room, part);
}

void
content_free(struct content *c)
{
	if (c == NULL)
		return;
	free(c->texts);
	free(c->arena);
	free(c);
}

double
content_records(const struct content *c)
{
	return c->n;
}

/* How many texts there are for each that was kept. */
static double
scale(const struct content *c)
{
	return c->beyond == 0 ? 1 : 0x1p64 / (double)c->beyond;
}

double
content_length(const struct content *c)
{
	return (double)c->length * scale(c);
}

static int
by_bytes(const void *a, const void *b)
{
	const struct span *x = a, *y = b;
	int order = memcmp(x->p, y->p, x->len < y->len ? x->len : y->len);

	if (order != 0)
		return order;
	return x->len < y->len ? -1 : x->len > y->len;
}

/* Owned by the caller; NULL with ENOMEM. */
static struct span *
sorted(const struct content *c)
{
	struct span *list = calloc(c->ntexts, sizeof(*list));

	if (list == NULL)
		return NULL;
	for (uint32_t i = 0; i < c->ntexts; i++)
		list[i] =
		    (struct span){ c->arena + c->texts[i].at, c->texts[i].len };
	qsort(list, c->ntexts, sizeof(*list), by_bytes);
	return list;
}

/* Compress; what comes out is only counted. -1: no memory. */
static int64_t
compressed_length(const struct span *list, uint32_t n)
{
	unsigned char out[OUT_BYTES];
	z_stream z = { .zalloc = Z_NULL };
	int64_t len = -1;
	int rc = Z_STREAM_ERROR;

	if (deflateInit(&z, Z_DEFAULT_COMPRESSION) != Z_OK)
		return -1;
	for (uint32_t i = 0; i < n; i++) {
		z.next_in = (unsigned char *)(uintptr_t)list[i].p;
		z.avail_in = (uInt)list[i].len;
		do {
			z.next_out = out;
			z.avail_out = sizeof(out);
			rc = deflate(&z, i + 1 < n ? Z_NO_FLUSH : Z_FINISH);
		} while (z.avail_out == 0 && rc == Z_OK);
	}
	if (rc == Z_STREAM_END)
		len = (int64_t)z.total_out;
	(void)deflateEnd(&z);
	return len;
}

double
content_compressed(const struct content *c)
{
	struct span *list = sorted(c);
	int64_t len;

	if (list == NULL)
		return NAN;
	len = compressed_length(list, c->ntexts);
	free(list);
	if (len != -1)
		return round((double)len * scale(c));
	errno = ENOMEM;
	return NAN;
}

size_t
content_bytes(const struct content *c)
{
	if (c == NULL)
		return 0;
	return sizeof(*c) + c->room * sizeof(c->texts[0]) + c->arena_room;
}

static int
save_text(const struct content *c, const struct content_text *t,
    struct snapshot_writer *w)
{
	struct content_part_state p = { t->hash, t->len };
	struct content_text_state s;

	if (c->arena == NULL)
		return snapshot_put(w, &content_part_state_schema, &p);
	s.text = (struct span){ c->arena + t->at, t->len };
	return snapshot_put(w, &content_text_state_schema, &s);
}

int
content_save(const struct content *c, struct snapshot_writer *w)
{
	struct content_state s = { c->n, c->beyond, c->ntexts };

	if (snapshot_put(w, &content_state_schema, &s) == -1)
		return -1;
	for (uint32_t i = 0; i < c->ntexts; i++) {
		if (save_text(c, &c->texts[i], w) == -1)
			return -1;
	}
	return 0;
}

static int
load_text(struct content *c, bool part, struct snapshot_reader *r)
{
	struct content_text_state s;
	struct content_part_state p;

	if (part) {
		if (snapshot_get(r, &content_part_state_schema, &p) == -1)
			return -1;
		s.text = (struct span){ NULL, p.len };
	} else {
		if (snapshot_get(r, &content_text_state_schema, &s) == -1)
			return -1;
		p.hash = distinct_hash(s.text.p, s.text.len);
	}
	if ((c->beyond != 0 && p.hash >= c->beyond) ||
	    (c->ntexts > 0 && p.hash <= c->texts[c->ntexts - 1].hash))
		return bad();
	if (fit(c, c->ntexts + 1, c->used + (uint32_t)s.text.len, part) == -1)
		return -1;
	put(c, p.hash, s.text, part);
	return 0;
}

int
content_load(struct content **cp, bool part, struct snapshot_reader *r)
{
	struct content_state s;
	struct content *c;

	if (snapshot_get(r, &content_state_schema, &s) == -1)
		return -1;
	c = *cp = calloc(1, sizeof(*c));
	if (c == NULL)
		return -1;
	c->n = s.n;
	c->beyond = s.beyond;
	for (uint32_t i = 0; i < s.ntexts; i++) {
		if (load_text(c, part, r) == -1)
			return -1;
	}
	if (c->n < c->ntexts ||
	    (c->ntexts > 1 &&
		held(c) > (part ? CONTENT_PART_ROOM : CONTENT_ROOM)))
		return bad();
	return 0;
}
