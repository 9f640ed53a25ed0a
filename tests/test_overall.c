/* Overall buckets, from the results of jobs on disk. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <json-c/json.h>
#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/joblist.h"
#include "common/resultsdb.h"
#include "query/overall.h"
#include "query/windows.h"
#include "tests/query_fixture.h"

TestSuite(overall, .init = query_begin, .fini = query_finish);

static struct joblist_entry jobs[] = { { "a", 1 }, { "b", 7 }, { "c", 1 } };

/* Into the directory of a job, which is made when needed. */
static void
enter(const struct joblist_entry *job)
{
	char dir[JOBLIST_DIRECTORY_BYTES];

	joblist_directory(dir, job->id, job->incarnation);
	cr_assert_eq(chdir(query_jobs), 0);
	if (mkdir(dir, 0700) == 0) {
		cr_assert_eq(chdir(dir), 0);
		cr_assert_eq(mkdir("results", 0700), 0);
		return;
	}
	cr_assert_eq(errno, EEXIST);
	cr_assert_eq(chdir(dir), 0);
}

static void
write_scores(size_t job, const double *score, size_t n, bool last_interim)
{
	struct writer w;

	enter(&jobs[job]);
	writer_open(&w);
	for (size_t i = 0; i < n; i++)
		write_bucket(&w, T0 + (int64_t)i * SPAN_MS, score[i],
		    last_interim && i == n - 1);
	writer_commit(&w);
	writer_close(&w);
}

static void
write_three(void)
{
	static const double a[] = { 20, 0, 5 }, b[] = { 60, 1 }, c[] = { 40 };

	write_scores(0, a, 3, true);
	write_scores(1, b, 2, false);
	write_scores(2, c, 1, false);
}

static struct request
overall_request(uint32_t top_n)
{
	struct request r = request_of(QUERY_OVERALL);

	r.top_n = top_n;
	r.span_ms = r.bucket_span_ms = SPAN_MS;
	r.njobs = NELEM(jobs);
	r.jobs = jobs;
	return r;
}

/* The text of an answer, owned; NULL with *e. */
static char *
make_with(const struct request *r, size_t hold_max, answer_tick *tick,
    void *arg, struct apierr *e, uint32_t *damaged)
{
	struct wbuf wb;
	struct out o;
	int rc, saved;

	wbuf_init(&wb, 0);
	out_init(&o, hold_max, collect, &wb);
	rc = overall_answer(r, query_jobs, tick, arg, &o, e, damaged);
	saved = errno;
	if (rc == 0)
		cr_expect_eq(o.bytes, wb.len);
	out_clear(&o);
	if (rc == -1) {
		cr_expect_eq(wb.len, 0);
		wbuf_clear(&wb);
		errno = saved;
		return NULL;
	}
	cr_assert_eq(wire_put_u8(&wb, 0), 0);
	return (char *)wb.data;
}

static char *
make(const struct request *r, size_t hold_max)
{
	struct apierr e;
	uint32_t damaged;
	char *got = make_with(r, hold_max, NULL, NULL, &e, &damaged);

	cr_assert_not_null(got, "%d %s", e.status, e.link[0].reason);
	return got;
}

#define JOB(id, score) "{\"job_id\":\"" id "\",\"max_anomaly_score\":" score "}"
#define BUCKET(ms, score, jobs, interim)                                       \
	"{\"timestamp\":" ms ",\"bucket_span\":300,\"overall_score\":" score   \
	",\"jobs\":[" jobs "],\"is_interim\":" interim                         \
	",\"result_type\":\"overall_bucket\"}"
#define FIRST(score)                                                           \
	BUCKET("1700000100000", score,                                         \
	    JOB("a", "20.0") "," JOB("b", "60.0") "," JOB("c", "40.0"),        \
	    "false")
#define SECOND                                                                 \
	BUCKET("1700000400000", "0.5", JOB("a", "0.0") "," JOB("b", "1.0"),    \
	    "false")
#define THIRD BUCKET("1700000700000", "5.0", JOB("a", "5.0"), "true")

static void
expect(const struct request *r, const char *want)
{
	char *got = make(r, OUT_HOLD_MAX);

	cr_expect_str_eq(got, want);
	free(got);
}

Test(overall, buckets_have_the_fields_of_the_api_in_its_order)
{
	struct request r = overall_request(2);

	write_three();
	expect(&r,
	    "{\"count\":3,\"overall_buckets\":[" FIRST("50.0") "," SECOND
							       "," THIRD "]}");
	r.exclude_interim = true;
	expect(&r,
	    "{\"count\":2,\"overall_buckets\":[" FIRST("50.0") "," SECOND "]}");
	r = overall_request(3);
	r.score = 40;
	expect(&r, "{\"count\":1,\"overall_buckets\":[" FIRST("40.0") "]}");
}

Test(overall, the_range_is_aligned_inwards)
{
	struct request r = overall_request(2);

	write_three();
	r.start_ms = T0 + 1;
	r.end_ms = T0 + 3 * SPAN_MS - 1;
	expect(&r, "{\"count\":1,\"overall_buckets\":[" SECOND "]}");
	r.start_ms = T0;
	r.end_ms = T0 + SPAN_MS;
	expect(&r, "{\"count\":1,\"overall_buckets\":[" FIRST("50.0") "]}");
	r.end_ms = T0 - 1;
	expect(&r, "{\"count\":0,\"overall_buckets\":[]}");
	r.start_ms = r.end_ms = INT64_MAX;
	expect(&r, "{\"count\":0,\"overall_buckets\":[]}");
}

Test(overall, a_long_answer_is_the_same_as_a_short_one)
{
	struct request r = overall_request(2);
	char *held, *sent;

	write_three();
	held = make(&r, OUT_HOLD_MAX);
	sent = make(&r, 100);
	cr_expect_str_eq(sent, held);
	free(held);
	free(sent);
}

Test(overall, jobs_without_results_or_directory_add_nothing)
{
	struct request r = overall_request(1);
	static const double a[] = { 20 };

	expect(&r, "{\"count\":0,\"overall_buckets\":[]}");
	write_scores(0, a, 1, false);
	enter(&jobs[1]);
	expect(&r,
	    "{\"count\":1,\"overall_buckets\":[" BUCKET(
		"1700000100000", "20.0", JOB("a", "20.0"), "false") "]}");
}

struct sum {
	int64_t n;
	double overall;
	double scores;
};

static struct sum
sum_of(const struct request *r)
{
	char *text = make(r, OUT_HOLD_MAX);
	struct json_object *o = json_tokener_parse(text);
	struct json_object *list = member(o, "overall_buckets");
	struct sum s = { count_of(o), 0, 0 };
	int64_t before = INT64_MIN;

	cr_assert_eq((size_t)s.n, json_object_array_length(list));
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *b = json_object_array_get_idx(list, i);
		struct json_object *js = member(b, "jobs");
		int64_t ms = json_object_get_int64(member(b, "timestamp"));

		cr_expect_gt(ms, before);
		before = ms;
		s.overall += json_object_get_double(member(b, "overall_score"));
		for (size_t k = 0; k < json_object_array_length(js); k++)
			s.scores += json_object_get_double(
			    member(json_object_array_get_idx(js, k),
				"max_anomaly_score"));
	}
	json_object_put(o);
	free(text);
	return s;
}

/*
 * Buckets of a second over more than a stretch of windows, with times far
 * apart that have nothing between them.
 */
Test(overall, time_is_gone_through_in_stretches_and_gaps_are_skipped)
{
	static const int64_t far[] = { -5000, 0, INT64_C(4000000000000),
		INT64_C(250000000000000) };
	struct request r = overall_request(1);
	struct sum want = { 0, 0, 0 }, got;

	for (size_t j = 0; j < 2; j++) {
		struct writer w;

		enter(&jobs[j]);
		writer_open(&w);
		for (size_t i = 0; i < NELEM(far); i++)
			write_bucket(&w, far[i], 1, false);
		for (int64_t i = j == 0 ? 0 : 100; i < 3 * WINDOWS_MAX;
		     i += 100)
			write_bucket(&w, T0 + i * 1000,
			    (double)(i / 100 % 7 + (int64_t)j), false);
		writer_commit(&w);
		writer_close(&w);
	}
	for (int64_t i = 0; i < 3 * WINDOWS_MAX; i += 100) {
		double a = (double)(i / 100 % 7), b = a + 1;

		want.n++;
		want.overall += i == 0 ? a : b;
		want.scores += i == 0 ? a : a + b;
	}
	want.n += (int64_t)NELEM(far);
	want.overall += NELEM(far);
	want.scores += 2 * NELEM(far);
	r.span_ms = r.bucket_span_ms = 1000;
	got = sum_of(&r);
	cr_expect_eq(got.n, want.n, "%jd", (intmax_t)got.n);
	cr_expect_eq(got.overall, want.overall);
	cr_expect_eq(got.scores, want.scores);
	/* The same with a start long before, and from the middle of it. */
	r.start_ms = -10000000000;
	got = sum_of(&r);
	cr_expect_eq(got.n, want.n);
	cr_expect_eq(got.overall, want.overall);
	cr_expect_eq(got.scores, want.scores);
	r.start_ms = T0 + (3 * WINDOWS_MAX - 1000) * 1000;
	got = sum_of(&r);
	cr_expect_eq(got.n, 12, "%jd", (intmax_t)got.n);
}

static void
expect_damage(const char *reason, uint32_t job)
{
	struct request r = overall_request(1);
	uint32_t damaged = 99;
	struct apierr e;

	cr_expect_null(make_with(&r, OUT_HOLD_MAX, NULL, NULL, &e, &damaged));
	cr_expect_eq(errno, EBADMSG);
	cr_expect_eq(damaged, job);
	cr_expect_eq(e.status, 500);
	cr_expect_str_eq(e.link[0].reason, reason);
}

#define CURE "close and open the job: rows that can be read are kept"

Test(overall, damage_names_the_job_that_has_it)
{
	sqlite3 *db;

	write_three();
	enter(&jobs[1]);
	db = resultsdb_open_writer("results", false);
	cr_assert_not_null(db);
	cr_assert_eq(sqlite3_exec(db, "UPDATE bucket SET event_count = 11",
			 NULL, NULL, NULL),
	    SQLITE_OK);
	resultsdb_close(db);
	expect_damage("the results of job [b] are damaged: row [1700000100000] "
		      "of [bucket] in [b.7/results/results.db] does not match "
		      "its checksum; " CURE,
	    1);
	cr_assert_eq(truncate("results/results.db", 100), 0);
	expect_damage(
	    "the results of job [b] are damaged: b.7/results.db; " CURE, 1);
}

#define NMANY 20000

/* Deletes the job while its buckets are read: 1 and 2 come before each open. */
static bool
delete_job(void *arg)
{
	if (++*(int *)arg == 3) {
		cr_assert_eq(chdir(query_jobs), 0);
		cr_assert_eq(rename("a.1", "moved"), 0);
	}
	return false;
}

Test(overall, what_is_wrong_with_a_job_that_is_gone_is_no_error)
{
	struct request r = overall_request(1);
	double *score = calloc(NMANY, sizeof(*score));
	uint32_t damaged;
	struct apierr e;
	int ticks = 0;
	sqlite3 *db;
	char *got;

	cr_assert_not_null(score);
	write_scores(0, score, NMANY, false);
	free(score);
	db = resultsdb_open_writer("results", false);
	cr_assert_not_null(db);
	cr_assert_eq(sqlite3_exec(db,
			 "UPDATE bucket SET event_count = 11 WHERE timestamp"
			 " = (SELECT max(timestamp) FROM bucket)",
			 NULL, NULL, NULL),
	    SQLITE_OK);
	resultsdb_close(db);
	r.njobs = 1;
	r.score = 1; /* there is none */
	cr_expect_null(make_with(&r, OUT_HOLD_MAX, NULL, NULL, &e, &damaged));
	cr_expect_eq(errno, EBADMSG);
	got = make_with(&r, OUT_HOLD_MAX, delete_job, &ticks, &e, &damaged);
	cr_expect_geq(ticks, 3);
	cr_expect_str_eq(got, "{\"count\":0,\"overall_buckets\":[]}");
	free(got);
}

static bool
give_up(void *arg)
{
	return --*(int *)arg < 0;
}

/* At every place where it is asked. */
Test(overall, work_is_given_up_when_nobody_waits_for_it)
{
	struct request r = overall_request(2);
	int tries = 0, left;
	uint32_t damaged;
	struct apierr e;
	char *got;

	write_three();
	do {
		left = tries;
		got = make_with(&r, OUT_HOLD_MAX, give_up, &left, &e, &damaged);
		if (got == NULL)
			cr_expect_eq(e.status, 0, "%d", tries);
		tries++;
		cr_assert_lt(tries, 1000);
	} while (got == NULL);
	/* Two looks at each job, and one for each row of the answer. */
	cr_expect_geq(tries, 9);
	free(got);
}

Test(overall, a_query_that_lacks_something_is_refused)
{
	struct msg_query good = { .kind = QUERY_OVERALL,
		.job_id = text(""),
		.directory = text(""),
		.sort = text(""),
		.ids = text(""),
		.top_n = 1,
		.span_ms = 1,
		.bucket_span_ms = 1,
		.jobs = { "\001a\0\0\0\0\0\0\0\1", 10 } };
	struct msg_query m[5];
	struct request r;

	for (size_t i = 0; i < NELEM(m); i++)
		m[i] = good;
	m[0].top_n = 0;
	m[1].span_ms = 0;
	m[2].bucket_span_ms = 0;
	m[3].jobs.len = 9;
	m[4].kind = QUERY_BUCKETS; /* names no directory */
	for (size_t i = 0; i < NELEM(m); i++) {
		cr_expect_eq(request_init(&r, &m[i]), -1, "%zu", i);
		cr_expect_eq(errno, EBADMSG, "%zu", i);
	}
	cr_assert_eq(request_init(&r, &good), 0);
	cr_expect_eq(r.njobs, 1);
	cr_expect_str_eq(r.jobs[0].id, "a");
	request_clear(&r);
}
