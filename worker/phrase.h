/* What model plots and forecasts call the quantity that a model is of. */
#ifndef WORKER_PHRASE_H
#define WORKER_PHRASE_H

#include "common/compat.h"
#include "common/jobconf.h"
#include "worker/feature.h"

/*
 * The phrase with its single quotes (results-and-models 2.7). static. feature
 * is one of the detector's function.
 */
const char *phrase_of(const struct detector *, const struct feature *);

#endif
