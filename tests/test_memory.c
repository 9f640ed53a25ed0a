/*
 * The memory of models: what is told against what is allocated, what the limit
 * does, and how series are given up.
 */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/engine_cases.h"
#include "tests/random.h"
#include "worker/engine_int.h"

#define MIB (1024 * 1024)

/* Allocations of the programs' own code pass by here, and are counted. */

static size_t allocated;

void *__real_malloc(size_t);
void *__real_calloc(size_t, size_t);
void *__real_realloc(void *, size_t);
void *__real_reallocarray(void *, size_t, size_t);
void __real_free(void *);
void *__wrap_malloc(size_t);
void *__wrap_calloc(size_t, size_t);
void *__wrap_realloc(void *, size_t);
void *__wrap_reallocarray(void *, size_t, size_t);
void __wrap_free(void *);

/* As glibc has it; sanitizers tell what was asked for. */
static size_t
room_of(void *p)
{
	size_t room;

	if (p == NULL)
		return 0;
	room = (malloc_usable_size(p) + 8 + 15) / 16 * 16 - 8;
	return room < 24 ? 24 : room;
}

static void *
counted(void *p)
{
	allocated += room_of(p);
	return p;
}

void *
__wrap_malloc(size_t size)
{
	return counted(__real_malloc(size));
}

void *
__wrap_calloc(size_t n, size_t size)
{
	return counted(__real_calloc(n, size));
}

void *
__wrap_realloc(void *p, size_t size)
{
	allocated -= room_of(p);
	return counted(__real_realloc(p, size));
}

void *
__wrap_reallocarray(void *p, size_t n, size_t size)
{
	allocated -= room_of(p);
	return counted(__real_reallocarray(p, n, size));
}

void
__wrap_free(void *p)
{
	allocated -= room_of(p);
	__real_free(p);
}

/* What is told, and what is allocated */

static struct model_size
size_of(const struct feed *f)
{
	struct model_size size = { .log_time = 0 };

	engine_size(f->engine, &size);
	return size;
}

static void
expect_honest(const struct feed *f, size_t before, const char *when)
{
	double told = (double)size_of(f).model_bytes;
	double real = (double)(allocated - before);

	cr_expect_gt(told, 0.9 * real, "%s: %.0f of %.0f", when, told, real);
	cr_expect_lt(told, 1.1 * real, "%s: %.0f of %.0f", when, told, real);
}

struct load {
	const char *function;
	int hosts;
	int each; /* records a host and bucket */
	int buckets;
	bool by;   /* in place of partitions, */
	bool over; /* or people */
	const char *const *influencers;
	bool multivariate;
};

static void
add_load(struct feed *f, const struct load *l, struct random *r, int b)
{
	char host[24], user[24];

	for (int i = 0; i < l->hosts * l->each; i++) {
		snprintf(host, sizeof(host), "host-%d", i % l->hosts);
		snprintf(user, sizeof(user), "user-%d",
		    (int)(random_uniform(r) * 3000));
		feed_set(f, "host", host);
		if (l->influencers != NULL)
			feed_set(f, "user", user);
		add_value(
		    f, T0 + (int64_t)b * SPAN, "v", 100 + random_normal(r));
	}
}

static void
run_load(const struct load *l)
{
	struct feed_detector d[] = { { .function = l->function, .field = "v" },
		{ .function = NULL } };
	struct random r = random_seed(21);
	size_t before;
	struct feed f;

	if (l->by)
		d[0].by = "host";
	else if (l->over)
		d[0].over = "host";
	else
		d[0].partition = "host";
	feed_init(&f, SPAN, d, l->influencers);
	f.keep_nothing = true;
	f.conf.multivariate_by_fields = l->multivariate;
	before = allocated;
	feed_start(&f);
	expect_honest(&f, before, "new");
	for (int b = 0; b < l->buckets; b++) {
		add_load(&f, l, &r, b);
		if (b < 3 || b % 40 == 39)
			expect_honest(&f, before, l->function);
	}
	before = allocated;
	engine_free(f.engine);
	before -= allocated;
	f.engine = NULL;
	cr_expect_gt(before, 0);
	feed_clear(&f);
}

Test(memory, what_is_told_is_what_is_allocated)
{
	static const char *const user[] = { "user", NULL };
	static const struct load loads[] = {
		{ "mean", 1, 10, 200, false, false, NULL, false },
		{ "mean", 700, 1, 200, false, false, NULL, false },
		{ "mean", 700, 1, 40, true, false, NULL, false },
		{ "metric", 300, 1, 40, true, false, NULL, false },
		{ "median", 100, 400, 3, false, false, NULL, false },
		{ "distinct_count", 100, 400, 3, false, false, NULL, false },
		{ "distinct_count", 10, 400, 3, false, false, user, false },
		{ "median", 10, 400, 3, true, false, user, false },
		{ "mean", 100, 20, 10, false, false, user, false },
		{ "info_content", 100, 400, 3, false, false, NULL, false },
		{ "info_content", 10, 400, 3, true, false, user, false },
		{ "time_of_day", 300, 3, 40, true, false, NULL, false },
		{ "time_of_week", 300, 3, 10, false, false, user, false },
		{ "sum", 2000, 1, 40, false, true, NULL, false },
		{ "time_of_day", 2000, 1, 40, false, true, NULL, false },
		{ "time_of_week", 500, 2, 10, false, true, user, false },
		{ "metric", 500, 2, 10, false, true, user, false },
		{ "mean", 700, 1, 120, true, false, NULL, true },
	};

	for (size_t i = 0; i < NELEM(loads); i++)
		run_load(&loads[i]);
}

Test(memory, it_is_told_in_the_same_way_after_a_restart)
{
	static const struct load load = { "median", 50, 30, 0, true, false,
		NULL, true };
	struct feed_detector d[] = {
		{ .function = "median", .field = "v", .by = "host" },
		{ .function = NULL }
	};
	struct random r = random_seed(22);
	struct feed f;

	feed_init(&f, SPAN, d, NULL);
	f.conf.multivariate_by_fields = load.multivariate;
	f.conf.latency_s = 2 * SPAN;
	f.conf.model_prune_window_s = 3 * SPAN;
	feed_start(&f);
	for (int b = 0; b < 30; b++) {
		struct load l = load;
		struct model_size before;

		l.hosts = 10 + b * 7 % 40;
		add_load(&f, &l, &r, b);
		before = size_of(&f);
		feed_restart(&f);
		cr_assert_eq(size_of(&f).model_bytes, before.model_bytes,
		    "bucket %d: %lu, before %lu", b,
		    (unsigned long)size_of(&f).model_bytes,
		    (unsigned long)before.model_bytes);
		cr_assert_eq(size_of(&f).total_by_field_count,
		    before.total_by_field_count);
	}
	feed_clear(&f);
}

/* Giving up */

static const struct feed_detector count_by_host[] = {
	{ .function = "count", .by = "host", .partition = "site" },
	{ .function = NULL }
};

static void
add_host(struct feed *f, int b, const char *site, int number)
{
	char host[24];

	snprintf(host, sizeof(host), "host-%d", number);
	feed_set(f, "site", site);
	feed_set(f, "host", host);
	cr_assert_eq(feed_add(f, T0 + (int64_t)b * SPAN), 0);
}

Test(memory, what_has_no_data_for_the_window_is_given_up)
{
	struct feed f;

	feed_init(&f, SPAN, count_by_host, NULL);
	f.conf.model_prune_window_s = 5 * SPAN;
	feed_start(&f);
	add_host(&f, 0, "a", 1);
	add_host(&f, 0, "a", 2);
	add_host(&f, 0, "b", 3);
	for (int b = 1; b <= 5; b++)
		add_host(&f, b, "a", 1);
	/* buckets 1 to 4 are judged: silent for four */
	cr_expect_eq(size_of(&f).total_by_field_count, 3);
	cr_expect_eq(size_of(&f).total_partition_field_count, 2);
	add_host(&f, 6, "a", 1);
	cr_expect_eq(size_of(&f).total_by_field_count, 1);
	cr_expect_eq(size_of(&f).total_partition_field_count, 1);
	/* it begins anew */
	add_host(&f, 6, "b", 3);
	cr_expect_eq(size_of(&f).total_by_field_count, 2);
	cr_expect_eq(size_of(&f).total_partition_field_count, 2);
	feed_clear(&f);
}

Test(memory, what_is_not_split_is_never_given_up)
{
	struct feed f;

	feed_init(&f, SPAN, mean_v, NULL);
	f.conf.model_prune_window_s = 2 * SPAN;
	feed_start(&f);
	add_value(&f, T0, "v", 1);
	cr_assert_eq(feed_advance(&f, T0 + 50 * SPAN), 0);
	cr_expect_eq(size_of(&f).total_by_field_count, 1);
	feed_clear(&f);
}

/* Entities that live for a few buckets: memory stays that of those alive. */
Test(memory, a_stream_of_new_entities_takes_no_more_and_more_memory)
{
	size_t start = allocated, most = 0;
	struct model_size size;
	struct feed f;

	feed_init(&f, SPAN, count_by_host, NULL);
	f.conf.model_prune_window_s = 3 * SPAN;
	f.keep_nothing = true;
	start = allocated;
	feed_start(&f);
	for (int b = 0; b < 300; b++) {
		for (int i = 0; i < 20; i++)
			add_host(&f, b, i % 2 == 0 ? "a" : "b", b * 20 + i);
		if (b == 30)
			most = size_of(&f).model_bytes;
		if (b % 50 == 49)
			feed_restart(&f);
	}
	size = size_of(&f);
	cr_expect_leq(size.total_by_field_count, 4 * 20);
	cr_expect_leq(size.model_bytes, most);
	expect_honest(&f, start, "after 6000 entities");
	feed_clear(&f);
}

Test(memory, giving_up_and_restarts_change_no_result)
{
	struct random r[2] = { random_seed(23), random_seed(23) };
	struct feed f[2];

	for (int k = 0; k < 2; k++) {
		feed_init(&f[k], SPAN, count_by_host, NULL);
		f[k].conf.model_prune_window_s = 4 * SPAN;
		feed_start(&f[k]);
		for (int b = 0; b < 400; b++) {
			for (int i = 0; i < 15; i++)
				add_host(&f[k], b, i % 3 == 0 ? "a" : "b",
				    b / 9 % 7 * 5 +
					(int)(8 * random_uniform(&r[k])));
			if (b > 100 && b % 40 == 0)
				for (int i = 0; i < 60; i++)
					add_host(&f[k], b, "b", b / 9 % 7 * 5);
			if (k == 1)
				feed_restart(&f[k]);
		}
	}
	cr_assert_gt(f[0].nrecords, 5);
	cr_assert_eq(f[0].nrecords, f[1].nrecords);
	for (size_t i = 0; i < f[0].nrecords; i++) {
		const struct feed_record *x = &f[0].record[i];
		const struct feed_record *y = &f[1].record[i];

		cr_assert_eq(x->r.probability, y->r.probability);
		cr_assert_eq(x->r.record_score, y->r.record_score);
		cr_assert_str_eq(x->by, y->by);
	}
	feed_clear(&f[0]);
	feed_clear(&f[1]);
}

/* The limit */

static void
fill_to_the_limit(struct feed *f)
{
	feed_init(f, SPAN, count_by_host, NULL);
	f->conf.model_memory_limit_mb = 1;
	f->keep_nothing = true;
	feed_start(f);
	for (int i = 0; i < 2000; i++)
		add_host(f, 0, "a", i);
	cr_assert_eq(size_of(f).memory_status, MEMORY_HARD_LIMIT);
	cr_assert_leq(size_of(f).model_bytes, MIB);
}

Test(memory, new_entities_fit_again_when_others_were_given_up)
{
	struct model_size before, after;
	struct feed f;

	fill_to_the_limit(&f);
	before = size_of(&f);
	f.conf.model_prune_window_s = 3 * SPAN;
	for (int b = 1; b < 6; b++)
		add_host(&f, b, "a", 1);
	cr_expect_eq(size_of(&f).total_by_field_count, 1);
	cr_expect_lt(size_of(&f).model_bytes, MIB / 2);
	for (int i = 5000; i < 5100; i++)
		add_host(&f, 6, "a", i);
	after = size_of(&f);
	cr_expect_eq(after.total_by_field_count, 101);
	cr_expect_eq(after.bucket_allocation_failures_count,
	    before.bucket_allocation_failures_count);
	cr_expect_eq(after.memory_status, MEMORY_HARD_LIMIT, "until opened");
	engine_opened(f.engine);
	cr_expect_eq(size_of(&f).memory_status, MEMORY_OK);
	feed_clear(&f);
}

/* Without a window: it comes when memory is short, and shrinks by the hour. */
Test(memory, rarely_seen_series_are_given_up_when_memory_is_short)
{
	uint64_t began, b;
	struct feed f;

	fill_to_the_limit(&f);
	began = size_of(&f).total_by_field_count;
	for (b = 1; b < 12000; b++) {
		add_host(&f, (int)b, "a", 1);
		if (size_of(&f).total_by_field_count == 1)
			break;
	}
	cr_expect_gt(began, 300);
	/* 56 days at most, a quarter of 14 days at least */
	cr_expect_geq(b * SPAN, 84 * 3600 - SPAN);
	cr_expect_lt(b * SPAN, 56 * 86400);
	feed_clear(&f);
}

Test(memory, models_get_no_seasons_while_memory_is_short)
{
	struct feed f;
	uint64_t before = 0;

	feed_init(&f, SPAN, count_by_host, NULL);
	f.conf.model_memory_limit_mb = 1;
	f.keep_nothing = true;
	feed_start(&f);
	for (int b = 0; b < 300; b++) {
		for (int i = 0; i < 400; i++)
			add_host(&f, b, "a", i);
		if (b == 0)
			before = size_of(&f).model_bytes;
	}
	cr_expect_eq(size_of(&f).memory_status, MEMORY_SOFT_LIMIT);
	cr_expect_eq(size_of(&f).total_by_field_count, 400);
	/* some began before it was short: as many as fit into 0.6 */
	cr_expect_lt(size_of(&f).model_bytes, before + 8192);
	feed_clear(&f);
}

/* All began together; the tables of an hour's sixth come in each bucket. */
Test(memory, tables_of_series_that_began_together_come_one_after_the_other)
{
	uint64_t most = 0, was, grown = 0;
	struct feed f;

	feed_init(&f, SPAN, count_by_host, NULL);
	f.keep_nothing = true;
	feed_start(&f);
	for (int b = 0; b < 14; b++) {
		was = b == 0 ? 0 : size_of(&f).model_bytes;
		for (int i = 0; i < 600; i++)
			add_host(&f, b, "a", i);
		if (b < 2)
			continue;
		grown += size_of(&f).model_bytes - was;
		if (size_of(&f).model_bytes - was > most)
			most = size_of(&f).model_bytes - was;
	}
	cr_expect_gt(grown, 600 * 1000, "they have got them");
	cr_expect_leq(most, grown / 5);
	feed_clear(&f);
}

/* The values are known all over, but not in each series. */
Test(memory, values_of_influencers_find_no_room_beyond_the_limit)
{
	static const char *const fields[] = { "user", "group", NULL };
	struct feed_detector by_host[] = {
		{ .function = "max", .field = "v", .by = "host" },
		{ .function = NULL }
	};
	char host[24], user[24];
	struct feed f;

	feed_init(&f, SPAN, by_host, fields);
	f.conf.model_memory_limit_mb = 1;
	feed_start(&f);
	for (int i = 0; i < 300 * 16; i++) {
		snprintf(host, sizeof(host), "host-%d", i % 300);
		snprintf(user, sizeof(user), "user-%d", i / 300);
		feed_set(&f, "host", host);
		feed_set(&f, "user", user);
		feed_set(&f, "group", user);
		add_value(&f, T0, "v", i);
	}
	cr_expect_eq(size_of(&f).total_by_field_count, 300);
	cr_expect_gt(size_of(&f).model_bytes, MIB - 4096);
	cr_expect_lt(size_of(&f).model_bytes, MIB + 4096);
	feed_clear(&f);
}

/* As in a state of an earlier version, which has not noted when it was. */
Test(memory, what_has_data_in_an_open_bucket_is_not_given_up)
{
	struct feed f;

	feed_init(&f, SPAN, count_by_host, NULL);
	f.conf.model_prune_window_s = 3 * SPAN;
	feed_start(&f);
	add_host(&f, 0, "a", 1);
	f.engine->table.series[0]->data_s = T0 - 100 * SPAN;
	feed_restart(&f);
	cr_assert_eq(feed_advance(&f, T0 + SPAN), 0);
	cr_expect_eq(size_of(&f).total_by_field_count, 1);
	feed_clear(&f);
}

/* Results for what is there in less than a tenth of buckets only */
Test(memory, frequent_by_values_have_no_results_where_these_are_excluded)
{
	for (int exclude = 0; exclude < 2; exclude++) {
		struct feed_detector d[] = {
			{ .function = "high_non_zero_count",
			    .by = "host",
			    .exclude_frequent = exclude == 1 },
			{ .function = NULL }
		};
		size_t rare = 0, frequent = 0;
		struct random r = random_seed(24);
		struct feed f;

		feed_init(&f, SPAN, d, NULL);
		feed_start(&f);
		for (int b = 0; b < 2400; b++) {
			int n = b % 400 == 399 ? 60 : 4;

			feed_set(&f, "host", "frequent");
			add_times(
			    &f, T0 + b * SPAN, n + (int)random_poisson(&r, 4));
			feed_set(&f, "host", "rare");
			if (b % 20 == 19)
				add_times(&f, T0 + b * SPAN,
				    n + (int)random_poisson(&r, 4));
		}
		for (size_t i = 0; i < f.nrecords; i++) {
			rare += strcmp(f.record[i].by, "rare") == 0;
			frequent += strcmp(f.record[i].by, "frequent") == 0;
		}
		cr_expect_gt(rare, 0);
		if (exclude == 1)
			cr_expect_eq(frequent, 0);
		else
			cr_expect_gt(frequent, 0);
		feed_clear(&f);
	}
}
