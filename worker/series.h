/*
 * What the engine remembers over buckets: partitions of detectors, each with
 * its history of scores, and the series in them, each with its model. Both are
 * numbered: a new one gets the lowest number that is free.
 */
#ifndef WORKER_SERIES_H
#define WORKER_SERIES_H

#include <stdbool.h>
#include <stdint.h>

#include "common/compat.h"
#include "worker/aggregate.h"
#include "worker/crowd.h"
#include "worker/haunts.h"
#include "worker/keys.h"
#include "worker/model.h"
#include "worker/names.h"
#include "worker/normalise.h"
#include "worker/numbers.h"
#include "worker/rarity.h"
#include "worker/special.h"

#define SERIES_NONE UINT32_MAX

/* What a row of the table of series stands for. */
enum series_role {
	SERIES_ALONE,	  /* is judged by its own past */
	SERIES_ATTRIBUTE, /* what the people of a population are compared in */
	SERIES_MEMBER,	  /* one of those people in one attribute */
	SERIES_VALUE,	  /* is judged by how rare it is in its partition */
};

/* One value of the partition field of one detector; or the whole of it. */
struct partition {
	uint32_t detector;
	uint32_t name;	  /* NAMES_NONE without partition field */
	uint32_t nseries; /* in it, of any role */
	uint32_t people;  /* of a population, in the bucket that is judged */
	int64_t first_s;  /* start of its first bucket */
	double peak;	  /* of a population: largest raw score, fading */
	int64_t peak_s;	  /* start of the bucket up to which it has faded */
	struct normaliser scores;
	struct rarity *rarity; /* owned; of its values; NULL: not asked for */
	/* Only while a bucket is judged: */
	struct aggregate members;
	double loudest; /* greatest raw score */
};

/*
 * One value of the by field of one partition; or the whole of it. A model for
 * each feature of the detector's function. With an over field that is an
 * attribute, whose models are of its people's middle, and each of the people
 * has a row without models.
 */
struct series {
	uint32_t partition;
	uint32_t by;   /* NAMES_NONE without by field */
	uint32_t over; /* a member's name; NAMES_NONE: no member */
	union {
		uint32_t attribute; /* a member's, its number */
		uint32_t place;	    /* an attribute's in people.h, + 1; 0 */
	};
	uint32_t nmembers; /* of an attribute */
	uint8_t role;	   /* enum series_role */
	uint16_t nmodels;  /* at the end */
	int64_t last_s;	   /* start of the newest bucket that it knows */
	int64_t data_s;	   /* start of the newest bucket with a record of it */
	double buckets;	   /* with a record of it, fading */
	double peak;	   /* largest raw score, fading */
	union {
		struct habit habit;  /* a member's */
		struct crowd *crowd; /* others'; owned; [nmodels]; or NULL */
	};
	union {
		struct special
		    *special;	       /* owned; in place of models; or NULL */
		struct haunts *haunts; /* a member's; owned; or NULL */
	};
	struct model model[];
};

/* To be embedded; zeroed is empty. */
struct series_table {
	struct numbers partitions;
	struct partition **partition; /* owned; [number]; NULL: free */
	struct numbers numbers;	      /* of series */
	struct series **series;	      /* owned; [number]; NULL: free */
	size_t bytes;		  /* of all series, and of seasons in models */
	struct keys partition_of; /* (detector, name) */
	struct keys series_of;	  /* (partition, by) */
	struct keys member_of;	  /* (attribute, over) */
	uint32_t nmembers;
};

void series_clear(struct series_table *); /* frees; empty afterwards */

/* SERIES_NONE when there is no such partition or series. */
uint32_t partition_find(
    const struct series_table *, uint32_t detector, uint32_t name);
uint32_t series_find(
    const struct series_table *, uint32_t partition, uint32_t by);
uint32_t member_find(
    const struct series_table *, uint32_t attribute, uint32_t over);

/*
 * Add one. SERIES_NONE with ENOMEM.
 *
 * start_s  of the bucket it first appeared in. What a series knows ends
 *	    before that: the caller says where.
 */
uint32_t partition_add(
    struct series_table *, uint32_t detector, uint32_t name, int64_t start_s);
uint32_t series_add(struct series_table *, uint32_t partition, uint32_t by,
    uint32_t nmodels, int64_t last_s);
/* Begin to tell which values of it are rare. 0, or -1 with ENOMEM. */
int partition_watch(struct series_table *, uint32_t partition) MUST_CHECK;
/* The same as an attribute, with a crowd for each model. */
uint32_t attribute_add(struct series_table *, uint32_t partition, uint32_t by,
    uint32_t nmodels, int64_t last_s);
/* Of an attribute, which is told by series_join. */
uint32_t member_add(struct series_table *, uint32_t partition,
    uint32_t attribute, uint32_t over, int64_t last_s);
/* The member is one of its attribute. 0, or -1 with EBADMSG: there is none. */
int series_join(struct series_table *, uint32_t member) MUST_CHECK;

/* The series has a record in the bucket that starts then. */
void series_touch(struct series_table *, uint32_t series, int64_t start_s);

/*
 * What the series knows in place of models. It is removed when that fails: 0,
 * or -1 with ENOMEM.
 */
int series_make_special(
    struct series_table *, uint32_t series, enum special_kind) MUST_CHECK;

/* What is usual for a member by itself, of which there is nothing yet. */
int series_make_haunts(struct series_table *, struct series *) MUST_CHECK;

/* A partition goes when it has no series; the caller sees to both. */
void series_remove(struct series_table *, uint32_t series);
void partition_remove(struct series_table *, uint32_t partition);

/*
 * Loading: the next number is taken, and is free. When all are loaded,
 * series_loaded gives them back. 0, or -1 with ENOMEM.
 */
int partition_skip(struct series_table *) MUST_CHECK;
int series_skip(struct series_table *) MUST_CHECK;
int series_loaded(struct series_table *) MUST_CHECK;

/* Bytes that are allocated, and what one more would add. */
size_t series_bytes(const struct series_table *);
size_t series_growth(const struct series_table *, uint32_t nmodels);
size_t attribute_growth(const struct series_table *, uint32_t nmodels);
size_t member_growth(const struct series_table *);
/* watched  with what partition_watch adds */
size_t partition_growth(const struct series_table *, bool watched);

#endif
