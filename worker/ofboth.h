/*
 * The larger and the smaller of two numbers where that is asked for a hundred
 * times a value: fmax and fmin are calls, for they make a number of a NaN.
 * There are none here.
 */
#ifndef WORKER_OFBOTH_H
#define WORKER_OFBOTH_H

#include "common/compat.h"

static inline double
larger(double a, double b)
{
	return a > b ? a : b;
}

static inline double
smaller(double a, double b)
{
	return a < b ? a : b;
}

#endif
