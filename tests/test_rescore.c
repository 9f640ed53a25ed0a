/* Scores of rows made again: which, how many, and what stays as it was. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <json-c/json.h>
#include <sqlite3.h>
#include <stdio.h>

#include "common/resultsdb.h"
#include "tests/query_fixture.h"
#include "worker/rescore.h"

#define NBUCKETS 100
#define EACH 100 /* records of a bucket: two runs, and a rest */

TestSuite(rescore, .init = query_begin, .fini = query_finish);

static double
number(const char *sql)
{
	sqlite3 *db = resultsdb_open_reader("results");
	sqlite3_stmt *st;
	double v;

	cr_assert_not_null(db);
	cr_assert_eq(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK,
	    "%s", sqlite3_errmsg(db));
	cr_assert_eq(sqlite3_step(st), SQLITE_ROW, "%s", sqlite3_errmsg(db));
	v = sqlite3_column_double(st, 0);
	sqlite3_finalize(st);
	resultsdb_close(db);
	return v;
}

/* What is unlikely has a high score; the last bucket is interim. */
static void
write_history(struct writer *w)
{
	for (int i = 0; i < NBUCKETS; i++) {
		int64_t ms = T0 + i * SPAN_MS;
		struct bucket_result b = some_bucket(ms, i % 4 * 20);
		struct influencer_result in = some_influencer(ms, 40, "web");

		b.is_interim = in.is_interim = i == NBUCKETS - 1;
		for (int k = 0; k < EACH; k++) {
			struct record_result r = some_record(ms,
			    (i * 7 + k) % 90, 0.03 / ((i * 7 + k) % 90 + 1));

			r.is_interim = b.is_interim;
			writer_record(w, &r);
		}
		writer_influencer(w, &in);
		in.field_name = "user";
		in.probability = 0.0001;
		writer_influencer(w, &in);
		writer_bucket(w, &b);
	}
	writer_commit(w);
}

struct asked {
	unsigned buckets;
	unsigned influencers;
	unsigned records;
	double times; /* what the score is multiplied by */
};

static double
ask_bucket(void *arg, size_t place, const struct bucket_influencer *in)
{
	struct asked *a = arg;

	(void)place;
	a->buckets++;
	return in->anomaly_score * a->times;
}

static double
ask_influencer(void *arg, const struct influencer_result *r)
{
	struct asked *a = arg;

	a->influencers++;
	return strcmp(r->field_name, "user") == 0
	    ? r->influencer_score * a->times
	    : -1;
}

static double
ask_record(void *arg, const struct record_result *r)
{
	struct asked *a = arg;

	a->records++;
	return r->record_score * a->times;
}

static struct rescorer
rescorer_of(struct asked *a)
{
	return (struct rescorer){ .anew = true,
		.from_ms = T0,
		.to_ms = T0 + NBUCKETS * SPAN_MS,
		.bucket = ask_bucket,
		.influencer = ask_influencer,
		.record = ask_record,
		.arg = a };
}

static void
rescore_all(struct writer *w, struct rescorer *how)
{
	int rc;

	while ((rc = w->sink.rescore(w->sink.arg, how)) == 1)
		how->anew = false;
	cr_assert_eq(rc, 0);
	writer_commit(w);
}

/* The orders say what the rows say. */
static void
expect_orders(void)
{
	cr_expect_eq(number("SELECT count(*) FROM record_by_score s JOIN record"
			    " r ON r.id = s.id AND r.record_score ="
			    " s.record_score AND s.run = r.id >> 12"),
	    number("SELECT count(*) FROM record_by_score"));
	cr_expect_eq(number("SELECT count(*) FROM record_by_score"), 2 * 4096);
	cr_expect_eq(number("SELECT count(*) FROM run u WHERE u.min_score !="
			    " (SELECT min(record_score) FROM record_by_score s"
			    " WHERE s.run = u.run) OR u.max_score != (SELECT"
			    " max(record_score) FROM record_by_score s"
			    " WHERE s.run = u.run)"),
	    0);
}

/* Read through the checksums, in the order of scores. */
static void
expect_answer(double score)
{
	struct request r = request_of(QUERY_RECORDS);
	double last = 100;
	struct json_object *o;

	r.size = 10000;
	r.score = score;
	o = ask_json(&r);
	cr_expect_eq(count_of(o),
	    (int64_t)json_object_array_length(member(o, "records")));
	cr_expect_gt(count_of(o), 0);
	for (size_t i = 0; i < (size_t)count_of(o); i++) {
		double v = json_object_get_double(
		    member(json_object_array_get_idx(member(o, "records"), i),
			"record_score"));

		cr_expect_leq(v, last);
		cr_expect_geq(v, score);
		last = v;
	}
	json_object_put(o);
}

Test(rescore, a_change_is_big_by_band_points_or_share)
{
	cr_expect(rescore_is_big(24.9, 25.1));
	cr_expect_not(rescore_is_big(10, 11));
	cr_expect(rescore_is_big(1, 0.2));
	cr_expect(rescore_is_big(10, 11.5));
	cr_expect(rescore_is_big(0, 0.01));
	cr_expect_not(rescore_is_big(0, 0));
	cr_expect_not(rescore_is_big(99, 100 - 1e-9));
}

Test(rescore, current_scores_change_and_nothing_else)
{
	struct asked a = { .times = 0.5 };
	struct rescorer how = rescorer_of(&a);
	double sum, initial, probability;
	struct writer w;

	writer_open(&w);
	write_history(&w);
	sum = number("SELECT sum(record_score) FROM record");
	initial = number("SELECT sum(initial_record_score) FROM record");
	probability = number("SELECT sum(probability) FROM record");
	cr_expect_eq(sum, initial);
	rescore_all(&w, &how);
	cr_expect_gt(a.records, RESCORE_ROWS / 2);
	cr_expect_lt(number("SELECT sum(record_score) FROM record"), sum);
	cr_expect_eq(
	    number("SELECT sum(initial_record_score) FROM record"), initial);
	cr_expect_eq(
	    number("SELECT sum(probability) FROM record"), probability);
	/* the newest are in no run and were all looked at */
	cr_expect_eq(number("SELECT count(*) FROM record WHERE id >= 8192 AND"
			    " is_interim = 0 AND record_score !="
			    " initial_record_score / 2 AND"
			    " initial_record_score >= 3"),
	    0);
	expect_orders();
	expect_answer(1);
	expect_answer(20);
	writer_close(&w);
}

Test(rescore, scores_may_rise)
{
	struct asked a = { .times = 1.1 };
	struct rescorer how = rescorer_of(&a);
	struct writer w;

	writer_open(&w);
	write_history(&w);
	rescore_all(&w, &how);
	cr_expect_eq(number("SELECT max(max_score) FROM run"), 89 * 1.1);
	expect_orders();
	expect_answer(90);
	writer_close(&w);
}

Test(rescore, interim_results_and_those_outside_of_the_range_stay)
{
	struct asked a = { .times = 0.1 };
	struct rescorer how = rescorer_of(&a);
	struct writer w;
	char sql[512];

	writer_open(&w);
	write_history(&w);
	how.from_ms = T0 + 20 * SPAN_MS;
	how.to_ms = T0 + 60 * SPAN_MS;
	rescore_all(&w, &how);
	snprintf(sql, sizeof(sql),
	    "SELECT (SELECT count(*) FROM record WHERE (timestamp < %jd OR"
	    " timestamp >= %jd) AND record_score != initial_record_score) +"
	    " (SELECT count(*) FROM bucket WHERE (timestamp < %jd OR"
	    " timestamp >= %jd) AND anomaly_score != initial_anomaly_score)",
	    (intmax_t)how.from_ms, (intmax_t)how.to_ms, (intmax_t)how.from_ms,
	    (intmax_t)how.to_ms);
	cr_expect_eq(number(sql), 0);
	cr_expect_gt(number("SELECT count(*) FROM record WHERE record_score !="
			    " initial_record_score"),
	    1000);
	how = rescorer_of(&a);
	rescore_all(&w, &how);
	cr_expect_eq(number("SELECT count(*) FROM record WHERE is_interim = 1"
			    " AND record_score != initial_record_score"),
	    0);
	cr_expect_eq(number("SELECT count(*) FROM influence WHERE is_interim ="
			    " 1 AND influencer_score != 40"),
	    0);
	writer_close(&w);
}

Test(rescore, buckets_get_the_greatest_of_their_influencers)
{
	struct asked a = { .times = 0.25 };
	struct rescorer how = rescorer_of(&a);
	struct request r = request_of(QUERY_BUCKETS);
	struct json_object *o;
	struct writer w;

	writer_open(&w);
	write_history(&w);
	rescore_all(&w, &how);
	r.size = NBUCKETS;
	r.exclude_interim = true;
	o = ask_json(&r);
	for (size_t i = 0; i < NBUCKETS - 1; i++) {
		struct json_object *b =
		    json_object_array_get_idx(member(o, "buckets"), i);
		struct json_object *in = json_object_array_get_idx(
		    member(b, "bucket_influencers"), 0);
		double was = (double)(i % 4 * 20);

		cr_expect_eq(
		    json_object_get_double(member(b, "initial_anomaly_score")),
		    was);
		cr_expect_eq(json_object_get_double(member(b, "anomaly_score")),
		    was / 4);
		cr_expect_eq(
		    json_object_get_double(member(in, "anomaly_score")),
		    was / 4);
		cr_expect_eq(
		    json_object_get_double(member(in, "raw_anomaly_score")),
		    1.5);
	}
	json_object_put(o);
	/* those of score 0 were not asked for, nor was the interim one */
	cr_expect_eq(a.buckets, NBUCKETS - NBUCKETS / 4 - 1);
	writer_close(&w);
}

Test(rescore, influencers_of_which_nothing_is_known_stay)
{
	struct asked a = { .times = 0.25 };
	struct rescorer how = rescorer_of(&a);
	struct writer w;

	writer_open(&w);
	write_history(&w);
	rescore_all(&w, &how);
	cr_expect_eq(a.influencers, 2 * (NBUCKETS - 1));
	cr_expect_eq(number("SELECT count(*) FROM influence WHERE"
			    " influencer_field_name = 'user' AND"
			    " influencer_score = 10"),
	    NBUCKETS - 1);
	cr_expect_eq(number("SELECT count(*) FROM influence WHERE"
			    " influencer_field_name = 'host' AND"
			    " influencer_score = 40"),
	    NBUCKETS);
	writer_close(&w);
}

/* Ten times the rows, and the most unlikely are among those looked at. */
Test(rescore, the_work_of_one_run_is_bounded)
{
	struct asked a = { .times = 0.5 };
	struct rescorer how = rescorer_of(&a);
	struct writer w;

	writer_open(&w);
	for (int i = 0; i < 120; i++) {
		int64_t ms = T0 + i * SPAN_MS;
		struct bucket_result b = some_bucket(ms, 50);

		for (int k = 0; k < 500; k++) {
			struct record_result r =
			    some_record(ms, 50, k == 250 ? 1e-9 : 0.01);

			writer_record(&w, &r);
		}
		writer_bucket(&w, &b);
	}
	writer_commit(&w);
	how.to_ms = T0 + 120 * SPAN_MS;
	rescore_all(&w, &how);
	cr_expect_leq(a.records, RESCORE_ROWS + RESULTSDB_RUN_ROWS);
	cr_expect_eq(number("SELECT count(*) FROM record WHERE probability ="
			    " 1e-9 AND record_score = 25"),
	    120);
	writer_close(&w);
}

Test(rescore, muted_nothing_is_done)
{
	struct asked a = { .times = 0.5 };
	struct rescorer how = rescorer_of(&a);
	struct writer w;

	writer_open(&w);
	write_history(&w);
	results_mute(w.results, true);
	cr_expect_eq(w.sink.rescore(w.sink.arg, &how), 0);
	cr_expect_eq(a.records + a.buckets + a.influencers, 0);
	writer_close(&w);
}
