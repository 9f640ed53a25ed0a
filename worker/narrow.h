/*
 * Tables of floats, for half the memory. What they can not hold becomes the
 * greatest that they can: an infinity would be no number soon.
 */
#ifndef WORKER_NARROW_H
#define WORKER_NARROW_H

#include <float.h>
#include <math.h>

#include "common/compat.h"

static inline float
narrow(double v)
{
	return (float)fmin(fmax(v, -(double)FLT_MAX), (double)FLT_MAX);
}

#endif
