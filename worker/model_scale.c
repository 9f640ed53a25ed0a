/* Owns the scale of a model: values to and fro, and the sizes of its errors. */
#include "common/compat.h"

#include <float.h>
#include <math.h>

#include "worker/model_int.h"
#include "worker/ofboth.h"

/* Relative spread of a series that hardly moves: rounding is no anomaly. */
#define LEAST_VARIATION 1e-4
/* What arithmetic leaves of a value that has been through a few sums. */
#define PRECISION (16 * DBL_EPSILON)
/* Standard deviation of rounding to whole numbers, 1 / sqrt(12). */
#define ROUNDING 0.29
/* What changes in more than one bucket of 20 may always do so. */
#define OFTEN 20.0
/* Roots of counts scatter by a half (Anscombe), or less. */
#define COUNT_ROOT_SCALE 0.25
/* A forecast of logarithms that exp() still takes, MODEL_VALUE_MAX and more. */
#define LN_VALUE_MOST 240.0

/* sqrt(pi / 2): from the mean size of normal errors to their deviation. */
#define SIZE_TO_SCALE 1.2533141373155003
/* Errors count no further than this when scales are learnt. */
#define SCALE_CLIP 8.0
#define YOUNG 8.0

double
model_toward(double from, double to, double n, double most)
{
	return from + (to - from) / smaller(n + 1, most);
}

bool
model_is_clipped(double scale, double error)
{
	return SIZE_TO_SCALE * fabs(error) > SCALE_CLIP * scale;
}

double
model_scale(double scale, double error, double n)
{
	double size = SIZE_TO_SCALE * fabs(error);

	if (n >= YOUNG)
		size = fmin(size, SCALE_CLIP * scale);
	return model_toward(scale, size, n, MODEL_SHORT);
}

static double
offset_of(enum model_kind kind)
{
	return kind == MODEL_COUNT ? MODEL_COUNT_OFFSET : 0;
}

/* Half of the smallest value. */
double
model_zero(const struct model *m)
{
	return fmax(m->least / 2, DBL_MIN);
}

double
model_y(const struct model *m, enum model_kind kind, enum power p, double x)
{
	if (p == POWER_LINEAR)
		return x - m->origin;
	if (p == POWER_LOG && kind == MODEL_REAL)
		x = fmax(x, model_zero(m));
	return power_of(p, offset_of(kind), x);
}

double
model_x(const struct model *m, enum model_kind kind, enum power p, double y)
{
	double x = y + m->origin;

	if (p == POWER_LOG)
		y = fmin(y, LN_VALUE_MOST);
	if (p != POWER_LINEAR)
		x = power_back(p, offset_of(kind), y);
	if (m->negative)
		return x;
	return fmax(
	    x, kind == MODEL_REAL && p == POWER_LOG ? model_zero(m) : 0);
}

/*
 * The least spread, as a share of a value. Of a series that stands still there
 * is nothing but its value to tell how far is far. One that moves has a spread
 * of its own, and where its zero lies should not matter.
 */
static double
least_share(const struct model *m)
{
	return fmax(PRECISION, LEAST_VARIATION * fmax(0, 1 - OFTEN * m->moves));
}

/*
 * Whole numbers that do change cannot be foretold better than to one. As long
 * as they do not, the first change is as odd as that of any constant.
 */
double
model_least_scale(const struct model *m, enum model_kind kind, double forecast)
{
	double step = m->fractions ? 0 : ROUNDING * fmin(1, OFTEN * m->changes);
	double share = least_share(m);

	switch (m->power) {
	case POWER_ROOT:
		if (kind == MODEL_COUNT)
			return fmax(COUNT_ROOT_SCALE, share * forecast);
		return fmax(share * forecast, step / 2 / fmax(forecast, 1));
	case POWER_LOG:
		if (kind == MODEL_COUNT)
			step = fmax(step, ROUNDING);
		return fmax(share, step * exp(-fmax(forecast, 0)));
	case POWER_LINEAR:
	case POWERS:
		break;
	}
	if (kind == MODEL_COUNT)
		step = ROUNDING;
	step =
	    fmax(step, share * fmax(fabs(forecast + m->origin), fabs(m->mean)));
	return fmax(step, DBL_MIN);
}
