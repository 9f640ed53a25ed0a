/* Why a record has its score: what is found, stored and shown. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <float.h>
#include <json-c/json.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/explanation.h"
#include "tests/engine_cases.h"
#include "tests/random.h"

static const struct explanation all = {
	.has = EXPLAINED_ALL,
	.dip = true,
	.anomaly_length = 3,
	.single_bucket_impact = 41,
	.multi_bucket_impact = 307,
	.lower_confidence_bound = -1.5,
	.typical_value = 0.1,
	.upper_confidence_bound = DBL_MAX,
	.relative_rarity = 8.5,
	.leader = { "db-2", 4 },
};

static struct wbuf
stored(const struct explanation *x)
{
	struct wbuf wb;

	wbuf_init(&wb, 0);
	cr_assert_eq(explanation_put(&wb, x), 0);
	return wb;
}

Test(explain, what_is_stored_comes_back)
{
	for (unsigned has = 0; has <= EXPLAINED_ALL; has++) {
		struct explanation x = all, got;
		struct wbuf wb;

		x.has = has;
		wb = stored(&x);
		cr_assert_eq(explanation_get(wb.data, wb.len, &got), 0);
		cr_expect_eq(got.has, has);
		cr_expect_eq(got.dip, (has & EXPLAINED_TYPE) != 0);
		cr_expect_eq(got.anomaly_length,
		    has & EXPLAINED_LENGTH ? all.anomaly_length : 0);
		cr_expect_eq(got.single_bucket_impact,
		    has & EXPLAINED_SINGLE ? all.single_bucket_impact : 0);
		cr_expect_eq(got.multi_bucket_impact,
		    has & EXPLAINED_MULTI ? all.multi_bucket_impact : 0);
		cr_expect_eq(got.upper_confidence_bound,
		    has & EXPLAINED_BOUNDS ? DBL_MAX : 0);
		cr_expect_eq(
		    got.relative_rarity, has & EXPLAINED_RARITY ? 8.5 : 0);
		cr_expect_eq(got.leader.len, has & EXPLAINED_LEADER ? 4 : 0);
		cr_expect((has & EXPLAINED_LEADER) == 0 ||
		    memcmp(got.leader.p, "db-2", 4) == 0);
		wbuf_clear(&wb);
	}
}

Test(explain, what_is_cut_or_too_long_or_unknown_is_damaged)
{
	struct wbuf wb = stored(&all);
	struct explanation got;

	for (size_t len = 0; len < wb.len; len++) {
		errno = 0;
		cr_expect_eq(explanation_get(wb.data, len, &got), -1);
		cr_expect_eq(errno, EBADMSG);
	}
	cr_assert_eq(wire_put_u8(&wb, 0), 0);
	cr_expect_eq(explanation_get(wb.data, wb.len, &got), -1);
	wb.data[1] = 2; /* neither a dip nor none */
	cr_expect_eq(explanation_get(wb.data, wb.len - 1, &got), -1);
	wbuf_clear(&wb);
}

Test(explain, bounds_that_are_no_numbers_are_not_stored)
{
	struct explanation x = all;
	struct wbuf wb;

	wbuf_init(&wb, 0);
	x.upper_confidence_bound = INFINITY;
	errno = 0;
	cr_expect_eq(explanation_put(&wb, &x), -1);
	cr_expect_eq(errno, EINVAL);
	x = all;
	x.relative_rarity = NAN;
	errno = 0;
	cr_expect_eq(explanation_put(&wb, &x), -1);
	cr_expect_eq(errno, EINVAL);
	wbuf_clear(&wb);
}

/* Around 100 with a deviation of 2; a stretch of buckets is off. */
static void
feed_stretch(struct feed *f, const char *function, int from, int to, double off)
{
	const struct feed_detector d[] = {
		{ .function = function, .field = "v" },
		{ .function = NULL },
	};
	struct random r = random_seed(12);

	feed_init(f, SPAN, d, NULL);
	feed_start(f);
	for (int b = 0; b < 420; b++)
		add_value(f, T0 + b * SPAN, "v",
		    100 + 2 * random_normal(&r) +
			(b >= from && b < to ? off : 0));
	cr_assert_eq(feed_advance(f, T0 + 420 * SPAN), 0);
}

static const struct record_result *
record_at(const struct feed *f, int bucket)
{
	for (size_t i = 0; i < f->nrecords; i++)
		if (f->record[i].r.timestamp_ms ==
		    (T0 + bucket * (int64_t)SPAN) * 1000)
			return &f->record[i].r;
	cr_assert_fail("no record in bucket %d", bucket);
	return NULL;
}

Test(explain, a_spike_is_above_its_bounds)
{
	const struct record_result *r;
	struct feed f;

	feed_stretch(&f, "mean", 400, 401, 40);
	r = record_at(&f, 400);
	cr_assert_eq(r->why.has & ~(unsigned)EXPLAINED_MULTI,
	    EXPLAINED_TYPE | EXPLAINED_LENGTH | EXPLAINED_SINGLE |
		EXPLAINED_BOUNDS);
	cr_expect_not(r->why.dip);
	cr_expect_eq(r->why.anomaly_length, 1);
	cr_expect_geq(r->why.single_bucket_impact, 3);
	cr_expect_leq(fabs(r->why.single_bucket_impact + log10(r->probability)),
	    2, "%u %g", r->why.single_bucket_impact, r->probability);
	cr_expect_eq(r->why.typical_value, r->typical[0]);
	/* 95 % of a normal distribution are within 3.92 deviations */
	cr_expect_float_eq(
	    r->why.upper_confidence_bound - r->why.lower_confidence_bound,
	    2 * 1.96 * 2, 2);
	cr_expect_lt(r->why.lower_confidence_bound, r->why.typical_value);
	cr_expect_lt(r->why.typical_value, r->why.upper_confidence_bound);
	cr_expect_gt(r->actual[0], r->why.upper_confidence_bound);
	feed_clear(&f);
}

Test(explain, a_dip_is_below_them)
{
	const struct record_result *r;
	struct feed f;

	feed_stretch(&f, "low_mean", 400, 401, -40);
	r = record_at(&f, 400);
	cr_expect(r->why.dip);
	cr_expect_lt(r->actual[0], r->why.lower_confidence_bound);
	feed_clear(&f);
}

Test(explain, a_stretch_is_counted)
{
	struct feed f;
	uint32_t most = 0;

	feed_stretch(&f, "high_mean", 400, 405, 60);
	cr_expect_eq(record_at(&f, 400)->why.anomaly_length, 1);
	for (size_t i = 0; i < f.nrecords; i++)
		if (f.record[i].r.timestamp_ms > (T0 + 400LL * SPAN) * 1000 &&
		    f.record[i].r.why.anomaly_length > most)
			most = f.record[i].r.why.anomaly_length;
	cr_expect_geq(most, 2);
	cr_expect_leq(most, 6);
	feed_clear(&f);
}

/* Forty people around 100 with a deviation of 2, one of whom is off. */
static void
feed_people(struct feed *f, const char *function, int to, double off)
{
	const struct feed_detector d[] = {
		{ .function = function, .field = "v", .over = "user" },
		{ .function = NULL },
	};
	struct random r = random_seed(13);
	char user[24];

	feed_init(f, SPAN, d, NULL);
	feed_start(f);
	for (int b = 0; b < 120; b++) {
		for (int i = 0; i < 40; i++) {
			bool odd = i == 7 && b >= 100 && b < to;

			snprintf(user, sizeof(user), "user-%d", i);
			feed_set(f, "user", user);
			add_value(f, T0 + b * SPAN, "v",
			    100 + 2 * random_normal(&r) + (odd ? off : 0));
		}
	}
	cr_assert_eq(feed_advance(f, T0 + 120 * SPAN), 0);
}

static double
digits_of(double probability)
{
	return -log10(probability);
}

Test(explain, one_of_the_people_is_above_what_the_others_are)
{
	const struct record_result *r;
	struct feed f;

	feed_people(&f, "mean", 101, 40);
	r = record_at(&f, 100);
	cr_assert_eq(r->why.has & ~(unsigned)EXPLAINED_MULTI,
	    EXPLAINED_TYPE | EXPLAINED_LENGTH | EXPLAINED_SINGLE |
		EXPLAINED_BOUNDS);
	cr_expect_not(r->why.dip);
	cr_expect_eq(r->why.anomaly_length, 1);
	/* those of his probability among so many are fewer */
	cr_expect_leq(fabs(r->why.single_bucket_impact -
			  digits_of(r->cause[0].probability)),
	    1.2);
	cr_expect_gt(r->why.single_bucket_impact, digits_of(r->probability));
	cr_expect_eq(r->why.typical_value, r->cause[0].typical[0]);
	cr_expect_float_eq(
	    r->why.upper_confidence_bound - r->why.lower_confidence_bound,
	    2 * 1.96 * 2, 1.5);
	cr_expect_float_eq(
	    (r->why.upper_confidence_bound + r->why.lower_confidence_bound) / 2,
	    r->why.typical_value, 0.5);
	cr_expect_gt(r->cause[0].actual[0], r->why.upper_confidence_bound);
	feed_clear(&f);
}

Test(explain, one_of_the_people_is_below_them)
{
	const struct record_result *r;
	struct feed f;

	feed_people(&f, "low_mean", 101, -40);
	r = record_at(&f, 100);
	cr_expect(r->why.dip);
	cr_expect_lt(r->cause[0].actual[0], r->why.lower_confidence_bound);
	feed_clear(&f);
}

/* Three buckets that are odd together more than each by itself. */
Test(explain, a_run_of_one_of_the_people_counts)
{
	const struct record_result *r;
	struct feed f;

	feed_people(&f, "high_mean", 103, 6.5);
	r = record_at(&f, 102);
	cr_assert_eq(r->why.has & (EXPLAINED_MULTI | EXPLAINED_LENGTH),
	    EXPLAINED_MULTI | EXPLAINED_LENGTH);
	cr_expect_eq(r->why.anomaly_length, 3);
	cr_expect_leq(fabs(r->why.multi_bucket_impact -
			  digits_of(r->cause[0].probability)),
	    1.2);
	cr_expect_gt(r->why.multi_bucket_impact, r->why.single_bucket_impact);
	feed_clear(&f);
}

/* Five things that all of forty people use, and one that one of them does. */
static void
feed_uses(struct feed *f, const char *last)
{
	const struct feed_detector d[] = {
		{ .function = "rare", .by = "thing", .over = "user" },
		{ .function = NULL },
	};
	static const char *const thing[] = { "a", "b", "c", "d", "e" };
	char user[24];

	feed_init(f, SPAN, d, NULL);
	feed_start(f);
	for (int b = 0; b <= 100; b++) {
		for (int i = 0; i < 40; i++) {
			snprintf(user, sizeof(user), "user-%d", i);
			feed_set(f, "user", user);
			feed_set(f, "thing", thing[(b + i) % 5]);
			add_times(f, T0 + b * SPAN, 1);
		}
		if (b == 50 || b == 100) {
			feed_set(f, "user", b == 50 ? "user-3" : "user-9");
			feed_set(f, "thing", b == 50 ? "once" : last);
			add_times(f, T0 + b * SPAN, 1);
		}
	}
	f->nrecords = 0;
	cr_assert_eq(feed_advance(f, T0 + 101 * SPAN), 0);
}

Test(explain, what_somebody_shows_was_never_seen)
{
	const struct record_result *r;
	struct feed f;

	feed_uses(&f, "never");
	r = record_at(&f, 100);
	cr_expect_str_eq(f.record[0].over, "user-9");
	cr_assert_eq(
	    r->why.has, EXPLAINED_SINGLE | EXPLAINED_FIRST | EXPLAINED_RARITY);
	cr_expect_eq(
	    r->why.single_bucket_impact, round(digits_of(r->probability)));
	/* six values, known of 201 people; one more cell of a seventh */
	cr_expect_float_eq(
	    r->why.relative_rarity, (201 / 6.0 + 1 / 7.0) * 7, 8);
	feed_clear(&f);
}

Test(explain, what_somebody_shows_was_seen_with_one_other)
{
	const struct record_result *r;
	struct feed f;

	feed_uses(&f, "once");
	r = record_at(&f, 100);
	cr_assert_eq(r->why.has, EXPLAINED_SINGLE | EXPLAINED_RARITY);
	/* classes are an eighth of an octave wide */
	cr_expect_float_eq(
	    r->why.relative_rarity, (201 / 6.0 + 1 / 7.0) / (1 + 1 / 7.0), 2);
	feed_clear(&f);
}
