/* Which series go together: against sums over all that was. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <math.h>
#include <string.h>

#include "tests/random.h"
#include "worker/pairs.h"

#define N 700

struct two {
	double x[N];
	double y[N];
};

/* Of this correlation. */
static void
make_two(struct two *t, double r, uint64_t seed)
{
	struct random dice = random_seed(seed);

	for (int i = 0; i < N; i++) {
		t->y[i] = random_normal(&dice);
		t->x[i] = r * t->y[i] + sqrt(1 - r * r) * random_normal(&dice);
	}
}

Test(pairs, what_is_expected_is_the_regression_over_all_buckets)
{
	double n = 0, xx = 0, yy = 0, xy = 0, off, got, left;
	struct pair p = { .other = 1 };
	struct two t;

	make_two(&t, 0.8, 1);
	for (int i = 0; i < N; i++) {
		pair_learn(&p, t.x[i], t.y[i]);
		/* all of it again, the last one in full */
		n = xx = yy = xy = 0;
		for (int k = 0; k <= i; k++) {
			double w = pow(0.998, i - k);
			double x = fmin(fmax(t.x[k], -4), 4);
			double y = fmin(fmax(t.y[k], -4), 4);

			n += w;
			xx += w * x * x;
			yy += w * y * y;
			xy += w * x * y;
		}
		if (i % 50 != 49)
			continue;
		cr_assert_float_eq(p.n, n, 1e-9);
		cr_assert_float_eq(pair_share(&p), xy * xy / xx / yy, 1e-12);
		left = (xx - xy * xy / yy) / n;
		got = pair_expects(&p, 2.5, &off);
		cr_assert_float_eq(got, 2.5 * xy / yy, 1e-12);
		cr_assert_float_eq(
		    off, sqrt(left * (1 + 1 / n + 6.25 / yy)), 1e-12);
	}
	cr_expect_float_eq(sqrt(pair_share(&p)), 0.8, 0.05);
	cr_expect(pair_holds(&p));
}

Test(pairs, further_out_than_was_learnt_less_is_sure)
{
	struct pair p = { .n = 400, .xx = 400, .yy = 400, .xy = 400 };
	double off;

	cr_expect_float_eq(pair_expects(&p, 3, &off), 3, 1e-12);
	cr_expect_float_eq(off, 0.1, 1e-12, "no surer than a tenth");
	cr_expect_float_eq(pair_expects(&p, -20, &off), -4, 1e-12);
	cr_expect_gt(off, 16);
}

Test(pairs, strangers_are_no_pair_and_few_buckets_tell_nothing)
{
	int held = 0;

	for (uint64_t seed = 1; seed <= 40; seed++) {
		struct pair p = { .other = 1 };
		struct two t;

		make_two(&t, 0, seed);
		for (int i = 0; i < N; i++) {
			pair_learn(&p, t.x[i], t.y[i]);
			held += pair_holds(&p);
		}
		memset(&p, 0, sizeof(p));
		for (int i = 0; i < 41; i++) {
			pair_learn(&p, t.y[i], t.y[i]);
			cr_expect_not(pair_holds(&p));
		}
		pair_learn(&p, 1, 1);
		cr_expect(pair_holds(&p));
	}
	cr_expect_eq(held, 0);
	cr_expect_not(pair_holds(&(struct pair){ .n = 400 }), "0 over 0");
}

/* The table of sides of the last 256 buckets, one by one. */
static double
likeness_of(const struct two *t, int from, int to)
{
	double n = 0, both = 0, nx = 0, ny = 0;

	for (int i = from; i < to; i++) {
		if (t->x[i] == 0 || t->y[i] == 0)
			continue;
		n++;
		nx += t->x[i] > 0;
		ny += t->y[i] > 0;
		both += t->x[i] > 0 && t->y[i] > 0;
	}
	return sqrt(n) * fabs(n * both - nx * ny) /
	    sqrt(nx * (n - nx) * ny * (n - ny));
}

static void
note_two(struct paired *x, struct paired *y, const struct two *t, int from,
    int to, int64_t shift)
{
	for (int i = from; i < to; i++) {
		paired_note(x, i + shift, t->x[i]);
		paired_note(y, i + shift, t->y[i]);
	}
}

Test(pairs, likeness_is_that_of_the_last_buckets_with_both)
{
	struct paired x = { .newest = -400 }, y = { .newest = -400 };
	struct two t;

	make_two(&t, -0.7, 3);
	for (int i = 0; i < N; i += 9)
		t.x[i] = 0;
	note_two(&x, &y, &t, 0, 40, -300);
	cr_expect_eq(paired_likeness(&x, &y), 0, "too few");
	note_two(&x, &y, &t, 40, 500, -300);
	cr_expect_float_eq(
	    paired_likeness(&x, &y), likeness_of(&t, 244, 500), 1e-9);
	cr_expect_gt(paired_likeness(&x, &y), 5);
	/* a gap of 100 buckets, then 60: 96 of those before are left */
	note_two(&x, &y, &t, 500, 560, -200);
	for (int i = 0; i < N; i++)
		t.x[i] *= i >= 404 && i < 560;
	cr_expect_float_eq(
	    paired_likeness(&x, &y), likeness_of(&t, 404, 560), 1e-9);
	/* a long one, and nothing is left */
	note_two(&x, &y, &t, 560, 600, 5000);
	cr_expect_eq(paired_likeness(&x, &y), 0);
}

Test(pairs, skewed_sides_are_not_alike_for_that)
{
	struct paired x = { .newest = -1 }, y = { .newest = -1 };
	struct random dice = random_seed(4);

	for (int i = 0; i < 256; i++) {
		paired_note(&x, i, random_uniform(&dice) < 0.9 ? -1 : 9);
		paired_note(&y, i, random_uniform(&dice) < 0.9 ? -1 : 9);
	}
	cr_expect_lt(paired_likeness(&x, &y), 2.5);
	memset(x.above, 0, sizeof(x.above));
	cr_expect_eq(paired_likeness(&x, &y), 0, "one side only");
}

Test(pairs, there_are_no_more_than_so_many)
{
	struct pairs p = { .room = 0 };
	uint32_t n = 0, wanted = PAIRS_MOST / PAIRS_NEAR + 3;

	cr_assert_eq(pairs_reserve(&p, 4096), 0);
	for (uint32_t i = 0; i < wanted; i++) {
		struct paired *x = pairs_add(&p, i, 0);

		cr_assert_not_null(x);
		for (uint32_t k = 1; k <= PAIRS_NEAR + 1; k++)
			paired_take(&p, x, i + k, 0);
		n += x->nnear;
	}
	cr_expect_eq(n, PAIRS_MOST);
	cr_expect_eq(p.npairs, PAIRS_MOST);
	cr_expect(paired_has(p.of[7], 8, 0));
	cr_expect_not(paired_has(p.of[7], 8, 1), "of another birthday");
	paired_drop(&p, p.of[7], 0);
	cr_expect_not(paired_has(p.of[7], 8, 0));
	cr_expect_eq(p.npairs, PAIRS_MOST - 1);
	for (uint32_t i = 0; i < wanted; i++)
		pairs_forget(&p, i);
	cr_expect_eq(p.npairs, 0);
	cr_expect_eq(pairs_bytes(&p, p.room), 4096 * sizeof(void *));
	pairs_clear(&p);
}

static struct pairs
some_pairs(void)
{
	struct pairs p = { .room = 0 };
	struct two t;

	make_two(&t, 0.6, 5);
	cr_assert_eq(pairs_reserve(&p, 8), 0);
	cr_assert_not_null(pairs_add(&p, 2, 10));
	cr_assert_not_null(pairs_add(&p, 5, 12));
	note_two(p.of[2], p.of[5], &t, 0, 300, 12);
	paired_take(&p, p.of[2], 5, 12);
	paired_take(&p, p.of[2], 6, 1); /* who is gone */
	pair_learn(&p.of[2]->near[0], 1.25, -0.5);
	tail_learn(&p.of[2]->tail[UP], 9, -7);
	p.of[2]->told[DOWN] = 4.5;
	return p;
}

static int
load_bytes(struct pairs *p, const uint8_t *data, size_t len, uint32_t n)
{
	struct snapshot_reader *r = snapshot_reader_memory(data, len);
	int rc;

	cr_assert_not_null(r);
	rc = pairs_load(p, n, r);
	snapshot_reader_free(r);
	return rc;
}

Test(pairs, a_snapshot_brings_all_of_it_back)
{
	struct snapshot_writer *w = snapshot_writer_memory();
	struct pairs p = some_pairs(), q = { .room = 0 }, small;
	const uint8_t *data;
	size_t len;

	cr_assert_eq(pairs_save(&p, w), 0);
	cr_assert_eq(snapshot_memory(w, &data, &len), 0);
	cr_assert_eq(pairs_reserve(&q, 8), 0);
	cr_assert_eq(load_bytes(&q, data, len, 8), 0);
	cr_expect_eq(q.npairs, 2);
	cr_expect_eq(q.npaired, 2);
	p.of[2]->entry = p.of[5]->entry = 0;
	cr_expect_arr_eq(q.of[2], p.of[2], sizeof(struct paired));
	cr_expect_arr_eq(q.of[5], p.of[5], sizeof(struct paired));
	memset(&small, 0, sizeof(small));
	cr_assert_eq(pairs_reserve(&small, 8), 0);
	errno = 0;
	cr_expect_eq(load_bytes(&small, data, len, 5), -1, "no such series");
	cr_expect_eq(errno, EBADMSG);
	errno = 0;
	cr_expect_eq(load_bytes(&q, data, len, 8), -1, "twice");
	cr_expect_eq(errno, EBADMSG);
	snapshot_writer_free(w);
	pairs_clear(&p);
	pairs_clear(&q);
	pairs_clear(&small);
}
