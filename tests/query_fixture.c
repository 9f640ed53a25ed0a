#include "common/compat.h"

#include <criterion/criterion.h>
#include <json-c/json.h>
#include <math.h>
#include <stdio.h>

#include "common/log.h"
#include "tests/query_fixture.h"

char query_jobs[TMPDIR_BYTES];
struct query_row query_many[NRECORDS];

void
query_begin(void)
{
	log_init("test", LOG_LEVEL_ERROR);
	job_enter(query_jobs);
}

void
query_finish(void)
{
	job_leave(query_jobs);
}

struct request
request_of(enum query_kind kind)
{
	struct request r = {
		.kind = kind,
		.job_id = "j",
		.directory = "j.1",
		.timestamp_ms = TIME_UNSET,
		.start_ms = INT64_MIN,
		.end_ms = INT64_MAX,
		.score = -INFINITY,
		.desc = kind != QUERY_BUCKETS,
		.size = 100,
	};

	strlcpy(r.sort,
	    kind == QUERY_RECORDS	    ? "record_score"
		: kind == QUERY_INFLUENCERS ? "influencer_score"
					    : "timestamp",
	    sizeof(r.sort));
	return r;
}

int
collect(void *arg, const void *data, size_t len)
{
	cr_assert_gt(len, 0);
	cr_assert_leq(len, MSG_DATA_MAX);
	return wire_put_bytes(arg, data, len);
}

/* The text of an answer, owned; NULL with *e. */
char *
ask_with(const struct request *r, size_t hold_max, struct apierr *e)
{
	struct wbuf wb;
	struct out o;
	int rc;

	wbuf_init(&wb, 0);
	out_init(&o, hold_max, collect, &wb);
	rc = answer_make(r, query_jobs, NULL, NULL, &o, e);
	if (rc == 0)
		cr_expect_eq(o.bytes, wb.len);
	out_clear(&o);
	if (rc == -1) {
		wbuf_clear(&wb);
		return NULL;
	}
	cr_assert_eq(wire_put_u8(&wb, 0), 0);
	return (char *)wb.data;
}

char *
ask(const struct request *r)
{
	struct apierr e;
	char *text = ask_with(r, OUT_HOLD_MAX, &e);

	cr_assert_not_null(text, "%d %s", e.status, e.link[0].reason);
	return text;
}

struct json_object *
ask_json(const struct request *r)
{
	char *text = ask(r);
	struct json_object *o = json_tokener_parse(text);

	cr_assert_not_null(o, "%s", text);
	free(text);
	return o;
}

struct json_object *
member(struct json_object *o, const char *name)
{
	struct json_object *v;

	cr_assert(json_object_object_get_ex(o, name, &v), "no %s in %s", name,
	    json_object_to_json_string(o));
	return v;
}

int64_t
count_of(struct json_object *o)
{
	return json_object_get_int64(member(o, "count"));
}

void
expect_text(const struct request *r, const char *want)
{
	char *text = ask(r);

	cr_expect_str_eq(text, want);
	free(text);
}

void
expect_error(
    const struct request *r, int status, const char *type, const char *reason)
{
	struct apierr e;
	char *text = ask_with(r, OUT_HOLD_MAX, &e);

	cr_assert_null(text, "%s", text);
	cr_expect_eq(e.status, status);
	cr_expect_str_eq(e.link[0].type, type);
	cr_expect_str_eq(e.link[0].reason, reason);
}

void
write_example(void)
{
	struct record_result r = some_record(T0, 94.98554565630553, 1e-10);
	struct bucket_result b = some_bucket(T0, 80.5);
	struct writer w;

	r.by_field_name = "air.line";
	r.by_field_value = text("AAL\"\n\x01");
	r.partition_field_name = "region";
	r.partition_field_value = text("");
	r.ninfluencers = 3;
	r.influencer[0] = (struct record_influencer){ "air.line", 2,
		{ text("AAL\"\n\x01"), text("KLM") } };
	r.influencer[1] =
	    (struct record_influencer){ "timestamp", 1, { text("x") } };
	r.influencer[2] =
	    (struct record_influencer){ "actual.y", 1, { text("z") } };
	writer_open(&w);
	writer_record(&w, &r);
	writer_bucket(&w, &b);
	b = some_bucket(T0 + SPAN_MS, 0);
	b.ninfluencers = 0;
	b.is_interim = true;
	writer_bucket(&w, &b);
	writer_commit(&w);
	writer_close(&w);
}

static uint32_t
lcg(void)
{
	static uint32_t x = 12345;

	x = x * 1664525u + 1013904223u;
	return x >> 8;
}

static const char *
maybe(char *dst, const char *prefix, uint32_t variants)
{
	snprintf(dst, 16, "%s%u", prefix, lcg() % variants);
	return dst;
}

static void
fill_names(size_t i)
{
	struct record_result *r = &query_many[i].r;

	r->detector_index = (int)(lcg() % 3);
	r->function = r->detector_index == 1 ? "high_mean" : "mean";
	r->field_name = r->detector_index == 2 ? NULL : "responsetime";
	if (r->detector_index != 0) {
		r->by_field_name = "host";
		r->by_field_value = text(maybe(query_many[i].by, "h", 4));
	}
	if (lcg() % 2 == 0) {
		r->over_field_name = "user";
		r->over_field_value = text(maybe(query_many[i].over, "u", 3));
	}
	if (lcg() % 4 == 0) {
		r->ninfluencers = 1;
		r->influencer[0] = (struct record_influencer){ "status", 2,
			{ text(maybe(query_many[i].inf[0], "s", 5)),
			    text(maybe(query_many[i].inf[1], "s", 5)) } };
	}
	if (lcg() % 10 == 0)
		r->nvalues = 0;
}

/* Few different values, so that there are ties; a third of scores is 0. */
static void
fill_one(size_t i, int64_t ms, bool interim)
{
	uint32_t u = lcg() % 60;
	struct record_result *r = &query_many[i].r;

	*r = some_record(ms, u < 20 ? 0 : u / 0.6, (lcg() % 500 + 1) / 1e5);
	r->initial_record_score = lcg() % 7;
	r->is_interim = interim;
	r->nvalues = 1;
	fill_names(i);
	r->actual[0] = (double)i;
	r->typical[0] = (double)(lcg() % 50);
	/* The identity of a record, whatever else it has. */
	r->multi_bucket_impact = (double)i / NRECORDS;
}

void
write_many(void)
{
	struct writer w;
	int64_t ms = T0;
	size_t done = 0;

	writer_open(&w);
	for (; done < NRECORDS; ms += SPAN_MS) {
		size_t n = lcg() % 12;
		struct bucket_result b = some_bucket(ms, lcg() % 100);

		b.is_interim = done > NRECORDS - 200;
		for (size_t i = 0; i < n && done < NRECORDS; i++, done++) {
			fill_one(done, ms, b.is_interim);
			writer_record(&w, &query_many[done].r);
		}
		writer_bucket(&w, &b);
		if (lcg() % 50 == 0)
			writer_commit(&w);
	}
	writer_commit(&w);
	writer_close(&w);
}
