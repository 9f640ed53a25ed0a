/*
 * Owns the counts of a job: the totals, and those of the upload that is being
 * read (jobs-and-data 5.4 to 5.8).
 */
#include "common/compat.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/timefmt.h"
#include "worker/bucketdiag.h"
#include "worker/globe.h"
#include "worker/intake.h"

#define NO_TWIN SIZE_MAX
/* Decimal digits that a double holds, so that a cut of it is exact. */
#define EXACT_DIGITS 15

struct intake {
	const struct jobconf *conf; /* borrowed */
	struct timefmt *format;	    /* owned */
	int64_t plain_unit_ms;	    /* of plain digits; 0: a pattern */
	size_t twin;	/* the field of a record that is the time field too */
	bool *is_place; /* owned; [nfields + 1]: of a lat_long */
	bool has_places;
	struct bucketdiag *diag; /* owned */
	struct data_counts total;
	struct data_counts upload;
	int64_t latest_ms;	  /* of all accepted; 0 when there is none */
	int64_t latest_floor_ms;  /* start of its bucket */
	int64_t latest_upload_ms; /* noted in this upload; begins at 0 */
	int year;		  /* of the upload's receipt */
};

/* ---- order of time ---- */

static int64_t
floor_to(int64_t t, int64_t span)
{
	int64_t rest = t % span;

	return t - (rest < 0 ? rest + span : rest);
}

static void
set_latest(struct intake *in, int64_t ms)
{
	int64_t span_ms = in->conf->bucket_span_s * 1000;

	in->latest_ms = ms;
	in->latest_floor_ms = floor_to(ms, span_ms);
}

static void
raise_latest(struct intake *in, int64_t ms)
{
	if (ms <= in->latest_ms)
		return;
	if (ms - in->latest_floor_ms >= in->conf->bucket_span_s * 1000)
		set_latest(in, ms);
	else
		in->latest_ms = ms; /* the same bucket: spare a division */
}

static bool
is_late(const struct intake *in, int64_t ms)
{
	return ms / 1000 < in->latest_floor_ms / 1000 - in->conf->latency_s;
}

/* ---- time ---- */

/*
 * Digits with an optional point among them, few enough that cutting them here
 * gives what cutting the nearest double would. Returns false for all else.
 */
static bool
read_plain(const char *p, size_t len, int64_t *whole)
{
	bool point = false, digit = false;
	int64_t v = 0;

	if (len == 0 || len > EXACT_DIGITS)
		return false;
	for (const char *end = p + len; p < end; p++) {
		if (*p == '.' && !point) {
			point = true;
			continue;
		}
		if (*p < '0' || *p > '9')
			return false;
		digit = true;
		if (!point)
			v = v * 10 + (*p - '0');
	}
	*whole = v;
	return digit;
}

static int
read_time(const struct intake *in, const struct field_value *f, int64_t *ms)
{
	int64_t whole;

	if (in->plain_unit_ms > 0 && read_plain(f->p, f->len, &whole)) {
		*ms = whole * in->plain_unit_ms;
		return 0;
	}
	return timefmt_parse(in->format, f->p, f->len, in->year, ms);
}

static int
year_of(int64_t ms)
{
	time_t s = (time_t)(ms / 1000);
	struct tm tm;

	if (gmtime_r(&s, &tm) == NULL)
		return 1970; /* no clock shows such a time */
	return tm.tm_year + 1900;
}

/* ---- counting ---- */

/* A place that cannot be read counts as a missing one (6.2). */
static uint64_t
count_lost(const struct intake *in, const struct record *rec)
{
	uint64_t lost = 0;

	for (size_t i = 0; i < rec->nfields; i++) {
		const struct field_value *f = &rec->field[i];
		struct position where;

		if (in->is_place[i] && f->present &&
		    globe_parse(f->p, f->len, &where) == -1)
			lost++;
	}
	return lost;
}

static uint64_t
count_missing(const struct intake *in, const struct record *rec)
{
	uint64_t missing = 0;

	for (size_t i = 0; i < rec->nfields; i++)
		if (!rec->field[i].present && i != in->twin)
			missing++;
	return in->has_places ? missing + count_lost(in, rec) : missing;
}

/* A record, whatever becomes of it. */
static void
count_fields(struct data_counts *dc, uint64_t values, uint64_t missing)
{
	dc->input_field_count += values;
	dc->missing_field_count += missing;
}

/* Fields that are missing in dropped records are taken off as well. */
static void
update_processed_fields(struct data_counts *dc, size_t nfields)
{
	uint64_t all = dc->processed_record_count * nfields;

	dc->processed_field_count =
	    all > dc->missing_field_count ? all - dc->missing_field_count : 0;
}

static void
count_late(struct intake *in, int64_t ms)
{
	in->total.out_of_order_timestamp_count++;
	in->upload.out_of_order_timestamp_count++;
	if (ms > in->latest_upload_ms) {
		in->latest_upload_ms = ms;
		in->upload.latest_record_timestamp = ms;
	}
}

static void
count_accepted(struct intake *in, int64_t ms)
{
	raise_latest(in, ms);
	in->latest_upload_ms = in->latest_ms;
	in->total.processed_record_count++;
	in->upload.processed_record_count++;
	in->total.latest_record_timestamp = in->latest_ms;
	in->upload.latest_record_timestamp = in->latest_ms;
	if (in->total.earliest_record_timestamp == TIME_UNSET) {
		in->total.earliest_record_timestamp = ms;
		in->upload.earliest_record_timestamp = ms;
	}
	bucketdiag_add(in->diag, ms);
}

static enum intake_verdict
judge(struct intake *in, const struct record *rec, int64_t *time_s)
{
	int64_t ms;

	if (read_time(in, &rec->field[0], &ms) == -1) {
		in->total.invalid_date_count++;
		in->upload.invalid_date_count++;
		return INTAKE_DROPPED;
	}
	if (is_late(in, ms)) {
		count_late(in, ms);
		return INTAKE_DROPPED;
	}
	count_accepted(in, ms);
	*time_s = ms / 1000;
	return INTAKE_ACCEPTED;
}

enum intake_verdict
intake_record(struct intake *in, const struct record *rec, int64_t *time_s)
{
	uint64_t values = rec->value_count > 0 ? rec->value_count - 1 : 0;
	uint64_t missing = count_missing(in, rec);
	enum intake_verdict verdict;

	count_fields(&in->total, values, missing);
	count_fields(&in->upload, values, missing);
	verdict = judge(in, rec, time_s);
	update_processed_fields(&in->total, in->conf->nfields);
	update_processed_fields(&in->upload, in->conf->nfields);
	return verdict;
}

const struct data_counts *
intake_totals(const struct intake *in)
{
	return &in->total;
}

const struct data_counts *
intake_incremental(const struct intake *in)
{
	return &in->upload;
}

/* ---- uploads ---- */

void
intake_opened(struct intake *in)
{
	if (in->total.latest_record_timestamp == TIME_UNSET)
		return;
	bucketdiag_reopen(in->diag, in->total.latest_record_timestamp);
	bucketdiag_move(in->diag, &in->total, NULL);
}

void
intake_begin(struct intake *in, int64_t receipt_ms)
{
	data_counts_init(&in->upload);
	bucketdiag_move(in->diag, &in->total, &in->upload);
	in->latest_upload_ms = 0;
	in->year = year_of(receipt_ms);
}

void
intake_end(struct intake *in, uint64_t bytes, int64_t receipt_ms, bool failed)
{
	in->total.input_bytes += bytes;
	in->upload.input_bytes += bytes;
	if (failed)
		return;
	in->total.last_data_time = receipt_ms;
	in->upload.last_data_time = receipt_ms;
	bucketdiag_report(in->diag);
	bucketdiag_move(in->diag, &in->total, &in->upload);
}

/* ---- life ---- */

static size_t
find_twin(const struct jobconf *jc)
{
	for (size_t i = 0; i < jc->nfields; i++)
		if (strcmp(jc->field[i], jc->time_field) == 0)
			return i + 1;
	return NO_TWIN;
}

static int64_t
plain_unit(const char *time_format)
{
	if (strcmp(time_format, "epoch") == 0)
		return 1000;
	return strcmp(time_format, "epoch_ms") == 0 ? 1 : 0;
}

static void
find_places(struct intake *in)
{
	const struct jobconf *jc = in->conf;

	for (size_t i = 0; i < jc->ndetectors; i++) {
		const struct detector *d = &jc->detector[i];

		if (d->function->kind != FN_LAT_LONG)
			continue;
		for (size_t k = 0; k < jc->nfields; k++)
			in->is_place[1 + k] |=
			    strcmp(jc->field[k], d->field_name) == 0;
		in->has_places = true;
	}
}

struct intake *
intake_new(const struct jobconf *jc)
{
	struct intake *in = calloc(1, sizeof(*in));

	if (in == NULL)
		return NULL;
	in->conf = jc;
	in->twin = find_twin(jc);
	in->plain_unit_ms = plain_unit(jc->time_format);
	in->format = timefmt_new(jc->time_format);
	in->diag = bucketdiag_new(jc->bucket_span_s, jc->latency_s);
	in->is_place = calloc(jc->nfields + 1, sizeof(*in->is_place));
	if (in->format == NULL || in->diag == NULL || in->is_place == NULL) {
		intake_free(in);
		return NULL;
	}
	find_places(in);
	data_counts_init(&in->total);
	data_counts_init(&in->upload);
	set_latest(in, 0);
	in->year = 1970;
	return in;
}

void
intake_free(struct intake *in)
{
	if (in == NULL)
		return;
	timefmt_free(in->format);
	bucketdiag_free(in->diag);
	free(in->is_place);
	free(in);
}

void
intake_keep_counts(struct intake *in, const struct data_counts *counts)
{
	int64_t latest = in->total.latest_record_timestamp;

	in->total = *counts;
	in->total.latest_record_timestamp = latest;
}

int
intake_save(const struct intake *in, struct snapshot_writer *w)
{
	if (snapshot_section(w, SNAPSHOT_INTAKE) == -1 ||
	    snapshot_put(w, &data_counts_schema, &in->total) == -1)
		return -1;
	return bucketdiag_save(in->diag, w);
}

int
intake_load(struct intake *in, struct snapshot_reader *r)
{
	struct data_counts total;

	if (snapshot_enter(r, SNAPSHOT_INTAKE) == -1 ||
	    snapshot_get(r, &data_counts_schema, &total) == -1 ||
	    bucketdiag_load(in->diag, r) == -1)
		return -1;
	if (snapshot_left(r) != 0) {
		errno = EBADMSG;
		return -1;
	}
	in->total = total;
	data_counts_init(&in->upload);
	set_latest(in, 0);
	if (total.latest_record_timestamp > 0)
		set_latest(in, total.latest_record_timestamp);
	return 0;
}
