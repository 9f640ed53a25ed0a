/* What the engine holds in memory, saves and goes on from. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "tests/engine_cases.h"
#include "tests/random.h"

/* Memory */

Test(engine_state, the_memory_limit_stops_new_series_not_known_ones)
{
	struct feed_detector by_host[] = {
		{ .function = "count", .by = "host" }, { .function = NULL }
	};
	struct model_size size;
	struct feed f;
	char host[16];

	feed_init(&f, SPAN, by_host, NULL);
	f.conf.model_memory_limit_mb = 1;
	feed_start(&f);
	for (int i = 0; i < 20000; i++) {
		snprintf(host, sizeof(host), "host-%d", i);
		feed_set(&f, "host", host);
		cr_assert_eq(feed_add(&f, T0), 0);
	}
	size.log_time = 7;
	engine_size(f.engine, &size);
	cr_expect_eq(size.memory_status, MEMORY_HARD_LIMIT);
	cr_expect_eq(size.bucket_allocation_failures_count, 1);
	cr_expect_gt(size.model_bytes_exceeded, 0);
	cr_expect_leq(size.model_bytes, 1024 * 1024);
	cr_expect_geq(size.peak_model_bytes, size.model_bytes);
	cr_expect_eq(size.model_bytes_memory_limit, 1024 * 1024);
	/* of 2 KB each, a_young_series_is_small */
	cr_expect_gt(size.total_by_field_count, 450);
	cr_expect_lt(size.total_by_field_count, 20000);
	cr_expect_eq(size.log_time, 7, "left alone");
	cr_expect_eq(size.timestamp, T0 * 1000LL);
	feed_set(&f, "host", "host-0");
	add_buckets(&f, T0 + SPAN, 60, 5);
	add_times(&f, T0 + 61 * SPAN, 500);
	cr_assert_eq(feed_advance(&f, T0 + 62 * SPAN), 0);
	cr_assert_gt(f.nrecords, 0);
	cr_expect_str_eq(f.record[f.nrecords - 1].by, "host-0");
	feed_clear(&f);
}

/* Hundreds of known series, and as many values of each as would take 4 KB. */
Test(engine_state, known_series_stay_within_the_limit)
{
	struct feed_detector medians[] = {
		{ .function = "median", .field = "v", .by = "host" },
		{ .function = NULL }
	};
	struct model_size size = { .log_time = 0 };
	struct feed f;
	char host[16];

	feed_init(&f, SPAN, medians, NULL);
	f.conf.model_memory_limit_mb = 1;
	feed_start(&f);
	for (int i = 0; i < 300 * 200; i++) {
		snprintf(host, sizeof(host), "host-%d", i % 300);
		feed_set(&f, "host", host);
		add_value(&f, T0, "v", 1 + i / 300 * 1.25);
	}
	engine_size(f.engine, &size);
	cr_expect_gt(size.total_by_field_count, 250);
	cr_expect_lt(size.model_bytes, 1024 * 1024 + 64 * 1024);
	feed_restart(&f);
	cr_assert_eq(feed_advance(&f, T0 + SPAN), 0);
	cr_expect_eq(f.bucket[0].event_count, 300 * 200);
	feed_clear(&f);
}

static enum memory_status
status_of(const struct engine *e)
{
	struct model_size size = { .log_time = 0 };

	engine_size(e, &size);
	return (enum memory_status)size.memory_status;
}

Test(engine_state, hard_limit_ends_when_the_job_is_opened_with_room)
{
	struct feed_detector by_host[] = {
		{ .function = "count", .by = "host" }, { .function = NULL }
	};
	struct feed f;
	char host[16];

	feed_init(&f, SPAN, by_host, NULL);
	f.conf.model_memory_limit_mb = 1;
	feed_start(&f);
	for (int i = 0; i < 20000; i++) {
		snprintf(host, sizeof(host), "host-%d", i);
		feed_set(&f, "host", host);
		cr_assert_eq(feed_add(&f, T0), 0);
	}
	cr_assert_eq(status_of(f.engine), MEMORY_HARD_LIMIT);
	engine_opened(f.engine);
	cr_expect_eq(status_of(f.engine), MEMORY_SOFT_LIMIT);
	feed_set(&f, "host", "one more");
	cr_assert_eq(feed_add(&f, T0), 0);
	cr_expect_eq(status_of(f.engine), MEMORY_HARD_LIMIT);
	f.conf.model_memory_limit_mb = 10;
	cr_expect_eq(status_of(f.engine), MEMORY_HARD_LIMIT, "not by itself");
	engine_opened(f.engine);
	cr_expect_eq(status_of(f.engine), MEMORY_OK);
	feed_clear(&f);
}

Test(engine_state, a_young_series_is_small)
{
	struct feed_detector split[] = {
		{ .function = "mean", .field = "v", .partition = "host" },
		{ .function = NULL }
	};
	struct model_size before, after;
	struct feed f;
	char host[16];

	feed_init(&f, SPAN, split, NULL);
	feed_start(&f);
	feed_set(&f, "v", "1");
	engine_size(f.engine, &before);
	for (int i = 0; i < 1000; i++) {
		snprintf(host, sizeof(host), "host-%d", i);
		feed_set(&f, "host", host);
		cr_assert_eq(feed_add(&f, T0), 0);
	}
	engine_size(f.engine, &after);
	/* tails, a sample of the past and levels; tables come when they pay */
	cr_expect_leq((after.model_bytes - before.model_bytes) / 1000, 2048,
	    "%lu bytes",
	    (unsigned long)((after.model_bytes - before.model_bytes) / 1000));
	feed_clear(&f);
}

/* State */

static bool
same_record(const struct feed_record *a, const struct feed_record *b)
{
	return a->r.timestamp_ms == b->r.timestamp_ms &&
	    a->r.detector_index == b->r.detector_index &&
	    a->r.probability == b->r.probability &&
	    a->r.record_score == b->r.record_score &&
	    a->r.typical[0] == b->r.typical[0] &&
	    a->r.actual[0] == b->r.actual[0] && strcmp(a->by, b->by) == 0 &&
	    strcmp(a->partition, b->partition) == 0 &&
	    a->r.ninfluencers == b->r.ninfluencers &&
	    strcmp(a->influencer[0], b->influencer[0]) == 0 &&
	    strcmp(a->influencer[1], b->influencer[1]) == 0;
}

static bool
same_bucket(const struct bucket_result *a, const struct bucket_result *b)
{
	if (a->timestamp_ms != b->timestamp_ms ||
	    a->anomaly_score != b->anomaly_score ||
	    a->event_count != b->event_count ||
	    a->ninfluencers != b->ninfluencers)
		return false;
	for (size_t i = 0; i < a->ninfluencers; i++) {
		if (a->influencer[i].anomaly_score !=
			b->influencer[i].anomaly_score ||
		    a->influencer[i].raw_anomaly_score !=
			b->influencer[i].raw_anomaly_score ||
		    a->influencer[i].probability !=
			b->influencer[i].probability)
			return false;
	}
	return true;
}

static bool
same_influencer(
    const struct feed_influencer *a, const struct feed_influencer *b)
{
	return a->r.timestamp_ms == b->r.timestamp_ms &&
	    a->r.probability == b->r.probability &&
	    a->r.influencer_score == b->r.influencer_score &&
	    strcmp(a->r.field_name, b->r.field_name) == 0 &&
	    strcmp(a->value, b->value) == 0;
}

static void
expect_same_results(const struct feed *a, const struct feed *b)
{
	cr_assert_eq(a->nbuckets, b->nbuckets);
	cr_assert_eq(a->ninfluencers, b->ninfluencers);
	for (size_t i = 0; i < a->ninfluencers; i++)
		cr_assert(same_influencer(&a->told[i], &b->told[i]),
		    "influencer %zu", i);
	cr_assert_eq(a->nrecords, b->nrecords);
	for (size_t i = 0; i < a->nbuckets; i++)
		cr_assert(
		    same_bucket(&a->bucket[i], &b->bucket[i]), "bucket %zu", i);
	for (size_t i = 0; i < a->nrecords; i++)
		cr_assert(
		    same_record(&a->record[i], &b->record[i]), "record %zu", i);
}

static const struct feed_detector many[] = {
	{ .function = "mean", .field = "v", .by = "kpi", .partition = "host" },
	{ .function = "count", .partition = "host" },
	{ .function = "high_sum", .field = "v", .by = "kpi" },
	{ .function = NULL },
};
static const char *const user_and_host[] = { "user", "host", NULL };

static void
start_many(struct feed *f)
{
	feed_init(f, SPAN, many, user_and_host);
	f->conf.latency_s = SPAN;
	feed_start(f);
}

/* One record of a lively job, the i-th; everything is a function of i. */
static void
add_lively(struct feed *f, int i)
{
	struct random r = random_seed((uint64_t)i);
	char host[16], kpi[16], user[16], v[40];
	int64_t t = T0 + i * 37 - (int64_t)(random_uniform(&r) * SPAN);

	snprintf(host, sizeof(host), "h%d", (int)(random_uniform(&r) * 4));
	snprintf(kpi, sizeof(kpi), "k%d", i % 3);
	snprintf(user, sizeof(user), "u%d", (int)(random_uniform(&r) * 9));
	snprintf(v, sizeof(v), "%.6f",
	    50 + 9 * random_normal(&r) + (i % 1500 < 4 ? 400 : 0));
	feed_set(f, "host", host);
	feed_set(f, "kpi", kpi);
	feed_set(f, "user", i % 11 == 0 ? NULL : user);
	feed_set(f, "v", v);
	cr_assert_eq(feed_advance(f, T0 + i * 37), 0);
	cr_assert_eq(engine_add(f->engine, t, &f->rec), 0);
}

Test(engine_state, a_restart_at_any_moment_changes_no_bit)
{
	struct feed whole, cut;

	start_many(&whole);
	start_many(&cut);
	for (int i = 0; i < 6000; i++) {
		add_lively(&whole, i);
		add_lively(&cut, i);
		/* 37 s a record, 600 s a bucket: every phase comes up */
		if (i % 101 == 0)
			feed_restart(&cut);
	}
	cr_assert_gt(whole.nrecords, 20);
	expect_same_results(&whole, &cut);
	feed_clear(&whole);
	feed_clear(&cut);
}

Test(engine_state, where_slices_end_changes_no_bit)
{
	struct feed whole, sliced;

	start_many(&whole);
	start_many(&sliced);
	for (int i = 0; i < 3000; i++) {
		add_lively(&whole, i);
		clock_fake(NULL, each_look_takes_400_us);
		add_lively(&sliced, i);
		clock_fake(NULL, NULL);
	}
	expect_same_results(&whole, &sliced);
	feed_clear(&whole);
	feed_clear(&sliced);
}

Test(engine_state, sizes_survive_a_restart)
{
	struct model_size before, after;
	struct timing t1, t2;
	struct feed f;

	start_many(&f);
	for (int i = 0; i < 500; i++)
		add_lively(&f, i);
	engine_size(f.engine, &before);
	engine_timing(f.engine, &t1);
	feed_restart(&f);
	engine_size(f.engine, &after);
	engine_timing(f.engine, &t2);
	cr_expect_eq(before.model_bytes, after.model_bytes);
	cr_expect_eq(before.peak_model_bytes, after.peak_model_bytes);
	cr_expect_eq(before.timestamp, after.timestamp);
	cr_expect_eq(t1.bucket_count, f.nbuckets);
	cr_expect_eq(t1.bucket_count, t2.bucket_count);
	cr_expect_eq(t1.total_ms, t2.total_ms);
	feed_clear(&f);
}

/* Only so many are told in a result, and only of those a state is kept. */
Test(engine_state, more_influencers_than_results_have_do_no_harm)
{
	static char name[RESULT_MAX_INFLUENCERS + 8][8];
	const char *list[NELEM(name) + 1] = { NULL };
	struct feed f;
	char value[8];

	for (size_t i = 0; i < NELEM(name); i++) {
		snprintf(name[i], sizeof(name[i]), "f%02zu", i);
		list[i] = name[i];
	}
	feed_init(&f, SPAN, count_all, list);
	feed_start(&f);
	for (int i = 0; i < 20; i++) {
		snprintf(value, sizeof(value), "v%d", i);
		for (size_t k = 0; k < NELEM(name); k++)
			feed_set(&f, name[k], value);
		cr_assert_eq(feed_add(&f, T0), 0);
	}
	feed_restart(&f);
	cr_assert_eq(feed_advance(&f, T0 + SPAN), 0);
	cr_expect_eq(f.nbuckets, 1);
	cr_expect_eq(f.bucket[0].event_count, 20);
	feed_clear(&f);
}

Test(engine_state, a_cut_or_changed_state_is_refused)
{
	struct result_sink none = { 0 };
	struct snapshot_writer *w = snapshot_writer_memory();
	struct snapshot_reader *r;
	struct engine *e;
	const uint8_t *data;
	struct feed f;
	size_t len;

	start_many(&f);
	for (int i = 0; i < 300; i++)
		add_lively(&f, i);
	cr_assert_eq(engine_save(f.engine, w), 0);
	cr_assert_eq(snapshot_memory(w, &data, &len), 0);
	f.conf.bucket_span_s = 2 * SPAN; /* not the job that it was */
	r = snapshot_reader_memory(data, len);
	e = engine_new(&f.conf, &none);
	cr_expect_eq(engine_load(e, r), -1);
	cr_expect_eq(errno, EBADMSG);
	engine_free(e);
	snapshot_reader_free(r);
	f.conf.bucket_span_s = SPAN;
	snapshot_writer_free(w);
	feed_clear(&f);
}

Test(engine_state, state_is_not_saved_while_something_is_due)
{
	struct snapshot_writer *w = snapshot_writer_memory();
	struct feed f;

	start_counting(&f);
	cr_assert_eq(feed_add(&f, T0), 0);
	engine_target(f.engine, T0 + SPAN);
	cr_expect_eq(engine_save(f.engine, w), -1);
	cr_expect_eq(errno, EBUSY);
	snapshot_writer_free(w);
	feed_clear(&f);
}

Test(engine_state, a_result_that_was_refused_is_offered_again)
{
	struct feed f;

	start_counting(&f);
	f.fail_after = 3;
	cr_assert_eq(feed_add(&f, T0), 0);
	cr_expect_eq(feed_advance(&f, T0 + 5 * SPAN), -1);
	cr_expect_eq(errno, ENOSPC);
	cr_expect_eq(f.nbuckets, 3);
	f.fail_after = 0;
	cr_assert_eq(feed_advance(&f, T0 + 5 * SPAN), 0);
	cr_assert_eq(f.nbuckets, 5);
	cr_expect_eq(f.bucket[3].timestamp_ms, (T0 + 3 * SPAN) * 1000LL);
	feed_clear(&f);
}

Test(engine_state, times_out_of_this_world_are_ignored)
{
	static const int64_t odd[] = { INT64_MIN, INT64_MIN / 1000 - 1,
		INT64_MAX / 1000 + 1, INT64_MAX };
	struct feed f;

	start_counting(&f);
	for (size_t i = 0; i < NELEM(odd); i++) {
		cr_expect_eq(feed_add(&f, odd[i]), 0);
		engine_skip(f.engine, odd[i]);
		engine_reset_buckets(f.engine, odd[i], odd[i]);
	}
	cr_expect_eq(engine_last_finalized_ms(f.engine), TIME_UNSET);
	cr_assert_eq(feed_add(&f, T0), 0);
	for (size_t i = 0; i < NELEM(odd); i++)
		cr_expect_eq(feed_add(&f, odd[i]), 0);
	cr_assert_eq(feed_add(&f, T0 + SPAN), 0);
	cr_assert_eq(f.nbuckets, 1);
	cr_expect_eq(f.bucket[0].event_count, 1);
	feed_clear(&f);
}
