/*
 * Four weeks of 1,000 series with a day and a week in them: how long a bucket
 * takes in the mean and at most, while tables of seasons are made, and how long
 * it takes to save and to load the state. Processor time.
 */
#include "common/compat.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/cputime.h"
#include "tests/engine_feed.h"
#include "tests/random.h"

#define SPAN 300
#define HOSTS 1000
#define BUCKETS (28 * 86400 / SPAN)
#define LOADS 5
#define DAY_S 86400.0

static const struct feed_detector mean_by_host[] = {
	{ .function = "mean", .field = "v", .partition = "host" },
	{ .function = NULL }
};

static double
value_at(int64_t time_s, struct random *r)
{
	bool weekend = time_s / 86400 % 7 >= 5;

	return 100 +
	    (weekend ? 10 : 40) * sin(2 * M_PI * (double)time_s / DAY_S) +
	    3 * random_normal(r);
}

/* Records of one bucket, then its end. Returns what that took. */
static double
run_bucket(struct feed *f, int bucket, struct random *r)
{
	int64_t time_s = (int64_t)bucket * SPAN;
	static char text[HOSTS][24];
	char host[16];
	double began;

	for (int i = 0; i < HOSTS; i++)
		snprintf(text[i], sizeof(text[i]), "%.4f", value_at(time_s, r));
	began = cpu_ms();
	for (int i = 0; i < HOSTS; i++) {
		snprintf(host, sizeof(host), "host-%d", i);
		feed_set(f, "host", host);
		feed_set(f, "v", text[i]);
		if (feed_add(f, time_s) == -1)
			abort();
	}
	if (feed_advance(f, time_s + SPAN) == -1)
		abort();
	return cpu_ms() - began;
}

static void
run_buckets(struct feed *f)
{
	double *ms = calloc(BUCKETS, sizeof(*ms)), sum = 0;
	struct random r = random_seed(1);
	int slowest = 0;

	if (ms == NULL)
		abort();
	for (int b = 0; b < BUCKETS; b++) {
		ms[b] = run_bucket(f, b, &r);
		sum += ms[b];
		if (ms[b] > ms[slowest])
			slowest = b;
	}
	printf("%d series, %d buckets: %.3f ms in the mean; the slowest, %d, "
	       "%.3f ms, %.1f times as long\n",
	    HOSTS, BUCKETS, sum / BUCKETS, slowest, ms[slowest],
	    ms[slowest] * BUCKETS / sum);
	printf("bucket 0 %.3f ms, 4 to 6 %.3f %.3f %.3f, at 7 days %.3f %.3f\n",
	    ms[0], ms[4], ms[5], ms[6], ms[2016], ms[2017]);
	free(ms);
}

static void
load(const struct feed *f, const uint8_t *data, size_t len)
{
	struct result_sink none = { 0 };
	struct engine *e = engine_new(&f->conf, &none);
	struct snapshot_reader *r = snapshot_reader_memory(data, len);

	if (e == NULL || r == NULL || engine_load(e, r) == -1)
		abort();
	snapshot_reader_free(r);
	engine_free(e);
}

static void
run_state(const struct feed *f)
{
	struct snapshot_writer *w = snapshot_writer_memory();
	struct model_size size = { 0 };
	const uint8_t *data;
	double began = cpu_ms(), saved, loaded;
	size_t len;

	if (w == NULL || engine_save(f->engine, w) == -1 ||
	    snapshot_memory(w, &data, &len) == -1)
		abort();
	saved = cpu_ms() - began;
	began = cpu_ms();
	for (int i = 0; i < LOADS; i++)
		load(f, data, len);
	loaded = (cpu_ms() - began) / LOADS;
	engine_size(f->engine, &size);
	printf("%.1f MB of models: saved in %.1f ms, %.1f MB; loaded in %.1f "
	       "ms\n",
	    (double)size.model_bytes / 1e6, saved, (double)len / 1e6, loaded);
	snapshot_writer_free(w);
}

int
main(void)
{
	struct feed f;

	feed_init(&f, SPAN, mean_by_host, NULL);
	f.keep_nothing = true;
	feed_start(&f);
	run_buckets(&f);
	run_state(&f);
	feed_clear(&f);
	return 0;
}
