/* Owns what each type of journal entry does to a job. */
#include "common/compat.h"

#include <errno.h>

#include "common/clock.h"
#include "common/log.h"
#include "worker/entry.h"
#include "worker/forecasts.h"
#include "worker/mark.h"

/* Reading the clock costs as much as a record: look at it now and then. */
#define RECORDS_PER_LOOK 64

static bool
is_over(const struct entry_run *run)
{
	return clock_mono_us() >= run->deadline_us;
}

/*
 * The phases. Each returns 1: the slice is over; 0: go on with run->phase,
 * or the entry is at its end when that is NULL; -1 with errno.
 */

static int
phase_end(struct entry_run *run)
{
	run->phase = NULL;
	return 0;
}

/* Have the engine finish what is due. Returns as a phase does. */
static int
settle(struct entry_run *run)
{
	int rc;

	while ((rc = engine_step(run->analysis->engine)) == 1) {
		(*run->progress)++;
		if (is_over(run))
			return 1;
	}
	return rc;
}

/* Give the engine the record that waits. Returns as a phase does. */
static int
record_give(struct entry_run *run)
{
	int rc = settle(run);

	if (rc != 0)
		return rc;
	rc = engine_add(run->analysis->engine, run->time_s, run->record);
	run->record = NULL;
	return rc;
}

static int
phase_upload_end(struct entry_run *run)
{
	const struct analysis *a = run->analysis;
	int rc = settle(run);

	if (rc != 0)
		return rc;
	intake_end(a->intake, reader_bytes(a->reader), run->entry.receipt_ms,
	    run->failed);
	return phase_end(run);
}

static int
phase_records(struct entry_run *run)
{
	struct analysis *a = run->analysis;
	unsigned n = 0;
	int rc;

	if (run->record != NULL && (rc = record_give(run)) != 0)
		return rc;
	while ((rc = reader_next(a->reader, &run->record, &run->error)) > 0) {
		(*run->progress)++;
		if (rc == 2) {
			run->record = NULL;
			if (is_over(run))
				return 1;
			continue;
		}
		if (intake_record(a->intake, run->record, &run->time_s) ==
		    INTAKE_ACCEPTED) {
			engine_target(a->engine, run->time_s);
			if ((rc = record_give(run)) != 0)
				return rc;
		}
		if (++n % RECORDS_PER_LOOK == 0 && is_over(run)) {
			run->record = NULL;
			return 1;
		}
	}
	run->record = NULL;
	run->failed = rc == -1;
	run->phase = phase_upload_end;
	return 0;
}

static int
phase_upload(struct entry_run *run)
{
	const struct journal_entry *e = &run->entry;
	struct analysis *a = run->analysis;

	if (analysis_reader(a) == NULL)
		return -1;
	if (e->reset_start_s != TIME_UNSET && e->reset_end_s != TIME_UNSET)
		engine_reset_buckets(
		    a->engine, e->reset_start_s, e->reset_end_s);
	intake_begin(a->intake, e->receipt_ms);
	reader_begin(a->reader, run->data, (size_t)e->data_len);
	run->phase = phase_records;
	return 0;
}

static int
phase_interim(struct entry_run *run)
{
	const struct journal_entry *e = &run->entry;
	struct engine *engine = run->analysis->engine;
	int rc = 0;

	while (e->calc_interim &&
	    (rc = engine_interim(engine, e->start_s, e->end_s)) == 1) {
		(*run->progress)++;
		if (is_over(run))
			return 1;
	}
	return rc == -1 ? -1 : phase_end(run);
}

static int
phase_advance(struct entry_run *run)
{
	int rc = settle(run);

	if (rc == 0)
		run->phase = phase_interim;
	return rc;
}

/* The order is the API's: skip, advance, interim (jobs-and-data 4.5). */
static int
phase_flush(struct entry_run *run)
{
	struct engine *engine = run->analysis->engine;

	if (run->entry.skip_time_s != TIME_UNSET)
		engine_skip(engine, run->entry.skip_time_s);
	if (run->entry.advance_time_s != TIME_UNSET)
		engine_target(engine, run->entry.advance_time_s);
	run->phase = phase_advance;
	return 0;
}

static int
phase_opened(struct entry_run *run)
{
	intake_opened(run->analysis->intake);
	engine_opened(run->analysis->engine);
	return phase_end(run);
}

/* What the journal could not take changes nothing: it would not be repeated. */
static int
phase_close(struct entry_run *run)
{
	int rc = 0;

	while (run->entry.seq != 0 &&
	    (rc = engine_renew(run->analysis->engine)) == 1) {
		(*run->progress)++;
		if (is_over(run))
			return 1;
	}
	return rc == -1 ? -1 : phase_end(run);
}

static int
phase_forecast(struct entry_run *run)
{
	int rc =
	    forecasts_entry(run->analysis, &run->entry, run->data, &run->error);

	run->failed = rc == 1;
	return rc == -1 ? -1 : phase_end(run);
}

static int (*const first_phase[])(struct entry_run *) = {
	[JOURNAL_OPEN] = phase_opened,
	[JOURNAL_UPLOAD] = phase_upload,
	[JOURNAL_FLUSH] = phase_flush,
	[JOURNAL_CLOSE] = phase_close,
	[JOURNAL_FORECAST] = phase_forecast,
};

void
entry_begin(struct entry_run *run, struct analysis *a,
    const struct journal_entry *entry, const char *data)
{
	run->analysis = a;
	run->entry = *entry;
	run->data = data;
	run->phase = first_phase[entry->type];
	run->record = NULL;
	run->failed = false;
	run->error.status = 0;
}

/* What an upload with a key is answered is kept with its results. */
static int
keep_answer(const struct entry_run *run)
{
	const struct journal_entry *e = &run->entry;
	struct kept_answer a = { .seq = e->seq,
		.retry = { e->key_hi, e->key_lo, e->digest_hi, e->digest_lo },
		.receipt_ms = e->receipt_ms,
		.failed = run->failed };
	struct wbuf wb;
	int rc;

	if (!retry_is_set(&a.retry))
		return 0;
	wbuf_init(&wb, 0);
	rc = run->failed ? apierr_encode(&run->error, &wb)
			 : schema_encode(&data_counts_schema,
			       intake_incremental(run->analysis->intake), &wb);
	a.body = (struct span){ (const char *)wb.data, wb.len };
	if (rc == 0)
		rc = results_put_answer(run->analysis->results, &a);
	wbuf_clear(&wb);
	return rc;
}

/* The entry's results and its number become visible together. */
static int
entry_commit(const struct entry_run *run)
{
	struct analysis *a = run->analysis;

	if (run->entry.seq != 0)
		a->applied_seq = run->entry.seq;
	if (run->entry.seq != 0 &&
	    (run->entry.type == JOURNAL_UPLOAD ||
		run->entry.type == JOURNAL_FLUSH))
		a->data_seq = a->applied_seq;
	if (a->muted)
		return 0;
	if (keep_answer(run) == -1)
		return -1;
	/* Its row is read by whoever is answered, so that cannot wait. */
	if (run->entry.type == JOURNAL_FORECAST)
		return results_commit(a->results, a->applied_seq, false);
	return results_end_entry(a->results, a->applied_seq);
}

int
entry_step(struct entry_run *run, int64_t deadline_us, uint64_t *progress)
{
	struct mark *mark = run->analysis->mark;
	int rc = 0;

	run->deadline_us = deadline_us;
	run->progress = progress;
	mark_take(mark, run->entry.seq, run->entry.token);
	while (rc == 0 && run->phase != NULL)
		rc = run->phase(run);
	if (rc == 0) {
		(*progress)++;
		rc = entry_commit(run);
	}
	mark_drop(mark);
	return rc;
}
