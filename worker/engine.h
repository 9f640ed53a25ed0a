/*
 * The engine of one job: records in, results out. Everything behind this
 * interface may be replaced by something better; nothing before it knows what
 * a model is. One engine serves one job and is not shared.
 *
 * Time is whole epoch seconds. A bucket [b, b + span) is final when time has
 * reached b + span + latency; L, the end of the last final bucket, begins at
 * floor(t, span) - latency of the first time t that is seen (jobs-and-data
 * 4.5). Buckets without records are final results too.
 *
 * Work is cut in slices: the caller sets a target with engine_target and then
 * calls engine_step until it says that nothing is left. Only then may it add
 * the record of that time.
 */
#ifndef WORKER_ENGINE_H
#define WORKER_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/compat.h"
#include "common/jobconf.h"
#include "common/results.h"
#include "common/totals.h"
#include "worker/reader.h"
#include "worker/snapshot.h"

struct engine;

/*
 * A source may fall silent, and every empty bucket is a result. After so many
 * of them in a row series are no longer judged, nor do they learn that they
 * are empty; after so many more are passed over like a skip, with a line in
 * the log. Models fade by the time that has passed either way.
 */
#define ENGINE_EMPTY_LEARNED 1000
#define ENGINE_EMPTY_MOST 100000

/* Borrows the jobconf; copies the sink. NULL with ENOMEM. */
struct engine *engine_new(const struct jobconf *, const struct result_sink *);
void engine_free(struct engine *);

/*
 * Time is known to have reached time_s: buckets that are complete by then are
 * due. A time before the present target changes nothing.
 */
void engine_target(struct engine *, int64_t time_s);

/*
 * Do about a millisecond of what is due. Returns 1: more is due; 0: nothing
 * is; -1 with errno: the sink failed, or memory is out. What was refused is
 * offered again by the next call.
 */
int engine_step(struct engine *) MUST_CHECK;

/*
 * Add a record of time_s, for which engine_target was called and engine_step
 * has returned 0. Records before L are dropped silently (after a skip), and so
 * are times of more than 9e15 seconds, which the other calls ignore.
 * Returns 0, or -1 with ENOMEM, or EINVAL when time does not allow it.
 */
int engine_add(
    struct engine *, int64_t time_s, const struct record *) MUST_CHECK;

/*
 * The job was opened (not: restarted), perhaps with a higher limit: the status
 * of its memory is that of now. What was refused before stays counted.
 */
void engine_opened(struct engine *);

/*
 * What is to be written beside results is something else from the next bucket
 * on. Takes over what is in it.
 */
void engine_set_plot(struct engine *, struct plotconf *);

/*
 * Forget what open buckets of [start_s, end_s) have gathered (5.10): from then
 * on that is due, for engine_step.
 */
void engine_reset_buckets(struct engine *, int64_t start_s, int64_t end_s);

/*
 * Jump: L becomes ceil(time_s, span); nothing is learned, no results. A time
 * before L changes nothing. To free what was gathered is due then.
 */
void engine_skip(struct engine *, int64_t time_s);

/*
 * Interim results for open buckets that overlap [start_s, end_s); TIME_UNSET
 * for both means all that have begun. They take the place of earlier ones,
 * teach the models nothing, and tell only what missing records cannot undo:
 * high counts, sums of values that are never negative, high maxima and low
 * minima. Nothing may be due.
 *
 * A slice of it. Returns 1: to be called again, with the same range and before
 * anything else is done; 0: done; -1 with errno of the sink, EBUSY.
 */
int engine_interim(struct engine *, int64_t start_s, int64_t end_s) MUST_CHECK;

/*
 * The job is being closed: make the scores of earlier results again, if there
 * were new ones since that was done last (results-and-models 4.7). A slice of
 * it: 1: to be called again; 0: done; -1 with errno of the sink.
 */
int engine_renew(struct engine *) MUST_CHECK;

/*
 * Records have come, or earlier interim results have gone, since the last
 * ones of all open buckets.
 */
bool engine_has_news(const struct engine *);

/* L in epoch ms; TIME_UNSET when no time was ever seen. */
int64_t engine_last_finalized_ms(const struct engine *);

/* Model size and number of entities now; log_time is left alone. */
void engine_size(const struct engine *, struct model_size *);
/* Timing of result buckets. Wall time: not part of what replay repeats. */
void engine_timing(const struct engine *, struct timing *);

/*
 * State, into a section of its own (SNAPSHOT_ENGINE). Nothing may be due: then
 * it goes on to the last bit as if it had never stopped. load wants a new
 * engine of the same configuration. Returns 0, or -1 with errno (save: EBUSY;
 * load: EBADMSG, ENOMEM; the engine is then only good for engine_free).
 */
int engine_save(const struct engine *, struct snapshot_writer *) MUST_CHECK;
int engine_load(struct engine *, struct snapshot_reader *) MUST_CHECK;

#endif
