/* How whole an open bucket is, and what is told of it before its end. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "common/crc32c.h"
#include "common/wire.h"
#include "tests/engine_cases.h"
#include "tests/random.h"
#include "worker/completeness.h"
#include "worker/engine_int.h"

#define HOSTS 4
#define EACH 30 /* records of a host in a bucket */
#define NBUCKETS 300
#define NOW (T0 + (int64_t)NBUCKETS * SPAN)

static const struct feed_detector counts[] = {
	{ .function = "count", .partition = "host" }, { .function = NULL }
};
static const struct feed_detector low_sums[] = {
	{ .function = "low_sum", .field = "v", .partition = "host" },
	{ .function = NULL }
};

/* n records of a host. Their values are 10 and a bit. */
static void
add_host(struct feed *f, int64_t time_s, int host, int n)
{
	static const char *const names[] = { "h0", "h1", "h2", "h3" };

	if (f->conf.nfields > 1)
		feed_set(f, "v", host % 2 == 0 ? "10.5" : "9.5");
	feed_set(f, "host", names[host]);
	add_times(f, time_s, n);
}

/* Buckets as usual, until NOW. */
static void
start_usual(struct feed *f, const struct feed_detector *d)
{
	struct random r = random_seed(31);

	feed_init(f, SPAN, d, NULL);
	feed_start(f);
	for (int b = 0; b < NBUCKETS; b++) {
		for (int h = 0; h < HOSTS; h++)
			add_host(f, T0 + b * SPAN, h,
			    EACH + (int)(3 * random_uniform(&r)) - 1);
	}
}

static double
share_now(struct feed *f)
{
	cr_assert_eq(feed_interim(f, TIME_UNSET, TIME_UNSET), 0);
	return f->engine->completeness.share;
}

/* Of the open buckets, the interim record of the host; nvalues 0: none. */
static struct record_result
told(const struct feed *f, const char *host)
{
	for (size_t i = 0; i < f->nrecords; i++) {
		const struct feed_record *r = &f->record[i];

		if (r->r.is_interim && strcmp(r->partition, host) == 0)
			return r->r;
	}
	return (struct record_result){ .nvalues = 0 };
}

static size_t
ntold(const struct feed *f)
{
	size_t n = 0;

	for (size_t i = 0; i < f->nrecords; i++)
		n += f->record[i].r.is_interim;
	return n;
}

/* The formula. */

static double
correct(double share, const char *function, double value, double mode)
{
	const struct completeness c = { .share = share };
	const struct function_info *fn = function_find(function);
	uint32_t n;

	return completeness_correct(
	    &c, feature_find(fn->kind, false, &n), value, mode);
}

Test(completeness, a_value_gets_the_part_that_is_still_to_come)
{
	/* clamp(mode - value, 0, (1 - c) mode) */
	cr_expect_eq(correct(0.5, "count", 40, 100), 90);
	cr_expect_eq(correct(0.5, "count", 70, 100), 100);
	cr_expect_eq(correct(0.5, "count", 130, 100), 130);
	cr_expect_eq(correct(1, "count", 40, 100), 40);
	cr_expect_eq(correct(0, "sum", 0, 100), 100);
	cr_expect_eq(correct(0.75, "sum", -40, -100), -65);
	cr_expect_eq(correct(0.25, "sum", -40, -100), -100);
	cr_expect_eq(correct(0.25, "sum", -140, -100), -140);
	cr_expect_eq(correct(0.25, "sum", 20, -100), -55);
	cr_expect_eq(correct(0.5, "distinct_count", 4, 10), 9);
	cr_expect_eq(correct(0.5, "mean", 40, 100), 40);
	cr_expect_eq(correct(0.5, "max", 40, 100), 40);
	cr_expect_eq(correct(0.5, "min", 40, 100), 40);
}

/* What is expected */

Test(completeness, is_the_share_of_the_events_that_are_expected)
{
	struct feed f;

	start_usual(&f, counts);
	cr_assert_eq(feed_advance(&f, NOW), 0);
	cr_expect_eq(share_now(&f), 0);
	add_host(&f, NOW, 0, 30);
	cr_expect_float_eq(share_now(&f), 0.25, 0.02);
	add_host(&f, NOW, 1, 30);
	cr_expect_float_eq(share_now(&f), 0.5, 0.03);
	cr_expect_not(f.engine->completeness.nearly_whole);
	add_host(&f, NOW, 2, 30);
	add_host(&f, NOW, 3, 32);
	cr_expect_float_eq(share_now(&f), 1, 0.03);
	cr_expect(f.engine->completeness.nearly_whole);
	feed_clear(&f);
}

Test(completeness, knows_the_time_of_day)
{
	const int64_t hour = 3600, day = 86400, first = 20000 * day;
	struct feed f;

	feed_init(&f, hour, count_all, NULL);
	feed_start(&f);
	for (int i = 0; i < 20 * 24; i++)
		add_times(&f, first + i * hour, i % 24 < 8 ? 10 : 200 + i % 3);
	/* a day later: at night, and by day */
	for (int i = 0; i < 5; i++)
		add_times(&f, first + 20 * day + i * hour, 10);
	add_times(&f, first + 20 * day + 5 * hour, 5);
	cr_expect_float_eq(share_now(&f), 0.5, 0.1);
	add_times(&f, first + 20 * day + 5 * hour, 5);
	for (int i = 6; i < 12; i++)
		add_times(&f, first + 20 * day + i * hour, i < 8 ? 10 : 201);
	add_times(&f, first + 20 * day + 12 * hour, 50);
	cr_expect_float_eq(share_now(&f), 0.25, 0.05);
	feed_clear(&f);
}

Test(completeness, nothing_is_known_before_a_bucket_is_final)
{
	struct feed f;

	start_counting(&f);
	add_times(&f, T0, 10);
	cr_expect_eq(share_now(&f), 0);
	cr_expect_not(f.engine->completeness.nearly_whole);
	cr_expect_eq(f.nbuckets, 1);
	feed_clear(&f);
}

/* What is told */

Test(completeness, half_a_bucket_is_not_low_and_can_be_high)
{
	struct feed f;

	start_usual(&f, counts);
	for (int h = 1; h < HOSTS; h++)
		add_host(&f, NOW, h, EACH / 2);
	(void)share_now(&f);
	cr_expect_eq(ntold(&f), 0, "h0 may come yet");
	add_host(&f, NOW, 1, 4 * EACH);
	(void)share_now(&f);
	cr_assert_eq(told(&f, "h1").nvalues, 1);
	cr_expect_eq(told(&f, "h1").actual[0], EACH / 2 + 4 * EACH);
	cr_expect_gt(told(&f, "h1").record_score, 50);
	cr_expect_eq(ntold(&f), 1);
	feed_clear(&f);
}

Test(completeness, nearly_all_there_and_one_host_is_low)
{
	struct feed f;

	start_usual(&f, counts);
	for (int h = 1; h < HOSTS; h++)
		add_host(&f, NOW, h, EACH + 9);
	(void)share_now(&f);
	cr_assert_eq(told(&f, "h0").nvalues, 1, "it is missing");
	cr_expect_eq(told(&f, "h0").actual[0], 0);
	add_host(&f, NOW, 0, 2);
	(void)share_now(&f);
	cr_assert_eq(told(&f, "h0").nvalues, 1);
	cr_expect_eq(told(&f, "h0").actual[0], 2, "as it is so far");
	cr_expect_float_eq(told(&f, "h0").typical[0], EACH, 2);
	feed_clear(&f);
}

Test(completeness, low_sums_are_told_when_nearly_all_is_there)
{
	struct feed f;

	start_usual(&f, low_sums);
	for (int h = 1; h < HOSTS; h++)
		add_host(&f, NOW, h, EACH - 5);
	add_host(&f, NOW, 0, 1);
	(void)share_now(&f);
	cr_expect_eq(ntold(&f), 0);
	for (int h = 1; h < HOSTS; h++)
		add_host(&f, NOW, h, 14);
	(void)share_now(&f);
	cr_assert_eq(told(&f, "h0").nvalues, 1);
	cr_expect_eq(told(&f, "h0").actual[0], 10.5);
	cr_expect_eq(ntold(&f), 1);
	feed_clear(&f);
}

/* The bucket is as full as ever, by one host alone. */
Test(completeness, a_burst_does_not_make_the_others_low)
{
	struct feed f;

	start_usual(&f, counts);
	add_host(&f, NOW, 1, 6 * EACH);
	(void)share_now(&f);
	cr_expect_eq(f.engine->completeness.share, 1);
	cr_expect_eq(told(&f, "h1").nvalues, 1);
	cr_expect_eq(ntold(&f), 1);
	feed_clear(&f);
}

Test(completeness, buckets_within_latency_are_each_as_whole_as_they_are)
{
	struct feed f;
	size_t n = 0;

	feed_init(&f, SPAN, counts, NULL);
	f.conf.latency_s = 2 * SPAN;
	feed_start(&f);
	for (int b = 0; b < NBUCKETS + 2; b++) {
		for (int h = b == NBUCKETS; h < HOSTS; h++)
			add_host(&f, T0 + b * SPAN, h, EACH + (b + h) % 3);
	}
	add_host(&f, NOW + 2 * SPAN, 0, EACH);
	cr_assert_eq(feed_interim(&f, TIME_UNSET, TIME_UNSET), 0);
	for (size_t i = 0; i < f.nbuckets; i++)
		n += f.bucket[i].is_interim;
	cr_expect_eq(n, 3);
	/* h0 was not there in the oldest, of which three quarters came */
	cr_expect_eq(ntold(&f), 0);
	for (int h = 1; h < HOSTS; h++)
		add_host(&f, NOW, h, 9);
	cr_assert_eq(feed_interim(&f, TIME_UNSET, TIME_UNSET), 0);
	cr_assert_eq(told(&f, "h0").nvalues, 1);
	cr_expect_eq(told(&f, "h0").timestamp_ms, NOW * 1000);
	feed_clear(&f);
}

/* State */

Test(completeness, interim_results_teach_it_nothing)
{
	struct feed a, b;

	start_usual(&a, counts);
	start_usual(&b, counts);
	for (int i = 0; i < 50; i++) {
		for (int h = 0; h < HOSTS; h++) {
			add_host(&a, NOW + i * SPAN, h, EACH - h);
			add_host(&b, NOW + i * SPAN, h, EACH - h);
			(void)share_now(&b);
		}
	}
	cr_expect_eq(share_now(&a), share_now(&b));
	cr_expect_eq(
	    a.engine->completeness.events.n, b.engine->completeness.events.n);
	feed_clear(&a);
	feed_clear(&b);
}

Test(completeness, survives_a_restart)
{
	struct feed f;
	double share;

	start_usual(&f, counts);
	add_host(&f, NOW, 0, EACH);
	share = share_now(&f);
	feed_restart(&f);
	cr_expect_eq(share_now(&f), share);
	feed_clear(&f);
}
