/*
 * Counts, times and order: jobs-and-data 5.4 to 5.8, and the test vectors of
 * its section 10 with bucket_count as this daemon counts it (both ends).
 */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "reader_text.h"
#include "worker/intake.h"

#define BASE_S 1403481600
#define BASE_MS ((int64_t)BASE_S * 1000)
#define RECEIPT_MS INT64_C(1700000000000)

/* A job: what uploads go through, and the times that the engine is given. */
struct job {
	struct jobconf *conf;
	struct reader *reader;
	struct intake *intake;
	int64_t last_s; /* of the record accepted last */
};

static struct job
job_new(const char *fields, int64_t span_s, int64_t latency_s)
{
	struct job j = { conf_new(fields), NULL, NULL, 0 };

	j.conf->bucket_span_s = span_s;
	j.conf->latency_s = latency_s;
	j.reader = reader_new(j.conf);
	j.intake = intake_new(j.conf);
	cr_assert_not_null(j.intake);
	return j;
}

/* The same with another format of time. */
static struct job
job_with_format(const char *time_format)
{
	struct job j = job_new("v", 3600, 0);

	intake_free(j.intake);
	free(j.conf->time_format);
	j.conf->time_format = strdup(time_format);
	j.intake = intake_new(j.conf);
	return j;
}

static void
job_free(struct job *j)
{
	intake_free(j->intake);
	reader_free(j->reader);
	conf_free(j->conf);
}

/* One upload; the counts are those of its answer. */
static struct data_counts
upload_bytes(struct job *j, const char *data, size_t len)
{
	const struct record *rec;
	struct apierr e;
	int rc;

	reader_begin(j->reader, data, len);
	intake_begin(j->intake, RECEIPT_MS);
	while ((rc = reader_next(j->reader, &rec, &e)) > 0)
		if (rc == 1)
			(void)intake_record(j->intake, rec, &j->last_s);
	intake_end(j->intake, reader_bytes(j->reader), RECEIPT_MS, rc == -1);
	return *intake_incremental(j->intake);
}

static struct data_counts
upload(struct job *j, const char *text)
{
	return upload_bytes(j, text, strlen(text));
}

static struct data_counts
upload_time(struct job *j, const char *value)
{
	char doc[128];

	snprintf(doc, sizeof(doc), "{\"time\":%s,\"v\":1}", value);
	return upload(j, doc);
}

/*
 * The counts as "name=value" for all that are not 0 and all times that are
 * set; but input_bytes and last_data_time, which have tests of their own. The
 * base time is taken off the other times.
 */
static void
expect_counts(const struct data_counts *dc, const char *expected)
{
	struct text t = { NULL, 0 };

	text_add(&t, "", 0);
	for (size_t i = 0; i < data_counts_schema.nfields; i++) {
		const struct schema_field *f = &data_counts_schema.fields[i];
		const void *v = (const char *)dc + f->offset;
		int64_t n;

		memcpy(&n, v, sizeof(n));
		if (strcmp(f->name, "input_bytes") == 0 ||
		    strcmp(f->name, "last_data_time") == 0 ||
		    (f->kind == SCHEMA_U64 && n == 0) || n == TIME_UNSET)
			continue;
		if (f->kind == SCHEMA_I64)
			n -= BASE_MS;
		text_printf(&t, "%s%s=%lld", t.len > 0 ? " " : "", f->name,
		    (long long)n);
	}
	cr_expect_str_eq(t.p, expected, "\n%s\n, not\n%s\n", t.p, expected);
	free(t.p);
}

static void
expect_upload(struct job *j, const char *text, const char *expected)
{
	struct data_counts dc = upload(j, text);

	expect_counts(&dc, expected);
}

/* ---- test vectors ---- */

Test(intake, vector_1_two_records)
{
	static const char text[] =
	    "{\"airline\":\"AAL\",\"responsetime\":132.2046,"
	    "\"sourcetype\":\"x\",\"time\":1403481600}\n"
	    "{\"airline\":\"JZA\",\"responsetime\":990.4628,"
	    "\"sourcetype\":\"x\",\"time\":1403481700}\n";
	struct job j = job_new("airline responsetime", 3600, 0);
	struct data_counts dc = upload(&j, text);

	expect_counts(&dc,
	    "processed_record_count=2 processed_field_count=4 "
	    "input_field_count=6 bucket_count=1 "
	    "earliest_record_timestamp=0 latest_record_timestamp=100000");
	cr_expect_eq(data_counts_input_records(&dc), 2);
	cr_expect_eq(dc.input_bytes, sizeof(text) - 1);
	cr_expect_eq(dc.last_data_time, RECEIPT_MS);
	cr_expect_eq(j.last_s, BASE_S + 100);
	job_free(&j);
}

/* Vector 3, its counts: a skip of the engine's time is nothing to them. */
Test(intake, vector_3_records_that_the_engine_drops_are_counted)
{
	struct job j = job_new("v", 3600, 0);

	(void)upload(
	    &j, "{\"time\":1403481600,\"v\":1}{\"time\":1403485200,\"v\":1}");
	expect_upload(&j,
	    "{\"time\":1403488600,\"v\":1}{\"time\":1403488700,\"v\":1}",
	    "processed_record_count=2 processed_field_count=2 "
	    "input_field_count=2 latest_record_timestamp=7100000");
	expect_upload(&j,
	    "{\"time\":1403488900,\"v\":1}{\"time\":1403492400,\"v\":1}",
	    "processed_record_count=2 processed_field_count=2 "
	    "input_field_count=2 bucket_count=2 "
	    "latest_record_timestamp=10800000");
	job_free(&j);
}

Test(intake, vector_4_values_as_strings)
{
	struct job j = job_new("airline responsetime", 3600, 0);

	(void)upload(&j,
	    "{\"airline\":\"AAL\",\"responsetime\":\"132.2046\","
	    "\"time\":\"1403481600\"}");
	(void)upload(&j,
	    "{\"airline\":\"AAL\",\"responsetime\":\"132.2046\","
	    "\"time\":\"1403481600\"}"
	    "{\"airline\":\"AAL\",\"responsetime\":\"132.2046\","
	    "\"time\":\"1403485200\"}");
	expect_counts(intake_totals(j.intake),
	    "processed_record_count=3 processed_field_count=6 "
	    "input_field_count=6 bucket_count=2 "
	    "earliest_record_timestamp=0 latest_record_timestamp=3600000");
	job_free(&j);
}

/*
 * Vector 5: 21435 records of five members between the two published times,
 * with all of the buckets between them but sixteen.
 */
#define SEED_FIRST_S 1454020569
#define SEED_LAST_S 1455318669
#define SEED_RECORDS 21435
#define SEED_SPAN_S 600

/* The last sixteen buckets up to that of 1454541600. */
static bool
seed_is_empty(int64_t s)
{
	int64_t bucket = s / SEED_SPAN_S, last = 1454541600 / SEED_SPAN_S;

	return bucket > last - 16 && bucket <= last;
}

static char *
seed_body(size_t *len)
{
	int64_t span = SEED_LAST_S - SEED_FIRST_S, s;
	struct text t = { NULL, 0 };

	for (int64_t i = 0; i < SEED_RECORDS; i++) {
		s = SEED_FIRST_S + span * i / (SEED_RECORDS - 1);
		if (seed_is_empty(s))
			s = (int64_t)1454541600 + SEED_SPAN_S;
		text_printf(&t,
		    "{\"@timestamp\":\"%lld\",\"total\":%d,\"server\":\"s%d\","
		    "\"accept\":%d,\"status\":\"ok\"}\n",
		    (long long)s, (int)(i % 997), (int)(i % 7), (int)(i % 13));
	}
	*len = t.len;
	return t.p;
}

Test(intake, vector_5_published_example)
{
	struct job j = job_new("accept server total", SEED_SPAN_S, 0);
	struct data_counts dc;
	size_t len;
	char *body = seed_body(&len);

	free(j.conf->time_field);
	j.conf->time_field = strdup("@timestamp");
	reader_free(j.reader);
	j.reader = reader_new(j.conf);
	dc = upload_bytes(&j, body, len);
	cr_expect_eq(dc.processed_record_count, 21435);
	cr_expect_eq(dc.processed_field_count, 64305);
	cr_expect_eq(dc.input_bytes, len);
	cr_expect_eq(dc.input_field_count, 85740);
	cr_expect_eq(dc.invalid_date_count, 0);
	cr_expect_eq(dc.missing_field_count, 0);
	cr_expect_eq(dc.out_of_order_timestamp_count, 0);
	cr_expect_eq(dc.empty_bucket_count, 16);
	cr_expect_eq(dc.sparse_bucket_count, 0);
	cr_expect_eq(dc.bucket_count, 2165);
	cr_expect_eq(dc.earliest_record_timestamp, SEED_FIRST_S * 1000ll);
	cr_expect_eq(dc.latest_record_timestamp, SEED_LAST_S * 1000ll);
	cr_expect_eq(dc.latest_empty_bucket_timestamp, 1454541600000ll);
	cr_expect_eq(data_counts_input_records(&dc), 21435);
	free(body);
	job_free(&j);
}

static const char vector_6[] = "{\"time\":1403481600,\"a\":1,\"b\":1}"
			       "{\"time\":1403481610,\"a\":1}"
			       "{\"time\":1403481900,\"a\":1,\"b\":1}"
			       "{\"time\":1403481630,\"a\":1,\"b\":1}"
			       "{\"a\":1,\"b\":1}"
			       "{\"time\":\"abc\",\"a\":1,\"b\":1,\"c\":1}";

Test(intake, vector_6_every_kind_of_record)
{
	struct job j = job_new("a b", 60, 0);
	struct data_counts dc = upload(&j, vector_6);

	expect_counts(&dc,
	    "processed_record_count=3 processed_field_count=4 "
	    "input_field_count=11 invalid_date_count=2 missing_field_count=2 "
	    "out_of_order_timestamp_count=1 empty_bucket_count=4 "
	    "bucket_count=6 earliest_record_timestamp=0 "
	    "latest_record_timestamp=300000 "
	    "latest_empty_bucket_timestamp=240000");
	cr_expect_eq(data_counts_input_records(&dc), 6);
	job_free(&j);
}

Test(intake, vector_7_uploads_into_the_same_and_later_buckets)
{
	struct job j = job_new("a b", 60, 0);

	(void)upload(&j, vector_6);
	expect_upload(&j, "{\"time\":1403481959,\"a\":1,\"b\":1}",
	    "processed_record_count=1 processed_field_count=2 "
	    "input_field_count=2 latest_record_timestamp=359000");
	expect_upload(&j, "{\"time\":1403482020,\"a\":1,\"b\":1}",
	    "processed_record_count=1 processed_field_count=2 "
	    "input_field_count=2 empty_bucket_count=1 bucket_count=2 "
	    "latest_record_timestamp=420000 "
	    "latest_empty_bucket_timestamp=360000");
	expect_counts(intake_totals(j.intake),
	    "processed_record_count=5 processed_field_count=8 "
	    "input_field_count=15 invalid_date_count=2 missing_field_count=2 "
	    "out_of_order_timestamp_count=1 empty_bucket_count=5 "
	    "bucket_count=8 earliest_record_timestamp=0 "
	    "latest_record_timestamp=420000 "
	    "latest_empty_bucket_timestamp=360000");
	job_free(&j);
}

Test(intake, vector_8_sparse_bucket)
{
	struct job j = job_new("v", 60, 0);
	struct text t = { NULL, 0 };

	for (int b = 0; b < 11; b++)
		for (int i = 0; i < (b == 9 ? 5 : 100); i++)
			text_printf(&t, "{\"time\":%d,\"v\":1}",
			    BASE_S + 60 * b + i % 60);
	expect_upload(&j, t.p,
	    "processed_record_count=1005 processed_field_count=1005 "
	    "input_field_count=1005 sparse_bucket_count=1 bucket_count=11 "
	    "earliest_record_timestamp=0 latest_record_timestamp=659000 "
	    "latest_sparse_bucket_timestamp=540000");
	free(t.p);
	job_free(&j);
}

Test(intake, vector_9_nested_fields)
{
	struct job j = job_new("a.b a.c", 60, 0);

	expect_upload(&j, "{\"a\":{\"b\":1,\"c\":[1,null,\"x\"]},\"time\":1}",
	    "processed_record_count=1 processed_field_count=2 "
	    "input_field_count=2 bucket_count=1 "
	    "earliest_record_timestamp=-1403481599000 "
	    "latest_record_timestamp=-1403481599000");
	job_free(&j);
}

Test(intake, vector_10_array_around_documents)
{
	struct job j = job_new("v", 60, 0);
	struct data_counts dc =
	    upload(&j, "[{\"time\":1,\"v\":1},{\"time\":2,\"v\":2}]");

	cr_expect_eq(dc.processed_record_count, 2);
	job_free(&j);
}

Test(intake, vector_11_null_is_not_missing)
{
	struct job j = job_new("v", 60, 0);

	expect_upload(&j,
	    "{\"time\":1403481600,\"v\":1}{\"time\":1403481601,\"v\":null}",
	    "processed_record_count=2 processed_field_count=2 "
	    "input_field_count=2 bucket_count=1 earliest_record_timestamp=0 "
	    "latest_record_timestamp=1000");
	job_free(&j);
}

/* ---- counting ---- */

Test(intake, empty_upload_sets_last_data_time_only)
{
	struct job j = job_new("v", 60, 0);
	struct data_counts dc = upload(&j, "");

	expect_counts(&dc, "");
	cr_expect_eq(dc.last_data_time, RECEIPT_MS);
	cr_expect_eq(intake_totals(j.intake)->last_data_time, RECEIPT_MS);
	job_free(&j);
}

Test(intake, all_bytes_are_counted)
{
	static const char text[] = "  {} \n [ {\"x\":\"\\u0041\"} ] 17 \n\n";
	struct job j = job_new("v", 60, 0);

	cr_expect_eq(upload(&j, text).input_bytes, sizeof(text) - 1);
	(void)upload(&j, "{}");
	cr_expect_eq(
	    intake_totals(j.intake)->input_bytes, sizeof(text) - 1 + 2);
	job_free(&j);
}

/* One value of each record is taken for the time, even if it has none. */
Test(intake, record_without_fields)
{
	struct job j = job_new("a b", 60, 0);

	expect_upload(&j, "{}{\"x\":1}{\"x\":1,\"y\":2}",
	    "input_field_count=1 invalid_date_count=3 missing_field_count=9");
	job_free(&j);
}

Test(intake, processed_fields_are_never_below_zero)
{
	struct job j = job_new("a b", 60, 0);

	expect_upload(&j, "{\"time\":1403481600,\"a\":1}{}{}",
	    "processed_record_count=1 input_field_count=1 "
	    "invalid_date_count=2 missing_field_count=7 bucket_count=1 "
	    "earliest_record_timestamp=0 latest_record_timestamp=0");
	job_free(&j);
}

Test(intake, name_that_is_wanted_twice_is_missing_once)
{
	struct job j = job_new("a time", 60, 0);

	expect_upload(
	    &j, "{\"a\":1}", "invalid_date_count=1 missing_field_count=1");
	expect_upload(&j, "{\"time\":1403481600,\"a\":1}",
	    "processed_record_count=1 processed_field_count=2 "
	    "input_field_count=1 bucket_count=1 earliest_record_timestamp=0 "
	    "latest_record_timestamp=0");
	job_free(&j);
}

Test(intake, earliest_is_the_first_and_told_once)
{
	struct job j = job_new("v", 3600, 0);

	expect_upload(&j,
	    "{\"time\":1403481700,\"v\":1}{\"time\":1403481600,\"v\":1}",
	    "processed_record_count=2 processed_field_count=2 "
	    "input_field_count=2 bucket_count=1 "
	    "earliest_record_timestamp=100000 latest_record_timestamp=100000");
	expect_upload(&j, "{\"time\":1403481650,\"v\":1}",
	    "processed_record_count=1 processed_field_count=1 "
	    "input_field_count=1 latest_record_timestamp=100000");
	cr_expect_eq(intake_totals(j.intake)->earliest_record_timestamp,
	    BASE_MS + 100000);
	job_free(&j);
}

Test(intake, delimited_records_count_the_columns_of_the_header)
{
	struct job j = job_new("a b", 60, 0);

	reader_free(j.reader);
	j.conf->format = FORMAT_DELIMITED;
	j.reader = reader_new(j.conf);
	expect_upload(&j, "time,a,x,b\n1403481600,1,2,3\n1403481601,1\n",
	    "processed_record_count=2 processed_field_count=3 "
	    "input_field_count=6 missing_field_count=1 bucket_count=1 "
	    "earliest_record_timestamp=0 latest_record_timestamp=1000");
	job_free(&j);
}

/* ---- failed uploads ---- */

Test(intake, failed_upload_keeps_its_records_and_tells_its_buckets_later)
{
	struct job j = job_new("v", 60, 0);
	struct data_counts dc;

	(void)upload(&j, "{\"time\":1403481600,\"v\":1}");
	dc = upload(&j, "{\"time\":1403481720,\"v\":1}{\"time");
	cr_expect_eq(dc.last_data_time, TIME_UNSET);
	expect_counts(intake_totals(j.intake),
	    "processed_record_count=2 processed_field_count=2 "
	    "input_field_count=2 bucket_count=1 earliest_record_timestamp=0 "
	    "latest_record_timestamp=120000");
	expect_upload(&j, "",
	    "empty_bucket_count=1 bucket_count=2 "
	    "latest_empty_bucket_timestamp=60000");
	job_free(&j);
}

/* What left the window while it was read moves when the next one begins. */
Test(intake, buckets_that_a_failed_upload_left_are_told_at_the_next_start)
{
	struct job j = job_new("v", 60, 0);

	(void)upload(
	    &j, "{\"time\":1403481600,\"v\":1}{\"time\":1403482800,\"v\":1}{");
	cr_expect_eq(intake_totals(j.intake)->bucket_count, 0);
	intake_begin(j.intake, RECEIPT_MS);
	cr_expect_eq(intake_totals(j.intake)->bucket_count, 11);
	cr_expect_eq(intake_incremental(j.intake)->bucket_count, 11);
	cr_expect_eq(intake_incremental(j.intake)->empty_bucket_count, 10);
	job_free(&j);
}

/* ---- order ---- */

Test(intake, any_order_is_fine_within_the_bucket)
{
	struct job j = job_new("v", 60, 0);
	struct data_counts dc = upload(&j,
	    "{\"time\":1403481659}{\"time\":1403481600}{\"time\":1403481630}"
	    "{\"time\":1403481660}{\"time\":1403481660}{\"time\":1403481659}");

	cr_expect_eq(dc.processed_record_count, 5);
	cr_expect_eq(dc.out_of_order_timestamp_count, 1);
	job_free(&j);
}

Test(intake, latency_is_taken_off_the_start_of_the_bucket)
{
	struct job j = job_new("v", 60, 90);
	struct data_counts dc = upload(&j,
	    "{\"time\":1403481659}{\"time\":1403481510}{\"time\":1403481509}");

	cr_expect_eq(dc.processed_record_count, 2);
	cr_expect_eq(dc.out_of_order_timestamp_count, 1);
	cr_expect_eq(dc.latest_record_timestamp, BASE_MS + 59000);
	job_free(&j);
}

Test(intake, order_goes_on_over_uploads)
{
	struct job j = job_new("v", 60, 0);
	struct data_counts dc;

	(void)upload(&j, "{\"time\":1403481720}");
	dc = upload(&j, "{\"time\":1403481700}");
	cr_expect_eq(dc.out_of_order_timestamp_count, 1);
	job_free(&j);
}

/* Late records move the latest time of their own upload only. */
Test(intake, upload_of_late_records_tells_its_own_latest_time)
{
	struct job j = job_new("v", 60, 0);

	(void)upload(&j, "{\"time\":1403482600,\"v\":1}");
	expect_upload(&j,
	    "{\"time\":1403481610,\"v\":1}{\"time\":1403481630,\"v\":1}"
	    "{\"time\":1403481620,\"v\":1}",
	    "input_field_count=3 out_of_order_timestamp_count=3 "
	    "latest_record_timestamp=30000");
	cr_expect_eq(intake_totals(j.intake)->latest_record_timestamp,
	    BASE_MS + 1000000);
	job_free(&j);
}

Test(intake, late_record_behind_an_accepted_one_moves_nothing)
{
	struct job j = job_new("v", 60, 0);
	struct data_counts dc = upload(
	    &j, "{\"time\":1403482600,\"v\":1}{\"time\":1403481630,\"v\":1}");

	cr_expect_eq(dc.latest_record_timestamp, BASE_MS + 1000000);
	job_free(&j);
}

Test(intake, times_before_1970_are_late_for_a_new_job)
{
	struct job j = job_new("v", 60, 0);
	struct data_counts dc;

	dc = upload_time(&j, "-1");
	cr_expect_eq(dc.out_of_order_timestamp_count, 1);
	cr_expect_eq(dc.latest_record_timestamp, TIME_UNSET);
	dc = upload_time(&j, "-0.9"); /* cut to 0 */
	cr_expect_eq(dc.processed_record_count, 1);
	job_free(&j);
	j = job_new("v", 60, 60);
	dc = upload_time(&j, "-60");
	cr_expect_eq(dc.processed_record_count, 1);
	cr_expect_eq(dc.earliest_record_timestamp, -60000);
	cr_expect_eq(dc.latest_record_timestamp, 0);
	cr_expect_eq(j.last_s, -60);
	job_free(&j);
}

Test(intake, part_of_a_second_before_1970_is_not_late)
{
	struct job j = job_with_format("epoch_ms");
	struct data_counts dc;

	dc = upload_time(&j, "-999");
	cr_expect_eq(dc.processed_record_count, 1);
	cr_expect_eq(j.last_s, 0);
	dc = upload_time(&j, "-1000");
	cr_expect_eq(dc.out_of_order_timestamp_count, 1);
	job_free(&j);
}

/* ---- times ---- */

static void
expect_time(const char *format, const char *value, int64_t ms)
{
	struct job j = job_with_format(format);
	struct data_counts dc = upload_time(&j, value);

	cr_expect_eq(dc.processed_record_count, 1, "%s is no time", value);
	cr_expect_eq(dc.latest_record_timestamp, ms, "%s is %lld, not %lld",
	    value, (long long)dc.latest_record_timestamp, (long long)ms);
	cr_expect_eq(j.last_s, ms / 1000);
	job_free(&j);
}

Test(intake, epoch_is_cut_to_whole_seconds)
{
	expect_time("epoch", "1403481600", 1403481600000);
	expect_time("epoch", "\"1403481600\"", 1403481600000);
	expect_time("epoch", "1403481600.9", 1403481600000);
	expect_time("epoch", "\" +1403481600.999d \"", 1403481600000);
	expect_time("epoch", "1.4034816e9", 1403481600000);
	expect_time("epoch", "\"0x1.4p3\"", 10000);
	expect_time("epoch", "\"NaN\"", 0);
	expect_time("epoch", "\".5\"", 0);
	expect_time("epoch", "\"5.\"", 5000);
	expect_time("epoch", "\"000000000000000000.9\"", 0);
	expect_time("epoch", "999999999999999", 999999999999999000);
}

Test(intake, epoch_ms_is_cut_to_whole_milliseconds)
{
	expect_time("epoch_ms", "1403481600123", 1403481600123);
	expect_time("epoch_ms", "1403481600123.9", 1403481600123);
	expect_time("epoch_ms", "\"1.4034816e12f\"", 1403481600000);
	/* Not a double: the nearest one is taken. */
	expect_time("epoch_ms", "9007199254740993", 9007199254740992);
}

Test(intake, times_past_all_bounds_are_the_last_ones)
{
	expect_time("epoch_ms", "1e300", INT64_MAX);
	expect_time("epoch_ms", "\"Infinity\"", INT64_MAX);
	expect_time("epoch", "1e300", INT64_MAX / 1000 * 1000);
}

Test(intake, text_that_is_no_number_is_an_invalid_date)
{
	static const char *const values[] = { "\"\"", "null", "\"abc\"", "true",
		"\"1,2\"", "\".\"", "\"-\"", "\"1.2.3\"", "\"12:00\"", "[1,2]",
		"\"1 2\"", "\"\\u0000\"" };

	for (size_t i = 0; i < NELEM(values); i++) {
		struct job j = job_new("v", 60, 0);
		struct data_counts dc = upload_time(&j, values[i]);

		cr_expect_eq(dc.invalid_date_count, 1, "%s", values[i]);
		cr_expect_eq(dc.input_field_count, 1, "%s", values[i]);
		job_free(&j);
	}
}

Test(intake, pattern_is_read_and_a_missing_year_is_that_of_the_receipt)
{
	expect_time("yyyy-MM-dd'T'HH:mm:ssX", "\"2014-06-23T00:00:00Z\"",
	    1403481600000);
	expect_time("MM-dd HH:mm:ss", "\"06-23 00:00:00\"", 1687478400000);
}

/* ---- state ---- */

Test(intake, opening_sees_a_gap_across_the_close)
{
	struct job j = job_new("v", 60, 0);

	intake_opened(j.intake);
	(void)upload(&j, "{\"time\":1403481600}");
	intake_opened(j.intake);
	expect_upload(&j, "{\"time\":1403481780,\"v\":1}",
	    "processed_record_count=1 processed_field_count=1 "
	    "input_field_count=1 empty_bucket_count=2 bucket_count=3 "
	    "latest_record_timestamp=180000 "
	    "latest_empty_bucket_timestamp=120000");
	job_free(&j);
}

static void
save_and_load(const struct job *from, struct job *to, int expected)
{
	struct snapshot_writer *w = snapshot_writer_memory();
	struct snapshot_reader *r;
	const uint8_t *data;
	size_t len;

	cr_assert_eq(intake_save(from->intake, w), 0);
	cr_assert_eq(snapshot_memory(w, &data, &len), 0);
	r = snapshot_reader_memory(data, len);
	cr_expect_eq(intake_load(to->intake, r), expected);
	snapshot_reader_free(r);
	snapshot_writer_free(w);
}

Test(intake, state_comes_back_and_goes_on_the_same)
{
	static const char more[] = "{\"time\":1403482600,\"a\":1}"
				   "{\"time\":1403481700,\"a\":1,\"b\":1}";
	struct job j = job_new("a b", 60, 60), copy = job_new("a b", 60, 60);
	struct data_counts dc;

	(void)upload(&j, vector_6);
	save_and_load(&j, &copy, 0);
	cr_expect_eq(memcmp(intake_totals(j.intake), intake_totals(copy.intake),
			 sizeof(dc)),
	    0);
	dc = upload(&j, more);
	cr_expect_eq(dc.out_of_order_timestamp_count, 1);
	(void)upload(&copy, more);
	cr_expect_eq(
	    memcmp(&dc, intake_incremental(copy.intake), sizeof(dc)), 0);
	job_free(&j);
	job_free(&copy);
}

Test(intake, state_without_its_section_is_refused)
{
	struct job j = job_new("a", 60, 0);
	struct snapshot_writer *w = snapshot_writer_memory();
	struct snapshot_reader *r;
	const uint8_t *data;
	size_t len;

	cr_assert_eq(snapshot_memory(w, &data, &len), 0);
	r = snapshot_reader_memory(data, len);
	errno = 0;
	cr_expect_eq(intake_load(j.intake, r), -1);
	cr_expect_eq(errno, EBADMSG);
	snapshot_reader_free(r);
	snapshot_writer_free(w);
	job_free(&j);
}
