/* Scores against a scope's history: the ceilings and their check values. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "worker/normalise.h"
#include "worker/score.h"

static const struct normalise_params every = { 1, 1 };

/* n samples, of which each of the last `loud` has the raw score `raw`. */
static struct normaliser
history(size_t n, size_t loud, double raw)
{
	struct normaliser q = { 0 };

	for (size_t i = 0; i < n; i++)
		normalise_add(&q, &every, i >= n - loud ? raw : 0);
	return q;
}

Test(normalise, absolute_ceiling_has_the_published_value)
{
	cr_expect_float_eq(normalise_absolute(log(1.3882308899968812e-4)),
	    94.98554565630553, 1e-11);
	cr_expect_float_eq(normalise_absolute(log(0.05)), 5, 1e-12);
	cr_expect_float_eq(normalise_absolute(log(1e-4)), 100, 1e-12);
	cr_expect_eq(normalise_absolute(log(1e-9)), 100);
}

Test(normalise, evidence_rises_with_each_digit)
{
	cr_expect_eq(normalise_evidence(log(0.06)), 0);
	cr_expect_float_eq(normalise_evidence(-3 * M_LN10), 25, 1e-9);
	cr_expect_float_eq(normalise_evidence(-3.85 * M_LN10), 50, 1e-9);
	cr_expect_float_eq(normalise_evidence(-8 * M_LN10), 82, 1e-9);
	cr_expect_float_eq(normalise_evidence(-11 * M_LN10), 87, 1e-9);
	cr_expect_eq(normalise_evidence(-1e6), 100);
}

Test(normalise, maximum_ceiling)
{
	cr_expect_float_eq(normalise_maximum(1), 100, 1e-12);
	cr_expect_float_eq(normalise_maximum(0.5), 75, 1e-12);
	cr_expect_float_eq(normalise_maximum(0.2), 30, 1e-12);
}

Test(normalise, percentile_knots)
{
	cr_expect_float_eq(normalise_knots(0), 0, 0);
	cr_expect_float_eq(normalise_knots(96), 11.5, 1e-9);
	cr_expect_float_eq(normalise_knots(99.45), 70, 1e-9);
	cr_expect_float_eq(normalise_knots(100), 100, 1e-9);
}

Test(normalise, without_history_nothing_scores)
{
	struct normaliser q = { 0 };

	cr_expect_eq(normalise_score(&q, 5), 0);
	q = history(100, 0, 0);
	cr_expect_eq(normalise_score(&q, 0), 0);
}

Test(normalise, a_new_high_after_quiet_is_critical)
{
	struct normaliser q = history(2000, 0, 0);

	cr_expect_gt(normalise_score(&q, 20), 90);
}

Test(normalise, a_short_history_is_not_trusted)
{
	struct normaliser young = history(5, 0, 0);
	struct normaliser old = history(500, 0, 0);

	cr_expect_lt(normalise_score(&young, 20), 60);
	cr_expect_gt(normalise_score(&old, 20), 85);
}

Test(normalise, what_happens_often_scores_low)
{
	/* every tenth bucket is this loud */
	struct normaliser q = history(2000, 200, 3);

	cr_expect_lt(normalise_score(&q, 3), 10);
	cr_expect_gt(normalise_score(&q, 30), 90);
}

Test(normalise, frequent_low_scores_meet_the_noise_ceiling)
{
	struct normaliser q = history(100, 100, 0.05);

	cr_expect_lt(normalise_noise(&q, 0.06), 2);
	cr_expect_gt(normalise_noise(&q, 20), 100);
}

Test(normalise, short_spans_sample_the_greatest_of_an_hour)
{
	struct normalise_params p;
	struct normaliser q = { 0 };

	normalise_params_init(&p, 300, 1e9);
	cr_assert_eq(p.buckets_per_sample, 6);
	for (int i = 0; i < 6; i++)
		normalise_add(&q, &p, i == 2 ? 7 : 0);
	cr_expect_float_eq(
	    normalise_percentile(&q, 6.9), normalise_percentile(&q, 0), 20);
	cr_expect_eq(q.bin[0], 0);
	normalise_params_init(&p, 60, 1e9);
	cr_expect_eq(p.buckets_per_sample, 12);
	normalise_params_init(&p, 3600, 1e9);
	cr_expect_eq(p.buckets_per_sample, 1);
}

Test(normalise, history_fades)
{
	struct normalise_params p;
	struct normaliser q = { 0 };

	normalise_params_init(&p, 3600, 100);
	for (int i = 0; i < 100; i++)
		normalise_add(&q, &p, 3);
	for (int i = 0; i < 1000; i++)
		normalise_add(&q, &p, 0);
	cr_expect_gt(normalise_score(&q, 3), 60);
}

Test(normalise, state_comes_back)
{
	struct normaliser q = history(300, 7, 2.5), back;
	struct snapshot_writer *w = snapshot_writer_memory();
	struct snapshot_reader *r;
	const uint8_t *data;
	size_t len;

	q.held = 1.5;
	q.nheld = 2;
	cr_assert_eq(snapshot_section(w, SNAPSHOT_ENGINE), 0);
	cr_assert_eq(normalise_save(&q, w), 0);
	cr_assert_eq(snapshot_memory(w, &data, &len), 0);
	r = snapshot_reader_memory(data, len);
	cr_assert_not_null(r);
	cr_assert_eq(snapshot_enter(r, SNAPSHOT_ENGINE), 0);
	cr_assert_eq(normalise_load(&back, r), 0);
	for (size_t i = 0; i < NORMALISE_BINS; i++)
		cr_expect_eq(back.bin[i], q.bin[i]);
	cr_expect_eq(back.held, q.held);
	cr_expect_eq(back.nheld, q.nheld);
	snapshot_reader_free(r);
	snapshot_writer_free(w);
}
