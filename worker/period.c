/* Owns the search for periods. */
#include "common/compat.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "worker/narrow.h"
#include "worker/period.h"

/* Three cycles at least, each of four steps or more. */
#define LAG_LEAST 4
#define CYCLES_LEAST 3
/* Of fewer steps with values there is too little to see. */
#define KNOWN_LEAST 0.75
#define CLIP 3.0

/*
 * Half of the variance comes back after a period, and most of that after two;
 * in between it was away: a level that wanders is like itself all the time.
 */
#define LIKE_LEAST 0.5
#define LIKE_AGAIN 0.4
#define AWAY_LEAST 0.4
/* Multiples of a period are as good as it, but for chance. */
#define LIKE_CHANCE 0.1

void
period_begin(struct period_probe *p, int64_t start_s, int64_t step_s)
{
	memset(p, 0, sizeof(*p));
	p->start_s = start_s;
	p->step_s = step_s;
	p->nsteps = PERIOD_STEPS / 2;
}

bool
period_is_due(const struct period_probe *p, int64_t time_s)
{
	return time_s - p->start_s >= p->nsteps * p->step_s;
}

bool
period_go_on(struct period_probe *p)
{
	if (p->nsteps == PERIOD_STEPS)
		return false;
	p->nsteps = PERIOD_STEPS;
	return true;
}

void
period_add(struct period_probe *p, int64_t time_s, double value)
{
	int64_t i = (time_s - p->start_s) / p->step_s;

	if (time_s < p->start_s || i >= PERIOD_STEPS)
		return;
	if (p->n[i] < UINT8_MAX)
		p->n[i]++;
	p->mean[i] =
	    narrow((double)p->mean[i] + (value - (double)p->mean[i]) / p->n[i]);
}

static int
by_size(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static double
median(double *v, size_t n)
{
	qsort(v, n, sizeof(*v), by_size);
	return v[n / 2];
}

/* A stretch of n steps, measured from its middle; holes repeat what was. */
struct stretch {
	size_t n;
	double v[PERIOD_STEPS];
	double like[PERIOD_STEPS]; /* to itself so many steps later, -1..1 */
};

/* false: there is nothing to see. */
static bool
standardise(const struct period_probe *p, struct stretch *s)
{
	double known[PERIOD_STEPS], middle, size = 0, mean = 0, last = 0;
	size_t n = 0;

	s->n = p->nsteps;
	for (size_t i = 0; i < s->n; i++) {
		if (p->n[i] > 0)
			known[n++] = (double)p->mean[i];
	}
	if ((double)n < KNOWN_LEAST * (double)s->n)
		return false;
	middle = median(known, n);
	for (size_t i = 0; i < n; i++)
		size += fabs(known[i] - middle) / (double)n;
	if (!(size > 0))
		return false;
	for (size_t i = 0; i < s->n; i++) {
		double v = ((double)p->mean[i] - middle) / size;

		if (p->n[i] > 0)
			last = fmin(fmax(v, -CLIP), CLIP);
		s->v[i] = last;
		mean += last / (double)s->n;
	}
	for (size_t i = 0; i < s->n; i++)
		s->v[i] -= mean;
	return true;
}

/* In four sums, which a processor adds up side by side. */
static double
product(const double *a, const double *b, size_t n)
{
	double sum[4] = { 0, 0, 0, 0 };
	size_t i = 0;

	for (; i + 4 <= n; i += 4) {
		sum[0] += a[i] * b[i];
		sum[1] += a[i + 1] * b[i + 1];
		sum[2] += a[i + 2] * b[i + 2];
		sum[3] += a[i + 3] * b[i + 3];
	}
	for (; i < n; i++)
		sum[0] += a[i] * b[i];
	return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

static void
compare(struct stretch *s, size_t most)
{
	double squares[PERIOD_STEPS + 1] = { 0 };

	for (size_t i = 0; i < s->n; i++)
		squares[i + 1] = squares[i] + s->v[i] * s->v[i];
	for (size_t lag = 0; lag <= most; lag++) {
		double early = squares[s->n - lag];
		double late = squares[s->n] - squares[lag];

		s->like[lag] = early > 0 && late > 0
		    ? product(s->v, s->v + lag, s->n - lag) / sqrt(early * late)
		    : 0;
	}
}

/* The lag near this one at which the stretch is most like itself. */
static double
sharpen(const double *like, size_t lag)
{
	double a = like[lag - 1], b = like[lag], c = like[lag + 1];
	double bend = a - 2 * b + c;

	return (double)lag + (bend < 0 ? 0.5 * (a - c) / bend : 0);
}

static bool
is_period(const double *like, size_t lag)
{
	double away = 1;

	if (like[lag] < LIKE_LEAST || like[lag] < like[lag - 1] ||
	    like[lag] < like[lag + 1] || like[2 * lag] < LIKE_AGAIN)
		return false;
	for (size_t i = 1; i < lag; i++)
		away = fmin(away, like[i]);
	return away <= like[lag] - AWAY_LEAST;
}

/* The shortest that is about as good as the best; 0: none. */
static size_t
best_lag(const double *like, size_t most)
{
	double best = 0;
	size_t found = 0;

	for (size_t i = LAG_LEAST; i <= most; i++) {
		if (is_period(like, i) && like[i] > best + LIKE_CHANCE) {
			best = like[i];
			found = i;
		}
	}
	return found;
}

int64_t
period_find(const struct period_probe *p)
{
	struct stretch s;
	size_t most = p->nsteps / CYCLES_LEAST, found;
	double lag;

	if (!standardise(p, &s))
		return 0;
	compare(&s, 2 * most + 1);
	found = best_lag(s.like, most);
	if (found == 0)
		return 0;
	lag = sharpen(s.like, found);
	/* the second time round tells it twice as exactly */
	for (size_t i = 2 * found - 1; i <= 2 * found + 1 && i <= 2 * most;
	     i++) {
		if (s.like[i] >= s.like[i - 1] && s.like[i] >= s.like[i + 1])
			lag = sharpen(s.like, i) / 2;
	}
	return (int64_t)llround(lag * (double)p->step_s);
}
