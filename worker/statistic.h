/*
 * The statistics of a series' records in a bucket: of the kind that its
 * function asks for, and no other.
 *
 *	tally     number, sum, least and greatest value
 *	moments   number, mean and variance
 *	order     a histogram, for medians
 *	distinct  the set of different texts, or a sketch of it
 *	content   different texts, or a sample of them
 *	times     events by the time of the day or week that they fall into
 *	places    events by the degree of latitude and longitude
 *
 * The first two are of constant size and stand in the union itself; the others
 * grow to a bound, and are owned by it.
 */
#ifndef WORKER_STATISTIC_H
#define WORKER_STATISTIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compat.h"
#include "worker/content.h"
#include "worker/distinct.h"
#include "worker/groups.h"
#include "worker/moments.h"
#include "worker/order.h"
#include "worker/snapshot.h"
#include "worker/tally.h"

enum statistic_kind {
	STATISTIC_TALLY,
	STATISTIC_MOMENTS,
	STATISTIC_ORDER,
	STATISTIC_DISTINCT,
	STATISTIC_CONTENT,
	STATISTIC_TIMES,
	STATISTIC_PLACES,
};

/* Zeroed is of no record. */
union statistic {
	struct tally tally;
	struct moments moments;
	struct order *order;
	struct distinct *distinct;
	struct content *content;
	struct groups *groups; /* times, places */
};

/* Whether it takes more memory the more there is to know. */
bool statistic_grows(enum statistic_kind);

/* What one record has to say. */
struct observation {
	enum statistic_kind kind;
	bool times_events; /* the value counts n-fold in sums */
	/* There is no memory left: what would grow gets coarser instead. */
	bool scarce;
	double value;
	double n;	       /* events that it stands for */
	uint64_t hash;	       /* of the text: distinct, content */
	struct span text;      /* content only */
	struct position where; /* times, places */
};

/*
 * Add a record.
 *
 * part  of an influencer's value: coarser, for there are many of those
 *
 * Returns 0, or -1 with ENOMEM.
 */
int statistic_add(
    union statistic *, const struct observation *, bool part) MUST_CHECK;

/* What a record weighs when influencers' values compete for room. */
double statistic_mass(const struct observation *);

/* Free what it owns; it is then of no record. */
void statistic_clear(union statistic *, enum statistic_kind);
/* Bytes that it owns. */
size_t statistic_bytes(const union statistic *, enum statistic_kind);

/* 0, or -1 with errno. load wants one of no record, and wants some. */
int statistic_save(const union statistic *, enum statistic_kind,
    struct snapshot_writer *) MUST_CHECK;
int statistic_load(union statistic *, enum statistic_kind, bool part,
    struct snapshot_reader *) MUST_CHECK;

#endif
