/* Owns the scales. */
#include "common/compat.h"

#include <math.h>

#include "worker/power.h"

double
power_of(enum power p, double offset, double x)
{
	switch (p) {
	case POWER_ROOT:
		return sqrt(fmax(x + offset, 0));
	case POWER_LOG:
		return log(fmax(x, 0) + offset);
	case POWER_LINEAR:
	case POWERS:
		break;
	}
	return x;
}

double
power_back(enum power p, double offset, double y)
{
	switch (p) {
	case POWER_ROOT:
		return fmax(y, 0) * fmax(y, 0) - offset;
	case POWER_LOG:
		return exp(fmin(y, 240)) - offset;
	case POWER_LINEAR:
	case POWERS:
		break;
	}
	return y;
}

double
power_ln_slope(enum power p, double offset, double x)
{
	switch (p) {
	case POWER_ROOT:
		return -0.69314718055994530942 - 0.5 * log(x + offset);
	case POWER_LOG:
		return -log(x + offset);
	case POWER_LINEAR:
	case POWERS:
		break;
	}
	return 0;
}
