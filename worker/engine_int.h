/* The inside of the engine, shared by the files that make it up. */
#ifndef WORKER_ENGINE_INT_H
#define WORKER_ENGINE_INT_H

#include "common/compat.h"
#include "worker/bucket.h"
#include "worker/completeness.h"
#include "worker/engine.h"
#include "worker/feature.h"
#include "worker/judge.h"
#include "worker/pairs.h"
#include "worker/series.h"
#include "worker/siblings.h"

#define FIELD_NONE UINT32_MAX

/*
 * Times beyond this, in seconds, are none: 285 million years, so that
 * milliseconds, spans and latencies can be added without overflow.
 */
#define ENGINE_TIME_MOST 9000000000000000

/* How a detector's values are judged. */
enum analysis_kind {
	ANALYSIS_NONE,	      /* not computed */
	ANALYSIS_INDIVIDUAL,  /* each series by its own past */
	ANALYSIS_POPULATION,  /* people by the others and their past */
	ANALYSIS_RARE,	      /* values by how often they were there */
	ANALYSIS_RARE_PEOPLE, /* people by how rare their values are */
	ANALYSIS_WHEREABOUTS, /* people by their times or places */
};

/* A detector, with its fields as numbers of analysis fields. */
struct engine_detector {
	const struct detector *conf; /* borrowed */
	enum analysis_kind kind;
	const struct feature *feature; /* static; NULL: not computed */
	uint32_t nfeatures;	       /* of them, in a row */
	uint32_t nmodels; /* a series has so many, a special, or neither */
	struct siblings *siblings; /* owned; [nfeatures] */
	uint32_t argument;	   /* FIELD_NONE: not set */
	uint32_t by;
	uint32_t over;
	uint32_t partition;
	bool goes_together;	      /* together.h has a say */
	uint32_t other_influencers;   /* not its by, over or partition field */
	struct sibling_scores scores; /* of its partitions */
	uint32_t recent; /* series of the last record, or any number */
};

/* One analysis field of the record at hand, looked up when it is wanted. */
struct engine_field {
	bool parsed;
	bool is_number;
	bool named;
	double number;
	uint32_t name; /* NAMES_NONE: no series knows it yet */
};

struct engine {
	const struct jobconf *conf; /* borrowed */
	struct result_sink sink;
	int64_t span_s;
	struct engine_detector *detector; /* owned; [conf->ndetectors] */
	uint32_t *influencer; /* owned; analysis fields; [ninfluencers] */
	uint32_t summary_count;
	struct engine_field *field; /* owned; scratch; [conf->nfields] */

	/* Time: epoch seconds. */
	int64_t target_s;
	int64_t end_s;	    /* L */
	int64_t next_s;	    /* start of the first bucket that is not final */
	uint64_t empty_run; /* final buckets without records, to the last */

	struct bucket *open; /* owned ring; by number of the bucket */
	size_t nopen;
	/* Those that start in this range are to be emptied; none: equal. */
	int64_t empty_from_s, empty_to_s;
	size_t empty_at;       /* place in open */
	struct bucket *recent; /* in open: where the last record went */
	size_t open_bytes;     /* of all of them */
	size_t fixed_bytes;    /* of what is as large as the job's shape */

	struct names names; /* of by and partition values */
	struct series_table table;
	double prune_share; /* of the window in which series are kept; <= 1 */
	struct judge judge;
	struct pairs pairs;
	struct completeness completeness;
	bool has_people;	   /* a detector is of a population */
	bool has_rare;		   /* a detector is of rare values */
	bool has_pairs;		   /* a detector's series go together */
	struct plotconf plot;	   /* owned: of the bucket at hand */
	struct plotconf plot_next; /* owned: if it has changed, of the next */
	bool plot_changed;
	bool interim_left; /* interim results may be in the sink */
	bool news;	   /* for engine_interim */
	int64_t interim_s; /* bucket that is up in engine_interim, or unset */

	struct model_size size; /* peak, failures, status; the rest is made */
	struct timing timing;
};

/* Partitions know which of their values are rare. */
bool engine_is_rare(const struct engine_detector *);

/* Floor and ceiling to the bucket span. */
int64_t engine_floor(const struct engine *, int64_t time_s);
int64_t engine_ceil(const struct engine *, int64_t time_s);

/* The same moment on the clocks of the job's time zone. */
int64_t engine_local(const struct engine *, int64_t time_s);

/* The value of a by or partition field; p is NULL where there is no field. */
struct span engine_value_of(const struct engine *, uint32_t name);

/* The open bucket that starts then, reset if its place was another's. */
struct bucket *engine_bucket(struct engine *, int64_t start_s);

/* What a call of the engine takes. */
#define ENGINE_SLICE_US 1000

/*
 * Forget interim results. 1: there are more; 0: none are left; -1 with errno of
 * the sink.
 */
int engine_drop_interim(struct engine *) MUST_CHECK;

/* A bucket is due, or being judged. */
bool engine_is_busy(const struct engine *);

/* Partitions of a detector, on average. */
uint32_t engine_partitions_each(const struct engine *);

/* Bytes of everything: a function of the numbers of elements. */
size_t engine_bytes(const struct engine *);
void engine_note_bytes(struct engine *);

/* bucket_state.c: open buckets in a snapshot; 0, or -1 with errno. */
uint32_t engine_buckets_worth_saving(const struct engine *);
int engine_save_buckets(
    const struct engine *, struct snapshot_writer *) MUST_CHECK;
int engine_load_buckets(struct engine *, uint32_t nbuckets, bool has_rooms,
    struct snapshot_reader *) MUST_CHECK;

/* gather.c: take a record into the bucket of its time. */
int gather_record(struct engine *, struct bucket *, int64_t time_s,
    const struct record *) MUST_CHECK;

#endif
