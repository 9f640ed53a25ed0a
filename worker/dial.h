/*
 * At which times of the day, or of the week, a series has its events: a ring
 * of slots, to each of which every time that was seen adds the more the nearer
 * it is.
 *
 * What a bucket's slot with events adds is a kernel (1 + (d / h)^2)^-4 of the
 * distance d along the ring, so the ring holds a density with tails that are
 * never nothing (Parzen, Annals of Mathematical Statistics 33, 1962); h grows
 * with the breadth of what was seen. How unlikely a time is: the share of the
 * density where it is no greater than there. Buckets are counted and not their
 * events, for a burst is one event; what was learnt fades from day to day.
 *
 * Times are those of the job's clocks: seconds since midnight, or since the
 * Thursday midnight with which the epoch began.
 */
#ifndef WORKER_DIAL_H
#define WORKER_DIAL_H

#include <stdint.h>

#include "common/compat.h"
#include "worker/groups.h"
#include "worker/snapshot.h"

enum dial_kind { DIAL_DAY, DIAL_WEEK };

struct dial;

/* What is made of the times of one bucket. */
struct dial_look {
	double ln_p;   /* nominal, of the oddest of them; 0: nothing is known */
	double n;      /* days that this rests on */
	double actual; /* mean of the odd times, s */
	double typical; /* the usual time that is nearest, s */
	uint32_t cell;	/* of the odd times */
};

/* Where a moment of the job's clocks is. */
void dial_position(enum dial_kind, int64_t local_s, struct position *);

/* NULL with ENOMEM. */
struct dial *dial_new(enum dial_kind);
size_t dial_bytes(enum dial_kind);
/* Cells of positions are below. */
uint32_t dial_slots(enum dial_kind);

/* local_s is the start of the bucket by the job's clocks, here and below. */
void dial_look(const struct dial *, const struct groups *, int64_t local_s,
    struct dial_look *);
void dial_learn(struct dial *, const struct groups *, int64_t local_s);

/*
 * The same for many people, who are asked about one by one and learnt together.
 *
 * days	     that what is known rests on
 * ln_share  ln of the share of all that was seen at times that are no more
 *	     usual than those of a slot; days > 0
 * usual     the usual time that is nearest to a slot, s
 * people    [slots] who had events there in a bucket
 */
double dial_days(const struct dial *, int64_t local_s);
double dial_ln_share(const struct dial *, uint32_t slot);
double dial_usual(const struct dial *, uint32_t slot);
void dial_learn_people(struct dial *, const float *people, int64_t local_s);

/* The job's clocks have been put forward by so much. */
void dial_set_clock(struct dial *, int64_t forward_s);

/* 0, or -1 with errno. load wants a dial that is new. */
int dial_save(const struct dial *, struct snapshot_writer *) MUST_CHECK;
int dial_load(struct dial *, struct snapshot_reader *) MUST_CHECK;

#endif
