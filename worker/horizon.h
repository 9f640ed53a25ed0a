/*
 * How far forecasts are off at several horizons, as seen. At each of a few
 * distances a forecast of the level is set down, and compared with what has
 * come there; then the next one is. Two forecasts are made: from where the
 * series stands, and from the slow level, for a series that wanders goes on
 * from where it is, and one that scatters comes back.
 */
#ifndef WORKER_HORIZON_H
#define WORKER_HORIZON_H

#include <stdint.h>

#include "common/compat.h"

struct model;
struct outlook;

#define HORIZONS 6
#define HORIZON_LEAST 3 /* buckets; each is four times the one before */
#define HORIZON_TIMES 4
#define HORIZON_LONGEST 3072u
#define HORIZON_NORMAL 1.959963984540054 /* scales, of 95 % */

enum horizon_from { FROM_HERE, FROM_SLOW, HORIZON_FORECASTS };

struct horizon {
	float ahead[HORIZON_FORECASTS]; /* level expected at its end */
	float size[HORIZON_FORECASTS];	/* mean size of errors, in scales */
	uint16_t n;			/* errors seen, up to a limit */
	uint8_t base; /* over which the level is; BASES: none is set down */
	uint8_t spare;
};

struct horizons {
	float width; /* what holds 95 % of errors at once, in scales */
	uint32_t at; /* values since it began, modulo the greatest horizon */
	struct horizon of[HORIZONS];
};

/* NULL with ENOMEM. */
struct horizons *horizons_new(void);

/* One value was learnt by the model, of which o was made before. */
void horizons_learn(struct model *, const struct outlook *o);

/* Levels are on another scale now: what was set down is of no use. */
void horizons_drop(struct horizons *);

struct horizon_view {
	double shift; /* of the forecast, on the model's scale */
	double width; /* from the middle to the edge of 95 %, in scales */
	double drift; /* the same of the level alone */
};

/* What is to be said of a forecast so many buckets ahead. */
void horizon_look(
    const struct model *, uint32_t base, double ahead, struct horizon_view *);

#endif
