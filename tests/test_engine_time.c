/* When the engine makes a bucket, and which. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>

#include "common/clock.h"
#include "tests/engine_cases.h"

Test(engine_time, no_time_seen_yet)
{
	struct feed f;

	start_counting(&f);
	cr_expect_eq(engine_last_finalized_ms(f.engine), TIME_UNSET);
	cr_expect_eq(engine_step(f.engine), 0);
	cr_expect_eq(feed_interim(&f, TIME_UNSET, TIME_UNSET), 0);
	cr_expect_eq(f.nbuckets, 0);
	feed_clear(&f);
}

Test(engine_time, the_first_time_makes_the_first_bucket)
{
	struct feed f;

	start_counting(&f);
	cr_assert_eq(feed_add(&f, T0 + 369), 0);
	cr_expect_eq(engine_last_finalized_ms(f.engine), T0 * 1000LL);
	cr_expect_eq(f.nbuckets, 0);
	cr_assert_eq(feed_advance(&f, T0 + SPAN - 1), 0);
	cr_expect_eq(f.nbuckets, 0);
	cr_assert_eq(feed_advance(&f, T0 + SPAN), 0);
	cr_assert_eq(f.nbuckets, 1);
	cr_expect_eq(f.bucket[0].timestamp_ms, T0 * 1000LL);
	cr_expect_eq(f.bucket[0].bucket_span_s, SPAN);
	cr_expect_eq(f.bucket[0].event_count, 1);
	cr_expect_not(f.bucket[0].is_interim);
	cr_expect_eq(engine_last_finalized_ms(f.engine), (T0 + SPAN) * 1000LL);
	feed_clear(&f);
}

Test(engine_time, empty_buckets_are_results)
{
	struct feed f;

	start_counting(&f);
	cr_assert_eq(feed_add(&f, T0), 0);
	cr_assert_eq(feed_add(&f, T0 + 5 * SPAN), 0);
	cr_assert_eq(f.nbuckets, 5);
	for (size_t i = 0; i < 5; i++) {
		cr_expect_eq(
		    f.bucket[i].timestamp_ms, (T0 + (int64_t)i * SPAN) * 1000);
		cr_expect_eq(f.bucket[i].event_count, i == 0 ? 1 : 0);
	}
	feed_clear(&f);
}

Test(engine_time, times_before_1970)
{
	struct feed f;

	start_counting(&f);
	cr_assert_eq(feed_add(&f, -1), 0);
	cr_expect_eq(engine_last_finalized_ms(f.engine), -SPAN * 1000LL);
	cr_assert_eq(feed_add(&f, 0), 0);
	cr_assert_eq(f.nbuckets, 1);
	cr_expect_eq(f.bucket[0].timestamp_ms, -SPAN * 1000LL);
	cr_expect_eq(f.bucket[0].event_count, 1);
	feed_clear(&f);
}

Test(engine_time, a_skip_drops_what_it_passes)
{
	struct feed f;

	/* the reference's vector 3: one-hour buckets */
	feed_init(&f, 3600, count_all, NULL);
	feed_start(&f);
	cr_assert_eq(feed_add(&f, 1403481600), 0);
	cr_assert_eq(feed_add(&f, 1403485200), 0);
	engine_skip(f.engine, 1403488700);
	cr_expect_eq(engine_last_finalized_ms(f.engine), 1403488800000);
	cr_assert_eq(feed_add(&f, 1403488600), 0);
	cr_assert_eq(feed_add(&f, 1403488700), 0);
	cr_assert_eq(feed_add(&f, 1403488900), 0);
	cr_assert_eq(feed_add(&f, 1403492400), 0);
	cr_assert_eq(f.nbuckets, 2);
	cr_expect_eq(f.bucket[0].timestamp_ms, 1403481600000);
	cr_expect_eq(f.bucket[0].event_count, 1);
	cr_expect_eq(f.bucket[1].timestamp_ms, 1403488800000);
	cr_expect_eq(f.bucket[1].event_count, 1);
	feed_clear(&f);
}

Test(engine_time, a_skip_backwards_changes_nothing)
{
	struct feed f;

	start_counting(&f);
	add_buckets(&f, T0, 3, 1);
	engine_skip(f.engine, T0);
	cr_expect_eq(
	    engine_last_finalized_ms(f.engine), (T0 + 2 * SPAN) * 1000LL);
	cr_assert_eq(feed_advance(&f, T0 + 3 * SPAN), 0);
	cr_expect_eq(f.bucket[2].event_count, 1);
	feed_clear(&f);
}

Test(engine_time, latency_keeps_buckets_open)
{
	struct feed f;

	feed_init(&f, SPAN, count_all, NULL);
	f.conf.latency_s = 2 * SPAN;
	feed_start(&f);
	cr_assert_eq(feed_add(&f, T0 + 10), 0);
	cr_expect_eq(
	    engine_last_finalized_ms(f.engine), (T0 - 2 * SPAN) * 1000LL);
	cr_assert_eq(feed_add(&f, T0 + 2 * SPAN), 0);
	cr_assert_eq(feed_add(&f, T0 + SPAN), 0); /* late */
	cr_assert_eq(feed_add(&f, T0 + 20), 0);	  /* later still */
	cr_assert_eq(feed_advance(&f, T0 + 5 * SPAN), 0);
	cr_assert_eq(f.nbuckets, 5);
	cr_expect_eq(f.bucket[0].timestamp_ms, (T0 - 2 * SPAN) * 1000LL);
	cr_expect_eq(f.bucket[2].event_count, 2);
	cr_expect_eq(f.bucket[3].event_count, 1);
	cr_expect_eq(f.bucket[4].event_count, 1);
	feed_clear(&f);
}

Test(engine_time, latency_that_is_no_multiple_of_the_span)
{
	struct feed f;

	feed_init(&f, SPAN, count_all, NULL);
	f.conf.latency_s = SPAN + SPAN / 2;
	feed_start(&f);
	cr_assert_eq(feed_add(&f, T0), 0);
	cr_expect_eq(engine_last_finalized_ms(f.engine),
	    (T0 - SPAN - SPAN / 2) * 1000LL);
	/* as old as the order of records allows */
	cr_assert_eq(feed_add(&f, T0 - SPAN - SPAN / 2), 0);
	cr_assert_eq(feed_advance(&f, T0 + 10 * SPAN), 0);
	for (size_t i = 0; i < f.nbuckets; i++)
		cr_expect_eq(f.bucket[i].timestamp_ms % (SPAN * 1000), 0);
	cr_expect_eq(f.bucket[0].event_count, 1);
	cr_expect_eq(f.bucket[2].event_count, 1);
	feed_clear(&f);
}

Test(engine_time, open_buckets_can_be_reset)
{
	struct feed f;

	feed_init(&f, SPAN, count_all, NULL);
	f.conf.latency_s = 3 * SPAN;
	feed_start(&f);
	add_buckets(&f, T0, 4, 7);
	engine_reset_buckets(f.engine, T0 + SPAN + 1, T0 + 2 * SPAN + 1);
	cr_assert_eq(feed_add(&f, T0 + SPAN + 5), 0);
	cr_assert_eq(feed_advance(&f, T0 + 20 * SPAN), 0);
	cr_expect_eq(f.bucket[3].event_count, 7);
	cr_expect_eq(f.bucket[4].event_count, 1);
	cr_expect_eq(f.bucket[5].event_count, 0);
	cr_expect_eq(f.bucket[6].event_count, 7);
	feed_clear(&f);
}

Test(engine_time, a_record_before_its_time_is_refused)
{
	struct feed f;

	start_counting(&f);
	cr_assert_eq(feed_add(&f, T0), 0);
	errno = 0;
	cr_expect_eq(engine_add(f.engine, T0 + SPAN, &f.rec), -1);
	cr_expect_eq(errno, EINVAL);
	feed_clear(&f);
}

Test(engine_time, a_long_silence_is_jumped_over)
{
	struct feed f;
	int64_t far = T0 + (int64_t)SPAN * 1000000000;

	start_counting(&f);
	f.keep_nothing = true;
	cr_assert_eq(feed_add(&f, T0), 0);
	cr_assert_eq(feed_add(&f, far), 0);
	cr_expect_eq(f.nbuckets, 1 + ENGINE_EMPTY_MOST);
	cr_expect_eq(engine_last_finalized_ms(f.engine), far * 1000);
	cr_assert_eq(feed_add(&f, far + SPAN), 0);
	cr_expect_eq(f.nbuckets, 2 + ENGINE_EMPTY_MOST);
	feed_clear(&f);
}

Test(engine_time, work_is_cut_in_slices)
{
	struct feed f;
	int steps = 0, behind = 0, more;
	char host[16];
	struct feed_detector by_host[] = {
		{ .function = "count", .by = "host" }, { .function = NULL }
	};

	feed_init(&f, SPAN, by_host, NULL);
	feed_start(&f);
	for (int i = 0; i < 1000; i++) {
		snprintf(host, sizeof(host), "h%d", i);
		feed_set(&f, "host", host);
		cr_assert_eq(feed_add(&f, T0), 0);
	}
	clock_fake(NULL, each_look_takes_400_us);
	engine_target(f.engine, T0 + SPAN);
	while ((more = engine_step(f.engine)) == 1) {
		steps++;
		behind += f.nbuckets == 1;
	}
	clock_fake(NULL, NULL);
	cr_expect_eq(more, 0);
	cr_expect_gt(steps, 10);
	cr_expect_gt(behind, 10, "what it held is not freed at once, either");
	cr_expect_eq(f.nbuckets, 1);
	feed_clear(&f);
}

/* As many buckets as the latency holds open, of any number of series. */
Test(engine_time, interim_work_is_cut_in_slices)
{
	struct feed f;
	int steps = 0, more;
	size_t before;
	char host[16];
	struct feed_detector by_host[] = {
		{ .function = "count", .by = "host" }, { .function = NULL }
	};

	feed_init(&f, SPAN, by_host, NULL);
	f.conf.latency_s = 2 * SPAN;
	feed_start(&f);
	for (int i = 0; i < 1000; i++) {
		snprintf(host, sizeof(host), "h%d", i);
		feed_set(&f, "host", host);
		cr_assert_eq(feed_add(&f, T0 + i % 3 * SPAN), 0);
	}
	before = f.nbuckets;
	clock_fake(NULL, each_look_takes_400_us);
	while ((more = engine_interim(f.engine, TIME_UNSET, TIME_UNSET)) == 1)
		steps++;
	clock_fake(NULL, NULL);
	cr_expect_eq(more, 0);
	cr_expect_gt(steps, 30);
	cr_expect_eq(f.nbuckets, before + 3);
	cr_assert_eq(feed_interim(&f, TIME_UNSET, TIME_UNSET), 0);
	cr_expect_eq(f.nbuckets, before + 3, "in their place");
	feed_clear(&f);
}

/* 1,000 series in an open bucket. Returns the slices until nothing is due. */
static int
slices_to_forget(void (*forget)(struct engine *))
{
	struct feed_detector by_host[] = {
		{ .function = "count", .by = "host" }, { .function = NULL }
	};
	int steps = 0, more;
	char host[16];
	struct feed f;

	feed_init(&f, SPAN, by_host, NULL);
	feed_start(&f);
	for (int i = 0; i < 1000; i++) {
		snprintf(host, sizeof(host), "h%d", i);
		feed_set(&f, "host", host);
		cr_assert_eq(feed_add(&f, T0), 0);
	}
	clock_fake(NULL, each_look_takes_400_us);
	forget(f.engine);
	while ((more = engine_step(f.engine)) == 1)
		steps++;
	clock_fake(NULL, NULL);
	cr_expect_eq(more, 0);
	cr_expect_eq(f.nbuckets, 0);
	cr_assert_eq(feed_advance(&f, T0 + 5 * SPAN), 0);
	for (size_t i = 0; i < f.nbuckets; i++)
		cr_expect_eq(f.bucket[i].event_count, 0);
	feed_clear(&f);
	return steps;
}

static void
skip_a_bucket(struct engine *e)
{
	engine_skip(e, T0 + SPAN);
}

static void
reset_a_bucket(struct engine *e)
{
	engine_reset_buckets(e, T0, T0 + 1);
}

Test(engine_time, what_is_forgotten_is_freed_in_slices)
{
	cr_expect_gt(slices_to_forget(skip_a_bucket), 4);
	cr_expect_gt(slices_to_forget(reset_a_bucket), 4);
}
