/* Owns the comparison of a day with the other days of the week. */
#include "common/compat.h"

#include <math.h>
#include <string.h>

#include "worker/level.h"
#include "worker/likeday.h"
#include "worker/narrow.h"

#define DAY_S 86400
/* The night that follows a day is like the night after the other. */
#define NIGHT_S (6 * 3600)

/* A bucket that is further off than this makes a day suspicious. */
#define WRONG_SCALES 4.0
/* Only what is usual on the other day speaks for it. */
#define FITS 2.0
/*
 * One day in 30 is a holiday, and there are six to choose from: 5 nats. As much
 * again, for whatever is wrong may look like another day by chance. A bucket
 * has 5.8 at most, so that it takes two at least.
 */
#define LN_LIKE 10.0
/* The way back needs less: that a day is like itself is the rule. */
#define LN_BACK 5.0

static int64_t
day_of(int64_t time_s)
{
	return (time_s - (time_s % DAY_S + DAY_S) % DAY_S) / DAY_S;
}

uint32_t
likeday_at(const struct likeday *l, int64_t time_s)
{
	int64_t since = time_s - l->day * DAY_S;

	return since >= 0 && since < DAY_S + NIGHT_S ? l->as : 0;
}

static void
begin(struct likeday *l, int64_t day)
{
	memset(l, 0, sizeof(*l));
	l->day = day;
}

/* ln density of the value on such a day, but for a constant. */
static double
ln_density(const struct season *week, int64_t time_s, double value,
    double scale, double *off)
{
	double usual;

	if (!season_at(week, time_s, &usual))
		return -INFINITY;
	*off = (value - usual) / scale;
	return level_ln_density(*off, 1);
}

/* What is gone is not owed: each sum begins anew at nothing. */
static double
add_to(float *sum, double ln)
{
	*sum = narrow(fmax(0, (double)*sum + ln));
	return (double)*sum;
}

static void
seek(struct likeday *l, const struct season *week, int64_t time_s, double value,
    double scale, double own)
{
	double best = 0, off = 0;
	uint32_t like = 0;

	for (uint32_t k = 1; k < LIKEDAY_DAYS; k++) {
		double ln = ln_density(
		    week, time_s - (int64_t)k * DAY_S, value, scale, &off);
		double sum;

		if (fabs(off) > FITS)
			ln = fmin(ln, own);
		sum = add_to(&l->ln[k], ln - own);

		if (sum > best) {
			best = sum;
			like = k;
		}
	}
	l->buckets = best > 0 ? l->buckets + 1 : 0;
	if (best > LN_LIKE) {
		l->as = like;
		l->back = 0;
	}
}

void
likeday_learn(struct likeday *l, const struct season *week, int64_t time_s,
    double value, double scale)
{
	int64_t day = day_of(time_s);
	double off, own, other;

	if (l->day != day && likeday_at(l, time_s) == 0)
		begin(l, day);
	own = ln_density(week, time_s, value, scale, &off);
	if (!isfinite(own) ||
	    (l->buckets == 0 && l->as == 0 && fabs(off) < WRONG_SCALES))
		return;
	if (l->as == 0) {
		seek(l, week, time_s, value, scale, own);
		return;
	}
	other = ln_density(
	    week, time_s - (int64_t)l->as * DAY_S, value, scale, &off);
	if (add_to(&l->back, own - other) > LN_BACK)
		begin(l, day);
}
