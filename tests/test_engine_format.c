/*
 * A state of an older format is loaded, and goes on. The fixtures were written
 * by this file, linked with the engines of those formats:
 *
 *	WRITE_STATE=engine-format-4 tests/test_engine_format
 */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/engine_feed.h"
#include "worker/engine_int.h"
#include "worker/snapshot.h"

#define SPAN 7200
#define T0 INT64_C(1704067200)
#define BUCKETS_A_WEEK (7 * 86400 / SPAN)
#define LEARNT (4 * BUCKETS_A_WEEK)

static const struct feed_detector detectors[] = {
	{ .function = "mean", .field = "v", .partition = "host" },
	{ .function = "count" },
	{ .function = NULL },
};

static const char *const influencers[] = { "host", NULL };

/* Two hosts that work from Monday to Friday. */
static void
learn(struct feed *f, int from, int to)
{
	static const char *const host[] = { "a", "b" };
	char text[32];

	for (int i = from; i < to; i++) {
		int hour = i % 12, day = i / 12 % 7;

		for (int h = 0; h < 2; h++) {
			int v = 40 + 7 * h + (i * 37 + h * 11) % 5;

			if (hour >= 4 && hour < 9 && day < 5)
				v += 60;
			snprintf(text, sizeof(text), "%d", v);
			feed_set(f, "v", text);
			feed_set(f, "host", host[h]);
			cr_assert_eq(feed_add(f, T0 + (int64_t)i * SPAN), 0);
		}
	}
}

static void
write_state(const struct feed *f, const char *path)
{
	struct snapshot_writer *w = snapshot_writer_memory();
	const uint8_t *data;
	size_t len;
	FILE *to = fopen(path, "w");

	cr_assert_eq(engine_save(f->engine, w), 0);
	cr_assert_eq(snapshot_memory(w, &data, &len), 0);
	cr_assert_eq(fwrite(data, 1, len, to), len);
	cr_assert_eq(fclose(to), 0);
	snapshot_writer_free(w);
}

/* The feed's engine is new. */
static void
load_state(struct feed *f, const char *name, uint32_t format)
{
	static uint8_t data[1 << 17];
	const char *srcdir = getenv("srcdir");
	struct snapshot_reader *r;
	char path[1024];
	size_t len;
	FILE *from;

	snprintf(path, sizeof(path), "%s/tests/fixtures/%s",
	    srcdir == NULL ? "." : srcdir, name);
	from = fopen(path, "r");
	cr_assert_not_null(from, "%s", path);
	len = fread(data, 1, sizeof(data), from);
	fclose(from);
	r = snapshot_reader_memory(data, len);
	cr_assert_not_null(r);
	cr_expect_eq(snapshot_format(r), format);
	cr_assert_eq(engine_load(f->engine, r), 0);
	snapshot_reader_free(r);
}

static double
top_score(const struct feed *f)
{
	const struct feed_record *top = feed_top_record(f);

	return top == NULL ? 0 : top->r.record_score;
}

static void
expect_going_on(const char *name, uint32_t format)
{
	const char *path = getenv("WRITE_STATE");
	struct feed f;

	feed_init(&f, SPAN, detectors, influencers);
	feed_start(&f);
	if (path != NULL) {
		learn(&f, 0, LEARNT);
		write_state(&f, path);
	} else
		load_state(&f, name, format);
	learn(&f, LEARNT, LEARNT + 2 * BUCKETS_A_WEEK);
	cr_expect_lt(top_score(&f), 25, "%g", top_score(&f));
	feed_restart(&f); /* as a state of today's format */
	feed_set(&f, "v", "140");
	cr_assert_eq(
	    feed_add(&f, T0 + (int64_t)(LEARNT + 2 * BUCKETS_A_WEEK) * SPAN),
	    0);
	cr_assert_eq(
	    feed_advance(
		&f, T0 + (int64_t)(LEARNT + 2 * BUCKETS_A_WEEK + 1) * SPAN),
	    0);
	cr_expect_gt(top_score(&f), 50, "%g", top_score(&f));
	feed_clear(&f);
}

Test(engine_format, a_state_of_format_4_goes_on)
{
	expect_going_on("engine-format-4", 4);
}

Test(engine_format, a_state_of_format_5_goes_on)
{
	expect_going_on("engine-format-5", 5);
}

Test(engine_format, what_format_4_did_not_have_begins_anew)
{
	const struct engine *e;
	uint32_t nmodels = 0;
	struct feed f;

	feed_init(&f, SPAN, detectors, influencers);
	feed_start(&f);
	load_state(&f, "engine-format-4", 4);
	e = f.engine;
	cr_expect_eq(e->completeness.events.n, 0);
	for (uint32_t i = 0; i < e->table.numbers.n; i++) {
		const struct series *s = e->table.series[i];

		cr_assert_not_null(s);
		cr_expect_eq(s->role, SERIES_ALONE);
		for (uint32_t k = 0; k < s->nmodels; k++, nmodels++) {
			const struct model *m = &s->model[k];

			cr_expect_gt(m->n, 100);
			cr_expect_eq(m->width[UP], 1);
			cr_expect_eq(m->width[DOWN], 1);
			cr_expect_eq(m->reach, 0);
			cr_expect_eq(m->borrowed, 0);
			cr_expect_null(m->horizons);
			cr_expect_null(m->calendar);
		}
	}
	cr_expect_eq(nmodels, 3);
	feed_clear(&f);
}
