/* What others that go with a series say of it. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tests/engine_cases.h"
#include "common/clock.h"
#include "tests/random.h"
#include "worker/engine_int.h"
#include "worker/memory.h"
#include "worker/pairs.h"

#define BUCKETS 600
#define ODD 550
#define HOSTS_MOST 40

static const struct feed_detector by_host[] = {
	{ .function = "mean", .field = "v", .by = "host" }, { .function = NULL }
};
static const struct feed_detector high_by_host[] = {
	{ .function = "high_mean", .field = "v", .by = "host" },
	{ .function = NULL }
};
static const struct feed_detector count_by_host[] = {
	{ .function = "count", .by = "host" }, { .function = NULL }
};
static const struct feed_detector by_host_of_site[] = {
	{ .function = "mean", .field = "v", .by = "host", .partition = "site" },
	{ .function = NULL }
};

/* How hosts go together; in the bucket ODD the first one does not. */
struct crowd_case {
	const struct feed_detector *detectors;
	int hosts;
	double r;    /* of each with the load of all */
	bool alone;  /* without multivariate_by_fields */
	bool breaks; /* there is an odd one */
	bool restarts;
};

static void
crowd_begin(struct feed *f, const struct crowd_case *c)
{
	feed_init(f, SPAN, c->detectors, NULL);
	f->conf.multivariate_by_fields = !c->alone;
	feed_start(f);
}

/* The load is 1.8 deviations up in ODD; the odd host as much down. */
static void
crowd_bucket(
    struct feed *f, const struct crowd_case *c, struct random *r, int b)
{
	double load = random_normal(r);
	char host[16];

	if (b == ODD)
		load = 1.8;
	for (int h = 0; h < c->hosts; h++) {
		double own = random_normal(r) * sqrt(1 - c->r * c->r);
		double with = c->r * load;

		if (c->breaks && b == ODD && h == 0)
			with = -with;
		snprintf(host, sizeof(host), "h%d", h);
		feed_set(f, "host", host);
		add_value(f, T0 + (int64_t)b * SPAN, "v",
		    100 + h + 10 * (with + own));
		if (c->restarts && b % 3 == 1 && h == c->hosts / 2)
			feed_restart(f);
	}
}

static void
run_crowd(struct feed *f, const struct crowd_case *c)
{
	struct random r = random_seed(11);

	crowd_begin(f, c);
	for (int b = 0; b < BUCKETS; b++)
		crowd_bucket(f, c, &r, b);
}

static const struct feed_record *
record_of(const struct feed *f, const char *host, int b)
{
	for (size_t i = 0; i < f->nrecords; i++) {
		const struct feed_record *x = &f->record[i];

		if (strcmp(x->by, host) == 0 &&
		    x->r.timestamp_ms == (T0 + (int64_t)b * SPAN) * 1000)
			return x;
	}
	return NULL;
}

static bool
is_by_pair(const struct feed_record *x)
{
	return x != NULL && (x->r.why.has & EXPLAINED_LEADER) != 0;
}

static size_t
by_pair(const struct feed *f)
{
	size_t n = 0;

	for (size_t i = 0; i < f->nrecords; i++)
		n += is_by_pair(&f->record[i]);
	return n;
}

Test(together, one_of_three_that_leaves_the_others_is_told)
{
	static const struct crowd_case c = { by_host, 3, 0.97, false, true,
		false };
	const struct feed_record *x;
	struct feed f;

	run_crowd(&f, &c);
	x = record_of(&f, "h0", ODD);
	cr_assert(is_by_pair(x));
	cr_expect_gt(x->r.record_score, 50, "%f", x->r.record_score);
	cr_expect(strcmp(x->leader, "h1") == 0 || strcmp(x->leader, "h2") == 0,
	    "%s", x->leader);
	/* what the load of the others lets expect */
	cr_expect_float_eq(x->r.typical[0], 117, 5, "%f", x->r.typical[0]);
	cr_expect_lt(x->r.actual[0], 90);
	cr_expect(x->r.why.dip);
	cr_expect_float_eq(x->r.why.typical_value, x->r.typical[0], 1e-9);
	cr_expect_lt(x->r.why.lower_confidence_bound, x->r.typical[0]);
	cr_expect_gt(x->r.why.upper_confidence_bound, x->r.typical[0]);
	cr_expect_gt(x->r.why.lower_confidence_bound, x->r.actual[0]);
	cr_expect_geq(x->r.why.single_bucket_impact, 4);
	/* the other two still go together */
	x = record_of(&f, "h1", ODD);
	cr_expect(x == NULL || x->r.record_score < 10);
	x = record_of(&f, "h2", ODD);
	cr_expect(x == NULL || x->r.record_score < 10);
	feed_clear(&f);
}

Test(together, of_two_nobody_knows_which_is_odd)
{
	static const struct crowd_case c = { by_host, 2, 0.97, false, true,
		false };
	struct feed f;

	run_crowd(&f, &c);
	cr_assert(is_by_pair(record_of(&f, "h0", ODD)));
	cr_assert(is_by_pair(record_of(&f, "h1", ODD)));
	cr_expect_str_eq(record_of(&f, "h0", ODD)->leader, "h1");
	cr_expect_str_eq(record_of(&f, "h1", ODD)->leader, "h0");
	feed_clear(&f);
}

Test(together, only_the_side_of_the_function_counts)
{
	static const struct crowd_case c = { high_by_host, 2, 0.97, false, true,
		false };
	struct feed f;

	run_crowd(&f, &c);
	cr_expect_not(is_by_pair(record_of(&f, "h0", ODD)), "it is low");
	cr_expect(is_by_pair(record_of(&f, "h1", ODD)));
	feed_clear(&f);
}

Test(together, without_the_option_there_is_no_such_record_and_no_cost)
{
	static const struct crowd_case c = { by_host, 3, 0.97, true, true,
		false };
	const struct feed_record *x;
	struct feed f;

	run_crowd(&f, &c);
	cr_expect_eq(by_pair(&f), 0);
	x = record_of(&f, "h0", ODD);
	cr_expect(x == NULL || x->r.record_score < 25);
	cr_expect_eq(f.engine->pairs.room, 0);
	cr_expect_not(f.engine->has_pairs);
	feed_clear(&f);
}

/* More loud records than without it there must not be. */
static size_t
false_alarms(double r, bool alone, size_t *pairs)
{
	struct crowd_case c = { by_host, HOSTS_MOST, r, alone, false, false };
	struct feed f;
	size_t n = 0;

	run_crowd(&f, &c);
	for (size_t i = 0; i < f.nrecords; i++)
		n += f.record[i].r.record_score >= 25;
	*pairs = by_pair(&f);
	feed_clear(&f);
	return n;
}

Test(together, there_are_no_more_false_alarms)
{
	size_t pairs, none;

	cr_expect_leq(false_alarms(0, false, &pairs),
	    false_alarms(0, true, &none), "strangers");
	cr_expect_eq(pairs, 0);
	cr_expect_leq(false_alarms(0.95, false, &pairs),
	    false_alarms(0.95, true, &none), "all go together");
	cr_expect_gt(pairs, 0);
}

static void
expect_same(const struct feed *a, const struct feed *b)
{
	cr_assert_eq(a->nrecords, b->nrecords);
	for (size_t i = 0; i < a->nrecords; i++) {
		const struct feed_record *x = &a->record[i];
		const struct feed_record *y = &b->record[i];

		cr_assert_eq(x->r.probability, y->r.probability);
		cr_assert_eq(x->r.record_score, y->r.record_score);
		cr_assert_eq(x->r.typical[0], y->r.typical[0]);
		cr_assert_str_eq(x->by, y->by);
		cr_assert_str_eq(x->leader, y->leader);
	}
}

Test(together, restarts_in_the_middle_of_buckets_change_no_bit)
{
	static const struct crowd_case once = { by_host, 12, 0.9, false, true,
		false };
	struct crowd_case again = once;
	struct feed f[2];

	again.restarts = true;
	run_crowd(&f[0], &once);
	run_crowd(&f[1], &again);
	cr_expect_gt(by_pair(&f[0]), 5);
	expect_same(&f[0], &f[1]);
	cr_expect_eq(f[0].engine->pairs.npairs, f[1].engine->pairs.npairs);
	feed_clear(&f[0]);
	feed_clear(&f[1]);
}

/* Each is a slice by itself: what is cut where does not matter. */
Test(together, slices_change_no_bit)
{
	static const struct crowd_case c = { by_host, HOSTS_MOST, 0.9, false,
		true, false };
	struct feed f[2];

	run_crowd(&f[0], &c);
	clock_fake(each_look_takes_400_us, NULL);
	run_crowd(&f[1], &c);
	clock_fake(NULL, NULL);
	expect_same(&f[0], &f[1]);
	feed_clear(&f[0]);
	feed_clear(&f[1]);
}

Test(together, partitions_know_nothing_of_each_other)
{
	struct random r = random_seed(5);
	char site[16], host[16];
	struct feed f;

	feed_init(&f, SPAN, by_host_of_site, NULL);
	f.conf.multivariate_by_fields = true;
	feed_start(&f);
	for (int b = 0; b < 400; b++) {
		double load = random_normal(&r);

		for (int h = 0; h < 12; h++) {
			snprintf(site, sizeof(site), "s%d", h % 3);
			snprintf(host, sizeof(host), "h%d", h / 3);
			feed_set(&f, "site", site);
			feed_set(&f, "host", host);
			add_value(&f, T0 + (int64_t)b * SPAN, "v",
			    100 + 10 * load + random_normal(&r));
		}
	}
	for (uint32_t i = 0; i < 12; i++) {
		const struct paired *x = pairs_of(&f.engine->pairs, i);

		cr_assert_not_null(x);
		cr_expect_eq(x->nnear, 3);
		for (uint32_t k = 0; k < x->nnear; k++)
			cr_expect_eq(x->near[k].other % 3, i % 3);
	}
	feed_clear(&f);
}

/* Who sends nothing when the others send much has not followed. */
Test(together, a_count_that_is_missing_is_a_value_too)
{
	struct random r = random_seed(6);
	const struct feed_record *x;
	char host[16];
	struct feed f;

	feed_init(&f, SPAN, count_by_host, NULL);
	f.conf.multivariate_by_fields = true;
	feed_start(&f);
	for (int b = 0; b <= BUCKETS; b++) {
		int load = (int)(8 * random_uniform(&r));

		for (int h = 0; h < 3; h++) {
			snprintf(host, sizeof(host), "h%d", h);
			feed_set(&f, "host", host);
			if (b != ODD || h > 0)
				add_times(&f, T0 + (int64_t)b * SPAN,
				    b == ODD ? 7 : load);
		}
	}
	x = record_of(&f, "h0", ODD);
	cr_assert(x != NULL && is_by_pair(x));
	cr_expect_eq(x->r.actual[0], 0);
	cr_expect_float_eq(x->r.typical[0], 7, 1.5);
	cr_expect_not(is_by_pair(record_of(&f, "h1", ODD)));
	feed_clear(&f);
}

Test(together, who_is_given_up_takes_his_pairs_along)
{
	static const struct crowd_case c = { by_host, 6, 0.95, false, false,
		false };
	struct random r = random_seed(12);
	struct crowd_case few = c;
	struct feed f;
	int b;

	few.hosts = 3;
	crowd_begin(&f, &c);
	f.conf.model_prune_window_s = 20 * SPAN;
	for (b = 0; b < 300; b++)
		crowd_bucket(&f, &c, &r, b);
	cr_expect_eq(f.engine->pairs.npairs, 18);
	for (; b < 320 + 70; b++) {
		crowd_bucket(&f, &few, &r, b);
		feed_restart(&f);
	}
	cr_expect_eq(f.engine->pairs.npaired, 3);
	cr_expect_eq(f.engine->pairs.npairs, 6, "with each other");
	/* others, with the same numbers */
	for (; b < 395; b++)
		crowd_bucket(&f, &c, &r, b);
	cr_expect_eq(f.engine->pairs.npaired, 6);
	cr_expect_eq(pairs_of(&f.engine->pairs, 4)->nnear, 0);
	feed_clear(&f);
}

Test(together, pairs_go_first_when_memory_is_short)
{
	static const struct crowd_case c = { by_host, HOSTS_MOST, 0.95, false,
		false, false };
	struct random r = random_seed(13);
	struct model_size size;
	struct feed f;
	int b;

	crowd_begin(&f, &c);
	for (b = 0; b < 200; b++)
		crowd_bucket(&f, &c, &r, b);
	cr_expect_eq(f.engine->pairs.npaired, HOSTS_MOST);
	cr_expect_gt(f.engine->pairs.npairs, HOSTS_MOST);
	f.conf.model_memory_limit_mb = 1;
	cr_assert(memory_is_ample(f.engine));
	f.engine->fixed_bytes += 600 * 1024; /* what other tables may take */
	cr_assert_not(memory_is_ample(f.engine));
	for (; b < 264; b++)
		crowd_bucket(&f, &c, &r, b);
	cr_expect_eq(f.engine->pairs.npaired, 0);
	cr_expect_eq(f.engine->pairs.npairs, 0);
	memset(&size, 0, sizeof(size));
	engine_size(f.engine, &size);
	cr_expect_eq(size.total_by_field_count, HOSTS_MOST, "nobody else");
	feed_clear(&f);
}

/* Files that were written before there were any. */
Test(together, a_state_without_pairs_begins_to_look_for_them)
{
	static const struct crowd_case c = { by_host, 3, 0.97, true, true,
		false };
	struct crowd_case with = c;
	struct random r = random_seed(14);
	struct feed f;

	with.alone = false;
	crowd_begin(&f, &c);
	for (int b = 0; b < 300; b++)
		crowd_bucket(&f, &c, &r, b);
	f.conf.multivariate_by_fields = true;
	feed_restart(&f);
	cr_expect_eq(f.engine->pairs.npaired, 0);
	for (int b = 300; b < BUCKETS; b++)
		crowd_bucket(&f, &with, &r, b);
	cr_expect_eq(f.engine->pairs.npairs, 6);
	cr_expect(is_by_pair(record_of(&f, "h0", ODD)));
	feed_clear(&f);
}
