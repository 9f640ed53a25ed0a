/*
 * Owns the diagnostics of input buckets. Buckets have numbers, floor(time /
 * span); the window is a ring of those that hold records, oldest first.
 */
#include "common/compat.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "worker/bucketdiag.h"

#define MIN_WINDOW 10  /* buckets; the API's number */
#define SPARSE_LOG 2.0 /* sparse below the average over e to this */
#define FIRST_ENTRIES 16
#define NO_BUCKET TIME_UNSET

#define BUCKETDIAG_STATE_FIELDS(F, S)                                          \
	F(S, I64, earliest, -INFINITY, INFINITY) /* NO_BUCKET: no records */   \
	F(S, I64, latest, -INFINITY, INFINITY)                                 \
	F(S, I64, reported, -INFINITY, INFINITY) /* last one judged */         \
	F(S, I64, ahead, -INFINITY, INFINITY)	 /* counted, not judged */     \
	F(S, U64, sum, 0, INFINITY)		 /* records in the window */   \
	F(S, U64, nbuckets, 0, INFINITY)	 /* to be moved */             \
	F(S, U64, nempty, 0, INFINITY)                                         \
	F(S, U64, nsparse, 0, INFINITY)                                        \
	F(S, I64, latest_empty, -INFINITY, INFINITY)                           \
	F(S, I64, latest_sparse, -INFINITY, INFINITY)                          \
	F(S, U64, nentries, 0, INFINITY)
SCHEMA_STRUCT(bucketdiag_state, BUCKETDIAG_STATE_FIELDS);
SCHEMA_DEFINE(bucketdiag_state, BUCKETDIAG_STATE_FIELDS);

#define BUCKETDIAG_ENTRY_FIELDS(F, S)                                          \
	F(S, I64, bucket, -INFINITY, INFINITY)                                 \
	F(S, U64, count, 1, INFINITY)
SCHEMA_STRUCT(bucketdiag_entry, BUCKETDIAG_ENTRY_FIELDS);
SCHEMA_DEFINE(bucketdiag_entry, BUCKETDIAG_ENTRY_FIELDS);

struct bucketdiag {
	int64_t span_ms;
	int64_t window; /* buckets */
	struct bucketdiag_state s;
	struct bucketdiag_entry *entry; /* owned: ring of s.nentries */
	size_t first;			/* where the oldest one is */
	size_t cap;			/* a power of two */
};

/* ---- the ring ---- */

static struct bucketdiag_entry *
entry_at(const struct bucketdiag *d, uint64_t i)
{
	return &d->entry[(d->first + i) & (d->cap - 1)];
}

static struct bucketdiag_entry *
newest(const struct bucketdiag *d)
{
	return entry_at(d, d->s.nentries - 1);
}

static int
reserve_entries(struct bucketdiag *d, uint64_t need)
{
	struct bucketdiag_entry *entry;
	size_t cap = d->cap == 0 ? FIRST_ENTRIES : d->cap;

	while (cap < need)
		cap *= 2;
	if (cap == d->cap)
		return 0;
	entry = calloc(cap, sizeof(*entry));
	if (entry == NULL)
		return -1;
	for (uint64_t i = 0; i < d->s.nentries; i++)
		entry[i] = *entry_at(d, i);
	free(d->entry);
	d->entry = entry;
	d->first = 0;
	d->cap = cap;
	return 0;
}

/* How many entries are of buckets before this one. */
static uint64_t
entries_before(const struct bucketdiag *d, int64_t bucket)
{
	uint64_t lo = 0, hi = d->s.nentries;

	while (lo < hi) {
		uint64_t mid = lo + (hi - lo) / 2;

		if (entry_at(d, mid)->bucket < bucket)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* One record more in a bucket of the window. */
static void
count_record(struct bucketdiag *d, int64_t bucket)
{
	uint64_t at = entries_before(d, bucket);

	d->s.sum++;
	if (at < d->s.nentries && entry_at(d, at)->bucket == bucket) {
		entry_at(d, at)->count++;
		return;
	}
	if (reserve_entries(d, d->s.nentries + 1) == -1)
		fatal("bucket diagnostics");
	for (uint64_t i = d->s.nentries++; i > at; i--)
		*entry_at(d, i) = *entry_at(d, i - 1);
	*entry_at(d, at) = (struct bucketdiag_entry){ bucket, 1 };
}

/* ---- reports ---- */

/* Buckets from..to, of which none was reported, are counted. */
static void
count_buckets(struct bucketdiag *d, int64_t from, int64_t to)
{
	d->s.nbuckets += (uint64_t)(to - from) + 1;
	if (d->s.ahead != NO_BUCKET && d->s.ahead >= from && d->s.ahead <= to)
		d->s.nbuckets--;
	d->s.reported = to;
}

/* Buckets from..to hold no record. */
static void
report_empty(struct bucketdiag *d, int64_t from, int64_t to)
{
	if (d->s.reported != NO_BUCKET && from <= d->s.reported)
		from = d->s.reported + 1;
	if (from > to)
		return;
	count_buckets(d, from, to);
	d->s.nempty += (uint64_t)(to - from) + 1;
	d->s.latest_empty = to;
}

/* A bucket with records, while the window has size buckets. */
static void
report_entry(
    struct bucketdiag *d, const struct bucketdiag_entry *entry, int64_t size)
{
	double average = (double)d->s.sum / (double)size;

	if (d->s.reported != NO_BUCKET && entry->bucket <= d->s.reported)
		return;
	count_buckets(d, entry->bucket, entry->bucket);
	if (log(average) - log((double)entry->count) > SPARSE_LOG) {
		d->s.nsparse++;
		d->s.latest_sparse = entry->bucket;
	}
}

/*
 * The window moves on: buckets before this one leave it, the oldest first, each
 * judged while the window is full.
 */
static void
drop_before(struct bucketdiag *d, int64_t bucket)
{
	while (d->s.earliest < bucket) {
		const struct bucketdiag_entry *oldest = entry_at(d, 0);
		int64_t next = bucket;

		if (d->s.nentries > 0 && oldest->bucket == d->s.earliest) {
			report_entry(d, oldest, d->window);
			d->s.sum -= oldest->count;
			d->s.nentries--;
			d->first = (d->first + 1) & (d->cap - 1);
			d->s.earliest++;
			continue;
		}
		if (d->s.nentries > 0 && oldest->bucket < bucket)
			next = oldest->bucket;
		report_empty(d, d->s.earliest, next - 1);
		d->s.earliest = next;
	}
}

void
bucketdiag_report(struct bucketdiag *d)
{
	int64_t from = d->s.earliest, size;

	if (d->s.latest == NO_BUCKET)
		return;
	size = d->s.latest - d->s.earliest + 1;
	if (d->s.reported != NO_BUCKET && d->s.reported >= from)
		from = d->s.reported + 1;
	for (uint64_t i = entries_before(d, from); i < d->s.nentries; i++) {
		const struct bucketdiag_entry *entry = entry_at(d, i);

		report_empty(d, from, entry->bucket - 1);
		if (entry->bucket == d->s.latest)
			break;
		report_entry(d, entry, size);
		from = entry->bucket + 1;
	}
	if (d->s.ahead != d->s.latest) {
		d->s.ahead = d->s.latest;
		d->s.nbuckets++;
	}
}

/* ---- records ---- */

static int64_t
bucket_of(const struct bucketdiag *d, int64_t t_ms)
{
	int64_t b = t_ms / d->span_ms;

	return t_ms % d->span_ms < 0 ? b - 1 : b;
}

/* Nearly every record is: it costs no division. */
static bool
is_in_latest(const struct bucketdiag *d, int64_t t_ms)
{
	return d->s.latest != NO_BUCKET &&
	    (uint64_t)t_ms - (uint64_t)(d->s.latest * d->span_ms) <
	    (uint64_t)d->span_ms;
}

void
bucketdiag_add(struct bucketdiag *d, int64_t t_ms)
{
	int64_t bucket;

	if (is_in_latest(d, t_ms)) {
		newest(d)->count++;
		d->s.sum++;
		return;
	}
	bucket = bucket_of(d, t_ms);
	if (d->s.latest == NO_BUCKET) {
		d->s.earliest = bucket;
		d->s.latest = bucket;
	} else if (bucket > d->s.latest) {
		drop_before(d, bucket - d->window + 1);
		d->s.latest = bucket;
	} else if (bucket <= d->s.latest - d->window) {
		return;
	} else if (bucket < d->s.earliest) {
		d->s.earliest = bucket;
	}
	count_record(d, bucket);
}

void
bucketdiag_reopen(struct bucketdiag *d, int64_t latest_ms)
{
	bucketdiag_report(d);
	d->s.nentries = 0;
	d->s.sum = 0;
	d->s.latest = NO_BUCKET;
	bucketdiag_add(d, latest_ms);
}

/* ---- counts ---- */

static void
raise_time(const struct bucketdiag *d, int64_t *ms, int64_t bucket)
{
	if (bucket != NO_BUCKET && bucket > 0 &&
	    (*ms == TIME_UNSET || bucket * d->span_ms > *ms))
		*ms = bucket * d->span_ms;
}

static void
add_counts(const struct bucketdiag *d, struct data_counts *dc)
{
	dc->bucket_count += d->s.nbuckets;
	dc->empty_bucket_count += d->s.nempty;
	dc->sparse_bucket_count += d->s.nsparse;
	raise_time(d, &dc->latest_empty_bucket_timestamp, d->s.latest_empty);
	raise_time(d, &dc->latest_sparse_bucket_timestamp, d->s.latest_sparse);
}

void
bucketdiag_move(
    struct bucketdiag *d, struct data_counts *dc, struct data_counts *other)
{
	add_counts(d, dc);
	if (other != NULL)
		add_counts(d, other);
	d->s.nbuckets = 0;
	d->s.nempty = 0;
	d->s.nsparse = 0;
	d->s.latest_empty = NO_BUCKET;
	d->s.latest_sparse = NO_BUCKET;
}

/* ---- life ---- */

static void
reset(struct bucketdiag *d)
{
	memset(&d->s, 0, sizeof(d->s));
	d->s.earliest = NO_BUCKET;
	d->s.latest = NO_BUCKET;
	d->s.reported = NO_BUCKET;
	d->s.ahead = NO_BUCKET;
	d->s.latest_empty = NO_BUCKET;
	d->s.latest_sparse = NO_BUCKET;
	d->first = 0;
}

struct bucketdiag *
bucketdiag_new(int64_t span_s, int64_t latency_s)
{
	struct bucketdiag *d = calloc(1, sizeof(*d));
	int64_t late;

	if (d == NULL)
		return NULL;
	late = latency_s / span_s + (latency_s % span_s > 0);
	d->span_ms = span_s * 1000;
	d->window = late > MIN_WINDOW ? late : MIN_WINDOW;
	reset(d);
	if (reserve_entries(d, FIRST_ENTRIES) == -1) {
		free(d);
		return NULL;
	}
	return d;
}

void
bucketdiag_free(struct bucketdiag *d)
{
	if (d == NULL)
		return;
	free(d->entry);
	free(d);
}

int
bucketdiag_save(const struct bucketdiag *d, struct snapshot_writer *w)
{
	if (snapshot_put(w, &bucketdiag_state_schema, &d->s) == -1)
		return -1;
	for (uint64_t i = 0; i < d->s.nentries; i++)
		if (snapshot_put(w, &bucketdiag_entry_schema, entry_at(d, i)) ==
		    -1)
			return -1;
	return 0;
}

static bool
is_bucket(const struct bucketdiag *d, int64_t bucket)
{
	int64_t limit = INT64_MAX / d->span_ms;

	return bucket >= -limit && bucket <= limit;
}

/* What the rest of this file relies on. */
static bool
state_is_sound(const struct bucketdiag *d)
{
	const struct bucketdiag_state *s = &d->s;
	const int64_t buckets[] = { s->earliest, s->latest, s->reported,
		s->ahead, s->latest_empty, s->latest_sparse };

	for (size_t i = 0; i < NELEM(buckets); i++)
		if (buckets[i] != NO_BUCKET && !is_bucket(d, buckets[i]))
			return false;
	if (s->latest == NO_BUCKET)
		return s->nentries == 0 && s->sum == 0;
	return s->earliest != NO_BUCKET && s->earliest <= s->latest &&
	    s->latest - s->earliest < d->window && s->nentries > 0;
}

static int
load_entries(struct bucketdiag *d, struct snapshot_reader *r, uint64_t n)
{
	size_t bytes = schema_min_bytes(&bucketdiag_entry_schema);
	int64_t last = NO_BUCKET;
	uint64_t sum = 0;

	if (n == 0)
		return 0; /* no record yet: state_is_sound */
	if (n > snapshot_left(r) / bytes || reserve_entries(d, n) == -1)
		return -1;
	for (d->s.nentries = 0; d->s.nentries < n; d->s.nentries++) {
		struct bucketdiag_entry *entry = entry_at(d, d->s.nentries);

		if (snapshot_get(r, &bucketdiag_entry_schema, entry) == -1 ||
		    entry->bucket < d->s.earliest || entry->bucket <= last)
			return -1;
		last = entry->bucket;
		sum += entry->count;
	}
	return last == d->s.latest && sum == d->s.sum ? 0 : -1;
}

int
bucketdiag_load(struct bucketdiag *d, struct snapshot_reader *r)
{
	uint64_t n;
	int saved;

	errno = EBADMSG; /* unless memory is out, which is not the file's */
	if (snapshot_get(r, &bucketdiag_state_schema, &d->s) == 0 &&
	    state_is_sound(d)) {
		n = d->s.nentries;
		d->s.nentries = 0; /* none is there yet */
		d->first = 0;
		if (load_entries(d, r, n) == 0)
			return 0;
	}
	saved = errno;
	reset(d);
	errno = saved;
	return -1;
}
