/* Owns the histogram that medians are taken from. */
#include "common/compat.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/wire.h"
#include "worker/order.h"

#define SIGN_BIT (UINT64_C(1) << 63)
/* Bins of half a range of doubles: no set of values needs wider ones. */
#define SHIFT_MOST 62
#define BIN_BYTES 16

#define ORDER_FIELDS(F, S)                                                     \
	F(S, U32, shift, 0, SHIFT_MOST)                                        \
	F(S, BYTES, bins, BIN_BYTES, ORDER_BINS *BIN_BYTES)
SCHEMA_STRUCT(order_state, ORDER_FIELDS);
SCHEMA_DEFINE(order_state, ORDER_FIELDS);

/* How many it may have before it grows or gets coarser. Since format 5. */
#define ROOM_FIELDS(F, S) F(S, U32, room, ORDER_FIRST_BINS, ORDER_BINS)
SCHEMA_STRUCT(order_room, ROOM_FIELDS);
SCHEMA_DEFINE(order_room, ROOM_FIELDS);

/* Bits in the order of values: negative ones count backwards. */
static uint64_t
bits_of(double value)
{
	uint64_t bits;

	value += 0.0; /* there is one zero */
	memcpy(&bits, &value, sizeof(bits));
	return bits & SIGN_BIT ? ~bits : bits | SIGN_BIT;
}

static double
value_of(uint64_t bits)
{
	double value;

	bits = bits & SIGN_BIT ? bits & ~SIGN_BIT : ~bits;
	memcpy(&value, &bits, sizeof(value));
	return value;
}

/* The first bin whose key is not less. */
static uint32_t
find_bin(const struct order_bin *bin, uint32_t nbins, uint64_t key)
{
	uint32_t lo = 0, hi = nbins;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (bin[mid].key < key)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* Make keys by so many bits shorter. Returns how many bins are left. */
static uint32_t
coarsen(struct order_bin *bin, uint32_t nbins, uint32_t by)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < nbins; i++) {
		uint64_t key = bin[i].key >> by;

		if (n > 0 && bin[n - 1].key == key)
			bin[n - 1].n += bin[i].n;
		else
			bin[n++] = (struct order_bin){ key, bin[i].n };
	}
	return n;
}

static struct order *
with_room(struct order *o, uint32_t room)
{
	struct order *grown = realloc(o, sizeof(*o) + room * sizeof(o->bin[0]));

	if (grown == NULL)
		return NULL;
	if (o == NULL)
		memset(grown, 0, sizeof(*grown));
	grown->room = room;
	return grown;
}

static int
make_room(struct order **o, uint32_t most)
{
	struct order *grown;
	uint32_t room = *o == NULL ? ORDER_FIRST_BINS : 2 * (*o)->room;

	if (*o != NULL && (*o)->nbins < (*o)->room)
		return 0;
	if (room <= most) {
		grown = with_room(*o, room);
		if (grown == NULL)
			return -1;
		*o = grown;
	}
	return 0;
}

int
order_add(struct order **op, double value, uint32_t most)
{
	struct order *o = *op;
	uint64_t key;
	uint32_t at;

	if (o != NULL) {
		key = bits_of(value) >> o->shift;
		at = find_bin(o->bin, o->nbins, key);
		if (at < o->nbins && o->bin[at].key == key) {
			o->bin[at].n++;
			o->n++;
			return 0;
		}
	}
	if (make_room(op, most) == -1)
		return -1;
	o = *op;
	while (o->nbins == o->room) {
		o->shift++;
		o->nbins = coarsen(o->bin, o->nbins, 1);
	}
	key = bits_of(value) >> o->shift;
	at = find_bin(o->bin, o->nbins, key);
	o->n++;
	if (at < o->nbins && o->bin[at].key == key) {
		o->bin[at].n++;
		return 0;
	}
	memmove(
	    &o->bin[at + 1], &o->bin[at], (o->nbins - at) * sizeof(o->bin[0]));
	o->bin[at] = (struct order_bin){ key, 1 };
	o->nbins++;
	return 0;
}

/* The value of this rank, 0 the least: the bin's values lie even in it. */
static double
value_at(const struct order_bin *bin, uint32_t shift, double rank)
{
	double before = 0, lo, hi;
	uint32_t i = 0;

	while (before + bin[i].n <= rank)
		before += bin[i++].n;
	lo = value_of(bin[i].key << shift);
	if (shift == 0)
		return lo;
	hi = value_of((bin[i].key << shift) | ((UINT64_C(1) << shift) - 1));
	return lo + (hi - lo) * ((rank - before + 0.5) / bin[i].n);
}

static double
median_of(const struct order_bin *bin, uint32_t shift, double n)
{
	double lower = floor((n - 1) / 2), upper = ceil((n - 1) / 2);
	double v = value_at(bin, shift, lower);

	return upper > lower ? v + (value_at(bin, shift, upper) - v) / 2 : v;
}

double
order_median(const struct order *o)
{
	return median_of(o->bin, o->shift, o->n);
}

bool
order_median_without(
    const struct order *a, const struct order *b, double *median)
{
	struct order_bin rest[ORDER_BINS];
	uint32_t shift = a->shift > b->shift ? a->shift : b->shift, nbins;
	double n = 0;

	memcpy(rest, a->bin, a->nbins * sizeof(rest[0]));
	nbins = coarsen(rest, a->nbins, shift - a->shift);
	for (uint32_t i = 0; i < b->nbins; i++) {
		uint64_t key = b->bin[i].key >> (shift - b->shift);
		uint32_t at = find_bin(rest, nbins, key);

		if (at < nbins && rest[at].key == key)
			rest[at].n = fmax(0, rest[at].n - b->bin[i].n);
	}
	for (uint32_t i = 0; i < nbins; i++)
		n += rest[i].n;
	if (n <= 0)
		return false;
	*median = median_of(rest, shift, n);
	return true;
}

size_t
order_bytes(const struct order *o)
{
	return o == NULL ? 0 : sizeof(*o) + o->room * sizeof(o->bin[0]);
}

int
order_save(const struct order *o, struct snapshot_writer *w)
{
	struct order_state s = { .shift = o->shift };
	struct order_room room = { o->room };
	struct wbuf wb;
	int ret = -1;

	wbuf_init(&wb, ORDER_BINS * BIN_BYTES);
	for (uint32_t i = 0; i < o->nbins; i++) {
		if (wire_put_u64(&wb, o->bin[i].key) == -1 ||
		    wire_put_f64(&wb, o->bin[i].n) == -1)
			goto out;
	}
	s.bins = (struct span){ (const char *)wb.data, wb.len };
	ret = snapshot_put(w, &order_room_schema, &room);
	if (ret == 0)
		ret = snapshot_put(w, &order_state_schema, &s);
out:
	wbuf_clear(&wb);
	return ret;
}

static int
load_bin(struct order *o, uint32_t i, struct rbuf *rb)
{
	struct order_bin *b = &o->bin[i];

	if (wire_get_u64(rb, &b->key) == -1 || wire_get_f64(rb, &b->n) == -1)
		return -1;
	if (b->key > UINT64_MAX >> o->shift || !(b->n >= 1) || b->n > 1e15 ||
	    b->n != floor(b->n) || (i > 0 && b->key <= o->bin[i - 1].key) ||
	    !isfinite(value_of(b->key << o->shift)))
		return -1;
	o->n += b->n;
	o->nbins = i + 1;
	return 0;
}

/* Before format 5 whoever had coarse bins had once had all of them. */
static uint32_t
room_before_5(uint32_t nbins, bool coarse, uint32_t most)
{
	uint32_t room = ORDER_FIRST_BINS;

	while (room < nbins || (coarse && room < most))
		room *= 2;
	return room;
}

int
order_load(struct order **out, uint32_t most, struct snapshot_reader *r)
{
	bool has_room = snapshot_format(r) >= 5;
	struct order_room room = { 0 };
	struct order_state s;
	struct rbuf rb;
	uint32_t n;

	if ((has_room && snapshot_get(r, &order_room_schema, &room) == -1) ||
	    snapshot_get(r, &order_state_schema, &s) == -1)
		return -1;
	n = (uint32_t)(s.bins.len / BIN_BYTES);
	if (s.bins.len % BIN_BYTES != 0 || n > most)
		goto bad;
	if (!has_room)
		room.room = room_before_5(n, s.shift > 0, most);
	if (room.room < n || room.room > most ||
	    (room.room & (room.room - 1)) != 0)
		goto bad;
	*out = with_room(NULL, room.room);
	if (*out == NULL)
		return -1;
	(*out)->shift = s.shift;
	rbuf_init(&rb, s.bins.p, s.bins.len);
	for (uint32_t i = 0; i < n; i++) {
		if (load_bin(*out, i, &rb) == -1)
			goto bad;
	}
	return 0;
bad:
	errno = EBADMSG;
	return -1;
}
