/* Owns the counting of different texts. */
#include "common/compat.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/wire.h"
#include "worker/distinct.h"
#include "worker/siphash.h"

#define HASH_BYTES sizeof(uint64_t)

#define DISTINCT_FIELDS(F, S)                                                  \
	F(S, F64, n, 1, INFINITY)                                              \
	F(S, BOOL, is_sketch, 0, 1)                                            \
	F(S, BYTES, content, 1, DISTINCT_REGISTERS)
SCHEMA_STRUCT(distinct_state, DISTINCT_FIELDS);
SCHEMA_DEFINE(distinct_state, DISTINCT_FIELDS);

/*
 * The hash goes into the state of jobs, so its key is no secret. Whoever makes
 * texts that meet makes them count for less, in a count of their own texts.
 */
uint64_t
distinct_hash(const char *p, size_t len)
{
	static const uint64_t key[2] = { 0x243f6a8885a308d3u,
		0x13198a2e03707344u }; /* the first digits of pi */

	return siphash(key, p, len);
}

static uint8_t *
registers(struct distinct *d)
{
	return (uint8_t *)d->word;
}

/* The first bits choose a register, which keeps the longest run of zeros. */
static void
note(struct distinct *d, uint64_t hash)
{
	uint32_t bits = (uint32_t)__builtin_ctz(d->room);
	uint64_t rest = hash << bits | UINT64_C(1) << (bits - 1);
	uint8_t run = (uint8_t)(__builtin_clzll(rest) + 1);
	uint8_t *reg = registers(d) + (hash >> (64 - bits));

	if (run > *reg)
		*reg = run;
}

static void
become_sketch(struct distinct *d)
{
	uint64_t hash[DISTINCT_REGISTERS / HASH_BYTES];
	uint32_t n = d->nhashes;

	memcpy(hash, d->word, n * HASH_BYTES);
	memset(d->word, 0, d->room);
	d->is_sketch = true;
	d->nhashes = 0;
	for (uint32_t i = 0; i < n; i++)
		note(d, hash[i]);
}

static struct distinct *
with_room(struct distinct *d, uint32_t room)
{
	struct distinct *grown = realloc(d, sizeof(*grown) + room);

	if (grown == NULL)
		return NULL;
	if (d == NULL)
		memset(grown, 0, sizeof(*grown));
	grown->room = room;
	return grown;
}

static uint32_t
find_hash(const struct distinct *d, uint64_t hash)
{
	uint32_t lo = 0, hi = d->nhashes;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (d->word[mid] < hash)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* Room for one more hash, or a sketch. */
static int
make_room(struct distinct **d, uint32_t most)
{
	uint32_t room = *d == NULL ? DISTINCT_FIRST_REGISTERS : 2 * (*d)->room;
	struct distinct *grown;

	if (*d != NULL && (*d)->nhashes * HASH_BYTES < (*d)->room)
		return 0;
	if (room > most) {
		become_sketch(*d);
		return 0;
	}
	grown = with_room(*d, room);
	if (grown == NULL)
		return -1;
	*d = grown;
	return 0;
}

int
distinct_add(struct distinct **dp, uint64_t hash, uint32_t most)
{
	struct distinct *d = *dp;
	uint32_t at;

	if (d != NULL && !d->is_sketch) {
		at = find_hash(d, hash);
		if (at < d->nhashes && d->word[at] == hash) {
			d->n++;
			return 0;
		}
	}
	if (d == NULL || !d->is_sketch) {
		if (make_room(dp, most) == -1)
			return -1;
		d = *dp;
	}
	d->n++;
	if (d->is_sketch) {
		note(d, hash);
		return 0;
	}
	at = find_hash(d, hash);
	memmove(&d->word[at + 1], &d->word[at], (d->nhashes - at) * HASH_BYTES);
	d->word[at] = hash;
	d->nhashes++;
	return 0;
}

/* Ertl's sigma, x < 1: what empty registers add. */
static double
sigma(double x)
{
	double y = 1, z = x, was;

	do {
		x *= x;
		was = z;
		z += x * y;
		y += y;
	} while (z > was);
	return z;
}

/* Ertl's tau: what full registers add. */
static double
tau(double x)
{
	double y = 1, z = 1 - x, was;

	if (x <= 0 || x >= 1)
		return 0;
	do {
		x = sqrt(x);
		was = z;
		y /= 2;
		z -= (1 - x) * (1 - x) * y;
	} while (z < was);
	return z / 3;
}

static double
estimate(const struct distinct *d)
{
	double m = d->room, of[66] = { 0 }, z;
	const uint8_t *reg = (const uint8_t *)d->word;
	int most = 64 - __builtin_ctz(d->room) + 1;

	for (uint32_t i = 0; i < d->room; i++)
		of[reg[i]]++;
	z = m * tau(1 - of[most] / m);
	for (int k = most - 1; k >= 1; k--)
		z = (z + of[k]) / 2;
	z += m * sigma(of[0] / m);
	return m * m / (2 * log(2) * z);
}

double
distinct_count(const struct distinct *d)
{
	return d->is_sketch ? fmax(1, round(estimate(d))) : d->nhashes;
}

size_t
distinct_bytes(const struct distinct *d)
{
	return d == NULL ? 0 : sizeof(*d) + d->room;
}

int
distinct_save(const struct distinct *d, struct snapshot_writer *w)
{
	struct distinct_state s = { .n = d->n, .is_sketch = d->is_sketch };
	struct wbuf wb;
	int ret = -1;

	wbuf_init(&wb, DISTINCT_REGISTERS);
	for (uint32_t i = 0; i < d->nhashes; i++) {
		if (wire_put_u64(&wb, d->word[i]) == -1)
			goto out;
	}
	s.content = d->is_sketch
	    ? (struct span){ (const char *)d->word, d->room }
	    : (struct span){ (const char *)wb.data, wb.len };
	ret = snapshot_put(w, &distinct_state_schema, &s);
out:
	wbuf_clear(&wb);
	return ret;
}

static int
load_registers(struct distinct *d, struct span content)
{
	uint8_t most = (uint8_t)(64 - __builtin_ctz(d->room) + 1);

	if (content.len != d->room)
		return -1;
	memcpy(d->word, content.p, content.len);
	for (uint32_t i = 0; i < d->room; i++) {
		if (registers(d)[i] > most)
			return -1;
	}
	return 0;
}

static int
load_hashes(struct distinct *d, struct span content)
{
	struct rbuf rb;

	rbuf_init(&rb, content.p, content.len);
	d->nhashes = (uint32_t)(content.len / HASH_BYTES);
	for (uint32_t i = 0; i < d->nhashes; i++) {
		if (wire_get_u64(&rb, &d->word[i]) == -1 ||
		    (i > 0 && d->word[i] <= d->word[i - 1]))
			return -1;
	}
	return rb.left == 0 && d->n >= d->nhashes ? 0 : -1;
}

int
distinct_load(struct distinct **out, uint32_t most, struct snapshot_reader *r)
{
	struct distinct_state s;
	uint32_t room = DISTINCT_FIRST_REGISTERS;
	struct distinct *d;
	int ret;

	if (snapshot_get(r, &distinct_state_schema, &s) == -1)
		return -1;
	if (s.content.len > most) {
		errno = EBADMSG;
		return -1;
	}
	/* a sketch has as many registers as it had room when it became one */
	while (room < s.content.len)
		room *= 2;
	d = *out = with_room(NULL, room);
	if (d == NULL)
		return -1;
	d->n = s.n;
	d->is_sketch = s.is_sketch;
	ret = s.is_sketch ? load_registers(d, s.content)
			  : load_hashes(d, s.content);
	if (ret == -1)
		errno = EBADMSG;
	return ret;
}
