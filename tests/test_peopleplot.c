/* Rows of the model plot of people, and which detectors have none. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/crowd_kinds.h"
#include "tests/deaf.h"
#include "tests/engine_cases.h"
#include "tests/random.h"
#include "worker/peopleplot.h"
#include "worker/snapshot.h"

#define ROWS_MOST 4000

struct kept {
	struct plot_result row[ROWS_MOST];
	char over[ROWS_MOST][FEED_TEXT];
	char by[ROWS_MOST][FEED_TEXT];
	size_t n;	/* of these the last ones are kept, */
	int64_t from;	/* of buckets from here on, s, */
	size_t all;	/* but all are counted, */
	size_t inside;	/* and those within their bounds */
	size_t fail_at; /* row; SIZE_MAX: never */
	size_t records;
	double probability; /* the sum of theirs */
};

static int
take_plot(void *arg, const struct plot_result *r)
{
	struct kept *k = arg;

	if (k->all == k->fail_at) {
		k->fail_at = SIZE_MAX;
		errno = EIO;
		return -1;
	}
	cr_assert(r->has_actual);
	cr_assert_leq(r->lower, r->median);
	cr_assert_leq(r->median, r->upper);
	k->all++;
	k->inside += r->lower <= r->actual && r->actual <= r->upper;
	if (r->timestamp_ms < k->from * 1000)
		return 0;
	cr_assert_lt(k->n, ROWS_MOST);
	k->row[k->n] = *r;
	snprintf(k->over[k->n], FEED_TEXT, "%.*s", (int)r->over_field_value.len,
	    r->over_field_value.p);
	snprintf(k->by[k->n], FEED_TEXT, "%.*s", (int)r->by_field_value.len,
	    r->by_field_value.p);
	k->n++;
	return 0;
}

static int
take_record(void *arg, const struct record_result *r)
{
	struct kept *k = arg;

	k->records++;
	k->probability += r->probability;
	return 0;
}

static struct engine *
new_engine(const struct feed *f, struct kept *k)
{
	struct result_sink sink = { .record = take_record,
		.bucket = deaf_bucket,
		.drop_interim = deaf_drop,
		.plot = take_plot,
		.arg = k };
	struct engine *e = engine_new(&f->conf, &sink);

	cr_assert_not_null(e);
	return e;
}

/* terms: of the model plot; NULL ends them. Rows are kept from `from` on. */
static void
start(struct feed *f, struct kept *k, const struct feed_detector *detectors,
    const char *const *terms, int64_t from)
{
	struct plotconf *p = &f->conf.plot;

	feed_init(f, SPAN, detectors, NULL);
	p->enabled = true;
	for (; terms != NULL && *terms != NULL; terms++) {
		p->term =
		    reallocarray(p->term, p->nterms + 1, sizeof(*p->term));
		cr_assert_not_null(p->term);
		p->term[p->nterms++] = strdup(*terms);
	}
	feed_start(f);
	memset(k, 0, sizeof(*k));
	k->from = from;
	k->fail_at = SIZE_MAX;
	engine_free(f->engine);
	f->engine = new_engine(f, k);
}

/* Go on with what is kept in a snapshot. */
static void
restart(struct feed *f, struct kept *k)
{
	struct snapshot_writer *w = snapshot_writer_memory();
	struct engine *e = new_engine(f, k);
	struct snapshot_reader *r;
	const uint8_t *data;
	size_t len;

	cr_assert_eq(engine_save(f->engine, w), 0);
	cr_assert_eq(snapshot_memory(w, &data, &len), 0);
	r = snapshot_reader_memory(data, len);
	cr_assert_eq(engine_load(e, r), 0);
	engine_free(f->engine);
	f->engine = e;
	snapshot_reader_free(r);
	snapshot_writer_free(w);
}

static void
stop(struct feed *f)
{
	plotconf_clear(&f->conf.plot);
	feed_clear(f);
}

static const struct feed_detector sum_over_user[] = {
	{ .function = "sum", .field = "v", .over = "user" },
	{ .function = NULL }
};
static const struct feed_detector sum_by_app[] = {
	{ .function = "sum", .field = "v", .by = "app", .over = "user" },
	{ .function = NULL }
};

/* What a detector has by that name. */
static void
set_if(struct feed *f, const char *has, const char *name, const char *text)
{
	if (has != NULL && strcmp(has, name) == 0)
		feed_set(f, name, text);
}

/* What the sink refuses is offered again. */
static void
add_stubbornly(struct feed *f, int64_t time_s, const char *user, double v)
{
	char text[32];

	set_if(f, f->detector[0].over_field_name, "user", user);
	snprintf(text, sizeof(text), "%.17g", v);
	set_if(f, f->detector[0].field_name, "v", text);
	while (feed_add(f, time_s) == -1)
		cr_assert_eq(errno, EIO);
}

static int64_t
live(struct feed *f, int64_t at, int people, int buckets, struct random *r)
{
	static const char *const app[] = { "app-0", "app-1", "app-2" };

	for (int b = 0; b < buckets; b++, at += SPAN) {
		for (int i = 0; i < people; i++) {
			char user[24];

			snprintf(user, sizeof(user), "user-%d", i);
			set_if(
			    f, f->detector[0].by_field_name, "app", app[i % 3]);
			add_stubbornly(
			    f, at, user, exp(4 + 0.5 * random_normal(r)));
		}
	}
	while (feed_advance(f, at) == -1)
		cr_assert_eq(errno, EIO);
	return at;
}

Test(peopleplot, a_row_for_each_of_the_people)
{
	static struct kept k;
	struct random r = random_seed(31);
	struct feed f;

	start(&f, &k, sum_by_app, NULL, T0 + 19 * SPAN);
	(void)live(&f, T0, 30, 20, &r);
	/* an attribute has ten; the first bucket is learnt without any */
	cr_assert_eq(k.all, 19 * 30);
	cr_assert_eq(k.n, 30);
	for (size_t i = 0; i < k.n; i++) {
		char user[24], app[24];

		/* one attribute after the other */
		snprintf(user, sizeof(user), "user-%zu", i % 10 * 3 + i / 10);
		snprintf(app, sizeof(app), "app-%zu", i / 10);
		cr_expect_str_eq(k.over[i], user);
		cr_expect_str_eq(k.by[i], app);
		cr_expect_str_eq(k.row[i].over_field_name, "user");
		cr_expect_str_eq(k.row[i].by_field_name, "app");
		cr_expect_str_eq(k.row[i].model_feature,
		    "'bucket sum by person and attribute'");
		cr_expect_gt(k.row[i].median, 30);
		cr_expect_lt(k.row[i].median, 100);
	}
	stop(&f);
}

Test(peopleplot, all_three_quantities_of_metric)
{
	static const struct feed_detector metric[] = {
		{ .function = "metric", .field = "v", .over = "user" },
		{ .function = NULL }
	};
	static struct kept k;
	struct random r = random_seed(32);
	struct feed f;

	start(&f, &k, metric, NULL, T0 + 9 * SPAN);
	(void)live(&f, T0, 12, 10, &r);
	cr_assert_eq(k.n, 3 * 12);
	for (size_t i = 0; i < k.n; i += 3) {
		cr_expect_str_eq(k.over[i], k.over[i + 2]);
		cr_expect_str_neq(
		    k.row[i].model_feature, k.row[i + 1].model_feature);
		cr_expect_str_neq(
		    k.row[i + 1].model_feature, k.row[i + 2].model_feature);
	}
	stop(&f);
}

Test(peopleplot, terms_name_people_and_attributes)
{
	static const struct {
		const struct feed_detector *detectors;
		const char *terms[5];
		size_t rows; /* of a bucket */
	} cases[] = {
		{ sum_over_user, { "user-3", "user-4", NULL }, 2 },
		{ sum_over_user, { "app-0", NULL }, 0 },
		{ sum_by_app, { "app-0", "user-3", "user-4", NULL }, 1 },
		{ sum_by_app, { "app-0", "app-1", "user-3", "user-4", NULL },
		    2 },
		{ sum_by_app, { "user-3", NULL }, 0 },
	};
	static struct kept k;

	for (size_t i = 0; i < NELEM(cases); i++) {
		struct random r = random_seed(33);
		struct feed f;

		start(&f, &k, cases[i].detectors, cases[i].terms, T0);
		(void)live(&f, T0, 30, 10, &r);
		cr_expect_eq(k.n, 9 * cases[i].rows, "%zu: %zu", i, k.n);
		for (size_t n = 0; n < k.n; n++)
			cr_expect(strcmp(k.over[n], "user-3") == 0 ||
			    strcmp(k.over[n], "user-4") == 0);
		stop(&f);
	}
}

/* Of many the least probable ones, in their order. */
Test(peopleplot, of_a_bucket_no_more_than_the_most)
{
	static struct kept k;
	struct random r = random_seed(34);
	struct feed f;
	size_t outside = 0, last = 0;

	start(&f, &k, sum_over_user, NULL, T0 + 2 * SPAN);
	(void)live(&f, T0, 3000, 3, &r);
	cr_assert_eq(k.all, 2 * PEOPLEPLOT_MOST);
	cr_assert_eq(k.n, PEOPLEPLOT_MOST);
	for (size_t i = 0; i < k.n; i++) {
		const struct plot_result *p = &k.row[i];
		size_t who = (size_t)strtoul(&k.over[i][5], NULL, 10);

		cr_expect(i == 0 || who > last);
		last = who;
		outside += p->actual < p->lower || p->actual > p->upper;
		/* a third of all: nobody from the middle */
		cr_expect_gt(fabs(log(p->actual / p->median)), 0.1);
	}
	/* 5 % of 3000 */
	cr_expect_gt(outside, 100);
	cr_expect_lt(outside, 200);
	stop(&f);
}

Test(peopleplot, a_step_that_is_tried_again_gives_the_same)
{
	static struct kept whole, torn;
	struct random r = random_seed(35);
	struct feed f;

	start(&f, &whole, sum_by_app, NULL, T0);
	(void)live(&f, T0, 300, 6, &r);
	stop(&f);
	cr_assert_eq(whole.n, 5 * 300);
	for (size_t at = 0; at < whole.n; at += 101) {
		r = random_seed(35);
		start(&f, &torn, sum_by_app, NULL, T0);
		torn.fail_at = at;
		(void)live(&f, T0, 300, 6, &r);
		stop(&f);
		cr_assert_eq(torn.fail_at, SIZE_MAX, "it has failed");
		cr_assert_eq(torn.n, whole.n);
		for (size_t i = 0; i < whole.n; i++) {
			cr_assert_str_eq(torn.over[i], whole.over[i]);
			cr_assert_eq(torn.row[i].lower, whole.row[i].lower);
			cr_assert_eq(torn.row[i].upper, whole.row[i].upper);
		}
	}
}

/* To plot is not to learn anything else. */
Test(peopleplot, results_are_the_same_without_it)
{
	static struct kept k, without;
	struct random r = random_seed(36), same = random_seed(36);
	struct feed f, plain;

	start(&f, &k, sum_by_app, NULL, T0);
	start(&plain, &without, sum_by_app, NULL, T0);
	engine_free(plain.engine);
	plain.conf.plot.enabled = false;
	plain.engine = new_engine(&plain, &without);
	(void)live(&f, T0, 60, 50, &r);
	(void)live(&plain, T0, 60, 50, &same);
	cr_expect_gt(k.all, 0);
	cr_expect_eq(without.all, 0);
	cr_expect_gt(k.records, 0);
	cr_expect_eq(k.records, without.records);
	cr_expect_eq(k.probability, without.probability);
	stop(&f);
	stop(&plain);
}

Test(peopleplot, goes_on_to_the_last_bit_after_a_restart)
{
	static struct kept whole, torn;
	struct random r = random_seed(38), same = random_seed(38);
	struct feed a, b;
	int64_t at = T0;

	start(&a, &whole, sum_by_app, NULL, T0 + 40 * SPAN);
	start(&b, &torn, sum_by_app, NULL, T0 + 40 * SPAN);
	for (int i = 0; i < 10; i++) {
		(void)live(&a, at, 30, 6, &r);
		at = live(&b, at, 30, 6, &same);
		restart(&b, &torn);
	}
	cr_assert_gt(whole.n, 500);
	cr_assert_eq(whole.n, torn.n);
	for (size_t i = 0; i < whole.n; i++) {
		cr_assert_eq(whole.row[i].lower, torn.row[i].lower);
		cr_assert_eq(whole.row[i].upper, torn.row[i].upper);
	}
	stop(&a);
	stop(&b);
}

/* Populations in which nothing is odd, of 40 people of whom most are there. */

static double
counts(struct random *r, int who, int b)
{
	(void)b;
	return random_poisson(r, 20 + 10 * (who % 3));
}

static double
flat(struct random *r, int who, int b)
{
	(void)who;
	(void)b;
	return 10 + random_uniform(r);
}

static double
coverage(double (*value)(struct random *, int, int), int people, uint64_t seed,
    int buckets)
{
	static struct kept k;
	struct random r = random_seed(seed);
	struct feed f;

	start(&f, &k, sum_over_user, NULL, INT64_MAX / 2000);
	for (int b = 0; b < buckets; b++) {
		for (int i = 0; i < people; i++) {
			char user[24];

			snprintf(user, sizeof(user), "user-%d", i);
			if (random_uniform(&r) < 0.6)
				add_stubbornly(&f, (int64_t)b * SPAN, user,
				    value(&r, i, b));
		}
	}
	stop(&f);
	cr_assert_gt(k.all, (size_t)(people * buckets / 2));
	return (double)k.inside / (double)k.all;
}

Test(peopleplot, bounds_hold_95_percent)
{
	static double (*const kinds[])(
	    struct random *, int, int) = { crowd_even, crowd_unequal,
		crowd_heavy, counts, crowd_negative, flat, crowd_proxy };
	static const int people[] = { 5, 12, 40, 300 };

	for (size_t i = 0; i < NELEM(kinds); i++) {
		for (size_t n = 0; n < NELEM(people); n++) {
			double share = coverage(
			    kinds[i], people[n], 41 + i, 20000 / people[n]);

			cr_expect_geq(share, 0.92, "%zu of %d: %.4f", i,
			    people[n], share);
			cr_expect_leq(share, 0.98, "%zu of %d: %.4f", i,
			    people[n], share);
		}
	}
}

/* Also those of a population that is not known for long. */
Test(peopleplot, bounds_hold_from_the_beginning)
{
	double share = 0;

	for (uint64_t seed = 51; seed < 71; seed++)
		share += coverage(crowd_even, 40, seed, 20) / 20;
	cr_expect_geq(share, 0.92, "%.4f", share);
	cr_expect_leq(share, 0.98, "%.4f", share);
}

/* Whose values have no place on a line, or no expectation. */
Test(peopleplot, functions_without_rows)
{
	static const struct feed_detector cases[][2] = {
		{ { .function = "rare", .by = "app" }, { .function = NULL } },
		{ { .function = "rare", .by = "app", .over = "user" },
		    { .function = NULL } },
		{ { .function = "freq_rare", .by = "app", .over = "user" },
		    { .function = NULL } },
		{ { .function = "time_of_day" }, { .function = NULL } },
		{ { .function = "time_of_week", .by = "app" },
		    { .function = NULL } },
		{ { .function = "time_of_day", .over = "user" },
		    { .function = NULL } },
		{ { .function = "lat_long", .field = "at" },
		    { .function = NULL } },
		{ { .function = "lat_long", .field = "at", .over = "user" },
		    { .function = NULL } },
	};
	static struct kept k;

	for (size_t i = 0; i < NELEM(cases); i++) {
		struct random r = random_seed(37);
		struct feed f;

		start(&f, &k, cases[i], NULL, T0);
		if (cases[i][0].field != NULL)
			feed_set(&f, "at", "51.5,-0.1");
		(void)live(&f, T0, 20, 40, &r);
		cr_expect_eq(k.all, 0, "%zu", i);
		stop(&f);
	}
}
