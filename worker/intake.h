/*
 * What the API promises about every record before the engine sees it: its time
 * parsed, order judged, all counts kept, bucket diagnostics fed (jobs-and-data
 * 5.4 to 5.8).
 */
#ifndef WORKER_INTAKE_H
#define WORKER_INTAKE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/compat.h"
#include "common/jobconf.h"
#include "common/totals.h"
#include "worker/reader.h"
#include "worker/snapshot.h"

struct intake;

enum intake_verdict { INTAKE_ACCEPTED, INTAKE_DROPPED };

/* Counts all 0. Borrows the jobconf. NULL with ENOMEM. */
struct intake *intake_new(const struct jobconf *);
void intake_free(struct intake *);

/*
 * The job was opened (not: restarted): the phantom record of 5.7. What a failed
 * upload has left to report goes into the totals first.
 */
void intake_opened(struct intake *);

/* An upload begins; the incremental counts start at 0. receipt_ms: wall. */
void intake_begin(struct intake *, int64_t receipt_ms);

/*
 * Judge one record. Accepted: *time_s is its time in whole seconds, and the
 * engine is to be given it. Counts are kept either way.
 */
enum intake_verdict intake_record(
    struct intake *, const struct record *, int64_t *time_s);

/*
 * The upload is at its end (whole, or failed: then last_data_time stays and
 * diagnostics wait for the next upload, 5.9).
 *
 * bytes         read of it
 * receipt_ms    becomes last_data_time
 */
void intake_end(
    struct intake *, uint64_t bytes, int64_t receipt_ms, bool failed);

const struct data_counts *intake_totals(const struct intake *);
const struct data_counts *intake_incremental(const struct intake *);

/*
 * The models were set back; the counts are not. Of those that are given the
 * latest record's time alone is not taken over: order is judged by what the
 * models know.
 */
void intake_keep_counts(struct intake *, const struct data_counts *);

/*
 * State, between uploads: the section SNAPSHOT_INTAKE, which these begin and
 * enter themselves. Returns 0, or -1 with errno (load: EBADMSG, ENOMEM).
 */
int intake_save(const struct intake *, struct snapshot_writer *) MUST_CHECK;
int intake_load(struct intake *, struct snapshot_reader *) MUST_CHECK;

#endif
