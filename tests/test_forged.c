/*
 * States of engines of which numbers were forged, each within the bounds that
 * its schema has: they are refused, or can be gone on with and saved again.
 */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdio.h>

#include "common/explanation.h"
#include "tests/engine_cases.h"
#include "tests/random.h"
#include "worker/snapshot.h"

#define HOSTS 12
#define LEARNT 300
#define GONE_ON 8
#define FORGERIES 60
#define SHARE 5e-4 /* of numbers that are forged: few, or none is believed */

static const struct feed_detector together[] = {
	{ .function = "mean", .field = "v", .by = "host", .partition = "app" },
	{ .function = "high_count", .by = "host" }, { .function = NULL }
};
static const struct feed_detector people[] = {
	{ .function = "metric", .field = "v", .by = "app", .over = "host" },
	{ .function = "rare", .by = "app", .over = "host" },
	{ .function = NULL }
};
static const struct feed_detector whereabouts[] = {
	{ .function = "time_of_day", .by = "app", .over = "host" },
	{ .function = "time_of_week", .over = "host" },
	{ .function = "lat_long", .field = "v", .over = "host" },
	{ .function = NULL }
};
static const struct feed_detector alone[] = { { .function = "time_of_day",
						  .by = "host" },
	{ .function = "lat_long", .field = "v", .by = "host" },
	{ .function = "rare", .by = "app", .partition = "host" },
	{ .function = NULL } };

static struct random dice;
static bool forging;

int __real_snapshot_get(
    struct snapshot_reader *, const struct schema *, void *);
int __wrap_snapshot_get(
    struct snapshot_reader *, const struct schema *, void *);

/* One that is allowed: an end, something near, or of any size. */
static double
another(const struct schema_field *f, double old, double most)
{
	double v = 0;

	switch ((int)(random_uniform(&dice) * 6)) {
	case 0:
		v = -most;
		break;
	case 1:
		v = most;
		break;
	case 2:
		v = old + 1;
		break;
	case 3:
		v = old * random_uniform(&dice);
		break;
	case 4:
		v = pow(10, 600 * random_uniform(&dice) - 300);
		break;
	default:
		break;
	}
	return fmax(fmax(f->lo, -most), fmin(v, fmin(f->hi, most)));
}

static void
forge(const struct schema_field *f, char *obj)
{
	void *v = obj + f->offset;

	switch (f->kind) {
	case SCHEMA_BOOL:
		*(bool *)v = !*(bool *)v;
		return;
	case SCHEMA_U8:
		*(uint8_t *)v = (uint8_t)another(f, *(uint8_t *)v, UINT8_MAX);
		return;
	case SCHEMA_U16:
		*(uint16_t *)v =
		    (uint16_t)another(f, *(uint16_t *)v, UINT16_MAX);
		return;
	case SCHEMA_U32:
		*(uint32_t *)v =
		    (uint32_t)another(f, *(uint32_t *)v, UINT32_MAX);
		return;
	case SCHEMA_U64:
		*(uint64_t *)v =
		    (uint64_t)another(f, (double)*(uint64_t *)v, 1e19);
		return;
	case SCHEMA_I64:
		*(int64_t *)v =
		    (int64_t)another(f, (double)*(int64_t *)v, 9e18);
		return;
	case SCHEMA_F64:
		*(double *)v = another(f, *(double *)v, DBL_MAX);
		return;
	case SCHEMA_STR:
	case SCHEMA_BYTES:
		return;
	}
}

int
__wrap_snapshot_get(
    struct snapshot_reader *r, const struct schema *sc, void *obj)
{
	int rc = __real_snapshot_get(r, sc, obj);

	for (size_t i = 0; forging && rc == 0 && i < sc->nfields; i++) {
		if (random_uniform(&dice) < SHARE)
			forge(&sc->fields[i], obj);
	}
	return rc;
}

/* What a store of results would refuse. */
static int
take_record(void *arg, const struct record_result *r)
{
	struct wbuf wb;

	(void)arg;
	cr_assert(r->probability >= 0 && r->probability <= 1);
	cr_assert(r->record_score >= 0 && r->record_score <= 100);
	for (size_t i = 0; i < r->nvalues; i++)
		cr_assert(isfinite(r->typical[i]) && isfinite(r->actual[i]));
	for (size_t i = 0; i < r->ncauses; i++)
		cr_assert(isfinite(r->cause[i].typical[0]));
	wbuf_init(&wb, 0);
	cr_assert_eq(explanation_put(&wb, &r->why), 0);
	wbuf_clear(&wb);
	return 0;
}

static int
take_bucket(void *arg, const struct bucket_result *b)
{
	(void)arg;
	cr_assert(b->anomaly_score >= 0 && b->anomaly_score <= 100);
	return 0;
}

static int
take_drop(void *arg, int64_t from_ms)
{
	(void)arg;
	(void)from_ms;
	return 0;
}

static int
take_plot(void *arg, const struct plot_result *r)
{
	(void)arg;
	cr_assert(isfinite(r->lower) && isfinite(r->upper));
	cr_assert(isfinite(r->median));
	return 0;
}

static void
renew(struct feed *f)
{
	struct result_sink sink = { .record = take_record,
		.bucket = take_bucket,
		.drop_interim = take_drop,
		.plot = take_plot };

	engine_free(f->engine);
	f->engine = engine_new(&f->conf, &sink);
	cr_assert_not_null(f->engine);
}

static void
add_bucket(struct feed *f, struct random *r, int b)
{
	double load = random_normal(r);
	char text[48];

	for (int h = 0; h < HOSTS; h++) {
		double v = 100 + 10 * load + random_normal(r);

		if ((h + b) % 9 == 0)
			continue;
		snprintf(text, sizeof(text), "h%d", h);
		feed_set(f, "host", text);
		snprintf(text, sizeof(text), "a%d", h % 3);
		feed_set(f, "app", text);
		snprintf(text, sizeof(text), "%.3f,%.3f", v / 4, v);
		if (f->conf.detector[0].field_name != NULL)
			snprintf(text, sizeof(text), "%.6f", v);
		feed_set(f, "v", text);
		cr_assert_eq(feed_add(f, T0 + b * f->conf.bucket_span_s), 0);
	}
}

/* 0; -1: refused */
static int
load(struct feed *f, const uint8_t *data, size_t len)
{
	struct snapshot_reader *r = snapshot_reader_memory(data, len);
	int rc;

	cr_assert_not_null(r);
	errno = 0;
	rc = engine_load(f->engine, r);
	if (rc == -1)
		cr_assert_eq(errno, EBADMSG);
	snapshot_reader_free(r);
	return rc;
}

static struct snapshot_writer *
save(const struct feed *f, const uint8_t **data, size_t *len)
{
	struct snapshot_writer *w = snapshot_writer_memory();

	cr_assert_eq(engine_save(f->engine, w), 0);
	cr_assert_eq(snapshot_memory(w, data, len), 0);
	return w;
}

static void
go_on(struct feed *f)
{
	struct random r = random_seed(3);
	struct snapshot_writer *w;
	const uint8_t *data;
	size_t len;

	for (int b = LEARNT; b < LEARNT + GONE_ON; b++)
		add_bucket(f, &r, b);
	w = save(f, &data, &len);
	renew(f);
	cr_assert_eq(load(f, data, len), 0);
	snapshot_writer_free(w);
}

static void
forge_some(const struct feed_detector *d, int64_t span_s)
{
	struct random r = random_seed(2);
	struct snapshot_writer *w;
	const uint8_t *data;
	int believed = 0, rc;
	struct feed f;
	size_t len;

	feed_init(&f, span_s, d, NULL);
	f.conf.multivariate_by_fields = f.conf.plot.enabled = true;
	feed_start(&f);
	renew(&f);
	for (int b = 0; b < LEARNT; b++)
		add_bucket(&f, &r, b);
	w = save(&f, &data, &len);
	for (uint64_t i = 0; i < FORGERIES; i++) {
		renew(&f);
		dice = random_seed(i);
		forging = true;
		rc = load(&f, data, len);
		forging = false;
		if (rc == -1)
			continue;
		believed++;
		go_on(&f);
	}
	cr_expect(believed > 0 && believed < FORGERIES, "%d", believed);
	snapshot_writer_free(w);
	feed_clear(&f);
}

Test(forged, series_that_go_together)
{
	forge_some(together, SPAN);
}

Test(forged, people)
{
	forge_some(people, SPAN);
}

Test(forged, times_and_places_of_people)
{
	forge_some(whereabouts, 3 * 3600);
}

Test(forged, times_and_places)
{
	forge_some(alone, 3 * 3600);
}
