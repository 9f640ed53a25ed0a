/* Owns the days of the calendar that are not like others. */
#include "common/compat.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "worker/calendar.h"

#define DAY_S 86400
#define WEEK 7
/* Quarters of an hour: two months of sight are no better than that. */
#define SLOTS 96

/* An error counts no more than this: a spike does not make a day. */
#define CLIP 10.0
/* From so far off on, the day is kept, for it may turn out to be odd. */
#define WRONG 4.0
/*
 * A day is odd whose size is so many mean deviations from the usual; less than
 * the least of these is chance, or too little to matter.
 */
#define ODD 5.0
#define SPREAD_LEAST 0.03
/*
 * Days that tell what is usual. Their mean forgets over so many, for the first
 * ones of a series are rough; none counts for more than so many deviations.
 */
#define DAYS_LEAST 7
#define MEMORY 20.0
#define USUAL 3.0
/* Of buckets that a day has, so many make it one to be measured. */
#define DAY_PART 0.5

/* How far back odd days count. */
#define WINDOW 500
/* A feature has had so many, and such a share of its days were odd. */
#define REPEATS 3
#define SHARE 0.75
/* 1 in 2,000, of all sorts together. */
#define CHANCE 5e-4

#define FAILED_MOST 2
/* A day that was seen once tells the next one to a fifth. */
#define UNSURE 0.2

static int64_t
day_of(int64_t time_s)
{
	return (time_s - (time_s % DAY_S + DAY_S) % DAY_S) / DAY_S;
}

/* Monday is 0; 1970 began on a Thursday. */
static int32_t
weekday_of(int64_t day)
{
	return (int32_t)(((day + 3) % WEEK + WEEK) % WEEK);
}

/*
 * Day of the month from 0, and days of that month. Of the proleptic Gregorian
 * calendar, by years that begin in March (Richards, Explanatory Supplement to
 * the Astronomical Almanac, 3rd edition, section 15.11).
 */
static void
month_of(int64_t day, int32_t *at, int32_t *length)
{
	int64_t shifted = day + 719468; /* since 1 March of the year 0 */
	int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
	int64_t in_era = shifted - era * 146097;
	int64_t year =
	    (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
	int64_t in_year = in_era - (365 * year + year / 4 - year / 100);
	int64_t month = (5 * in_year + 2) / 153; /* 0 is March */
	int64_t from = (153 * month + 2) / 5, next = (153 * month + 155) / 5;

	*at = (int32_t)(in_year - from);
	*length = (int32_t)(next - from);
	if (month == 11) { /* February ends the year */
		year++;
		*length = 28 +
		    (year % 4 == 0 && (year % 100 != 0 || year % 400 == 0));
	}
}

/* Working days among so many days, of which the first is such a weekday. */
static int32_t
working_days(int32_t weekday, int32_t days)
{
	int32_t n = days / WEEK * (WEEK - 2);

	for (int32_t i = 0; i < days % WEEK; i++)
		n += (weekday + i) % WEEK < WEEK - 2;
	return n;
}

void
calendar_date(int64_t day, struct calendar_date *d)
{
	int32_t at, length, left, weekday = weekday_of(day);
	bool works = weekday < WEEK - 2;

	month_of(day, &at, &length);
	left = length - 1 - at;
	d->number[CAL_DAY_OF_MONTH] = at + 1;
	d->number[CAL_DAYS_BEFORE_END] = left;
	d->number[CAL_WEEKDAY_OF_MONTH] = at / WEEK * WEEK + weekday;
	d->number[CAL_LAST_WEEKDAY] = left / WEEK * WEEK + weekday;
	d->number[CAL_WORKING_DAY] =
	    works ? working_days(weekday_of(day - at), at) : -1;
	d->number[CAL_LAST_WORKING_DAY] =
	    works ? working_days(weekday_of(day + 1), left) : -1;
}

struct season *
calendar_table(int64_t span_s)
{
	return season_new(DAY_S, span_s, SLOTS);
}

struct calendar *
calendar_new(void)
{
	return calloc(1, sizeof(struct calendar));
}

void
calendar_free(struct calendar *c)
{
	if (c == NULL)
		return;
	for (uint32_t i = 0; i < c->nfeatures; i++)
		free(c->feature[i].table);
	free(c->today);
	free(c);
}

size_t
calendar_bytes(const struct calendar *c)
{
	size_t bytes;

	if (c == NULL)
		return 0;
	bytes = sizeof(*c) + season_bytes(c->today);
	for (uint32_t i = 0; i < c->nfeatures; i++)
		bytes += season_bytes(c->feature[i].table);
	return bytes;
}

static bool
is_on(const struct calendar_feature *f, const struct calendar_date *d)
{
	return d->number[f->sort] == f->number;
}

double
calendar_at(const struct calendar *c, int64_t time_s, double *unsure)
{
	struct calendar_date d;
	double sum = 0;

	*unsure = 0;
	if (c->nfeatures == 0)
		return 0;
	calendar_date(day_of(time_s), &d);
	for (uint32_t i = 0; i < c->nfeatures; i++) {
		const struct calendar_feature *f = &c->feature[i];
		double v;

		if (!is_on(f, &d) || !season_at(f->table, time_s, &v))
			continue;
		sum += v;
		*unsure += UNSURE * fabs(v);
	}
	return sum;
}

/*
 * ln of a bound on the chance that a feature has had k odd days or more of n,
 * when the share of odd days is that of all.
 */
static double
ln_chance(double k, double n, double share)
{
	double part = k / n, ln = k * log(part / share);

	if (part <= share)
		return 0;
	if (k < n)
		ln += (n - k) * log((1 - part) / (1 - share));
	return -ln;
}

static bool
was_odd(const struct calendar *c, int64_t day)
{
	for (uint32_t i = 0; i < c->nodd; i++) {
		if (c->odd[i] == day)
			return true;
	}
	return false;
}

/* The sort whose number of this day has had the odd ones; CAL_SORTS: none. */
static enum calendar_sort
find_sort(const struct calendar *c, const struct calendar_date *today)
{
	int64_t first = c->first_day;
	double n[CAL_SORTS] = { 0 }, k[CAL_SORTS] = { 0 }, share;
	double best = log(CHANCE / CAL_SORTS);
	enum calendar_sort found = CAL_SORTS;

	if (first < c->day - WINDOW)
		first = c->day - WINDOW;
	if (c->nodd == CALENDAR_ODD && first < c->odd[0])
		first = c->odd[0];
	for (int64_t day = first; day <= c->day; day++) {
		struct calendar_date d;
		bool odd = was_odd(c, day);

		calendar_date(day, &d);
		for (enum calendar_sort s = 0; s < CAL_SORTS; s++) {
			if (d.number[s] != today->number[s])
				continue;
			n[s]++;
			k[s] += odd;
		}
	}
	share = (c->nodd + 1.0) / ((double)(c->day - first) + 2);
	for (enum calendar_sort s = 0; s < CAL_SORTS; s++) {
		double ln;

		if (today->number[s] < 0 || k[s] < REPEATS ||
		    k[s] < SHARE * n[s])
			continue;
		ln = ln_chance(k[s], n[s], share);
		if (ln < best) {
			best = ln;
			found = s;
		}
	}
	return found;
}

static void
remember(struct calendar *c)
{
	if (c->nodd == CALENDAR_ODD) {
		memmove(c->odd, c->odd + 1, sizeof(c->odd) - sizeof(c->odd[0]));
		c->nodd--;
	}
	c->odd[c->nodd++] = (int32_t)c->day;
}

/* Whether an odd day belongs to a feature, old or new. */
static void
explain(struct calendar *c)
{
	struct calendar_feature *f = &c->feature[c->nfeatures];
	struct calendar_date d;
	enum calendar_sort sort;

	if (c->nfeatures == CALENDAR_MOST || c->today == NULL)
		return;
	calendar_date(c->day, &d);
	for (uint32_t i = 0; i < c->nfeatures; i++) {
		if (is_on(&c->feature[i], &d))
			return;
	}
	sort = find_sort(c, &d);
	if (sort == CAL_SORTS)
		return;
	f->sort = sort;
	f->number = d.number[sort];
	f->failed = 0;
	f->table = c->today;
	c->today = NULL;
	c->nfeatures++;
}

/* Whether the features of this day have been of use. */
static void
check_features(struct calendar *c)
{
	struct calendar_date d;
	uint32_t kept = 0;

	calendar_date(c->day, &d);
	for (uint32_t i = 0; i < c->nfeatures; i++) {
		struct calendar_feature *f = &c->feature[i];

		if (is_on(f, &d))
			f->failed = c->size < c->plain ? 0 : f->failed + 1;
		if (f->failed == FAILED_MOST)
			free(f->table);
		else
			c->feature[kept++] = *f;
	}
	c->nfeatures = kept;
}

static void
learn_usual(struct calendar *c, double size)
{
	double n = fmin(c->days + 1, MEMORY), off = size - c->usual;
	double most = USUAL * fmax(c->spread, SPREAD_LEAST);

	if (c->days >= DAYS_LEAST)
		off = fmax(-most, fmin(most, off));
	if (c->days > 0)
		c->spread += (fabs(off) - c->spread) / n;
	c->usual += off / n;
	if (c->days == 0)
		c->first_day = c->day;
	if (c->days < WINDOW)
		c->days++;
}

static bool
is_odd(const struct calendar *c, double size)
{
	return c->days >= DAYS_LEAST &&
	    size - c->usual > ODD * fmax(c->spread, SPREAD_LEAST);
}

static void
drop_day(struct calendar *c)
{
	free(c->today);
	c->today = NULL;
	c->buckets = c->size = c->plain = 0;
}

void
calendar_void(struct calendar *c)
{
	drop_day(c);
	c->begun = false;
	c->run = 0;
}

static void
end_day(struct calendar *c, int64_t span_s)
{
	if (c->buckets >= DAY_PART * DAY_S / (double)span_s) {
		bool odd = is_odd(c, c->plain / c->buckets);

		check_features(c);
		if (odd) {
			remember(c);
			explain(c);
		}
		c->run = odd ? c->run + 1 : 0;
		learn_usual(c, c->size / c->buckets);
	}
	drop_day(c);
}

void
calendar_begin(struct calendar *c, int64_t time_s, int64_t span_s,
    uint32_t base, double level)
{
	int64_t day = day_of(time_s);

	if (c->begun && day == c->day)
		return;
	if (c->begun)
		end_day(c, span_s);
	/* an odd day may have moved the level, which will be back: once */
	if (c->run != 1 || base != c->base)
		c->level = level;
	c->begun = true;
	c->base = base;
	c->day = day;
}

bool
calendar_wants_day(const struct calendar *c, double value, double scale)
{
	return c->today == NULL && c->days >= DAYS_LEAST &&
	    fabs(value - c->level) > WRONG * scale;
}

/* Up to the bucket that went wrong it was as usual. */
int
calendar_keep_day(struct calendar *c, int64_t time_s, int64_t span_s)
{
	c->today = calendar_table(span_s);
	if (c->today == NULL)
		return -1;
	for (int64_t t = c->day * DAY_S; t < time_s; t += span_s)
		season_learn(c->today, t, 0, INFINITY);
	return 0;
}

void
calendar_learn(struct calendar *c, int64_t time_s, double value, double scale)
{
	struct calendar_date d;
	double unsure, on_top;

	value -= c->level;
	on_top = calendar_at(c, time_s, &unsure);
	c->plain += fmin(fabs(value) / scale, CLIP);
	c->size += fmin(fabs(value - on_top) / scale, CLIP);
	c->buckets++;
	if (c->today != NULL)
		season_learn(c->today, time_s, value, INFINITY);
	if (c->nfeatures == 0)
		return;
	calendar_date(c->day, &d);
	for (uint32_t i = 0; i < c->nfeatures; i++) {
		if (is_on(&c->feature[i], &d))
			season_learn(c->feature[i].table, time_s, value,
			    hypot(scale, unsure));
	}
}

void
calendar_map(struct calendar *c, double (*to)(double v, const void *arg),
    const void *arg)
{
	for (uint32_t i = 0; i < c->nfeatures; i++)
		season_map(c->feature[i].table, to, arg);
}
