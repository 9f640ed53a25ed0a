/* The engine from records to results, through its interface alone. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tests/engine_cases.h"
#include "tests/random.h"

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
	struct feed_detector d[] = { { .function = "lat_long",
					 .field = "host" },
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
	cr_assert_eq(feed_interim(&f, TIME_UNSET, TIME_UNSET), 0);
	cr_assert_eq(f.nbuckets, n + 1);
	cr_expect(f.bucket[n].is_interim);
	cr_expect_eq(f.bucket[n].event_count, 1);
	cr_expect_eq(f.bucket[n].anomaly_score, 0);
	cr_expect_eq(f.bucket[n].ninfluencers, 0);
	add_times(&f, T0 + 600 * SPAN + 60, 150);
	cr_assert_eq(feed_interim(&f, TIME_UNSET, TIME_UNSET), 0);
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
		cr_assert_eq(feed_interim(&b, TIME_UNSET, TIME_UNSET), 0);
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
	cr_assert_eq(feed_interim(&f, TIME_UNSET, TIME_UNSET), 0);
	cr_expect_eq(f.nbuckets, 3 + 4);
	cr_assert_eq(feed_interim(&f, T0 + SPAN, T0 + 3 * SPAN), 0);
	cr_assert_eq(f.nbuckets, 3 + 2);
	cr_expect_eq(f.bucket[3].timestamp_ms, (T0 + SPAN) * 1000LL);
	feed_clear(&f);
}
