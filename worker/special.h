/*
 * What a series knows whose value is no number on a line: times of the day or
 * week (dial.h), places (places.h). One of these takes the place of its models
 * (model.h).
 *
 * The path of a value: the kind of value has a nominal probability, of which
 * the series' own tail (tail.h) says how often one as small was seen, and
 * which is never less than what was seen can say.
 */
#ifndef WORKER_SPECIAL_H
#define WORKER_SPECIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compat.h"
#include "worker/groups.h"
#include "worker/snapshot.h"

enum special_kind {
	SPECIAL_NONE,
	SPECIAL_TIME_OF_DAY,
	SPECIAL_TIME_OF_WEEK,
	SPECIAL_PLACE,
};

struct special;

struct special_look {
	double ln_p;
	double actual[2]; /* one value, or latitude and longitude */
	double typical[2];
	uint32_t cell;	 /* of the odd events */
	double surprise; /* -ln of the nominal probability; 0: not known */
};

/*
 * Where an event is.
 *
 * local_s  its time by the job's clocks
 * text     of a place
 *
 * 0, or -1: nowhere.
 */
int special_position(enum special_kind, int64_t local_s, struct span text,
    struct position *) MUST_CHECK;

/* Whether groups that were read from a snapshot are of positions of a kind. */
bool special_fits(enum special_kind, const struct groups *);

/* Kind is none but SPECIAL_NONE. NULL with ENOMEM. */
struct special *special_new(enum special_kind);
void special_free(struct special *);	 /* NULL is fine */
size_t special_bytes(enum special_kind); /* SPECIAL_NONE: 0 */
enum special_kind special_kind_of(const struct special *);

/* Look at a bucket's events, which are not learnt yet. */
void special_see(const struct special *, const struct groups *, int64_t local_s,
    struct special_look *);
/* Learn what was seen; nothing else was in between. */
void special_learn(struct special *, const struct groups *, int64_t local_s,
    const struct special_look *);

/*
 * What people have in common, each of whom is judged by it, and who are learnt
 * together (whereabouts.h).
 *
 * copy	     NULL with ENOMEM
 * nats	     that what was seen can say; 0: nothing is known yet
 * ln_share  ln of the share of all events at positions that are no more usual
 *	     than that of a group; there are nats
 * tell	     sets what was odd: actual, typical, cell
 * tail	     says of the surprise in ln_p
 */
struct special *special_copy(const struct special *);
double special_nats(const struct special *, int64_t local_s);
double special_ln_share(const struct special *, const struct group *);
void special_tell(
    const struct special *, const struct group *, struct special_look *);
void special_measure(const struct special *, double nats, double surprise,
    struct special_look *);
/*
 * One person is learnt, of whom special_measure has said this.
 *
 * row  his surprises in a row, to the last bucket; set to that of now. NULL:
 *	there were no nats
 */
void special_learn_person(struct special *, const struct groups *,
    const struct special_look *, float *row);
/* Then the bucket. people: [cell] of times, who had events then. */
void special_learn_people(
    struct special *, const float *people, int64_t local_s);

/* Keep this share of what is known: time has passed. */
void special_forget(struct special *, double keep);
/* The job's clocks have been put forward by so much. */
void special_set_clock(struct special *, int64_t forward_s);

/* 0, or -1 with errno. load wants one that is new. */
int special_save(const struct special *, struct snapshot_writer *) MUST_CHECK;
int special_load(struct special *, struct snapshot_reader *) MUST_CHECK;

#endif
