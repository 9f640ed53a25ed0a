/*
 * Judging a bucket: each series in it, then what they say together, then the
 * results in their order. Done in steps, for a bucket may touch 100,000
 * series; nothing depends on where the steps are cut.
 */
#ifndef WORKER_JUDGE_H
#define WORKER_JUDGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compat.h"
#include "common/results.h"
#include "worker/aggregate.h"
#include "worker/culprits.h"
#include "worker/feature.h"
#include "worker/model.h"
#include "worker/news.h"
#include "worker/normalise.h"
#include "worker/people.h"
#include "worker/plot.h"
#include "worker/rarity.h"
#include "worker/renewal.h"
#include "worker/together.h"

struct bucket;
struct engine;
struct leaf;
struct partition;
struct series;

/* A record that may be written. */
struct finding {
	uint32_t series; /* of a person: where he stands out most */
	uint32_t detector;
	uint32_t partition;
	uint32_t by; /* names; NAMES_NONE */
	uint32_t over;
	uint32_t person; /* of people.h; PEOPLE_NONE: a series of its own */
	double ln_p;
	double raw;
	double score;
	struct feature_told told;
	double impact; /* of the buckets before */
	/* Of a place the second of two values, longitudes. */
	double typical_2, actual_2;
	const struct feature *feature; /* of the function: what was odd */
	const struct leaf *leaf;       /* NULL: nothing came for this series */
	struct explanation why;
	bool plotted;	 /* its series is part of the model plot */
	bool deserts;	 /* it did not do what this one did: */
	uint32_t leader; /* name of its by value */
};

enum judge_phase {
	JUDGE_IDLE,
	JUDGE_SERIES,
	JUDGE_TOGETHER, /* of those that go with each other */
	JUDGE_VALUES,	/* that may be rare */
	JUDGE_LINKS,	/* of the people in the bucket */
	JUDGE_MEMBERS,	/* each among the others */
	JUDGE_PEOPLE,
	JUDGE_VALUES_LEARNT,
	JUDGE_CULPRITS, /* whom records name */
	JUDGE_CROWD,	/* where else they were */
	JUDGE_PARTITIONS,
	JUDGE_RECORDS,
	JUDGE_INFLUENCERS,
	JUDGE_BUCKET,
	JUDGE_RENEWAL,	/* of earlier scores */
	JUDGE_SHEDDING, /* what the bucket holds is not needed any more */
};

/* The scope of a bucket influencer: bucket_time, or an influencer field. */
struct judge_scope {
	struct normaliser scores;
	double peak;
	struct normaliser values; /* the same of the field's single values */
	double value_peak;
	/* Of the bucket at hand: */
	double value_raw;	/* of its loudest value */
	struct aggregate named; /* records that name the field, culprits.h */
	double ln_p;
	double raw;
};

struct judge {
	/* Remembered over buckets: [0] is bucket_time. */
	struct judge_scope scope[RESULT_MAX_INFLUENCERS + 1];
	size_t nscopes;
	struct renewal renewal;

	/* The same for the whole job. */
	struct normalise_params normalise;
	struct model_params model;
	struct rarity_clock rarity; /* of buckets with a value */
	struct rarity_clock rarity_people;
	double keep_peak;

	/* The bucket at hand. */
	enum judge_phase phase;
	struct bucket *bucket; /* borrowed from the engine */
	int64_t local_s;       /* its start by the job's clocks */
	bool interim;
	bool quiet; /* a silent source: empty buckets are not judged */
	uint32_t cursor;
	uint64_t us;		 /* spent so far */
	struct finding *finding; /* owned; [2 * RESULT_MAX_RECORDS...] */
	size_t nfindings;
	uint32_t *touched; /* owned; partitions with members */
	uint32_t ntouched;
	uint32_t touched_cap;
	uint64_t *judged; /* owned; a bit for each series that had its say */
	uint32_t judged_words;
	uint64_t nleaves; /* series with a result */
	uint32_t ngrown;  /* models that got a table, or looked for one */
	struct people people;
	struct together together;
	struct culprits culprits;
	struct news news;
	struct plot plot; /* what is to be written of the slice at hand */
	struct aggregate *detector;   /* owned; [ndetectors] */
	struct record_result *record; /* owned scratch: it is large */
};

/* 0, or -1 with ENOMEM. */
int judge_init(struct judge *, const struct jobconf *) MUST_CHECK;
void judge_clear(struct judge *);
/* What judge_init allocates. */
size_t judge_bytes(size_t ndetectors);

/* Begin with a bucket. */
void judge_begin(struct engine *, struct bucket *, bool interim, bool quiet);

/*
 * Go on for a few dozen series. Returns 1: there is more; 0: the bucket is
 * judged, written and, unless interim, learnt; -1 with errno of the sink: the
 * same step may be tried again.
 */
int judge_step(struct engine *) MUST_CHECK;

/* 0, or -1 with errno. load wants a new judge of the same configuration. */
int judge_save(const struct judge *, struct snapshot_writer *) MUST_CHECK;
int judge_load(struct judge *, struct snapshot_reader *) MUST_CHECK;

/* Only results that are less likely than this are written (4.5). */
#define JUDGE_LN_RECORD (-3.3524072174927233) /* ln 0.035 */

/* judge_series.c: judge and teach one that is alone. 0, or -1 with errno. */
int judge_series(struct engine *, uint32_t series) MUST_CHECK;
/* To tell its value takes so long that it has a step of its own. */
bool judge_is_slow(const struct engine *, uint32_t series);

/* For the kinds of analysis, each of which has a file of its own: */

/*
 * Time has passed since the series was last seen to: it has not learnt the
 * bucket at hand.
 */
void judge_fade(struct engine *, struct series *);
/*
 * A model of a series learns; it grows while there is memory. 0, or -1 with
 * ENOMEM.
 */
int judge_learn(struct engine *, uint32_t series, struct model *,
    const struct outlook *) MUST_CHECK;
/* It is there in more than a tenth of the buckets (6.1). */
bool judge_is_frequent(
    const struct engine *, const struct series *, const struct partition *);
/*
 * A series, or a person, has something to say in this partition: first there
 * is to be room for that (0, or -1 with ENOMEM), then the partition is told,
 * then comes what is said. What is unlikely enough is kept for a record.
 */
int judge_reserve(struct engine *) MUST_CHECK;
void judge_touch(struct engine *, uint32_t partition);
void judge_add(struct engine *, const struct finding *);
/* All of it for a series that is alone. */
void judge_say(struct engine *, struct finding *);

/* Leave the bucket as it is. Series that were judged have learnt it. */
void judge_abandon(struct engine *);

#endif
