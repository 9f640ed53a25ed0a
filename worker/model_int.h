/* The inside of the model, shared by the files that make it up. */
#ifndef WORKER_MODEL_INT_H
#define WORKER_MODEL_INT_H

#include "common/compat.h"
#include "worker/model.h"

/* Memory of scales, in values: a day of buckets of five minutes. */
#define MODEL_SHORT 300.0

/* Anscombe's offset for roots of counts (Biometrika 35, 1948). */
#define MODEL_COUNT_OFFSET 0.375

/* Counts with a lower mean are too coarse for a normal distribution. */
#define MODEL_SPARSE 3.0

/* Zeros are set apart when there are so many. */
#define MODEL_MANY_ZEROS 0.5

/* No count is expected to be rarer, or to scatter less than at random. */
#define MODEL_MEAN_LEAST 0.02
#define MODEL_SPREAD_LEAST 1.01

/* Counts of few events: negative binomial, and not on any scale. */
bool model_is_sparse(const struct model *, enum model_kind);

/* Zeros are no part of the model: it is of the other values alone. */
bool model_has_zeros_apart(const struct model *, enum model_kind);

/*
 * An empty table of a season, as large as it is for such buckets. period_s: at
 * least a bucket; 0: a day, or a week.
 */
struct season *model_new_season(
    enum model_base, const struct model_params *, int64_t period_s);

/*
 * model_scale.c: from, moved to `to` by 1 / (n + 1), but never less than
 * 1 / most.
 */
double model_toward(double from, double to, double n, double most);

/* Whether an error is so large that a scale learns only part of it. */
bool model_is_clipped(double scale, double error);

/* The scale of errors after one more, of which n were seen before. */
double model_scale(double scale, double error, double n);

/* Least scale of errors around a forecast, whatever was seen. */
double model_least_scale(
    const struct model *, enum model_kind, double forecast);

/* What stands for zero where there are logarithms. */
double model_zero(const struct model *);

/* A value on the model's scale, and back. */
double model_y(const struct model *, enum model_kind, enum power, double x);
double model_x(const struct model *, enum model_kind, enum power, double y);

/* model_period.c: look for another period than the day. 0, or ENOMEM: -1. */
int model_seek_period(struct model *, const struct model_params *,
    const struct outlook *) MUST_CHECK;
/* What was gathered for it is on a scale that is no longer the model's. */
void model_drop_probe(struct model *);

/* model_calendar.c: days that are not like their weekday. */
/* What is usual of the week at that time. false: not known yet. */
bool model_week_at(const struct model *, struct outlook *);
/*
 * The value less what the calendar puts on top, as far as that explains it: on
 * payday values are far from all others, and it is no news.
 */
double model_without_top(const struct outlook *);
/* Make what has become due, and learn of the day. 0, or -1 with ENOMEM. */
int model_grow_calendar(struct model *, const struct model_params *,
    const struct outlook *) MUST_CHECK;
void model_learn_day(
    struct model *, const struct model_params *, const struct outlook *);

/* model_base.c: set what outlook says of forecasts, but for its scale. */
void model_forecast(const struct model *, struct outlook *);
/* Make the tables that have become due. 0, or -1 with ENOMEM. */
int model_grow(struct model *, const struct model_params *,
    const struct outlook *) MUST_CHECK;
/* Move the origin to where the values are, if that is far away. */
void model_center(struct model *, const struct outlook *);
void model_learn_bases(
    struct model *, const struct model_params *, const struct outlook *);

/* model_power.c: weigh the scales, and change if another one is better. */
void model_weigh_powers(struct model *, const struct outlook *);
/* Change it to that one; the outlook is of the last value. */
void model_change_power(struct model *, const struct outlook *, enum power);

#endif
