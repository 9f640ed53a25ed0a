/* What comes again and again is no anomaly any more. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <math.h>

#include "tests/engine_cases.h"
#include "tests/random.h"

#define DAY_BUCKETS (86400 / SPAN)

/* The greatest score that record or bucket of that day has. */
static double
loudest_of_day(const struct feed *f, int day)
{
	double score = 0;

	for (size_t i = 0; i < f->nbuckets; i++) {
		const struct bucket_result *b = &f->bucket[i];

		if ((b->timestamp_ms / 1000 - T0) / 86400 == day)
			score = fmax(score, b->initial_anomaly_score);
	}
	return score;
}

/* The same spike at the same time of every day. */
static void
feed_daily_spike(struct feed *f, uint64_t seed, int days)
{
	struct random r = random_seed(seed);

	for (int i = 0; i < days * (int)DAY_BUCKETS; i++) {
		bool spike =
		    i >= 3 * (int)DAY_BUCKETS && i % (int)DAY_BUCKETS == 72;

		add_value(f, T0 + (int64_t)i * SPAN, "v",
		    100 + 5 * random_normal(&r) + (spike ? 200 : 0));
	}
}

Test(engine_habit, a_spike_of_each_day_is_normal_within_two_weeks)
{
	for (uint64_t seed = 1; seed <= 3; seed++) {
		struct feed f;

		feed_init(&f, SPAN, mean_v, NULL);
		feed_start(&f);
		feed_daily_spike(&f, seed, 19);
		cr_expect_gt(loudest_of_day(&f, 3), 75, "the first: %g",
		    loudest_of_day(&f, 3));
		for (int day = 14; day < 18; day++)
			cr_expect_lt(loudest_of_day(&f, day), 25,
			    "seed %d, day %d: %g", (int)seed, day,
			    loudest_of_day(&f, day));
		feed_clear(&f);
	}
}
