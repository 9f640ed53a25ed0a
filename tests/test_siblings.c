/* What series of a detector lend each other. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/engine_cases.h"
#include "tests/random.h"
#include "tests/state4.h"
#include "worker/engine_int.h"

#define OLD 24
#define KNOWN 200 /* buckets before somebody joins */

static const struct feed_detector by_host[] = {
	{ .function = "mean", .field = "v", .by = "host" }, { .function = NULL }
};

/* Errors are 5 % of a level of the host's own. */
static void
add_host(struct feed *f, struct random *r, int host, int64_t time_s,
    double deviations)
{
	char name[16];

	snprintf(name, sizeof(name), "h%d", host);
	feed_set(f, "host", name);
	add_value(f, time_s, "v",
	    (10 + 7 * host) * (1 + 0.05 * deviations * random_normal(r)));
}

static int64_t
add_crowd(struct feed *f, struct random *r, int n, int64_t time_s, int buckets)
{
	for (int b = 0; b < buckets; b++, time_s += SPAN) {
		for (int h = 0; h < n; h++)
			add_host(f, r, h, time_s, 1);
	}
	return time_s;
}

static double
loudest(const struct feed *f, const char *host, int64_t time_s)
{
	double score = 0;

	for (size_t i = 0; i < f->nrecords; i++) {
		const struct feed_record *r = &f->record[i];

		if (strcmp(r->by, host) == 0 &&
		    r->r.timestamp_ms == time_s * 1000 &&
		    r->r.record_score > score)
			score = r->r.record_score;
	}
	return score;
}

/* A newcomer's odd value, ten buckets after it came among so many. */
static double
score_of_newcomer(int crowd, bool restarts)
{
	struct random r = random_seed(5), mine = random_seed(6);
	struct feed f;
	int64_t t;
	double score;

	feed_init(&f, SPAN, by_host, NULL);
	feed_start(&f);
	t = add_crowd(&f, &r, crowd, T0, KNOWN);
	for (int b = 0; b < 10; b++) {
		t = add_crowd(&f, &r, crowd, t, 1);
		add_host(&f, &mine, 30, t - SPAN, 1);
		if (restarts)
			feed_restart(&f);
	}
	feed_set(&f, "host", "h30");
	add_value(&f, t, "v", 220 * (1 + 0.05 * 12));
	cr_assert_eq(feed_advance(&f, t + SPAN), 0);
	score = loudest(&f, "h30", t);
	feed_clear(&f);
	return score;
}

Test(siblings, an_odd_value_of_a_newcomer_is_seen_among_many)
{
	double score = score_of_newcomer(OLD, false);

	cr_expect_gt(score, 50, "%f", score);
	cr_expect_lt(score_of_newcomer(1, false), 10, "nobody lends");
}

Test(siblings, a_restart_changes_no_bit_of_what_is_lent)
{
	cr_expect_eq(
	    score_of_newcomer(OLD, true), score_of_newcomer(OLD, false));
}

Test(siblings, a_newcomer_of_another_kind_gives_back)
{
	struct random r = random_seed(7), mine = random_seed(8);
	struct feed f;
	int64_t t;

	feed_init(&f, SPAN, by_host, NULL);
	feed_start(&f);
	t = add_crowd(&f, &r, OLD, T0, KNOWN);
	for (int b = 0; b < 60; b++) {
		t = add_crowd(&f, &r, OLD, t, 1);
		add_host(&f, &mine, 30, t - SPAN, 5);
	}
	cr_assert_eq(feed_advance(&f, t), 0);
	for (size_t i = 0; i < f.nrecords; i++)
		cr_expect(strcmp(f.record[i].by, "h30") != 0 ||
			f.record[i].r.record_score < 50,
		    "bucket %zu: %f", i, f.record[i].r.record_score);
	feed_clear(&f);
}

static struct model *
model_of(const struct feed *f, uint32_t number)
{
	return &f->engine->table.series[number]->model[0];
}

Test(siblings, what_is_lent_ends_and_members_are_counted)
{
	struct random r = random_seed(9);
	struct feed f;
	const struct siblings *s;
	int64_t t;

	feed_init(&f, SPAN, by_host, NULL);
	feed_start(&f);
	t = add_crowd(&f, &r, OLD, T0, KNOWN);
	s = f.engine->detector[0].siblings;
	cr_assert_eq(feed_advance(&f, t), 0);
	cr_expect_eq(s->members, OLD);
	/* alike in shares of their levels: on logarithms */
	cr_expect_lt(s->spread[POWER_LOG], s->spread[POWER_LINEAR] / 10);
	cr_expect_float_eq(s->ln_scale[POWER_LOG], log(0.05), 0.1);
	t = add_crowd(&f, &r, OLD + 1, t, 12);
	cr_assert_eq(feed_advance(&f, t), 0);
	cr_expect_gt(model_of(&f, OLD)->borrowed, 10);
	cr_expect_eq(s->members, OLD);
	feed_restart(&f);
	s = f.engine->detector[0].siblings;
	cr_expect_eq(s->members, OLD);
	cr_expect_gt(model_of(&f, OLD)->borrowed, 10);
	t = add_crowd(&f, &r, OLD + 1, t, 60);
	cr_assert_eq(feed_advance(&f, t), 0);
	cr_expect_eq(model_of(&f, OLD)->borrowed, 0);
	t = add_crowd(&f, &r, OLD + 1, t, 60);
	cr_assert_eq(feed_advance(&f, t), 0);
	cr_expect_eq(s->members, OLD + 1);
	feed_clear(&f);
}

Test(siblings, a_new_partition_begins_with_the_mean_of_scores)
{
	struct sibling_scores s = { .told = 0 };
	struct normaliser known = { .held = 0 }, lent = { .held = 0 };

	known.bin[0] = 90;
	known.bin[9] = 10;
	siblings_lend_scores(&s, &lent, 30);
	cr_expect_eq(normalise_samples(&lent), 0, "nobody has told");
	siblings_tell_scores(&s, &lent, 30);
	cr_expect_eq(s.told, 0, "what knows nothing is not told");
	siblings_tell_scores(&s, &known, 30);
	siblings_tell_scores(&s, &known, 30);
	siblings_lend_scores(&s, &lent, 30);
	cr_expect_float_eq(normalise_samples(&lent), 100, 1e-4);
	cr_expect_float_eq((double)lent.bin[9], 10, 1e-5);
	siblings_lend_scores(&s, &lent, 3);
	cr_expect_float_eq(normalise_samples(&lent), 16, 1e-5, "two others");
	cr_expect_float_eq((double)lent.bin[9], 1.6, 1e-6);
}

/* The same crowd, as partitions. */
Test(siblings, a_new_partition_has_a_score_that_means_something)
{
	static const struct feed_detector partitions[] = {
		{ .function = "mean", .field = "v", .partition = "host" },
		{ .function = NULL }
	};
	struct random r = random_seed(5), mine = random_seed(6);
	struct feed f;
	int64_t t;
	double score = 0;

	feed_init(&f, SPAN, partitions, NULL);
	feed_start(&f);
	t = add_crowd(&f, &r, OLD, T0, KNOWN);
	for (int b = 0; b < 10; b++) {
		t = add_crowd(&f, &r, OLD, t, 1);
		add_host(&f, &mine, 30, t - SPAN, 1);
		feed_restart(&f);
	}
	feed_set(&f, "host", "h30");
	add_value(&f, t, "v", 220 * (1 + 0.05 * 12));
	cr_assert_eq(feed_advance(&f, t + SPAN), 0);
	for (size_t i = 0; i < f.nrecords; i++) {
		if (strcmp(f.record[i].partition, "h30") == 0)
			score = f.record[i].r.record_score;
	}
	cr_expect_gt(score, 55, "%f; of few samples at most 51", score);
	feed_clear(&f);
}

Test(siblings, who_differs_lends_nothing)
{
	struct siblings s = { .members = 30, .told = 300, .even = 1 };
	struct outlook o = { .known = true };
	struct model m;

	model_init(&m);
	m.n = m.level[BASE_NONE].n = 4;
	m.scale[BASE_NONE] = m.error[POWER_LINEAR] = 1;
	s.spread[POWER_LINEAR] = 1;
	siblings_meet(&s, &m, &o);
	cr_expect_eq(m.borrowed, 0);
	s.spread[POWER_LINEAR] = 0.01;
	siblings_meet(&s, &m, &o);
	cr_expect_eq(m.borrowed, 18); /* 1 / (2 (0.01 + 0.5 / 30)) */
	cr_expect_float_eq(m.scale[BASE_NONE], 1, 1e-12);
	s.ln_scale[POWER_LINEAR] = 3;
	m.n++;
	siblings_meet(&s, &m, &o);
	cr_expect_eq(m.borrowed, 0, "given back");
	model_clear(&m);
}

static size_t
unhex(const char *hex, uint8_t *to, size_t most)
{
	size_t n = strlen(hex) / 2;

	cr_assert_leq(n, most);
	for (size_t i = 0; i < n; i++) {
		char pair[3] = { hex[2 * i], hex[2 * i + 1], '\0' };

		to[i] = (uint8_t)strtoul(pair, NULL, 16);
	}
	return n;
}

Test(siblings, a_state_of_format_4_has_members_who_have_told_nothing)
{
	static uint8_t state[sizeof(state4_hex)];
	size_t len = unhex(state4_hex, state, sizeof(state));
	struct snapshot_reader *r = snapshot_reader_memory(state, len);
	struct siblings *s;
	struct feed f;

	cr_assert_not_null(r);
	cr_expect_eq(snapshot_format(r), 4);
	feed_init(&f, SPAN, by_host, NULL);
	feed_start(&f);
	cr_assert_eq(engine_load(f.engine, r), 0);
	s = f.engine->detector[0].siblings;
	cr_expect_eq(s->members, 2);
	cr_expect_eq(s->told, 0);
	cr_expect_eq(model_of(&f, 1)->n, STATE4_BUCKETS);
	cr_expect_eq(model_of(&f, 1)->borrowed, 0);
	feed_set(&f, "host", "h1");
	feed_set(&f, "v", "15");
	add_buckets(&f, T0 + STATE4_BUCKETS * SPAN, 20, 1);
	cr_expect_gt(s->told, 0);
	snapshot_reader_free(r);
	feed_clear(&f);
}

/* More detectors than there are partitions: what is told stays a number. */
Test(siblings, detectors_without_records_do_no_harm)
{
	static const struct feed_detector one_of_two[] = {
		{ .function = "mean", .field = "v" },
		{ .function = "mean", .field = "missing" }, { .function = NULL }
	};
	struct random r = random_seed(9);
	struct sibling_scores s;
	struct feed f;
	int64_t t = T0;

	feed_init(&f, SPAN, one_of_two, NULL);
	feed_start(&f);
	for (int b = 0; b < 400; b++, t += SPAN)
		add_value(&f, t, "v", 10 + random_normal(&r));
	s = f.engine->detector[0].scores;
	cr_assert_gt(s.told, 0);
	for (size_t i = 0; i < NORMALISE_BINS; i++) {
		cr_expect_geq(s.mean.bin[i], 0);
		cr_expect_lt(s.mean.bin[i], 1000);
	}
	feed_restart(&f);
	cr_expect_eq(f.engine->detector[0].scores.told, s.told);
	feed_clear(&f);
}
