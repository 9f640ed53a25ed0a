/*
 * Functions whose value is no number on a line, and info_content, from records
 * to results.
 */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tests/engine_cases.h"
#include "tests/random.h"
#include "worker/engine_int.h"

#define HOUR 3600
#define DAY 86400
#define BEGIN_S 1519603200 /* midnight of a Monday */

static const struct feed_detector all_kinds[] = {
	{ .function = "time_of_day", .by = "user" },
	{ .function = "time_of_week" },
	{ .function = "lat_long", .field = "where", .by = "user" },
	{ .function = "high_info_content", .field = "text", .by = "user" },
	{ .function = NULL },
};
static const char *const host[] = { "host", NULL };

static void
start_all(struct feed *f)
{
	feed_init(f, HOUR, all_kinds, host);
	f->conf.latency_s = HOUR;
	feed_start(f);
}

/* The n-th record, of which everything is a function of n. */
static void
add_record(struct feed *f, int n)
{
	struct random r = random_seed((uint64_t)n);
	int64_t t = BEGIN_S + n * 417;
	bool odd = t / HOUR == (BEGIN_S + 25 * DAY) / HOUR + 21;
	char where[40], text[40], user[16], name[16];

	if ((t % DAY / HOUR < 6 || t % DAY / HOUR > 12) && !odd)
		return;
	snprintf(user, sizeof(user), "u%d", n % 3);
	snprintf(name, sizeof(name), "h%d", (int)(random_uniform(&r) * 3));
	feed_set(f, "user", user);
	feed_set(f, "host", odd ? "h9" : name);
	snprintf(where, sizeof(where), "%.3f,%.3f",
	    odd ? -30 : 50 + 0.05 * random_normal(&r),
	    odd ? 170 : 8 + 0.05 * random_normal(&r));
	feed_set(f, "where", where);
	snprintf(text, sizeof(text), odd ? "%.12f%.12f" : "/%.0f",
	    random_uniform(&r) * (odd ? 1e6 : 5), random_uniform(&r));
	feed_set(f, "text", text);
	cr_assert_eq(feed_advance(f, t), 0);
	cr_assert_eq(feed_add(f, t - (int64_t)(random_uniform(&r) * HOUR)), 0);
}

static void
expect_same(const struct feed *a, const struct feed *b)
{
	cr_assert_eq(a->nbuckets, b->nbuckets);
	cr_assert_eq(a->nrecords, b->nrecords);
	for (size_t i = 0; i < a->nrecords; i++) {
		const struct feed_record *x = &a->record[i];
		const struct feed_record *y = &b->record[i];

		cr_assert_eq(x->r.timestamp_ms, y->r.timestamp_ms);
		cr_assert_eq(x->r.probability, y->r.probability);
		cr_assert_eq(x->r.record_score, y->r.record_score);
		cr_assert_eq(x->r.detector_index, y->r.detector_index);
		cr_assert_eq(x->r.nvalues, y->r.nvalues);
		for (size_t k = 0; k < x->r.nvalues; k++) {
			cr_assert_eq(x->r.actual[k], y->r.actual[k]);
			cr_assert_eq(x->r.typical[k], y->r.typical[k]);
		}
		cr_assert_str_eq(x->by, y->by);
		cr_assert_str_eq(x->partition, y->partition);
		cr_assert_str_eq(x->influencer[0], y->influencer[0]);
	}
}

Test(special, a_restart_at_any_moment_changes_no_bit)
{
	struct model_size a = { .log_time = 0 }, b = { .log_time = 0 };
	struct feed whole, cut;
	bool seen[4] = { false };

	start_all(&whole);
	start_all(&cut);
	for (int i = 0; i < 7000; i++) {
		add_record(&whole, i);
		add_record(&cut, i);
		if (i % 53 == 0)
			feed_restart(&cut);
	}
	expect_same(&whole, &cut);
	for (size_t i = 0; i < whole.nrecords; i++)
		seen[whole.record[i].r.detector_index] |=
		    whole.record[i].r.record_score > 50;
	for (size_t i = 0; i < NELEM(seen); i++)
		cr_expect(seen[i], "detector %zu says nothing", i);
	engine_size(whole.engine, &a);
	engine_size(cut.engine, &b);
	cr_expect_eq(a.model_bytes, b.model_bytes);
	feed_clear(&whole);
	feed_clear(&cut);
}

/* The record of a detector that scores most. */
static const struct feed_record *
loudest(const struct feed *f, int detector)
{
	const struct feed_record *top = NULL;

	for (size_t i = 0; i < f->nrecords; i++) {
		const struct feed_record *x = &f->record[i];

		if (x->r.detector_index == detector &&
		    (top == NULL || x->r.record_score > top->r.record_score))
			top = x;
	}
	cr_assert_not_null(top);
	return top;
}

Test(special, records_have_what_each_function_is_about)
{
	const struct feed_record *x;
	struct feed f;

	start_all(&f);
	for (int i = 0; i < 7000; i++)
		add_record(&f, i);
	x = loudest(&f, 0);
	cr_expect_str_eq(x->r.function_description, "time");
	cr_expect_eq(x->r.nvalues, 1);
	cr_expect_geq(x->r.actual[0], 20 * HOUR);
	cr_expect_eq(x->r.multi_bucket_impact, -5);
	cr_expect_eq(x->r.why.has, EXPLAINED_SINGLE);
	cr_expect_float_eq((double)x->r.why.single_bucket_impact,
	    -log10(x->r.probability), 0.51);
	cr_expect_str_eq(x->influencer[0], "h9");
	x = loudest(&f, 1);
	cr_expect_lt(x->r.actual[0], 7 * DAY);
	x = loudest(&f, 2);
	cr_expect_str_eq(x->r.function_description, "lat_long");
	cr_expect_str_eq(x->r.field_name, "where");
	cr_assert_eq(x->r.nvalues, 2);
	cr_expect_float_eq(x->r.actual[0], -30, 1e-9);
	cr_expect_float_eq(x->r.actual[1], 170, 1e-9);
	cr_expect_float_eq(x->r.typical[0], 50, 0.1);
	cr_expect_float_eq(x->r.typical[1], 8, 0.1);
	cr_expect_str_eq(x->influencer[0], "h9");
	x = loudest(&f, 3);
	cr_expect_str_eq(x->r.function_description, "info_content");
	cr_expect_gt(x->r.actual[0], x->r.typical[0]);
	cr_expect_str_eq(x->influencer[0], "h9");
	feed_clear(&f);
}

/* What was odd stays odd, whatever may still come. */
Test(special, an_odd_time_is_told_while_its_bucket_is_open)
{
	struct feed_detector day[] = { { .function = "time_of_day" },
		{ .function = NULL } };
	int64_t begin = BEGIN_S - BEGIN_S % DAY;
	struct feed f;

	feed_init(&f, HOUR, day, NULL);
	feed_start(&f);
	for (int64_t t = begin; t < begin + 20 * DAY; t += 300) {
		if (t % DAY / HOUR >= 9 && t % DAY / HOUR < 17) {
			cr_assert_eq(feed_advance(&f, t), 0);
			cr_assert_eq(feed_add(&f, t), 0);
		}
	}
	f.nrecords = 0;
	cr_assert_eq(feed_advance(&f, begin + 20 * DAY + 3 * HOUR), 0);
	cr_assert_eq(feed_add(&f, begin + 20 * DAY + 3 * HOUR), 0);
	cr_assert_eq(feed_interim(&f, TIME_UNSET, TIME_UNSET), 0);
	cr_assert_eq(f.nrecords, 1);
	cr_expect(f.record[0].r.is_interim);
	cr_expect_gt(f.record[0].r.record_score, 50);
	cr_expect_eq(f.record[0].r.actual[0], 3 * HOUR);
	/* and teaches nothing */
	cr_assert_eq(feed_advance(&f, begin + 20 * DAY + 5 * HOUR), 0);
	cr_expect_eq(loudest(&f, 0)->r.is_interim, false);
	cr_expect_gt(loudest(&f, 0)->r.record_score, 50);
	feed_clear(&f);
}

Test(special, places_that_are_none_say_nothing)
{
	struct feed_detector d[] = { { .function = "lat_long",
					 .field = "where" },
		{ .function = NULL } };
	struct model_size size = { .log_time = 0 };
	struct feed f;

	feed_init(&f, HOUR, d, NULL);
	feed_start(&f);
	feed_set(&f, "where", "somewhere");
	add_buckets(&f, T0, 5, 3);
	engine_size(f.engine, &size);
	cr_expect_eq(size.total_by_field_count, 0);
	feed_set(&f, "where", "1,2");
	add_times(&f, T0 + 2 * DAY, 1);
	engine_size(f.engine, &size);
	cr_expect_eq(size.total_by_field_count, 1);
	feed_clear(&f);
}

/* A snapshot whose events are at no time of the day. */
Test(special, a_state_with_times_that_are_none_is_refused)
{
	static const struct feed_detector days[] = {
		{ .function = "time_of_day" }, { .function = NULL }
	};
	struct snapshot_writer *w = snapshot_writer_memory();
	struct snapshot_reader *r;
	struct engine *copy;
	const uint8_t *data;
	struct feed f;
	size_t len;

	feed_init(&f, HOUR, days, NULL);
	feed_start(&f);
	cr_assert_eq(feed_advance(&f, BEGIN_S), 0);
	cr_assert_eq(feed_add(&f, BEGIN_S), 0);
	engine_bucket(f.engine, BEGIN_S)->leaf[0].stat.groups->group[0].cell =
	    144;
	cr_assert_eq(engine_save(f.engine, w), 0);
	cr_assert_eq(snapshot_memory(w, &data, &len), 0);
	copy = engine_new(&f.conf, &f.engine->sink);
	r = snapshot_reader_memory(data, len);
	cr_expect_eq(engine_load(copy, r), -1);
	cr_expect_eq(errno, EBADMSG);
	engine_free(copy);
	snapshot_reader_free(r);
	snapshot_writer_free(w);
	feed_clear(&f);
}
