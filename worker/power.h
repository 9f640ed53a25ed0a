/*
 * The scale on which a series is modelled: as it is, its square root, or its
 * logarithm, whichever makes the size of errors independent of the level
 * (Tukey, Exploratory Data Analysis, 1977; Bartlett, Biometrics 3, 1947).
 * Errors of one forecast are measured on all three, and what they would have
 * been worth as forecasts tells the scales apart.
 */
#ifndef WORKER_POWER_H
#define WORKER_POWER_H

#include <stdbool.h>

#include "common/compat.h"

enum power { POWER_LINEAR, POWER_ROOT, POWER_LOG, POWERS };

/* offset: what is added to a value, so that zero has a place */
double power_of(enum power, double offset, double x);
double power_back(enum power, double offset, double y);
/* ln of the derivative */
double power_ln_slope(enum power, double offset, double x);

#endif
