/* The arithmetic of overall buckets. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "query/combine.h"
#include "query/windows.h"

#define HOUR INT64_C(3600000)

Test(windows, times_are_rounded_also_before_1970_and_at_the_ends_of_time)
{
	static const struct {
		int64_t ms, span, floor, ceil;
	} cases[] = {
		{ 0, 1000, 0, 0 },
		{ 1, 1000, 0, 1000 },
		{ 999, 1000, 0, 1000 },
		{ 1000, 1000, 1000, 1000 },
		{ -1, 1000, -1000, 0 },
		{ -1000, 1000, -1000, -1000 },
		{ -1001, 1000, -2000, -1000 },
		{ INT64_MAX, HOUR, INT64_MAX - INT64_MAX % HOUR, INT64_MAX },
		{ INT64_MIN, HOUR, INT64_MIN, INT64_MIN - INT64_MIN % HOUR },
	};

	for (size_t i = 0; i < NELEM(cases); i++) {
		cr_expect_eq(windows_floor(cases[i].ms, cases[i].span),
		    cases[i].floor, "%zu", i);
		cr_expect_eq(windows_ceil(cases[i].ms, cases[i].span),
		    cases[i].ceil, "%zu", i);
	}
}

Test(windows, each_keeps_the_greatest_score_of_each_job)
{
	struct windows w;

	cr_assert_eq(windows_init(&w, 3, HOUR), 0);
	windows_begin(&w, 5 * HOUR + 7);
	cr_expect_eq(w.from_ms, 5 * HOUR);
	cr_expect_eq(w.to_ms, (int64_t)(5 + w.n) * HOUR);
	windows_add(&w, 2, 6 * HOUR, 10, false);
	windows_add(&w, 0, 7 * HOUR - 1, 20, false);
	windows_add(&w, 0, 6 * HOUR + 1, 30, true);
	windows_add(&w, 0, 6 * HOUR + 2, 25, false);
	cr_expect_not(windows_has(&w, 0));
	cr_assert(windows_has(&w, 1));
	cr_expect(windows_is_interim(&w, 1));
	cr_expect_eq(windows_time(&w, 1), 6 * HOUR);
	cr_expect_eq(windows_scores(&w, 1)[0], 30);
	cr_expect(isnan(windows_scores(&w, 1)[1]));
	cr_expect_eq(windows_scores(&w, 1)[2], 10);
	/* Beginning anew forgets. */
	windows_begin(&w, 5 * HOUR);
	cr_expect_not(windows_has(&w, 1));
	windows_add(&w, 1, 6 * HOUR, 1, false);
	cr_expect(isnan(windows_scores(&w, 1)[0]));
	cr_expect_not(windows_is_interim(&w, 1));
	windows_clear(&w);
}

Test(windows, memory_is_bounded_for_one_job_and_for_many)
{
	struct windows w;

	cr_assert_eq(windows_init(&w, 1, 1000), 0);
	cr_expect_eq(w.n, WINDOWS_MAX);
	windows_clear(&w);
	cr_assert_eq(windows_init(&w, 14000, 1000), 0);
	cr_expect_leq(w.n * 14000, WINDOWS_SCORES_MAX);
	windows_clear(&w);
	cr_assert_eq(windows_init(&w, WINDOWS_SCORES_MAX + 1, 1000), 0);
	cr_expect_eq(w.n, 1);
	windows_clear(&w);
}

static double
overall_of(uint32_t top_n, const double *score, size_t njobs)
{
	struct combine c;
	double v;

	cr_assert_eq(combine_init(&c, njobs, top_n, -INFINITY, HOUR), 0);
	cr_assert_eq(combine_window(&c, 0, score, false), 0);
	cr_assert_eq(combine_end(&c), 0);
	cr_assert_eq(c.n, 1);
	v = c.bucket[0].overall_score;
	combine_clear(&c);
	return v;
}

/* The reference's worked example. */
Test(combine, the_overall_score_is_the_mean_of_the_top_n)
{
	static const double score[] = { 20, 60, 40 };
	static const double gaps[] = { NAN, 20, NAN, 60, 40, NAN };

	cr_expect_eq(overall_of(1, score, 3), 60);
	cr_expect_eq(overall_of(2, score, 3), 50);
	cr_expect_eq(overall_of(3, score, 3), 40);
	cr_expect_eq(overall_of(333, score, 3), 40);
	cr_expect_eq(overall_of(2, gaps, 6), 50);
	cr_expect_eq(overall_of(5, gaps, 6), 40);
}

static void
expect_bucket(const struct combine *c, size_t i, int64_t ms, double overall,
    bool interim, size_t njobs)
{
	cr_assert_gt(c->n, i);
	cr_expect_eq(c->bucket[i].timestamp_ms, ms, "%zu", i);
	cr_expect_eq(c->bucket[i].overall_score, overall, "%zu", i);
	cr_expect_eq(c->bucket[i].is_interim, interim, "%zu", i);
	cr_expect_eq(c->bucket[i].n, njobs, "%zu", i);
}

static void
add(struct combine *c, int64_t ms, double a, double b, bool interim)
{
	double score[] = { a, b };

	cr_assert_eq(combine_window(c, ms, score, interim), 0);
}

/* Two steps: a window that fails the least score is in no bucket. */
Test(combine, windows_are_put_together_to_longer_buckets)
{
	struct combine c;

	cr_assert_eq(combine_init(&c, 2, 2, 5, 2 * HOUR), 0);
	add(&c, -HOUR, 10, NAN, false);
	add(&c, 0, 20, 10, false);
	add(&c, HOUR, 12, 14, false);
	add(&c, 2 * HOUR, 9, 0, true);
	add(&c, 3 * HOUR, NAN, 6, false);
	add(&c, 6 * HOUR, 1, 2, true);
	cr_assert_eq(combine_end(&c), 0);
	cr_assert_eq(c.n, 3);
	expect_bucket(&c, 0, -2 * HOUR, 10, false, 1);
	expect_bucket(&c, 1, 0, 15, false, 2);
	expect_bucket(&c, 2, 2 * HOUR, 6, false, 1);
	cr_expect_eq(c.job[c.bucket[0].first], 0);
	cr_expect_eq(c.score[c.bucket[1].first], 20);
	cr_expect_eq(c.score[c.bucket[1].first + 1], 14);
	cr_expect_eq(c.job[c.bucket[2].first], 1);
	cr_expect_eq(c.score[c.bucket[2].first], 6);
	combine_clear(&c);
}

/* A length that is no multiple: a window is where its beginning is. */
Test(combine, a_window_is_in_the_bucket_in_which_it_begins)
{
	struct combine c;

	cr_assert_eq(combine_init(&c, 2, 2, -INFINITY, 3 * HOUR / 2), 0);
	add(&c, 0, 1, 1, false);
	add(&c, HOUR, 2, 2, false);
	add(&c, 2 * HOUR, 4, 4, true);
	add(&c, 3 * HOUR, 3, 3, false);
	cr_assert_eq(combine_end(&c), 0);
	cr_assert_eq(c.n, 3);
	expect_bucket(&c, 0, 0, 2, false, 2);
	expect_bucket(&c, 1, 3 * HOUR / 2, 4, true, 2);
	expect_bucket(&c, 2, 3 * HOUR, 3, false, 2);
	combine_clear(&c);
}

Test(combine, there_is_a_limit_of_buckets)
{
	struct combine c;

	cr_assert_eq(combine_init(&c, 2, 1, 1, HOUR), 0);
	for (int i = 0; i < COMBINE_BUCKETS_MAX; i++) {
		add(&c, 2 * i * HOUR, 1, NAN, false);
		add(&c, (2 * i + 1) * HOUR, 0.5, NAN, false);
	}
	cr_assert_eq(combine_end(&c), 0);
	cr_expect_eq(c.n, COMBINE_BUCKETS_MAX);
	add(&c, (2 * COMBINE_BUCKETS_MAX) * HOUR, 1, NAN, false);
	cr_expect_eq(combine_end(&c), -1);
	cr_expect_eq(errno, E2BIG);
	combine_clear(&c);
}

Test(combine, there_is_a_limit_of_scores)
{
	enum { JOBS = 1000, FIT = COMBINE_SCORES_MAX / JOBS };
	double score[JOBS];
	struct combine c;

	for (int i = 0; i < JOBS; i++)
		score[i] = i;
	cr_assert_eq(combine_init(&c, JOBS, 1, -INFINITY, HOUR), 0);
	for (int i = 0; i < FIT; i++)
		cr_assert_eq(combine_window(&c, i * HOUR, score, false), 0);
	cr_expect_eq(combine_window(&c, FIT * HOUR, score, false), 0);
	cr_expect_eq(c.nscores, FIT * JOBS);
	cr_expect_eq(combine_end(&c), -1);
	cr_expect_eq(errno, EOVERFLOW);
	combine_clear(&c);
}
