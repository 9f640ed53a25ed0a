/* Influencers: who accounts for the records of a bucket, and how unlikely. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tests/engine_cases.h"
#include "tests/random.h"
#include "worker/aggregate.h"
#include "worker/score.h"

static const struct feed_influencer *
top_of(const struct feed *f, const char *field)
{
	const struct feed_influencer *top = NULL;

	for (size_t i = 0; i < f->ninfluencers; i++) {
		const struct feed_influencer *x = &f->told[i];

		if (strcmp(x->r.field_name, field) == 0 &&
		    (top == NULL ||
			x->r.influencer_score > top->r.influencer_score))
			top = x;
	}
	return top;
}

/* Steady values of each of nhosts hosts; one of them leaves its habit. */
static void
feed_hosts(struct feed *f, int buckets, int nhosts, int spike, int culprit)
{
	struct random r = random_seed(9);
	char host[16];

	for (int b = 0; b < buckets; b++) {
		for (int h = 0; h < nhosts; h++) {
			double v = 100 + random_normal(&r);

			if (b == spike && h == culprit)
				v *= 5;
			snprintf(host, sizeof(host), "h%d", h);
			feed_set(f, "host", host);
			add_value(f, T0 + b * SPAN, "v", v);
		}
	}
	cr_assert_eq(feed_advance(f, T0 + buckets * SPAN), 0);
}

static const struct feed_detector by_host[] = {
	{ .function = "mean", .field = "v", .partition = "host" },
	{ .function = NULL },
};
static const char *const host_only[] = { "host", NULL };

Test(culprits, a_splitting_value_has_its_own_records_in_full)
{
	const struct feed_influencer *top;
	const struct feed_record *record;
	struct feed f;

	feed_init(&f, SPAN, by_host, host_only);
	feed_start(&f);
	feed_hosts(&f, 2020, 3, 2000, 1);
	record = feed_top_record(&f);
	top = top_of(&f, "host");
	cr_assert_not_null(top);
	cr_expect_eq(top->r.timestamp_ms, (T0 + 2000LL * SPAN) * 1000);
	cr_expect_str_eq(top->value, "h1");
	cr_expect_eq(top->r.bucket_span_s, SPAN);
	cr_expect_not(top->r.is_interim);
	cr_expect_gt(top->r.influencer_score, 75);
	cr_expect_eq(top->r.initial_influencer_score, top->r.influencer_score);
	/* one record, seen in one series: the same probability */
	cr_expect_float_eq(
	    log(top->r.probability), log(record->r.probability), 1e-9);
	feed_clear(&f);
}

Test(culprits, every_influencer_has_a_record_that_names_it)
{
	struct feed f;

	feed_init(&f, SPAN, by_host, host_only);
	feed_start(&f);
	feed_hosts(&f, 400, 5, 300, 1);
	cr_assert_gt(f.ninfluencers, 5);
	for (size_t i = 0; i < f.ninfluencers; i++) {
		const struct feed_influencer *x = &f.told[i];
		bool named = false;

		for (size_t k = 0; k < f.nrecords; k++)
			named |=
			    f.record[k].r.timestamp_ms == x->r.timestamp_ms &&
			    strcmp(f.record[k].influencer[0], x->value) == 0;
		cr_expect(named, "influencer %zu", i);
	}
	feed_clear(&f);
}

/* A value in 20 series is less of a surprise than one in a single one. */
Test(culprits, a_value_of_many_series_is_corrected_for_all_of_them)
{
	static const struct feed_detector by_kpi[] = {
		{ .function = "mean", .field = "v", .by = "kpi" },
		{ .function = NULL },
	};
	static const char *const dc[] = { "dc", NULL };
	struct random r = random_seed(3);
	const struct feed_influencer *top;
	const struct feed_record *record;
	struct aggregate a;
	struct feed f;
	char kpi[16];

	feed_init(&f, SPAN, by_kpi, dc);
	feed_start(&f);
	feed_set(&f, "dc", "north");
	for (int b = 0; b < 320; b++) {
		for (int k = 0; k < 20; k++) {
			double v = 50 + random_normal(&r);

			snprintf(kpi, sizeof(kpi), "k%d", k);
			feed_set(&f, "kpi", kpi);
			add_value(&f, T0 + b * SPAN, "v",
			    b == 310 && k == 7 ? v + 60 : v);
		}
	}
	cr_assert_eq(feed_advance(&f, T0 + 320 * SPAN), 0);
	top = top_of(&f, "dc");
	record = feed_top_record(&f);
	cr_assert_not_null(top);
	cr_expect_str_eq(top->value, "north");
	cr_expect_eq(top->r.timestamp_ms, record->r.timestamp_ms);
	aggregate_clear(&a);
	for (size_t i = 0; i < f.nrecords; i++)
		if (f.record[i].r.timestamp_ms == top->r.timestamp_ms)
			aggregate_add(&a, log(f.record[i].r.probability));
	a.n = 20;
	cr_expect_float_eq(log(top->r.probability),
	    aggregate_ln_p(&a, AGGREGATE_SERIES), 1e-6);
	cr_expect_gt(top->r.probability, 10 * record->r.probability);
	feed_clear(&f);
}

/* Who is known through two detectors in two ways is still one. */
Test(culprits, one_value_of_two_detectors_is_one_influencer)
{
	static const struct feed_detector two[] = {
		{ .function = "mean", .field = "v", .partition = "host" },
		{ .function = "max", .field = "v" },
		{ .function = NULL },
	};
	size_t n = 0;
	struct feed f;

	feed_init(&f, SPAN, two, host_only);
	feed_start(&f);
	feed_hosts(&f, 320, 3, 300, 2);
	for (size_t i = 0; i < f.ninfluencers; i++)
		n += f.told[i].r.timestamp_ms == (T0 + 300LL * SPAN) * 1000 &&
		    strcmp(f.told[i].value, "h2") == 0;
	cr_expect_eq(n, 1);
	feed_clear(&f);
}

Test(culprits, no_more_than_500_and_the_most_unlikely)
{
	enum { HOSTS = 700 };
	int64_t last = (T0 + 200LL * SPAN) * 1000;
	struct random r = random_seed(8);
	double greatest = 0;
	struct feed f;
	char host[16];
	size_t n = 0;

	feed_init(&f, SPAN, by_host, host_only);
	feed_start(&f);
	for (int b = 0; b <= 200; b++) {
		for (int h = 0; h < HOSTS; h++) {
			double v = 100 + random_normal(&r);

			snprintf(host, sizeof(host), "h%d", h);
			feed_set(&f, "host", host);
			add_value(&f, T0 + b * SPAN, "v",
			    b == 200 ? v + 30 + h % 7 : v);
		}
	}
	cr_assert_eq(feed_advance(&f, T0 + 201 * SPAN), 0);
	for (size_t i = 0; i < f.ninfluencers; i++) {
		if (f.told[i].r.timestamp_ms != last)
			continue;
		n++;
		cr_expect_geq(f.told[i].r.probability, greatest);
		greatest = f.told[i].r.probability;
	}
	cr_expect_eq(n, RESULT_MAX_INFLUENCES_PER_BUCKET);
	feed_clear(&f);
}

Test(culprits, interim_ones_are_marked_and_dropped)
{
	struct feed f;
	size_t final;

	feed_init(&f, SPAN, by_host, host_only);
	feed_start(&f);
	feed_hosts(&f, 320, 2, 1000, 0);
	final = f.ninfluencers;
	for (int i = 0; i < 3; i++) {
		feed_set(&f, "host", "h0");
		add_value(&f, T0 + 320 * SPAN, "v", 900);
	}
	cr_assert_eq(feed_interim(&f, TIME_UNSET, TIME_UNSET), 0);
	/* a mean may still become anything: nothing is said of it */
	cr_expect_eq(f.ninfluencers, final);
	feed_clear(&f);
}

Test(culprits, interim_counts_name_who_is_too_many)
{
	static const struct feed_detector counts[] = {
		{ .function = "high_count", .partition = "host" },
		{ .function = NULL },
	};
	struct feed f;
	size_t final;

	feed_init(&f, SPAN, counts, host_only);
	feed_start(&f);
	for (int b = 0; b < 320; b++)
		for (int h = 0; h < 2; h++) {
			feed_set(&f, "host", h == 0 ? "h0" : "h1");
			add_times(&f, T0 + b * SPAN, 10 + (b + h) % 3);
		}
	cr_assert_eq(feed_advance(&f, T0 + 320 * SPAN), 0);
	final = f.ninfluencers;
	feed_set(&f, "host", "h1");
	add_times(&f, T0 + 320 * SPAN, 400);
	cr_assert_eq(feed_interim(&f, TIME_UNSET, TIME_UNSET), 0);
	cr_assert_eq(f.ninfluencers, final + 1);
	cr_expect(f.told[final].r.is_interim);
	cr_expect_str_eq(f.told[final].value, "h1");
	cr_assert_eq(feed_advance(&f, T0 + 321 * SPAN), 0);
	cr_assert_eq(f.ninfluencers, final + 1);
	cr_expect_not(f.told[final].r.is_interim);
	feed_clear(&f);
}
