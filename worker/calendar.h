/*
 * Days of the calendar that are not like others: payday, the batch at a
 * month's end, the second Tuesday. Each day is measured by the mean size of
 * the errors of its buckets, against what that usually is; of those that are
 * odd the date is kept, and when a feature of the date has had nearly all of
 * them (a bound on the tail of a binomial distribution: Hoeffding, J. Am.
 * Stat. Assoc. 58, 1963), its days get a table of their own of what comes on
 * top at each time of day. A feature that has failed twice in a row is dropped.
 *
 * Chance: where odd days come at random, one in 2,000 of them at most makes a
 * feature.
 */
#ifndef WORKER_CALENDAR_H
#define WORKER_CALENDAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compat.h"
#include "worker/season.h"

#define CALENDAR_ODD 32 /* odd days that are remembered */
#define CALENDAR_MOST 3 /* features at a time */

enum calendar_sort {
	CAL_DAY_OF_MONTH,     /* 1 to 31 */
	CAL_DAYS_BEFORE_END,  /* of the month: 0 is its last day */
	CAL_WEEKDAY_OF_MONTH, /* 7 * (n - 1) + weekday, Monday 0: n-th */
	CAL_LAST_WEEKDAY,     /* the same, counted from the end */
	CAL_WORKING_DAY,      /* n-th of Monday to Friday, from 0 */
	CAL_LAST_WORKING_DAY, /* the same, counted from the end */
	CAL_SORTS
};

/* A day has one number of each sort; -1: none, as weekends are no work. */
struct calendar_date {
	int32_t number[CAL_SORTS];
};

struct calendar_feature {
	uint32_t sort;
	int32_t number;
	uint32_t failed;      /* times in a row */
	struct season *table; /* owned; what comes on top */
};

struct calendar {
	bool begun;	   /* there is a day under way */
	int64_t day;	   /* under way, of local time, since 1970 */
	int64_t first_day; /* that was measured */
	uint32_t days;	   /* measured, up to a limit */
	/* of this day, so far: */
	double buckets;
	double size;   /* sum of errors, in scales */
	double plain;  /* the same without features */
	double level;  /* as it began, or the odd day before it */
	uint32_t base; /* of the model, over which it is measured */
	uint32_t run;  /* odd days that ended with the one before */
	double usual,
	    spread; /* of days: mean size of errors, and its scatter */
	uint32_t nodd;
	int32_t odd[CALENDAR_ODD]; /* days, oldest first */
	uint32_t nfeatures;
	struct calendar_feature feature[CALENDAR_MOST];
	struct season *today; /* owned; errors, since it went wrong; or NULL */
};

/* The numbers of a day since 1970. */
void calendar_date(int64_t day, struct calendar_date *);

/* An empty table of a day, of such buckets. NULL with ENOMEM. */
struct season *calendar_table(int64_t span_s);

struct calendar *calendar_new(void); /* NULL with ENOMEM */
void calendar_free(struct calendar *);
size_t calendar_bytes(const struct calendar *); /* NULL: 0 */

/*
 * What comes on top at that time; 0 on most days.
 *
 * unsure  set to how far that may be off
 */
double calendar_at(const struct calendar *, int64_t time_s, double *unsure);

/*
 * Told of each bucket before calendar_learn: with the first one of a day the
 * day before it has ended.
 *
 * span_s  of a bucket, a day at most
 * base    over which the new day is to be measured; see calendar_learn
 * level   the slow level over it
 */
void calendar_begin(struct calendar *, int64_t time_s, int64_t span_s,
    uint32_t base, double level);

/*
 * Whether the day begins to go wrong, and is to be kept from now on.
 *
 * value  less what is usual by the day's base, and nothing else
 * scale  of errors; > 0
 */
bool calendar_wants_day(const struct calendar *, double value, double scale);
/* 0, or -1 with ENOMEM. */
int calendar_keep_day(
    struct calendar *, int64_t time_s, int64_t span_s) MUST_CHECK;

/* Learn a bucket of the day that has begun. */
void calendar_learn(
    struct calendar *, int64_t time_s, double value, double scale);

/* What was gathered of this day is void. */
void calendar_void(struct calendar *);

/* Replace each value v of tables by to(v, arg). */
void calendar_map(struct calendar *, double (*to)(double v, const void *arg),
    const void *arg);

#endif
