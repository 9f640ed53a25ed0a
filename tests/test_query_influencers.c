/* Influencers in results.db: written, replaced, removed, and asked for. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <json-c/json.h>
#include <sqlite3.h>
#include <stdio.h>

#include "common/resultsdb.h"
#include "tests/query_fixture.h"
#include "worker/expiry.h"

#define NBUCKETS 60

TestSuite(query_influencers, .init = query_begin, .fini = query_finish);

static void
put_one(struct writer *w, int64_t ms, double score, bool interim)
{
	struct influencer_result in = some_influencer(ms, score, "web-1");
	struct bucket_result b = some_bucket(ms, score);

	in.is_interim = b.is_interim = interim;
	writer_influencer(w, &in);
	writer_bucket(w, &b);
}

/* A score of 0 to 9 in each bucket, and two values in every third. */
static void
write_some(void)
{
	struct writer w;

	writer_open(&w);
	for (int i = 0; i < NBUCKETS; i++) {
		int64_t ms = T0 + i * SPAN_MS;
		struct influencer_result in =
		    some_influencer(ms, i % 5, i % 2 ? "b" : "a");
		struct bucket_result b = some_bucket(ms, 1);

		in.field_name = "user";
		in.probability = 1.0 / (i + 2);
		b.is_interim = in.is_interim = i == NBUCKETS - 1;
		if (i % 3 == 0)
			writer_influencer(&w, &in);
		in.field_name = "host";
		in.influencer_score = i % 10;
		writer_influencer(&w, &in);
		writer_bucket(&w, &b);
	}
	writer_commit(&w);
	writer_close(&w);
}

static struct json_object *
nth(struct json_object *answer, size_t i)
{
	return json_object_array_get_idx(member(answer, "influencers"), i);
}

static size_t
length(struct json_object *answer)
{
	return json_object_array_length(member(answer, "influencers"));
}

Test(query_influencers, have_the_fields_of_the_api_in_its_order)
{
	struct influencer_result in = some_influencer(T0, 50.5, "web\"1");
	struct request r = request_of(QUERY_INFLUENCERS);
	struct bucket_result b = some_bucket(T0, 1);
	struct writer w;

	writer_open(&w);
	in.initial_influencer_score = 60;
	writer_influencer(&w, &in);
	writer_bucket(&w, &b);
	writer_commit(&w);
	writer_close(&w);
	expect_text(&r,
	    "{\"count\":1,\"influencers\":[{\"job_id\":\"j\","
	    "\"result_type\":\"influencer\","
	    "\"influencer_field_name\":\"host\","
	    "\"influencer_field_value\":\"web\\\"1\","
	    "\"host\":\"web\\\"1\",\"influencer_score\":50.5,"
	    "\"initial_influencer_score\":60.0,\"bucket_span\":300,"
	    "\"probability\":0.001,\"is_interim\":false,"
	    "\"timestamp\":1700000100000}]}");
}

Test(query_influencers, a_reserved_name_is_not_echoed)
{
	struct influencer_result in = some_influencer(T0, 1, "x");
	struct request r = request_of(QUERY_INFLUENCERS);
	struct bucket_result b = some_bucket(T0, 1);
	struct json_object *o, *v;
	struct writer w;

	writer_open(&w);
	in.field_name = "function";
	writer_influencer(&w, &in);
	writer_bucket(&w, &b);
	writer_commit(&w);
	writer_close(&w);
	o = ask_json(&r);
	cr_expect_not(json_object_object_get_ex(nth(o, 0), "function", &v));
	cr_expect_str_eq(
	    json_object_get_string(member(nth(o, 0), "influencer_field_value")),
	    "x");
	json_object_put(o);
}

/* Every order, filter and range: what they give is what was asked for. */
Test(query_influencers, every_order_and_filter_gives_what_it_says)
{
	static const char *const sorts[] = { "influencer_score", "timestamp",
		"probability", "initial_influencer_score",
		"influencer_field_value", "influencer_field_name",
		"bucket_span", "is_interim" };

	write_some();
	for (size_t s = 0; s < NELEM(sorts); s++)
		for (int bits = 0; bits < 16; bits++) {
			struct request r = request_of(QUERY_INFLUENCERS);
			struct json_object *o;

			strlcpy(r.sort, sorts[s], sizeof(r.sort));
			r.desc = bits & 1;
			r.score = bits & 2 ? 4 : r.score;
			r.exclude_interim = bits & 4;
			if (bits & 8) {
				r.start_ms = T0 + 10 * SPAN_MS;
				r.end_ms = T0 + NBUCKETS * SPAN_MS;
			}
			o = ask_json(&r);
			cr_expect_eq(count_of(o), (int64_t)length(o));
			cr_expect_gt(count_of(o), 10);
			for (size_t i = 0; i < length(o); i++) {
				struct json_object *x = nth(o, i);
				double a, b;

				cr_expect_geq(json_object_get_double(member(
						  x, "influencer_score")),
				    r.score);
				cr_expect_geq(json_object_get_int64(
						  member(x, "timestamp")),
				    r.start_ms);
				cr_expect(!r.exclude_interim ||
				    !json_object_get_boolean(
					member(x, "is_interim")));
				if (i == 0 || s >= 4)
					continue;
				a = json_object_get_double(
				    member(nth(o, i - 1), r.sort));
				b = json_object_get_double(member(x, r.sort));
				cr_expect(r.desc ? a >= b : a <= b, "%s %d %zu",
				    r.sort, bits, i);
			}
			json_object_put(o);
		}
}

Test(query_influencers, pages_have_each_once)
{
	struct request r = request_of(QUERY_INFLUENCERS);
	bool seen[NBUCKETS][2] = { 0 };
	int64_t n = 0, count;

	write_some();
	r.size = 7;
	do {
		struct json_object *o = ask_json(&r);

		count = count_of(o);
		for (size_t i = 0; i < length(o); i++) {
			int64_t at = (json_object_get_int64(
					  member(nth(o, i), "timestamp")) -
					 T0) /
			    SPAN_MS;
			const char *name = json_object_get_string(
			    member(nth(o, i), "influencer_field_name"));
			int kind = strcmp(name, "user") == 0;

			cr_expect_not(seen[at][kind]);
			seen[at][kind] = true;
			n++;
		}
		json_object_put(o);
		r.from += 7;
	} while ((int64_t)r.from < count);
	cr_expect_eq(count, NBUCKETS + NBUCKETS / 3);
	cr_expect_eq(n, count);
}

Test(query_influencers, fields_of_other_results_sort_nothing)
{
	struct request r = request_of(QUERY_INFLUENCERS);
	struct json_object *o;

	write_some();
	strlcpy(r.sort, "record_score", sizeof(r.sort));
	o = ask_json(&r);
	cr_expect_eq(count_of(o), NBUCKETS + NBUCKETS / 3);
	json_object_put(o);
	strlcpy(r.sort, "no_such", sizeof(r.sort));
	expect_error(&r, 400, "illegal_argument_exception",
	    "No mapping found for [no_such] in order to sort on");
}

Test(query_influencers, an_echoed_field_sorts_those_that_have_it_first)
{
	struct request r = request_of(QUERY_INFLUENCERS);
	struct record_result rec = some_record(T0 - SPAN_MS, 1, 0.01);
	struct json_object *o;
	struct writer w;

	write_some();
	writer_open(&w);
	rec.ninfluencers = 1;
	rec.influencer[0] =
	    (struct record_influencer){ "user", 1, { text("a") } };
	writer_record(&w, &rec);
	writer_commit(&w);
	writer_close(&w);
	strlcpy(r.sort, "user", sizeof(r.sort));
	o = ask_json(&r);
	for (size_t i = 0; i < length(o); i++)
		cr_expect_str_eq(json_object_get_string(member(
				     nth(o, i), "influencer_field_name")),
		    i < NBUCKETS / 3 ? "user" : "host");
	json_object_put(o);
}

Test(query_influencers, final_ones_take_the_place_of_interim_ones)
{
	struct request r = request_of(QUERY_INFLUENCERS);
	struct json_object *o;
	struct writer w;

	writer_open(&w);
	put_one(&w, T0, 10, true);
	writer_commit(&w);
	drop_interim(&w, INT64_MIN);
	put_one(&w, T0, 30, true);
	writer_commit(&w);
	put_one(&w, T0, 20, false);
	put_one(&w, T0 + SPAN_MS, 5, false);
	writer_commit(&w);
	writer_close(&w);
	o = ask_json(&r);
	cr_expect_eq(count_of(o), 2);
	cr_expect_eq(
	    json_object_get_double(member(nth(o, 0), "influencer_score")), 20);
	json_object_put(o);
}

Test(query_influencers, leave_with_their_buckets)
{
	struct msg_expire want = { .retention_days = 0, .max_rows = 100000 };
	struct request r = request_of(QUERY_INFLUENCERS);
	struct msg_expired m;
	struct json_object *o;
	uint64_t progress = 0;
	struct expiry *x;
	struct writer w;

	write_some();
	writer_open(&w);
	x = expiry_new(w.results, &want, "j");
	while (expiry_step(x, 0, &progress, &m) == 1)
		;
	expiry_free(x);
	writer_close(&w);
	/* buckets, those of "host", and a third of "user", but for the last */
	cr_expect_eq(m.rows, 2 * (NBUCKETS - 1) + NBUCKETS / 3);
	o = ask_json(&r);
	cr_expect_eq(count_of(o), 1);
	json_object_put(o);
}

/* A bit that has flipped is told, and nothing of the row is believed. */
Test(query_influencers, a_row_that_was_changed_is_damaged)
{
	struct request r = request_of(QUERY_INFLUENCERS);
	struct apierr e;
	struct writer w;
	sqlite3 *db;

	writer_open(&w);
	put_one(&w, T0, 10, false);
	writer_commit(&w);
	db = results_borrow(w.results);
	cr_assert_not_null(db);
	cr_assert_eq(
	    sqlite3_exec(db, "UPDATE influence SET influencer_score = 11", NULL,
		NULL, NULL),
	    SQLITE_OK);
	results_return(w.results, false);
	writer_close(&w);
	cr_expect_null(ask_with(&r, OUT_HOLD_MAX, &e));
	cr_expect_eq(e.status, 500);
	cr_expect_not_null(strstr(e.link[0].reason, "of [influence] in"));
}
