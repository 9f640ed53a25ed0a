/*
 * What one series is expected to do next, and how unlikely it is what it did.
 *
 * The path of a value: model_look makes a forecast, on the scale that suits
 * the series (power.h), from a base (nothing, the time of day, the time of
 * week: season.h) and a level over it (level.h). How far the value is off is
 * seen in four ways, each of which is measured by its own history (tail.h):
 *
 *	single  the error of this bucket
 *	multi   the decayed mean of errors of the slow forecast
 *	far     how far outside of the bulk of past values
 *	odd     how far from any past value (support.h)
 *
 * model_ln_p makes one probability of them for the side that counts, and
 * model_learn takes the value in. doc/engine.md has the formulas.
 *
 * A model is of constant size but for the tables of seasons, which come when
 * there is something to put into them. Work for one value is constant.
 */
#ifndef WORKER_MODEL_H
#define WORKER_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compat.h"
#include "common/jobconf.h"
#include "worker/calendar.h"
#include "worker/horizon.h"
#include "worker/level.h"
#include "worker/likeday.h"
#include "worker/period.h"
#include "worker/power.h"
#include "worker/season.h"
#include "worker/snapshot.h"
#include "worker/support.h"
#include "worker/tail.h"

enum model_kind { MODEL_REAL, MODEL_COUNT };

/* Values beyond this are no measurements; within it squares stay finite. */
#define MODEL_VALUE_MAX 1e100

/* So many errors in a row beyond the clip of a scale, and it was wrong. */
#define BEYOND_MOST 3

/* BASE_DAY may have come to be another period (model_period.c). */
enum model_base { BASE_NONE, BASE_DAY, BASE_WEEK, BASES };
enum model_side { UP, DOWN, SIDES };

/* The same for all series of a job. */
struct model_params {
	int64_t span_s;
	double memory;	  /* time constant of tails, in buckets */
	double keep;	  /* what is kept of them per bucket */
	double keep_base; /* of the weights of bases */
	double keep_move; /* of the evidence for a moved pattern */
};

struct model {
	double n;		/* values learnt, up to 1e6 */
	int64_t first_s;	/* start of the first bucket */
	double origin;		/* of the linear scale */
	double last;		/* value */
	double lowest, highest; /* of all values; highest < lowest: none */
	bool negative;		/* a value below zero was seen */
	bool fractions;		/* a value was no whole number */
	double least;		/* smallest value above zero */
	double mean;		/* of values, decayed */
	double zeros;		/* share of zeros, decayed */
	double changes; /* share of values away from the forecast, decayed */
	double moves;	/* share of values that are not the last, decayed */
	double spread;	/* of counts: variance over mean, decayed */

	enum power power;
	double error[POWERS]; /* scale of errors on each scale */
	double worth[POWERS]; /* ln likelihood on each, decayed */

	struct level level[BASES];
	struct season *season[BASES]; /* owned; [BASE_NONE] is unused */
	struct likeday *likeday;      /* owned; comes with the week */
	struct calendar *calendar;    /* owned; comes after some weeks */
	struct period_probe *probe;   /* owned; NULL: no search is on */
	struct horizons *horizons;    /* owned; NULL: too young */
	double scale[BASES];	      /* of errors over each base */
	uint8_t beyond[BASES]; /* errors in a row that its clip has cut */
	uint32_t probes;       /* searches that have ended */
	bool seasons_gone;     /* what was adopted explains nothing any more */
	uint8_t borrowed;      /* values that siblings have lent */
	double ln_base[BASES]; /* weights, the greatest is 0 */
	uint32_t best;	       /* the base that has won */
	uint32_t adopted;      /* the greatest that ever did */
	double moved[2]; /* how much better an hour earlier, later would be */
	int64_t moved_s[2]; /* when that was last little */

	double run;	  /* decayed mean of the last errors, in scales */
	double run_scale; /* of run */
	struct support support;
	float width[SIDES]; /* of bounds, where a normal one is 1 */
	double reach;	    /* mean size of errors, rare ones in full */
	double gap_scale;   /* usual distance to past values */
	double odd_peak;    /* greatest of late */
	double far_peak[SIDES];
	double told[SIDES]; /* last -ln p that was news, fading */
	struct tail single[SIDES];
	struct tail multi[SIDES];
	struct tail far[SIDES];
	struct tail odd;
};

/* All that is made of one value before it is learnt. */
struct outlook {
	double x;
	int64_t time_s;
	enum model_kind kind;
	bool known;	 /* there is a forecast */
	bool zero;	 /* one of many zeros: they are no part of the model */
	bool grows;	 /* the mean of the last errors has become greater */
	double expected; /* of x */
	double y;	 /* x on the model's scale */
	double forecast; /* of y */
	double scale;	 /* of y - forecast, at this time of the season */
	double even_scale; /* the same at any time */
	uint32_t best;	   /* base with the greatest weight of those known */
	bool has[BASES];
	double base[BASES];
	double over[BASES]; /* forecast over each base */
	int64_t week_s;	    /* time of the week that it is like */
	double on_top;	    /* in each base, for a day of the calendar */
	double unsure;	    /* of that */
	double z;	    /* error in scales */
	double slow;	    /* the same of the slow forecast */
	double gap;	    /* distance to past values */
	enum model_side odd_side;
	/* surprises, and what their tails say of them */
	double single[SIDES], ln_single[SIDES];
	double multi[SIDES], ln_multi[SIDES];
	double far[SIDES], ln_far[SIDES];
	double odd, ln_odd;
	double ln_side[SIDES]; /* of all four, whatever was told before */
};

void model_params_init(
    struct model_params *, int64_t span_s, double memory_buckets);

void model_init(struct model *);
void model_clear(struct model *); /* frees what it owns */

/*
 * Look at a value that is not learnt yet.
 *
 * time_s  start of its bucket
 * x       |x| <= MODEL_VALUE_MAX; for MODEL_COUNT a number of events, >= 0
 */
void model_look(const struct model *, enum model_kind, int64_t time_s, double x,
    struct outlook *);

/*
 * ln of the probability of a value at least as unlikely, on the side that
 * counts; 0 while too little is known.
 */
double model_ln_p(
    const struct model *, const struct outlook *, enum function_side);

/* The share of earlier buckets in that: score_multi_bucket_impact(). */
double model_impact(
    const struct model *, const struct outlook *, enum function_side);

/*
 * Learn what was looked at; no other value was learnt in between.
 *
 * may_grow  false: make no new table, for there is no memory for it
 *
 * Returns 0, or -1 with ENOMEM; the model is then as it was.
 */
int model_learn(struct model *, const struct model_params *,
    const struct outlook *, bool may_grow) MUST_CHECK;

/* Keep this share of what is known of tails: time has passed. */
void model_forget(struct model *, double keep);

/* The clock by which it is told the time has been put forward by so much. */
void model_set_clock(struct model *, int64_t forward_s);

/* Searches for a period that were made: each takes as long as many values. */
uint32_t model_searches(const struct model *);

/* Bytes of its tables; the model itself is not in it. */
size_t model_bytes(const struct model *);

/* 0, or -1 with errno. load wants a model that is new. */
int model_save(const struct model *, struct snapshot_writer *) MUST_CHECK;
int model_load(struct model *, const struct model_params *,
    struct snapshot_reader *) MUST_CHECK;
/*
 * What a section SNAPSHOT_ENGINE_1 has of a series: mean and spread, which the
 * model begins with.
 */
int model_load_1(
    struct model *, int64_t last_s, struct snapshot_reader *) MUST_CHECK;

#endif
