/*
 * The people of populations in the bucket at hand: whom its leaves belong to,
 * what is to be said of each member of an attribute, and what of each person
 * over all of his attributes (results-and-models 4.4, 6.1). A bucket is judged
 * as a whole here: nobody's value means anything before all are known.
 *
 * Done in steps after the series: the leaves of members are linked, then the
 * attributes are judged one after the other, then the persons. What is kept
 * meanwhile is freed with the bucket.
 */
#ifndef WORKER_PEOPLE_H
#define WORKER_PEOPLE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/compat.h"
#include "common/explanation.h"
#include "worker/aggregate.h"
#include "worker/keys.h"
#include "worker/peopleplot.h"

struct engine;
struct finding;
struct series;

#define PEOPLE_NONE UINT32_MAX

/* What is said of the member that a leaf belongs to. */
struct verdict {
	double ln_p;
	double typical;
	double actual;
	/* Of a place the second of two values, longitudes. */
	double typical_2, actual_2;
	uint32_t cell; /* of odd events, which are times or places */
	uint32_t why;  /* of people.why; PEOPLE_NONE */
	uint32_t person;
	uint32_t next; /* the next leaf of the attribute; PEOPLE_NONE */
	uint32_t own;  /* the next leaf of the person */
	uint8_t feature;
	bool says; /* there is something to say */
};

/* An attribute that people have in this bucket. */
struct attribute {
	uint32_t series;
	uint32_t first; /* leaf */
	uint32_t last;
	uint32_t n; /* people */
};

struct person {
	uint32_t partition;
	uint32_t over;	/* name */
	uint32_t first; /* leaf */
	uint32_t last;
	uint32_t n;	/* leaves */
	uint32_t worst; /* the leaf with the least probability */
	struct aggregate attributes;
};

/*
 * How the members of an attribute are judged. First all are shown, then all
 * are judged, in the same order: that of the leaves. In an interim bucket
 * nothing is learnt. What returns int returns 0, or -1 with ENOMEM, and may be
 * called again.
 */
struct people_kind {
	int (*begin)(struct engine *, const struct attribute *);
	int (*show)(struct engine *, uint32_t leaf);
	void (*ready)(struct engine *);
	int (*judge)(struct engine *, uint32_t leaf, struct verdict *);
	int (*end)(struct engine *);
	/*
	 * ln p of a person of whom something is said, as the one of all who
	 * stands out most; NULL: made of attributes
	 */
	double (*person)(const struct engine *, const struct person *);
	/* Of a person who has a record. ln_p: its probability */
	void (*explain)(const struct engine *, const struct person *,
	    double ln_p, struct explanation *);
};

/* To be embedded; zeroed is empty. */
struct people {
	struct verdict *verdict;     /* owned; [leaf] of the bucket */
	struct attribute *attribute; /* owned */
	uint32_t nattributes;
	uint32_t attribute_cap;
	struct person *person; /* owned */
	uint32_t npersons;
	uint32_t person_cap;
	struct keys of_person; /* (partition, over) where there is a by field */
	uint32_t cursor;
	uint32_t leaf; /* of the attribute at hand; PEOPLE_NONE: none yet */
	bool shown;    /* all of its leaves */
	struct comparison *at_hand;	 /* owned; population.h */
	struct whereabouts *whereabouts; /* owned */
	struct explanation *why;	 /* owned; of odd members */
	uint32_t nwhys;
	uint32_t why_cap;
	struct peopleplot plot;
};

/* Room for the next explanation, of number nwhys. 0, or -1 with ENOMEM. */
int people_reserve_why(struct people *) MUST_CHECK;

/* Forget a bucket, and free. */
void people_clear(struct engine *);

/*
 * A few dozen leaves, members or persons more. 1: there are more; 0: done; -1
 * with ENOMEM. Persons are added to the findings of the judge.
 */
int people_link(struct engine *) MUST_CHECK;
int people_compare(struct engine *) MUST_CHECK;
int people_judge(struct engine *) MUST_CHECK;

#endif
