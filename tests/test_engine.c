/* The engine from records to results, through its interface alone. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "tests/engine_feed.h"
#include "tests/random.h"

#define SPAN 600
#define T0 1454020200 /* the start of a bucket */

static const struct feed_detector count_all[] = { { .function = "count" },
	{ .function = NULL } };
static const struct feed_detector mean_v[] = {
	{ .function = "mean", .field = "v" }, { .function = NULL }
};
static const struct feed_detector mean_split[] = {
	{ .function = "mean", .field = "v", .by = "kpi", .partition = "host" },
	{ .function = NULL }
};
static const char *const both_split[] = { "kpi", "host", NULL };

static void
add_value(struct feed *f, int64_t time_s, const char *field, double v)
{
	char text[40];

	snprintf(text, sizeof(text), "%.17g", v);
	feed_set(f, field, text);
	cr_assert_eq(feed_add(f, time_s), 0);
}

static void
add_times(struct feed *f, int64_t time_s, int n)
{
	for (int i = 0; i < n; i++)
		cr_assert_eq(feed_add(f, time_s), 0);
}

/* n buckets of `each` records */
static int64_t
add_buckets(struct feed *f, int64_t time_s, int n, int each)
{
	for (int i = 0; i < n; i++, time_s += f->conf.bucket_span_s)
		add_times(f, time_s, each);
	return time_s;
}

static void
start_counting(struct feed *f)
{
	feed_init(f, SPAN, count_all, NULL);
	feed_start(f);
}

static size_t
buckets_scoring(const struct feed *f, double least)
{
	size_t n = 0;

	for (size_t i = 0; i < f->nbuckets; i++)
		n += f->bucket[i].anomaly_score >= least;
	return n;
}

/* Time */

Test(engine, no_time_seen_yet)
{
	struct feed f;

	start_counting(&f);
	cr_expect_eq(engine_last_finalized_ms(f.engine), TIME_UNSET);
	cr_expect_eq(engine_step(f.engine), 0);
	cr_expect_eq(engine_interim(f.engine, TIME_UNSET, TIME_UNSET), 0);
	cr_expect_eq(f.nbuckets, 0);
	feed_clear(&f);
}

Test(engine, the_first_time_makes_the_first_bucket)
{
	struct feed f;

	start_counting(&f);
	cr_assert_eq(feed_add(&f, T0 + 369), 0);
	cr_expect_eq(engine_last_finalized_ms(f.engine), T0 * 1000LL);
	cr_expect_eq(f.nbuckets, 0);
	cr_assert_eq(feed_advance(&f, T0 + SPAN - 1), 0);
	cr_expect_eq(f.nbuckets, 0);
	cr_assert_eq(feed_advance(&f, T0 + SPAN), 0);
	cr_assert_eq(f.nbuckets, 1);
	cr_expect_eq(f.bucket[0].timestamp_ms, T0 * 1000LL);
	cr_expect_eq(f.bucket[0].bucket_span_s, SPAN);
	cr_expect_eq(f.bucket[0].event_count, 1);
	cr_expect_not(f.bucket[0].is_interim);
	cr_expect_eq(engine_last_finalized_ms(f.engine), (T0 + SPAN) * 1000LL);
	feed_clear(&f);
}

Test(engine, empty_buckets_are_results)
{
	struct feed f;

	start_counting(&f);
	cr_assert_eq(feed_add(&f, T0), 0);
	cr_assert_eq(feed_add(&f, T0 + 5 * SPAN), 0);
	cr_assert_eq(f.nbuckets, 5);
	for (size_t i = 0; i < 5; i++) {
		cr_expect_eq(
		    f.bucket[i].timestamp_ms, (T0 + (int64_t)i * SPAN) * 1000);
		cr_expect_eq(f.bucket[i].event_count, i == 0 ? 1 : 0);
	}
	feed_clear(&f);
}

Test(engine, times_before_1970)
{
	struct feed f;

	start_counting(&f);
	cr_assert_eq(feed_add(&f, -1), 0);
	cr_expect_eq(engine_last_finalized_ms(f.engine), -SPAN * 1000LL);
	cr_assert_eq(feed_add(&f, 0), 0);
	cr_assert_eq(f.nbuckets, 1);
	cr_expect_eq(f.bucket[0].timestamp_ms, -SPAN * 1000LL);
	cr_expect_eq(f.bucket[0].event_count, 1);
	feed_clear(&f);
}

Test(engine, a_skip_drops_what_it_passes)
{
	struct feed f;

	/* the reference's vector 3: one-hour buckets */
	feed_init(&f, 3600, count_all, NULL);
	feed_start(&f);
	cr_assert_eq(feed_add(&f, 1403481600), 0);
	cr_assert_eq(feed_add(&f, 1403485200), 0);
	engine_skip(f.engine, 1403488700);
	cr_expect_eq(engine_last_finalized_ms(f.engine), 1403488800000);
	cr_assert_eq(feed_add(&f, 1403488600), 0);
	cr_assert_eq(feed_add(&f, 1403488700), 0);
	cr_assert_eq(feed_add(&f, 1403488900), 0);
	cr_assert_eq(feed_add(&f, 1403492400), 0);
	cr_assert_eq(f.nbuckets, 2);
	cr_expect_eq(f.bucket[0].timestamp_ms, 1403481600000);
	cr_expect_eq(f.bucket[0].event_count, 1);
	cr_expect_eq(f.bucket[1].timestamp_ms, 1403488800000);
	cr_expect_eq(f.bucket[1].event_count, 1);
	feed_clear(&f);
}

Test(engine, a_skip_backwards_changes_nothing)
{
	struct feed f;

	start_counting(&f);
	add_buckets(&f, T0, 3, 1);
	engine_skip(f.engine, T0);
	cr_expect_eq(
	    engine_last_finalized_ms(f.engine), (T0 + 2 * SPAN) * 1000LL);
	cr_assert_eq(feed_advance(&f, T0 + 3 * SPAN), 0);
	cr_expect_eq(f.bucket[2].event_count, 1);
	feed_clear(&f);
}

Test(engine, latency_keeps_buckets_open)
{
	struct feed f;

	feed_init(&f, SPAN, count_all, NULL);
	f.conf.latency_s = 2 * SPAN;
	feed_start(&f);
	cr_assert_eq(feed_add(&f, T0 + 10), 0);
	cr_expect_eq(
	    engine_last_finalized_ms(f.engine), (T0 - 2 * SPAN) * 1000LL);
	cr_assert_eq(feed_add(&f, T0 + 2 * SPAN), 0);
	cr_assert_eq(feed_add(&f, T0 + SPAN), 0); /* late */
	cr_assert_eq(feed_add(&f, T0 + 20), 0);	  /* later still */
	cr_assert_eq(feed_advance(&f, T0 + 5 * SPAN), 0);
	cr_assert_eq(f.nbuckets, 5);
	cr_expect_eq(f.bucket[0].timestamp_ms, (T0 - 2 * SPAN) * 1000LL);
	cr_expect_eq(f.bucket[2].event_count, 2);
	cr_expect_eq(f.bucket[3].event_count, 1);
	cr_expect_eq(f.bucket[4].event_count, 1);
	feed_clear(&f);
}

Test(engine, latency_that_is_no_multiple_of_the_span)
{
	struct feed f;

	feed_init(&f, SPAN, count_all, NULL);
	f.conf.latency_s = SPAN + SPAN / 2;
	feed_start(&f);
	cr_assert_eq(feed_add(&f, T0), 0);
	cr_expect_eq(engine_last_finalized_ms(f.engine),
	    (T0 - SPAN - SPAN / 2) * 1000LL);
	/* as old as the order of records allows */
	cr_assert_eq(feed_add(&f, T0 - SPAN - SPAN / 2), 0);
	cr_assert_eq(feed_advance(&f, T0 + 10 * SPAN), 0);
	for (size_t i = 0; i < f.nbuckets; i++)
		cr_expect_eq(f.bucket[i].timestamp_ms % (SPAN * 1000), 0);
	cr_expect_eq(f.bucket[0].event_count, 1);
	cr_expect_eq(f.bucket[2].event_count, 1);
	feed_clear(&f);
}

Test(engine, open_buckets_can_be_reset)
{
	struct feed f;

	feed_init(&f, SPAN, count_all, NULL);
	f.conf.latency_s = 3 * SPAN;
	feed_start(&f);
	add_buckets(&f, T0, 4, 7);
	engine_reset_buckets(f.engine, T0 + SPAN + 1, T0 + 2 * SPAN + 1);
	cr_assert_eq(feed_add(&f, T0 + SPAN + 5), 0);
	cr_assert_eq(feed_advance(&f, T0 + 20 * SPAN), 0);
	cr_expect_eq(f.bucket[3].event_count, 7);
	cr_expect_eq(f.bucket[4].event_count, 1);
	cr_expect_eq(f.bucket[5].event_count, 0);
	cr_expect_eq(f.bucket[6].event_count, 7);
	feed_clear(&f);
}

Test(engine, a_record_before_its_time_is_refused)
{
	struct feed f;

	start_counting(&f);
	cr_assert_eq(feed_add(&f, T0), 0);
	errno = 0;
	cr_expect_eq(engine_add(f.engine, T0 + SPAN, &f.rec), -1);
	cr_expect_eq(errno, EINVAL);
	feed_clear(&f);
}

Test(engine, a_long_silence_is_jumped_over)
{
	struct feed f;
	int64_t far = T0 + (int64_t)SPAN * 1000000000;

	start_counting(&f);
	f.keep_nothing = true;
	cr_assert_eq(feed_add(&f, T0), 0);
	cr_assert_eq(feed_add(&f, far), 0);
	cr_expect_eq(f.nbuckets, 1 + ENGINE_EMPTY_MOST);
	cr_expect_eq(engine_last_finalized_ms(f.engine), far * 1000);
	cr_assert_eq(feed_add(&f, far + SPAN), 0);
	cr_expect_eq(f.nbuckets, 2 + ENGINE_EMPTY_MOST);
	feed_clear(&f);
}

static int64_t ticks_us;

static int64_t
each_look_takes_400_us(void)
{
	return ticks_us += 400;
}

Test(engine, work_is_cut_in_slices)
{
	struct feed f;
	int steps = 0, more;
	char host[16];
	struct feed_detector by_host[] = {
		{ .function = "count", .by = "host" }, { .function = NULL }
	};

	feed_init(&f, SPAN, by_host, NULL);
	feed_start(&f);
	for (int i = 0; i < 1000; i++) {
		snprintf(host, sizeof(host), "h%d", i);
		feed_set(&f, "host", host);
		cr_assert_eq(feed_add(&f, T0), 0);
	}
	clock_fake(NULL, each_look_takes_400_us);
	engine_target(f.engine, T0 + SPAN);
	while ((more = engine_step(f.engine)) == 1)
		steps++;
	clock_fake(NULL, NULL);
	cr_expect_eq(more, 0);
	cr_expect_gt(steps, 10);
	cr_expect_eq(f.nbuckets, 1);
	feed_clear(&f);
}

/* Anomalies */

Test(engine, a_spike_of_the_count)
{
	struct random r = random_seed(1);
	const struct feed_record *top;
	struct feed f;

	start_counting(&f);
	for (int i = 0; i < 700; i++)
		add_times(&f, T0 + i * SPAN,
		    i == 600 ? 90 : (int)random_poisson(&r, 20));
	top = feed_top_record(&f);
	cr_assert_not_null(top);
	cr_expect_eq(top->r.timestamp_ms, (T0 + 600LL * SPAN) * 1000);
	cr_expect_gt(top->r.record_score, 75);
	cr_expect_eq(top->r.record_score, top->r.initial_record_score);
	cr_expect_lt(top->r.probability, 1e-4);
	cr_expect_eq(top->r.nvalues, 1);
	cr_expect_eq(top->r.actual[0], 90);
	/* a level that is followed errs by half a deviation, which is 4.5 */
	cr_expect_float_eq(top->r.typical[0], 20, 2, "%g", top->r.typical[0]);
	cr_expect_eq(top->r.multi_bucket_impact, -5);
	cr_expect_str_eq(top->r.function, "count");
	cr_expect_str_eq(top->r.function_description, "count");
	cr_expect_null(top->r.field_name);
	cr_expect_null(top->r.by_field_name);
	cr_expect_null(top->r.by_field_value.p);
	cr_expect_eq(top->r.ninfluencers, 0);
	feed_clear(&f);
}

Test(engine, a_source_that_falls_silent)
{
	struct random r = random_seed(2);
	struct feed f;

	start_counting(&f);
	for (int i = 0; i < 600; i++)
		add_times(&f, T0 + i * SPAN, 5 + (int)random_poisson(&r, 20));
	cr_assert_eq(feed_advance(&f, T0 + 601 * SPAN), 0);
	cr_assert_eq(f.nbuckets, 601);
	cr_expect_eq(f.bucket[600].event_count, 0);
	/* 600 buckets cannot say more than 4e-6, which is worth 68 */
	cr_expect_gt(f.bucket[600].anomaly_score, 65, "%g, p %g",
	    f.bucket[600].anomaly_score,
	    f.bucket[600].influencer[0].probability);
	cr_expect_eq(f.record[f.nrecords - 1].r.actual[0], 0);
	feed_clear(&f);
}

/* A series of v: 100 with noise of 5, and one other value at 600. */
static void
run_function(struct feed *f, const char *function, double odd)
{
	struct feed_detector d[] = { { .function = function, .field = "v" },
		{ .function = NULL } };
	struct random r = random_seed(3);

	feed_init(f, SPAN, d, NULL);
	feed_start(f);
	for (int i = 0; i < 630; i++) {
		for (int k = 0; k < 3; k++)
			add_value(f, T0 + i * SPAN, "v",
			    i == 600 ? odd : 100 + 5 * random_normal(&r));
	}
}

static bool
finds(const char *function, double odd)
{
	const struct feed_record *top;
	struct feed f;
	bool found;

	run_function(&f, function, odd);
	top = feed_top_record(&f);
	found = top != NULL &&
	    top->r.timestamp_ms == (T0 + 600LL * SPAN) * 1000 &&
	    top->r.record_score > 75;
	feed_clear(&f);
	return found;
}

Test(engine, functions_alarm_on_their_side)
{
	cr_expect(finds("mean", 200));
	cr_expect(finds("mean", 10));
	cr_expect(finds("high_mean", 200));
	cr_expect_not(finds("high_mean", 10));
	cr_expect(finds("low_mean", 10));
	cr_expect_not(finds("low_mean", 200));
	cr_expect(finds("sum", 200));
	cr_expect(finds("sum", 10));
	cr_expect(finds("max", 200));
	cr_expect_not(finds("max", 10));
	cr_expect(finds("min", 10));
	cr_expect_not(finds("min", 200));
}

Test(engine, values_are_those_of_the_function)
{
	static const struct {
		const char *function;
		double actual;
	} known[] = { { "mean", 5000 }, { "sum", 15000 }, { "max", 5000 },
		{ "high_count", 0 } };

	for (size_t i = 0; i < 3; i++) {
		const struct feed_record *top;
		struct feed f;

		run_function(&f, known[i].function, 5000);
		top = feed_top_record(&f);
		cr_assert_not_null(top);
		cr_expect_float_eq(top->r.actual[0], known[i].actual, 1e-9);
		feed_clear(&f);
	}
}

Test(engine, sums_do_not_drift)
{
	struct feed_detector sum_v[] = { { .function = "sum", .field = "v" },
		{ .function = NULL } };
	struct feed f;

	feed_init(&f, SPAN, sum_v, NULL);
	feed_start(&f);
	for (int i = 0; i < 60; i++)
		add_value(&f, T0 + i * SPAN, "v", 10 + (i % 3));
	/* 1e16 and back: a plain sum would lose the ones */
	add_value(&f, T0 + 60 * SPAN, "v", 1e16);
	for (int i = 0; i < 1000; i++)
		add_value(&f, T0 + 60 * SPAN, "v", 1);
	add_value(&f, T0 + 60 * SPAN, "v", -1e16);
	cr_assert_eq(feed_advance(&f, T0 + 61 * SPAN), 0);
	cr_assert_gt(f.nrecords, 0);
	cr_expect_eq(f.record[f.nrecords - 1].r.actual[0], 1000);
	feed_clear(&f);
}

/* Fields */

Test(engine, a_planted_anomaly_is_top_and_names_its_influencers)
{
	static const char *const kpis[] = { "logins", "orders", "refunds",
		"searches", "signups" };
	static const char *const hosts[] = { "web-1", "web-2", "web-3" };
	struct random r = random_seed(4);
	const struct bucket_result *bucket;
	const struct feed_record *top;
	struct feed f;
	int n = 0;

	feed_init(&f, SPAN, mean_split, both_split);
	feed_start(&f);
	for (int b = 0; b < 2160; b++) {
		for (int i = 0; i < 10; i++, n++) {
			int s = n * 7 % 15;
			double t = T0 + b * SPAN + i * 60;
			double v = 200 + 120 * (s % 5) + 40 * (s / 5) +
			    60 * sin(t * 2 * M_PI / 86400) +
			    6 * random_normal(&r);

			if (b >= 1900 && b < 1903 && s == 5)
				v *= 9;
			feed_set(&f, "kpi", kpis[s % 5]);
			feed_set(&f, "host", hosts[s / 5]);
			add_value(&f, (int64_t)t, "v", v);
		}
	}
	top = feed_top_record(&f);
	cr_assert_not_null(top);
	cr_expect_geq(top->r.timestamp_ms, (T0 + 1900LL * SPAN) * 1000);
	cr_expect_leq(top->r.timestamp_ms, (T0 + 1902LL * SPAN) * 1000);
	cr_expect_gt(top->r.record_score, 75);
	cr_expect_lt(top->r.probability, 1e-6);
	cr_expect_str_eq(top->r.by_field_name, "kpi");
	cr_expect_str_eq(top->by, "logins");
	cr_expect_str_eq(top->r.partition_field_name, "host");
	cr_expect_str_eq(top->partition, "web-2");
	cr_assert_eq(top->r.ninfluencers, 2);
	cr_expect_str_eq(top->r.influencer[0].field_name, "kpi");
	cr_expect_str_eq(top->influencer[0], "logins");
	cr_expect_str_eq(top->r.influencer[1].field_name, "host");
	cr_expect_str_eq(top->influencer[1], "web-2");
	bucket = feed_top_bucket(&f);
	cr_expect_geq(bucket->timestamp_ms, (T0 + 1900LL * SPAN) * 1000);
	cr_expect_leq(bucket->timestamp_ms, (T0 + 1902LL * SPAN) * 1000);
	cr_expect_gt(bucket->anomaly_score, 75);
	cr_assert_eq(bucket->ninfluencers, 3);
	cr_expect_str_eq(
	    bucket->influencer[0].influencer_field_name, "bucket_time");
	cr_expect_str_eq(bucket->influencer[1].influencer_field_name, "kpi");
	cr_expect_gt(bucket->influencer[1].anomaly_score, 75);
	feed_clear(&f);
}

Test(engine, the_value_that_accounts_for_it_is_named)
{
	static const char *const influencers[] = { "user", NULL };
	struct random r = random_seed(5);
	const struct feed_record *top;
	struct feed f;
	char user[16];

	feed_init(&f, SPAN, count_all, influencers);
	feed_start(&f);
	for (int b = 0; b < 320; b++) {
		int n = 20 + (int)random_poisson(&r, 10);

		for (int i = 0; i < n; i++) {
			snprintf(user, sizeof(user), "user-%d",
			    (int)(random_uniform(&r) * 200));
			feed_set(&f, "user", user);
			cr_assert_eq(feed_add(&f, T0 + b * SPAN), 0);
		}
		feed_set(&f, "user", "mallory");
		add_times(&f, T0 + b * SPAN, b == 300 ? 100 : 0);
	}
	top = feed_top_record(&f);
	cr_assert_not_null(top);
	cr_expect_eq(top->r.timestamp_ms, (T0 + 300LL * SPAN) * 1000);
	cr_assert_eq(top->r.ninfluencers, 1);
	cr_expect_str_eq(top->r.influencer[0].field_name, "user");
	cr_expect_eq(top->r.influencer[0].nvalues, 1);
	cr_expect_str_eq(top->influencer[0], "mallory");
	feed_clear(&f);
}

Test(engine, missing_splitting_values_are_skipped_unless_null_is_used)
{
	struct feed_detector d[] = {
		{ .function = "count", .by = "host" },
		{ .function = "count", .by = "host", .use_null = true },
		{ .function = NULL },
	};
	struct model_size size;
	struct feed f;

	feed_init(&f, SPAN, d, NULL);
	feed_start(&f);
	cr_assert_eq(feed_add(&f, T0), 0);
	feed_set(&f, "host", "");
	cr_assert_eq(feed_add(&f, T0), 0);
	feed_set(&f, "host", "a");
	cr_assert_eq(feed_add(&f, T0), 0);
	cr_assert_eq(feed_advance(&f, T0 + SPAN), 0);
	cr_expect_eq(f.bucket[0].event_count, 3);
	engine_size(f.engine, &size);
	/* "a" twice, and the empty value of the second detector */
	cr_expect_eq(size.total_by_field_count, 3);
	feed_clear(&f);
}

/* The cut lies within a character of two bytes, which it leaves out. */
Test(engine, the_first_32766_bytes_of_a_value_tell_its_series)
{
	struct feed_detector d[] = { { .function = "count", .by = "host" },
		{ .function = NULL } };
	char text[40000] = { 0 };
	struct model_size size;
	struct feed f;

	memset(text, 'x', 32765);
	memcpy(text + 32765, "\xc3\xa9", 2);
	feed_init(&f, SPAN, d, NULL);
	feed_start(&f);
	feed_set(&f, "host", text);
	cr_assert_eq(feed_add(&f, T0), 0);
	memset(text + 32767, 'y', 5000);
	cr_assert_eq(feed_add(&f, T0), 0);
	engine_size(f.engine, &size);
	cr_expect_eq(size.total_by_field_count, 1);
	text[32764] = 'z';
	cr_assert_eq(feed_add(&f, T0), 0);
	text[32765] = '\0';
	cr_assert_eq(feed_add(&f, T0), 0);
	engine_size(f.engine, &size);
	cr_expect_eq(size.total_by_field_count, 2);
	feed_clear(&f);
}

Test(engine, values_that_are_no_numbers_do_not_count)
{
	static const char *const useless[] = { "", "abc", "1,5", "NaN",
		"Infinity", "1e300", NULL };
	struct model_size size;
	struct feed f;

	feed_init(&f, SPAN, mean_v, NULL);
	feed_start(&f);
	for (size_t i = 0; i < NELEM(useless); i++) {
		feed_set(&f, "v", useless[i]);
		cr_assert_eq(feed_add(&f, T0), 0);
	}
	engine_size(f.engine, &size);
	cr_expect_eq(size.total_by_field_count, 0);
	cr_assert_eq(feed_advance(&f, T0 + SPAN), 0);
	cr_expect_eq(f.bucket[0].event_count, NELEM(useless));
	feed_clear(&f);
}

Test(engine, functions_that_are_not_computed_do_no_harm)
{
	struct feed_detector d[] = { { .function = "rare", .by = "host" },
		{ .function = "count" }, { .function = NULL } };
	struct feed f;

	feed_init(&f, SPAN, d, NULL);
	feed_start(&f);
	feed_set(&f, "host", "a");
	add_buckets(&f, T0, 100, 10);
	add_times(&f, T0 + 100 * SPAN, 500);
	cr_assert_eq(feed_advance(&f, T0 + 101 * SPAN), 0);
	cr_assert_gt(f.nrecords, 0);
	cr_expect_eq(f.record[f.nrecords - 1].r.detector_index, 1);
	feed_clear(&f);
}

Test(engine, summed_up_records_count_for_many)
{
	struct feed f;

	feed_init(&f, SPAN, count_all, NULL);
	f.conf.summary_count_field_name = (char[]){ "n" };
	feed_start(&f);
	feed_set(&f, "n", "40");
	add_times(&f, T0, 2);
	feed_set(&f, "n", "0");
	add_times(&f, T0, 2);
	feed_set(&f, "n", "many");
	add_times(&f, T0, 2);
	cr_assert_eq(feed_advance(&f, T0 + SPAN), 0);
	cr_expect_eq(f.bucket[0].event_count, 80);
	f.conf.summary_count_field_name = NULL;
	feed_clear(&f);
}

Test(engine, at_most_500_records_a_bucket_the_most_unlikely)
{
	struct feed_detector by_host[] = {
		{ .function = "high_count", .by = "host" }, { .function = NULL }
	};
	struct feed f;
	char host[16];

	feed_init(&f, SPAN, by_host, NULL);
	feed_start(&f);
	for (int b = 0; b < 61; b++) {
		for (int i = 0; i < 1200; i++) {
			snprintf(host, sizeof(host), "h%d", i);
			feed_set(&f, "host", host);
			/* the last bucket: the higher i, the louder */
			add_times(&f, T0 + b * SPAN,
			    b < 60 ? 1 + (b + i) % 2 : 10 + i / 10);
		}
	}
	f.nrecords = 0;
	cr_assert_eq(feed_advance(&f, T0 + 61 * SPAN), 0);
	cr_assert_eq(f.nrecords, RESULT_MAX_RECORDS_PER_BUCKET);
	for (size_t i = 0; i < f.nrecords; i++) {
		cr_expect_geq(f.record[i].r.actual[0], 80);
		if (i > 0)
			cr_expect_geq(f.record[i].r.probability,
			    f.record[i - 1].r.probability);
	}
	feed_clear(&f);
}

/* Quality */

struct noise {
	const char *name;
	double (*value)(struct random *, int);
};

static double
noise_normal(struct random *r, int i)
{
	(void)i;
	return random_normal(r);
}

static double
noise_log_normal(struct random *r, int i)
{
	(void)i;
	return exp(random_normal(r));
}

static double
noise_constant(struct random *r, int i)
{
	(void)r;
	(void)i;
	return 42.5;
}

static double
noise_sine(struct random *r, int i)
{
	return 100 + 30 * sin(i * 2 * M_PI / 144) + random_normal(r);
}

static double
noise_exponential(struct random *r, int i)
{
	(void)i;
	return -log(random_uniform(r));
}

Test(engine, plain_noise_hardly_ever_alarms)
{
	static const struct noise noises[] = {
		{ "normal", noise_normal },
		{ "log-normal", noise_log_normal },
		{ "constant", noise_constant },
		{ "sine", noise_sine },
		{ "exponential", noise_exponential },
	};

	for (size_t k = 0; k < NELEM(noises); k++) {
		size_t alarms = 0, buckets = 0;

		for (uint64_t seed = 0; seed < 3; seed++) {
			struct random r = random_seed(seed);
			struct feed f;

			feed_init(&f, SPAN, mean_v, NULL);
			feed_start(&f);
			for (int i = 0; i < 4000; i++)
				add_value(&f, T0 + i * SPAN, "v",
				    noises[k].value(&r, i));
			alarms += buckets_scoring(&f, 50);
			buckets += f.nbuckets;
			feed_clear(&f);
		}
		cr_expect_leq(alarms * 1000, buckets, "%s: %zu alarms in %zu",
		    noises[k].name, alarms, buckets);
	}
}

Test(engine, random_arrivals_hardly_ever_alarm)
{
	static const double means[] = { 0.05, 0.5, 3, 20, 150 };

	for (size_t k = 0; k < NELEM(means); k++) {
		struct random r = random_seed(k);
		size_t alarms;
		struct feed f;

		start_counting(&f);
		for (int i = 0; i < 8000; i++)
			add_times(&f, T0 + i * SPAN,
			    (int)random_poisson(&r, means[k]));
		alarms = buckets_scoring(&f, 50);
		cr_expect_leq(
		    alarms, 8, "mean %g: %zu alarms", means[k], alarms);
		feed_clear(&f);
	}
}

Test(engine, a_lasting_change_alarms_and_then_is_normal)
{
	struct random r = random_seed(6);
	size_t late = 0;
	struct feed f;

	feed_init(&f, SPAN, mean_v, NULL);
	feed_start(&f);
	for (int i = 0; i < 1000; i++)
		add_value(&f, T0 + i * SPAN, "v",
		    (i < 700 ? 100 : 200) + 5 * random_normal(&r));
	cr_expect_gt(f.bucket[700].anomaly_score, 75);
	for (size_t i = 730; i < f.nbuckets; i++)
		late += f.bucket[i].anomaly_score >= 25;
	cr_expect_leq(late, 2);
	feed_clear(&f);
}

Test(engine, a_noisy_partition_leaves_the_others_their_scores)
{
	struct random r = random_seed(7);
	struct feed_detector d[] = {
		{ .function = "mean", .field = "v", .partition = "host" },
		{ .function = NULL }
	};
	double score = 0;
	struct feed f;

	feed_init(&f, SPAN, d, NULL);
	feed_start(&f);
	for (int i = 0; i < 600; i++) {
		feed_set(&f, "host", "wild");
		add_value(&f, T0 + i * SPAN, "v",
		    random_normal(&r) * (i % 40 == 0 ? 1000 : 1));
		feed_set(&f, "host", "calm");
		add_value(
		    &f, T0 + i * SPAN, "v", i == 590 ? 50 : random_normal(&r));
	}
	for (size_t i = 0; i < f.nrecords; i++) {
		if (f.record[i].r.timestamp_ms == (T0 + 590LL * SPAN) * 1000 &&
		    strcmp(f.record[i].partition, "calm") == 0)
			score = f.record[i].r.record_score;
	}
	cr_expect_gt(score, 75);
	feed_clear(&f);
}

/* Interim results */

Test(engine, interim_counts_alarm_high_and_never_low)
{
	struct random r = random_seed(8);
	struct feed f;
	size_t n;

	start_counting(&f);
	for (int i = 0; i < 600; i++)
		add_times(&f, T0 + i * SPAN, 10 + (int)random_poisson(&r, 10));
	add_times(&f, T0 + 600 * SPAN, 1);
	n = f.nbuckets;
	cr_assert_eq(engine_interim(f.engine, TIME_UNSET, TIME_UNSET), 0);
	cr_assert_eq(f.nbuckets, n + 1);
	cr_expect(f.bucket[n].is_interim);
	cr_expect_eq(f.bucket[n].event_count, 1);
	cr_expect_eq(f.bucket[n].anomaly_score, 0);
	cr_expect_eq(f.bucket[n].ninfluencers, 0);
	add_times(&f, T0 + 600 * SPAN + 60, 150);
	cr_assert_eq(engine_interim(f.engine, TIME_UNSET, TIME_UNSET), 0);
	cr_assert_eq(f.nbuckets, n + 1, "the earlier one was replaced");
	cr_expect_gt(f.bucket[n].anomaly_score, 75);
	cr_expect(f.record[f.nrecords - 1].r.is_interim);
	cr_expect_eq(f.record[f.nrecords - 1].r.actual[0], 151);
	cr_assert_eq(feed_advance(&f, T0 + 601 * SPAN), 0);
	cr_assert_eq(f.nbuckets, n + 1, "the final one took its place");
	cr_expect_not(f.bucket[n].is_interim);
	cr_expect_not(f.record[f.nrecords - 1].r.is_interim);
	feed_clear(&f);
}

Test(engine, interim_results_teach_nothing)
{
	struct random r = random_seed(9), again = r;
	struct feed a, b;

	start_counting(&a);
	start_counting(&b);
	for (int i = 0; i < 200; i++) {
		add_times(&a, T0 + i * SPAN, (int)random_poisson(&r, 10));
		add_times(&b, T0 + i * SPAN, (int)random_poisson(&again, 10));
		cr_assert_eq(
		    engine_interim(b.engine, TIME_UNSET, TIME_UNSET), 0);
	}
	cr_assert_eq(feed_advance(&a, T0 + 200 * SPAN), 0);
	cr_assert_eq(feed_advance(&b, T0 + 200 * SPAN), 0);
	cr_assert_eq(a.nbuckets, b.nbuckets);
	for (size_t i = 0; i < a.nbuckets; i++)
		cr_expect_eq(
		    a.bucket[i].anomaly_score, b.bucket[i].anomaly_score);
	feed_clear(&a);
	feed_clear(&b);
}

Test(engine, interim_of_a_range_within_latency)
{
	struct feed f;

	feed_init(&f, SPAN, count_all, NULL);
	f.conf.latency_s = 3 * SPAN;
	feed_start(&f);
	add_buckets(&f, T0, 4, 2);
	cr_expect_eq(f.nbuckets, 3);
	cr_assert_eq(engine_interim(f.engine, TIME_UNSET, TIME_UNSET), 0);
	cr_expect_eq(f.nbuckets, 3 + 4);
	cr_assert_eq(engine_interim(f.engine, T0 + SPAN, T0 + 3 * SPAN), 0);
	cr_assert_eq(f.nbuckets, 3 + 2);
	cr_expect_eq(f.bucket[3].timestamp_ms, (T0 + SPAN) * 1000LL);
	feed_clear(&f);
}

/* Memory */

Test(engine, the_memory_limit_stops_new_series_not_known_ones)
{
	struct feed_detector by_host[] = {
		{ .function = "count", .by = "host" }, { .function = NULL }
	};
	struct model_size size;
	struct feed f;
	char host[16];

	feed_init(&f, SPAN, by_host, NULL);
	f.conf.model_memory_limit_mb = 1;
	feed_start(&f);
	for (int i = 0; i < 20000; i++) {
		snprintf(host, sizeof(host), "host-%d", i);
		feed_set(&f, "host", host);
		cr_assert_eq(feed_add(&f, T0), 0);
	}
	size.log_time = 7;
	engine_size(f.engine, &size);
	cr_expect_eq(size.memory_status, MEMORY_HARD_LIMIT);
	cr_expect_eq(size.bucket_allocation_failures_count, 1);
	cr_expect_gt(size.model_bytes_exceeded, 0);
	cr_expect_leq(size.model_bytes, 1024 * 1024);
	cr_expect_geq(size.peak_model_bytes, size.model_bytes);
	cr_expect_eq(size.model_bytes_memory_limit, 1024 * 1024);
	/* of 2 KB each, a_young_series_is_small */
	cr_expect_gt(size.total_by_field_count, 450);
	cr_expect_lt(size.total_by_field_count, 20000);
	cr_expect_eq(size.log_time, 7, "left alone");
	cr_expect_eq(size.timestamp, T0 * 1000LL);
	feed_set(&f, "host", "host-0");
	add_buckets(&f, T0 + SPAN, 60, 5);
	add_times(&f, T0 + 61 * SPAN, 500);
	cr_assert_eq(feed_advance(&f, T0 + 62 * SPAN), 0);
	cr_assert_gt(f.nrecords, 0);
	cr_expect_str_eq(f.record[f.nrecords - 1].by, "host-0");
	feed_clear(&f);
}

static enum memory_status
status_of(const struct engine *e)
{
	struct model_size size = { .log_time = 0 };

	engine_size(e, &size);
	return (enum memory_status)size.memory_status;
}

Test(engine, hard_limit_ends_when_the_job_is_opened_with_room)
{
	struct feed_detector by_host[] = {
		{ .function = "count", .by = "host" }, { .function = NULL }
	};
	struct feed f;
	char host[16];

	feed_init(&f, SPAN, by_host, NULL);
	f.conf.model_memory_limit_mb = 1;
	feed_start(&f);
	for (int i = 0; i < 20000; i++) {
		snprintf(host, sizeof(host), "host-%d", i);
		feed_set(&f, "host", host);
		cr_assert_eq(feed_add(&f, T0), 0);
	}
	cr_assert_eq(status_of(f.engine), MEMORY_HARD_LIMIT);
	engine_opened(f.engine);
	cr_expect_eq(status_of(f.engine), MEMORY_SOFT_LIMIT);
	feed_set(&f, "host", "one more");
	cr_assert_eq(feed_add(&f, T0), 0);
	cr_expect_eq(status_of(f.engine), MEMORY_HARD_LIMIT);
	f.conf.model_memory_limit_mb = 10;
	cr_expect_eq(status_of(f.engine), MEMORY_HARD_LIMIT, "not by itself");
	engine_opened(f.engine);
	cr_expect_eq(status_of(f.engine), MEMORY_OK);
	feed_clear(&f);
}

Test(engine, a_young_series_is_small)
{
	struct feed_detector split[] = {
		{ .function = "mean", .field = "v", .partition = "host" },
		{ .function = NULL }
	};
	struct model_size before, after;
	struct feed f;
	char host[16];

	feed_init(&f, SPAN, split, NULL);
	feed_start(&f);
	feed_set(&f, "v", "1");
	engine_size(f.engine, &before);
	for (int i = 0; i < 1000; i++) {
		snprintf(host, sizeof(host), "host-%d", i);
		feed_set(&f, "host", host);
		cr_assert_eq(feed_add(&f, T0), 0);
	}
	engine_size(f.engine, &after);
	/* tails, a sample of the past and levels; tables come when they pay */
	cr_expect_leq((after.model_bytes - before.model_bytes) / 1000, 2048,
	    "%lu bytes",
	    (unsigned long)((after.model_bytes - before.model_bytes) / 1000));
	feed_clear(&f);
}

/* State */

static bool
same_record(const struct feed_record *a, const struct feed_record *b)
{
	return a->r.timestamp_ms == b->r.timestamp_ms &&
	    a->r.detector_index == b->r.detector_index &&
	    a->r.probability == b->r.probability &&
	    a->r.record_score == b->r.record_score &&
	    a->r.typical[0] == b->r.typical[0] &&
	    a->r.actual[0] == b->r.actual[0] && strcmp(a->by, b->by) == 0 &&
	    strcmp(a->partition, b->partition) == 0 &&
	    a->r.ninfluencers == b->r.ninfluencers &&
	    strcmp(a->influencer[0], b->influencer[0]) == 0 &&
	    strcmp(a->influencer[1], b->influencer[1]) == 0;
}

static bool
same_bucket(const struct bucket_result *a, const struct bucket_result *b)
{
	if (a->timestamp_ms != b->timestamp_ms ||
	    a->anomaly_score != b->anomaly_score ||
	    a->event_count != b->event_count ||
	    a->ninfluencers != b->ninfluencers)
		return false;
	for (size_t i = 0; i < a->ninfluencers; i++) {
		if (a->influencer[i].anomaly_score !=
			b->influencer[i].anomaly_score ||
		    a->influencer[i].raw_anomaly_score !=
			b->influencer[i].raw_anomaly_score ||
		    a->influencer[i].probability !=
			b->influencer[i].probability)
			return false;
	}
	return true;
}

static void
expect_same_results(const struct feed *a, const struct feed *b)
{
	cr_assert_eq(a->nbuckets, b->nbuckets);
	cr_assert_eq(a->nrecords, b->nrecords);
	for (size_t i = 0; i < a->nbuckets; i++)
		cr_assert(
		    same_bucket(&a->bucket[i], &b->bucket[i]), "bucket %zu", i);
	for (size_t i = 0; i < a->nrecords; i++)
		cr_assert(
		    same_record(&a->record[i], &b->record[i]), "record %zu", i);
}

static const struct feed_detector many[] = {
	{ .function = "mean", .field = "v", .by = "kpi", .partition = "host" },
	{ .function = "count", .partition = "host" },
	{ .function = "high_sum", .field = "v", .by = "kpi" },
	{ .function = NULL },
};
static const char *const user_and_host[] = { "user", "host", NULL };

static void
start_many(struct feed *f)
{
	feed_init(f, SPAN, many, user_and_host);
	f->conf.latency_s = SPAN;
	feed_start(f);
}

/* One record of a lively job, the i-th; everything is a function of i. */
static void
add_lively(struct feed *f, int i)
{
	struct random r = random_seed((uint64_t)i);
	char host[16], kpi[16], user[16], v[40];
	int64_t t = T0 + i * 37 - (int64_t)(random_uniform(&r) * SPAN);

	snprintf(host, sizeof(host), "h%d", (int)(random_uniform(&r) * 4));
	snprintf(kpi, sizeof(kpi), "k%d", i % 3);
	snprintf(user, sizeof(user), "u%d", (int)(random_uniform(&r) * 9));
	snprintf(v, sizeof(v), "%.6f",
	    50 + 9 * random_normal(&r) + (i % 1500 < 4 ? 400 : 0));
	feed_set(f, "host", host);
	feed_set(f, "kpi", kpi);
	feed_set(f, "user", i % 11 == 0 ? NULL : user);
	feed_set(f, "v", v);
	cr_assert_eq(feed_advance(f, T0 + i * 37), 0);
	cr_assert_eq(engine_add(f->engine, t, &f->rec), 0);
}

Test(engine, a_restart_at_any_moment_changes_no_bit)
{
	struct feed whole, cut;

	start_many(&whole);
	start_many(&cut);
	for (int i = 0; i < 6000; i++) {
		add_lively(&whole, i);
		add_lively(&cut, i);
		/* 37 s a record, 600 s a bucket: every phase comes up */
		if (i % 101 == 0)
			feed_restart(&cut);
	}
	cr_assert_gt(whole.nrecords, 20);
	expect_same_results(&whole, &cut);
	feed_clear(&whole);
	feed_clear(&cut);
}

Test(engine, where_slices_end_changes_no_bit)
{
	struct feed whole, sliced;

	start_many(&whole);
	start_many(&sliced);
	for (int i = 0; i < 3000; i++) {
		add_lively(&whole, i);
		clock_fake(NULL, each_look_takes_400_us);
		add_lively(&sliced, i);
		clock_fake(NULL, NULL);
	}
	expect_same_results(&whole, &sliced);
	feed_clear(&whole);
	feed_clear(&sliced);
}

Test(engine, sizes_survive_a_restart)
{
	struct model_size before, after;
	struct timing t1, t2;
	struct feed f;

	start_many(&f);
	for (int i = 0; i < 500; i++)
		add_lively(&f, i);
	engine_size(f.engine, &before);
	engine_timing(f.engine, &t1);
	feed_restart(&f);
	engine_size(f.engine, &after);
	engine_timing(f.engine, &t2);
	cr_expect_eq(before.model_bytes, after.model_bytes);
	cr_expect_eq(before.peak_model_bytes, after.peak_model_bytes);
	cr_expect_eq(before.timestamp, after.timestamp);
	cr_expect_eq(t1.bucket_count, f.nbuckets);
	cr_expect_eq(t1.bucket_count, t2.bucket_count);
	cr_expect_eq(t1.total_ms, t2.total_ms);
	feed_clear(&f);
}

Test(engine, a_cut_or_changed_state_is_refused)
{
	struct result_sink none = { 0 };
	struct snapshot_writer *w = snapshot_writer_memory();
	struct snapshot_reader *r;
	struct engine *e;
	const uint8_t *data;
	struct feed f;
	size_t len;

	start_many(&f);
	for (int i = 0; i < 300; i++)
		add_lively(&f, i);
	cr_assert_eq(engine_save(f.engine, w), 0);
	cr_assert_eq(snapshot_memory(w, &data, &len), 0);
	f.conf.bucket_span_s = 2 * SPAN; /* not the job that it was */
	r = snapshot_reader_memory(data, len);
	e = engine_new(&f.conf, &none);
	cr_expect_eq(engine_load(e, r), -1);
	cr_expect_eq(errno, EBADMSG);
	engine_free(e);
	snapshot_reader_free(r);
	f.conf.bucket_span_s = SPAN;
	snapshot_writer_free(w);
	feed_clear(&f);
}

Test(engine, state_is_not_saved_while_something_is_due)
{
	struct snapshot_writer *w = snapshot_writer_memory();
	struct feed f;

	start_counting(&f);
	cr_assert_eq(feed_add(&f, T0), 0);
	engine_target(f.engine, T0 + SPAN);
	cr_expect_eq(engine_save(f.engine, w), -1);
	cr_expect_eq(errno, EBUSY);
	snapshot_writer_free(w);
	feed_clear(&f);
}

Test(engine, a_result_that_was_refused_is_offered_again)
{
	struct feed f;

	start_counting(&f);
	f.fail_after = 3;
	cr_assert_eq(feed_add(&f, T0), 0);
	cr_expect_eq(feed_advance(&f, T0 + 5 * SPAN), -1);
	cr_expect_eq(errno, ENOSPC);
	cr_expect_eq(f.nbuckets, 3);
	f.fail_after = 0;
	cr_assert_eq(feed_advance(&f, T0 + 5 * SPAN), 0);
	cr_assert_eq(f.nbuckets, 5);
	cr_expect_eq(f.bucket[3].timestamp_ms, (T0 + 3 * SPAN) * 1000LL);
	feed_clear(&f);
}

Test(engine, times_out_of_this_world_are_ignored)
{
	static const int64_t odd[] = { INT64_MIN, INT64_MIN / 1000 - 1,
		INT64_MAX / 1000 + 1, INT64_MAX };
	struct feed f;

	start_counting(&f);
	for (size_t i = 0; i < NELEM(odd); i++) {
		cr_expect_eq(feed_add(&f, odd[i]), 0);
		engine_skip(f.engine, odd[i]);
		engine_reset_buckets(f.engine, odd[i], odd[i]);
	}
	cr_expect_eq(engine_last_finalized_ms(f.engine), TIME_UNSET);
	cr_assert_eq(feed_add(&f, T0), 0);
	for (size_t i = 0; i < NELEM(odd); i++)
		cr_expect_eq(feed_add(&f, odd[i]), 0);
	cr_assert_eq(feed_add(&f, T0 + SPAN), 0);
	cr_assert_eq(f.nbuckets, 1);
	cr_expect_eq(f.bucket[0].event_count, 1);
	feed_clear(&f);
}
