/* How rare values are, against the formula worked out value by value. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "tests/random.h"
#include "worker/rarity.h"

#define SPAN 600
#define MEMORY 500.0
#define MOST 4000

/* A value, as the owner of a struct rarity keeps it. */
struct kept {
	bool known;
	double weight;
	int64_t last_s;
};

static struct kept kept[MOST];

static double
weight_at(const struct kept *k, int64_t now_s)
{
	return k->weight * exp(-(double)(now_s - k->last_s) / SPAN / MEMORY);
}

/* What is asked of rarity.c, one value after the other. */
static double
slow_share(const struct rarity_clock *c, double limit, bool by_class,
    int64_t now_s, const struct kept *x)
{
	double total = 1, part, sum;
	int n = 0;

	for (int i = 0; i < MOST; i++) {
		if (!kept[i].known)
			continue;
		n++;
		total += weight_at(&kept[i], now_s);
	}
	part = 1 / ((double)n + 1);
	sum = part;
	for (int i = 0; i < MOST && x != NULL; i++) {
		bool counts = weight_at(&kept[i], now_s) <= limit;

		if (!kept[i].known)
			continue;
		if (by_class)
			counts =
			    rarity_class(c, kept[i].weight, kept[i].last_s) <=
			    rarity_class(c, x->weight, x->last_s);
		if (counts)
			sum += weight_at(&kept[i], now_s) + part;
	}
	return log(fmin(sum / total, 1));
}

static void
see(struct rarity *r, const struct rarity_clock *c, struct kept *k,
    int64_t now_s)
{
	double weight = k->known ? weight_at(k, now_s) : 0;

	if (k->known)
		rarity_remove(r, rarity_class(c, k->weight, k->last_s));
	*k = (struct kept){ true, weight + 1, now_s };
	rarity_add(r, rarity_class(c, k->weight, k->last_s));
}

static void
forget(struct rarity *r, const struct rarity_clock *c, struct kept *k)
{
	if (k->known)
		rarity_remove(r, rarity_class(c, k->weight, k->last_s));
	k->known = false;
}

static void
pass(struct rarity *r, const struct rarity_clock *c, int64_t now_s)
{
	rarity_begin(r, c, now_s);
	rarity_note(r, 1, -1);
	rarity_learn(r, c, now_s);
}

static void
expect_shares(struct rarity *r, const struct rarity_clock *c, int64_t now_s)
{
	rarity_begin(r, c, now_s);
	cr_expect_float_eq(rarity_ln_share(r, RARITY_NEW),
	    slow_share(c, 0, false, now_s, NULL), 0.07);
	for (int i = 0; i < MOST; i += 37) {
		const struct kept *k = &kept[i];
		double w = weight_at(k, now_s), ln_p, below, above;

		if (!k->known)
			continue;
		ln_p =
		    rarity_ln_share(r, rarity_class(c, k->weight, k->last_s));
		/* a class is an eighth of an octave, and stands at its middle
		 */
		below = slow_share(c, w * exp2(-0.125), false, now_s, k);
		above = slow_share(c, w * exp2(0.125), false, now_s, k);
		cr_expect_float_eq(
		    ln_p, slow_share(c, 0, true, now_s, k), 0.09);
		cr_expect_geq(ln_p, below - 0.09);
		cr_expect_leq(ln_p, above + 0.09);
	}
}

/* Values by Zipf's law, of which some are forgotten; long silences. */
Test(rarity, shares_are_those_of_the_formula)
{
	struct rarity r = { .n = 0 };
	struct rarity_clock c;
	struct random dice = random_seed(1);
	int64_t now_s = 1454020200 / SPAN * SPAN;

	memset(kept, 0, sizeof(kept));
	rarity_clock_init(&c, SPAN, MEMORY, true);
	for (int b = 0; b < 3000; b++) {
		for (int i = 0; i < 40; i++) {
			double u = random_uniform(&dice);
			size_t at = (size_t)pow(MOST, u) - 1;

			see(&r, &c, &kept[at], now_s);
		}
		forget(&r, &c, &kept[b % MOST]);
		pass(&r, &c, now_s);
		now_s += b % 700 == 699 ? 900 * SPAN : SPAN;
		if (b % 300 == 100)
			expect_shares(&r, &c, now_s);
	}
	expect_shares(&r, &c, now_s);
	/* so long ago that no class is left to tell them apart */
	now_s += 40 * (int64_t)MEMORY * SPAN;
	see(&r, &c, &kept[5], now_s);
	rarity_begin(&r, &c, now_s);
	cr_expect_float_eq(
	    rarity_ln_share(&r, rarity_class(&c, kept[5].weight, now_s)), 0,
	    1e-9);
	for (int i = 0; i < MOST; i++)
		forget(&r, &c, &kept[i]);
	cr_expect_eq(r.n, 0);
	for (size_t i = 0; i < RARITY_CLASSES; i++)
		cr_expect_eq(r.count[i], 0);
}

/*
 * Weights of 2, 4, 4, 8 and 64 times 2^(1/16), the middle of their classes.
 * mpmath, 30 digits: sums of (n + 1/6) / (N + 1) over what is no likelier; then
 * -ln(1 - (1 - p)^V) with V = N / 40, and
 * for what is new 1 + sqrt(40 pi) times less than that.
 */
Test(rarity, values_of_mpmath)
{
	static const struct {
		double weight;
		double ln_share;
		double surprise;
	} known[] = {
		{ 2, -3.5771069032923335, 2.8319983539917602 },
		{ 4, -2.0538593711903617, 1.3681676086562096 },
		{ 8, -1.4845790468102572, 0.86015357480914412 },
		{ 64, 0, 0 },
	};
	static const double all[] = { 2, 4, 4, 8, 64 };
	struct rarity r = { .n = 0 };
	struct rarity_clock c;
	double each;

	rarity_clock_init(&c, SPAN, 1e15, false);
	for (size_t i = 0; i < NELEM(all); i++)
		rarity_add(&r, rarity_class(&c, all[i], 0));
	for (int i = 0; i < 40; i++)
		pass(&r, &c, (int64_t)i * SPAN);
	rarity_begin(&r, &c, 39 * SPAN);
	each = r.total / 40;
	cr_expect_float_eq(r.each, each, 1e-12);
	cr_expect_float_eq(each, 2.1407612539761984, 1e-9);
	cr_expect_float_eq(
	    rarity_ln_share(&r, RARITY_NEW), -6.2534108414579159, 1e-12);
	cr_expect_float_eq(
	    rarity_surprise(&r, RARITY_NEW), 8.7556646908240361, 1e-12);
	for (size_t i = 0; i < NELEM(known); i++) {
		int64_t class = rarity_class(&c, known[i].weight, 0);

		cr_expect_float_eq(
		    rarity_ln_share(&r, class), known[i].ln_share, 1e-12);
		cr_expect_float_eq(
		    rarity_surprise(&r, class), known[i].surprise, 1e-9);
	}
}

Test(rarity, the_first_values_are_no_surprise)
{
	struct rarity r = { .n = 0 };
	struct rarity_clock c;

	rarity_clock_init(&c, SPAN, MEMORY, true);
	rarity_begin(&r, &c, 0);
	cr_expect_eq(rarity_ln_share(&r, RARITY_NEW), 0);
	cr_expect_eq(rarity_surprise(&r, RARITY_NEW), 0);
	cr_expect_eq(rarity_ln_p(&r, 100), 0);
}

/* One value in each of n buckets, then one that was never seen. */
static double
ln_p_after(int n)
{
	struct rarity r = { .n = 0 };
	struct rarity_clock c;
	struct kept k = { .known = false };

	rarity_clock_init(&c, SPAN, MEMORY, true);
	for (int i = 0; i < n; i++) {
		rarity_begin(&r, &c, (int64_t)i * SPAN);
		rarity_note(&r, 0, 0);
		see(&r, &c, &k, (int64_t)i * SPAN);
		rarity_learn(&r, &c, (int64_t)i * SPAN);
	}
	rarity_begin(&r, &c, (int64_t)n * SPAN);
	return rarity_ln_p(&r, rarity_surprise(&r, RARITY_NEW));
}

Test(rarity, about_twenty_buckets_are_learning_time)
{
	cr_expect_gt(ln_p_after(5), log(0.05));
	cr_expect_lt(ln_p_after(100), log(2e-3));
	cr_expect_lt(ln_p_after(500), ln_p_after(100));
}

Test(rarity, new_values_that_keep_coming_fall_silent)
{
	struct rarity r = { .n = 0 };
	struct rarity_clock c;
	double ln_p = 0, least = 0;

	rarity_clock_init(&c, SPAN, MEMORY, true);
	for (int i = 0; i < 300; i++) {
		int64_t now_s = (int64_t)i * SPAN;
		double u;

		rarity_begin(&r, &c, now_s);
		u = rarity_surprise(&r, RARITY_NEW);
		ln_p = rarity_ln_p(&r, u);
		least = fmin(least, ln_p);
		rarity_note(&r, u, ln_p);
		rarity_add(&r, rarity_class(&c, 1, now_s));
		rarity_learn(&r, &c, now_s);
	}
	cr_expect_gt(least, log(0.01));
	cr_expect_gt(ln_p, log(0.05));
}

Test(rarity, what_found_no_room_makes_the_unknown_likelier)
{
	struct rarity r = { .n = 0 };
	struct rarity_clock c;
	struct kept k = { .known = false };
	double before;

	rarity_clock_init(&c, SPAN, MEMORY, true);
	for (int i = 0; i < 100; i++) {
		see(&r, &c, &k, (int64_t)i * SPAN);
		pass(&r, &c, (int64_t)i * SPAN);
	}
	rarity_begin(&r, &c, 100 * SPAN);
	before = rarity_ln_share(&r, RARITY_NEW);
	for (int i = 0; i < 1000; i++)
		rarity_miss(&r, &c, 90 * SPAN);
	rarity_miss(&r, &c, 91 * SPAN);
	rarity_lose(&r, &c, 3, 80 * SPAN);
	rarity_begin(&r, &c, 100 * SPAN);
	/* two buckets and a weight of three, nearly new, of some 95 */
	cr_expect_gt(rarity_ln_share(&r, RARITY_NEW), before + log(8));
	cr_expect_float_eq(rarity_ln_share(&r, RARITY_NEW), log(5.0 / 96), 0.1);
}

Test(rarity, the_ratio_is_that_of_the_mean_weight)
{
	struct rarity r = { .n = 0 };
	struct rarity_clock c;

	rarity_clock_init(&c, SPAN, MEMORY, false);
	rarity_add(&r, rarity_class(&c, 1, 0));
	rarity_add(&r, rarity_class(&c, 99, 0));
	rarity_begin(&r, &c, 0);
	cr_expect_float_eq(rarity_ratio(&r, rarity_class(&c, 1, 0)), 38, 3);
	cr_expect_float_eq(
	    rarity_ratio(&r, rarity_class(&c, 99, 0)), 0.5, 0.03);
	cr_expect_gt(rarity_ratio(&r, RARITY_NEW), 100);
}

/* Counts are made anew from the values: the same to the last bit. */
Test(rarity, goes_on_from_a_snapshot_as_if_nothing_had_been)
{
	struct rarity r = { .n = 0 }, again = { .n = 0 };
	struct snapshot_writer *w = snapshot_writer_memory();
	struct snapshot_reader *rd;
	struct rarity_clock c;
	struct random dice = random_seed(2);
	const uint8_t *data;
	size_t len;

	memset(kept, 0, sizeof(kept));
	rarity_clock_init(&c, SPAN, MEMORY, true);
	for (int b = 0; b < 2000; b++) {
		for (int i = 0; i < 10; i++)
			see(&r, &c,
			    &kept[(size_t)pow(MOST, random_uniform(&dice)) - 1],
			    (int64_t)b * 9 * SPAN);
		pass(&r, &c, (int64_t)b * 9 * SPAN);
	}
	rarity_miss(&r, &c, 100 * SPAN);
	cr_assert_eq(snapshot_section(w, SNAPSHOT_ENGINE), 0);
	cr_assert_eq(rarity_save(&r, w), 0);
	cr_assert_eq(snapshot_memory(w, &data, &len), 0);
	rd = snapshot_reader_memory(data, len);
	cr_assert_not_null(rd);
	cr_assert_eq(snapshot_enter(rd, SNAPSHOT_ENGINE), 0);
	cr_assert_eq(rarity_load(&again, rd), 0);
	cr_assert_eq(snapshot_left(rd), 0);
	for (int i = 0; i < MOST; i++) {
		if (kept[i].known)
			rarity_add(&again,
			    rarity_class(&c, kept[i].weight, kept[i].last_s));
	}
	rarity_begin(&r, &c, 18001 * SPAN);
	rarity_begin(&again, &c, 18001 * SPAN);
	again.loudest_ln_p = r.loudest_ln_p;
	cr_expect_eq(memcmp(&r, &again, sizeof(r)), 0);
	snapshot_reader_free(rd);
	snapshot_writer_free(w);
}

/* Weights that come with a state, far heavier than any. */
Test(rarity, what_no_bucket_could_weigh_stays_a_number)
{
	struct rarity r = {
		.lowest = (int64_t)1e17, .buckets = 3, .last_s = 0
	};
	struct rarity_clock c;

	rarity_clock_init(&c, 600, 500, true);
	rarity_add(&r, rarity_class(&c, 1, 0));
	rarity_begin(&r, &c, 600);
	cr_expect(isfinite(rarity_ratio(&r, rarity_class(&c, 1, 0))));
	cr_expect(isfinite(rarity_ratio(&r, RARITY_NEW)));
	cr_expect(isfinite(rarity_surprise(&r, RARITY_NEW)));
}
