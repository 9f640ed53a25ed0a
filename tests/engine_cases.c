/* Owns the detectors and records that tests of the engine begin with. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "tests/engine_cases.h"

const struct feed_detector count_all[] = { { .function = "count" },
	{ .function = NULL } };
const struct feed_detector mean_v[] = { { .function = "mean", .field = "v" },
	{ .function = NULL } };
const struct feed_detector mean_split[] = {
	{ .function = "mean", .field = "v", .by = "kpi", .partition = "host" },
	{ .function = NULL }
};
const char *const both_split[] = { "kpi", "host", NULL };

void
add_value(struct feed *f, int64_t time_s, const char *field, double v)
{
	char text[40];

	snprintf(text, sizeof(text), "%.17g", v);
	feed_set(f, field, text);
	cr_assert_eq(feed_add(f, time_s), 0);
}

void
add_times(struct feed *f, int64_t time_s, int n)
{
	for (int i = 0; i < n; i++)
		cr_assert_eq(feed_add(f, time_s), 0);
}

int64_t
add_buckets(struct feed *f, int64_t time_s, int n, int each)
{
	for (int i = 0; i < n; i++, time_s += f->conf.bucket_span_s)
		add_times(f, time_s, each);
	return time_s;
}

void
start_counting(struct feed *f)
{
	feed_init(f, SPAN, count_all, NULL);
	feed_start(f);
}

size_t
buckets_scoring(const struct feed *f, double least)
{
	size_t n = 0;

	for (size_t i = 0; i < f->nbuckets; i++)
		n += f->bucket[i].anomaly_score >= least;
	return n;
}

int64_t
each_look_takes_400_us(void)
{
	static int64_t ticks_us;

	return ticks_us += 400;
}
