/* Order, filters and pages of answers: against a list sorted here. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <json-c/json.h>
#include <math.h>

#include "tests/query_fixture.h"

TestSuite(query_order, .init = query_begin, .fini = query_finish);

static int
cmp_f64(double a, double b)
{
	return (a > b) - (a < b);
}

/* Missing ones are last in both directions: 2 says so. */
static int
cmp_text(struct span a, struct span b, bool desc)
{
	int c;

	if (a.p == NULL || b.p == NULL)
		return (a.p == NULL) - (b.p == NULL);
	c = memcmp(a.p, b.p, a.len < b.len ? a.len : b.len);
	if (c == 0)
		c = (a.len > b.len) - (a.len < b.len);
	return desc ? -c : c;
}

/* The least or greatest status of a record. */
static struct span
status_of(const struct record_result *r, bool desc)
{
	struct span a, b;

	if (r->ninfluencers == 0)
		return (struct span){ NULL, 0 };
	a = r->influencer[0].value[0];
	b = r->influencer[0].value[1];
	return cmp_text(a, b, desc) <= 0 ? a : b;
}

static const char *oracle_sort;
static bool oracle_desc;

static int
cmp_first(const struct record_result *a, const struct record_result *b)
{
	int sign = oracle_desc ? -1 : 1;

	if (strcmp(oracle_sort, "record_score") == 0)
		return sign * cmp_f64(a->record_score, b->record_score);
	if (strcmp(oracle_sort, "probability") == 0)
		return sign * cmp_f64(a->probability, b->probability);
	if (strcmp(oracle_sort, "timestamp") == 0)
		return sign *
		    cmp_f64((double)a->timestamp_ms, (double)b->timestamp_ms);
	if (strcmp(oracle_sort, "by_field_value") == 0 ||
	    strcmp(oracle_sort, "host") == 0)
		return cmp_text(
		    a->by_field_value, b->by_field_value, oracle_desc);
	if (strcmp(oracle_sort, "status") == 0)
		return cmp_text(status_of(a, oracle_desc),
		    status_of(b, oracle_desc), oracle_desc);
	if (strcmp(oracle_sort, "typical") == 0) {
		if (a->nvalues == 0 || b->nvalues == 0)
			return (a->nvalues == 0) - (b->nvalues == 0);
		return sign * cmp_f64(a->typical[0], b->typical[0]);
	}
	cr_assert_str_eq(oracle_sort, "anomaly_score", "not in the oracle");
	return 0;
}

static int
cmp_records(const void *pa, const void *pb)
{
	const struct record_result *a = *(struct record_result *const *)pa;
	const struct record_result *b = *(struct record_result *const *)pb;
	struct span none = { NULL, 0 };
	int c = cmp_first(a, b);

	if (c == 0)
		c = (oracle_desc ? -1 : 1) *
		    cmp_f64(a->record_score, b->record_score);
	if (c == 0)
		c = cmp_text(
		    a->over_field_value, b->over_field_value, oracle_desc);
	if (c == 0)
		c = cmp_text(a->by_field_value, b->by_field_value, oracle_desc);
	if (c == 0)
		c = cmp_text(a->field_name ? text(a->field_name) : none,
		    b->field_name ? text(b->field_name) : none, oracle_desc);
	if (c == 0)
		c = cmp_text(text(a->function), text(b->function), oracle_desc);
	/* Then as they were written. */
	return c != 0 ? c
		      : cmp_f64(a->multi_bucket_impact, b->multi_bucket_impact);
}

/* What the answer to r must be: pointers into all, sorted. */
static size_t
oracle(const struct request *r, struct record_result **list)
{
	size_t n = 0;

	for (size_t i = 0; i < NRECORDS; i++) {
		struct record_result *x = &query_many[i].r;

		if (x->timestamp_ms >= r->start_ms &&
		    x->timestamp_ms < r->end_ms &&
		    !(r->exclude_interim && x->is_interim) &&
		    x->record_score >= r->score)
			list[n++] = x;
	}
	oracle_sort = r->sort;
	oracle_desc = r->desc;
	qsort(list, n, sizeof(*list), cmp_records);
	return n;
}

static void
expect_as_oracle(const struct request *r)
{
	static struct record_result *list[NRECORDS];
	size_t n = oracle(r, list), want;
	struct json_object *o = ask_json(r), *rows = member(o, "records");

	cr_assert_eq(count_of(o), (int64_t)n, "sort %s", r->sort);
	want = n > r->from ? n - r->from : 0;
	if (want > r->size)
		want = r->size;
	cr_assert_eq(json_object_array_length(rows), want);
	for (size_t i = 0; i < want; i++) {
		struct json_object *row = json_object_array_get_idx(rows, i);

		cr_assert_eq(
		    json_object_get_double(member(row, "multi_bucket_impact")),
		    list[r->from + i]->multi_bucket_impact,
		    "sort %s%s from %u score %g: row %zu", r->sort,
		    r->desc ? " desc" : "", r->from, r->score, i);
	}
	json_object_put(o);
}

static const char *const sorts[] = { "record_score", "probability", "timestamp",
	"by_field_value", "typical", "host", "status", "anomaly_score" };

Test(query_order, records_are_sorted_with_ties_and_missing_fields,
    .timeout = 120)
{
	write_many();
	for (size_t i = 0; i < NELEM(sorts); i++) {
		struct request r = request_of(QUERY_RECORDS);

		strlcpy(r.sort, sorts[i], sizeof(r.sort));
		for (int desc = 0; desc < 2; desc++) {
			r.desc = desc == 1;
			r.from = 0;
			r.size = 25;
			expect_as_oracle(&r);
			r.from = 3000;
			expect_as_oracle(&r);
			r.size = 7000;
			expect_as_oracle(&r);
		}
	}
}

static void
vary_filters(struct request *r)
{
	static const double scores[] = { -INFINITY, 1, 60, 99.9, 100 };
	int64_t last = query_many[NRECORDS - 1].r.timestamp_ms;

	for (size_t s = 0; s < NELEM(scores); s++) {
		r->score = scores[s];
		for (int range = 0; range < 6; range++) {
			int64_t part = (last - T0) / 8;

			r->start_ms = range % 3 == 1 ? T0 + part + 1
			    : range % 3 == 2	     ? T0 + 6 * part
						     : INT64_MIN;
			r->end_ms = range >= 3 ? r->start_ms == INT64_MIN
				? T0 + 5 * part
				: r->start_ms + part
					       : INT64_MAX;
			r->exclude_interim = (range + (int)s) % 2 == 0;
			expect_as_oracle(r);
		}
	}
}

Test(query_order, filters_are_score_time_and_interim, .timeout = 120)
{
	write_many();
	for (size_t i = 0; i < 4; i++) {
		struct request r = request_of(QUERY_RECORDS);

		strlcpy(r.sort, sorts[i], sizeof(r.sort));
		r.desc = i != 1;
		r.size = 40;
		vary_filters(&r);
		r.from = 120;
		r.desc = !r.desc;
		vary_filters(&r);
	}
}

Test(query_order, a_range_includes_its_start_and_excludes_its_end)
{
	struct request r = request_of(QUERY_RECORDS);

	write_many();
	r.start_ms = query_many[100].r.timestamp_ms;
	r.end_ms = query_many[5000].r.timestamp_ms;
	expect_as_oracle(&r);
	r.end_ms = r.start_ms;
	expect_text(&r, "{\"count\":0,\"records\":[]}");
}

/* Timestamps of the buckets of an answer must be these. */
static void
expect_buckets(
    const struct request *r, int64_t count, size_t n, const int64_t *minutes)
{
	struct json_object *o = ask_json(r), *rows = member(o, "buckets");

	cr_expect_eq(count_of(o), count);
	cr_assert_eq(json_object_array_length(rows), n);
	for (size_t i = 0; i < n; i++)
		cr_expect_eq(
		    json_object_get_int64(member(
			json_object_array_get_idx(rows, i), "timestamp")),
		    T0 + minutes[i] * SPAN_MS, "sort %s row %zu", r->sort, i);
	json_object_put(o);
}

static void
write_buckets(void)
{
	static const double score[] = { 10, 50, 0, 50, 90, 0 };
	struct writer w;

	writer_open(&w);
	for (int i = 0; i < 6; i++) {
		struct bucket_result b =
		    some_bucket(T0 + i * SPAN_MS, score[i]);

		b.is_interim = i == 5;
		b.event_count = (uint64_t)(100 - 10 * i);
		writer_bucket(&w, &b);
	}
	writer_commit(&w);
	writer_close(&w);
}

Test(query_order, buckets_are_sorted_filtered_and_paged)
{
	struct request r = request_of(QUERY_BUCKETS);

	write_buckets();
	expect_buckets(&r, 6, 6, (int64_t[]){ 0, 1, 2, 3, 4, 5 });
	r.desc = true;
	r.from = 1;
	r.size = 2;
	expect_buckets(&r, 6, 2, (int64_t[]){ 4, 3 });
	strlcpy(r.sort, "anomaly_score", sizeof(r.sort));
	r.from = 0;
	r.size = 6;
	/* Ties by time, in the same direction. */
	expect_buckets(&r, 6, 6, (int64_t[]){ 4, 3, 1, 0, 5, 2 });
	r.desc = false;
	expect_buckets(&r, 6, 6, (int64_t[]){ 2, 5, 0, 1, 3, 4 });
	r.score = 50;
	expect_buckets(&r, 3, 3, (int64_t[]){ 1, 3, 4 });
	strlcpy(r.sort, "timestamp", sizeof(r.sort));
	expect_buckets(&r, 3, 3, (int64_t[]){ 1, 3, 4 });
	r.start_ms = T0 + SPAN_MS + 1;
	r.end_ms = T0 + 4 * SPAN_MS;
	expect_buckets(&r, 1, 1, (int64_t[]){ 3 });
	r = request_of(QUERY_BUCKETS);
	strlcpy(r.sort, "event_count", sizeof(r.sort));
	r.exclude_interim = true;
	expect_buckets(&r, 5, 5, (int64_t[]){ 4, 3, 2, 1, 0 });
	/* A field of records only: no bucket has it, time decides. */
	strlcpy(r.sort, "probability", sizeof(r.sort));
	r.desc = true;
	expect_buckets(&r, 5, 5, (int64_t[]){ 4, 3, 2, 1, 0 });
	r.size = 0;
	expect_text(&r, "{\"count\":5,\"buckets\":[]}");
}

Test(query_order, expand_sorts_records_by_probability)
{
	static const double p[] = { 0.02, 0.001, 0.02, 0.03 };
	static const double score[] = { 9, 1, 5, 7 };
	static const double want[] = { 1, 5, 9 };
	struct request r = request_of(QUERY_BUCKETS);
	struct bucket_result b = some_bucket(T0, 9);
	struct json_object *o, *rows;
	struct writer w;

	writer_open(&w);
	for (size_t i = 0; i < NELEM(p); i++) {
		struct record_result rec = some_record(T0, score[i], p[i]);

		rec.is_interim = i == 3;
		writer_record(&w, &rec);
	}
	writer_bucket(&w, &b);
	writer_commit(&w);
	writer_close(&w);
	r.expand = r.exclude_interim = true;
	o = ask_json(&r);
	rows = member(
	    json_object_array_get_idx(member(o, "buckets"), 0), "records");
	cr_assert_eq(json_object_array_length(rows), NELEM(want));
	for (size_t i = 0; i < NELEM(want); i++)
		cr_expect_eq(
		    json_object_get_double(member(
			json_object_array_get_idx(rows, i), "record_score")),
		    want[i]);
	json_object_put(o);
}
