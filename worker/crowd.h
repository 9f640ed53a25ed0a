/*
 * How the people of a population compare in one attribute: each with the
 * others of the same bucket, and with what was usual among them.
 *
 * The values of a bucket are put on the scale on which their scatter is most
 * even (power.h). Their middle is the median of the others, drawn towards what
 * the middle was expected to be, the more the fewer they are. A distance from
 * it, in units of their scatter, is a surprise, and the tail of all people's
 * past surprises (tail.h) says how unlikely it is. Somebody who has always
 * been different is measured by the lesser of two distances: from the others,
 * and from what is usual for him. His distances of the last buckets together
 * are another surprise, with a tail of its own.
 */
#ifndef WORKER_CROWD_H
#define WORKER_CROWD_H

#include <stdbool.h>
#include <stdint.h>

#include "common/compat.h"
#include "common/jobconf.h"
#include "worker/bounds.h"
#include "worker/model.h"
#include "worker/power.h"
#include "worker/snapshot.h"
#include "worker/tail.h"

/* A habit is one of the last so many buckets, and no further out than this. */
#define HABIT_BUCKETS 100.0
#define HABIT_MOST 100.0

/* A width is no less, and no more than this. */
#define CROWD_WIDTH_LEAST 0.02
#define CROWD_WIDTH_MOST 100.0

/* What is usual for one of the people: distances from the others. */
struct habit {
	float n; /* buckets; up to a bound */
	float mean;
	float spread;
	float row;	   /* excesses in a row, to the last bucket */
	float run;	   /* decayed sum of the last distances, */
	float run_squares; /* and of the squares of their weights */
};

/* What is known of the people of an attribute. */
struct crowd {
	double n; /* values, fading */
	bool negative;
	bool fractions;
	double least; /* smallest value above zero */
	enum power power;
	double scale[POWERS]; /* scatter around the middle on each scale */
	double worth[POWERS]; /* ln likelihood on each, fading */
	struct tail tail[SIDES];
	struct tail run[SIDES];
	/* distances within which people are expected, crowd_bounds.c */
	float width[SIDES];
};

/* Of more values only so many tell the middle and the scatter. */
#define CROWD_SAMPLE 512

/* Where the middle is thought to be before any of the bucket was seen. */
struct crowd_forecast {
	bool known;
	double middle; /* a value */
	double low;    /* one standard error below, */
	double high;   /* and above; low <= middle <= high */
};

/*
 * A bucket's people, as each is seen from his own place: below, in or above
 * the middle, of which his own value is no part.
 */
struct crowd_view {
	enum model_kind kind;
	enum power power;
	double zero; /* what stands for zero where there are logarithms */
	bool known;
	bool negative;
	double past; /* values of earlier buckets, fading, */
	double n;    /* and of this one */
	float width[SIDES];
	double low, high; /* the middle of all lies between */
	double middle[3]; /* of the others, on the scale */
	double scale[3];  /* of distances to it */
	double typical[3];
	double bound; /* no ln p below it is believed in full */
	struct tail tail[SIDES];
	struct tail run[SIDES];
};

/* How far out one of the people is. */
struct crowd_place {
	int at;		/* of the middles of the view, */
	double typical; /* middle of the others */
	double z;	/* distance from it, in scales */
	double own;	/* the lesser of that and the one from his habit */
	double surprise[SIDES];
	double ln_p[SIDES];
	float run, run_squares; /* with this bucket */
	double run_surprise[SIDES];
	double run_ln_p[SIDES];
};

void crowd_init(struct crowd *);
void habit_init(struct habit *);

/* Time has passed: keep this share of what is known, 0..1. */
void crowd_forget(struct crowd *, double keep);

/*
 * A bucket begins. Sets the view, and teaches the crowd the scatter.
 *
 * sample   values of n people, up to CROWD_SAMPLE of them, in any order, but
 *	    ascending afterwards; n > 0
 * towards  the middle may still move to this side, for the bucket is not
 *	    complete; SIDE_BOTH: it is complete
 *
 * Returns the middle of the bucket, for whoever forecasts the next one.
 */
double crowd_look(struct crowd *, enum model_kind, double *sample,
    uint32_t nsample, double n, const struct crowd_forecast *,
    enum function_side towards, struct crowd_view *);

/* Where he is among the others. passed: buckets since he was there, >= 1 */
void crowd_place(const struct crowd_view *, const struct habit *, double passed,
    double x, struct crowd_place *);
/* ln of the probability of so much on the side that counts; <= 0 */
double crowd_ln_p(
    const struct crowd_view *, const struct crowd_place *, enum function_side);
/* The value that is y on the scale of the view. */
double crowd_value(const struct crowd_view *, double y);

/*
 * crowd_bounds.c: between which values he is expected (bounds.h), whatever his
 * own is: where the others are, and where he usually is. False while too
 * little is known; b is then unchanged. How far out that is is learnt with
 * each of the people, of whom place and view are.
 */
bool crowd_bounds(const struct crowd_view *, const struct habit *,
    const struct crowd_place *, struct bounds *);
void crowd_widths_init(float width[SIDES]);
void crowd_widths_learn(
    float width[SIDES], const struct crowd_view *, const struct crowd_place *);
/* What is usual for him, as far as it is believed: a distance in scales. */
double habit_usual(const struct habit *);

/* He was there. */
void crowd_learn(struct crowd *, struct habit *, const struct crowd_view *,
    const struct crowd_place *);

/* 0, or -1 with errno. load wants what is new. */
int crowd_save(const struct crowd *, struct snapshot_writer *) MUST_CHECK;
int crowd_load(struct crowd *, struct snapshot_reader *) MUST_CHECK;
/* Of a section that may be missing (snapshot.h). */
int crowd_save_widths(
    const struct crowd *, struct snapshot_writer *) MUST_CHECK;
int crowd_load_widths(struct crowd *, struct snapshot_reader *) MUST_CHECK;
int habit_save(const struct habit *, struct snapshot_writer *) MUST_CHECK;
int habit_load(struct habit *, struct snapshot_reader *) MUST_CHECK;

#endif
