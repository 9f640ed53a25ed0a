/*
 * Population analysis: each person of an attribute compared with the others of
 * the same bucket and with what is usual among them (crowd.h).
 */
#ifndef WORKER_POPULATION_H
#define WORKER_POPULATION_H

#include "common/compat.h"
#include "worker/people.h"

extern const struct people_kind population_kind;

#endif
