/*
 * How many of the values that come lie within the intervals of forecasts: of
 * series that are generated here, and of files with lines "time,value" (NAB's
 * form) that are named. Forecasts are made from an origin each day of data
 * once a quarter is seen, for a week, and no further ahead than was seen.
 *
 *	bench_forecast [--each] [FILE ...]
 */
#include "common/compat.h"

#include <err.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/random.h"
#include "worker/forecast.h"

#define DAY_S 86400
#define MEMORY 4032.0 /* of the engine, in buckets: two weeks */
#define VALUES_MAX 40000
#define BANDS 6
#define SEEDS 4

static const int64_t band_end[BANDS] = { 3, 12, 48, 192, 768, INT64_MAX };

struct series {
	int64_t span_s;
	enum model_kind kind;
	size_t n;
	int64_t time_s[VALUES_MAX];
	double value[VALUES_MAX];
};

struct cover {
	double n[BANDS];
	double in[BANDS];
	double width[BANDS]; /* over the spread of the series */
};

static bool each;

static void
add(struct cover *to, const struct cover *c)
{
	for (size_t i = 0; i < BANDS; i++) {
		to->n[i] += c->n[i];
		to->in[i] += c->in[i];
		to->width[i] += c->width[i];
	}
}

static void
print(const char *name, const struct cover *c)
{
	double n = 0, in = 0;

	printf("%-28.28s", name);
	for (size_t i = 0; i < BANDS; i++) {
		n += c->n[i];
		in += c->in[i];
		if (c->n[i] > 0)
			printf(" %5.1f (%4.2f)", 100 * c->in[i] / c->n[i],
			    c->width[i] / c->n[i]);
		else
			printf("       -      ");
	}
	printf("  %5.1f of %.0f\n", n > 0 ? 100 * in / n : 0, n);
}

static double
spread_of(const struct series *s)
{
	double sum = 0, squares = 0, n = (double)s->n;

	for (size_t i = 0; i < s->n; i++)
		sum += s->value[i];
	for (size_t i = 0; i < s->n; i++)
		squares += (s->value[i] - sum / n) * (s->value[i] - sum / n);
	return fmax(sqrt(squares / n), 1e-9);
}

/* What comes after the i-th value, as the model sees it then. */
static void
look_ahead(const struct series *s, const struct model *m, size_t i,
    double spread, struct cover *c)
{
	int64_t now = s->time_s[i], most = now - m->first_s;

	if (most > 7 * DAY_S)
		most = 7 * DAY_S;
	for (size_t k = i + 1; k < s->n && s->time_s[k] - now <= most; k++) {
		int64_t ahead = (s->time_s[k] - now) / s->span_s;
		struct forecast f;
		size_t b = 0;

		forecast_at(m, s->kind, s->time_s[k], (double)ahead, &f);
		while (ahead > band_end[b])
			b++;
		c->n[b]++;
		c->in[b] += s->value[k] >= f.lower && s->value[k] <= f.upper;
		c->width[b] += fmin((f.upper - f.lower) / spread, 100);
	}
}

static void
run(const char *name, const struct series *s, struct cover *all)
{
	double spread = spread_of(s);
	struct cover c = { { 0 }, { 0 }, { 0 } };
	struct model_params p;
	struct model m;
	int64_t next_s;

	model_params_init(&p, s->span_s, MEMORY);
	model_init(&m);
	next_s = s->time_s[s->n / 4];
	for (size_t i = 0; i < s->n; i++) {
		struct outlook o;

		model_look(&m, s->kind, s->time_s[i], s->value[i], &o);
		if (model_learn(&m, &p, &o, true) == -1)
			err(1, "model");
		if (s->time_s[i] < next_s || !forecast_is_known(&m))
			continue;
		look_ahead(s, &m, i, spread, &c);
		/* not at the same time of day each time */
		next_s = s->time_s[i] + DAY_S + 11 * s->span_s;
	}
	model_clear(&m);
	if (each)
		print(name, &c);
	add(all, &c);
}

/* ---- generated ---- */

static double
student(struct random *r)
{
	double squares = 0;

	for (int i = 0; i < 4; i++) {
		double z = random_normal(r);

		squares += z * z;
	}
	return random_normal(r) / sqrt(squares / 4);
}

enum shape {
	NOISE,
	SLOW,
	WALK,
	TREND,
	DAILY,
	WEEKLY,
	JUMPS,
	COUNTS,
	FEW,
	HEAVY,
	PRODUCT,
	SHAPES
};

static const char *const shape_name[SHAPES] = { "noise", "noise that lasts",
	"walk", "trend", "day", "week", "jumps", "counts by day", "few counts",
	"heavy tails", "factors by day" };

static void
make(struct series *s, enum shape shape, uint64_t seed)
{
	struct random r = random_seed(seed * 100 + shape);
	double level = 0, slow = 0;

	*s = (struct series){ .span_s = 600,
		.kind =
		    shape == COUNTS || shape == FEW ? MODEL_COUNT : MODEL_REAL,
		.n = 28 * 144 };
	for (size_t i = 0; i < s->n; i++) {
		int64_t t = 1400000000 / DAY_S * DAY_S + (int64_t)i * 600;
		double day = sin(6.283185307179586 * (double)i / 144);
		bool weekend = (t / DAY_S + 4) % 7 % 6 == 0;
		double z = random_normal(&r), x = 100;

		slow = 0.95 * slow + z;
		if (shape == WALK)
			level += 0.3 * random_normal(&r);
		if (shape == JUMPS && random_uniform(&r) < 1.0 / 400)
			level += 5 * random_normal(&r);
		switch (shape) {
		case NOISE:
			x += 5 * z;
			break;
		case SLOW:
			x += 3 * slow;
			break;
		case WALK:
		case JUMPS:
			x += level + z;
			break;
		case TREND:
			x += 0.02 * (double)i + 3 * z;
			break;
		case DAILY:
			x += 30 * day + 4 * z;
			break;
		case WEEKLY:
			x += (weekend ? 5 : 30) * day + 4 * z;
			break;
		case COUNTS:
			x = random_poisson(&r, 60 + 50 * day);
			break;
		case FEW:
			x = random_poisson(&r, 0.8);
			break;
		case HEAVY:
			x += 4 * student(&r);
			break;
		case PRODUCT:
			x = exp(4 + 0.5 * day + 0.3 * z);
			break;
		case SHAPES:
			break;
		}
		s->time_s[i] = t;
		s->value[i] = x;
	}
}

/* ---- files ---- */

static int
compare(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static int64_t
usual_gap(const struct series *s)
{
	int64_t *gap = calloc(s->n, sizeof(*gap)), usual;
	size_t n = 0;

	if (gap == NULL)
		err(1, "gaps");
	for (size_t i = 1; i < s->n; i++)
		if (s->time_s[i] > s->time_s[i - 1])
			gap[n++] = s->time_s[i] - s->time_s[i - 1];
	if (n == 0)
		errx(1, "a file of one time");
	qsort(gap, n, sizeof(*gap), compare);
	usual = gap[n / 2];
	free(gap);
	return usual;
}

/* Means of buckets, as a job would make them. */
static void
put_in_buckets(struct series *s)
{
	double sum = 0, n = 0;
	size_t at = 0;

	for (size_t i = 0; i < s->n; i++) {
		int64_t start = s->time_s[i] / s->span_s * s->span_s;

		sum += s->value[i];
		n++;
		if (i + 1 < s->n &&
		    s->time_s[i + 1] / s->span_s * s->span_s == start)
			continue;
		s->time_s[at] = start;
		s->value[at++] = sum / n;
		sum = n = 0;
	}
	s->n = at;
}

static bool
read_file(struct series *s, const char *path)
{
	FILE *f = fopen(path, "r");
	char line[256];

	if (f == NULL)
		err(1, "%s", path);
	memset(s, 0, sizeof(*s));
	while (s->n < VALUES_MAX && fgets(line, sizeof(line), f) != NULL) {
		struct tm tm;
		char *end;
		int64_t t;

		memset(&tm, 0, sizeof(tm));
		end = strptime(line, "%Y-%m-%d %H:%M:%S", &tm);
		if (end == NULL || *end != ',')
			continue; /* the head */
		t = timegm(&tm);
		if (s->n > 0 && t < s->time_s[s->n - 1])
			continue; /* clocks that were put back */
		s->time_s[s->n] = t;
		s->value[s->n++] = strtod(end + 1, NULL);
	}
	fclose(f);
	if (s->n < 100)
		return false;
	s->span_s = usual_gap(s);
	put_in_buckets(s);
	return true;
}

int
main(int argc, char **argv)
{
	struct series *s = malloc(sizeof(*s));
	struct cover generated = { { 0 }, { 0 }, { 0 } };
	struct cover files = { { 0 }, { 0 }, { 0 } };
	int first = 1;

	if (s == NULL)
		err(1, "series");
	if (argc > 1 && strcmp(argv[1], "--each") == 0) {
		each = true;
		first++;
	}
	printf("within 95 %% (width)          buckets ahead: 1-3    4-12      "
	       "   13-48        49-192       193-768      more\n");
	for (enum shape k = NOISE; k < SHAPES; k++) {
		struct cover c = { { 0 }, { 0 }, { 0 } };

		for (uint64_t seed = 1; seed <= SEEDS; seed++) {
			make(s, k, seed);
			run(shape_name[k], s, &c);
		}
		print(shape_name[k], &c);
		add(&generated, &c);
	}
	print("all of these", &generated);
	for (int i = first; i < argc; i++) {
		const char *name = strrchr(argv[i], '/');

		if (read_file(s, argv[i]))
			run(name == NULL ? argv[i] : name + 1, s, &files);
	}
	if (first < argc)
		print("files", &files);
	free(s);
	return 0;
}
