/*
 * Which values of an influencer field account for a finding, and to what
 * degree (results-and-models 4.4): its own by and partition value in full, of
 * others those without which the value would have come nearer to the typical
 * one by at least 0.4 of the way.
 */
#ifndef WORKER_INFLUENCE_H
#define WORKER_INFLUENCE_H

#include <stddef.h>
#include <stdint.h>

#include "common/compat.h"
#include "common/schema.h"
#include "worker/bucket.h"

struct engine;
struct finding;

struct blame {
	double influence;  /* 0.4..1 */
	uint32_t order;	   /* in which the values were met */
	uint32_t seen;	   /* its number among the bucket's values, */
	uint32_t name;	   /* or among those of splitting fields; NAMES_NONE */
	struct span value; /* never empty; borrowed from either */
};

/*
 * The greatest influence first. Returns how many there are.
 *
 * influencer  index of the field in the configuration
 */
size_t influence_find(const struct engine *, const struct finding *,
    uint32_t influencer, struct blame list[BUCKET_INFLUENCES]);

#endif
