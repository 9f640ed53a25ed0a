/*
 * People by their times and places: who is told, what is usual for one of
 * them, and that nothing depends on how records come.
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

#define HOUR 3600
#define DAY 86400
#define BEGIN_S 1519603200 /* midnight of a Monday */
#define SLOTS 144
#define PEOPLE 60

static const struct feed_detector day_over_user[] = {
	{ .function = "time_of_day", .over = "user" }, { .function = NULL }
};
static const struct feed_detector week_over_user[] = {
	{ .function = "time_of_week", .over = "user" }, { .function = NULL }
};
static const struct feed_detector place_over_user[] = {
	{ .function = "lat_long", .field = "where", .over = "user" },
	{ .function = NULL }
};
static const char *const user_influences[] = { "user", NULL };

static void
add_event(struct feed *f, int64_t time_s, int who)
{
	char user[24];

	snprintf(user, sizeof(user), "user-%d", who);
	feed_set(f, "user", user);
	cr_assert_eq(feed_add(f, time_s), 0);
}

static void
add_place(struct feed *f, int64_t time_s, int who, double lat, double lon)
{
	char where[48];

	if (lon > 180)
		lon -= 360;
	if (lon < -180)
		lon += 360;
	snprintf(where, sizeof(where), "%.4f,%.4f", lat, lon);
	feed_set(f, "where", where);
	add_event(f, time_s, who);
}

/* An hour of people who work by day, now and then late. */
static void
office_hour(struct feed *f, struct random *r, int64_t time_s, int people)
{
	int hour = (int)(time_s % DAY / HOUR);
	double busy = 0;

	if (hour >= 8 && hour < 18)
		busy = 0.6;
	else if (hour >= 6 && hour < 22)
		busy = 0.02;
	for (int i = 0; i < people; i++) {
		if (random_uniform(r) < busy)
			add_event(
			    f, time_s + (int64_t)(random_uniform(r) * HOUR), i);
	}
}

static int64_t
office_days(struct feed *f, struct random *r, int64_t at, int days, int people)
{
	for (int64_t end = at + days * DAY; at < end; at += HOUR) {
		cr_assert_eq(feed_advance(f, at), 0);
		office_hour(f, r, at, people);
	}
	return at;
}

static size_t
records_scoring(const struct feed *f, double least)
{
	size_t n = 0;

	for (size_t i = 0; i < f->nrecords; i++)
		n += f->record[i].r.record_score >= least;
	return n;
}

static void
start(struct feed *f, const struct feed_detector *d)
{
	feed_init(f, HOUR, d, user_influences);
	feed_start(f);
}

Test(whereabouts, who_comes_when_nobody_does_is_named)
{
	struct random r = random_seed(3);
	const struct record_result *top;
	struct feed f;
	int64_t at;

	start(&f, day_over_user);
	at = office_days(&f, &r, BEGIN_S, 20, 60);
	cr_expect_eq(records_scoring(&f, 50), 0);
	cr_assert_eq(feed_advance(&f, at + 4 * HOUR), 0);
	add_event(&f, at + 4 * HOUR + 600, 17);
	cr_assert_eq(feed_advance(&f, at + 6 * HOUR), 0);
	cr_expect_eq(records_scoring(&f, 50), 1);
	top = &feed_top_record(&f)->r;
	cr_expect_str_eq(feed_top_record(&f)->over, "user-17");
	cr_expect_str_eq(feed_top_record(&f)->influencer[0], "user-17");
	cr_expect_eq(top->timestamp_ms, (at + 4 * HOUR) * 1000);
	cr_expect_gt(top->record_score, 60);
	cr_expect_eq(top->multi_bucket_impact, -5);
	cr_expect_str_eq(top->function_description, "time");
	cr_expect_eq(top->nvalues, 0);
	cr_assert_eq(top->ncauses, 1);
	cr_expect_eq(top->cause[0].nvalues, 1);
	cr_expect_eq(top->cause[0].actual[0], 4 * HOUR + 600);
	cr_expect_geq(top->cause[0].typical[0], 6 * HOUR);
	cr_expect_leq(top->cause[0].typical[0], 18 * HOUR);
	cr_expect_eq(top->why.has, EXPLAINED_SINGLE);
	cr_expect_eq((double)top->why.single_bucket_impact,
	    round(-log10(top->cause[0].probability)));
	feed_clear(&f);
}

/* 60 days of three offices: none of about 250,000 visits is told. */
Test(whereabouts, is_quiet_where_nothing_is_odd)
{
	static const int people[] = { 20, 140, 400 };

	for (size_t i = 0; i < NELEM(people); i++) {
		struct random r = random_seed(30 + i);
		struct feed f;

		start(&f, i == 1 ? week_over_user : day_over_user);
		(void)office_days(&f, &r, BEGIN_S, 60, people[i]);
		cr_expect_eq(records_scoring(&f, 50), 0, "%d", people[i]);
		feed_clear(&f);
	}
}

/* A day of the office and of one who works until six in the morning. */
static int64_t
day_and_night(struct feed *f, struct random *r, int64_t at)
{
	for (int64_t end = at + DAY; at < end; at += HOUR) {
		cr_assert_eq(feed_advance(f, at), 0);
		office_hour(f, r, at, 50);
		if (at % DAY / HOUR < 6)
			add_event(f, at + 900, 7);
	}
	cr_assert_eq(feed_advance(f, at), 0);
	return at;
}

/* Told in the first night, and not for ever. */
Test(whereabouts, who_works_by_night_is_told_once)
{
	struct random r = random_seed(4);
	struct feed f;
	int64_t at;

	start(&f, day_over_user);
	at = office_days(&f, &r, BEGIN_S, 30, 50);
	cr_assert_eq(feed_advance(&f, at), 0);
	f.nrecords = 0;
	at = day_and_night(&f, &r, at);
	cr_expect_geq(records_scoring(&f, 60), 1);
	cr_expect_leq(records_scoring(&f, 50), 4);
	f.nrecords = 0;
	for (int night = 0; night < 20; night++)
		at = day_and_night(&f, &r, at);
	cr_expect_eq(records_scoring(&f, 25), 0);
	f.nrecords = 0;
	/* another one is as odd as he was, but for him */
	cr_assert_eq(feed_advance(&f, at + 3 * HOUR), 0);
	add_event(&f, at + 3 * HOUR, 8);
	add_event(&f, at + 3 * HOUR, 7);
	cr_assert_eq(feed_advance(&f, at + 5 * HOUR), 0);
	for (size_t i = 0; i < f.nrecords; i++)
		cr_expect_str_neq(f.record[i].over, "user-7");
	feed_clear(&f);
}

/* Europe, in towns of which there are more than places are known. */
static void
europe_hour(struct feed *f, struct random *r, int64_t at, int people)
{
	for (int i = 0; i < people; i++) {
		if (random_uniform(r) < 0.2)
			add_place(f, at + (int64_t)(random_uniform(r) * HOUR),
			    i, 40 + i * 7 % 18 + 0.1 * random_normal(r),
			    -5 + i % 40 * 11 % 30 + 0.1 * random_normal(r));
	}
}

Test(whereabouts, somebody_on_the_other_side_of_the_globe_is_named)
{
	struct random r = random_seed(5);
	const struct record_result *top;
	int64_t at = BEGIN_S;
	struct feed f;

	start(&f, place_over_user);
	for (; at < BEGIN_S + 300 * HOUR; at += HOUR) {
		cr_assert_eq(feed_advance(&f, at), 0);
		europe_hour(&f, &r, at, 150);
	}
	cr_assert_eq(feed_advance(&f, at), 0);
	cr_expect_eq(records_scoring(&f, 50), 0);
	europe_hour(&f, &r, at, 150);
	add_place(&f, at + 30, 3, -33.87, 151.21);
	/* his usual place in the same hour does not hide it */
	add_place(&f, at + 60, 3, 40 + 3 * 7 % 18, -5 + 3 * 11 % 30);
	cr_assert_eq(feed_advance(&f, at + HOUR), 0);
	cr_expect_eq(records_scoring(&f, 50), 1);
	cr_expect_str_eq(feed_top_record(&f)->over, "user-3");
	top = &feed_top_record(&f)->r;
	cr_expect_str_eq(top->function_description, "lat_long");
	cr_expect_str_eq(top->field_name, "where");
	cr_expect_eq(top->nvalues, 0);
	cr_assert_eq(top->ncauses, 1);
	cr_assert_eq(top->cause[0].nvalues, 2);
	cr_expect_float_eq(top->cause[0].actual[0], -33.87, 1e-9);
	cr_expect_float_eq(top->cause[0].actual[1], 151.21, 1e-9);
	cr_expect_gt(top->cause[0].typical[0], 35);
	cr_expect_lt(top->cause[0].typical[0], 62);
	cr_expect_gt(top->cause[0].typical[1], -10);
	cr_expect_lt(top->cause[0].typical[1], 30);
	/* an office there is usual for him, and for him alone */
	for (int n = 0; n < 20; n++) {
		at += HOUR;
		f.nrecords = 0;
		europe_hour(&f, &r, at, 150);
		add_place(&f, at + 30, 3, -33.87, 151.21);
		cr_assert_eq(feed_advance(&f, at + HOUR), 0);
	}
	cr_expect_eq(records_scoring(&f, 25), 0);
	feed_clear(&f);
}

/* Fiji: a degree this side and that of the 180th meridian is one town. */
Test(whereabouts, degrees_turn_at_the_antimeridian)
{
	struct random r = random_seed(6);
	int64_t at = BEGIN_S;
	struct feed f;

	start(&f, place_over_user);
	for (; at < BEGIN_S + 200 * HOUR; at += HOUR) {
		cr_assert_eq(feed_advance(&f, at), 0);
		for (int i = 0; i < 30; i++)
			add_place(&f, at, i, -17.8 + 0.05 * random_normal(&r),
			    (i % 2 ? 179.95 : 180.05) +
				0.05 * random_normal(&r));
	}
	cr_assert_eq(feed_advance(&f, at), 0);
	cr_expect_eq(records_scoring(&f, 25), 0);
	/* 0.05 degrees are across, and 3.6 degrees are not here */
	add_place(&f, at, 1, -17.8, -179.9);
	add_place(&f, at, 2, -17.8, 176.4);
	cr_assert_eq(feed_advance(&f, at + HOUR), 0);
	cr_expect_eq(records_scoring(&f, 50), 1);
	cr_expect_str_eq(feed_top_record(&f)->over, "user-2");
	cr_expect_float_eq(
	    fabs(feed_top_record(&f)->r.cause[0].typical[1]), 180, 0.1);
	feed_clear(&f);
}

/* What is odd stays odd, whatever may still come, and is learnt but once. */
Test(whereabouts, an_open_bucket_is_told_and_teaches_nothing)
{
	struct random r = random_seed(9), same = random_seed(9);
	struct feed f, plain;
	int64_t at;

	start(&f, day_over_user);
	start(&plain, day_over_user);
	at = office_days(&f, &r, BEGIN_S, 15, 40);
	(void)office_days(&plain, &same, BEGIN_S, 15, 40);
	f.nrecords = plain.nrecords = 0;
	cr_assert_eq(feed_advance(&f, at + 3 * HOUR), 0);
	cr_assert_eq(feed_advance(&plain, at + 3 * HOUR), 0);
	add_event(&f, at + 3 * HOUR, 9);
	add_event(&plain, at + 3 * HOUR, 9);
	for (int n = 0; n < 3; n++)
		cr_assert_eq(feed_interim(&f, TIME_UNSET, TIME_UNSET), 0);
	cr_assert_eq(f.nrecords, 1);
	cr_expect(f.record[0].r.is_interim);
	cr_expect_gt(f.record[0].r.record_score, 50);
	cr_expect_eq(f.record[0].r.cause[0].actual[0], 3 * HOUR);
	cr_assert_eq(feed_advance(&f, at + 5 * HOUR), 0);
	cr_assert_eq(feed_advance(&plain, at + 5 * HOUR), 0);
	cr_assert_eq(f.nrecords, 1);
	cr_assert_eq(plain.nrecords, 1);
	cr_expect_not(f.record[0].r.is_interim);
	cr_expect_eq(f.record[0].r.probability, plain.record[0].r.probability);
	feed_clear(&f);
	feed_clear(&plain);
}

/*
 * The same reckoned slowly: a ring of doubles, each event's kernel put on it by
 * itself, sums over all of it for each question. Tails and haunts are those of
 * the engine, which have tests of their own.
 */
struct slow {
	double mass[SLOTS];
	double days;
	int64_t today; /* of the ring */
	struct tail tail;
	struct haunts own[PEOPLE];
	int64_t last_s[PEOPLE];
	int64_t tail_s;
};

/* One person's slots in a bucket. */
struct visit {
	int who;
	int n;
	uint32_t slot[6];
};

static double
slow_u(const struct slow *s, uint32_t slot)
{
	double below = 0, all = 0;

	for (int i = 0; i < SLOTS; i++) {
		all += s->mass[i];
		below +=
		    s->mass[i] <= s->mass[slot] * (1 + 1e-5) ? s->mass[i] : 0;
	}
	return fmax(0, -log(below / all));
}

static void
slow_learn(struct slow *s, const struct visit *v, int n, int64_t at)
{
	double sum = 0, squares = 0, h;

	if (s->days == 0 || at / DAY > s->today) {
		double keep =
		    s->days > 0 ? exp(-(double)(at / DAY - s->today) / 28) : 0;

		for (int i = 0; i < SLOTS; i++)
			s->mass[i] *= keep;
		s->days = s->days * keep + 1;
		s->today = at / DAY;
	}
	for (int i = 0; i < SLOTS; i++) {
		sum += s->mass[i];
		squares += s->mass[i] * s->mass[i];
	}
	h = squares > 0 ? fmax(1, sqrt(sum * sum / squares) / 2) : 1;
	for (int k = 0; k < n; k++) {
		for (int j = 0; j < v[k].n; j++) {
			for (int i = 0; i < SLOTS; i++) {
				int d = abs(i - (int)v[k].slot[j]);
				double z = fmin(d, SLOTS - d) / h;

				s->mass[i] += pow(1 + z * z, -4);
			}
		}
	}
}

/* ln p of one person by himself; learns of him. */
static double
slow_person(struct slow *s, const struct tail *before, const struct visit *v,
    double nats, double keep, int64_t at)
{
	struct haunts *own = &s->own[v->who];
	double most = 0, raw = 0, ln_p;
	float row = own->row;
	uint32_t seen = 0;

	haunts_forget(
	    own, pow(keep, (double)((at - s->last_s[v->who]) / HOUR)));
	s->last_s[v->who] = at;
	for (int j = 0; j < v->n; j++) {
		struct group g = { v->slot[j], 1, { 600.0 * v->slot[j] } };
		double u = slow_u(s, v->slot[j]);

		raw = fmax(raw, u);
		most = fmax(most,
		    u / (1 + haunts_weight(own, SPECIAL_TIME_OF_DAY, &g)));
	}
	most = fmin(fmax(0, most - log(v->n)), 2 * nats);
	ln_p = fmax(-nats, tail_ln_p(before, most));
	s->tail.row = row;
	tail_learn(&s->tail, most, ln_p);
	own->row = s->tail.row;
	for (int j = 0; j < v->n; j++) {
		struct group g = { v->slot[j], 1, { 600.0 * v->slot[j] } };

		if (fmin(raw, nats) >= TAIL_U0 &&
		    slow_u(s, v->slot[j]) >= TAIL_U0)
			haunts_learn(own, SPECIAL_TIME_OF_DAY, &g, &seen);
	}
	return ln_p;
}

/* The least of the bucket, as of one among so many. 0: nothing is known. */
static double
slow_bucket(
    struct slow *s, const struct visit *v, int n, int64_t at, double keep)
{
	double nats = s->days / 2.5 * log1p(s->days), least = 0;
	struct tail before;

	tail_forget(&s->tail, pow(keep, (double)((at - s->tail_s) / HOUR)));
	s->tail_s = at;
	before = s->tail;
	for (int k = 0; k < n && nats > 0; k++)
		least =
		    fmin(least, slow_person(s, &before, &v[k], nats, keep, at));
	slow_learn(s, v, n, at);
	return least == 0 ? 0 : log(-expm1(n * log1p(-exp(least))));
}

/* Whole slots, so that their middles are the same. */
static int
make_visits(struct random *r, int64_t at, struct visit *v)
{
	int hour = (int)(at % DAY / HOUR), n = 0;
	double busy = hour >= 8 && hour < 17 ? 0.5 : 0.01;

	for (int who = 0; who < PEOPLE; who++) {
		if (random_uniform(r) >= busy)
			continue;
		v[n] = (struct visit){ .who = who };
		for (uint32_t slot = 0; slot < 6; slot++) {
			if (random_uniform(r) < 0.3 || (slot == 5 && !v[n].n))
				v[n].slot[v[n].n++] = (uint32_t)hour * 6 + slot;
		}
		n++;
	}
	return n;
}

/* The least probability of a record of the bucket before; 1: there is none. */
static double
told_before(const struct feed *f, int64_t at)
{
	double p = 1;

	for (size_t i = 0; i < f->nrecords; i++) {
		if (f->record[i].r.timestamp_ms == (at - HOUR) * 1000)
			p = fmin(p, f->record[i].r.probability);
	}
	return p;
}

Test(whereabouts, agrees_with_what_is_reckoned_slowly)
{
	static struct slow slow; /* large */
	struct random r = random_seed(14);
	struct visit v[PEOPLE];
	double expected = 0;
	size_t compared = 0;
	struct feed f;

	start(&f, day_over_user);
	for (int64_t at = BEGIN_S; at < BEGIN_S + 40 * DAY; at += HOUR) {
		int n = make_visits(&r, at, v);
		double told;

		cr_assert_eq(feed_advance(&f, at), 0);
		told = told_before(&f, at);
		if (expected < log(0.034)) {
			cr_expect_float_eq(
			    log(told), expected, 0.01 * -expected);
			compared++;
		} else if (expected > log(0.036))
			cr_expect_eq(told, 1);
		for (int k = 0; k < n; k++) {
			for (int j = 0; j < v[k].n; j++)
				add_event(&f,
				    at - at % DAY + 600 * v[k].slot[j],
				    v[k].who);
		}
		expected =
		    slow_bucket(&slow, v, n, at, f.engine->judge.model.keep);
	}
	cr_expect_gt(compared, 30);
	feed_clear(&f);
}

/* Everything is a function of n. */
static const struct feed_detector everything[] = {
	{ .function = "time_of_day",
	    .by = "app",
	    .over = "user",
	    .partition = "site" },
	{ .function = "time_of_week", .over = "user" },
	{ .function = "lat_long",
	    .field = "where",
	    .by = "app",
	    .over = "user" },
	{ .function = NULL },
};

static void
add_some(struct feed *f, int n)
{
	static const char *const site[] = { "site-0", "site-1" };
	static const char *const app[] = { "app-0", "app-1", "app-2" };
	struct random r = random_seed((uint64_t)n);
	int64_t t = BEGIN_S + n * 151;
	/* a weekend of the fourth week, among others */
	bool odd = n % 2711 < 2 || n == 15563;
	bool closed = (t - BEGIN_S) / DAY % 7 >= 5 || t % DAY / HOUR < 6 ||
	    t % DAY / HOUR > 12;

	if (closed && !odd)
		return;
	feed_set(f, "site", site[n % 2]);
	feed_set(f, "app", app[n % 3]);
	cr_assert_eq(feed_advance(f, t), 0);
	add_place(f, t - (int64_t)(random_uniform(&r) * HOUR),
	    (n + n / 3000) % 40, odd ? -30 : 50 + random_normal(&r),
	    odd ? 170 : 8 + random_normal(&r));
}

static void
expect_same_record(const struct feed_record *a, const struct feed_record *b)
{
	cr_assert_eq(a->r.timestamp_ms, b->r.timestamp_ms);
	cr_assert_eq(a->r.detector_index, b->r.detector_index);
	cr_assert_eq(a->r.probability, b->r.probability);
	cr_assert_eq(a->r.record_score, b->r.record_score);
	cr_assert_str_eq(a->over, b->over);
	cr_assert_str_eq(a->partition, b->partition);
	cr_assert_str_eq(a->influencer[0], b->influencer[0]);
	cr_assert_eq(a->r.ncauses, b->r.ncauses);
	for (size_t i = 0; i < a->r.ncauses; i++) {
		const struct record_cause *x = &a->r.cause[i];
		const struct record_cause *y = &b->r.cause[i];

		cr_assert_eq(x->probability, y->probability);
		for (size_t k = 0; k < x->nvalues; k++) {
			cr_assert_eq(x->actual[k], y->actual[k]);
			cr_assert_eq(x->typical[k], y->typical[k]);
		}
	}
}

Test(whereabouts, a_restart_at_any_moment_changes_no_bit)
{
	struct model_size a = { .log_time = 0 }, b = { .log_time = 0 };
	struct feed whole, cut;
	bool told[3] = { false };

	feed_init(&whole, HOUR, everything, user_influences);
	feed_init(&cut, HOUR, everything, user_influences);
	whole.conf.latency_s = cut.conf.latency_s = HOUR;
	whole.conf.model_prune_window_s = cut.conf.model_prune_window_s =
	    3 * DAY;
	feed_start(&whole);
	feed_start(&cut);
	for (int i = 0; i < 17000; i++) {
		add_some(&whole, i);
		add_some(&cut, i);
		if (i % 97 == 0)
			feed_restart(&cut);
	}
	cr_assert_eq(whole.nrecords, cut.nrecords);
	for (size_t i = 0; i < whole.nrecords; i++) {
		expect_same_record(&whole.record[i], &cut.record[i]);
		told[whole.record[i].r.detector_index] |=
		    whole.record[i].r.record_score > 50;
	}
	for (size_t i = 0; i < NELEM(told); i++)
		cr_expect(told[i], "detector %zu says nothing", i);
	engine_size(whole.engine, &a);
	engine_size(cut.engine, &b);
	cr_expect_eq(a.model_bytes, b.model_bytes);
	cr_expect_gt(a.total_over_field_count, 80);
	cr_expect_eq(a.total_over_field_count, b.total_over_field_count);
	feed_clear(&whole);
	feed_clear(&cut);
}
