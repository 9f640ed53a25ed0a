/*
 * How fast the engine alone takes records: prints one line for each shape of
 * job. Values are made beforehand, and processor time is taken, so that only
 * the engine is measured, even on a busy machine. Give a text that is in the
 * names of those that are to be run.
 */
#include "common/compat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/engine_feed.h"
#include "tests/random.h"

#define SPAN 300
#define NVALUES 4096

static const struct feed_detector mean_alone[] = {
	{ .function = "mean", .field = "v" }, { .function = NULL }
};
static const struct feed_detector mean_by_host[] = {
	{ .function = "mean", .field = "v", .partition = "host" },
	{ .function = NULL }
};
static const struct feed_detector count_by_host[] = {
	{ .function = "count", .partition = "host" }, { .function = NULL }
};
static const struct feed_detector sum_over_host[] = {
	{ .function = "sum", .field = "v", .over = "host" },
	{ .function = NULL }
};
static const struct feed_detector day_over_host[] = {
	{ .function = "time_of_day", .over = "host" }, { .function = NULL }
};
static const struct feed_detector rare_host[] = {
	{ .function = "rare", .by = "host" }, { .function = NULL }
};
static const char *const host_influences[] = { "host", NULL };
/* The values, too: there are many of them. */
static const char *const both_influence[] = { "host", "v", NULL };

static const struct shape {
	const char *name;
	const struct feed_detector *detectors;
	const char *const *influencers;
	int hosts;
	int each; /* records a series and bucket */
	int buckets;
} shapes[] = {
	{ "mean, 1 series, 1000 a bucket", mean_alone, NULL, 1, 1000, 5000 },
	{ "mean, 1000 partitions, 1 a bucket", mean_by_host, NULL, 1000, 1,
	    2000 },
	{ "mean, 1000 partitions, 100 a bucket", mean_by_host, NULL, 1000, 100,
	    30 },
	{ "mean, 100000 partitions, 1 a bucket", mean_by_host, NULL, 100000, 1,
	    20 },
	{ "count, 1000 partitions, 1 a bucket", count_by_host, NULL, 1000, 1,
	    2000 },
	{ "sum, 1000 people, 1 a bucket", sum_over_host, NULL, 1000, 1, 2000 },
	{ "sum, 1000 people, 10 a bucket", sum_over_host, NULL, 1000, 10, 300 },
	{ "sum, 100000 people, 1 a bucket", sum_over_host, NULL, 100000, 1,
	    20 },
	{ "time_of_day, 1000 people, 1 a bucket", day_over_host, NULL, 1000, 1,
	    500 },
	{ "time_of_day, 100000 people, 1 a bucket", day_over_host, NULL, 100000,
	    1, 20 },
	{ "rare, 1000 values, 1 a bucket", rare_host, NULL, 1000, 1, 2000 },
	{ "rare, 1000 values, 100 a bucket", rare_host, NULL, 1000, 100, 30 },
	{ "mean, 1 series, 100 influencer values", mean_alone, host_influences,
	    100, 10, 2000 },
	{ "mean, 1 series, two influencers", mean_alone, both_influence, 100,
	    10, 2000 },
};

struct texts {
	char (*host)[16];
	char value[NVALUES][24];
};

static void
make_texts(struct texts *t, int hosts)
{
	struct random r = random_seed(1);

	t->host = calloc((size_t)hosts, sizeof(*t->host));
	if (t->host == NULL)
		abort();
	for (int i = 0; i < hosts; i++)
		snprintf(t->host[i], sizeof(t->host[i]), "host-%d", i);
	for (int i = 0; i < NVALUES; i++)
		snprintf(t->value[i], sizeof(t->value[i]), "%.3f",
		    100 + 10 * random_normal(&r));
}

static void
put(struct feed *f, const char *field, const char *text)
{
	for (size_t i = 0; i < f->conf.nfields; i++) {
		if (strcmp(f->field[i], field) == 0)
			feed_put(f, i, text, strlen(text));
	}
}

static int
run_bucket(struct feed *f, const struct shape *s, const struct texts *t,
    int64_t time_s, size_t *next)
{
	for (int host = 0; host < s->hosts; host++) {
		put(f, "host", t->host[host]);
		for (int i = 0; i < s->each; i++) {
			put(f, "v", t->value[ *next = (*next + 1) % NVALUES]);
			if (feed_add(f, time_s) == -1)
				return -1;
		}
	}
	return 0;
}

static double
cpu_seconds(void)
{
	struct timespec ts;

	if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts) == -1)
		abort();
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void
run_shape(const struct shape *s)
{
	struct model_size size = { 0 };
	size_t next = 0;
	struct texts t;
	struct feed f;
	double began, seconds, n = (double)s->hosts * s->each * s->buckets;

	make_texts(&t, s->hosts);
	feed_init(&f, SPAN, s->detectors, s->influencers);
	f.keep_nothing = true;
	feed_start(&f);
	began = cpu_seconds();
	for (int b = 0; b < s->buckets; b++) {
		if (run_bucket(&f, s, &t, (int64_t)b * SPAN, &next) == -1)
			abort();
	}
	seconds = cpu_seconds() - began;
	engine_size(f.engine, &size);
	printf("%-40s %9.0f records/s %7.0f ns/record %8.0f bytes/series\n",
	    s->name, n / seconds, 1e9 * seconds / n,
	    (double)size.model_bytes /
		(double)(size.total_by_field_count +
		    size.total_over_field_count + 1));
	feed_clear(&f);
	free(t.host);
}

int
main(int argc, char **argv)
{
	for (size_t i = 0; i < NELEM(shapes); i++) {
		if (argc < 2 || strstr(shapes[i].name, argv[1]) != NULL)
			run_shape(&shapes[i]);
	}
	return 0;
}
