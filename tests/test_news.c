/*
 * What is told of a series that has another level: each shift once, and as
 * large as it was; nothing of one that wanders.
 */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tests/deaf.h"
#include "tests/engine_cases.h"
#include "tests/random.h"
#include "worker/news.h"

#define BUCKETS 2600
#define CHANGE 1300
#define SEEDS 8
#define NOTES_MOST 32

struct told {
	char text[NOTES_MOST][NEWS_TEXT_BYTES];
	int bucket[NOTES_MOST];
	size_t n;
};

struct source {
	struct random r;
	double last;
	double p; /* what the series takes it for */
};

typedef double next_value(struct source *, int bucket);

static int
take_annotation(void *arg, const struct annotation_result *r)
{
	struct told *t = arg;

	cr_assert_lt(t->n, NOTES_MOST, "%s", r->text);
	t->bucket[t->n] = (int)((r->timestamp_ms / 1000 - T0) / SPAN);
	strlcpy(t->text[t->n++], r->text, NEWS_TEXT_BYTES);
	return 0;
}

/* With the state that the engine has, or (NULL) none. */
static void
start(struct feed *f, struct told *t, struct snapshot_writer *state)
{
	struct result_sink sink = { .record = deaf_record,
		.bucket = deaf_bucket,
		.drop_interim = deaf_drop,
		.annotation = take_annotation,
		.arg = t };
	struct snapshot_reader *r;
	const uint8_t *data;
	size_t len;

	engine_free(f->engine);
	f->engine = engine_new(&f->conf, &sink);
	cr_assert_not_null(f->engine);
	if (state == NULL)
		return;
	cr_assert_eq(snapshot_memory(state, &data, &len), 0);
	r = snapshot_reader_memory(data, len);
	cr_assert_not_null(r);
	cr_assert_eq(engine_load(f->engine, r), 0);
	snapshot_reader_free(r);
	snapshot_writer_free(state);
}

static void
restart(struct feed *f, struct told *t)
{
	struct snapshot_writer *w = snapshot_writer_memory();

	cr_assert_eq(engine_save(f->engine, w), 0);
	start(f, t, w);
}

/* restart_at: before that bucket; -1: never */
static void
live(struct told *t, next_value *next, double p, uint64_t seed, int restart_at)
{
	struct source s = { random_seed(seed), 0, p };
	char text[40];
	struct feed f;

	memset(t, 0, sizeof(*t));
	feed_init(&f, SPAN, mean_v, NULL);
	f.conf.plot.annotations = true;
	feed_start(&f);
	start(&f, t, NULL);
	for (int i = 0; i < BUCKETS; i++) {
		if (i == restart_at)
			restart(&f, t);
		snprintf(text, sizeof(text), "%.9g", next(&s, i));
		feed_set(&f, "v", text);
		cr_assert_eq(feed_add(&f, T0 + (int64_t)i * SPAN), 0);
	}
	feed_clear(&f);
}

/* Of a text that is a level shift; NAN: it is another. */
static double
shift_of(const char *text)
{
	double by;

	return sscanf(text, "Detected level shift by %lf", &by) == 1 ? by : NAN;
}

static double
step(struct source *s, int i)
{
	return 1000 + (i >= CHANGE ? s->p : 0) + random_normal(&s->r);
}

/* One each, and on average within 5 % of what it was. */
static void
expect_steps(next_value *next, double by)
{
	static struct told t;
	double off = 0;

	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		double shift;

		live(&t, next, by, seed, -1);
		cr_assert_eq(t.n, 1, "%zu by %g", t.n, by);
		shift = shift_of(t.text[0]);
		cr_expect_lt(fabs(shift / by - 1), 0.1, "%g by %g", shift, by);
		cr_expect_leq(t.bucket[0], CHANGE + 90);
		off += fabs(shift / by - 1) / SEEDS;
	}
	cr_expect_lt(off, 0.05, "%g by %g", off, by);
}

Test(news, a_step_is_told_once_and_as_large_as_it_is)
{
	static const double sizes[] = { 6, -7, 10, -30, 300 };

	for (size_t i = 0; i < NELEM(sizes); i++)
		expect_steps(step, sizes[i]);
}

Test(news, less_than_four_scales_is_learnt_without_a_word)
{
	static struct told t;

	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		live(&t, step, 3, seed, -1);
		cr_expect_eq(t.n, 0, "%s", t.text[0]);
	}
}

/* All values 0 for a while, which changes the scale of the model, too. */
static double
outage(struct source *s, int i)
{
	return i >= CHANGE && i < CHANGE + (int)s->p
	    ? 0
	    : 1000 + random_normal(&s->r);
}

Test(news, a_long_outage_is_told_and_its_end)
{
	static struct told t;

	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		live(&t, outage, 300, seed, -1);
		cr_assert_eq(t.n, 2, "%zu", t.n);
		cr_expect_float_eq(shift_of(t.text[0]), -1000, 50);
		cr_expect_float_eq(shift_of(t.text[1]), 1000, 50);
		live(&t, outage, 40, seed, -1);
		cr_expect_eq(t.n, 0, "%s", t.text[0]);
	}
}

/* It stays where it was by so much of the way. */
static double
wander(struct source *s, int i)
{
	(void)i;
	s->last = s->p * s->last + random_normal(&s->r);
	return 1000 + s->last;
}

Test(news, what_wanders_is_seldom_told_to_shift)
{
	static const double keeps[] = { 1, 0.99, 0.9 };
	size_t n = 0;

	for (size_t k = 0; k < NELEM(keeps); k++) {
		for (uint64_t seed = 1; seed <= SEEDS; seed++) {
			static struct told t;

			live(&t, wander, keeps[k], seed, -1);
			n += t.n;
		}
	}
	/* in 62,400 buckets */
	cr_expect_leq(n, 12, "%zu", n);
}

/* Bounded, but the last value says most of the next. */
static double
swinging(struct source *s, int i)
{
	s->last = 0.9 * s->last + random_normal(&s->r);
	return 1000 + s->last + (i >= CHANGE ? s->p : 0);
}

Test(news, a_large_step_is_told_of_any_series)
{
	expect_steps(swinging, 50);
}

/* It rises for so long, or on and on. */
static double
ramp(struct source *s, int i)
{
	int since = i < CHANGE ? 0 : i - CHANGE;

	return 1000 + 0.1 * fmin(since, s->p) + random_normal(&s->r);
}

static void
expect_ramps(double length)
{
	static struct told t;

	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		live(&t, ramp, length, seed, -1);
		cr_assert_eq(t.n, 2, "%zu", t.n);
		cr_expect_gt(shift_of(t.text[0]), 5);
		cr_expect_str_eq(t.text[1], "Detected trend");
	}
}

Test(news, a_slope_is_told_when_it_goes_on)
{
	expect_ramps(BUCKETS);
}

Test(news, the_end_of_a_slope_is_no_level)
{
	expect_ramps(300);
}

Test(news, a_restart_in_the_middle_changes_nothing)
{
	static struct told whole, torn;

	live(&whole, step, 10, 1, -1);
	for (int at = CHANGE - 1; at < CHANGE + 80; at += 9) {
		live(&torn, step, 10, 1, at);
		cr_assert_eq(torn.n, whole.n, "%d", at);
		cr_expect_str_eq(torn.text[0], whole.text[0], "%d", at);
		cr_expect_eq(torn.bucket[0], whole.bucket[0], "%d", at);
	}
}
