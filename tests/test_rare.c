/* Rare values of a job: what the engine says of them, and remembers. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/engine_cases.h"
#include "tests/random.h"

static const struct feed_detector rare_host[] = {
	{ .function = "rare", .by = "host" }, { .function = NULL }
};
static const struct feed_detector rare_in_zone[] = {
	{ .function = "rare", .by = "host", .partition = "zone" },
	{ .function = NULL }
};
static const char *const user_influences[] = { "user", "host", NULL };

/* n records of a value in the bucket of that time. */
static void
add_host(struct feed *f, int64_t time_s, const char *host, int n)
{
	feed_set(f, "host", host);
	add_times(f, time_s, n);
}

/* Buckets with four values, each in its share of them. */
static int64_t
add_usual(struct feed *f, int64_t time_s, int buckets, struct random *dice)
{
	static const double share[] = { 1, 0.9, 0.7, 0.4 };
	char host[16];

	for (int b = 0; b < buckets; b++, time_s += SPAN) {
		for (size_t i = 0; i < NELEM(share); i++) {
			snprintf(host, sizeof(host), "host-%zu", i);
			if (random_uniform(dice) < share[i])
				add_host(f, time_s, host, 3);
		}
	}
	return time_s;
}

static size_t
records_of(const struct feed *f, const char *host)
{
	size_t n = 0;

	for (size_t i = 0; i < f->nrecords; i++)
		n += strcmp(f->record[i].by, host) == 0;
	return n;
}

/* The last one, which is there. */
static const struct feed_record *
record_of(const struct feed *f, const char *host)
{
	size_t i = f->nrecords;

	while (i > 0 && strcmp(f->record[i - 1].by, host) != 0)
		i--;
	if (i == 0)
		abort();
	return &f->record[i - 1];
}

Test(rare, a_value_that_was_never_seen_is_told)
{
	struct random dice = random_seed(1);
	const struct feed_record *r;
	struct feed f;
	int64_t now_s;

	feed_init(&f, SPAN, rare_host, user_influences);
	feed_start(&f);
	feed_set(&f, "user", "alice");
	now_s = add_usual(&f, T0, 200, &dice);
	feed_set(&f, "user", "mallory");
	add_host(&f, now_s, "xmrig", 7);
	cr_assert_eq(feed_advance(&f, now_s + SPAN), 0);
	r = record_of(&f, "xmrig");
	cr_expect_gt(r->r.record_score, 50);
	cr_expect_eq(r->r.timestamp_ms, now_s * 1000);
	cr_expect_str_eq(r->r.function, "rare");
	cr_expect_str_eq(r->r.function_description, "rare");
	cr_expect_eq(r->r.nvalues, 1);
	cr_expect_eq(r->r.actual[0], 1, "present, however often");
	cr_expect_eq(r->r.typical[0], 0);
	cr_expect_eq(r->r.multi_bucket_impact, -5);
	cr_expect_eq(r->r.why.has,
	    EXPLAINED_SINGLE | EXPLAINED_FIRST | EXPLAINED_RARITY);
	cr_expect_gt(r->r.why.relative_rarity, 100);
	cr_assert_eq(r->r.ninfluencers, 2);
	cr_expect_str_eq(r->influencer[0], "mallory");
	cr_expect_str_eq(r->influencer[1], "xmrig");
	cr_expect_gt(feed_top_bucket(&f)->anomaly_score, 50);
	for (size_t i = 0; i < f.nrecords; i++)
		cr_expect(strcmp(f.record[i].by, "xmrig") == 0 ||
		    f.record[i].r.record_score < 20);
	feed_clear(&f);
}

Test(rare, in_the_fifth_bucket_nothing_is_rare)
{
	struct random dice = random_seed(2);
	struct feed f;
	int64_t now_s;

	feed_init(&f, SPAN, rare_host, NULL);
	feed_start(&f);
	now_s = add_usual(&f, T0, 5, &dice);
	add_host(&f, now_s, "xmrig", 7);
	cr_assert_eq(feed_advance(&f, now_s + SPAN), 0);
	cr_expect_eq(f.nrecords, 0);
	feed_clear(&f);
}

Test(rare, what_came_once_is_less_rare_and_what_keeps_coming_is_not)
{
	struct random dice = random_seed(3);
	const struct feed_record *r;
	double first, again;
	struct feed f;
	int64_t now_s;

	feed_init(&f, SPAN, rare_host, NULL);
	feed_start(&f);
	now_s = add_usual(&f, T0, 300, &dice);
	add_host(&f, now_s, "weekly", 1);
	now_s = add_usual(&f, now_s, 200, &dice);
	first = record_of(&f, "weekly")->r.record_score;
	add_host(&f, now_s, "weekly", 1);
	now_s = add_usual(&f, now_s, 1, &dice);
	cr_assert_eq(feed_advance(&f, now_s), 0);
	r = record_of(&f, "weekly");
	again = r->r.record_score;
	cr_expect_lt(again, first);
	cr_expect_eq(r->r.why.has & EXPLAINED_FIRST, 0);
	cr_expect_gt(r->r.typical[0], 0);
	cr_expect_lt(r->r.typical[0], 0.01);
	for (int i = 0; i < 10; i++) {
		add_host(&f, now_s, "weekly", 1);
		now_s = add_usual(&f, now_s, 20, &dice);
	}
	f.nrecords = 0;
	add_host(&f, now_s, "weekly", 1);
	now_s = add_usual(&f, now_s, 1, &dice);
	cr_assert_eq(feed_advance(&f, now_s), 0);
	cr_expect(records_of(&f, "weekly") == 0 ||
	    record_of(&f, "weekly")->r.record_score < 10);
	feed_clear(&f);
}

Test(rare, partitions_know_nothing_of_each_other)
{
	struct random dice = random_seed(4);
	struct feed f;
	int64_t now_s = T0;

	feed_init(&f, SPAN, rare_in_zone, NULL);
	feed_start(&f);
	for (int b = 0; b < 200; b++) {
		feed_set(&f, "zone", "east");
		add_host(&f, now_s, "backup", 1);
		feed_set(&f, "zone", "west");
		now_s = add_usual(&f, now_s, 1, &dice);
	}
	feed_set(&f, "zone", "east");
	add_host(&f, now_s, "backup", 1);
	feed_set(&f, "zone", "west");
	add_host(&f, now_s, "backup", 1);
	cr_assert_eq(feed_advance(&f, now_s + SPAN), 0);
	cr_assert_gt(f.nrecords, 0);
	cr_expect_str_eq(f.record[f.nrecords - 1].partition, "west");
	cr_expect_gt(f.record[f.nrecords - 1].r.record_score, 50);
	for (size_t i = 0; i < f.nrecords; i++)
		cr_expect_str_neq(f.record[i].partition, "east");
	feed_clear(&f);
}

Test(rare, an_open_bucket_tells_and_is_not_learnt)
{
	struct random dice = random_seed(5);
	struct feed f;
	int64_t now_s;
	double interim;

	feed_init(&f, SPAN, rare_host, NULL);
	feed_start(&f);
	now_s = add_usual(&f, T0, 200, &dice);
	add_host(&f, now_s, "xmrig", 1);
	for (int i = 0; i < 3; i++)
		cr_assert_eq(feed_interim(&f, now_s, now_s + SPAN), 0);
	cr_expect(record_of(&f, "xmrig")->r.is_interim);
	cr_expect_gt(record_of(&f, "xmrig")->r.record_score, 50);
	interim = record_of(&f, "xmrig")->r.probability;
	cr_assert_eq(feed_advance(&f, now_s + SPAN), 0);
	cr_expect(!record_of(&f, "xmrig")->r.is_interim);
	cr_expect_eq(record_of(&f, "xmrig")->r.probability, interim);
	feed_clear(&f);
}

/* Four values, and now and then one of thousands. */
static void
run_mixed(struct feed *f, int restart_each)
{
	struct random dice = random_seed(6);
	int64_t now_s = T0;
	char host[24];

	for (int b = 0; b < 700; b++) {
		feed_set(f, "zone", b % 2 == 0 ? "even" : "odd");
		for (int i = 0; i < 8; i++) {
			snprintf(host, sizeof(host), "h-%d",
			    b % 71 == 70 && i == 5
				? (int)exp(8 * random_uniform(&dice))
				: i % 4);
			add_host(f, now_s + i * SPAN / 8, host, 1);
			if (restart_each > 0 && (8 * b + i) % restart_each == 0)
				feed_restart(f);
		}
		now_s += SPAN;
	}
	cr_assert_eq(feed_advance(f, now_s), 0);
}

Test(rare, goes_on_from_a_snapshot_to_the_last_bit)
{
	struct feed f[2];

	for (int i = 0; i < 2; i++) {
		feed_init(&f[i], SPAN, rare_in_zone, NULL);
		f[i].conf.model_prune_window_s = 60 * SPAN;
		feed_start(&f[i]);
		run_mixed(&f[i], i * 37);
	}
	cr_assert_gt(f[0].nrecords, 2);
	cr_assert_eq(f[0].nrecords, f[1].nrecords);
	for (size_t i = 0; i < f[0].nrecords; i++) {
		const struct record_result *a = &f[0].record[i].r;
		const struct record_result *b = &f[1].record[i].r;

		cr_expect_str_eq(f[0].record[i].by, f[1].record[i].by);
		cr_expect_eq(a->probability, b->probability);
		cr_expect_eq(a->record_score, b->record_score);
		cr_expect_eq(a->typical[0], b->typical[0]);
	}
	feed_clear(&f[0]);
	feed_clear(&f[1]);
}

/*
 * Work out each share anew from all that ever happened: the counts in classes
 * must have lost nothing on the way through days of changes.
 */
Test(rare, typical_is_the_share_of_buckets)
{
	struct random dice = random_seed(7);
	double memory = 14.0 * 86400 / SPAN, met = 0, all = 0;
	const struct feed_record *r;
	struct feed f;
	int64_t now_s = T0;

	feed_init(&f, SPAN, rare_host, NULL);
	feed_start(&f);
	for (int b = 0; b < 3000; b++) {
		met *= exp(-1 / memory);
		all = all * exp(-1 / memory) + 1;
		if (b == 400 || b == 1700) {
			add_host(&f, now_s, "seldom", 2);
			met++;
		}
		now_s = add_usual(&f, now_s, 1, &dice);
	}
	met *= exp(-1 / memory);
	all *= exp(-1 / memory);
	add_host(&f, now_s, "seldom", 2);
	cr_assert_eq(feed_advance(&f, now_s + SPAN), 0);
	r = record_of(&f, "seldom");
	cr_assert_eq(r->r.timestamp_ms, now_s * 1000);
	cr_expect_float_eq(r->r.typical[0], met / all, 1e-9);
	feed_clear(&f);
}

Test(rare, values_long_unseen_are_rare_again)
{
	struct random dice = random_seed(8);
	struct model_size size;
	struct feed f;
	int64_t now_s;

	feed_init(&f, SPAN, rare_host, NULL);
	f.conf.model_prune_window_s = 100 * SPAN;
	feed_start(&f);
	now_s = T0;
	for (int b = 0; b < 200; b++) {
		add_host(&f, now_s, "once-usual", 1);
		now_s = add_usual(&f, now_s, 1, &dice);
	}
	now_s = add_usual(&f, now_s, 150, &dice);
	cr_assert_eq(feed_advance(&f, now_s), 0);
	engine_size(f.engine, &size);
	cr_expect_eq(size.total_by_field_count, 4);
	add_host(&f, now_s, "once-usual", 1);
	cr_assert_eq(feed_advance(&f, now_s + SPAN), 0);
	cr_expect_neq(
	    record_of(&f, "once-usual")->r.why.has & EXPLAINED_FIRST, 0);
	feed_clear(&f);
}

/* People */

static const struct feed_detector rare_over[] = {
	{ .function = "rare", .by = "host", .over = "user" },
	{ .function = NULL }
};
static const struct feed_detector freq_rare_over[] = {
	{ .function = "freq_rare", .by = "host", .over = "user" },
	{ .function = NULL }
};

#define PEOPLE 30

static void
add_visit(struct feed *f, int64_t time_s, int user, const char *host, int n)
{
	char name[16];

	snprintf(name, sizeof(name), "user-%d", user);
	feed_set(f, "user", name);
	add_host(f, time_s, host, n);
}

/*
 * All go to the same few places, and each of the first five to one where
 * nobody else goes.
 */
static int64_t
add_visits(struct feed *f, int64_t time_s, int buckets, struct random *dice)
{
	char host[16];

	for (int b = 0; b < buckets; b++, time_s += SPAN) {
		for (int u = 0; u < PEOPLE; u++) {
			for (int i = 0; i < 3; i++) {
				snprintf(host, sizeof(host), "host-%d",
				    (int)(6 * random_uniform(dice)));
				add_visit(f, time_s, u, host, 1 + i);
			}
			snprintf(host, sizeof(host), "own-%d", u);
			if (u < 5 && random_uniform(dice) < 0.5)
				add_visit(f, time_s, u, host, 1);
		}
	}
	return time_s;
}

/* The last record of a person; NULL: none. */
static const struct feed_record *
of_user(const struct feed *f, const char *user)
{
	for (size_t i = f->nrecords; i > 0; i--) {
		if (strcmp(f->record[i - 1].over, user) == 0)
			return &f->record[i - 1];
	}
	return NULL;
}

Test(rare, whoever_goes_where_nobody_goes_is_told)
{
	struct random dice = random_seed(10);
	const struct feed_record *r;
	struct feed f;
	int64_t now_s;

	feed_init(&f, SPAN, rare_over, NULL);
	feed_start(&f);
	now_s = add_visits(&f, T0, 250, &dice);
	cr_assert_eq(feed_advance(&f, now_s), 0);
	for (size_t i = 0; i < f.nrecords; i++)
		cr_expect_lt(f.record[i].r.record_score, 30, "%s %g",
		    f.record[i].over, f.record[i].r.record_score);
	f.nrecords = 0;
	add_visit(&f, now_s, 17, "vault", 1);
	now_s = add_visits(&f, now_s, 1, &dice);
	cr_assert_eq(feed_advance(&f, now_s), 0);
	r = of_user(&f, "user-17");
	if (r == NULL)
		abort();
	cr_expect_gt(r->r.record_score, 50, "%g", r->r.record_score);
	cr_expect_str_eq(r->r.function_description, "rare");
	cr_expect_null(r->r.by_field_value.p);
	cr_expect_eq(r->r.nvalues, 0, "causes have them");
	feed_clear(&f);
}

/* The score of user-9 who goes to so many places of others, n times each. */
static double
score_of_visits(const struct feed_detector *d, int places, int n)
{
	struct random dice = random_seed(11);
	struct feed f;
	int64_t now_s;
	char host[16];
	const struct feed_record *r;
	double score;

	feed_init(&f, SPAN, d, NULL);
	feed_start(&f);
	now_s = add_visits(&f, T0, 250, &dice);
	for (int i = 0; i < places; i++) {
		snprintf(host, sizeof(host), "own-%d", i);
		add_visit(&f, now_s, 9, host, n);
	}
	now_s = add_visits(&f, now_s, 1, &dice);
	cr_assert_eq(feed_advance(&f, now_s), 0);
	r = of_user(&f, "user-9");
	score = r == NULL ? 0 : r->r.record_score;
	feed_clear(&f);
	return score;
}

Test(rare, several_rare_things_are_rarer_than_one)
{
	double one = score_of_visits(rare_over, 1, 1);
	double five = score_of_visits(rare_over, 5, 1);

	cr_expect_gt(five, one + 5, "%g %g", one, five);
	cr_expect_eq(score_of_visits(rare_over, 1, 40), one);
}

Test(rare, freq_rare_counts_how_often)
{
	double once = score_of_visits(freq_rare_over, 1, 1);
	double often = score_of_visits(freq_rare_over, 1, 40);

	cr_expect_gt(often, once + 5, "%g %g", once, often);
}

/* With people who come and are forgotten, and restarts meanwhile. */
Test(rare, people_go_on_from_a_snapshot_to_the_last_bit)
{
	struct feed f[2];

	for (int i = 0; i < 2; i++) {
		struct random dice = random_seed(12);
		int64_t now_s = T0;
		char host[16];

		feed_init(&f[i], SPAN, freq_rare_over, NULL);
		f[i].conf.model_prune_window_s = 40 * SPAN;
		feed_start(&f[i]);
		for (int b = 0; b < 150; b++) {
			snprintf(host, sizeof(host), "new-%d", b / 20);
			add_visit(&f[i], now_s, 100 + b, "host-1", 1);
			if (i == 1)
				feed_restart(&f[i]);
			if (b % 20 == 19)
				add_visit(&f[i], now_s, b % PEOPLE, host, 3);
			now_s = add_visits(&f[i], now_s, 1, &dice);
		}
		cr_assert_eq(feed_advance(&f[i], now_s), 0);
	}
	cr_assert_gt(f[0].nrecords, 2);
	cr_assert_eq(f[0].nrecords, f[1].nrecords);
	for (size_t i = 0; i < f[0].nrecords; i++) {
		cr_expect_str_eq(f[0].record[i].over, f[1].record[i].over);
		cr_expect_eq(
		    f[0].record[i].r.probability, f[1].record[i].r.probability);
		cr_expect_eq(f[0].record[i].r.record_score,
		    f[1].record[i].r.record_score);
	}
	feed_clear(&f[0]);
	feed_clear(&f[1]);
}

/* Thousands of values, of which the last ones find no memory. */
Test(rare, a_refused_value_is_told_of_and_makes_others_less_rare)
{
	struct random dice = random_seed(9);
	struct model_size size;
	struct feed f;
	int64_t now_s;
	char host[32];

	feed_init(&f, SPAN, rare_host, NULL);
	f.conf.model_memory_limit_mb = 1;
	feed_start(&f);
	now_s = add_usual(&f, T0, 100, &dice);
	for (int i = 0; i < 20000; i++) {
		snprintf(host, sizeof(host), "flood-%d", i);
		add_host(&f, now_s, host, 1);
	}
	engine_size(f.engine, &size);
	cr_expect_eq(size.memory_status, MEMORY_HARD_LIMIT);
	cr_expect_eq(size.bucket_allocation_failures_count, 1);
	cr_expect_gt(size.total_by_field_count, 2000);
	cr_expect_lt(size.total_by_field_count, 20000);
	cr_expect_leq(size.model_bytes, 1024 * 1024);
	now_s = add_usual(&f, now_s + SPAN, 50, &dice);
	f.nrecords = 0;
	add_host(&f, now_s, "flood-19999", 1);
	now_s = add_usual(&f, now_s, 2, &dice);
	cr_assert_eq(feed_advance(&f, now_s), 0);
	cr_expect_eq(records_of(&f, "flood-19999"), 0, "not known to be rare");
	engine_size(f.engine, &size);
	cr_expect_eq(size.bucket_allocation_failures_count, 2);
	feed_clear(&f);
}
