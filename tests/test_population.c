/*
 * Populations: people who are compared with each other, in attributes and
 * partitions, and what becomes of them over time.
 */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tests/crowd_kinds.h"
#include "tests/engine_cases.h"
#include "tests/random.h"
#include "worker/engine_int.h"

static const struct feed_detector sum_over_user[] = {
	{ .function = "high_sum", .field = "v", .over = "user" },
	{ .function = NULL }
};
static const struct feed_detector sum_by_app[] = { { .function = "high_sum",
						       .field = "v",
						       .by = "app",
						       .over = "user",
						       .partition = "site" },
	{ .function = NULL } };
static const char *const user_influences[] = { "user", NULL };

/* Nobody's value in this bucket is changed. */
#define NOBODY (-1)

struct town {
	int people;
	int each; /* one in so many is there */
	struct random r;
};

static void
add_person(struct feed *f, int64_t time_s, int who, double v)
{
	char user[24];

	snprintf(user, sizeof(user), "user-%d", who);
	feed_set(f, "user", user);
	add_value(f, time_s, "v", v);
}

/* A bucket of them; the odd one has `times` as much. */
static void
add_town(struct feed *f, int64_t time_s, struct town *t, int odd, double times)
{
	for (int i = 0; i < t->people; i++) {
		double v = exp(8 + random_normal(&t->r));

		if (i != odd && random_uniform(&t->r) * t->each > 1)
			continue;
		add_person(f, time_s, i, i == odd ? v * times : v);
	}
}

static int64_t
live(struct feed *f, int64_t time_s, struct town *t, int buckets)
{
	for (int b = 0; b < buckets; b++, time_s += SPAN)
		add_town(f, time_s, t, NOBODY, 1);
	return time_s;
}

static size_t
records_scoring(const struct feed *f, double least)
{
	size_t n = 0;

	for (size_t i = 0; i < f->nrecords; i++)
		n += f->record[i].r.record_score >= least;
	return n;
}

Test(population, who_differs_from_the_others_is_named)
{
	struct town t = { 60, 2, random_seed(3) };
	const struct feed_record *top;
	struct feed f;
	int64_t at;

	feed_init(&f, SPAN, sum_over_user, user_influences);
	feed_start(&f);
	at = live(&f, T0, &t, 200);
	cr_expect_eq(records_scoring(&f, 50), 0);
	add_town(&f, at, &t, 17, 3000);
	at += SPAN;
	at = live(&f, at, &t, 3);
	cr_assert_eq(feed_advance(&f, at), 0);
	cr_expect_eq(records_scoring(&f, 50), 1);
	top = feed_top_record(&f);
	cr_assert_not_null(top);
	cr_expect_str_eq(top->over, "user-17");
	cr_expect_eq(top->r.timestamp_ms, (at - 4 * SPAN) * 1000);
	cr_expect_gt(top->r.record_score, 60);
	cr_expect_lt(top->r.probability, 1e-12);
	cr_expect_str_eq(top->r.over_field_name, "user");
	cr_expect_eq(top->r.nvalues, 0);
	cr_expect_str_eq(top->influencer[0], "user-17");
	feed_clear(&f);
}

Test(population, busy_hours_make_nobody_odd)
{
	struct town t = { 60, 1, random_seed(4) };
	struct feed f;
	int64_t at = T0;

	feed_init(&f, SPAN, sum_over_user, NULL);
	feed_start(&f);
	for (int b = 0; b < 300; b++, at += SPAN) {
		for (int i = 0; i < t.people; i++)
			add_person(&f, at, i,
			    (b % 20 < 3 ? 5000 : 5) * exp(random_normal(&t.r)));
	}
	cr_expect_eq(records_scoring(&f, 50), 0);
	feed_clear(&f);
}

/* People in attributes of sites, of whom some come later and some go. */
static int64_t
live_in_sites(struct feed *f, int64_t time_s, struct random *r, int buckets)
{
	/* The feed keeps the last of them, for records that callers add. */
	static const char *const site[] = { "site-0", "site-1", "site-2" };
	static const char *const app[] = { "app-0", "app-1", "app-2", "app-3" };

	for (int b = 0; b < buckets; b++, time_s += SPAN) {
		for (int i = 0; i < 90; i++) {
			feed_set(f, "site", site[i % 3]);
			feed_set(f, "app", app[i % 4]);
			add_person(f, time_s + i, (i + b / 5) % 40,
			    exp(3 + random_normal(r)));
		}
	}
	return time_s;
}

static void
expect_same(const struct feed *a, const struct feed *b)
{
	cr_assert_eq(a->nrecords, b->nrecords);
	cr_assert_eq(a->nbuckets, b->nbuckets);
	for (size_t i = 0; i < a->nrecords; i++) {
		const struct record_result *x = &a->record[i].r;
		const struct record_result *y = &b->record[i].r;

		cr_assert_eq(x->timestamp_ms, y->timestamp_ms);
		cr_assert_eq(x->probability, y->probability);
		cr_assert_eq(x->record_score, y->record_score);
		cr_assert_str_eq(a->record[i].over, b->record[i].over);
		cr_assert_str_eq(
		    a->record[i].partition, b->record[i].partition);
	}
	for (size_t i = 0; i < a->nbuckets; i++)
		cr_assert_eq(
		    a->bucket[i].anomaly_score, b->bucket[i].anomaly_score);
}

/* In the middle of a bucket, too: a third of the people are in it already. */
Test(population, goes_on_to_the_last_bit_after_a_restart)
{
	struct random r = random_seed(8), same = random_seed(8);
	struct model_size sa = { .log_time = 0 }, sb = { .log_time = 0 };
	struct feed a, b;
	int64_t at;

	feed_init(&a, SPAN, sum_by_app, user_influences);
	feed_init(&b, SPAN, sum_by_app, user_influences);
	a.conf.model_prune_window_s = b.conf.model_prune_window_s = 20 * SPAN;
	feed_start(&a);
	feed_start(&b);
	at = live_in_sites(&a, T0, &r, 160);
	(void)live_in_sites(&b, T0, &same, 160);
	for (int k = 0; k < 6; k++) {
		for (int i = 0; i < 13; i++) {
			add_person(&a, at + k * SPAN, i, 7 + i);
			add_person(&b, at + k * SPAN, i, 7 + i);
		}
		feed_restart(&b);
		(void)live_in_sites(&a, at + k * SPAN, &r, 1);
		(void)live_in_sites(&b, at + k * SPAN, &same, 1);
	}
	add_person(&a, at + 6 * SPAN, 1, 1e9);
	add_person(&b, at + 6 * SPAN, 1, 1e9);
	cr_assert_eq(feed_advance(&a, at + 8 * SPAN), 0);
	cr_assert_eq(feed_advance(&b, at + 8 * SPAN), 0);
	cr_expect_gt(a.nrecords, 0);
	expect_same(&a, &b);
	engine_size(a.engine, &sa);
	engine_size(b.engine, &sb);
	cr_expect_eq(sa.model_bytes, sb.model_bytes);
	cr_expect_gt(sa.total_over_field_count, 100);
	cr_expect_eq(sa.total_over_field_count, sb.total_over_field_count);
	cr_expect_eq(sa.total_by_field_count, 12);
	feed_clear(&a);
	feed_clear(&b);
}

Test(population, who_is_gone_is_given_up)
{
	struct town t = { 400, 1, random_seed(5) };
	struct model_size full = { .log_time = 0 }, later = full;
	struct feed f;
	int64_t at;

	feed_init(&f, SPAN, sum_over_user, NULL);
	f.conf.model_prune_window_s = 50 * SPAN;
	feed_start(&f);
	at = live(&f, T0, &t, 20);
	engine_size(f.engine, &full);
	cr_expect_eq(full.total_over_field_count, 400);
	t.people = 10;
	at = live(&f, at, &t, 60);
	engine_size(f.engine, &later);
	cr_expect_eq(later.total_over_field_count, 10);
	cr_expect_lt(later.model_bytes, full.model_bytes - 390 * 100);
	t.people = 400;
	(void)live(&f, at, &t, 2);
	engine_size(f.engine, &later);
	cr_expect_eq(later.total_over_field_count, 400);
	cr_expect_eq(later.model_bytes, full.model_bytes);
	feed_clear(&f);
}

/* The attributes that are told, the least probable one first. */
Test(population, a_record_names_its_causes)
{
	struct random r = random_seed(12);
	const struct record_result *top;
	struct feed f;
	int64_t at;

	feed_init(&f, SPAN, sum_by_app, user_influences);
	feed_start(&f);
	at = live_in_sites(&f, T0, &r, 150);
	(void)live_in_sites(&f, at, &r, 1);
	feed_set(&f, "site", "site-1");
	feed_set(&f, "app", "app-2");
	add_person(&f, at + 100, 77, 90000);
	feed_set(&f, "app", "app-0");
	add_person(&f, at + 100, 77, 2e6);
	feed_set(&f, "app", "app-1");
	add_person(&f, at + 100, 77, exp(3));
	cr_assert_eq(feed_advance(&f, at + 2 * SPAN), 0);
	top = &feed_top_record(&f)->r;
	cr_assert_eq(top->timestamp_ms, at * 1000);
	cr_expect_str_eq(feed_top_record(&f)->over, "user-77");
	cr_expect_str_eq(feed_top_record(&f)->partition, "site-1");
	cr_expect_str_eq(feed_top_record(&f)->by, "");
	cr_assert_eq(top->ncauses, 2);
	cr_expect_eq(top->cause[0].actual[0], 2e6);
	cr_expect_eq(top->cause[1].actual[0], 90000);
	cr_expect_eq(memcmp(top->cause[0].by_field_value.p, "app-0", 5), 0);
	cr_expect_eq(memcmp(top->cause[1].by_field_value.p, "app-2", 5), 0);
	cr_expect_lt(top->cause[0].probability, top->cause[1].probability);
	for (size_t i = 0; i < 2; i++) {
		cr_expect_eq(top->cause[i].nvalues, 1);
		cr_expect_gt(top->cause[i].typical[0], 5);
		cr_expect_lt(top->cause[i].typical[0], 80);
	}
	feed_clear(&f);
}

/* Populations of several kinds, in none of which there is anything odd. */

static double
counts(struct random *r, int who, int b)
{
	(void)b;
	return random_poisson(r, 1 + who % 3);
}

#define QUIET_BUCKETS 1500

static size_t
alarms(const struct feed_detector *detectors,
    double (*value)(struct random *, int, int), uint64_t seed)
{
	struct random r = random_seed(seed);
	struct feed f;
	size_t n;

	feed_init(&f, 3600, detectors, NULL);
	feed_start(&f);
	for (int b = 0; b < QUIET_BUCKETS; b++) {
		for (int i = 0; i < 40; i++) {
			if (random_uniform(&r) < 0.6)
				add_person(
				    &f, (int64_t)b * 3600, i, value(&r, i, b));
		}
	}
	n = records_scoring(&f, 50);
	feed_clear(&f);
	return n;
}

Test(population, is_quiet_where_nothing_is_odd)
{
	static const struct feed_detector mean_over_user[] = {
		{ .function = "mean", .field = "v", .over = "user" },
		{ .function = NULL }
	};
	static double (*const kinds[])(
	    struct random *, int, int) = { crowd_even, crowd_unequal,
		crowd_heavy, counts, crowd_negative, crowd_proxy };
	size_t all = 0;

	for (size_t k = 0; k < NELEM(kinds); k++) {
		size_t n = alarms(mean_over_user, kinds[k], 21 + k);

		cr_expect_leq(n, 2, "%zu: %zu", k, n);
		all += n;
	}
	cr_expect_leq(all, 3);
}

/*
 * Records that are late: somebody who is known from a later bucket has no past
 * in the one before it.
 */
Test(population, who_comes_in_a_later_bucket_first_has_no_past)
{
	struct town t = { 40, 1, random_seed(8) };
	struct feed f;
	int64_t at = T0;

	feed_init(&f, SPAN, sum_over_user, NULL);
	f.conf.latency_s = 100 * SPAN;
	feed_start(&f);
	at = live(&f, T0, &t, 150);
	for (int back = 0; back < 90; back++)
		add_person(&f, at - back * SPAN, 1000, 30 * exp(8));
	at = live(&f, at + SPAN, &t, 150);
	for (uint32_t i = 0; i < f.engine->table.numbers.n; i++) {
		const struct series *s = f.engine->table.series[i];

		if (s == NULL || s->role != SERIES_MEMBER)
			continue;
		/* sums of 8 and 1, of which 0.7 and its square are kept */
		cr_expect_lt(fabs((double)s->habit.run), 8 / 0.3 + 0.01);
		cr_expect_lt((double)s->habit.run_squares, 1 / 0.51 + 0.01);
	}
	feed_restart(&f);
	cr_assert_eq(feed_advance(&f, at), 0);
	feed_clear(&f);
}
