/* Rows of the model plot and annotations, as the engine writes them. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/crc32c.h"
#include "common/plotrow.h"
#include "tests/deaf.h"
#include "tests/engine_cases.h"
#include "tests/random.h"
#include "worker/bounds.h"
#include "worker/model.h"
#include "worker/news.h"
#include "worker/phrase.h"

#define ROWS_MOST 2000

struct plotted {
	struct plot_result row[ROWS_MOST];
	char host[ROWS_MOST][FEED_TEXT];
	size_t n;
	char text[8][NEWS_TEXT_BYTES];
	size_t nnotes;
	size_t fail_at; /* the sink fails once there; SIZE_MAX: never */
};

static int
take_plot(void *arg, const struct plot_result *r)
{
	struct plotted *p = arg;

	if (p->n == p->fail_at) {
		p->fail_at = SIZE_MAX;
		errno = EIO;
		return -1;
	}
	cr_assert_lt(p->n, ROWS_MOST);
	p->row[p->n] = *r;
	snprintf(p->host[p->n], FEED_TEXT, "%.*s",
	    (int)r->partition_field_value.len, r->partition_field_value.p);
	p->n++;
	return 0;
}

static int
take_annotation(void *arg, const struct annotation_result *r)
{
	struct plotted *p = arg;

	cr_assert_lt(p->nnotes, NELEM(p->text));
	strlcpy(p->text[p->nnotes++], r->text, NEWS_TEXT_BYTES);
	return 0;
}

static void
start(struct feed *f, struct plotted *p, const struct feed_detector *detectors)
{
	struct result_sink sink = { .record = deaf_record,
		.bucket = deaf_bucket,
		.drop_interim = deaf_drop,
		.plot = take_plot,
		.annotation = take_annotation,
		.arg = p };

	feed_init(f, SPAN, detectors, NULL);
	f->conf.plot.enabled = f->conf.plot.annotations = true;
	feed_start(f);
	engine_free(f->engine);
	f->engine = engine_new(&f->conf, &sink);
	cr_assert_not_null(f->engine);
	p->n = p->nnotes = 0;
	p->fail_at = SIZE_MAX;
}

/* A record of each of n hosts in each bucket. */
static void
add_hosts(struct feed *f, int nbuckets, int n)
{
	struct random r = random_seed(7);
	char host[16], value[32];

	for (int b = 0; b < nbuckets; b++) {
		for (int h = 0; h < n; h++) {
			snprintf(host, sizeof(host), "h%d", h);
			snprintf(value, sizeof(value), "%g",
			    100 + 5 * random_normal(&r));
			feed_set(f, "host", host);
			feed_set(f, "v", value);
			while (feed_add(f, T0 + b * SPAN) == -1)
				cr_assert_eq(errno, EIO);
		}
	}
	while (feed_advance(f, T0 + nbuckets * SPAN) == -1)
		cr_assert_eq(errno, EIO);
}

static const struct feed_detector split[] = {
	{ .function = "mean", .field = "v", .partition = "host" },
	{ .function = NULL }
};

Test(plot, a_row_for_each_series_and_bucket)
{
	static struct plotted p;
	struct feed f;

	start(&f, &p, split);
	add_hosts(&f, 20, 3);
	/* the first eight values are learnt without any */
	cr_assert_eq(p.n, (20 - 8) * 3);
	for (size_t i = 0; i < p.n; i++) {
		const struct plot_result *r = &p.row[i];

		cr_expect_eq(
		    r->timestamp_ms, (T0 + (int64_t)(8 + i / 3) * SPAN) * 1000);
		cr_expect_str_eq(
		    r->model_feature, "'arithmetic mean value by person'");
		cr_expect(r->has_actual);
		cr_expect_leq(r->lower, r->median);
		cr_expect_leq(r->median, r->upper);
	}
	feed_clear(&f);
}

/* What was learnt before the sink failed is not learnt again. */
Test(plot, a_step_that_is_tried_again_gives_the_same)
{
	static struct plotted whole, torn;
	struct feed f;

	start(&f, &whole, split);
	add_hosts(&f, 15, 100);
	feed_clear(&f);
	for (size_t at = 0; at < 700; at += 37) {
		start(&f, &torn, split);
		torn.fail_at = at;
		add_hosts(&f, 15, 100);
		feed_clear(&f);
		cr_assert_eq(torn.fail_at, SIZE_MAX, "it has failed");
		cr_assert_eq(torn.n, whole.n);
		for (size_t i = 0; i < whole.n; i++) {
			cr_assert_str_eq(torn.host[i], whole.host[i]);
			cr_assert_eq(torn.row[i].lower, whole.row[i].lower);
			cr_assert_eq(torn.row[i].upper, whole.row[i].upper);
		}
	}
}

Test(plot, a_silent_series_has_rows_without_a_value)
{
	static struct plotted p;
	struct feed f;
	size_t before;

	start(&f, &p, split);
	add_hosts(&f, 20, 2);
	before = p.n;
	feed_set(&f, "host", "h1");
	feed_set(&f, "v", "100");
	cr_assert_eq(feed_add(&f, T0 + 20 * SPAN), 0);
	cr_assert_eq(feed_advance(&f, T0 + 21 * SPAN), 0);
	cr_assert_eq(p.n, before + 2);
	cr_expect_eq(p.row[before].has_actual, false);
	cr_expect_eq(p.row[before + 1].has_actual, true);
	feed_clear(&f);
}

Test(plot, a_day_is_told_once)
{
	static const struct feed_detector one[] = {
		{ .function = "mean", .field = "v" }, { .function = NULL }
	};
	static struct plotted p;
	struct random r = random_seed(3);
	char value[32];
	struct feed f;

	start(&f, &p, one);
	f.conf.plot.enabled = false;
	for (int b = 0; b < 8 * 144; b++) {
		p.n = 0;
		snprintf(value, sizeof(value), "%g",
		    100 + 30 * sin(2 * M_PI * b / 144) + random_normal(&r));
		feed_set(&f, "v", value);
		cr_assert_eq(feed_add(&f, T0 + b * SPAN), 0);
	}
	cr_assert_eq(p.nnotes, 1, "%zu: %s", p.nnotes, p.text[0]);
	cr_expect_str_eq(
	    p.text[0], "Detected seasonal component with period 1d");
	feed_clear(&f);
}

Test(plot, texts_of_annotations)
{
	static const struct {
		struct news_item item;
		const char *text;
	} cases[] = {
		{ { 0, NEWS_SEASON, 604800 },
		    "Detected seasonal component with period 7d" },
		{ { 0, NEWS_SEASON, 5430 },
		    "Detected seasonal component with period 1h30m30s" },
		{ { 0, NEWS_NO_SEASON, 0 }, "removed all seasonality" },
		{ { 0, NEWS_LEVEL, -12.5 }, "Detected level shift by -12.5" },
		{ { 0, NEWS_TREND, 0 }, "Detected trend" },
		{ { 0, NEWS_TIME, -3600 }, "Detected time shift by -3600s" },
	};
	char text[NEWS_TEXT_BYTES];

	for (size_t i = 0; i < NELEM(cases); i++) {
		news_text(&cases[i].item, text);
		cr_expect_str_eq(text, cases[i].text);
	}
}

/* The phrases of the API, each by the function that has it. */
Test(plot, phrases)
{
	static const struct {
		const char *function, *phrase;
	} cases[] = {
		{ "count", "'count per bucket by person'" },
		{ "low_count", "'low values of count per bucket by person'" },
		{ "high_count", "'high values of count per bucket by person'" },
		{ "non_zero_count", "'non-zero count per bucket by person'" },
		{ "distinct_count", "'unique count per bucket by person'" },
		{ "mean", "'arithmetic mean value by person'" },
		{ "low_mean", "'low mean value by person'" },
		{ "sum", "'bucket sum by person'" },
		{ "high_sum", "'high bucket sum by person'" },
		{ "min", "'minimum value by person'" },
		{ "max", "'maximum value by person'" },
		{ "median", "'median value by person'" },
		{ "low_median", "'low median value by person'" },
		{ "varp", "'variance of values by person'" },
	};

	for (size_t i = 0; i < NELEM(cases); i++) {
		struct detector d = { .function =
					  function_find(cases[i].function) };
		const struct feature *f;
		uint32_t n;

		cr_assert_not_null(d.function);
		f = feature_find(d.function->kind, false, &n);
		cr_assert_not_null(f);
		cr_expect_str_eq(phrase_of(&d, f), cases[i].phrase);
		d.over_field_name = (char *)(uintptr_t) "who";
		cr_expect_not_null(
		    strstr(phrase_of(&d, f), " by person and attribute'"));
	}
}
