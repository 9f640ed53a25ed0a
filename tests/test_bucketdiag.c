/*
 * Diagnostics of input buckets: jobs-and-data 5.7, with both ends counted.
 * Spans are a minute, buckets are written by their number.
 */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "worker/bucketdiag.h"

#define SPAN_S 60
#define SPAN_MS ((int64_t)SPAN_S * 1000)
#define BASE 23391360 /* number of the bucket of 1403481600 */

static void
add(struct bucketdiag *d, int64_t bucket, int n)
{
	for (int i = 0; i < n; i++)
		bucketdiag_add(d, (BASE + bucket) * SPAN_MS + i % SPAN_MS);
}

static struct data_counts
end_upload(struct bucketdiag *d)
{
	struct data_counts dc;

	data_counts_init(&dc);
	bucketdiag_report(d);
	bucketdiag_move(d, &dc, NULL);
	return dc;
}

static void
expect_counts(
    struct data_counts dc, uint64_t buckets, uint64_t empty, uint64_t sparse)
{
	cr_expect_eq(dc.bucket_count, buckets, "%lu buckets, not %lu",
	    (unsigned long)dc.bucket_count, (unsigned long)buckets);
	cr_expect_eq(dc.empty_bucket_count, empty, "%lu empty, not %lu",
	    (unsigned long)dc.empty_bucket_count, (unsigned long)empty);
	cr_expect_eq(dc.sparse_bucket_count, sparse, "%lu sparse, not %lu",
	    (unsigned long)dc.sparse_bucket_count, (unsigned long)sparse);
}

static int64_t
start_of(int64_t bucket)
{
	return (BASE + bucket) * SPAN_MS;
}

Test(bucketdiag, nothing_is_no_bucket)
{
	struct bucketdiag *d = bucketdiag_new(SPAN_S, 0);

	expect_counts(end_upload(d), 0, 0, 0);
	bucketdiag_free(d);
}

Test(bucketdiag, bucket_at_hand_counts_once)
{
	struct bucketdiag *d = bucketdiag_new(SPAN_S, 0);

	add(d, 0, 3);
	expect_counts(end_upload(d), 1, 0, 0);
	add(d, 0, 1);
	expect_counts(end_upload(d), 0, 0, 0);
	expect_counts(end_upload(d), 0, 0, 0);
	bucketdiag_free(d);
}

Test(bucketdiag, gap_is_empty_once_it_is_left)
{
	struct bucketdiag *d = bucketdiag_new(SPAN_S, 0);
	struct data_counts dc;

	add(d, 0, 2);
	add(d, 5, 1);
	dc = end_upload(d);
	expect_counts(dc, 6, 4, 0);
	cr_expect_eq(dc.latest_empty_bucket_timestamp, start_of(4));
	cr_expect_eq(dc.latest_sparse_bucket_timestamp, TIME_UNSET);
	add(d, 5, 1);
	expect_counts(end_upload(d), 0, 0, 0);
	add(d, 7, 1);
	dc = end_upload(d);
	expect_counts(dc, 2, 1, 0);
	cr_expect_eq(dc.latest_empty_bucket_timestamp, start_of(6));
	bucketdiag_free(d);
}

Test(bucketdiag, sparse_is_judged_by_the_window)
{
	struct bucketdiag *d = bucketdiag_new(SPAN_S, 0);
	struct data_counts dc;

	for (int b = 0; b < 9; b++)
		add(d, b, 100);
	add(d, 9, 5);
	add(d, 10, 100);
	dc = end_upload(d);
	expect_counts(dc, 11, 0, 1);
	cr_expect_eq(dc.latest_sparse_bucket_timestamp, start_of(9));
	bucketdiag_free(d);
}

/* The bound is the average over e squared, 7.389: 8 * 100 / 9 / 7.389 = 12. */
Test(bucketdiag, bound_of_sparse)
{
	for (int n = 10; n <= 15; n++) {
		struct bucketdiag *d = bucketdiag_new(SPAN_S, 0);
		double average = (700.0 + n + 100) / 9;

		for (int b = 0; b < 7; b++)
			add(d, b, 100);
		add(d, 7, n);
		add(d, 8, 100);
		expect_counts(
		    end_upload(d), 9, 0, average / n > exp(2.0) ? 1 : 0);
		bucketdiag_free(d);
	}
}

/* What has been judged at the end of an upload is not judged again. */
Test(bucketdiag, judged_bucket_stays_judged)
{
	struct bucketdiag *d = bucketdiag_new(SPAN_S, 0);

	add(d, 0, 5);
	add(d, 1, 5);
	expect_counts(end_upload(d), 2, 0, 0);
	add(d, 2, 10000);
	add(d, 3, 1);
	expect_counts(end_upload(d), 2, 0, 1); /* bucket 1 only */
	bucketdiag_free(d);
}

Test(bucketdiag, late_record_fills_a_bucket_of_the_window)
{
	struct bucketdiag *d = bucketdiag_new(SPAN_S, 600);

	add(d, 0, 1);
	add(d, 3, 1);
	add(d, 1, 1);
	expect_counts(end_upload(d), 4, 1, 0);
	add(d, 2, 1); /* already judged */
	expect_counts(end_upload(d), 0, 0, 0);
	bucketdiag_free(d);
}

Test(bucketdiag, late_record_extends_the_window_backwards)
{
	struct bucketdiag *d = bucketdiag_new(SPAN_S, 600);

	add(d, 5, 1);
	expect_counts(end_upload(d), 1, 0, 0);
	add(d, 3, 1);
	expect_counts(end_upload(d), 2, 1, 0); /* 3 and 4 */
	add(d, 6, 1);
	expect_counts(end_upload(d), 1, 0, 0);
	bucketdiag_free(d);
}

Test(bucketdiag, record_before_the_window_changes_nothing)
{
	struct bucketdiag *d = bucketdiag_new(SPAN_S, 0);

	add(d, 20, 1);
	add(d, 10, 1);
	expect_counts(end_upload(d), 1, 0, 0);
	add(d, 11, 1); /* the oldest that ten buckets hold */
	expect_counts(end_upload(d), 9, 8, 0);
	bucketdiag_free(d);
}

Test(bucketdiag, window_grows_with_the_latency)
{
	struct bucketdiag *d = bucketdiag_new(SPAN_S, 15 * SPAN_S - 30);

	add(d, 20, 1);
	add(d, 5, 1);
	expect_counts(end_upload(d), 1, 0, 0);
	add(d, 6, 1);
	expect_counts(end_upload(d), 14, 13, 0);
	bucketdiag_free(d);
}

Test(bucketdiag, huge_gap_takes_no_time)
{
	struct bucketdiag *d = bucketdiag_new(SPAN_S, 0);
	int64_t far = 100000000000;
	struct data_counts dc;

	add(d, 0, 3);
	add(d, 2, 1);
	add(d, far, 1);
	add(d, far + 1, 1);
	dc = end_upload(d);
	expect_counts(dc, (uint64_t)far + 2, (uint64_t)far - 2, 0);
	cr_expect_eq(dc.latest_empty_bucket_timestamp, start_of(far - 1));
	bucketdiag_add(d, INT64_MAX);
	dc = end_upload(d);
	cr_expect_eq(
	    (int64_t)dc.bucket_count, INT64_MAX / SPAN_MS - (BASE + far + 1));
	bucketdiag_free(d);
}

Test(bucketdiag, times_before_1970_are_counted_and_not_reported)
{
	struct bucketdiag *d = bucketdiag_new(SPAN_S, 0);
	struct data_counts dc;

	bucketdiag_add(d, -3 * SPAN_MS - 1); /* bucket -4 */
	bucketdiag_add(d, -SPAN_MS);
	dc = end_upload(d);
	expect_counts(dc, 4, 2, 0);
	cr_expect_eq(dc.latest_empty_bucket_timestamp, TIME_UNSET);
	bucketdiag_free(d);
}

Test(bucketdiag, gap_across_a_close_is_seen)
{
	struct bucketdiag *d = bucketdiag_new(SPAN_S, 0);

	add(d, 0, 1);
	add(d, 1, 1);
	expect_counts(end_upload(d), 2, 0, 0);
	bucketdiag_reopen(d, start_of(1) + 5);
	expect_counts(end_upload(d), 0, 0, 0);
	add(d, 4, 1);
	expect_counts(end_upload(d), 3, 2, 0);
	bucketdiag_free(d);
}

Test(bucketdiag, what_a_failed_upload_left_is_not_lost_by_a_close)
{
	struct bucketdiag *d = bucketdiag_new(SPAN_S, 0);

	add(d, 0, 1);
	add(d, 3, 1); /* no end_upload */
	bucketdiag_reopen(d, start_of(3));
	add(d, 4, 1);
	expect_counts(end_upload(d), 5, 2, 0);
	bucketdiag_free(d);
}

Test(bucketdiag, both_counts_get_what_moves_and_only_later_times)
{
	struct bucketdiag *d = bucketdiag_new(SPAN_S, 0);
	struct data_counts total, upload;

	data_counts_init(&total);
	data_counts_init(&upload);
	total.latest_empty_bucket_timestamp = start_of(100);
	add(d, 0, 1);
	add(d, 2, 1);
	bucketdiag_report(d);
	bucketdiag_move(d, &total, &upload);
	expect_counts(total, 3, 1, 0);
	expect_counts(upload, 3, 1, 0);
	cr_expect_eq(total.latest_empty_bucket_timestamp, start_of(100));
	cr_expect_eq(upload.latest_empty_bucket_timestamp, start_of(1));
	bucketdiag_move(d, &total, NULL);
	expect_counts(total, 3, 1, 0);
	bucketdiag_free(d);
}

/* ---- the same as a ring that steps bucket by bucket ---- */

#define RING 12
#define LATEST_MAX 4000

/*
 * The rules as they are written: every bucket has its counter, time goes on
 * one bucket at a time.
 */
struct steps {
	int count[LATEST_MAX];
	int earliest, latest, reported, ahead; /* -1: none */
	uint64_t buckets, empty, sparse;
};

static void
steps_report(struct steps *s, int bucket)
{
	double sum = 0;

	if (bucket <= s->reported)
		return;
	s->reported = bucket;
	s->buckets += bucket != s->ahead;
	for (int b = s->earliest; b <= s->latest; b++)
		sum += s->count[b];
	if (s->count[bucket] == 0)
		s->empty++;
	else if (log(sum / (s->latest - s->earliest + 1)) -
		log(s->count[bucket]) >
	    2.0)
		s->sparse++;
}

static void
steps_add(struct steps *s, int bucket)
{
	if (s->latest == -1)
		s->earliest = s->latest = bucket;
	while (s->latest < bucket) {
		if (s->latest - s->earliest + 1 == RING) {
			steps_report(s, s->earliest);
			s->earliest++;
		}
		s->latest++;
	}
	if (bucket <= s->latest - RING)
		return;
	if (bucket < s->earliest)
		s->earliest = bucket;
	s->count[bucket]++;
}

static void
steps_end(struct steps *s)
{
	for (int b = s->earliest; b < s->latest; b++)
		steps_report(s, b);
	s->buckets += s->ahead != s->latest;
	s->ahead = s->latest;
}

static unsigned
draw(unsigned long long *state, unsigned n)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(*state >> 33) % n;
}

Test(bucketdiag, equals_a_ring_that_goes_step_by_step)
{
	for (unsigned long long seed = 1; seed <= 300; seed++) {
		unsigned long long state = seed;
		struct bucketdiag *d =
		    bucketdiag_new(SPAN_S, RING * SPAN_S - 1);
		struct steps *s = calloc(1, sizeof(*s));
		struct data_counts dc;
		int bucket = 20, at;

		data_counts_init(&dc);
		s->earliest = s->latest = s->reported = s->ahead = -1;
		for (int i = 0; i < 400 && bucket < LATEST_MAX - 40; i++) {
			if (draw(&state, 4) == 0)
				bucket += (int)draw(
				    &state, draw(&state, 8) == 0 ? 40 : 3);
			at = bucket - (int)draw(&state, 16);
			add(d, at, 1);
			steps_add(s, at);
			if (draw(&state, 10) != 0)
				continue;
			bucketdiag_report(d);
			bucketdiag_move(d, &dc, NULL);
			steps_end(s);
			expect_counts(dc, s->buckets, s->empty, s->sparse);
		}
		bucketdiag_free(d);
		free(s);
	}
}

/* ---- state ---- */

/* A snapshot of d, and a reader that stands in its section. */
static struct snapshot_reader *
saved(const struct bucketdiag *d, struct snapshot_writer **w)
{
	struct snapshot_reader *r;
	const uint8_t *data;
	size_t len;

	*w = snapshot_writer_memory();
	cr_assert_eq(snapshot_section(*w, SNAPSHOT_INTAKE), 0);
	cr_assert_eq(bucketdiag_save(d, *w), 0);
	cr_assert_eq(snapshot_memory(*w, &data, &len), 0);
	r = snapshot_reader_memory(data, len);
	cr_assert_eq(snapshot_enter(r, SNAPSHOT_INTAKE), 0);
	return r;
}

Test(bucketdiag, state_comes_back)
{
	struct bucketdiag *d = bucketdiag_new(SPAN_S, 0), *copy;
	struct snapshot_writer *w;
	struct snapshot_reader *r;
	struct data_counts dc;

	for (int b = 0; b < 40; b += 3)
		add(d, b, 10 + b);
	bucketdiag_report(d);
	add(d, 41, 1);
	r = saved(d, &w);
	copy = bucketdiag_new(SPAN_S, 0);
	add(copy, 7, 1); /* is forgotten */
	cr_assert_eq(bucketdiag_load(copy, r), 0);
	cr_expect_eq(snapshot_left(r), 0);
	add(d, 60, 1);
	add(copy, 60, 1);
	dc = end_upload(d);
	expect_counts(end_upload(copy), dc.bucket_count, dc.empty_bucket_count,
	    dc.sparse_bucket_count);
	cr_expect_eq(dc.bucket_count, 61);
	snapshot_reader_free(r);
	snapshot_writer_free(w);
	bucketdiag_free(d);
	bucketdiag_free(copy);
}

Test(bucketdiag, state_of_nothing_comes_back)
{
	struct bucketdiag *d = bucketdiag_new(SPAN_S, 0);
	struct snapshot_writer *w;
	struct snapshot_reader *r = saved(d, &w);

	add(d, 0, 1);
	cr_expect_eq(bucketdiag_load(d, r), 0);
	expect_counts(end_upload(d), 0, 0, 0);
	snapshot_reader_free(r);
	snapshot_writer_free(w);
	bucketdiag_free(d);
}

/* A window of twenty buckets is none for a job without latency. */
Test(bucketdiag, state_of_another_window_is_refused)
{
	struct bucketdiag *d = bucketdiag_new(SPAN_S, 20 * SPAN_S);
	struct bucketdiag *other = bucketdiag_new(SPAN_S, 0);
	struct snapshot_writer *w;
	struct snapshot_reader *r;

	add(d, 0, 1);
	add(d, 15, 1);
	r = saved(d, &w);
	cr_expect_eq(bucketdiag_load(other, r), -1);
	cr_expect_eq(errno, EBADMSG);
	add(other, 3, 1); /* it is as new */
	expect_counts(end_upload(other), 1, 0, 0);
	snapshot_reader_free(r);
	snapshot_writer_free(w);
	bucketdiag_free(d);
	bucketdiag_free(other);
}

Test(bucketdiag, state_that_is_cut_short_is_refused)
{
	struct bucketdiag *d = bucketdiag_new(SPAN_S, 0);
	struct snapshot_writer *w;
	struct snapshot_reader *r;

	add(d, 0, 1);
	r = saved(d, &w);
	cr_assert_eq(bucketdiag_load(d, r), 0);
	cr_expect_eq(bucketdiag_load(d, r), -1); /* nothing is left */
	cr_expect_eq(errno, EBADMSG);
	snapshot_reader_free(r);
	snapshot_writer_free(w);
	bucketdiag_free(d);
}
