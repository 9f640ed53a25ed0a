/*
 * Each function against the plainest computation of it: a list of all values of
 * a series, or of one of the people, and bucket.
 */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/engine_cases.h"
#include "tests/random.h"
#include "worker/engine_int.h"

#define MOST 400
#define KEYS 5 /* values of the by or over field, of which one is empty */

/* What the slow way remembers of a series in a bucket. */
struct pile {
	double value[MOST];
	double n[MOST]; /* events that the value stands for */
	char text[MOST][8];
	size_t nvalues;
};

static int
by_size(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static double
slow_sum(const struct pile *p, bool of_events, bool times)
{
	long double sum = 0;

	for (size_t i = 0; i < p->nvalues; i++)
		sum += (of_events ? 1.0L : (long double)p->value[i]) *
		    (of_events || times ? (long double)p->n[i] : 1.0L);
	return (double)sum;
}

static double
slow_mean(const struct pile *p)
{
	return slow_sum(p, false, true) / slow_sum(p, true, false);
}

static double
slow_median(const struct pile *p)
{
	double v[MOST];
	size_t n = p->nvalues;

	memcpy(v, p->value, n * sizeof(v[0]));
	qsort(v, n, sizeof(v[0]), by_size);
	return (v[(n - 1) / 2] + v[n / 2]) / 2;
}

static double
slow_variance(const struct pile *p)
{
	double mean = slow_mean(p), squares = 0;

	for (size_t i = 0; i < p->nvalues; i++)
		squares += (p->value[i] - mean) * (p->value[i] - mean);
	return squares / (double)p->nvalues;
}

static double
slow_extreme(const struct pile *p, double sign)
{
	double most = p->value[0];

	for (size_t i = 1; i < p->nvalues; i++)
		most = sign * fmax(sign * most, sign * p->value[i]);
	return most;
}

static double
slow_distinct(const struct pile *p)
{
	double n = 0;

	for (size_t i = 0; i < p->nvalues; i++) {
		size_t k = 0;

		while (k < i && strcmp(p->text[k], p->text[i]) != 0)
			k++;
		n += k == i;
	}
	return n;
}

static double
slow_value(enum function_kind kind, const struct pile *p, bool summed)
{
	switch (kind) {
	case FN_COUNT:
	case FN_NON_ZERO_COUNT:
		return slow_sum(p, true, false);
	case FN_SUM:
	case FN_NON_NULL_SUM:
		return slow_sum(p, false, false);
	case FN_MIN:
		return slow_extreme(p, -1);
	case FN_MAX:
		return slow_extreme(p, 1);
	case FN_MEDIAN:
		return summed ? slow_mean(p) : slow_median(p);
	case FN_VARP:
		return summed ? slow_mean(p) : slow_variance(p);
	case FN_DISTINCT_COUNT:
		return slow_distinct(p);
	case FN_MEAN:
	case FN_METRIC:
		return slow_mean(p);
	case FN_INFO_CONTENT:
	case FN_RARE:
	case FN_FREQ_RARE:
	case FN_TIME_OF_DAY:
	case FN_TIME_OF_WEEK:
	case FN_LAT_LONG:
		break;
	}
	return NAN;
}

/* Numbers, and what is none; arrays come joined. NAN: does not count. */
static double
random_value(struct random *r, const char **text)
{
	static char number[32];
	static const char *const odd[] = { NULL, "", "null", "1,2", "x" };
	double v = floor(1000 * random_normal(r)) / 8;

	if (random_uniform(r) < 0.2) {
		*text = odd[(size_t)(random_uniform(r) * NELEM(odd))];
		return NAN;
	}
	snprintf(number, sizeof(number), "%.17g", v);
	*text = number;
	return v;
}

/* Nothing, zero, less than zero, no whole number; else 1 to 9. */
static double
random_events(struct random *r, const char **text)
{
	static char number[32];
	static const char *const none[] = { NULL, "0", "-3", "many", "0.5" };
	double n = 1 + floor(9 * random_uniform(r));

	if (random_uniform(r) < 0.2) {
		*text = none[(size_t)(random_uniform(r) * NELEM(none))];
		return 0;
	}
	snprintf(number, sizeof(number), "%g", n + 0.25);
	*text = number;
	return n;
}

static const struct leaf *
leaf_of(const struct feed *f, const char *key)
{
	struct engine *e = f->engine;
	uint32_t name = names_find(&e->names, key, strlen(key));
	uint32_t partition = partition_find(&e->table, 0, NAMES_NONE);
	bool over = e->detector[0].over != FIELD_NONE;
	uint32_t series;

	if (name == NAMES_NONE || partition == SERIES_NONE)
		return NULL;
	series = series_find(&e->table, partition, over ? NAMES_NONE : name);
	if (over && series != SERIES_NONE)
		series = member_find(&e->table, series, name);
	return series == SERIES_NONE ? NULL : bucket_find(e->recent, series);
}

/* As many records as one bucket has, into the engine and onto piles. */
static void
fill_bucket(struct feed *f, struct random *r, int64_t time_s,
    struct pile piles[KEYS], bool summed)
{
	static const char *const keys[KEYS] = { "", "a", "b", "c", "d" };
	bool texts = f->detector[0].function->kind == FN_DISTINCT_COUNT;
	int nrecords = 1 + (int)(random_uniform(r) * MOST * 0.9);

	for (int i = 0; i < nrecords; i++) {
		size_t key = (size_t)(random_uniform(r) * KEYS);
		struct pile *p = &piles[key];
		const char *text, *events = NULL;
		double v = random_value(r, &text);
		double n = summed ? random_events(r, &events) : 1;

		feed_set(f, "key", key == 0 && i % 2 == 0 ? NULL : keys[key]);
		if (f->detector[0].field_name != NULL)
			feed_set(f, "v", text);
		else
			v = 0;
		if (summed)
			feed_set(f, "n", events);
		cr_assert_eq(feed_add(f, time_s + i), 0);
		if (n == 0 || (key == 0 && !f->detector[0].use_null))
			continue;
		if (texts ? text == NULL || text[0] == '\0' : isnan(v))
			continue;
		p->value[p->nvalues] = v;
		p->n[p->nvalues] = n;
		snprintf(p->text[p->nvalues++], sizeof(p->text[0]), "%.7s",
		    texts ? text : "");
	}
}

static void
expect_piles(const struct feed *f, const struct pile piles[KEYS], bool summed)
{
	static const char *const keys[KEYS] = { "", "a", "b", "c", "d" };
	const struct feature *feature = f->engine->detector[0].feature;
	const struct function_info *fn = f->detector[0].function;

	for (size_t k = 0; k < KEYS; k++) {
		const struct leaf *leaf = leaf_of(f, keys[k]);
		double slow, got;

		if (piles[k].nvalues == 0) {
			cr_assert_null(leaf, "%s of [%s]", fn->name, keys[k]);
			continue;
		}
		cr_assert_not_null(leaf, "%s of [%s]", fn->name, keys[k]);
		slow = slow_value(fn->kind, &piles[k], summed);
		got = feature->value(&leaf->stat);
		cr_assert_float_eq(got, slow, 1e-9 * (1 + fabs(slow)),
		    "%s of [%s]: %.17g for %.17g", fn->name, keys[k], got,
		    slow);
	}
}

static void
run_function(const char *function, const char *field, bool over, bool use_null,
    bool summed)
{
	struct feed_detector d[] = { { .function = function,
					 .field = field,
					 .by = over ? NULL : "key",
					 .over = over ? "key" : NULL,
					 .use_null = use_null },
		{ .function = NULL } };
	struct random r = random_seed(11);
	char summary[] = "n";
	struct feed f;

	feed_init(&f, SPAN, d, NULL);
	if (summed)
		f.conf.summary_count_field_name = summary;
	feed_start(&f);
	for (int b = 0; b < 12; b++) {
		struct pile piles[KEYS] = { { .nvalues = 0 } };

		fill_bucket(&f, &r, T0 + b * SPAN, piles, summed);
		expect_piles(&f, piles, summed);
		if (b == 6)
			feed_restart(&f);
	}
	f.conf.summary_count_field_name = NULL;
	feed_clear(&f);
}

/* The forms without empty buckets have no people (6.2). */
static bool
may_have_people(const char *function)
{
	return strstr(function, "non_") == NULL;
}

Test(function, every_function_has_the_value_that_the_slow_way_finds)
{
	static const struct {
		const char *name;
		const char *field;
	} known[] = { { "count", NULL }, { "low_count", NULL },
		{ "high_count", NULL }, { "non_zero_count", NULL },
		{ "low_non_zero_count", NULL }, { "high_non_zero_count", NULL },
		{ "distinct_count", "v" }, { "low_distinct_count", "v" },
		{ "high_distinct_count", "v" }, { "mean", "v" },
		{ "low_mean", "v" }, { "high_mean", "v" }, { "avg", "v" },
		{ "median", "v" }, { "low_median", "v" },
		{ "high_median", "v" }, { "min", "v" }, { "max", "v" },
		{ "varp", "v" }, { "low_varp", "v" }, { "high_varp", "v" },
		{ "sum", "v" }, { "low_sum", "v" }, { "high_sum", "v" },
		{ "non_null_sum", "v" }, { "low_non_null_sum", "v" },
		{ "high_non_null_sum", "v" } };

	for (size_t i = 0; i < NELEM(known); i++) {
		for (int over = 0; over <= may_have_people(known[i].name);
		     over++) {
			const char *name = known[i].name;

			run_function(name, known[i].field, over, false, false);
			run_function(name, known[i].field, over, true, false);
			run_function(name, known[i].field, over, true, true);
		}
	}
	run_function("metric", "v", false, false, false);
	run_function("metric", "v", true, false, false);
}

/* Empty buckets (results-and-models 5.2) */

/* How many buckets the model of a series has learnt, after one without data. */
static double
learnt_of_silence(const char *function)
{
	struct feed_detector d[] = {
		{ .function = function,
		    .field = strstr(function, "count") != NULL &&
			    strstr(function, "distinct") == NULL
			? NULL
			: "v",
		    .by = "key" },
		{ .function = NULL }
	};
	struct feed f;
	double n;

	feed_init(&f, SPAN, d, NULL);
	feed_start(&f);
	for (int b = 0; b < 20; b++) {
		feed_set(&f, "key", b < 10 ? "a" : "b");
		if (d[0].field != NULL)
			feed_set(&f, "v", "3");
		cr_assert_eq(feed_add(&f, T0 + b * SPAN), 0);
	}
	cr_assert_eq(feed_advance(&f, T0 + 20 * SPAN), 0);
	n = f.engine->table.series[0]->model[0].n;
	feed_clear(&f);
	return n;
}

Test(function, silence_is_zero_for_counts_and_sums_and_else_says_nothing)
{
	static const char *const zero[] = { "count", "low_count", "high_count",
		"sum", "low_sum", "high_sum" };
	static const char *const nothing[] = { "non_zero_count", "non_null_sum",
		"mean", "min", "max", "median", "varp", "metric",
		"distinct_count" };

	for (size_t i = 0; i < NELEM(zero); i++)
		cr_expect_eq(learnt_of_silence(zero[i]), 20, "%s", zero[i]);
	for (size_t i = 0; i < NELEM(nothing); i++)
		cr_expect_eq(
		    learnt_of_silence(nothing[i]), 10, "%s", nothing[i]);
}

/* Anomalies */

struct plan {
	const char *function;
	/* The i-th of ten values of a bucket, which may be the odd one. */
	double (*value)(struct random *, int i, bool odd);
};

static double
scattered(struct random *r, int i, bool odd)
{
	(void)i;
	return 100 + (odd ? 30 : 3) * random_normal(r);
}

static double
moved(struct random *r, int i, bool odd)
{
	(void)i;
	return (odd ? 150 : 100) + 3 * random_normal(r);
}

static double
one_of_ten(struct random *r, int i, bool odd)
{
	return (odd && i == 4 ? 900 : 100) + 3 * random_normal(r);
}

static double
one_low(struct random *r, int i, bool odd)
{
	return (odd && i == 4 ? -300 : 100) + 3 * random_normal(r);
}

static double
many_values(struct random *r, int i, bool odd)
{
	return odd ? i : floor(3 * random_uniform(r));
}

static const struct feed_record *
run_plan(struct feed *f, const struct plan *p, const char *const *influencers)
{
	struct feed_detector d[] = {
		{ .function = p->function, .field = "v", .partition = "host" },
		{ .function = NULL }
	};
	struct random r = random_seed(12);

	feed_init(f, SPAN, d, influencers);
	feed_start(f);
	for (int b = 0; b < 420; b++) {
		for (int i = 0; i < 20; i++) {
			bool odd = b == 400 && i < 10;

			feed_set(f, "host", i < 10 ? "h1" : "h2");
			if (influencers != NULL)
				feed_set(f, "user", i == 4 ? "eve" : "bob");
			add_value(
			    f, T0 + b * SPAN, "v", p->value(&r, i % 10, odd));
		}
	}
	return feed_top_record(f);
}

static void
expect_found(const struct plan *p, const char *description)
{
	struct feed f;
	const struct feed_record *top = run_plan(&f, p, NULL);

	cr_assert_not_null(top, "%s", p->function);
	cr_expect_eq(
	    top->r.timestamp_ms, (T0 + 400LL * SPAN) * 1000, "%s", p->function);
	cr_expect_gt(top->r.record_score, 50, "%s: %g", p->function,
	    top->r.record_score);
	cr_expect_str_eq(top->partition, "h1");
	cr_expect_str_eq(top->r.function, p->function);
	cr_expect_str_eq(top->r.function_description, description);
	feed_clear(&f);
}

static bool
is_silent(const struct plan *p)
{
	struct feed f;
	const struct feed_record *top = run_plan(&f, p, NULL);
	bool silent = top == NULL || top->r.record_score < 25 ||
	    top->r.timestamp_ms != (T0 + 400LL * SPAN) * 1000;

	feed_clear(&f);
	return silent;
}

Test(function, each_finds_what_it_is_for)
{
	static const struct {
		struct plan plan;
		const char *description;
	} known[] = {
		{ { "varp", scattered }, "varp" },
		{ { "high_varp", scattered }, "varp" },
		{ { "median", moved }, "median" },
		{ { "high_median", moved }, "median" },
		{ { "distinct_count", many_values }, "distinct_count" },
		{ { "high_distinct_count", many_values }, "distinct_count" },
		{ { "metric", one_of_ten }, "max" },
		{ { "metric", one_low }, "min" },
	};

	for (size_t i = 0; i < NELEM(known); i++)
		expect_found(&known[i].plan, known[i].description);
	cr_expect(is_silent(&(struct plan){ "low_varp", scattered }));
	cr_expect(is_silent(&(struct plan){ "low_median", moved }));
	cr_expect(is_silent(&(struct plan){ "median", one_of_ten }));
	cr_expect(
	    is_silent(&(struct plan){ "low_distinct_count", many_values }));
}

Test(function, metric_makes_one_record_of_its_most_anomalous_value)
{
	const struct plan p = { "metric", one_of_ten };
	const struct feed_record *top;
	size_t n = 0;
	struct feed f;

	top = run_plan(&f, &p, NULL);
	cr_assert_not_null(top);
	cr_expect_gt(top->r.actual[0], 850);
	cr_expect_float_eq(top->r.typical[0], 105, 10);
	for (size_t i = 0; i < f.nrecords; i++)
		n += f.record[i].r.timestamp_ms == top->r.timestamp_ms &&
		    strcmp(f.record[i].partition, "h1") == 0;
	cr_expect_eq(n, 1);
	feed_clear(&f);
}

Test(function, the_value_that_accounts_for_it_is_named)
{
	static const char *const user[] = { "user", NULL };
	static const struct plan plans[] = { { "varp", one_of_ten },
		{ "metric", one_of_ten }, { "high_mean", one_of_ten } };

	for (size_t i = 0; i < NELEM(plans); i++) {
		struct feed f;
		const struct feed_record *top = run_plan(&f, &plans[i], user);

		cr_assert_not_null(top);
		cr_assert_eq(top->r.ninfluencers, 1, "%s", plans[i].function);
		cr_expect_str_eq(top->influencer[0], "eve");
		cr_expect_eq(top->r.influencer[0].nvalues, 1);
		feed_clear(&f);
	}
}

/* A scan: one user meets many ports, all others the same few. */
Test(function, who_met_many_different_values_is_named)
{
	static const struct feed_detector ports[] = {
		{ .function = "distinct_count", .field = "port" },
		{ .function = NULL }
	};
	static const char *const user[] = { "user", NULL };
	struct random r = random_seed(13);
	const struct feed_record *top;
	struct feed f;

	feed_init(&f, SPAN, ports, user);
	feed_start(&f);
	for (int b = 0; b < 320; b++) {
		for (int i = 0; i < 40; i++) {
			bool scan = b == 300 && i % 4 == 0;
			char name[8];

			snprintf(name, sizeof(name), "u%d", i % 7);
			feed_set(&f, "user", scan ? "mallory" : name);
			add_value(&f, T0 + b * SPAN, "port",
			    scan ? 1000 + i : floor(5 * random_uniform(&r)));
		}
	}
	top = feed_top_record(&f);
	cr_assert_not_null(top);
	cr_expect_eq(top->r.timestamp_ms, (T0 + 300LL * SPAN) * 1000);
	cr_expect_eq(top->r.actual[0], 15);
	cr_assert_eq(top->r.ninfluencers, 1);
	cr_expect_str_eq(top->influencer[0], "mallory");
	cr_expect_eq(top->r.influencer[0].nvalues, 1);
	feed_clear(&f);
}

/* Interim results */

/* Whether a bucket of ten has a record when so many of them have come. */
static bool
tells_early(
    const char *function, double (*value)(struct random *, int, bool), int come)
{
	struct feed_detector d[] = { { .function = function, .field = "v" },
		{ .function = NULL } };
	struct random r = random_seed(14);
	bool told = false;
	struct feed f;

	feed_init(&f, SPAN, d, NULL);
	feed_start(&f);
	for (int b = 0; b <= 400; b++) {
		for (int i = 0; i < (b == 400 ? come : 10); i++)
			add_value(
			    &f, T0 + b * SPAN, "v", value(&r, i, b == 400));
	}
	cr_assert_eq(feed_interim(&f, TIME_UNSET, TIME_UNSET), 0);
	for (size_t i = 0; i < f.nrecords; i++)
		told |= f.record[i].r.is_interim;
	feed_clear(&f);
	return told;
}

static double
few_values(struct random *r, int i, bool odd)
{
	return odd ? 7 : i + floor(3 * random_uniform(r));
}

Test(function, interim_results_tell_what_missing_records_cannot_undo)
{
	cr_expect(tells_early("distinct_count", many_values, 9));
	cr_expect_not(tells_early("distinct_count", few_values, 9));
	cr_expect_not(tells_early("median", moved, 9));
	cr_expect_not(tells_early("varp", scattered, 9));
	cr_expect(tells_early("metric", one_of_ten, 9), "its maximum");
	cr_expect(tells_early("metric", one_low, 9), "its minimum");
}

Test(function, interim_results_tell_all_once_all_records_are_there)
{
	cr_expect(tells_early("distinct_count", few_values, 10));
	cr_expect(tells_early("median", moved, 10));
	cr_expect(tells_early("varp", scattered, 10));
	cr_expect(tells_early("mean", moved, 10));
}
