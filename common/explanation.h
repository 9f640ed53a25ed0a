/*
 * Why a record has the score that it has (results-and-models 2.3): the members
 * of anomaly_score_explanation that there is something to say of.
 */
#ifndef COMMON_EXPLANATION_H
#define COMMON_EXPLANATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compat.h"
#include "common/schema.h"
#include "common/wire.h"

enum explained {
	EXPLAINED_TYPE = 1,
	EXPLAINED_LENGTH = 2,
	EXPLAINED_SINGLE = 4,
	EXPLAINED_MULTI = 8,
	EXPLAINED_BOUNDS = 16,
	EXPLAINED_FIRST = 32, /* the by value was never seen before */
	EXPLAINED_RARITY = 64,
	EXPLAINED_LEADER = 128,
	EXPLAINED_ALL = 255
};

struct explanation {
	unsigned has;		 /* EXPLAINED_*; of the rest nothing is known */
	bool dip;		 /* below what was expected; else a spike */
	uint32_t anomaly_length; /* buckets in a row, with this one */
	uint32_t single_bucket_impact; /* digits of the probability */
	uint32_t multi_bucket_impact;
	double lower_confidence_bound; /* of 95 % of all values */
	double typical_value;
	double upper_confidence_bound;
	double relative_rarity; /* of the by value: the mean one is so many
				   times as frequent; > 0 */
	struct span leader; /* borrowed: by value of what it usually goes with,
			       and did not this time */
};

/*
 * As bytes, big-endian: u8 has; then, as far as they are there and in this
 * order, u8 dip, u32 length, u32 single, u32 multi, f64 lower, typical, upper,
 * f64 rarity, u32 length of leader and its bytes. What is read of that points
 * into the blob.
 * put: 0, or -1 with EINVAL (not finite), ENOMEM; get: 0, or -1 with EBADMSG.
 */
int explanation_put(struct wbuf *, const struct explanation *) MUST_CHECK;
int explanation_get(
    const void *blob, size_t len, struct explanation *) MUST_CHECK;

#endif
