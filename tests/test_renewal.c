/* When earlier scores are made again, and what becomes of them. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "tests/engine_cases.h"
#include "tests/random.h"
#include "worker/renewal.h"
#include "worker/score.h"

static const struct feed_detector by_host[] = {
	{ .function = "mean", .field = "v", .partition = "host" },
	{ .function = NULL },
};
static const char *const host_only[] = { "host", NULL };

/* Bucket b of two hosts; *times is for the second. */
static void
feed_bucket(struct feed *f, int b, double times)
{
	struct random r = random_seed((uint64_t)b);

	for (int h = 0; h < 2; h++) {
		double v = 100 + random_normal(&r);

		feed_set(f, "host", h == 0 ? "h0" : "h1");
		add_value(f, T0 + b * SPAN, "v", h == 1 ? v * times : v);
	}
}

static void
start(struct feed *f)
{
	feed_init(f, SPAN, by_host, host_only);
	feed_start(f);
}

Test(renewal, a_louder_bucket_renews_at_once)
{
	struct feed f;
	size_t before;

	start(&f);
	for (int b = 0; b < 1000; b++)
		feed_bucket(&f, b, b == 900 ? 1.5 : 1);
	before = f.nrescores;
	feed_bucket(&f, 1000, 1000);
	cr_assert_eq(feed_advance(&f, T0 + 1000 * SPAN), 0);
	cr_expect_eq(f.nrescores, before);
	cr_assert_eq(feed_advance(&f, T0 + 1001 * SPAN), 0);
	cr_assert_eq(f.nrescores, before + 1);
	/* of what was before it, 30 days back at most */
	cr_expect_eq(f.rescored.to_ms, (T0 + 1000LL * SPAN) * 1000);
	cr_expect_eq(
	    f.rescored.from_ms, (T0 + 1000LL * SPAN - 30LL * 86400) * 1000);
	feed_clear(&f);
}

Test(renewal, what_was_great_is_less_beside_what_is_greater)
{
	struct feed_record small;
	struct feed_influencer who = { .r = { .field_name = "host" } };
	struct bucket_influencer in = { .influencer_field_name = "host",
		.anomaly_score = 60 };
	struct feed f;

	start(&f);
	for (int b = 0; b < 2001; b++)
		feed_bucket(&f, b, b == 1900 ? 1.12 : 1);
	small = *feed_top_record(&f);
	cr_assert_eq(small.r.timestamp_ms, (T0 + 1900LL * SPAN) * 1000);
	small.r.partition_field_value = (struct span){ "h1", 2 };
	feed_bucket(&f, 2001, 100000);
	cr_assert_eq(feed_advance(&f, T0 + 2002 * SPAN), 0);
	/* the rescorer of that bucket is still good: no other has come */
	cr_expect_lt(f.rescored.record(f.rescored.arg, &small.r),
	    small.r.initial_record_score - 10);
	cr_expect_gt(f.rescored.record(f.rescored.arg, &small.r), 0);
	who.r.probability = small.r.probability;
	cr_expect_lt(f.rescored.influencer(f.rescored.arg, &who.r),
	    small.r.initial_record_score - 10);
	in.raw_anomaly_score = score_raw(log(small.r.probability));
	cr_expect_lt(f.rescored.bucket(f.rescored.arg, 1, &in),
	    small.r.initial_record_score - 10);
	/* the other host has its own history, and no part in this */
	small.r.partition_field_value = (struct span){ "h0", 2 };
	cr_expect_gt(f.rescored.record(f.rescored.arg, &small.r),
	    small.r.initial_record_score - 10);
	feed_clear(&f);
}

Test(renewal, of_what_is_not_known_nothing_is_said)
{
	struct record_result r = { .detector_index = 7, .probability = 1e-6 };
	struct influencer_result who = { .field_name = "user",
		.probability = 1e-6 };
	struct bucket_influencer in = { .influencer_field_name = "user" };
	struct feed f;

	start(&f);
	for (int b = 0; b < 1001; b++)
		feed_bucket(&f, b, b == 800 ? 3 : b == 999 ? 1000 : 1);
	cr_assert_gt(f.nrescores, 0);
	cr_expect_eq(f.rescored.record(f.rescored.arg, &r), -1);
	r.detector_index = 0;
	r.partition_field_value = (struct span){ "h9", 2 };
	cr_expect_eq(f.rescored.record(f.rescored.arg, &r), -1);
	cr_expect_eq(f.rescored.influencer(f.rescored.arg, &who), -1);
	cr_expect_eq(f.rescored.bucket(f.rescored.arg, 1, &in), -1);
	feed_clear(&f);
}

/* Else they would rise again, with nothing greater to be measured by. */
Test(renewal, what_was_given_up_keeps_its_scores)
{
	static const struct feed_detector d[] = {
		{ .function = "mean", .field = "v", .by = "host" },
		{ .function = NULL },
	};
	struct record_result r = { .probability = 1e-6 };
	struct feed f;

	feed_init(&f, SPAN, d, host_only);
	f.conf.model_prune_window_s = 400 * SPAN;
	feed_start(&f);
	feed_set(&f, "host", "gone");
	add_value(&f, T0, "v", 100);
	for (int b = 0; b < 1001; b++)
		feed_bucket(&f, b, b == 800 ? 3 : b == 999 ? 1000 : 1);
	cr_assert_gt(f.nrescores, 0);
	r.by_field_value = (struct span){ "h1", 2 };
	cr_expect_geq(f.rescored.record(f.rescored.arg, &r), 0);
	r.by_field_value = (struct span){ "gone", 4 };
	cr_expect_eq(f.rescored.record(f.rescored.arg, &r), -1);
	feed_clear(&f);
}

/* Time and the number of results decide: never sooner than in six hours. */
Test(renewal, quiet_times_renew_now_and_then)
{
	struct jobconf conf = { .bucket_span_s = 600 };
	struct renewal r;
	unsigned n = 0;
	int last = 0;

	renewal_init(&r, &conf);
	for (int b = 0; b < 5000; b++) {
		if (!renewal_is_due(&r, b * 600, b % 10 == 0))
			continue;
		cr_expect_geq(b - last, 36);
		last = b;
		n++;
	}
	/* once there are 500, it takes 125 new ones or so */
	cr_expect_geq(n, 10);
	cr_expect_leq(n, 40);
	cr_expect_leq(r.load, 600);
}

Test(renewal, without_results_there_is_nothing_to_renew)
{
	struct jobconf conf = { .bucket_span_s = 600 };
	struct renewal r;

	renewal_init(&r, &conf);
	for (int b = 0; b < 1000; b++) {
		renewal_note(&r, b, 1);
		cr_expect_not(renewal_is_due(&r, b * 600, 0));
	}
}

Test(renewal, the_jobs_window_is_what_is_looked_at)
{
	struct jobconf conf = { .bucket_span_s = 86400 };
	struct renewal r;

	renewal_init(&r, &conf);
	cr_expect_eq(r.window_s, 100 * 86400);
	conf.has_renormalization_window = true;
	conf.renormalization_window_days = 5;
	renewal_init(&r, &conf);
	cr_expect_eq(r.window_s, 5 * 86400);
	conf.renormalization_window_days = INT64_MAX;
	renewal_init(&r, &conf);
	cr_expect_gt(r.window_s, 0);
}

/* Where an engine is stopped and started again is of no account. */
Test(renewal, a_restart_changes_no_moment)
{
	struct feed whole, cut;

	start(&whole);
	start(&cut);
	for (int b = 0; b < 1500; b++) {
		double times = b % 50 == 7 ? 1.2 : 1;

		feed_bucket(&whole, b, times);
		feed_bucket(&cut, b, times);
		if (b % 97 == 0)
			feed_restart(&cut);
		cr_assert_eq(cut.nrescores, whole.nrescores, "bucket %d", b);
		cr_assert_eq(cut.rescored.to_ms, whole.rescored.to_ms);
	}
	cr_expect_gt(whole.nrescores, 2);
	feed_clear(&whole);
	feed_clear(&cut);
}

/* The list of a bucket begins with its own scope, whatever fields are named. */
Test(renewal, a_field_of_the_name_bucket_time_is_another_scope)
{
	static const char *const field[] = { "bucket_time", NULL };
	struct bucket_influencer in = { .influencer_field_name = "bucket_time",
		.raw_anomaly_score = 5 };
	struct feed f;

	feed_init(&f, SPAN, by_host, field);
	feed_start(&f);
	/* the field is there with what is odd, and not with what is more so */
	for (int b = 0; b < 1001; b++) {
		feed_set(&f, "bucket_time", b == 900 ? "x" : NULL);
		feed_bucket(&f, b, b == 900 ? 1.2 : b == 999 ? 1000 : 1);
	}
	cr_assert_gt(f.nrescores, 0);
	cr_expect_lt(f.rescored.bucket(f.rescored.arg, 0, &in),
	    f.rescored.bucket(f.rescored.arg, 1, &in));
	feed_clear(&f);
}

static int
renew(struct feed *f)
{
	int more;

	while ((more = engine_renew(f->engine)) == 1)
		;
	return more;
}

Test(renewal, a_close_renews_once_what_is_new)
{
	struct feed f;
	size_t before;

	start(&f);
	cr_expect_eq(renew(&f), 0);
	for (int b = 0; b < 1000; b++)
		feed_bucket(&f, b, b == 900 ? 1.5 : b == 999 ? 1000 : 1);
	cr_assert_eq(feed_advance(&f, T0 + 1000 * SPAN), 0);
	before = f.nrescores;
	cr_expect_eq(renew(&f), 0);
	cr_expect_eq(f.nrescores, before, "the last bucket has seen to it");
	feed_bucket(&f, 1000, 900);
	cr_assert_eq(feed_advance(&f, T0 + 1003 * SPAN), 0);
	before = f.nrescores;
	cr_expect_eq(renew(&f), 0);
	cr_assert_eq(f.nrescores, before + 1);
	cr_expect_eq(f.rescored.to_ms, (T0 + 1003LL * SPAN) * 1000);
	feed_restart(&f);
	cr_expect_eq(renew(&f), 0);
	cr_expect_eq(f.nrescores, before + 1, "nothing is new");
	feed_clear(&f);
}
